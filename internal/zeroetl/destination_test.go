package zeroetl_test

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func ptr[T any](v T) *T { return &v }

// destinations is a service over one integration of a table and one of a bucket.
func destinations(t *testing.T, status zeroetl.Status) (*zeroetl.Service, *int) {
	t.Helper()
	memory := storetest.NewMemory()
	for _, i := range []zeroetl.Integration{
		{ID: "table", ARN: "arn:table", Name: "table", SourceARN: "arn:1", WarehouseID: "w", Kind: zeroetl.SourceDynamoDB, Status: status},
		{ID: "bucket", ARN: "arn:bucket", Name: "bucket", SourceARN: "arn:2", WarehouseID: "w", Kind: zeroetl.SourceS3, Status: zeroetl.Active},
	} {
		if err := memory.IntegrationCreate(t.Context(), i, 0); err != nil {
			t.Fatal(err)
		}
	}
	notified := new(int)
	return zeroetl.NewService(zeroetl.Config{Store: memory, Policies: memory, Now: func() time.Time { return time.Unix(1000, 0) }, Notify: func() { *notified++ }}), notified
}

func TestConnect(t *testing.T) {
	s, notified := destinations(t, zeroetl.Active)
	ctx := t.Context()
	for name, tc := range map[string]struct {
		id, warehouse string
		options       zeroetl.DestinationOptions
		kind          fault.Kind
	}{
		"unknown integration": {"none", "w", zeroetl.DestinationOptions{}, fault.NotFound},
		"files":               {"bucket", "w", zeroetl.DestinationOptions{}, fault.Unsupported},
		"elsewhere":           {"table", "v", zeroetl.DestinationOptions{}, fault.Invalid},
		"interval too short":  {"table", "w", zeroetl.DestinationOptions{RefreshInterval: ptr(899)}, fault.Invalid},
		"interval too long":   {"table", "w", zeroetl.DestinationOptions{RefreshInterval: ptr(432_001)}, fault.Invalid},
		"interval below zero": {"table", "w", zeroetl.DestinationOptions{RefreshInterval: ptr(-1)}, fault.Invalid},
	} {
		if err := s.CheckDestination(ctx, tc.id, tc.warehouse, "db", "s1", tc.options); fault.KindOf(err) != tc.kind {
			t.Errorf("%s: CheckDestination = %v", name, err)
		}
		if err := s.Connect(ctx, tc.id, tc.warehouse, "db", "s1", tc.options); fault.KindOf(err) != tc.kind {
			t.Errorf("%s: Connect = %v", name, err)
		}
	}
	if *notified != 0 {
		t.Error("refusals woke supervise")
	}
	options := zeroetl.DestinationOptions{QueryAllStates: ptr(true), RefreshInterval: ptr(0)}
	for range 2 { // the second time the statement runs again after a crash
		if err := s.CheckDestination(ctx, "table", "w", "db", "s1", options); err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(ctx, "table", "w", "db", "s1", options); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Connect(ctx, "table", "w", "db", "s2", options); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("a second database: %v", err)
	}
	i, ok, err := s.ByDatabase(ctx, "w", "db")
	if err != nil || !ok || i.ID != "table" || !i.Destination.QueryAllStates || !i.Destination.Created.Equal(time.Unix(1000, 0)) {
		t.Errorf("%+v, %t, %v", i, ok, err)
	}
	if _, ok, _ := s.ByDatabase(ctx, "w", ""); ok {
		t.Error("no name found something")
	}
}

func TestConnectNeedsAWorkingIntegration(t *testing.T) {
	for status, want := range map[zeroetl.Status]bool{
		zeroetl.Creating: false, zeroetl.Active: true, zeroetl.Modifying: false, zeroetl.Failed: false, zeroetl.Deleting: false, zeroetl.NeedsAttention: true,
	} {
		s, _ := destinations(t, status)
		err := s.Connect(t.Context(), "table", "w", "db", "s", zeroetl.DestinationOptions{})
		if want != (err == nil) || err != nil && fault.KindOf(err) != fault.State {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestDestinationLife(t *testing.T) {
	s, notified := destinations(t, zeroetl.Active)
	ctx := t.Context()
	for name, do := range map[string]func() error{
		"configure": func() error { return s.Configure(ctx, "w", "db", zeroetl.DestinationOptions{}) },
		"refresh":   func() error { return s.RequestRefresh(ctx, "w", "db") },
	} {
		if err := do(); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s of an ordinary database: %v", name, err)
		}
	}
	if err := s.Disconnect(ctx, "w", "db"); err != nil {
		t.Errorf("dropping an ordinary database: %v", err)
	}
	if err := s.Renamed(ctx, "w", "db", "x"); err != nil {
		t.Errorf("renaming an ordinary database: %v", err)
	}
	if err := s.Connect(ctx, "table", "w", "db", "s", zeroetl.DestinationOptions{}); err != nil {
		t.Fatal(err)
	}
	before := *notified
	if err := s.Configure(ctx, "w", "db", zeroetl.DestinationOptions{TruncateColumns: ptr(true), RefreshInterval: ptr(900)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(ctx, "w", "db", zeroetl.DestinationOptions{RefreshInterval: ptr(5)}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("bad option: %v", err)
	}
	for range 2 {
		if err := s.RequestRefresh(ctx, "w", "db"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Refreshed(ctx, "table", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Refreshed(ctx, "table", 9); err != nil { // more than were asked for
		t.Fatal(err)
	}
	if err := s.Renamed(ctx, "w", "db", "other"); err != nil {
		t.Fatal(err)
	}
	i, ok, err := s.ByDatabase(ctx, "w", "other")
	if d := i.Destination; err != nil || !ok || !d.TruncateColumns || d.RefreshInterval != 900 || d.Refreshes != 2 || d.RefreshesDone != 2 {
		t.Errorf("%+v, %t, %v", i.Destination, ok, err)
	}
	if *notified != before+4 {
		t.Errorf("woken %d times", *notified-before)
	}
	if err := s.Disconnect(ctx, "w", "other"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.ByDatabase(ctx, "w", "other"); ok {
		t.Error("a dropped database is still a destination")
	}
	if err := s.Connect(ctx, "table", "w", "again", "s", zeroetl.DestinationOptions{}); err != nil {
		t.Errorf("after the drop: %v", err)
	}
}
