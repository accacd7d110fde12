package redshift

import (
	"context"
	"strconv"
	"strings"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/warehouses"
)

func (f *Front) createCluster(ctx context.Context, caller identity.Caller, in *api.CreateClusterMessage) (*api.CreateClusterResult, error) {
	asked := []wish{
		{in.HsmClientCertificateIdentifier, fault.NotFound, subjectHSMCertificate},
		{in.HsmConfigurationIdentifier, fault.NotFound, subjectHSM},
		{in.ElasticIp, fault.NotFound, subjectElasticIP},
		{in.SnapshotScheduleIdentifier, fault.NotFound, subjectSchedule},
		{in.RedshiftIdcApplicationArn, fault.NotFound, subjectIDC},
		{in.MasterPasswordSecretKmsKeyId, fault.Unsupported, subjectOption},
		{in.CatalogName, fault.Unsupported, subjectOption},
		{in.LoadSampleData, fault.Unsupported, subjectOption},
	}
	if err := refuse(asked, in.AvailabilityZoneRelocation, in.ExtraComputeForAutomaticOptimization); err != nil {
		return nil, err
	}
	c, err := f.warehouses.CreateCluster(ctx, warehouses.CreateClusterParams{
		Identifier: member.Text(in.ClusterIdentifier), NodeType: member.Text(in.NodeType), ClusterType: member.Text(in.ClusterType), NumberOfNodes: member.Number(in.NumberOfNodes),
		MasterUsername: member.Text(in.MasterUsername), MasterPassword: secret.NewText(member.Text(in.MasterUserPassword)), ManagePassword: member.True(in.ManageMasterPassword),
		Database: member.Text(in.DBName), Port: member.Number(in.Port), Encrypted: in.Encrypted, KMSKeyID: member.Text(in.KmsKeyId), PubliclyAccessible: in.PubliclyAccessible,
		AllowVersionUpgrade: in.AllowVersionUpgrade, EnhancedVPCRouting: in.EnhancedVpcRouting, MultiAZ: in.MultiAZ, Version: member.Text(in.ClusterVersion),
		AvailabilityZone: member.Text(in.AvailabilityZone), MaintenanceWindow: member.Text(in.PreferredMaintenanceWindow), MaintenanceTrack: member.Text(in.MaintenanceTrackName),
		SubnetGroup: member.Text(in.ClusterSubnetGroupName), ParameterGroup: member.Text(in.ClusterParameterGroupName), IPAddressType: member.Text(in.IpAddressType),
		DefaultIAMRole: member.Text(in.DefaultIamRoleArn), AquaStatus: member.Text(in.AquaConfigurationStatus),
		SnapshotRetention: member.Number(in.AutomatedSnapshotRetentionPeriod), ManualSnapshotRetention: member.Number(in.ManualSnapshotRetentionPeriod),
		SecurityGroups: in.ClusterSecurityGroups, VPCSecurityGroups: in.VpcSecurityGroupIds, IAMRoles: in.IamRoles, Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateClusterResult{Cluster: f.cluster(caller, &c)}, nil
}

func (f *Front) modifyCluster(ctx context.Context, caller identity.Caller, in *api.ModifyClusterMessage) (*api.ModifyClusterResult, error) {
	asked := []wish{
		{in.HsmClientCertificateIdentifier, fault.NotFound, subjectHSMCertificate},
		{in.HsmConfigurationIdentifier, fault.NotFound, subjectHSM},
		{in.ElasticIp, fault.NotFound, subjectElasticIP},
		{in.MasterPasswordSecretKmsKeyId, fault.Unsupported, subjectOption},
	}
	if err := refuse(asked, in.AvailabilityZoneRelocation, in.ExtraComputeForAutomaticOptimization); err != nil {
		return nil, err
	}
	c, err := f.warehouses.ModifyCluster(ctx, warehouses.ModifyClusterParams{
		Identifier: member.Text(in.ClusterIdentifier), NewIdentifier: wanted(in.NewClusterIdentifier), NodeType: wanted(in.NodeType), ClusterType: wanted(in.ClusterType),
		NumberOfNodes: member.Number(in.NumberOfNodes), MasterPassword: secret.NewText(member.Text(in.MasterUserPassword)), ManagePassword: in.ManageMasterPassword,
		Port: member.Number(in.Port), Encrypted: in.Encrypted, KMSKeyID: wanted(in.KmsKeyId), PubliclyAccessible: in.PubliclyAccessible,
		AllowVersionUpgrade: in.AllowVersionUpgrade, EnhancedVPCRouting: in.EnhancedVpcRouting, MultiAZ: in.MultiAZ, Version: wanted(in.ClusterVersion),
		AvailabilityZone: wanted(in.AvailabilityZone), MaintenanceWindow: wanted(in.PreferredMaintenanceWindow), MaintenanceTrack: wanted(in.MaintenanceTrackName),
		ParameterGroup: wanted(in.ClusterParameterGroupName), IPAddressType: wanted(in.IpAddressType),
		SnapshotRetention: member.Number(in.AutomatedSnapshotRetentionPeriod), ManualSnapshotRetention: member.Number(in.ManualSnapshotRetentionPeriod),
		SecurityGroups: member.List(in.ClusterSecurityGroups), VPCSecurityGroups: member.List(in.VpcSecurityGroupIds),
	})
	if err != nil {
		return nil, err
	}
	return &api.ModifyClusterResult{Cluster: f.cluster(caller, &c)}, nil
}

// wish is something a request asks for that there is not.
type wish struct {
	value   *string
	kind    fault.Kind
	subject string
}

// refuse returns the fault of the first wish that was made. An empty value is none.
func refuse(wishes []wish, relocation, extraCompute *bool) error {
	for _, w := range wishes {
		switch {
		case member.Text(w.value) == "":
		case w.kind == fault.NotFound:
			return fault.New(w.kind, w.subject, "there is no %s %q: an embedded data warehouse has none; leave it out", w.subject, *w.value)
		default:
			return fault.New(w.kind, w.subject, "%q asks for something that an embedded data warehouse does not offer (a key for a managed password, a catalog, sample data); leave it out", *w.value)
		}
	}
	if member.True(relocation) || member.True(extraCompute) {
		return fault.New(fault.Unsupported, subjectOption, "an embedded data warehouse has neither Availability Zones to move between nor extra compute; leave AvailabilityZoneRelocation and ExtraComputeForAutomaticOptimization out, or false")
	}
	return nil
}

// wanted is a setting that changes, where given; an empty one stays as it is.
func wanted(s *string) *string {
	if member.Text(s) == "" {
		return nil
	}
	return s
}

func (f *Front) deleteCluster(ctx context.Context, caller identity.Caller, in *api.DeleteClusterMessage) (*api.DeleteClusterResult, error) {
	if days := in.FinalClusterSnapshotRetentionPeriod; days != nil && (*days < -1 || *days == 0 || *days > 3653) {
		return nil, fault.New(fault.Invalid, warehouses.SubjectRetention, "the retention period of the final snapshot is %d days; it must be -1, for ever, or 1 to 3653", *days)
	}
	c, err := f.warehouses.DeleteCluster(ctx, warehouses.DeleteClusterParams{
		Identifier: member.Text(in.ClusterIdentifier), SkipFinalSnapshot: member.True(in.SkipFinalClusterSnapshot), FinalSnapshot: member.Text(in.FinalClusterSnapshotIdentifier),
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteClusterResult{Cluster: f.cluster(caller, &c)}, nil
}

func (f *Front) describeClusters(ctx context.Context, caller identity.Caller, in *api.DescribeClustersMessage) (*api.ClustersMessage, error) {
	if err := checkKeys(in.TagKeys); err != nil {
		return nil, err
	}
	page, err := f.warehouses.Clusters(ctx, warehouses.ListClustersParams{
		Identifier: member.Text(in.ClusterIdentifier), TagKeys: in.TagKeys, TagValues: in.TagValues, Marker: member.Text(in.Marker), MaxRecords: member.Number(in.MaxRecords),
	})
	if err != nil {
		return nil, err
	}
	out := &api.ClustersMessage{Marker: member.Some(page.Marker), Clusters: make([]api.Cluster, len(page.Clusters))}
	for n := range page.Clusters {
		out.Clusters[n] = *f.cluster(caller, &page.Clusters[n])
	}
	return out, nil
}

// describeLoggingStatus says that no audit log is delivered, which is so: nothing here can be told to.
func (f *Front) describeLoggingStatus(ctx context.Context, _ identity.Caller, in *api.DescribeLoggingStatusMessage) (*api.LoggingStatus, error) {
	if _, err := f.warehouses.ByCluster(ctx, member.Text(in.ClusterIdentifier)); err != nil {
		return nil, err
	}
	return &api.LoggingStatus{LoggingEnabled: new(false)}, nil
}

// cluster shows c with every member that Terraform, CloudFormation or the SDKs' waiters read. Members with
// two states say which of them holds, since Terraform refuses a cluster that leaves them out.
func (f *Front) cluster(caller identity.Caller, c *warehouses.ClusterInfo) *api.Cluster {
	out := &api.Cluster{
		ClusterIdentifier: &c.Identifier, NodeType: &c.NodeType, MasterUsername: &c.MasterUsername, DBName: &c.Database,
		ClusterStatus: new(c.Status()), ClusterAvailabilityStatus: new(c.Availability()), ClusterCreateTime: &c.Created,
		ClusterNamespaceArn: &c.NamespaceARN, ClusterVersion: &c.Version, NumberOfNodes: new(int32(c.NumberOfNodes)),
		Encrypted: &c.Encrypted, KmsKeyId: member.Some(c.KMSKeyID), PubliclyAccessible: &c.PubliclyAccessible,
		AllowVersionUpgrade: &c.AllowVersionUpgrade, EnhancedVpcRouting: &c.EnhancedVPCRouting, MultiAZ: new(enabled(c.MultiAZ)),
		AvailabilityZone: &c.AvailabilityZone, AvailabilityZoneRelocationStatus: new("disabled"),
		PreferredMaintenanceWindow: new(strings.ToLower(c.MaintenanceWindow)), MaintenanceTrackName: &c.MaintenanceTrack,
		AutomatedSnapshotRetentionPeriod: new(int32(c.SnapshotRetention)), ManualSnapshotRetentionPeriod: new(int32(c.ManualSnapshotRetention)),
		ClusterSubnetGroupName: &c.SubnetGroup, VpcId: new(""), IpAddressType: &c.IPAddressType, DefaultIamRoleArn: member.Some(c.DefaultIAMRole),
		AquaConfiguration:      &api.AquaConfiguration{AquaStatus: new(api.AquaStatusDisabled), AquaConfigurationStatus: &c.AquaStatus},
		ClusterParameterGroups: []api.ClusterParameterGroupStatus{{ParameterGroupName: &c.ParameterGroup, ParameterApplyStatus: new("in-sync")}},
		ClusterNodes:           f.nodes(c), ClusterSecurityGroups: []api.ClusterSecurityGroupMembership{}, VpcSecurityGroups: []api.VpcSecurityGroupMembership{},
		IamRoles: []api.ClusterIamRole{}, PendingModifiedValues: &api.PendingModifiedValues{}, PendingActions: []string{},
		DeferredMaintenanceWindows: []api.DeferredMaintenanceWindow{}, Tags: tagsOut(c.Tags),
	}
	if c.Warehouse.State != warehouses.Creating { // as on AWS, an address comes with the cluster
		out.Endpoint = &api.Endpoint{Address: &f.address, Port: new(int32(c.Port))}
	}
	if c.ManagePassword {
		// There is no secret store to ask for it, and no password that anything would take: the name is what
		// tells clients that the password is managed.
		out.MasterPasswordSecretArn = new("arn:" + caller.Partition + ":secretsmanager:" + caller.Region + ":" + caller.Account + ":secret:redshift!" + c.Identifier + "-" + c.MasterUsername)
	}
	for n := range c.SecurityGroups {
		out.ClusterSecurityGroups = append(out.ClusterSecurityGroups, api.ClusterSecurityGroupMembership{ClusterSecurityGroupName: &c.SecurityGroups[n], Status: new("active")})
	}
	for n := range c.VPCSecurityGroups {
		out.VpcSecurityGroups = append(out.VpcSecurityGroups, api.VpcSecurityGroupMembership{VpcSecurityGroupId: &c.VPCSecurityGroups[n], Status: new("active")})
	}
	for n := range c.IAMRoles {
		out.IamRoles = append(out.IamRoles, api.ClusterIamRole{IamRoleArn: &c.IAMRoles[n], ApplyStatus: new("in-sync")})
	}
	return out
}

// nodes lists the nodes a cluster of this size has on AWS, from whose number Terraform tells the cluster's
// type. All of them are this server.
func (f *Front) nodes(c *warehouses.ClusterInfo) []api.ClusterNode {
	if c.NumberOfNodes == 1 {
		return []api.ClusterNode{{NodeRole: new("SHARED"), PrivateIPAddress: &f.address}}
	}
	out := []api.ClusterNode{{NodeRole: new("LEADER"), PrivateIPAddress: &f.address}}
	for n := range c.NumberOfNodes {
		out = append(out, api.ClusterNode{NodeRole: new("COMPUTE-" + strconv.Itoa(n)), PrivateIPAddress: &f.address})
	}
	return out
}

func enabled(on bool) string {
	if on {
		return "Enabled"
	}
	return "Disabled"
}
