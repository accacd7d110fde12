package vendortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// Epoch is when the first record of a test was modified.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a reader with the fake it reads from, and what it did meanwhile.
type bench struct {
	fake   *Fake
	reader vendors.Reader
	log    *bytes.Buffer

	mu     sync.Mutex
	pauses []time.Duration
}

func newBench(t *testing.T, newFake func(*testing.T) *Fake, change func(*vendors.Profile)) *bench {
	t.Helper()
	b := &bench{fake: newFake(t), log: &bytes.Buffer{}}
	p := b.fake.Profile()
	if change != nil {
		change(&p)
	}
	var err error
	b.reader, err = vendors.Open(b.fake.Vendor, "test", p, vendors.Options{
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Sleep: func(ctx context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.pauses = append(b.pauses, d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) query() vendors.Query { return vendors.Query{Object: b.fake.Object} }

// got is what a reading gave.
type got struct {
	ids     []string
	records []map[string]any
	marks   []string // after each page
	counts  []int    // records up to and with each page
}

func (b *bench) read(ctx context.Context, q vendors.Query, mark string) (g got, err error) {
	err = b.reader.Read(ctx, q, mark, func(p vendors.Page) error {
		for _, r := range p.Records {
			if bytes.ContainsAny(r, "\r\n") {
				return errors.New("a record has a line end in it: " + string(r))
			}
			var v map[string]any
			d := json.NewDecoder(bytes.NewReader(r))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				return err
			}
			g.records = append(g.records, v)
			id, _ := v[b.fake.Key].(string)
			if n, ok := v[b.fake.Key].(json.Number); ok {
				id = n.String()
			}
			g.ids = append(g.ids, id)
		}
		g.marks, g.counts = append(g.marks, p.Mark), append(g.counts, len(g.ids))
		return nil
	})
	return g, err
}

func (b *bench) mustRead(t *testing.T, q vendors.Query, mark string) got {
	t.Helper()
	g, err := b.read(t.Context(), q, mark)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return g
}

func ids(records []Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

// same fails the test unless the ids are those wanted, in any order and each once.
func same(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("got the records %v, want %v", got, want)
	}
}

// Suite holds a reader to the contract of vendors.Reader. newFake starts the vendor it reads from.
func Suite(t *testing.T, newFake func(*testing.T) *Fake) {
	t.Run("pages", func(t *testing.T) {
		t.Parallel()
		for _, n := range []int{0, 1, 3, 4, 9, 10} {
			b := newBench(t, newFake, nil)
			want := b.fake.Add(epoch, n)
			g := b.mustRead(t, b.query(), "")
			same(t, g.ids, ids(want))
			if n > 4 && len(g.marks) < 3 {
				t.Errorf("%d records came in %d pages of at most 3", n, len(g.marks))
			}
		}
	})
	t.Run("equal times", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		var want []Record
		for range 7 {
			want = append(want, b.fake.Add(epoch, 1)...)
		}
		want = append(want, b.fake.Add(epoch.Add(time.Minute), 4)...)
		same(t, b.mustRead(t, b.query(), "").ids, ids(want))
	})
	t.Run("window", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		all := b.fake.Add(epoch, 12)
		for _, w := range []struct{ from, to int }{{0, 12}, {3, 9}, {5, 6}, {4, 4}, {11, 12}} {
			q := b.query()
			q.Start, q.End = epoch.Add(time.Duration(w.from)*time.Second), epoch.Add(time.Duration(w.to)*time.Second)
			same(t, b.mustRead(t, q, "").ids, ids(all[w.from:w.to]))
		}
		q := b.query()
		q.Start = epoch.Add(10 * time.Second)
		same(t, b.mustRead(t, q, "").ids, ids(all[10:]))
		q.Start, q.End = time.Time{}, epoch.Add(2*time.Second)
		same(t, b.mustRead(t, q, "").ids, ids(all[:2]))
	})
	t.Run("resume after every page", func(t *testing.T) {
		t.Parallel()
		for _, forget := range []bool{false, true} {
			b := newBench(t, newFake, nil)
			if forget && b.fake.Vendor == vendors.Zendesk {
				continue // its cursors do not expire
			}
			want := ids(b.fake.Add(epoch, 11))
			whole := b.mustRead(t, b.query(), "")
			same(t, whole.ids, want)
			for k, mark := range whole.marks {
				if forget {
					b.fake.Forget()
				}
				rest := b.mustRead(t, b.query(), mark)
				same(t, append(slices.Clone(whole.ids[:whole.counts[k]]), rest.ids...), want)
			}
		}
	})
	t.Run("fields", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		want := b.fake.Add(epoch, 4)
		name := "Title"
		if b.fake.Vendor == vendors.ServiceNow {
			name = "title"
		}
		q := b.query()
		q.Fields = []string{name}
		for n, r := range b.mustRead(t, q, "").records {
			if len(r) != 1 || r[name] != want[n].Values[name] {
				t.Errorf("record %d is %v, want %s alone, which is %q", n, r, name, want[n].Values[name])
			}
		}
		for n, r := range b.mustRead(t, b.query(), "").records {
			if _, there := r["attributes"]; there || r[name] != want[n].Values[name] || r[b.fake.Stamp] == nil {
				t.Errorf("record %d is %v, want all its fields", n, r)
			}
		}
	})
	t.Run("trouble that passes", func(t *testing.T) {
		t.Parallel()
		for name, f := range map[string]Failure{
			"429": {Status: 429, RetryAfter: "7"}, "503": {Status: 503, Body: "<html>Service Unavailable</html>"}, "500": {Status: 500, Body: `{"error":"internal"}`},
			"cut": {Cut: true}, "short": {Short: true}, "page": {Page: true}, "expired": {Expire: true},
			"date": {Status: 503, RetryAfter: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)},
		} {
			for at := range 3 { // in the midst of the pages, too
				b := newBench(t, newFake, nil)
				want := ids(b.fake.Add(epoch, 7))
				_ = b.mustRead(t, b.query(), "") // with a token of its own
				_, before := b.fake.Requests()
				b.fake.Fail(append(make([]Failure, at), f)...)
				if name == "date" {
					// An hour is more than a run waits.
					_, err := b.read(t.Context(), b.query(), "")
					if fault.KindOf(err) != fault.Throttled {
						t.Errorf("%s at request %d: err = %v, want Throttled", name, at, err)
					}
					continue
				}
				g, err := b.read(t.Context(), b.query(), "")
				if err != nil {
					t.Errorf("%s at request %d: %v", name, at, err)
					continue
				}
				same(t, g.ids, want)
				_, after := b.fake.Requests()
				switch {
				case name == "429" && !slices.Equal(b.pauses, []time.Duration{7 * time.Second}):
					t.Errorf("the reader waited %v, want the 7 s of Retry-After", b.pauses)
				case name == "expired" && (after != before+1 || len(b.pauses) > 0):
					t.Errorf("%d tokens were fetched and it waited %v, want one token at once", after-before, b.pauses)
				case name != "expired" && (after != before || len(b.pauses) != 1):
					t.Errorf("%s: %d tokens were fetched and it waited %v, want no token and one pause", name, after-before, b.pauses)
				}
			}
		}
	})
	t.Run("trouble that stays", func(t *testing.T) {
		t.Parallel()
		for kind, f := range map[fault.Kind]Failure{
			fault.Throttled: {Status: 429}, fault.Unavailable: {Status: 502}, fault.Denied: {Status: 403, Body: `{"error":{"message":"not yours"}}`},
		} {
			b := newBench(t, newFake, nil)
			b.fake.Add(epoch, 7)
			b.fake.Fail(slices.Repeat([]Failure{f}, 50)...)
			_, err := b.read(t.Context(), b.query(), "")
			if fault.KindOf(err) != kind {
				t.Errorf("status %d: err = %v, want %v", f.Status, err, kind)
			}
			if n := len(b.pauses); kind == fault.Denied && n > 0 || kind != fault.Denied && (n < 3 || n > 20) {
				t.Errorf("status %d was tried again %d times", f.Status, n)
			}
			b.readable(t, err)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, func(p *vendors.Profile) { p.Auth.ClientSecret = secret.NewText("wrong-secret-9931") })
		_, err := b.read(t.Context(), b.query(), "")
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("wrong client secret: err = %v, want Denied", err)
		}
		b.readable(t, err, "wrong-secret-9931")

		b = newBench(t, newFake, nil)
		b.fake.Add(epoch, 7)
		_ = b.mustRead(t, b.query(), "")
		b.fake.Refuse()
		_, err = b.read(t.Context(), b.query(), "")
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("credentials that were withdrawn: err = %v, want Denied", err)
		}
		b.readable(t, err)

		b = newBench(t, newFake, func(p *vendors.Profile) {
			p.Auth = vendors.Auth{Type: vendors.Bearer, Token: secret.NewText("stale-token-1187")}
		})
		_, err = b.read(t.Context(), b.query(), "")
		if fault.KindOf(err) != fault.Denied {
			t.Errorf("wrong bearer token: err = %v, want Denied", err)
		}
		b.readable(t, err, "stale-token-1187")
	})
	t.Run("unknown object", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		for _, call := range []func(q vendors.Query) error{
			func(q vendors.Query) error { _, err := b.reader.Describe(t.Context(), q); return err },
			func(q vendors.Query) error { _, err := b.read(t.Context(), q, ""); return err },
		} {
			if err := call(vendors.Query{Object: "nosuchthing"}); !fault.Is(err, fault.NotFound, vendors.SubjectRecords) || !strings.Contains(err.Error(), "nosuchthing") {
				t.Errorf("err = %v, want NotFound that names it", err)
			}
			for _, bad := range []string{"", "a b", "x'; --", "../../secret", "a/b", "a?b=c", "a^b"} {
				if err := call(vendors.Query{Object: bad}); !fault.Is(err, fault.Invalid, vendors.SubjectRecords) {
					t.Errorf("object %q: err = %v, want Invalid", bad, err)
				}
			}
		}
	})
	t.Run("describe", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		if _, err := b.reader.Describe(t.Context(), b.query()); err != nil {
			t.Error(err)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, func(p *vendors.Profile) { p.BaseURL = "https://127.0.0.1:1" })
		if _, err := b.read(t.Context(), b.query(), ""); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("nobody listens: err = %v, want Unavailable", err)
		}
		b = newBench(t, newFake, func(p *vendors.Profile) { p.CAFile = "" })
		if _, err := b.read(t.Context(), b.query(), ""); !fault.Is(err, fault.Invalid, vendors.SubjectVendor) || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("an unknown authority: err = %v, want Invalid that says what to set", err)
		}
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, newFake, nil)
		b.fake.Add(epoch, 9)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.read(ctx, b.query(), ""); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: err = %v", err)
		}
		errStop := errors.New("the consumer has had enough")
		pages := 0
		err := b.reader.Read(t.Context(), b.query(), "", func(vendors.Page) error { pages++; return errStop })
		if !errors.Is(err, errStop) || pages != 1 {
			t.Errorf("err = %v after %d pages, want the consumer's after one", err, pages)
		}
		for _, mark := range []string{"rubbish", "[]", "\x00"} {
			if _, err := b.read(t.Context(), b.query(), mark); !fault.Is(err, fault.Invalid, vendors.SubjectRecords) {
				t.Errorf("mark %q: err = %v, want Invalid", mark, err)
			}
		}
	})
}

// readable checks that an error's message fits where it is shown and gives no credential away.
func (b *bench) readable(t *testing.T, err error, secrets ...string) {
	t.Helper()
	message := fault.Message(err)
	if len(message) < 20 {
		t.Errorf("the message says too little: %q", message)
	}
	for _, s := range append(secrets, ClientSecret, b.fake.token) {
		if strings.Contains(err.Error(), s) || strings.Contains(b.log.String(), s) {
			t.Errorf("a credential is in the error or in the log: %v", err)
		}
	}
}
