package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// JobStore is both stores of package copyjob.
type JobStore interface {
	copyjob.Store
	copyjob.MessageStore
}

func job(warehouse, database, name string) copyjob.Job {
	return copyjob.Job{Name: name, WarehouseID: warehouse, Table: load.Table{Database: database, Schema: "public", Name: "t"}, Created: at(0)}
}

// Jobs tests a copyjob.Store together with its copyjob.MessageStore.
func Jobs(t *testing.T, open Open[JobStore]) {
	const subject = copyjob.SubjectJob
	create := func(t *testing.T, s JobStore, j copyjob.Job) copyjob.Job {
		t.Helper()
		j, err := s.JobCreate(t.Context(), j, 99)
		must(t, err)
		return j
	}
	t.Run("every field survives a restart", func(t *testing.T) {
		a, b := Full[copyjob.Job](0), Full[copyjob.Job](1000)
		b.Spec.Columns = nil
		s := reopened(t, open, func(s JobStore) { a, b = create(t, s, a), create(t, s, b) })
		list, err := s.JobList(t.Context(), "")
		must(t, err)
		if len(list) != 2 {
			t.Fatalf("%d jobs, want 2", len(list))
		}
		same(t, list[0], a)
		same(t, list[1], b)
	})
	t.Run("create", func(t *testing.T) {
		s := fresh(t, open)
		first := create(t, s, job("w", "dev", "a"))
		_, err := s.JobCreate(t.Context(), job("w", "dev", "a"), 9)
		wants(t, err, fault.AlreadyExists, subject)
		create(t, s, job("w", "other", "a")) // a name is unique in its database
		create(t, s, job("w2", "dev", "a"))
		_, err = s.JobCreate(t.Context(), job("w", "dev", "b"), 2)
		wants(t, err, fault.Limit, subject)
		if first.ID <= 0 {
			t.Errorf("the ID is %d, want above 0", first.ID)
		}
	})
	t.Run("IDs are never used again", func(t *testing.T) {
		var last int64
		s := reopened(t, open, func(s JobStore) {
			last = create(t, s, job("w", "dev", "a")).ID
			_, err := s.JobDelete(t.Context(), job("w", "dev", "a").Key())
			must(t, err)
		})
		if id := create(t, s, job("w", "dev", "a")).ID; id <= last {
			t.Errorf("the ID %d came after %d", id, last)
		}
	})
	t.Run("list is of a warehouse and by ID", func(t *testing.T) {
		s := fresh(t, open)
		b, a, x := create(t, s, job("w", "dev", "b")), create(t, s, job("w", "dev", "a")), create(t, s, job("x", "dev", "a"))
		list, err := s.JobList(t.Context(), "w")
		must(t, err)
		same(t, list, []copyjob.Job{b, a})
		list, err = s.JobList(t.Context(), "")
		must(t, err)
		same(t, list, []copyjob.Job{b, a, x})
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		want := create(t, s, job("w", "dev", "a"))
		got, err := s.JobUpdate(t.Context(), want.Key(), func(j *copyjob.Job) error {
			j.Auto, j.Runs, j.RunError = true, 3, "why"
			j.ID, j.Name, j.WarehouseID, j.Table.Database, j.Created = 99, "x", "x", "x", at(9)
			return nil
		})
		must(t, err)
		want.Auto, want.Runs, want.RunError = true, 3, "why"
		same(t, got, want)
		_, err = s.JobUpdate(t.Context(), want.Key(), func(j *copyjob.Job) error {
			j.Auto = false
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		list, err := s.JobList(t.Context(), "w")
		must(t, err)
		same(t, list, []copyjob.Job{want})
		_, err = s.JobUpdate(t.Context(), job("w", "dev", "zz").Key(), func(*copyjob.Job) error { return nil })
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("delete takes the messages along", func(t *testing.T) {
		s := fresh(t, open)
		a, b := create(t, s, job("w", "dev", "a")), create(t, s, job("w", "dev", "b"))
		for _, j := range []copyjob.Job{a, b} {
			must(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: j.ID, JobName: j.Name, Time: at(1), Text: "m"}))
		}
		got, err := s.JobDelete(t.Context(), a.Key())
		must(t, err)
		same(t, got, a)
		_, err = s.JobDelete(t.Context(), a.Key())
		wants(t, err, fault.NotFound, subject)
		list, err := s.MessageList(t.Context(), "w")
		must(t, err)
		same(t, list, []copyjob.Message{{JobID: b.ID, JobName: "b", Time: at(1), Text: "m"}})
		wants(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: a.ID, JobName: "a"}), fault.NotFound, subject)
	})
	t.Run("messages", func(t *testing.T) {
		m := Full[copyjob.Message](0)
		s := reopened(t, open, func(s JobStore) {
			j, x := create(t, s, job("w", "dev", "a")), create(t, s, job("x", "dev", "a"))
			m.JobID = j.ID
			must(t, s.MessageAdd(t.Context(), m))
			must(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: x.ID, Time: at(0), Text: "of another warehouse"}))
			must(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: j.ID, Time: at(0), Text: "later, with an earlier clock"}))
		})
		list, err := s.MessageList(t.Context(), "w")
		must(t, err)
		if len(list) != 2 || list[1].Text != "later, with an earlier clock" {
			t.Fatalf("got %+v", list)
		}
		same(t, list[0], m)
	})
	t.Run("old messages go", func(t *testing.T) {
		s := fresh(t, open)
		j, quiet := create(t, s, job("w", "dev", "a")), create(t, s, job("w", "dev", "quiet"))
		must(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: quiet.ID, JobName: "quiet", Text: "the only one"}))
		const total = copyjob.MaxMessages + 300
		for n := range total {
			must(t, s.MessageAdd(t.Context(), copyjob.Message{JobID: j.ID, Text: fmt.Sprint(n)}))
		}
		list, err := s.MessageList(t.Context(), "w")
		must(t, err)
		if n := len(list) - 1; n < copyjob.MaxMessages || n > copyjob.MaxMessages+256 {
			t.Errorf("%d messages are kept, want about %d", n, copyjob.MaxMessages)
		}
		if list[0].JobName != "quiet" {
			t.Error("a job that talks much took another's messages")
		}
		if last := list[len(list)-1].Text; last != fmt.Sprint(total-1) {
			t.Errorf("the last message is %s", last)
		}
	})
	t.Run("one of many creations wins", func(t *testing.T) {
		s := fresh(t, open)
		oneWins(t, together(8, func(int) error {
			_, err := s.JobCreate(t.Context(), job("w", "dev", "a"), 99)
			return err
		}), fault.AlreadyExists)
	})
	t.Run("no update is lost", func(t *testing.T) {
		s := fresh(t, open)
		j := create(t, s, job("w", "dev", "a"))
		for _, err := range together(8, func(int) error {
			for range 20 {
				if _, err := s.JobUpdate(t.Context(), j.Key(), func(j *copyjob.Job) error { j.Runs++; return nil }); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		list, err := s.JobList(t.Context(), "w")
		must(t, err)
		if list[0].Runs != 160 {
			t.Errorf("%d of 160 updates are there", list[0].Runs)
		}
	})
	calls(t, open, map[string]func(context.Context, JobStore) error{
		"create": func(ctx context.Context, s JobStore) error {
			_, err := s.JobCreate(ctx, job("w", "dev", "a"), 9)
			return err
		},
		"list": func(ctx context.Context, s JobStore) error { _, err := s.JobList(ctx, ""); return err },
		"update": func(ctx context.Context, s JobStore) error {
			_, err := s.JobUpdate(ctx, copyjob.Key{}, func(*copyjob.Job) error { return nil })
			return err
		},
		"delete":   func(ctx context.Context, s JobStore) error { _, err := s.JobDelete(ctx, copyjob.Key{}); return err },
		"message":  func(ctx context.Context, s JobStore) error { return s.MessageAdd(ctx, copyjob.Message{JobID: 1}) },
		"messages": func(ctx context.Context, s JobStore) error { _, err := s.MessageList(ctx, "w"); return err },
	}, func(t *testing.T, s JobStore) {
		if list, err := s.JobList(t.Context(), ""); err != nil || len(list) != 0 {
			t.Errorf("the store holds %v, %v", list, err)
		}
	})
}
