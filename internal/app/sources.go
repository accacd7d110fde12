package app

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/source/s3"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// openObjects opens the embedded buckets, or the way to the configured endpoint.
func (s *server) openObjects(ctx context.Context) (err error) {
	scratch := filepath.Join(s.config.DataDir, "scratch")
	if s.config.S3Endpoint != config.Embedded {
		s.objects, err = s3.NewRemote(ctx, s3.RemoteConfig{Endpoint: endpointURL(s.config.S3Endpoint), Region: s.config.Region, Scratch: scratch, Log: s.log})
		return err
	}
	s.buckets, err = buckets.Open(buckets.Config{
		Dir: filepath.Join(s.config.DataDir, "s3"), Region: s.config.Region, Account: s.config.AccountID, Store: sqlite.NewDocuments[buckets.Kind](s.store, buckets.SubjectDocument),
		Keys: s.bucketKey, Now: s.now, Log: s.log,
		OnArrival: func(a buckets.Arrival) {
			s.supervisor.Arrived(load.File{Bucket: a.Bucket, Key: a.Key, ETag: a.ETag, Size: a.Size, Modified: a.Modified})
		},
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.buckets.Close)
	s.objects, err = s3.NewLocal(s.buckets, scratch)
	return err
}

// openTables opens the embedded tables. Nothing is read from disk until somebody uses one.
func (s *server) openTables() (err error) {
	if s.config.DynamoDBEndpoint != config.Embedded {
		return nil
	}
	c := tables.Config{
		Dir: filepath.Join(s.config.DataDir, "tables"), Region: s.config.Region, Account: s.config.AccountID, Now: s.now, NewID: uuid.NewString, Log: s.log,
		Notify: func(table string) { s.supervisor.TableChanged(table) },
	}
	if s.buckets != nil {
		c.Objects = s.buckets // where exports go
	}
	if s.tables, err = tables.Open(c); err != nil {
		return err
	}
	s.closers = append(s.closers, s.tables.Close)
	return nil
}

// endpointURL is a setting as the SDK wants it: empty for AWS's own resolution.
func endpointURL(setting string) string {
	if setting == config.AWS {
		return ""
	}
	return setting
}

// readDirs is where warehouses may read load files: nowhere but the directories they are put ready in.
func (s *server) readDirs() []string {
	return []string{filepath.Join(s.config.DataDir, "scratch"), s.runsDir()}
}

func (s *server) bucketKey(accessKeyID string) (string, bool) {
	secret, _, err := s.accounts.Lookup(context.Background(), accessKeyID) //nolint:forbidigo // the lookup is in memory and its caller has no context
	return secret.Reveal(), err == nil
}

// sources answers whether an integration can be made from a source.
type sources struct{ *server }

// Check is zeroetl.Sources.
func (s sources) Check(ctx context.Context, sourceARN string, kind zeroetl.SourceKind) error {
	if kind == zeroetl.SourceDynamoDB {
		return s.sources.check(ctx, sourceARN[strings.LastIndexByte(sourceARN, '/')+1:])
	}
	bucket := strings.TrimPrefix(sourceARN, "arn:aws:s3:::")
	if s.buckets == nil {
		return s.objects.CheckBucket(ctx, bucket)
	}
	n, err := s.buckets.Notification(ctx, bucket)
	if err != nil {
		return err
	}
	for _, t := range n.Targets {
		if t.Created() && !t.OfIntegration() { // other warehouses may be fed from here too
			return fault.New(fault.Conflict, zeroetl.SubjectSource, "the bucket %s already notifies %s of created objects (configuration %q); remove that notification and try again", bucket, t.ARN, t.ID)
		}
	}
	if s.config.StrictPolicies {
		return s.bucketPolicyAllows(ctx, bucket)
	}
	return nil
}

// bucketPolicyAllows checks that the bucket's policy lets Redshift manage its notifications, as AWS demands.
func (s sources) bucketPolicyAllows(ctx context.Context, bucket string) error {
	text, err := s.buckets.Policy(ctx, bucket)
	if err != nil {
		return err
	}
	var policy struct {
		Statement []struct {
			Effect    string
			Principal json.RawMessage
			Action    json.RawMessage
		}
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &policy); err != nil {
			return fault.Wrap(err, fault.Denied, zeroetl.SubjectSource, "the policy of bucket %s cannot be read as statements", bucket)
		}
	}
	for _, action := range []string{"s3:GetBucketNotification", "s3:PutBucketNotification", "s3:GetBucketLocation"} {
		allowed := false
		for _, st := range policy.Statement {
			if st.Effect == "Allow" && strings.Contains(string(st.Principal), "redshift.amazonaws.com") && names(st.Action, action) {
				allowed = true
			}
		}
		if !allowed {
			return fault.New(fault.Denied, zeroetl.SubjectSource, "the policy of bucket %s does not allow redshift.amazonaws.com to %s; put a bucket policy that does, or run without --strict-policies", bucket, action)
		}
	}
	return nil
}

// names reports whether a policy's Action, a text or a list of them, covers the action.
func names(raw json.RawMessage, action string) bool {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(raw, &many) != nil {
		return false
	}
	for _, pattern := range many {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if strings.EqualFold(pattern, action) || wild && len(action) >= len(prefix) && strings.EqualFold(action[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// channels joins buckets to integrations.
type channels struct{ *server }

// targetID is the id of an integration's entry in its bucket's notification configuration.
func targetID(integrationID string) string { return buckets.IntegrationPrefix + integrationID }

// Open is supervise.Channels. Buckets elsewhere are learnt of by listing and by word to the events endpoint.
func (c channels) Open(ctx context.Context, bucket, integrationID string) error {
	if c.buckets == nil {
		return c.objects.CheckBucket(ctx, bucket)
	}
	return c.buckets.AddTarget(ctx, bucket, buckets.Target{
		Destination: buckets.Queue, ID: targetID(integrationID), Events: []string{buckets.EventCreated},
		ARN: fmt.Sprintf("arn:aws:sqs:%s:%s:redshift-integration-%s", c.config.Region, c.config.AccountID, integrationID),
	})
}

// Close is supervise.Channels.
func (c channels) Close(ctx context.Context, bucket, integrationID string) error {
	if c.buckets == nil {
		return nil
	}
	return c.buckets.RemoveTarget(ctx, bucket, targetID(integrationID))
}

// Check is supervise.Channels.
func (c channels) Check(ctx context.Context, bucket, integrationID string) error {
	if c.buckets == nil {
		return c.objects.CheckBucket(ctx, bucket)
	}
	n, err := c.buckets.Notification(ctx, bucket)
	if err != nil {
		return err
	}
	if t, ok := n.Find(targetID(integrationID)); !ok || !t.Created() {
		return fault.New(fault.NotFound, "notification", "bucket %s has no notification for integration %s", bucket, integrationID)
	}
	return nil
}

// Admits is supervise.Channels.
func (c channels) Admits(bucket, integrationID, key string) bool {
	if c.buckets == nil {
		return true
	}
	//nolint:forbidigo // asked per file by loaders; the configuration is in memory
	ok, err := c.buckets.Matches(context.Background(), bucket, key, targetID(integrationID))
	return err == nil && ok
}
