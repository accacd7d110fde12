package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func integration(n int) zeroetl.Integration {
	return zeroetl.Integration{
		ID: fmt.Sprintf("id-%03d", n), ARN: fmt.Sprintf("arn:aws:redshift:us-east-1:123456789012:integration:id-%03d", n), Name: fmt.Sprintf("name-%d", n),
		SourceARN: fmt.Sprintf("arn:aws:s3:::bucket-%d", n), TargetARN: "arn:aws:redshift:us-east-1:123456789012:namespace:w", WarehouseID: "w",
		Kind: zeroetl.SourceS3, Status: zeroetl.Creating, Created: at(n),
	}
}

// Integrations tests a zeroetl.Store.
func Integrations(t *testing.T, open Open[zeroetl.Store]) {
	const subject = zeroetl.SubjectIntegration
	t.Run("every field survives a restart", func(t *testing.T) {
		a, b := Full[zeroetl.Integration](0), Full[zeroetl.Integration](1000)
		b.Problems, b.EncryptionContext, b.Tags = nil, nil, nil
		s := reopened(t, open, func(s zeroetl.Store) {
			must(t, s.IntegrationCreate(t.Context(), b, 9))
			must(t, s.IntegrationCreate(t.Context(), a, 9))
		})
		list, err := s.IntegrationList(t.Context())
		must(t, err)
		if len(list) != 2 {
			t.Fatalf("%d integrations, want 2", len(list))
		}
		same(t, list[0], a)
		same(t, list[1], b)
	})
	t.Run("create", func(t *testing.T) {
		s := fresh(t, open)
		base := integration(1)
		base.Status = zeroetl.Deleting // counts like any other
		must(t, s.IntegrationCreate(t.Context(), base, 2))
		for _, tc := range []struct {
			name   string
			change func(*zeroetl.Integration)
			want   fault.Kind
		}{
			{"the same ID", func(i *zeroetl.Integration) { i.ID = base.ID }, fault.AlreadyExists},
			{"the same name", func(i *zeroetl.Integration) { i.Name = base.Name }, fault.AlreadyExists},
			{"the same source and warehouse", func(i *zeroetl.Integration) { i.SourceARN, i.TargetARN = base.SourceARN, "another form" }, fault.AlreadyExists},
		} {
			i := integration(2)
			tc.change(&i)
			if err := s.IntegrationCreate(t.Context(), i, 9); !fault.Is(err, tc.want, subject) {
				t.Errorf("%s: err = %v, want %v", tc.name, err, tc.want)
			}
		}
		other := integration(3)
		other.SourceARN, other.WarehouseID = base.SourceARN, "another"
		must(t, s.IntegrationCreate(t.Context(), other, 2)) // the same source to another warehouse
		must(t, s.IntegrationCreate(t.Context(), integration(4), 2))
		wants(t, s.IntegrationCreate(t.Context(), integration(5), 2), fault.Limit, subject)
		table := integration(5)
		table.Kind = zeroetl.SourceDynamoDB // has a quota of its own
		must(t, s.IntegrationCreate(t.Context(), table, 2))
	})
	t.Run("list is oldest first, then by ID", func(t *testing.T) {
		s := fresh(t, open)
		for _, n := range []int{3, 1, 2} {
			must(t, s.IntegrationCreate(t.Context(), integration(n), 9))
		}
		twin := integration(0)
		twin.Created = at(2)
		must(t, s.IntegrationCreate(t.Context(), twin, 9))
		list, err := s.IntegrationList(t.Context())
		must(t, err)
		var ids []string
		for _, i := range list {
			ids = append(ids, i.ID)
		}
		same(t, ids, []string{"id-001", "id-000", "id-002", "id-003"})
	})
	t.Run("get", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.IntegrationCreate(t.Context(), integration(1), 9))
		got, err := s.IntegrationGet(t.Context(), "id-001")
		must(t, err)
		same(t, got, integration(1))
		_, err = s.IntegrationGet(t.Context(), "id-002")
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.IntegrationCreate(t.Context(), integration(1), 9))
		must(t, s.IntegrationCreate(t.Context(), integration(2), 9))
		before, err := s.IntegrationList(t.Context())
		must(t, err)
		got, err := s.IntegrationUpdate(t.Context(), "id-001", func(i *zeroetl.Integration) error {
			i.Status, i.Description, i.Tags, i.Name = zeroetl.Active, "new", map[string]string{"a": "b"}, "renamed"
			i.ID, i.ARN, i.Created = "x", "y", at(99)
			return nil
		})
		must(t, err)
		want := integration(1)
		want.Status, want.Description, want.Tags, want.Name = zeroetl.Active, "new", map[string]string{"a": "b"}, "renamed"
		same(t, got, want)
		got, err = s.IntegrationGet(t.Context(), "id-001")
		must(t, err)
		same(t, got, want)
		same(t, before[0], integration(1)) // a list is of its moment

		_, err = s.IntegrationUpdate(t.Context(), "id-001", func(i *zeroetl.Integration) error {
			i.Description = "lost"
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		_, err = s.IntegrationUpdate(t.Context(), "id-001", func(i *zeroetl.Integration) error {
			i.Name = "name-2"
			return nil
		})
		wants(t, err, fault.AlreadyExists, subject)
		got, err = s.IntegrationGet(t.Context(), "id-001")
		must(t, err)
		same(t, got, want)
		_, err = s.IntegrationUpdate(t.Context(), "id-009", func(*zeroetl.Integration) error { return nil })
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("delete frees the name and the pair", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.IntegrationCreate(t.Context(), integration(1), 9))
		must(t, s.IntegrationDelete(t.Context(), "id-001"))
		wants(t, s.IntegrationDelete(t.Context(), "id-001"), fault.NotFound, subject)
		again := integration(1)
		again.ID = "id-002"
		must(t, s.IntegrationCreate(t.Context(), again, 9))
		list, err := s.IntegrationList(t.Context())
		must(t, err)
		same(t, list, []zeroetl.Integration{again})
	})
	t.Run("one of many creations wins", func(t *testing.T) {
		s := fresh(t, open)
		oneWins(t, together(8, func(n int) error {
			i := integration(n)
			i.Name = "the same"
			return s.IntegrationCreate(t.Context(), i, 99)
		}), fault.AlreadyExists)
	})
	t.Run("no update is lost", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.IntegrationCreate(t.Context(), integration(1), 9))
		for _, err := range together(8, func(n int) error {
			for k := range 20 {
				_, err := s.IntegrationUpdate(t.Context(), "id-001", func(i *zeroetl.Integration) error {
					tags := maps.Clone(i.Tags)
					if tags == nil {
						tags = map[string]string{}
					}
					tags[fmt.Sprint(n, "-", k)] = ""
					i.Tags = tags
					return nil
				})
				if err != nil {
					return err
				}
				if list, err := s.IntegrationList(t.Context()); err != nil || !slices.ContainsFunc(list, func(i zeroetl.Integration) bool { _, ok := i.Tags[fmt.Sprint(n, "-", k)]; return ok }) {
					return fmt.Errorf("the update was acknowledged and cannot be seen: %w", err)
				}
			}
			return nil
		}) {
			must(t, err)
		}
		got, err := s.IntegrationGet(t.Context(), "id-001")
		must(t, err)
		if len(got.Tags) != 160 {
			t.Errorf("%d of 160 updates are there", len(got.Tags))
		}
	})
	calls(t, open, map[string]func(context.Context, zeroetl.Store) error{
		"create": func(ctx context.Context, s zeroetl.Store) error { return s.IntegrationCreate(ctx, integration(1), 9) },
		"get": func(ctx context.Context, s zeroetl.Store) error {
			_, err := s.IntegrationGet(ctx, "id-001")
			return err
		},
		"list": func(ctx context.Context, s zeroetl.Store) error { _, err := s.IntegrationList(ctx); return err },
		"update": func(ctx context.Context, s zeroetl.Store) error {
			_, err := s.IntegrationUpdate(ctx, "id-001", func(*zeroetl.Integration) error { return nil })
			return err
		},
		"delete": func(ctx context.Context, s zeroetl.Store) error { return s.IntegrationDelete(ctx, "id-001") },
	}, func(t *testing.T, s zeroetl.Store) {
		if list, err := s.IntegrationList(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("the store holds %v, %v", list, err)
		}
	})
}

// Policies tests a zeroetl.PolicyStore.
func Policies(t *testing.T, open Open[zeroetl.PolicyStore]) {
	const subject = zeroetl.SubjectPolicy
	t.Run("put replaces and survives a restart", func(t *testing.T) {
		first, second, other := Full[zeroetl.Policy](0), Full[zeroetl.Policy](100), Full[zeroetl.Policy](200)
		second.WarehouseID = first.WarehouseID
		s := reopened(t, open, func(s zeroetl.PolicyStore) {
			must(t, s.PolicyPut(t.Context(), first))
			must(t, s.PolicyPut(t.Context(), other))
			must(t, s.PolicyPut(t.Context(), second))
		})
		for _, want := range []zeroetl.Policy{second, other} {
			got, err := s.PolicyGet(t.Context(), want.WarehouseID)
			must(t, err)
			same(t, got, want)
		}
	})
	t.Run("delete", func(t *testing.T) {
		s := fresh(t, open)
		p := Full[zeroetl.Policy](0)
		wants(t, s.PolicyDelete(t.Context(), p.WarehouseID), fault.NotFound, subject)
		must(t, s.PolicyPut(t.Context(), p))
		must(t, s.PolicyDelete(t.Context(), p.WarehouseID))
		_, err := s.PolicyGet(t.Context(), p.WarehouseID)
		wants(t, err, fault.NotFound, subject)
	})
	calls(t, open, map[string]func(context.Context, zeroetl.PolicyStore) error{
		"put": func(ctx context.Context, s zeroetl.PolicyStore) error {
			return s.PolicyPut(ctx, Full[zeroetl.Policy](0))
		},
		"get":    func(ctx context.Context, s zeroetl.PolicyStore) error { _, err := s.PolicyGet(ctx, "w"); return err },
		"delete": func(ctx context.Context, s zeroetl.PolicyStore) error { return s.PolicyDelete(ctx, "w") },
	}, func(t *testing.T, s zeroetl.PolicyStore) {
		_, err := s.PolicyGet(t.Context(), Full[zeroetl.Policy](0).WarehouseID)
		wants(t, err, fault.NotFound, subject)
	})
}
