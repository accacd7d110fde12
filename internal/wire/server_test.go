package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/awsapi/sts"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a handler on a real listener.
type running struct {
	address string
	stop    context.CancelFunc
	done    chan error
	client  wiretest.Client
}

func serve(t *testing.T, change func(*wire.Config)) *running {
	t.Helper()
	b := newBench(t, change)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{address: l.Addr().String(), stop: stop, done: make(chan error, 1), client: b.client}
	go func() { r.done <- b.Serve(ctx, l) }()
	t.Cleanup(stop)
	return r
}

// wait fails the test unless Serve has returned without an error.
func (r *running) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Serve did not return")
	}
}

// identify sends a GetCallerIdentity on a connection of its own and returns the status.
func (r *running) identify(t *testing.T) (int, error) {
	t.Helper()
	req := wiretest.Query("GetCallerIdentity")
	req.Host = r.address
	r.client.Sign(t, "sts", req)
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", r.address
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

// gate is an sts whose handler waits to be let go.
type gate struct {
	entered chan struct{}
	leave   chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 1), make(chan struct{})} }

func (g *gate) service() []*wire.Service {
	return []*wire.Service{sts.Operations{
		GetCallerIdentity: func(ctx context.Context, _ identity.Caller, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
			g.entered <- struct{}{}
			select {
			case <-g.leave:
				return &sts.GetCallerIdentityResponse{}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}.Service(nil)}
}

func TestServeDrains(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := serve(t, func(c *wire.Config) { c.Services = g.service() })
	status := make(chan int, 1)
	go func() {
		code, err := r.identify(t)
		if err != nil {
			t.Errorf("the request in flight: %v", err)
		}
		status <- code
	}()
	<-g.entered
	r.stop()
	for { // until the listener is closed; each attempt is over before the next
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	select {
	case err := <-r.done:
		t.Fatalf("Serve returned with a request in flight: %v", err)
	default:
	}
	close(g.leave)
	if got := <-status; got != 200 {
		t.Errorf("the request in flight got %d", got)
	}
	r.wait(t)
}

func TestServeCutsOffAfterGrace(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := serve(t, func(c *wire.Config) {
		c.Services = g.service()
		c.Limits.Grace = time.Millisecond
	})
	failed := make(chan error, 1)
	go func() {
		_, err := r.identify(t)
		failed <- err
	}()
	<-g.entered
	r.stop()
	r.wait(t) // the handler's context has ended, or this would never be
	if err := <-failed; err == nil {
		t.Error("a request that was cut off got an answer")
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := b.Serve(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

// A client that sends slowly is not waited for, before and within the body; one that stops early is told.
func TestServeSlowAndShortClients(t *testing.T) {
	t.Parallel()
	r := serve(t, func(c *wire.Config) { c.Limits.Reading = time.Second })
	head := func(length int) string {
		req := wiretest.Query("GetCallerIdentity")
		req.Host = "h"
		r.client.Sign(t, "sts", req)
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Amz-Date: %s\r\n"+
			"Authorization: %s\r\nContent-Length: %d\r\n\r\n", req.Header.Get("X-Amz-Date"), req.Header.Get("Authorization"), length)
	}
	for _, c := range []struct {
		name, send string
		closeWrite bool
		want       string // of the answer; empty: the connection is closed without one
	}{
		{"stops in the headers", "POST / HTTP/1.1\r\nHost: h\r\n", false, ""},
		{"stops in the body", head(100) + "Action=", false, "408"},
		{"ends in the body", head(100) + "Action=", true, "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", r.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			if c.closeWrite {
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			line, err := bufio.NewReader(conn).ReadString('\n')
			if c.want == "" {
				if !errors.Is(err, io.EOF) {
					t.Errorf("got %q, %v; want the connection closed", line, err)
				}
			} else if !strings.HasPrefix(line, "HTTP/1.1 "+c.want) {
				t.Errorf("got %q, %v; want %s", line, err, c.want)
			}
		})
	}
	t.Cleanup(func() {
		r.stop()
		r.wait(t)
	})
}

// Stopping while requests come in loses none of those that were taken.
func TestServeStopsUnderLoad(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := serve(t, nil)
		first := make(chan struct{})
		var clients [4]chan struct{}
		for i := range clients {
			clients[i] = make(chan struct{})
			go func() {
				defer close(clients[i])
				for n := 0; ; n++ {
					status, err := r.identify(t)
					if err != nil {
						return // refused, or closed before it was taken
					}
					if status != 200 {
						t.Errorf("status %d", status)
					}
					if i == 0 && n == 0 {
						close(first)
					}
				}
			}()
		}
		<-first
		r.stop()
		r.wait(t)
		for _, c := range clients {
			<-c
		}
	}
}
