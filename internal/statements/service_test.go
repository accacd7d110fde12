package statements_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

type world struct {
	*statements.Service
	store    *storetest.Memory
	notified int
	ids      int
	now      time.Time
}

func newWorld() *world {
	w := &world{store: storetest.NewMemory(), now: time.Unix(1_800_000_000, 0).UTC()}
	w.Service = statements.NewService(statements.Config{
		Store: w.store, Results: w.store,
		Now:    func() time.Time { return w.now },
		NewID:  func() string { w.ids++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids) },
		Notify: func() { w.notified++ },
	})
	return w
}

func params(sqls ...string) statements.SubmitParams {
	if len(sqls) == 0 {
		sqls = []string{"select 1"}
	}
	return statements.SubmitParams{WarehouseID: "w", Cluster: "c", Database: "dev", User: "admin", Owner: "me", SQLs: sqls, Batch: len(sqls) > 1}
}

// submit hands in a statement, a second after the last.
func (w *world) submit(t *testing.T, p statements.SubmitParams) statements.Statement {
	t.Helper()
	w.now = w.now.Add(time.Second)
	s, err := w.Submit(t.Context(), p)
	must(t, err)
	return s
}

// started hands in a statement and starts it.
func (w *world) started(t *testing.T, p statements.SubmitParams) statements.Statement {
	t.Helper()
	w.submit(t, p)
	s, ok, err := w.Pick(t.Context(), nil)
	must(t, err)
	if !ok {
		t.Fatal("there was nothing to pick")
	}
	s, err = w.Start(t.Context(), s.ID, 7, 8)
	must(t, err)
	return s
}

func (w *world) get(t *testing.T, id string) statements.Statement {
	t.Helper()
	s, _, err := w.Get(t.Context(), id)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, kind fault.Kind, subject, says string) {
	t.Helper()
	if !fault.Is(err, kind, subject) || !strings.Contains(fault.Message(err), says) {
		t.Errorf("err = %v, want %v about %q that says %q", err, kind, subject, says)
	}
}

func TestSubmit(t *testing.T) {
	w := newWorld()
	p := params("a", "b")
	p.Name, p.DbUser, p.SecretARN, p.Parameters = "name", "me", "arn", []statements.Parameter{{Name: "x", Value: "1"}}
	s := w.submit(t, p)
	if s.Status != statements.Submitted || s.Format != "JSON" || len(s.Subs) != 2 || s.Subs[1].SQL != "b" || s.Subs[0].Rows != -1 || s.Created != w.now || s.SessionID != "" || w.notified != 1 {
		t.Errorf("got %+v, notified %d times", s, w.notified)
	}
	for id, part := range map[string]int{s.ID: 0, s.ID + ":1": 1, s.ID + ":2": 2} {
		got, n, err := w.Get(t.Context(), id)
		if err != nil || n != part || got.ID != s.ID || got.Name != "name" || got.Parameters[0].Value != "1" {
			t.Errorf("get %s: %+v, part %d, %v", id, got, n, err)
		}
	}
	for _, id := range []string{"zz", s.ID + ":3", s.ID + ":0", s.ID + ":x", s.ID + ":", s.ID + ":1:1"} {
		_, _, err := w.Get(t.Context(), id)
		wants(t, err, fault.NotFound, statements.SubjectStatement, "does not exist")
	}
}

func TestSubmitRefuses(t *testing.T) {
	w := newWorld()
	for name, change := range map[string]func(*statements.SubmitParams){
		"nothing":             func(p *statements.SubmitParams) { p.SQLs = nil },
		"white space":         func(p *statements.SubmitParams) { p.SQLs = []string{" \n\t"} },
		"two without a batch": func(p *statements.SubmitParams) { p.SQLs, p.Batch = []string{"a", "b"}, false },
		"too many": func(p *statements.SubmitParams) {
			p.SQLs, p.Batch = strings.Split(strings.Repeat("a", 41), ""), true
		},
		"too long":             func(p *statements.SubmitParams) { p.SQLs = []string{strings.Repeat("x", statements.MaxSQL+1)} },
		"format":               func(p *statements.SubmitParams) { p.Format = "XML" },
		"a parameter twice":    func(p *statements.SubmitParams) { p.Parameters = []statements.Parameter{{Name: "a"}, {Name: "a"}} },
		"a session elsewhere":  func(p *statements.SubmitParams) { p.SessionID = "s" },
		"one of the batch bad": func(p *statements.SubmitParams) { p.SQLs, p.Batch = []string{"a", ""}, true },
	} {
		p := params()
		change(&p)
		if _, err := w.Submit(t.Context(), p); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: err = %v, want Invalid", name, err)
		}
	}
	if w.notified != 0 {
		t.Errorf("notified %d times", w.notified)
	}
}

func TestActiveLimit(t *testing.T) {
	w := newWorld()
	for range statements.MaxActive {
		w.submit(t, params())
	}
	_, err := w.Submit(t.Context(), params())
	wants(t, err, fault.Limit, statements.SubjectStatement, "500")
}

func TestClientToken(t *testing.T) {
	w := newWorld()
	p := params()
	p.ClientToken, p.SessionKeepAlive = "token", 60
	first := w.submit(t, p)
	again := w.submit(t, p)
	if again.ID != first.ID || again.SessionID != first.SessionID || w.notified != 1 {
		t.Errorf("again: %s, want %s; notified %d times", again.ID, first.ID, w.notified)
	}
	p.Owner = "you"
	if other := w.submit(t, p); other.ID == first.ID {
		t.Error("another caller got the statement of the first")
	}
}

func TestSessions(t *testing.T) {
	w := newWorld()
	p := params()
	p.SessionKeepAlive = 60
	first := w.submit(t, p)
	if first.SessionID == "" || first.SessionID == first.ID {
		t.Fatalf("the session is %q", first.SessionID)
	}
	next := statements.SubmitParams{Owner: "me", SQLs: []string{"select 2"}, SessionID: first.SessionID, ClientToken: "token"}
	_, err := w.Submit(t.Context(), next)
	wants(t, err, fault.State, statements.SubjectSession, first.ID)
	done := func(s statements.Statement) {
		t.Helper()
		_, _, err := w.Pick(t.Context(), nil)
		must(t, err)
		_, err = w.Finish(t.Context(), s.ID)
		must(t, err)
	}
	done(first)
	second := w.submit(t, next)
	if second.WarehouseID != "w" || second.Cluster != "c" || second.Database != "dev" || second.User != "admin" || second.SessionKeepAlive != 60 || second.SessionID != first.SessionID {
		t.Errorf("the second statement is not where the session is: %+v", second)
	}
	if again := w.submit(t, next); again.ID != second.ID { // a retry is not kept out by itself
		t.Errorf("the retry got %s, want %s", again.ID, second.ID)
	}
	done(second)
	next.ClientToken = ""
	w.now = w.now.Add(59 * time.Second)
	third, err := w.Submit(t.Context(), next)
	must(t, err)
	done(third)
	w.now = w.now.Add(60 * time.Second)
	_, err = w.Submit(t.Context(), next)
	wants(t, err, fault.Expired, statements.SubjectSession, "expired")
	next.SessionID = "none"
	_, err = w.Submit(t.Context(), next)
	wants(t, err, fault.NotFound, statements.SubjectSession, "none")
	next.SessionID, next.Owner = first.SessionID, "you"
	_, err = w.Submit(t.Context(), next)
	wants(t, err, fault.NotFound, statements.SubjectSession, first.SessionID)
}

func TestList(t *testing.T) {
	w := newWorld()
	var want []string
	for n := range 250 {
		p := params()
		p.Name = fmt.Sprintf("n%d", n%2)
		want = append([]string{w.submit(t, p).ID}, want...)
	}
	for _, size := range []*int{nil, new(100), new(0), new(7)} {
		var got []string
		var token string
		for {
			part, err := w.List(t.Context(), statements.Filter{}, token, size)
			must(t, err)
			for _, s := range part.Statements {
				got = append(got, s.ID)
			}
			if token = part.Token; token == "" {
				break
			}
			if size == nil && len(part.Statements) != 100 {
				t.Fatalf("a page has %d statements, want 100", len(part.Statements))
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%d statements in pages, want the %d, newest first", len(got), len(want))
		}
	}
	part, err := w.List(t.Context(), statements.Filter{NamePrefix: "n1"}, "", nil)
	if err != nil || len(part.Statements) != 100 || part.Statements[0].Name != "n1" || part.Token == "" {
		t.Errorf("filtered: %d, token %q, %v", len(part.Statements), part.Token, err)
	}
	_, err = w.List(t.Context(), statements.Filter{}, "", new(101))
	wants(t, err, fault.Invalid, page.SubjectSize, "101")
	for _, token := range []string{"zz", page.Marker("statements", "x", "y", "z"), page.Marker("statements", "!", "y"), page.Marker("result", "0", "y")} {
		_, err = w.List(t.Context(), statements.Filter{}, token, nil)
		wants(t, err, fault.Invalid, page.SubjectMarker, "start again")
	}
}

func TestCancel(t *testing.T) {
	w := newWorld()
	waiting := w.submit(t, params())
	w.notified = 0
	s, err := w.Cancel(t.Context(), waiting.ID)
	if err != nil || s.Status != statements.Aborted || s.Subs[0].Status != statements.Aborted || w.notified != 1 {
		t.Errorf("waiting: %+v, %v, notified %d times; want it aborted at once", s, err, w.notified)
	}
	_, err = w.Cancel(t.Context(), waiting.ID)
	wants(t, err, fault.State, statements.SubjectStatement, "Could not cancel a query that is already in ABORTED state with ID: "+waiting.ID)
	_, err = w.Cancel(t.Context(), "zz")
	wants(t, err, fault.NotFound, statements.SubjectStatement, "zz")

	running := w.started(t, params())
	for range 2 {
		s, err = w.Cancel(t.Context(), running.ID+":1")
		if err != nil || s.Status != statements.Started || !s.CancelRequested {
			t.Errorf("running: %+v, %v; want it to be stopped by the executor", s, err)
		}
	}
	list, err := w.Canceling(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != running.ID {
		t.Errorf("to be cancelled: %v, %v", list, err)
	}
	s, err = w.Abort(t.Context(), running.ID, "Query cancelled on user's request")
	if err != nil || s.Status != statements.Aborted || s.Error == "" {
		t.Errorf("aborted: %+v, %v", s, err)
	}

	w.submit(t, params())
	picked, _, err := w.Pick(t.Context(), nil)
	must(t, err)
	_, err = w.Cancel(t.Context(), picked.ID)
	must(t, err)
	_, err = w.Start(t.Context(), picked.ID, 1, 1)
	wants(t, err, fault.Canceled, statements.SubjectStatement, picked.ID)
	if s := w.get(t, picked.ID); s.Status != statements.Picked {
		t.Errorf("the status is %s, want it to wait for Abort", s.Status)
	}
}

func TestExpire(t *testing.T) {
	w := newWorld()
	s := w.started(t, params())
	_, err := w.Finish(t.Context(), s.ID)
	must(t, err)
	waiting := w.submit(t, params())
	done := w.get(t, s.ID).Updated
	w.now = done.Add(statements.Retention - time.Nanosecond)
	w.get(t, s.ID)
	w.now = done.Add(statements.Retention)
	says := fmt.Sprintf("Could not retrieve the query result as it has expired after %d.", done.Add(statements.Retention).Unix())
	_, _, err = w.Get(t.Context(), s.ID)
	wants(t, err, fault.Expired, statements.SubjectStatement, says)
	w.now = w.now.Add(time.Second)
	n, err := w.Expire(t.Context())
	if err != nil || n != 1 {
		t.Errorf("%d expired, %v, want 1", n, err)
	}
	_, _, err = w.Get(t.Context(), s.ID)
	wants(t, err, fault.Expired, statements.SubjectStatement, says) // the same words before and after it is deleted
	_, err = w.Result(t.Context(), s.ID, "")
	wants(t, err, fault.Expired, statements.SubjectStatement, says)
	_, err = w.Cancel(t.Context(), s.ID)
	wants(t, err, fault.Expired, statements.SubjectStatement, says)
	w.get(t, waiting.ID) // however old, it is not done
}

func TestResult(t *testing.T) {
	w := newWorld()
	columns := []statements.Column{{Name: "n"}}
	s := w.started(t, params("select", "update", "select none"))
	pages := [][]int64{{1, 2}, {3, 4}, {5}}
	for n, p := range pages {
		var rows [][]statements.Value
		for _, v := range p {
			rows = append(rows, []statements.Value{v})
		}
		must(t, w.PutPage(t.Context(), s.ID, 0, n, statements.Page{Rows: rows}))
	}
	const none = "Query does not have result. Please check query status with DescribeStatement."
	_, err := w.Result(t.Context(), s.ID+":1", "")
	wants(t, err, fault.NotFound, statements.SubjectResult, none)
	_, err = w.Finish(t.Context(), s.ID, statements.SubResult{HasResultSet: true, Columns: columns, Rows: 5}, statements.SubResult{Rows: 9}, statements.SubResult{HasResultSet: true, Columns: columns})
	must(t, err)

	var got []int64
	var tokens []string
	for token := ""; ; {
		p, err := w.Result(t.Context(), s.ID+":1", token)
		must(t, err)
		if p.Total != 5 || len(p.Columns) != 1 {
			t.Errorf("page %d: total %d, columns %v", len(tokens), p.Total, p.Columns)
		}
		for _, row := range p.Rows {
			got = append(got, row[0].(int64))
		}
		if token = p.Token; token == "" {
			break
		}
		tokens = append(tokens, token)
	}
	if fmt.Sprint(got) != "[1 2 3 4 5]" || len(tokens) != 2 {
		t.Errorf("rows %v with %d tokens", got, len(tokens))
	}
	_, err = w.Result(t.Context(), s.ID+":2", "")
	wants(t, err, fault.NotFound, statements.SubjectResult, none)
	if p, err := w.Result(t.Context(), s.ID+":3", ""); err != nil || len(p.Rows) != 0 || p.Token != "" || len(p.Columns) != 1 {
		t.Errorf("an empty result: %+v, %v", p, err)
	}
	_, err = w.Result(t.Context(), s.ID, "")
	wants(t, err, fault.NotFound, statements.SubjectResult, s.ID+":1")
	_, err = w.Result(t.Context(), "zz", "")
	wants(t, err, fault.NotFound, statements.SubjectStatement, "zz")
	for _, token := range []string{"zz", page.Marker("result", s.ID, "1", "0", "0"), page.Marker("result", s.ID, "1", "x", "1"), page.Marker("result", "other", "1", "1", "2"), page.Marker("statements", s.ID, "1", "1", "2")} {
		_, err = w.Result(t.Context(), s.ID+":1", token)
		wants(t, err, fault.Invalid, page.SubjectMarker, "")
	}
	_, err = w.Result(t.Context(), s.ID+":3", tokens[0])
	wants(t, err, fault.Invalid, page.SubjectMarker, "this result")
	_, err = w.Result(t.Context(), s.ID+":1", page.Marker("result", s.ID, "1", "9", "3"))
	wants(t, err, fault.NotFound, statements.SubjectResult, "")

	single := w.started(t, params())
	must(t, w.PutPage(t.Context(), single.ID, 0, 0, statements.Page{Rows: [][]statements.Value{{"x"}}}))
	_, err = w.Finish(t.Context(), single.ID, statements.SubResult{HasResultSet: true, Columns: columns, Rows: 1})
	must(t, err)
	for _, id := range []string{single.ID, single.ID + ":1"} {
		if p, err := w.Result(t.Context(), id, ""); err != nil || len(p.Rows) != 1 || p.Token != "" {
			t.Errorf("%s: %+v, %v", id, p, err)
		}
	}
}
