package mcp

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/identity"
)

// flaky is a remote MCP server that can be taken away, with a clock for the engine that calls it.
type flaky struct {
	*httptest.Server
	tools    box
	down     atomic.Bool
	hold     atomic.Bool // requests are not answered
	stay     atomic.Bool // the end of a session is not answered
	large    atomic.Bool // answers are endless
	requests atomic.Int32
	now      atomic.Int64
	engine   *invoke.Engine
}

func newFlaky(t *testing.T, c invoke.Config) *flaky {
	t.Helper()
	f := &flaky{}
	f.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	h := New(Config{Toolbox: &f.tools, Fresh: time.Nanosecond})
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		switch {
		case f.large.Load():
			w.Header().Set("Content-Type", "application/json")
			for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case f.hold.Load(), f.stay.Load() && r.Method == http.MethodDelete:
			_, _ = io.Copy(io.Discard, r.Body) // until then nobody notices that the client has gone
			<-r.Context().Done()
		case f.down.Load():
			w.WriteHeader(http.StatusBadGateway)
		default:
			user := r.Header.Get("Authorization")
			h.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), identity.Caller{UserID: user})))
		}
	}))
	t.Cleanup(func() {
		for _, c := range h.all() {
			c.close()
		}
		f.CloseClientConnections()
		f.Close()
	})
	pool := x509.NewCertPool()
	pool.AddCert(f.Certificate())
	e, err := egress.New(egress.Policy{AllowedNetworks: egress.Everywhere(), RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	c.Egress, c.Remote = map[string]http.RoundTripper{"": e.Transport()}, Client{}
	c.Now = func() time.Time { return time.Unix(0, f.now.Load()) }
	if f.engine, err = invoke.New(c); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flaky) pass(d time.Duration) { f.now.Add(int64(d)) }

func (f *flaky) call(user, action string) invoke.Call {
	c := remoteCall(f.Server, &oneToken{now: user}, action, `{"key":"a"}`)
	c.Connector.User = user
	return c
}

func (f *flaky) actions(t *testing.T, user string) (int, error) {
	t.Helper()
	known, err := f.engine.Catalogue(t.Context(), f.call(user, "").Connector)
	if err != nil {
		return 0, err
	}
	return len(known.Actions), nil
}

func TestRemoteServerChangesItsTools(t *testing.T) {
	t.Parallel()
	f := newFlaky(t, invoke.Config{})
	f.tools.set("Bearer ann", offer("a_one"))
	f.tools.set("Bearer bob", offer("b_one"), offer("b_two"))
	ann := f.call("ann", "a_one")
	if _, err := f.engine.Invoke(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	// Each user has the tools that the server gives that user.
	if n, err := f.actions(t, "bob"); err != nil || n != 2 {
		t.Errorf("bob has %d tools (%v)", n, err)
	}
	if n, err := f.actions(t, "ann"); err != nil || n != 1 {
		t.Errorf("ann has %d tools (%v)", n, err)
	}
	// A new tool can be called before anybody lists it, but nobody can have the server asked all the time.
	f.tools.set("Bearer ann", offer("a_two"))
	ann.Action = "a_two"
	before := f.requests.Load()
	var failed *invoke.Error
	if _, err := f.engine.Invoke(t.Context(), ann); !errors.As(err, &failed) || failed.Reason != invoke.UnknownAction || f.requests.Load() != before {
		t.Errorf("at once: %v", err)
	}
	f.pass(6 * time.Second)
	if _, err := f.engine.Invoke(t.Context(), ann); err != nil {
		t.Errorf("after a while: %v", err)
	}
	ann.Action = "a_one"
	if _, err := f.engine.Invoke(t.Context(), ann); !errors.As(err, &failed) || failed.Reason != invoke.UnknownAction {
		t.Errorf("a tool that is gone: %v", err)
	}
}

func TestRemoteServerIsDown(t *testing.T) {
	t.Parallel()
	f := newFlaky(t, invoke.Config{})
	f.tools.set("Bearer ann", offer("a_one"))
	f.down.Store(true)
	var failed *invoke.Error
	if _, err := f.actions(t, "ann"); !errors.As(err, &failed) || failed.Reason != invoke.VendorFailed {
		t.Fatalf("err = %v", err)
	}
	// It is left alone by lists for a while, not by calls.
	before := f.requests.Load()
	if _, err := f.actions(t, "ann"); !errors.As(err, &failed) || f.requests.Load() != before {
		t.Errorf("err = %v, asked %d times", err, f.requests.Load()-before)
	}
	if _, err := f.engine.Invoke(t.Context(), f.call("ann", "a_one")); err == nil || f.requests.Load() == before {
		t.Errorf("a call asks nobody: %v", err)
	}
	f.down.Store(false)
	if _, err := f.engine.Invoke(t.Context(), f.call("ann", "a_one")); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	// What was known of one that goes away later stays in lists.
	f.down.Store(true)
	f.pass(2 * time.Minute)
	if n, err := f.actions(t, "ann"); err != nil || n != 1 {
		t.Errorf("%d tools (%v)", n, err)
	}
	if _, err := f.engine.Invoke(t.Context(), f.call("ann", "a_one")); !errors.As(err, &failed) || failed.Reason != invoke.VendorFailed {
		t.Errorf("a call of a server that is down: %v", err)
	}
}

// A server that never answers ends a list in time, and is no reason to wait at the next one.
func TestRemoteServerNeverAnswers(t *testing.T) {
	t.Parallel()
	f := newFlaky(t, invoke.Config{Timeout: 50 * time.Millisecond})
	f.hold.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var failed *invoke.Error
	if _, err := f.engine.Catalogue(ctx, f.call("ann", "").Connector); !errors.As(err, &failed) || failed.Reason != invoke.VendorTimeout || ctx.Err() != nil {
		t.Errorf("err = %v", err)
	}
	before := f.requests.Load()
	if _, err := f.engine.Catalogue(ctx, f.call("ann", "").Connector); !errors.As(err, &failed) || f.requests.Load() != before {
		t.Errorf("err = %v", err)
	}
}

// A server that answers without end is not read to the end, and one that does not let a session go is left.
func TestRemoteServerIsEndless(t *testing.T) {
	t.Parallel()
	f := newFlaky(t, invoke.Config{MaxRead: 1 << 20})
	f.tools.set("Bearer ann", offer("a_one"))
	f.stay.Store(true)
	if _, err := f.engine.Invoke(t.Context(), f.call("ann", "a_one")); err != nil {
		t.Errorf("a session that does not end: %v", err)
	}
	f.large.Store(true)
	var failed *invoke.Error
	if _, err := f.engine.Invoke(t.Context(), f.call("ann", "a_one")); !errors.As(err, &failed) || failed.Reason != invoke.AnswerTooLarge || !failed.Unknown {
		t.Errorf("err = %v", err)
	}
}
