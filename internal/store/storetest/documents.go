package storetest

import (
	"bytes"
	"context"
	"strconv"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

// DocumentStore is the Store of package buckets, whose Kind is K. That package is not imported for the sake of
// what it brings along.
type DocumentStore[K ~string] interface {
	DocumentGet(ctx context.Context, bucket string, kind K) ([]byte, error)
	DocumentUpdate(ctx context.Context, bucket string, kind K, change func(current []byte) ([]byte, error)) error
	DocumentDeleteAll(ctx context.Context, bucket string) error
}

// Documents tests a store of bucket documents whose faults are about subject.
func Documents[K ~string](t *testing.T, open Open[DocumentStore[K]], subject string) {
	policy, notification := K("policy"), K("notification")
	put := func(content string) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return []byte(content), nil }
	}
	t.Run("documents survive a restart", func(t *testing.T) {
		large := string(bytes.Repeat([]byte{0, 255, '\''}, 40<<10))
		s := reopened(t, open, func(s DocumentStore[K]) {
			must(t, s.DocumentUpdate(t.Context(), "b", policy, put(large)))
			must(t, s.DocumentUpdate(t.Context(), "b", notification, put("n")))
			must(t, s.DocumentUpdate(t.Context(), "B", policy, put("of another bucket")))
		})
		for _, want := range []struct {
			bucket  string
			kind    K
			content string
		}{{"b", policy, large}, {"b", notification, "n"}, {"B", policy, "of another bucket"}} {
			got, err := s.DocumentGet(t.Context(), want.bucket, want.kind)
			must(t, err)
			if string(got) != want.content {
				t.Errorf("%s of %s has %d bytes, want %d", want.kind, want.bucket, len(got), len(want.content))
			}
		}
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		_, err := s.DocumentGet(t.Context(), "b", policy)
		wants(t, err, fault.NotFound, subject)
		step := func(want []byte, next string, fail error) {
			t.Helper()
			err := s.DocumentUpdate(t.Context(), "b", policy, func(current []byte) ([]byte, error) {
				if !bytes.Equal(current, want) || (current == nil) != (want == nil) {
					t.Errorf("the change saw %q, want %q", current, want)
				}
				return []byte(next), fail
			})
			if err != fail { //nolint:errorlint // it must come back as it is
				t.Errorf("err = %v, want %v", err, fail)
			}
		}
		step(nil, "one", nil)
		step([]byte("one"), "two", nil)
		step([]byte("two"), "lost", errRefused)
		step([]byte("two"), "", nil)
		step(nil, "", nil)
		_, err = s.DocumentGet(t.Context(), "b", policy)
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("delete all", func(t *testing.T) {
		s := fresh(t, open)
		for _, b := range []string{"a", "b"} {
			must(t, s.DocumentUpdate(t.Context(), b, policy, put("p")))
			must(t, s.DocumentUpdate(t.Context(), b, notification, put("n")))
		}
		must(t, s.DocumentDeleteAll(t.Context(), "a"))
		must(t, s.DocumentDeleteAll(t.Context(), "a"))
		for _, k := range []K{policy, notification} {
			_, err := s.DocumentGet(t.Context(), "a", k)
			wants(t, err, fault.NotFound, subject)
			_, err = s.DocumentGet(t.Context(), "b", k)
			must(t, err)
		}
	})
	t.Run("no update is lost", func(t *testing.T) {
		s := fresh(t, open)
		for _, err := range together(8, func(int) error {
			for range 20 {
				if err := s.DocumentUpdate(t.Context(), "b", policy, func(current []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(current))
					return []byte(strconv.Itoa(n + 1)), nil
				}); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		if got, err := s.DocumentGet(t.Context(), "b", policy); err != nil || string(got) != "160" {
			t.Errorf("%s of 160 updates are there, %v", got, err)
		}
	})
	calls(t, open, map[string]func(context.Context, DocumentStore[K]) error{
		"get": func(ctx context.Context, s DocumentStore[K]) error {
			_, err := s.DocumentGet(ctx, "b", policy)
			return err
		},
		"update": func(ctx context.Context, s DocumentStore[K]) error {
			return s.DocumentUpdate(ctx, "b", policy, put("x"))
		},
		"delete": func(ctx context.Context, s DocumentStore[K]) error { return s.DocumentDeleteAll(ctx, "b") },
	}, func(t *testing.T, s DocumentStore[K]) {
		_, err := s.DocumentGet(t.Context(), "b", policy)
		wants(t, err, fault.NotFound, subject)
	})
}
