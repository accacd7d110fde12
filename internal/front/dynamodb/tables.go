package dynamodb

import (
	"context"
	"slices"
	"strings"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/stream"
	"github.com/penstock-io/penstock/internal/tag"
)

func (f *front) createTable(ctx context.Context, _ identity.Caller, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	if err := refuse("see docs/reference/dynamodb.md", "WarmThroughput", in.WarmThroughput != nil, "GlobalTableSourceArn", in.GlobalTableSourceArn != nil,
		"GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != nil); err != nil {
		return nil, err
	}
	if err := f.db.Admit("CreateTable", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	spec := &tables.TableSpec{
		Name: *in.TableName, Attributes: definitions(in.AttributeDefinitions), Keys: keyParts(in.KeySchema), Billing: member.Text(in.BillingMode),
		Throughput: throughput(in.ProvisionedThroughput), Limits: limits(in.OnDemandThroughput), Stream: streamSpec(in.StreamSpecification),
		Class: member.Text(in.TableClass), DeleteProtected: member.True(in.DeletionProtectionEnabled), Policy: member.Text(in.ResourcePolicy),
	}
	if s := in.SSESpecification; s != nil && member.True(s.Enabled) {
		spec.Encryption, spec.EncryptionKey = api.SSETypeKms, member.Text(s.KMSMasterKeyId)
	}
	for _, t := range in.Tags {
		spec.Tags = append(spec.Tags, tag.Tag{Key: member.Text(t.Key), Value: member.Text(t.Value)})
	}
	if in.LocalSecondaryIndexes != nil {
		spec.Local = []tables.IndexSpec{}
	}
	for _, x := range in.LocalSecondaryIndexes {
		spec.Local = append(spec.Local, indexSpec(x.IndexName, x.KeySchema, x.Projection, nil, nil))
	}
	if in.GlobalSecondaryIndexes != nil {
		spec.Global = []tables.IndexSpec{}
	}
	for _, x := range in.GlobalSecondaryIndexes {
		if err := refuse("see docs/reference/dynamodb.md", "WarmThroughput", x.WarmThroughput != nil); err != nil {
			return nil, err
		}
		spec.Global = append(spec.Global, indexSpec(x.IndexName, x.KeySchema, x.Projection, x.ProvisionedThroughput, x.OnDemandThroughput))
	}
	s, err := f.db.CreateTable(ctx, spec)
	if err != nil {
		return nil, tagLimit(err)
	}
	d := f.description(s)
	d.TableStatus = new(api.TableStatusCreating) // as on AWS; it is active by the time anyone asks
	return &api.CreateTableOutput{TableDescription: d}, nil
}

func (f *front) updateTable(ctx context.Context, _ identity.Caller, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	if err := refuse(noReplicas, "ReplicaUpdates", in.ReplicaUpdates != nil, "MultiRegionConsistency", in.MultiRegionConsistency != nil,
		"GlobalTableWitnessUpdates", in.GlobalTableWitnessUpdates != nil, "GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != nil,
		"WarmThroughput", in.WarmThroughput != nil); err != nil {
		return nil, err
	}
	if err := f.db.Admit("UpdateTable", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	c := &tables.TableChange{
		Table: *in.TableName, Attributes: definitions(in.AttributeDefinitions), Billing: member.Text(in.BillingMode), Throughput: throughput(in.ProvisionedThroughput),
		Stream: streamSpec(in.StreamSpecification), Class: member.Text(in.TableClass), DeleteProtected: in.DeletionProtectionEnabled,
	}
	if in.OnDemandThroughput != nil {
		c.Limits = new(limits(in.OnDemandThroughput))
	}
	if s := in.SSESpecification; s != nil {
		c.Encryption = new("")
		if member.True(s.Enabled) {
			c.Encryption, c.EncryptionKey = new(api.SSETypeKms), member.Text(s.KMSMasterKeyId)
		}
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		x, err := indexChange(&u)
		if err != nil {
			return nil, err
		}
		c.Indexes = append(c.Indexes, x)
	}
	s, err := f.db.UpdateTable(ctx, c)
	if err != nil {
		return nil, err
	}
	d := f.description(s)
	d.TableStatus = new(api.TableStatusUpdating)
	return &api.UpdateTableOutput{TableDescription: d}, nil
}

func indexChange(u *api.GlobalSecondaryIndexUpdate) (tables.IndexChange, error) {
	var out tables.IndexChange
	n := 0
	if x := u.Create; x != nil {
		n++
		out.Create = new(indexSpec(x.IndexName, x.KeySchema, x.Projection, x.ProvisionedThroughput, x.OnDemandThroughput))
	}
	if x := u.Update; x != nil {
		n++
		out.Update = &tables.IndexSpec{Name: member.Text(x.IndexName), Throughput: throughput(x.ProvisionedThroughput), Limits: limits(x.OnDemandThroughput)}
	}
	if x := u.Delete; x != nil {
		n++
		out.Delete = member.Text(x.IndexName)
	}
	if n != 1 {
		return out, fault.New(fault.Invalid, tables.SubjectRequest, "One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate.Update, "+
			"GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
	}
	return out, nil
}

func (f *front) deleteTable(ctx context.Context, _ identity.Caller, in *api.DeleteTableInput) (*api.DeleteTableOutput, error) {
	if err := f.db.Admit("DeleteTable", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	s, err := f.db.DeleteTable(ctx, *in.TableName)
	if err != nil {
		return nil, err
	}
	d := f.description(s)
	d.TableStatus = new(api.TableStatusDeleting)
	return &api.DeleteTableOutput{TableDescription: d}, nil
}

func (f *front) describeTable(ctx context.Context, _ identity.Caller, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	if err := f.db.Admit("DescribeTable", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	s, err := f.db.DescribeTable(ctx, *in.TableName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeTableOutput{Table: f.description(s)}, nil
}

// maxListed is how many tables ListTables returns at most.
const maxListed = 100

func (f *front) listTables(ctx context.Context, _ identity.Caller, in *api.ListTablesInput) (*api.ListTablesOutput, error) {
	if err := f.db.Admit("ListTables"); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxListed)
	if err != nil {
		return nil, err
	}
	names, more, err := f.db.ListTables(ctx, member.Text(in.ExclusiveStartTableName), limit)
	if err != nil {
		return nil, err
	}
	out := &api.ListTablesOutput{TableNames: append([]string{}, names...)}
	if more {
		out.LastEvaluatedTableName = new(names[len(names)-1])
	}
	return out, nil
}

func definitions(list []api.AttributeDefinition) []item.Definition {
	var out []item.Definition
	for _, d := range list {
		out = append(out, item.Definition{Name: member.Text(d.AttributeName), Type: item.TypeOf(member.Text(d.AttributeType))})
	}
	return out
}

func keyParts(list []api.KeySchemaElement) []tables.KeyPart {
	var out []tables.KeyPart
	for _, k := range list {
		out = append(out, tables.KeyPart{Name: member.Text(k.AttributeName), Kind: member.Text(k.KeyType)})
	}
	return out
}

func throughput(t *api.ProvisionedThroughput) *tables.Throughput {
	if t == nil {
		return nil
	}
	return &tables.Throughput{Read: *t.ReadCapacityUnits, Write: *t.WriteCapacityUnits}
}

func limits(t *api.OnDemandThroughput) tables.Limits {
	var out tables.Limits
	if t == nil {
		return out
	}
	if t.MaxReadRequestUnits != nil {
		out.Read = *t.MaxReadRequestUnits
	}
	if t.MaxWriteRequestUnits != nil {
		out.Write = *t.MaxWriteRequestUnits
	}
	return out
}

func streamSpec(s *api.StreamSpecification) *tables.StreamSpec {
	if s == nil {
		return nil
	}
	return &tables.StreamSpec{Enabled: member.True(s.StreamEnabled), View: stream.View(member.Text(s.StreamViewType))}
}

func indexSpec(name *string, keys []api.KeySchemaElement, p *api.Projection, t *api.ProvisionedThroughput, o *api.OnDemandThroughput) tables.IndexSpec {
	return tables.IndexSpec{
		Name: member.Text(name), Keys: keyParts(keys), Projection: member.Text(p.ProjectionType), Include: p.NonKeyAttributes, Throughput: throughput(t), Limits: limits(o),
	}
}

// description is a table as DescribeTable shows it.
func (f *front) description(s tables.Status) *api.TableDescription {
	d := &api.TableDescription{
		TableName: new(s.Name), TableStatus: new(s.Status), CreationDateTime: timeOf(s.Created), TableArn: new(s.ARN), TableId: new(s.UUID),
		TableSizeBytes: new(s.Bytes), ItemCount: new(s.Items), KeySchema: keySchema(s.Key), ProvisionedThroughput: provisioned(s.Throughput),
		DeletionProtectionEnabled: new(s.DeleteProtected), OnDemandThroughput: onDemand(s.Limits), AttributeDefinitions: []api.AttributeDefinition{},
	}
	sorted := slices.SortedFunc(slices.Values(s.Attributes), func(a, b item.Definition) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		d.AttributeDefinitions = append(d.AttributeDefinitions, api.AttributeDefinition{AttributeName: new(a.Name), AttributeType: new(a.Type.String())})
	}
	if s.OnDemandSince != 0 {
		d.BillingModeSummary = &api.BillingModeSummary{BillingMode: new(s.Billing), LastUpdateToPayPerRequestDateTime: timeOf(s.OnDemandSince)}
	}
	for _, x := range s.Local {
		size := s.Sizes[x.Name]
		d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, api.LocalSecondaryIndexDescription{
			IndexName: new(x.Name), KeySchema: keySchema(x.Key), Projection: projection(x), IndexArn: new(s.ARN + "/index/" + x.Name),
			IndexSizeBytes: new(size.Bytes), ItemCount: new(size.Items),
		})
	}
	for _, x := range s.Global {
		size := s.Sizes[x.Name]
		g := api.GlobalSecondaryIndexDescription{
			IndexName: new(x.Name), KeySchema: keySchema(x.Key), Projection: projection(x), IndexArn: new(s.ARN + "/index/" + x.Name), IndexStatus: new(x.Status()),
			IndexSizeBytes: new(size.Bytes), ItemCount: new(size.Items), ProvisionedThroughput: provisioned(x.Throughput), OnDemandThroughput: onDemand(x.Limits),
		}
		if x.Filling {
			g.Backfilling = new(true)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
	if s.StreamEnabled {
		d.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: new(string(s.StreamView))}
	}
	if s.StreamARN != "" {
		d.LatestStreamArn, d.LatestStreamLabel = new(s.StreamARN), new(s.StreamLabel)
	}
	if s.Encryption != "" {
		d.SSEDescription = &api.SSEDescription{Status: new(api.SSEStatusEnabled), SSEType: new(s.Encryption), KMSMasterKeyArn: new(f.keyARN(s))}
	}
	if s.Class != "" {
		d.TableClassSummary = &api.TableClassSummary{TableClass: new(s.Class), LastUpdateDateTime: timeOf(s.ClassSince)}
	}
	return d
}

// keyARN is the ARN of the key a table is said to be encrypted with.
func (f *front) keyARN(s tables.Status) string {
	prefix := strings.Replace(s.ARN[:strings.Index(s.ARN, ":table/")+1], ":dynamodb:", ":kms:", 1)
	switch key := s.EncryptionKey; {
	case key == "":
		return prefix + "alias/aws/dynamodb"
	case strings.HasPrefix(key, "arn:"):
		return key
	case strings.HasPrefix(key, "alias/"):
		return prefix + key
	default:
		return prefix + "key/" + key
	}
}

func keySchema(s item.Schema) []api.KeySchemaElement {
	out := []api.KeySchemaElement{{AttributeName: new(s.Hash.Name), KeyType: new(api.KeyTypeHash)}}
	if s.HasRange() {
		out = append(out, api.KeySchemaElement{AttributeName: new(s.Range.Name), KeyType: new(api.KeyTypeRange)})
	}
	return out
}

func projection(x *tables.Index) *api.Projection {
	return &api.Projection{ProjectionType: new(x.Projection), NonKeyAttributes: x.Include}
}

func provisioned(t tables.Throughput) *api.ProvisionedThroughputDescription {
	return &api.ProvisionedThroughputDescription{
		ReadCapacityUnits: new(t.Read), WriteCapacityUnits: new(t.Write), NumberOfDecreasesToday: new(int64(0)),
		LastIncreaseDateTime: timeOf(t.Increased), LastDecreaseDateTime: timeOf(t.Decreased),
	}
}

func onDemand(l tables.Limits) *api.OnDemandThroughput {
	if l == (tables.Limits{}) {
		return nil
	}
	return &api.OnDemandThroughput{MaxReadRequestUnits: new(l.Read), MaxWriteRequestUnits: new(l.Write)}
}
