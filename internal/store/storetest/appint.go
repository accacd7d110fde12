package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

// AppIntegrations tests the stores of package appint.
func AppIntegrations(t *testing.T, open Open[appint.Stores]) {
	t.Run("data integrations", func(t *testing.T) {
		resources(t, open, kind[appint.DataIntegration]{
			store: func(s appint.Stores) appint.Store[appint.DataIntegration] { return s.DataIntegrations }, subject: appint.SubjectDataIntegration,
			id: func(v *appint.DataIntegration) *string { return &v.ID }, number: func(v *appint.DataIntegration) *int64 { return &v.Number },
			name: func(v *appint.DataIntegration) *string { return &v.Name }, byName: true,
			fixed: func(v *appint.DataIntegration) { v.Number, v.ID, v.ARN, v.Created = 99, "x", "x", at(999) },
			free:  func(v *appint.DataIntegration) { v.Description, v.Tags = "new", nil },
			child: func(t *testing.T, s appint.Stores, d appint.DataIntegration) {
				_, _, err := s.Associations.Create(t.Context(), link(d.ID, "a1"), nil, appint.Token{}, appint.Rules{Max: 9})
				must(t, err)
			},
		})
	})
	t.Run("event integrations", func(t *testing.T) {
		resources(t, open, kind[appint.EventIntegration]{
			store: func(s appint.Stores) appint.Store[appint.EventIntegration] { return s.EventIntegrations }, subject: appint.SubjectEventIntegration,
			id: func(v *appint.EventIntegration) *string { return &v.Name }, number: func(v *appint.EventIntegration) *int64 { return &v.Number },
			fixed: func(v *appint.EventIntegration) { v.Number, v.Name, v.ARN, v.Created = 99, "x", "x", at(999) },
			free:  func(v *appint.EventIntegration) { v.Description, v.Tags = "new", nil },
			child: func(t *testing.T, s appint.Stores, e appint.EventIntegration) {
				_, _, err := s.EventAssociations.Create(t.Context(), appint.EventAssociation{ID: "a1", Integration: e.Name}, appint.Token{}, 9)
				must(t, err)
			},
		})
	})
	t.Run("applications", func(t *testing.T) {
		resources(t, open, kind[appint.Application]{
			store: func(s appint.Stores) appint.Store[appint.Application] { return s.Applications }, subject: appint.SubjectApplication,
			id: func(v *appint.Application) *string { return &v.ID }, number: func(v *appint.Application) *int64 { return &v.Number },
			name: func(v *appint.Application) *string { return &v.Name },
			fixed: func(v *appint.Application) {
				v.Number, v.ID, v.ARN, v.Namespace, v.Created = 99, "x", "x", "x", at(999)
			},
			free: func(v *appint.Application) { v.Description, v.Tags = "new", nil },
			child: func(t *testing.T, s appint.Stores, a appint.Application) {
				_, _, err := s.ApplicationAssociations.Create(t.Context(), appint.ApplicationAssociation{ID: "a1", ApplicationID: a.ID}, appint.Token{}, 9)
				must(t, err)
			},
		})
		t.Run("namespaces and types", func(t *testing.T) {
			s := fresh(t, open).Applications
			for n, kind := range []appint.ApplicationType{appint.Standard, appint.MCPServer, appint.Standard} {
				_, _, err := s.Create(t.Context(), appint.Application{ID: fmt.Sprint(n), Name: fmt.Sprint("n", n), Namespace: fmt.Sprint("ns", n), Type: kind}, appint.Token{}, 9)
				must(t, err)
			}
			_, _, err := s.Create(t.Context(), appint.Application{ID: "9", Name: "n9", Namespace: "ns1"}, appint.Token{}, 9)
			wants(t, err, fault.AlreadyExists, appint.SubjectApplication)
			list, err := s.List(t.Context(), appint.Query{Type: string(appint.Standard), Limit: 9})
			must(t, err)
			if len(list) != 2 || list[0].ID != "0" || list[1].ID != "2" {
				t.Errorf("of the type are %v", list)
			}
		})
	})
	t.Run("event integration associations", func(t *testing.T) {
		resources(t, open, kind[appint.EventAssociation]{
			store: func(s appint.Stores) appint.Store[appint.EventAssociation] { return s.EventAssociations }, subject: appint.SubjectEventAssociation,
			id: func(v *appint.EventAssociation) *string { return &v.ID }, number: func(v *appint.EventAssociation) *int64 { return &v.Number },
			parent: func(v *appint.EventAssociation) *string { return &v.Integration }, parents: appint.SubjectEventIntegration,
			adopt: func(t *testing.T, s appint.Stores, name string) {
				_, _, err := s.EventIntegrations.Create(t.Context(), appint.EventIntegration{Name: name}, appint.Token{}, 9)
				must(t, err)
			},
			fixed: func(v *appint.EventAssociation) {
				v.Number, v.ID, v.ARN, v.Integration, v.Created = 99, "x", "x", "x", at(999)
			},
			free: func(v *appint.EventAssociation) { v.Rule, v.Tags = "new", nil },
		})
	})
	t.Run("application associations", func(t *testing.T) {
		resources(t, open, kind[appint.ApplicationAssociation]{
			store: func(s appint.Stores) appint.Store[appint.ApplicationAssociation] { return s.ApplicationAssociations }, subject: appint.SubjectApplicationAssociation,
			id: func(v *appint.ApplicationAssociation) *string { return &v.ID }, number: func(v *appint.ApplicationAssociation) *int64 { return &v.Number },
			parent: func(v *appint.ApplicationAssociation) *string { return &v.ApplicationID }, parents: appint.SubjectApplication,
			adopt: func(t *testing.T, s appint.Stores, id string) {
				_, _, err := s.Applications.Create(t.Context(), appint.Application{ID: id, Name: id, Namespace: id}, appint.Token{}, 9)
				must(t, err)
			},
			fixed: func(v *appint.ApplicationAssociation) {
				v.Number, v.ID, v.ARN, v.ApplicationID, v.Created = 99, "x", "x", "x", at(999)
			},
			free: func(v *appint.ApplicationAssociation) { v.ClientID, v.Tags = "new", nil },
		})
	})
	t.Run("associations", func(t *testing.T) { associations(t, open) })
	t.Run("executions", func(t *testing.T) { executions(t, open) })
}

// kind is one kind of resource. Functions that are nil stand for what it does not have.
type kind[T any] struct {
	store   func(appint.Stores) appint.Store[T]
	subject string
	id      func(*T) *string
	number  func(*T) *int64
	name    func(*T) *string // unique, besides the ID
	byName  bool             // Get finds by it
	parent  func(*T) *string
	parents string // their subject
	adopt   func(t *testing.T, s appint.Stores, id string)
	fixed   func(*T) // sets what an update must not change
	free    func(*T) // sets what it may
	child   func(t *testing.T, s appint.Stores, v T)
}

// full returns a complete resource with its parent in place.
func (k kind[T]) full(t *testing.T, s appint.Stores, seed int) T {
	t.Helper()
	v := Full[T](seed)
	if k.parent != nil {
		*k.parent(&v) = "parent"
		k.adoptOnce(t, s, "parent")
	}
	return v
}

func (k kind[T]) adoptOnce(t *testing.T, s appint.Stores, id string) {
	t.Helper()
	if k.parents == appint.SubjectEventIntegration {
		if _, err := s.EventIntegrations.Get(t.Context(), id); err == nil {
			return
		}
	} else if _, err := s.Applications.Get(t.Context(), id); err == nil {
		return
	}
	k.adopt(t, s, id)
}

func (k kind[T]) create(t *testing.T, s appint.Stores, v T) T {
	t.Helper()
	stored, created, err := k.store(s).Create(t.Context(), v, appint.Token{}, 99)
	must(t, err)
	if !created {
		t.Error("it was there before")
	}
	return stored
}

func resources[T any](t *testing.T, open Open[appint.Stores], k kind[T]) {
	t.Run("every field survives a restart", func(t *testing.T) {
		var want []T
		s := reopened(t, open, func(s appint.Stores) {
			for _, seed := range []int{0, 1000} {
				want = append(want, k.create(t, s, k.full(t, s, seed)))
			}
		})
		got, err := k.store(s).List(t.Context(), appint.Query{Parent: "parent", Limit: 9})
		must(t, err)
		if len(got) != 2 {
			t.Fatalf("%d are left of 2", len(got))
		}
		for n := range got {
			same(t, got[n], want[n])
			one, err := k.store(s).Get(t.Context(), *k.id(&want[n]))
			must(t, err)
			same(t, one, want[n])
			if k.name != nil {
				one, err = k.store(s).Get(t.Context(), *k.name(&want[n]))
				if found := err == nil; found != k.byName {
					t.Errorf("found by name: %v", found)
				} else if found {
					same(t, one, want[n])
				}
			}
		}
		if *k.number(&got[0]) >= *k.number(&got[1]) || *k.number(&got[0]) <= 0 {
			t.Errorf("the numbers are %d and %d", *k.number(&got[0]), *k.number(&got[1]))
		}
	})
	t.Run("create", func(t *testing.T) {
		s := fresh(t, open)
		v := k.full(t, s, 0)
		stored := k.create(t, s, v)
		_, _, err := k.store(s).Create(t.Context(), v, appint.Token{}, 99)
		wants(t, err, fault.AlreadyExists, k.subject)
		other := k.full(t, s, 500)
		_, _, err = k.store(s).Create(t.Context(), other, appint.Token{}, 1)
		wants(t, err, fault.Limit, k.subject)
		if k.name != nil {
			*k.name(&other) = *k.name(&v)
			_, _, err = k.store(s).Create(t.Context(), other, appint.Token{}, 99)
			wants(t, err, fault.AlreadyExists, k.subject)
		}
		if k.parent != nil {
			*k.parent(&other) = "nobody"
			_, _, err = k.store(s).Create(t.Context(), other, appint.Token{}, 99)
			wants(t, err, fault.NotFound, k.parents)
			k.adoptOnce(t, s, "second")
			*k.parent(&other) = "second"
			_, _, err = k.store(s).Create(t.Context(), other, appint.Token{}, 1) // counts are of a parent
			must(t, err)
		}
		list, err := k.store(s).List(t.Context(), appint.Query{Parent: "parent", Limit: 9})
		must(t, err)
		if len(list) != 1 {
			t.Errorf("%d are there, want 1", len(list))
		}
		same(t, list[0], stored)
	})
	t.Run("tokens", func(t *testing.T) {
		token := appint.Token{Operation: "Create", Value: "t", Digest: "d"}
		if k.child == nil {
			return // made by calls without tokens
		}
		var first T
		s := reopened(t, open, func(s appint.Stores) {
			var err error
			first, _, err = k.store(s).Create(t.Context(), k.full(t, s, 0), token, 99)
			must(t, err)
		})
		again, created, err := k.store(s).Create(t.Context(), k.full(t, s, 500), token, 1) // the quota does not matter
		must(t, err)
		if created {
			t.Error("it was created again")
		}
		same(t, again, first)
		_, _, err = k.store(s).Create(t.Context(), k.full(t, s, 500), appint.Token{Operation: "Create", Value: "t", Digest: "other"}, 99)
		wants(t, err, fault.Invalid, appint.SubjectToken)
		_, created, err = k.store(s).Create(t.Context(), k.full(t, s, 500), appint.Token{Operation: "Other", Value: "t", Digest: "other"}, 99)
		must(t, err)
		if !created {
			t.Error("a token of another operation was taken for it")
		}
	})
	t.Run("list", func(t *testing.T) {
		s := fresh(t, open)
		var want []T
		for seed := range 5 {
			want = append(want, k.create(t, s, k.full(t, s, seed*500)))
		}
		for size := 1; size <= 6; size++ {
			var got []T
			for after := int64(0); ; {
				page, err := k.store(s).List(t.Context(), appint.Query{Parent: "parent", After: after, Limit: size})
				must(t, err)
				if got = append(got, page...); len(page) < size {
					break
				}
				after = *k.number(&page[len(page)-1])
			}
			same(t, got, want)
		}
		if k.parent != nil {
			list, err := k.store(s).List(t.Context(), appint.Query{Parent: "nobody", Limit: 9})
			must(t, err)
			if len(list) != 0 {
				t.Errorf("%d are of nobody", len(list))
			}
		}
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		want, other := k.create(t, s, k.full(t, s, 0)), k.create(t, s, k.full(t, s, 500))
		got, err := k.store(s).Update(t.Context(), *k.id(&want), func(v *T) error {
			k.free(v)
			k.fixed(v)
			return nil
		})
		must(t, err)
		k.free(&want)
		same(t, got, want)
		_, err = k.store(s).Update(t.Context(), *k.id(&want), func(v *T) error {
			*v = *new(T)
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		if k.name != nil {
			_, err = k.store(s).Update(t.Context(), *k.id(&want), func(v *T) error {
				*k.name(v) = *k.name(&other)
				return nil
			})
			wants(t, err, fault.AlreadyExists, k.subject)
		}
		stored, err := k.store(s).Get(t.Context(), *k.id(&want))
		must(t, err)
		same(t, stored, want)
		_, err = k.store(s).Update(t.Context(), "nobody", func(*T) error { return nil })
		wants(t, err, fault.NotFound, k.subject)
	})
	t.Run("delete", func(t *testing.T) {
		s := fresh(t, open)
		v, other := k.create(t, s, k.full(t, s, 0)), k.create(t, s, k.full(t, s, 500))
		if k.child != nil {
			k.child(t, s, other)
			wants(t, k.store(s).Delete(t.Context(), *k.id(&other)), fault.State, k.subject)
		}
		must(t, k.store(s).Delete(t.Context(), *k.id(&v)))
		wants(t, k.store(s).Delete(t.Context(), *k.id(&v)), fault.NotFound, k.subject)
		_, err := k.store(s).Get(t.Context(), *k.id(&v))
		wants(t, err, fault.NotFound, k.subject)
		before := *k.number(&v)
		if again := k.create(t, s, v); *k.number(&again) <= before {
			t.Errorf("the number %d came after %d", *k.number(&again), before)
		}
	})
	t.Run("a token goes with what it made", func(t *testing.T) {
		if k.child == nil {
			return
		}
		s := fresh(t, open)
		token := appint.Token{Operation: map[string]string{
			appint.SubjectDataIntegration: "CreateDataIntegration", appint.SubjectEventIntegration: "CreateEventIntegration", appint.SubjectApplication: "CreateApplication",
		}[k.subject], Value: "t", Digest: "d"}
		v, _, err := k.store(s).Create(t.Context(), k.full(t, s, 0), token, 99)
		must(t, err)
		must(t, k.store(s).Delete(t.Context(), *k.id(&v)))
		_, created, err := k.store(s).Create(t.Context(), k.full(t, s, 500), token, 99)
		must(t, err)
		if !created {
			t.Error("the token was still there")
		}
	})
	t.Run("one of many creates wins", func(t *testing.T) {
		s := fresh(t, open)
		v := k.full(t, s, 0)
		oneWins(t, together(8, func(int) error {
			_, _, err := k.store(s).Create(t.Context(), v, appint.Token{}, 99)
			return err
		}), fault.AlreadyExists)
	})
	calls(t, open, map[string]func(context.Context, appint.Stores) error{
		"create": func(ctx context.Context, s appint.Stores) error {
			_, _, err := k.store(s).Create(ctx, Full[T](0), appint.Token{}, 99)
			return err
		},
		"get": func(ctx context.Context, s appint.Stores) error { _, err := k.store(s).Get(ctx, "x"); return err },
		"list": func(ctx context.Context, s appint.Stores) error {
			_, err := k.store(s).List(ctx, appint.Query{Limit: 1})
			return err
		},
		"update": func(ctx context.Context, s appint.Stores) error {
			_, err := k.store(s).Update(ctx, "x", func(*T) error { return nil })
			return err
		},
		"delete": func(ctx context.Context, s appint.Stores) error { return k.store(s).Delete(ctx, "x") },
	}, func(t *testing.T, s appint.Stores) {
		list, err := k.store(s).List(t.Context(), appint.Query{Limit: 9})
		must(t, err)
		if len(list) != 0 {
			t.Errorf("%d are there", len(list))
		}
	})
}
