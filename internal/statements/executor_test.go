package statements_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
)

func TestPick(t *testing.T) {
	w := newWorld()
	if _, ok, err := w.Pick(t.Context(), nil); ok || err != nil {
		t.Errorf("from nothing: %v, %v", ok, err)
	}
	var ids []string
	for n := range 50 {
		p := params()
		p.WarehouseID = fmt.Sprint("w", n/45) // the first 45 are of one warehouse
		ids = append(ids, w.submit(t, p).ID)
	}
	pick := func(accept func(statements.Statement) bool, want string) {
		t.Helper()
		s, ok, err := w.Pick(t.Context(), accept)
		must(t, err)
		if ok != (want != "") || s.ID != want || ok && s.Status != statements.Picked {
			t.Errorf("picked %q (%s), want %q", s.ID, s.Status, want)
		}
	}
	pick(nil, ids[0])
	pick(nil, ids[1])
	pick(func(s statements.Statement) bool { return s.WarehouseID != "w0" }, ids[45]) // past more than one look
	pick(func(s statements.Statement) bool { return s.WarehouseID == "none" }, "")
	_, err := w.Cancel(t.Context(), ids[2])
	must(t, err)
	pick(nil, ids[3])
}

// A statement that goes while it is looked at is passed over.
func TestPickPassesOverWhatGoes(t *testing.T) {
	w := newWorld()
	first, second := w.submit(t, params()), w.submit(t, params())
	s, ok, err := w.Pick(t.Context(), func(s statements.Statement) bool {
		if s.ID == first.ID {
			_, err := w.Cancel(t.Context(), first.ID)
			must(t, err)
		}
		return true
	})
	if err != nil || !ok || s.ID != second.ID {
		t.Errorf("picked %s, %v, %v, want %s", s.ID, ok, err, second.ID)
	}
}

func TestFinish(t *testing.T) {
	w := newWorld()
	s := w.started(t, params("a", "b", "c"))
	if s.Status != statements.Started || s.QueryID != 7 || s.PID != 8 || s.Subs[0].Status != statements.Started || s.Subs[1].Status != statements.Submitted {
		t.Errorf("started: %+v", s)
	}
	columns := []statements.Column{{Name: "c"}}
	w.now = w.now.Add(time.Second)
	must(t, w.FinishSub(t.Context(), s.ID, 0, statements.SubResult{HasResultSet: true, Columns: columns, Rows: 3, Size: 30, QueryID: 70, Duration: time.Second}))
	s = w.get(t, s.ID)
	if s.Subs[0].Status != statements.Started || s.Subs[1].Status != statements.Started || s.Subs[2].Status != statements.Submitted || s.Subs[0].Rows != 3 || s.Updated != w.now {
		t.Errorf("the first part has run: %+v; it must not be shown as done before it is durable", s)
	}
	s, err := w.Finish(t.Context(), s.ID, statements.SubResult{Rows: 5, Duration: 2 * time.Second}, statements.SubResult{Rows: 6, Duration: 3 * time.Second})
	must(t, err)
	if s.Status != statements.Finished || s.Duration != 6*time.Second {
		t.Errorf("finished: %s after %v", s.Status, s.Duration)
	}
	for n, want := range []statements.Sub{{Rows: 3, HasResultSet: true, Size: 30, QueryID: 70}, {Rows: 5}, {Rows: 6}} {
		got := s.Subs[n]
		if got.Status != statements.Finished || got.Rows != want.Rows || got.HasResultSet != want.HasResultSet || got.Size != want.Size || got.QueryID != want.QueryID {
			t.Errorf("part %d: %+v", n, got)
		}
	}
	_, err = w.Finish(t.Context(), s.ID)
	wants(t, err, fault.State, statements.SubjectStatement, "FINISHED")
	wants(t, w.FinishSub(t.Context(), s.ID, 0, statements.SubResult{}), fault.State, statements.SubjectStatement, "FINISHED")
	other := w.started(t, params())
	_, err = w.Finish(t.Context(), other.ID, statements.SubResult{}, statements.SubResult{})
	if !fault.Is(err, fault.Internal, statements.SubjectStatement) {
		t.Errorf("more results than parts: %v", err)
	}
	wants(t, w.FinishSub(t.Context(), other.ID, 1, statements.SubResult{}), fault.NotFound, statements.SubjectStatement, "part 2")
	_, err = w.Start(t.Context(), other.ID, 1, 1)
	wants(t, err, fault.State, statements.SubjectStatement, "STARTED")
}

func TestFail(t *testing.T) {
	w := newWorld()
	s := w.started(t, params("a", "b", "c"))
	must(t, w.FinishSub(t.Context(), s.ID, 0, statements.SubResult{Duration: time.Second}))
	s, err := w.Fail(t.Context(), s.ID, 1, "no table", 2*time.Second)
	must(t, err)
	if s.Status != statements.Failed || s.Error != "no table" || s.Duration != 3*time.Second {
		t.Errorf("failed: %+v", s)
	}
	for n, want := range []statements.Status{statements.Aborted, statements.Failed, statements.Aborted} {
		if s.Subs[n].Status != want {
			t.Errorf("part %d is %s, want %s: nothing of a failed transaction is in effect", n, s.Subs[n].Status, want)
		}
	}
	if s.Subs[1].Error != "no table" || s.Subs[0].Error != "" {
		t.Errorf("errors of the parts: %q, %q", s.Subs[0].Error, s.Subs[1].Error)
	}
	_, err = w.Fail(t.Context(), s.ID, 0, "again", 0)
	wants(t, err, fault.State, statements.SubjectStatement, "FAILED")
	if again := w.get(t, s.ID); again.Error != "no table" {
		t.Errorf("the refused report left %q", again.Error)
	}

	w.submit(t, params())
	picked, _, err := w.Pick(t.Context(), nil)
	must(t, err)
	s, err = w.Fail(t.Context(), picked.ID, -1, "no connection", 0)
	if err != nil || s.Status != statements.Failed || s.Subs[0].Status != statements.Aborted || s.Subs[0].Error != "" {
		t.Errorf("failed before it started: %+v, %v", s, err)
	}
}

func TestRecover(t *testing.T) {
	w := newWorld()
	finished := w.started(t, params())
	_, err := w.Finish(t.Context(), finished.ID)
	must(t, err)
	started := w.started(t, params())
	must(t, w.FinishSub(t.Context(), started.ID, 0, statements.SubResult{HasResultSet: true, Rows: 3}))
	cancelled := w.started(t, params())
	_, err = w.Cancel(t.Context(), cancelled.ID)
	must(t, err)
	w.submit(t, params())
	picked, _, err := w.Pick(t.Context(), nil)
	must(t, err)
	w.submit(t, params())
	unwanted, _, err := w.Pick(t.Context(), nil)
	must(t, err)
	_, err = w.Cancel(t.Context(), unwanted.ID)
	must(t, err)
	waiting := w.submit(t, params())

	must(t, w.Recover(t.Context()))
	for id, want := range map[string]statements.Status{
		finished.ID: statements.Finished, started.ID: statements.Submitted, cancelled.ID: statements.Submitted, picked.ID: statements.Submitted,
		unwanted.ID: statements.Aborted, waiting.ID: statements.Submitted,
	} {
		if s := w.get(t, id); s.Status != want {
			t.Errorf("%s is %s, want %s", id, s.Status, want)
		}
	}

	// The executor finds that the started one's transaction had committed.
	s, ok, err := w.Pick(t.Context(), nil)
	if err != nil || !ok || s.ID != started.ID || !s.MayHaveRun() {
		t.Fatalf("picked %+v, %v, want the oldest", s, err)
	}
	s, err = w.Finish(t.Context(), s.ID)
	if err != nil || s.Status != statements.Finished || s.Subs[0].Rows != 3 || !s.Subs[0].HasResultSet {
		t.Errorf("finished after the restart: %+v, %v", s, err)
	}
	// What was to be cancelled may have taken effect, so it is picked to find out, and not run.
	s, ok, err = w.Pick(t.Context(), nil)
	if err != nil || !ok || s.ID != cancelled.ID || !s.MayHaveRun() {
		t.Fatalf("picked %+v, %v", s, err)
	}
	_, err = w.Start(t.Context(), s.ID, 9, 9)
	wants(t, err, fault.Canceled, statements.SubjectStatement, s.ID)
	s, _, err = w.Pick(t.Context(), nil)
	if err != nil || s.ID != picked.ID || s.MayHaveRun() {
		t.Errorf("picked %+v, %v", s, err)
	}
}

// Cancelling what waits to be run again does not say that it had no effect.
func TestCancelAfterRestart(t *testing.T) {
	w := newWorld()
	s := w.started(t, params())
	must(t, w.Recover(t.Context()))
	s, err := w.Cancel(t.Context(), s.ID)
	if err != nil || s.Status != statements.Submitted || !s.CancelRequested {
		t.Errorf("got %+v, %v, want it left to the executor", s, err)
	}
}

func TestPages(t *testing.T) {
	w := newWorld()
	s := w.started(t, params())
	must(t, w.PutPage(t.Context(), s.ID, 0, 0, statements.Page{Rows: [][]statements.Value{{"of the first attempt"}}}))
	must(t, w.ClearPages(t.Context(), s.ID))
	_, err := w.Finish(t.Context(), s.ID, statements.SubResult{HasResultSet: true})
	must(t, err)
	if p, err := w.Result(t.Context(), s.ID, ""); err != nil || len(p.Rows) != 0 {
		t.Errorf("got %+v, %v", p, err)
	}
}
