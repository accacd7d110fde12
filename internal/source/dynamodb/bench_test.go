package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/source/dynamodb"
	"github.com/penstock-io/penstock/internal/source/sourcetest"
)

// overPages is a source over a server of pre-rendered pages in this process.
func overPages(b testing.TB, c sourcetest.PagesConfig, segments int) (*sourcetest.Pages, *dynamodb.Source) {
	pages := sourcetest.NewPages(c)
	server := httptest.NewServer(pages)
	transport := dynamodb.NewTransport()
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	src, err := dynamodb.New(dynamodb.Config{
		Table: c.Table, Endpoint: server.URL, Region: "us-east-1", Credentials: access.Fixed("us-east-1", "k", secret.NewText("s")), Transport: transport,
		Local: true, Segments: segments, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return pages, src
}

// TestPages: what the benchmarks read is what they think it is.
func TestPages(t *testing.T) {
	const items, changes, keys = 3000, 5000, 600
	pages, src := overPages(t, sourcetest.PagesConfig{Table: "pages", Items: items, Changes: changes, Keys: keys, PageBytes: 100 << 10}, 3)
	from, err := src.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = src.Snapshot(t.Context(), nil, func(_ context.Context, page change.Page) error {
		for _, row := range page.Rows {
			var item map[string]any
			if err := json.Unmarshal(row.Doc, &item); err != nil || len(item) != 12 || len(row.Doc) < 1000 || len(row.Doc) > 1100 {
				t.Errorf("item %s: %v", row.Doc, err)
			}
			seen[row.Keys[0]] = true
		}
		return nil
	})
	if err != nil || len(seen) != items || !seen["item-0000002999"] {
		t.Errorf("%d items came, %v", len(seen), err)
	}
	pages.Flow()
	clear(seen)
	enough := errors.New("enough")
	rows, deleted := 0, 0
	err = src.Stream(t.Context(), from, func(_ context.Context, page change.Page) error {
		for _, row := range page.Rows {
			if rows++; row.Doc == nil {
				deleted++
			}
			seen[row.Keys[0]] = true
		}
		if rows == changes {
			return enough
		}
		return nil
	}, func(context.Context, time.Time) error { return nil })
	if !errors.Is(err, enough) || len(seen) < keys*9/10 || len(seen) > keys || deleted < changes/20 || deleted > changes/7 {
		t.Errorf("%d changes of %d keys came, %d of them deletes, %v", rows, len(seen), deleted, err)
	}
}

// BenchmarkSnapshot reads and drops items of 1 KB with 12 attributes. Server and source share the processors.
func BenchmarkSnapshot(b *testing.B) {
	const items = 200_000
	for _, segments := range []int{1, 4} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			_, src := overPages(b, sourcetest.PagesConfig{Table: "bench", Items: items}, segments)
			b.ReportAllocs()
			bytes, pages := 0, 0
			for b.Loop() {
				rows := 0
				err := src.Snapshot(b.Context(), nil, func(_ context.Context, page change.Page) error {
					rows += len(page.Rows)
					bytes += page.Bytes
					pages++
					return nil
				})
				if err != nil || rows != items {
					b.Fatalf("%d rows, %v", rows, err)
				}
			}
			b.ReportMetric(float64(items*b.N)/b.Elapsed().Seconds(), "items/s")
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(pages)/float64(b.N), "pages/op")
		})
	}
}

// BenchmarkStream reads and drops a backlog of changes.
func BenchmarkStream(b *testing.B) {
	const changes = 200_000
	pages, src := overPages(b, sourcetest.PagesConfig{Table: "bench", Changes: changes, Keys: 60_000}, 4)
	from, err := src.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	pages.Flow()
	enough := errors.New("enough")
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		err := src.Stream(b.Context(), from, func(_ context.Context, page change.Page) error {
			if rows += len(page.Rows); rows == changes {
				return enough
			}
			return nil
		}, func(context.Context, time.Time) error { return nil })
		if !errors.Is(err, enough) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(changes*b.N)/b.Elapsed().Seconds(), "changes/s")
}
