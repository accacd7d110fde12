package zeroetl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

const (
	namespace  = "arn:aws:redshift:us-east-1:123456789012:namespace:w1"
	bucket     = "arn:aws:s3:::orders"
	unknownARN = "arn:aws:redshift:us-east-1:123456789012:integration:99999999-9999-4999-8999-999999999999"
)

var caller = identity.Caller{Partition: "aws", Account: "123456789012", Region: "us-east-1", ARN: "arn:aws:iam::123456789012:root"}

// world is a Service with everything around it in the hands of the test.
type world struct {
	*zeroetl.Service
	store    *storetest.Memory
	source   func(sourceARN string, kind zeroetl.SourceKind) error
	targets  map[string]bool // warehouse id to available
	notified int
	ids      int
	now      time.Time
}

func (w *world) Check(_ context.Context, sourceARN string, kind zeroetl.SourceKind) error {
	return w.source(sourceARN, kind)
}

func (w *world) Target(_ context.Context, namespaceARN string) (string, bool, error) {
	id := namespaceARN[strings.LastIndexAny(namespaceARN, ":/")+1:]
	available, ok := w.targets[id]
	if !ok {
		return "", false, fault.New(fault.NotFound, "namespace", "there is no namespace %s", namespaceARN)
	}
	return id, available, nil
}

func newWorld(t *testing.T, strict bool) *world {
	w := &world{
		store: storetest.NewMemory(), targets: map[string]bool{"w1": true, "w2": true, "busy": false}, now: time.Unix(1_800_000_000, 0).UTC(),
		source: func(string, zeroetl.SourceKind) error { return nil },
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.Service = zeroetl.NewService(zeroetl.Config{
		Store: w.store, Policies: w.store, Sources: w, Targets: w, Strict: strict,
		Now: func() time.Time { w.now = w.now.Add(time.Second); return w.now },
		NewID: func() string {
			w.ids++
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids)
		},
		Notify: func() { w.notified++ },
	})
	return w
}

func params(n int) zeroetl.CreateParams {
	return zeroetl.CreateParams{Name: fmt.Sprintf("name-%d", n), SourceARN: fmt.Sprintf("arn:aws:s3:::bucket-%d", n), TargetARN: namespace}
}

// create makes an integration and moves it to status.
func (w *world) create(t *testing.T, p zeroetl.CreateParams, status zeroetl.Status) zeroetl.Integration {
	t.Helper()
	i, err := w.Create(t.Context(), caller, p)
	steps := map[zeroetl.Status][]func() error{
		zeroetl.Creating:       nil,
		zeroetl.Active:         {w.activate(i.ID)},
		zeroetl.Failed:         {w.fault(i.ID, zeroetl.Failed)},
		zeroetl.NeedsAttention: {w.activate(i.ID), w.fault(i.ID, zeroetl.NeedsAttention)},
		zeroetl.Modifying: {w.activate(i.ID), func() error {
			_, err := w.Modify(context.Background(), zeroetl.ModifyParams{ARN: i.ARN, Description: new("x")})
			return err
		}},
		zeroetl.Deleting: {w.activate(i.ID), func() error { _, err := w.Delete(context.Background(), i.ARN); return err }},
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps[status] {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if i, err = w.Get(t.Context(), i.ARN); err != nil || i.Status != status {
		t.Fatalf("status %s, %v, want %s", i.Status, err, status)
	}
	return i
}

func (w *world) activate(id string) func() error {
	return func() error { return w.Activated(context.Background(), id) }
}

func (w *world) fault(id string, status zeroetl.Status) func() error {
	return func() error {
		return w.Faulted(context.Background(), id, status, []zeroetl.Problem{{Code: "CODE", Message: "what to do"}})
	}
}

func wants(t *testing.T, err error, kind fault.Kind, subject string) {
	t.Helper()
	if !fault.Is(err, kind, subject) {
		t.Errorf("err = %v, want %v about %q", err, kind, subject)
	}
}

func TestCreate(t *testing.T) {
	w := newWorld(t, false)
	p := zeroetl.CreateParams{
		Name: "orders-to-dev", SourceARN: "arn:aws:s3:us-east-1:123456789012:orders", TargetARN: "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w1",
		Description: "all of them", Tags: []tag.Tag{{Key: "env", Value: "dev"}},
	}
	got, err := w.Create(t.Context(), caller, p)
	if err != nil {
		t.Fatal(err)
	}
	if got.ARN != "arn:aws:redshift:us-east-1:123456789012:integration:00000000-0000-4000-8000-000000000001" || got.ID != "00000000-0000-4000-8000-000000000001" {
		t.Errorf("ARN %s, ID %s", got.ARN, got.ID)
	}
	if got.SourceARN != bucket {
		t.Errorf("source %s, want it without region and account", got.SourceARN)
	}
	if got.TargetARN != p.TargetARN || got.WarehouseID != "w1" {
		t.Errorf("target %s, warehouse %s, want the ARN as given and what it points at", got.TargetARN, got.WarehouseID)
	}
	if got.Status != zeroetl.Creating || got.Kind != zeroetl.SourceS3 || got.Owner != caller.ARN || got.Tags["env"] != "dev" || got.Description != p.Description || got.Created.IsZero() {
		t.Errorf("got %+v", got)
	}
	if w.notified != 1 {
		t.Errorf("notified %d times, want once", w.notified)
	}
	if stored, err := w.Get(t.Context(), got.ARN); err != nil || stored.Name != p.Name {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	table := "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
	for _, tc := range []struct {
		name    string
		change  func(*zeroetl.CreateParams)
		kind    fault.Kind
		subject string
		says    string
	}{
		{"no ARN", func(p *zeroetl.CreateParams) { p.SourceARN = "orders" }, fault.Invalid, zeroetl.SubjectSource, "not an ARN"},
		{"another service's source", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:sqs:us-east-1:123456789012:q" }, fault.Invalid, zeroetl.SubjectSource, "neither"},
		{"an object", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::orders/2026" }, fault.Invalid, zeroetl.SubjectSource, "bucket alone"},
		{"an index", func(p *zeroetl.CreateParams) { p.SourceARN = table + "/index/i" }, fault.Invalid, zeroetl.SubjectSource, "table/name"},
		{"a table without a place", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:dynamodb:::table/orders" }, fault.Invalid, zeroetl.SubjectSource, "region:account"},
		{"another account's source", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:dynamodb:us-east-1:999999999999:table/orders" }, fault.Unsupported, zeroetl.SubjectSource, "across accounts"},
		{"another account's bucket", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3::999999999999:orders" }, fault.Unsupported, zeroetl.SubjectSource, "across accounts"},
		{"another region's source", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders" }, fault.Unsupported, zeroetl.SubjectSource, "across regions"},
		{"another partition", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws-cn:s3:::orders" }, fault.Unsupported, zeroetl.SubjectSource, "partition"},
		{"no target ARN", func(p *zeroetl.CreateParams) { p.TargetARN = "w1" }, fault.Invalid, zeroetl.SubjectTarget, "not an ARN"},
		{"a target that is no namespace", func(p *zeroetl.CreateParams) { p.TargetARN = "arn:aws:redshift:us-east-1:123456789012:cluster:c" }, fault.Invalid, zeroetl.SubjectTarget, "namespace:id"},
		{"another account's target", func(p *zeroetl.CreateParams) { p.TargetARN = "arn:aws:redshift:us-east-1:999999999999:namespace:w1" }, fault.Unsupported, zeroetl.SubjectTarget, "across accounts"},
		{"another region's target", func(p *zeroetl.CreateParams) { p.TargetARN = "arn:aws:redshift:eu-west-1:123456789012:namespace:w1" }, fault.Unsupported, zeroetl.SubjectTarget, "across regions"},
		{"a name with an underscore", func(p *zeroetl.CreateParams) { p.Name = "a_b" }, fault.Invalid, zeroetl.SubjectIntegration, `"a_b"`},
		{"a name that begins with a digit", func(p *zeroetl.CreateParams) { p.Name = "1a" }, fault.Invalid, zeroetl.SubjectIntegration, "letter first"},
		{"a name with two hyphens", func(p *zeroetl.CreateParams) { p.Name = "a--b" }, fault.Invalid, zeroetl.SubjectIntegration, "single hyphens"},
		{"a name that is too long", func(p *zeroetl.CreateParams) { p.Name = strings.Repeat("a", 64) }, fault.Invalid, zeroetl.SubjectIntegration, "1 to 63"},
		{"a description that is too long", func(p *zeroetl.CreateParams) { p.Description = strings.Repeat("ü", 1001) }, fault.Invalid, zeroetl.SubjectIntegration, "1001"},
		{"a reserved tag", func(p *zeroetl.CreateParams) { p.Tags = []tag.Tag{{Key: "aws:x"}} }, fault.Invalid, zeroetl.SubjectTag, "aws:"},
		{"too many tags", func(p *zeroetl.CreateParams) {
			for n := range zeroetl.MaxTags + 1 {
				p.Tags = append(p.Tags, tag.Tag{Key: fmt.Sprint(n)})
			}
		}, fault.Limit, zeroetl.SubjectTagCount, "51"},
		{"a context without a key", func(p *zeroetl.CreateParams) { p.EncryptionContext = map[string]string{"k": "v"} }, fault.Invalid, zeroetl.SubjectEncryption, "give the KMS key"},
		{"a bucket with a key", func(p *zeroetl.CreateParams) { p.KMSKeyID = "k" }, fault.Unsupported, zeroetl.SubjectEncryption, "leave the KMS key out"},
		{"a context that is too large", func(p *zeroetl.CreateParams) {
			p.SourceARN, p.KMSKeyID = table, "k"
			p.EncryptionContext = map[string]string{"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": ""}
		}, fault.Invalid, zeroetl.SubjectEncryption, "at most 6"},
		{"a bucket with a period", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::or.ders" }, fault.Unsupported, zeroetl.SubjectSource, "period"},
		{"an unknown bucket", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::missing" }, fault.NotFound, zeroetl.SubjectSource, "missing"},
		{"an unknown table", func(p *zeroetl.CreateParams) {
			p.SourceARN = "arn:aws:dynamodb:us-east-1:123456789012:table/missing"
		}, fault.NotFound, zeroetl.SubjectSource, "missing"},
		{"a bucket that notifies someone else", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::notifying" }, fault.Conflict, zeroetl.SubjectIntegration, "notifying"},
		{"a source that cannot be reached", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::down" }, fault.Unavailable, "", "down"},
		{"an unknown target", func(p *zeroetl.CreateParams) {
			p.TargetARN = "arn:aws:redshift:us-east-1:123456789012:namespace:none"
		}, fault.NotFound, zeroetl.SubjectTarget, "none"},
		{"an unknown source and target", func(p *zeroetl.CreateParams) {
			p.SourceARN, p.TargetARN = "arn:aws:s3:::missing", "arn:aws:redshift:us-east-1:123456789012:namespace:none"
		}, fault.NotFound, zeroetl.SubjectSource, "missing"},
		{"a target that is not available", func(p *zeroetl.CreateParams) {
			p.TargetARN = "arn:aws:redshift:us-east-1:123456789012:namespace:busy"
		}, fault.State, zeroetl.SubjectTargetState, "not available"},
		{"a name that is taken", func(p *zeroetl.CreateParams) { p.Name = "taken" }, fault.AlreadyExists, zeroetl.SubjectIntegration, `"taken"`},
		{"a pair that is joined", func(p *zeroetl.CreateParams) { p.SourceARN = "arn:aws:s3:::taken" }, fault.AlreadyExists, zeroetl.SubjectIntegration, "already"},
		{"a pair that is joined, in another form", func(p *zeroetl.CreateParams) {
			p.SourceARN, p.TargetARN = "arn:aws:s3:us-east-1::taken", "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w1"
		}, fault.AlreadyExists, zeroetl.SubjectIntegration, "already"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, false)
			w.source = func(sourceARN string, kind zeroetl.SourceKind) error {
				name := sourceARN[strings.LastIndexAny(sourceARN, ":/")+1:]
				switch name {
				case "missing":
					return fault.New(fault.NotFound, "bucket", "there is no bucket or table %q", name)
				case "notifying", "taken":
					return fault.New(fault.Conflict, "bucket", "the bucket %q has a notification", name)
				case "down":
					return fault.New(fault.Unavailable, "bucket", "the bucket %q is down", name)
				}
				return nil
			}
			taken := zeroetl.Integration{ID: "t", Name: "taken", SourceARN: "arn:aws:s3:::taken", WarehouseID: "w1", TargetARN: namespace, Kind: zeroetl.SourceS3, Status: zeroetl.Deleting}
			if err := w.store.IntegrationCreate(t.Context(), taken, 9); err != nil {
				t.Fatal(err)
			}
			p := zeroetl.CreateParams{Name: "fine", SourceARN: bucket, TargetARN: namespace}
			tc.change(&p)
			_, err := w.Create(t.Context(), caller, p)
			wants(t, err, tc.kind, tc.subject)
			if !strings.Contains(fault.Message(err), tc.says) {
				t.Errorf("the message %q does not say %q", fault.Message(err), tc.says)
			}
			if all, err := w.All(t.Context()); err != nil || len(all) != 1 || w.notified != 0 {
				t.Errorf("a refused creation left %v, %v, and notified %d times", all, err, w.notified)
			}
		})
	}
}

func TestCreateQuota(t *testing.T) {
	w := newWorld(t, false)
	for n := range zeroetl.MaxPerTarget {
		w.create(t, params(n), zeroetl.Creating)
	}
	_, err := w.Create(t.Context(), caller, params(99))
	wants(t, err, fault.Limit, zeroetl.SubjectIntegration)
	other := params(99)
	other.TargetARN = "arn:aws:redshift:us-east-1:123456789012:namespace:w2"
	w.create(t, other, zeroetl.Creating)
}

func TestModify(t *testing.T) {
	for _, status := range []zeroetl.Status{zeroetl.Active, zeroetl.NeedsAttention, zeroetl.Failed} {
		w := newWorld(t, false)
		p := params(1)
		p.Description = "old"
		i := w.create(t, p, status)
		w.notified = 0
		got, err := w.Modify(t.Context(), zeroetl.ModifyParams{ARN: i.ARN, Name: new("renamed")})
		if err != nil || got.Status != zeroetl.Modifying || got.Name != "renamed" || got.Description != "old" {
			t.Errorf("%s: got %+v, %v", status, got, err)
		}
		if w.notified != 1 {
			t.Errorf("%s: notified %d times, want once", status, w.notified)
		}
	}
	w := newWorld(t, false)
	p := params(1)
	p.Description = "old"
	i := w.create(t, p, zeroetl.Active)
	w.create(t, params(2), zeroetl.Active)
	for name, tc := range map[string]struct {
		p       zeroetl.ModifyParams
		kind    fault.Kind
		subject string
	}{
		"nothing":      {zeroetl.ModifyParams{ARN: i.ARN}, fault.Invalid, zeroetl.SubjectIntegration},
		"unknown":      {zeroetl.ModifyParams{ARN: unknownARN, Name: new("a")}, fault.NotFound, zeroetl.SubjectIntegration},
		"bad name":     {zeroetl.ModifyParams{ARN: i.ARN, Name: new("")}, fault.Invalid, zeroetl.SubjectIntegration},
		"taken name":   {zeroetl.ModifyParams{ARN: i.ARN, Name: new("name-2")}, fault.AlreadyExists, zeroetl.SubjectIntegration},
		"long text":    {zeroetl.ModifyParams{ARN: i.ARN, Description: new(strings.Repeat("x", 1001))}, fault.Invalid, zeroetl.SubjectIntegration},
		"another ARN":  {zeroetl.ModifyParams{ARN: strings.Replace(i.ARN, "us-east-1", "eu-west-1", 1), Name: new("a")}, fault.NotFound, zeroetl.SubjectIntegration},
		"not even one": {zeroetl.ModifyParams{ARN: "x", Name: new("a")}, fault.NotFound, zeroetl.SubjectIntegration},
	} {
		if _, err := w.Modify(t.Context(), tc.p); !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %q", name, err, tc.kind, tc.subject)
		}
	}
	// Its own name is no other's, and an empty description clears.
	got, err := w.Modify(t.Context(), zeroetl.ModifyParams{ARN: i.ARN, Name: new("name-1"), Description: new("")})
	if err != nil || got.Description != "" || got.Name != "name-1" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestModifyAndDeleteWaitForTheStatus(t *testing.T) {
	for _, status := range []zeroetl.Status{zeroetl.Creating, zeroetl.Modifying, zeroetl.Deleting} {
		w := newWorld(t, false)
		i := w.create(t, params(1), status)
		w.notified = 0
		_, err := w.Modify(t.Context(), zeroetl.ModifyParams{ARN: i.ARN, Name: new("renamed")})
		wants(t, err, fault.State, zeroetl.SubjectIntegration)
		_, err = w.Delete(t.Context(), i.ARN)
		wants(t, err, fault.State, zeroetl.SubjectIntegration)
		if now, err := w.Get(t.Context(), i.ARN); err != nil || now.Name != i.Name || now.Status != status || w.notified != 0 {
			t.Errorf("%s: %+v, %v, notified %d times; want nothing changed", status, now, err, w.notified)
		}
	}
}

func TestDelete(t *testing.T) {
	for _, status := range []zeroetl.Status{zeroetl.Active, zeroetl.NeedsAttention, zeroetl.Failed} {
		w := newWorld(t, false)
		i := w.create(t, params(1), status)
		w.notified = 0
		got, err := w.Delete(t.Context(), i.ARN)
		if err != nil || got.Status != zeroetl.Deleting || w.notified != 1 {
			t.Errorf("%s: %+v, %v, notified %d times", status, got, err, w.notified)
		}
		for range 2 { // the second time it is gone already
			if err := w.Removed(t.Context(), i.ID); err != nil {
				t.Error(err)
			}
		}
		_, err = w.Get(t.Context(), i.ARN)
		wants(t, err, fault.NotFound, zeroetl.SubjectIntegration)
	}
	w := newWorld(t, false)
	_, err := w.Delete(t.Context(), unknownARN)
	wants(t, err, fault.NotFound, zeroetl.SubjectIntegration)
	i := w.create(t, params(1), zeroetl.Active)
	wants(t, w.Removed(t.Context(), i.ID), fault.State, zeroetl.SubjectIntegration)
}

func TestReports(t *testing.T) {
	w := newWorld(t, false)
	i := w.create(t, params(1), zeroetl.NeedsAttention)
	if len(i.Problems) != 1 || i.Problems[0].Code != "CODE" {
		t.Errorf("problems = %v", i.Problems)
	}
	if err := w.Repaired(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if i, _ = w.Get(t.Context(), i.ARN); i.Status != zeroetl.Active || i.Problems != nil {
		t.Errorf("after the repair: %+v", i)
	}
	wants(t, w.Faulted(t.Context(), i.ID, zeroetl.Syncing, nil), fault.Internal, zeroetl.SubjectIntegration)
	wants(t, w.Activated(t.Context(), "none"), fault.NotFound, zeroetl.SubjectIntegration)
}

func TestStoreFailuresPass(t *testing.T) {
	w := newWorld(t, true)
	_ = w.store.Close()
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"create":  func() error { _, err := w.Create(ctx, caller, params(1)); return err },
		"get":     func() error { _, err := w.Get(ctx, unknownARN); return err },
		"list":    func() error { _, err := w.List(ctx, zeroetl.ListParams{}); return err },
		"delete":  func() error { _, err := w.Delete(ctx, unknownARN); return err },
		"removed": func() error { return w.Removed(ctx, "i") },
		"put":     func() error { _, err := w.PutPolicy(ctx, namespace, allowAll); return err },
		"policy":  func() error { _, err := w.GetPolicy(ctx, namespace); return err },
		"tags":    func() error { _, err := w.Tags(ctx, unknownARN); return err },
	} {
		if err := call(); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: err = %v, want Unavailable", name, err)
		}
	}
	if errors.Is(w.Authorized(ctx, zeroetl.Integration{Owner: caller.ARN, WarehouseID: "w1"}), nil) {
		t.Error("authorized without knowing the policy")
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t, false)
	p := params(1)
	p.Tags = []tag.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	i := w.create(t, p, zeroetl.Active)
	if err := w.AddTags(t.Context(), i.ARN, []tag.Tag{{Key: "b", Value: "3"}, {Key: "c", Value: "4"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveTags(t.Context(), i.ARN, []string{"a", "zz"}); err != nil {
		t.Fatal(err)
	}
	tags, err := w.Tags(t.Context(), i.ARN)
	if err != nil || len(tags) != 2 || tags["b"] != "3" || tags["c"] != "4" {
		t.Errorf("tags = %v, %v", tags, err)
	}
	wants(t, w.AddTags(t.Context(), i.ARN, []tag.Tag{{Key: "aws:x"}}), fault.Invalid, zeroetl.SubjectTag)
	wants(t, w.AddTags(t.Context(), unknownARN, []tag.Tag{{Key: "x"}}), fault.NotFound, zeroetl.SubjectResource)
	wants(t, w.RemoveTags(t.Context(), unknownARN, []string{"x"}), fault.NotFound, zeroetl.SubjectResource)
	_, err = w.Tags(t.Context(), unknownARN)
	wants(t, err, fault.NotFound, zeroetl.SubjectResource)
}
