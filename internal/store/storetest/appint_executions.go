package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

func link(integration, id string) appint.Association {
	return appint.Association{ID: id, IntegrationID: integration, Created: at(0)}
}

func asked(association, id string) appint.Execution {
	return appint.Execution{ID: id, AssociationID: association, Status: appint.Waiting, NotBefore: at(0), Requested: at(0)}
}

// dataIntegration makes a data integration.
func dataIntegration(t *testing.T, s appint.Stores, id string) {
	t.Helper()
	_, _, err := s.DataIntegrations.Create(t.Context(), appint.DataIntegration{ID: id, Name: id}, appint.Token{}, 99)
	must(t, err)
}

// associated makes an association of the data integration d, which it makes where it is missing.
func associated(t *testing.T, s appint.Stores, a appint.Association, first *appint.Execution) appint.Association {
	t.Helper()
	if _, err := s.DataIntegrations.Get(t.Context(), a.IntegrationID); err != nil {
		dataIntegration(t, s, a.IntegrationID)
	}
	a, _, err := s.Associations.Create(t.Context(), a, first, appint.Token{}, appint.Rules{Max: 99})
	must(t, err)
	return a
}

func associations(t *testing.T, open Open[appint.Stores]) {
	const subject = appint.SubjectAssociation
	t.Run("every field survives a restart", func(t *testing.T) {
		var want appint.Association
		s := reopened(t, open, func(s appint.Stores) {
			want = Full[appint.Association](0)
			want.IntegrationID = "d"
			want = associated(t, s, want, nil)
		})
		got, err := s.Associations.Get(t.Context(), want.ID)
		must(t, err)
		same(t, got, want)
		d, err := s.DataIntegrations.Get(t.Context(), "d")
		must(t, err)
		if !d.Associated {
			t.Error("the data integration does not know that it was associated")
		}
	})
	t.Run("create", func(t *testing.T) {
		s := fresh(t, open)
		_, _, err := s.Associations.Create(t.Context(), link("d", "a"), nil, appint.Token{}, appint.Rules{Max: 9})
		wants(t, err, fault.NotFound, appint.SubjectDataIntegration)
		dataIntegration(t, s, "d")
		token := appint.Token{Operation: "CreateDataIntegrationAssociation", Value: "t", Digest: "d"}
		first := asked("a", "e")
		stored, created, err := s.Associations.Create(t.Context(), link("d", "a"), &first, token, appint.Rules{Once: true, Max: 9})
		must(t, err)
		if !created || stored.Last != (appint.Last{ExecutionID: "e", Status: appint.Waiting}) {
			t.Errorf("created %v, last %v", created, stored.Last)
		}
		again, created, err := s.Associations.Create(t.Context(), link("d", "b"), &first, token, appint.Rules{Once: true, Max: 1})
		must(t, err)
		same(t, again, stored)
		if created {
			t.Error("a token made two")
		}
		_, _, err = s.Associations.Create(t.Context(), link("d", "b"), nil, appint.Token{}, appint.Rules{Once: true, Max: 9})
		wants(t, err, fault.State, appint.SubjectDataIntegration)
		_, _, err = s.Associations.Create(t.Context(), link("d", "b"), nil, appint.Token{}, appint.Rules{Max: 1})
		wants(t, err, fault.Limit, subject)
		associated(t, s, link("d", "b"), nil)
		must(t, s.Associations.Delete(t.Context(), "a"))
		must(t, s.Associations.Delete(t.Context(), "b"))
		_, _, err = s.Associations.Create(t.Context(), link("d", "c"), nil, appint.Token{}, appint.Rules{Once: true, Max: 9})
		wants(t, err, fault.State, appint.SubjectDataIntegration) // once is once
		list, err := s.History.List(t.Context(), appint.Query{Parent: "a", Limit: 9})
		must(t, err)
		if len(list) != 0 {
			t.Errorf("%d executions are left of a deleted association", len(list))
		}
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		want := associated(t, s, link("d", "a"), nil)
		got, err := s.Associations.Update(t.Context(), "a", func(a *appint.Association) (*appint.Execution, error) {
			a.Run.Mode, a.Since, a.NextDue = appint.Scheduled, at(3), at(4)
			a.Number, a.ID, a.ARN, a.IntegrationID, a.Created = 99, "x", "x", "x", at(9)
			return new(asked("a", "e")), nil
		})
		must(t, err)
		want.Run.Mode, want.Since, want.NextDue, want.Last = appint.Scheduled, at(3), at(4), appint.Last{ExecutionID: "e", Status: appint.Waiting}
		same(t, got, want)
		_, err = s.Associations.Update(t.Context(), "a", func(a *appint.Association) (*appint.Execution, error) {
			a.ClientID = "lost"
			return new(asked("a", "lost")), errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		for n := range appint.MaxWaiting + 1 {
			_, err = s.Associations.Update(t.Context(), "a", func(*appint.Association) (*appint.Execution, error) { return new(asked("a", fmt.Sprint("e", n))), nil })
			if n < appint.MaxWaiting-1 {
				must(t, err)
			} else {
				wants(t, err, fault.Limit, appint.SubjectExecution)
			}
		}
		got, err = s.Associations.Get(t.Context(), "a")
		must(t, err)
		if want := fmt.Sprint("e", appint.MaxWaiting-2); got.Last.ExecutionID != want {
			t.Errorf("the last execution is %q, want %q", got.Last.ExecutionID, want)
		}
		_, err = s.Associations.Update(t.Context(), "x", func(*appint.Association) (*appint.Execution, error) { return nil, nil })
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("list is of a data integration", func(t *testing.T) {
		s := fresh(t, open)
		a, b := associated(t, s, link("d", "a"), nil), associated(t, s, link("e", "b"), nil)
		c := associated(t, s, link("d", "c"), nil)
		list, err := s.Associations.List(t.Context(), appint.Query{Parent: "d", Limit: 9})
		must(t, err)
		same(t, list, []appint.Association{a, c})
		list, err = s.Associations.List(t.Context(), appint.Query{Parent: "d", After: a.Number, Limit: 9})
		must(t, err)
		same(t, list, []appint.Association{c})
		list, err = s.Associations.List(t.Context(), appint.Query{Parent: "e", Limit: 9})
		must(t, err)
		same(t, list, []appint.Association{b})
	})
	calls(t, open, map[string]func(context.Context, appint.Stores) error{
		"create": func(ctx context.Context, s appint.Stores) error {
			_, _, err := s.Associations.Create(ctx, link("d", "a"), nil, appint.Token{}, appint.Rules{Max: 9})
			return err
		},
		"get": func(ctx context.Context, s appint.Stores) error { _, err := s.Associations.Get(ctx, "x"); return err },
		"list": func(ctx context.Context, s appint.Stores) error {
			_, err := s.Associations.List(ctx, appint.Query{Limit: 1})
			return err
		},
		"update": func(ctx context.Context, s appint.Stores) error {
			_, err := s.Associations.Update(ctx, "x", func(*appint.Association) (*appint.Execution, error) { return nil, nil })
			return err
		},
		"delete": func(ctx context.Context, s appint.Stores) error { return s.Associations.Delete(ctx, "x") },
	}, func(*testing.T, appint.Stores) {})
}

func ids(list []appint.Execution) []string {
	out := []string{}
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}

func executions(t *testing.T, open Open[appint.Stores]) {
	claim := func(t *testing.T, s appint.Stores, now time.Time, want ...string) []appint.Execution {
		t.Helper()
		list, err := s.Queue.Claim(t.Context(), now, 99)
		must(t, err)
		if got := ids(list); !slices.Equal(got, want) {
			t.Errorf("claimed %q, want %q", got, want)
		}
		return list
	}
	end := func(t *testing.T, s appint.Stores, id string, status appint.Status) {
		t.Helper()
		_, err := s.Queue.Change(t.Context(), id, func(e *appint.Execution, _ *appint.Association) error {
			e.Status = status
			return nil
		})
		must(t, err)
	}
	ask := func(t *testing.T, s appint.Stores, association string, e appint.Execution) {
		t.Helper()
		_, err := s.Associations.Update(t.Context(), association, func(*appint.Association) (*appint.Execution, error) { return &e, nil })
		must(t, err)
	}
	t.Run("every field survives a restart", func(t *testing.T) {
		var want appint.Execution
		s := reopened(t, open, func(s appint.Stores) {
			want = Full[appint.Execution](0)
			want.AssociationID = "a"
			associated(t, s, link("d", "a"), &want)
		})
		got, err := s.History.Get(t.Context(), want.ID)
		must(t, err)
		want.Number = got.Number
		same(t, got, want)
		_, err = s.History.Get(t.Context(), "x")
		wants(t, err, fault.NotFound, appint.SubjectExecution)
	})
	t.Run("claim", func(t *testing.T) {
		s := fresh(t, open)
		later := asked("a", "e1")
		later.NotBefore = at(10)
		associated(t, s, link("d", "a"), &later)
		ask(t, s, "a", asked("a", "e2"))
		associated(t, s, link("d", "b"), new(asked("b", "e3")))
		ask(t, s, "b", asked("b", "e4"))
		claim(t, s, at(5), "e3") // e2 waits for e1, e4 for e3
		claim(t, s, at(5))
		got := claim(t, s, at(10), "e1")
		if e := got[0]; e.Status != appint.Running || !e.Started.Equal(at(10)) || e.Attempts != 1 {
			t.Errorf("claimed %+v", e)
		}
		a, err := s.Associations.Get(t.Context(), "a")
		must(t, err)
		if a.Last != (appint.Last{ExecutionID: "e2", Status: appint.Waiting}) {
			t.Errorf("the last one is %+v", a.Last)
		}
		end(t, s, "e1", appint.Completed)
		end(t, s, "e3", appint.Failed)
		list, err := s.Queue.Claim(t.Context(), at(10), 1)
		must(t, err)
		if got := ids(list); !slices.Equal(got, []string{"e2"}) { // the oldest first
			t.Errorf("claimed %q", got)
		}
		claim(t, s, at(10), "e4")
		if a, err = s.Associations.Get(t.Context(), "a"); err != nil || a.Last.Status != appint.Running {
			t.Errorf("the last one is %+v, %v", a.Last, err)
		}
		running, err := s.Queue.Running(t.Context(), false)
		must(t, err)
		if got := ids(running); !slices.Equal(got, []string{"e2", "e4"}) {
			t.Errorf("running are %q", got)
		}
	})
	t.Run("incremental windows", func(t *testing.T) {
		s := fresh(t, open)
		e := asked("a", "e1")
		e.Incremental, e.To = true, at(20)
		a := link("d", "a")
		a.Since = at(7)
		associated(t, s, a, &e)
		got := claim(t, s, at(30), "e1")
		if !got[0].From.Equal(at(7)) || !got[0].To.Equal(at(20)) {
			t.Errorf("the window is %s to %s", got[0].From, got[0].To)
		}
		_, err := s.Queue.Change(t.Context(), "e1", func(e *appint.Execution, a *appint.Association) error {
			e.Status, a.Since = appint.Completed, at(50)
			return nil
		})
		must(t, err)
		e.ID = "e2"
		ask(t, s, "a", e)
		if got := claim(t, s, at(30), "e2"); !got[0].From.Equal(at(20)) || !got[0].To.Equal(at(20)) {
			t.Errorf("the window is %s to %s, want an empty one", got[0].From, got[0].To)
		}
	})
	t.Run("schedule", func(t *testing.T) {
		s := fresh(t, open)
		for n, due := range []int{30, 10, 20, 99} {
			a := link("d", fmt.Sprint("a", n))
			a.NextDue = at(due)
			associated(t, s, a, nil)
		}
		associated(t, s, link("d", "never"), nil)
		next, err := s.Queue.Next(t.Context(), at(0))
		must(t, err)
		if !next.Equal(at(10)) {
			t.Errorf("next is %s, want %s", next, at(10))
		}
		round := 0
		plan := func(a appint.Association) (time.Time, appint.Execution) {
			round++
			e := asked(a.ID, fmt.Sprint(a.ID, "-", round))
			e.Trigger, e.To, e.NotBefore = appint.BySchedule, at(1000+round), at(40)
			return a.NextDue.Add(100 * time.Second), e
		}
		step := func(now time.Time, limit, want int) {
			t.Helper()
			n, err := s.Queue.Schedule(t.Context(), now, limit, plan)
			must(t, err)
			if n != want {
				t.Errorf("%d were due, want %d", n, want)
			}
		}
		step(at(9), 99, 0)
		step(at(30), 2, 2) // longest due first
		step(at(30), 2, 1)
		step(at(30), 2, 0)
		list, err := s.History.List(t.Context(), appint.Query{Parent: "a1", Limit: 9})
		must(t, err)
		if got := ids(list); !slices.Equal(got, []string{"a1-1"}) {
			t.Fatalf("a1 has %q", got)
		}
		a, err := s.Associations.Get(t.Context(), "a1")
		must(t, err)
		if !a.NextDue.Equal(at(110)) || a.Last != (appint.Last{ExecutionID: "a1-1", Status: appint.Waiting}) {
			t.Errorf("a1 is due at %s, its last is %+v", a.NextDue, a.Last)
		}
		// Due again while it waits: the one that waits covers more. Due again while it runs: another one waits.
		step(at(110), 99, 2)
		list, err = s.History.List(t.Context(), appint.Query{Parent: "a1", Limit: 9})
		must(t, err)
		if len(list) != 1 || !list[0].To.After(at(1003)) {
			t.Errorf("a1 has %+v", list)
		}
		claim(t, s, at(40), "a1-1", "a2-2", "a0-3", "a3-4")
		step(at(210), 99, 4)
		list, err = s.History.List(t.Context(), appint.Query{Parent: "a1", Limit: 9})
		must(t, err)
		if len(list) != 2 || list[0].Status != appint.Waiting || list[1].Status != appint.Running {
			t.Errorf("a1 has %+v", list)
		}
		for after, want := range map[int]time.Time{39: at(40), 40: at(220), 299: at(310)} { // what waits; what is due
			if next, err = s.Queue.Next(t.Context(), at(after)); err != nil || !next.Equal(want) {
				t.Errorf("next after %d is %s, %v, want %s", after, next, err, want)
			}
		}
	})
	t.Run("nothing to do", func(t *testing.T) {
		s := fresh(t, open)
		next, err := s.Queue.Next(t.Context(), at(0))
		if err != nil || !next.IsZero() {
			t.Errorf("next is %s, %v", next, err)
		}
		claim(t, s, at(5))
	})
	t.Run("change", func(t *testing.T) {
		s := fresh(t, open)
		associated(t, s, link("d", "a"), new(asked("a", "e")))
		claim(t, s, at(1), "e")
		got, err := s.Queue.Change(t.Context(), "e", func(e *appint.Execution, a *appint.Association) error {
			e.Progress = appint.Progress{Rows: 7, Mark: []byte("mark")}
			a.Since, a.Last = at(3), appint.Last{ExecutionID: "e", Status: appint.Running, Message: "7 rows"}
			e.Number, e.ID, e.AssociationID, e.IntegrationID, e.Requested = 99, "x", "x", "x", at(9)
			a.ID, a.IntegrationID = "x", "x"
			return nil
		})
		must(t, err)
		stored, err := s.History.Get(t.Context(), "e")
		must(t, err)
		same(t, stored, got)
		if stored.Progress.Rows != 7 || string(stored.Progress.Mark) != "mark" || stored.Requested != at(0) {
			t.Errorf("stored is %+v", stored)
		}
		a, err := s.Associations.Get(t.Context(), "a")
		must(t, err)
		if !a.Since.Equal(at(3)) || a.Last.Message != "7 rows" {
			t.Errorf("the association is %+v", a)
		}
		_, err = s.Queue.Change(t.Context(), "e", func(e *appint.Execution, a *appint.Association) error {
			e.Message, a.ClientID = "lost", "lost"
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		after, err := s.History.Get(t.Context(), "e")
		must(t, err)
		same(t, after, stored)
		_, err = s.Queue.Change(t.Context(), "x", func(*appint.Execution, *appint.Association) error { return nil })
		wants(t, err, fault.NotFound, appint.SubjectExecution)
	})
	t.Run("an execution outlives its association until it is done", func(t *testing.T) {
		s := fresh(t, open)
		associated(t, s, link("d", "a"), new(asked("a", "e1")))
		ask(t, s, "a", asked("a", "e2"))
		claim(t, s, at(1), "e1")
		must(t, s.Associations.Delete(t.Context(), "a"))
		list, err := s.Queue.Running(t.Context(), true)
		must(t, err)
		if got := ids(list); !slices.Equal(got, []string{"e1"}) || !list[0].Cancel {
			t.Errorf("to be cancelled are %q", got)
		}
		claim(t, s, at(1)) // e2 is gone
		_, err = s.Queue.Change(t.Context(), "e1", func(e *appint.Execution, a *appint.Association) error {
			if a != nil {
				t.Errorf("the association is still there: %+v", a)
			}
			e.Progress.Rows = 1
			return nil
		})
		must(t, err)
		end(t, s, "e1", appint.Canceled)
		_, err = s.History.Get(t.Context(), "e1")
		wants(t, err, fault.NotFound, appint.SubjectExecution)
	})
	t.Run("history", func(t *testing.T) {
		s := fresh(t, open)
		associated(t, s, link("d", "a"), nil)
		associated(t, s, link("d", "b"), new(asked("b", "other")))
		for n := range appint.MaxHistory + 3 {
			e := asked("a", fmt.Sprint("e", n))
			ask(t, s, "a", e)
			end(t, s, e.ID, appint.Completed)
		}
		ask(t, s, "a", asked("a", "waiting"))
		all, err := s.History.List(t.Context(), appint.Query{Parent: "a", Limit: 999})
		must(t, err)
		if len(all) != appint.MaxHistory+1 || all[0].ID != "waiting" || all[1].ID != fmt.Sprint("e", appint.MaxHistory+2) || all[appint.MaxHistory].ID != "e3" {
			t.Errorf("%d are kept, from %q to %q", len(all), all[0].ID, all[len(all)-1].ID)
		}
		page, err := s.History.List(t.Context(), appint.Query{Parent: "a", After: all[4].Number, Limit: 2})
		must(t, err)
		same(t, page, all[5:7])
	})
	t.Run("nobody claims what another has", func(t *testing.T) {
		s := fresh(t, open)
		for n := range 50 {
			id := fmt.Sprint(n)
			associated(t, s, link("d", id), new(asked(id, id)))
		}
		got := make([][]appint.Execution, 8)
		for _, err := range together(8, func(n int) (err error) {
			got[n], err = s.Queue.Claim(t.Context(), at(1), 10)
			return err
		}) {
			must(t, err)
		}
		seen := map[string]bool{}
		for _, e := range slices.Concat(got...) {
			if seen[e.ID] {
				t.Errorf("%s was claimed twice", e.ID)
			}
			seen[e.ID] = true
		}
		if len(seen) != 50 {
			t.Errorf("%d of 50 were claimed", len(seen))
		}
	})
	calls(t, open, map[string]func(context.Context, appint.Stores) error{
		"schedule": func(ctx context.Context, s appint.Stores) error {
			_, err := s.Queue.Schedule(ctx, at(1), 9, nil)
			return err
		},
		"claim": func(ctx context.Context, s appint.Stores) error { _, err := s.Queue.Claim(ctx, at(1), 9); return err },
		"running": func(ctx context.Context, s appint.Stores) error {
			_, err := s.Queue.Running(ctx, false)
			return err
		},
		"next": func(ctx context.Context, s appint.Stores) error { _, err := s.Queue.Next(ctx, at(0)); return err },
		"change": func(ctx context.Context, s appint.Stores) error {
			_, err := s.Queue.Change(ctx, "x", func(*appint.Execution, *appint.Association) error { return nil })
			return err
		},
		"get": func(ctx context.Context, s appint.Stores) error { _, err := s.History.Get(ctx, "x"); return err },
		"list": func(ctx context.Context, s appint.Stores) error {
			_, err := s.History.List(ctx, appint.Query{Limit: 1})
			return err
		},
	}, func(*testing.T, appint.Stores) {})
}
