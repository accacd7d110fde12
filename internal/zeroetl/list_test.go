package zeroetl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func names(p zeroetl.Page) (out []string) {
	for _, i := range p.Integrations {
		out = append(out, i.Name)
	}
	return out
}

func TestListFilters(t *testing.T) {
	w := newWorld(t, false)
	a := w.create(t, params(1), zeroetl.Active)
	b := w.create(t, params(2), zeroetl.Failed)
	c := params(3)
	c.TargetARN = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w2"
	w.create(t, c, zeroetl.Active)
	table := zeroetl.Integration{ID: "d", ARN: "arn:aws:redshift:us-east-1:123456789012:integration:d", Name: "table", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Syncing, SourceARN: "arn:aws:dynamodb:us-east-1:123456789012:table/t", WarehouseID: "w1", Created: w.now.Add(1e9)}
	if err := w.store.IntegrationCreate(t.Context(), table, 9); err != nil {
		t.Fatal(err)
	}
	f := func(name string, values ...string) zeroetl.Filter { return zeroetl.Filter{Name: name, Values: values} }
	for _, tc := range []struct {
		name string
		p    zeroetl.ListParams
		want []string
	}{
		{"everything, oldest first", zeroetl.ListParams{}, []string{"name-1", "name-2", "name-3", "table"}},
		{"an ARN", zeroetl.ListParams{ARN: b.ARN}, []string{"name-2"}},
		{"an ARN that the filter excludes", zeroetl.ListParams{ARN: b.ARN, Filters: []zeroetl.Filter{f("status", "active")}}, nil},
		{"a status", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "active")}}, []string{"name-1", "name-3"}},
		{"either status", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "failed", "syncing")}}, []string{"name-2", "table"}},
		{"no such status now", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "deleting")}}, nil},
		{"a source", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-arn", a.SourceARN)}}, []string{"name-1"}},
		{"a source in a longer form", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-arn", "arn:aws:s3:us-east-1:123456789012:bucket-1")}}, []string{"name-1"}},
		{"buckets", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-types", "s3-event-notifications")}}, []string{"name-1", "name-2", "name-3"}},
		{"tables", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-types", "dynamodb")}}, []string{"table"}},
		{"ARNs", zeroetl.ListParams{Filters: []zeroetl.Filter{f("integration-arn", b.ARN, table.ARN, unknownARN)}}, []string{"name-2", "table"}},
		{"both filters", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "active"), f("source-arn", a.SourceARN, b.SourceARN)}}, []string{"name-1"}},
		{"one filter twice", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "active"), f("status", "failed")}}, nil},
	} {
		got, err := w.List(t.Context(), tc.p)
		if err != nil || !slices.Equal(names(got), tc.want) || got.Marker != "" {
			t.Errorf("%s: got %v, marker %q, %v, want %v", tc.name, names(got), got.Marker, err, tc.want)
		}
	}
	for _, tc := range []struct {
		name    string
		p       zeroetl.ListParams
		kind    fault.Kind
		subject string
	}{
		{"an unknown ARN", zeroetl.ListParams{ARN: unknownARN}, fault.NotFound, zeroetl.SubjectIntegration},
		{"an unknown filter", zeroetl.ListParams{Filters: []zeroetl.Filter{f("colour", "red")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"an unknown status", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status", "Active")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"an unknown source type", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-types", "s3")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"a source that is no ARN", zeroetl.ListParams{Filters: []zeroetl.Filter{f("source-arn", "orders")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"an integration that is no ARN", zeroetl.ListParams{Filters: []zeroetl.Filter{f("integration-arn", "orders")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"no values", zeroetl.ListParams{Filters: []zeroetl.Filter{f("status")}}, fault.Invalid, zeroetl.SubjectFilter},
		{"too few records", zeroetl.ListParams{MaxRecords: new(19)}, fault.Invalid, page.SubjectSize},
		{"too many records", zeroetl.ListParams{MaxRecords: new(101)}, fault.Invalid, page.SubjectSize},
		{"a marker of nobody's", zeroetl.ListParams{Marker: "zzz"}, fault.Invalid, page.SubjectMarker},
		{"a marker of another list", zeroetl.ListParams{Marker: page.Marker("inbound", "0", "a")}, fault.Invalid, page.SubjectMarker},
		{"a marker with a bad time", zeroetl.ListParams{Marker: page.Marker("integrations", "!", "a")}, fault.Invalid, page.SubjectMarker},
	} {
		_, err := w.List(t.Context(), tc.p)
		if !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %q", tc.name, err, tc.kind, tc.subject)
		}
	}
}

func TestListPages(t *testing.T) {
	w := newWorld(t, false)
	for n := range 45 {
		w.create(t, params(n), zeroetl.Active)
	}
	var got []string
	p := zeroetl.ListParams{MaxRecords: new(20)}
	for range 3 {
		part, err := w.List(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, names(part)...)
		p.Marker = part.Marker
	}
	if len(got) != 45 || got[0] != "name-0" || got[44] != "name-44" || p.Marker != "" {
		t.Errorf("%d names in three pages, the last marker is %q: %v", len(got), p.Marker, got)
	}
	// A page that is exactly full is the last one, with a filter or without.
	for _, filters := range [][]zeroetl.Filter{nil, {{Name: "status", Values: []string{"active"}}}} {
		part, err := w.List(t.Context(), zeroetl.ListParams{MaxRecords: new(45), Filters: filters})
		if err != nil || len(part.Integrations) != 45 || part.Marker != "" {
			t.Errorf("%d names, marker %q, %v", len(part.Integrations), part.Marker, err)
		}
	}
}

// Between two pages the integration that ended the first one is deleted and another is created.
func TestListPagesAreStable(t *testing.T) {
	w := newWorld(t, false)
	var all []zeroetl.Integration
	for n := range 30 {
		all = append(all, w.create(t, params(n), zeroetl.Active))
	}
	filter := []zeroetl.Filter{{Name: "status", Values: []string{"active"}}}
	first, err := w.List(t.Context(), zeroetl.ListParams{MaxRecords: new(20), Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 19, 20} {
		if err := w.store.IntegrationDelete(t.Context(), all[n].ID); err != nil {
			t.Fatal(err)
		}
	}
	w.create(t, params(30), zeroetl.Active)
	second, err := w.List(t.Context(), zeroetl.ListParams{MaxRecords: new(20), Filters: filter, Marker: first.Marker})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for n := 21; n <= 30; n++ {
		want = append(want, fmt.Sprintf("name-%d", n))
	}
	if !slices.Equal(names(second), want) {
		t.Errorf("the second page has %v, want %v", names(second), want)
	}
}

func TestInbound(t *testing.T) {
	w := newWorld(t, false)
	a := w.create(t, params(1), zeroetl.Active)
	other := params(2)
	other.TargetARN = "arn:aws:redshift:us-east-1:123456789012:namespace:w2"
	b := w.create(t, other, zeroetl.Active)
	for _, tc := range []struct {
		p    zeroetl.InboundParams
		want []string
	}{
		{zeroetl.InboundParams{}, []string{"name-1", "name-2"}},
		{zeroetl.InboundParams{TargetARN: namespace}, []string{"name-1"}},
		{zeroetl.InboundParams{TargetARN: "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/w1"}, []string{"name-1"}},
		{zeroetl.InboundParams{ARN: b.ARN}, []string{"name-2"}},
		{zeroetl.InboundParams{ARN: b.ARN, TargetARN: namespace}, nil},
		{zeroetl.InboundParams{ARN: a.ARN, TargetARN: namespace}, []string{"name-1"}},
	} {
		got, err := w.Inbound(t.Context(), tc.p)
		if err != nil || !slices.Equal(names(got), tc.want) {
			t.Errorf("%+v: got %v, %v, want %v", tc.p, names(got), err, tc.want)
		}
	}
	_, err := w.Inbound(t.Context(), zeroetl.InboundParams{TargetARN: strings.Replace(namespace, "w1", "none", 1)})
	wants(t, err, fault.NotFound, zeroetl.SubjectTarget)
	_, err = w.Inbound(t.Context(), zeroetl.InboundParams{ARN: unknownARN})
	wants(t, err, fault.NotFound, zeroetl.SubjectIntegration)
	_, err = w.Inbound(t.Context(), zeroetl.InboundParams{MaxRecords: new(5)})
	wants(t, err, fault.Invalid, page.SubjectSize)
}
