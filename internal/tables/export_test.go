package tables_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables"
)

// bucket is a bucket in memory; it fails when it is full.
type bucket struct {
	objects map[string][]byte
	room    int
}

func (b *bucket) Put(_ context.Context, name, key string, body io.Reader, size int64) error {
	data, err := io.ReadAll(body)
	if err != nil || int64(len(data)) != size {
		return fmt.Errorf("%d bytes of %d: %w", len(data), size, err)
	}
	if b.room--; b.room < 0 {
		return fault.New(fault.NotFound, "bucket", "there is no bucket %q", name)
	}
	b.objects[key] = data
	return nil
}

func TestExport(t *testing.T) {
	store := &bucket{objects: map[string][]byte{}, room: 1000}
	config := tables.Config{Dir: t.TempDir(), Region: "us-east-1", Account: "123456789012", Now: time.Now, NewID: uuid.NewString, Log: slog.New(slog.DiscardHandler), Objects: store}
	db, err := tables.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	arn := create(t, db, spec("orders", "")).ARN
	want := model{}
	for i := range 700 { // two files
		text := fmt.Sprintf(`{"pad":{"S":"%s"},"pk":{"S":"p%d"},"sk":{"N":"1"}}`, strings.Repeat("x", 30_000), i)
		put(t, db, "orders", text)
		want[fmt.Sprint(i)] = text
	}
	in := tables.ExportSpec{Table: arn, Bucket: "backups", Prefix: "daily/", Token: "once"}
	if _, err := db.StartExport(ctx, in); !fault.Is(err, fault.State, tables.SubjectBackups) {
		t.Errorf("exporting without recovery: %v", err)
	}
	if _, err := db.SetRecovery(ctx, "orders", true, 0); err != nil {
		t.Fatal(err)
	}
	old := in
	old.Time = time.Now().Add(-time.Hour).UnixMilli()
	if _, err := db.StartExport(ctx, old); !fault.Is(err, fault.Invalid, tables.SubjectExportTime) {
		t.Errorf("exporting the past: %v", err)
	}
	x, err := db.StartExport(ctx, in)
	if err != nil || x.Status != tables.ExportInProgress {
		t.Fatalf("%+v, %v", x, err)
	}
	if again, err := db.StartExport(ctx, in); err != nil || again.ARN != x.ARN {
		t.Errorf("the same token: %+v, %v", again, err)
	}
	other := in
	other.Bucket = "other"
	if _, err := db.StartExport(ctx, other); !fault.Is(err, fault.Conflict, tables.SubjectExport) {
		t.Errorf("the token for another export: %v", err)
	}
	closing(t, db) // the work survives a restart
	if db, err = tables.Open(config); err != nil {
		t.Fatal(err)
	}
	defer closing(t, db)
	if err := db.DoExports(ctx); err != nil {
		t.Fatal(err)
	}
	if x, err = db.DescribeExport(ctx, x.ARN); err != nil || x.Status != tables.ExportCompleted || x.Items != 700 {
		t.Fatalf("%+v, %v", x, err)
	}
	var summary struct {
		ManifestFilesS3Key string
		ItemCount          int
	}
	if err := json.Unmarshal(store.objects[x.Manifest], &summary); err != nil || summary.ItemCount != 700 {
		t.Fatalf("the summary at %s is %s, %v", x.Manifest, store.objects[x.Manifest], err)
	}
	sum := md5.Sum(store.objects[x.Manifest])
	if got := store.objects[strings.TrimSuffix(x.Manifest, "json")+"md5"]; string(got) != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("the checksum of the summary is %s", got)
	}
	got, files := model{}, 0
	for line := range bytes.Lines(store.objects[summary.ManifestFilesS3Key]) {
		var f struct{ DataFileS3Key string }
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		files++
		zip, err := gzip.NewReader(bytes.NewReader(store.objects[f.DataFileS3Key]))
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewScanner(zip)
		r.Buffer(nil, 1<<20)
		for r.Scan() {
			text := strings.TrimSuffix(strings.TrimPrefix(r.Text(), `{"Item":`), "}")
			got[parse(t, text).Get("pk").Text[1:]] = text
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if files != 2 || !maps.Equal(got, want) {
		t.Errorf("%d files with %d items, want 2 with %d", files, len(got), len(want))
	}

	store.room = 1
	in.Token = "twice"
	x, err = db.StartExport(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DoExports(ctx); err != nil {
		t.Fatal(err)
	}
	if x, err = db.DescribeExport(ctx, x.ARN); err != nil || x.Status != tables.ExportFailed || x.Failure != `there is no bucket "backups"` {
		t.Errorf("an export into nowhere: %+v, %v", x, err)
	}
	if list, more, err := db.ListExports(ctx, arn, "", 1); err != nil || len(list) != 1 || !more {
		t.Errorf("%+v, %v, %v", list, more, err)
	}
}
