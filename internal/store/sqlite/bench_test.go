package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func fullIntegration(n int) zeroetl.Integration {
	return zeroetl.Integration{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), ARN: fmt.Sprintf("arn:aws:redshift:us-east-1:123456789012:integration:00000000-0000-4000-8000-%012d", n),
		Name: fmt.Sprintf("integration-%d", n), SourceARN: fmt.Sprintf("arn:aws:s3:::bucket-%d", n), WarehouseID: fmt.Sprint("w", n%4),
		TargetARN: "arn:aws:redshift:us-east-1:123456789012:namespace:00000000-0000-4000-8000-000000000000", Kind: zeroetl.SourceS3, Status: zeroetl.Active,
		Description: "a description", Tags: map[string]string{"env": "dev"}, Owner: "arn:aws:iam::123456789012:root", Created: time.Unix(int64(n), 0).UTC(),
	}
}

func openBench(b *testing.B) *DB {
	b.Helper()
	db, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// The server must answer its first request within 150 ms of its start; this is the store's part of it.
func BenchmarkOpen(b *testing.B) {
	b.Run("new", func(b *testing.B) {
		dir := b.TempDir()
		for n := range b.N {
			db, err := Open(b.Context(), filepath.Join(dir, fmt.Sprint(n)))
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			_ = db.Close()
			b.StartTimer()
		}
	})
	b.Run("existing", func(b *testing.B) {
		dir := b.TempDir()
		for n := range b.N + 1 {
			db, err := Open(b.Context(), dir)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if n == 0 {
				for k := range 100 {
					if err := db.Integrations().IntegrationCreate(b.Context(), fullIntegration(k), 1000); err != nil {
						b.Fatal(err)
					}
				}
			}
			_ = db.Close()
			if n == 0 {
				b.ResetTimer()
			}
			b.StartTimer()
		}
	})
}

func BenchmarkIntegrationList(b *testing.B) {
	db := openBench(b)
	for n := range 100 {
		if err := db.Integrations().IntegrationCreate(b.Context(), fullIntegration(n), 1000); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if list, err := db.Integrations().IntegrationList(b.Context()); err != nil || len(list) != 100 {
					b.Error(len(list), err)
				}
			}
		})
	})
	service := zeroetl.NewService(zeroetl.Config{Store: db.Integrations()})
	for name, p := range map[string]zeroetl.ListParams{
		"service":          {},
		"service filtered": {Filters: []zeroetl.Filter{{Name: zeroetl.FilterStatus, Values: []string{"active"}}}},
		"service by ARN":   {ARN: fullIntegration(50).ARN},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if page, err := service.List(b.Context(), p); err != nil || len(page.Integrations) == 0 {
						b.Error(len(page.Integrations), err)
					}
				}
			})
		})
	}
}

func BenchmarkJobUpdate(b *testing.B) {
	db := openBench(b)
	j, err := db.Jobs().JobCreate(b.Context(), someJob(1), 9)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := db.Jobs().JobUpdate(b.Context(), j.Key(), func(j *copyjob.Job) error { j.Runs++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJobList(b *testing.B) {
	db := openBench(b)
	for n := range 20 {
		if _, err := db.Jobs().JobCreate(b.Context(), someJob(n), 99); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := db.Jobs().JobList(b.Context(), "w"); err != nil {
			b.Fatal(err)
		}
	}
}

// A statement of one part from its submission to the first page of its result.
func BenchmarkStatement(b *testing.B) {
	s := openBench(b).Statements()
	n := 0
	for b.Loop() {
		n++
		st := statements.Statement{
			ID: fmt.Sprint("statement-", n), WarehouseID: "w", Status: statements.Submitted, Created: time.Unix(int64(n), 0),
			Subs: []statements.Sub{{SQL: "select 1", Status: statements.Submitted}},
		}
		if _, _, err := s.StatementCreate(b.Context(), st, 500); err != nil {
			b.Fatal(err)
		}
		for _, status := range []statements.Status{statements.Picked, statements.Started, statements.Finished} {
			if _, err := s.StatementUpdate(b.Context(), st.ID, func(st *statements.Statement) error {
				st.Status, st.Subs[0].Status = status, status
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := s.StatementGet(b.Context(), st.ID); err != nil {
			b.Fatal(err)
		}
	}
}
