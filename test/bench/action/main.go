// Command action measures what a call of a connector's action costs over the same HTTPS request made directly:
// arguments validated, request made, credentials added, rate and breaker asked, answer read and bounded. The
// vendor is a local TLS server in the same process, so it and the load share the machine's cores.
//
// With -binary the same calls also go through a running server: signed, authorised and recorded there.
//
//	go run ./test/bench/action
//	go run ./test/bench/action -binary bin/penstock
//	go run ./test/bench/action -calls 20000 -seconds 5 -workers 16
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/secret"
)

func main() {
	calls := flag.Int("calls", 10000, "calls of the latency measurement, of each kind")
	seconds := flag.Int("seconds", 5, "length of each throughput measurement")
	workers := flag.Int("workers", 16, "calls at the same time in the throughput measurement")
	binary := flag.String("binary", "", "measure through this server, too")
	flag.Parse()
	if err := run(*binary, *calls, time.Duration(*seconds)*time.Second, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const (
	issue     = `{"id":"10001","key":"OPS-7","fields":{"summary":"Printer on fire","status":{"name":"To Do"}}}`
	arguments = `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"Printer on fire","description":"It burns.\n\nStill."}}`
)

// kind is one way to make the calls.
type kind struct {
	name string
	call func(context.Context) error
}

func run(binary string, calls int, length time.Duration, workers int) error {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, issue)
	}))
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	way, err := egress.New(egress.Policy{RootCAs: pool, AllowedNetworks: egress.Everywhere()})
	if err != nil {
		return err
	}
	defer way.Close()
	engine, err := invoke.New(invoke.Config{Egress: map[string]http.RoundTripper{"": way.Transport()}})
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	connector := invoke.Connector{ID: "bench", Type: "JIRA_CLOUD", BaseURL: server.URL,
		Auth: invoke.Auth{Kind: invoke.AuthAPIKey, Key: secret.NewText("key"), Email: "me@example.com"}}

	direct := func(ctx context.Context, method, path string, body []byte) error {
		r, err := http.NewRequestWithContext(ctx, method, server.URL+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("me@example.com", "key")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	pairs := [][2]kind{
		{
			{"GetIssue direct", func(ctx context.Context) error { return direct(ctx, "GET", "/rest/api/3/issue/OPS-7", nil) }},
			{"GetIssue", func(ctx context.Context) error {
				_, err := engine.Invoke(ctx, invoke.Call{Connector: connector, Action: "GetIssue", Arguments: json.RawMessage(`{"key":"OPS-7"}`)})
				return err
			}},
		}, {
			{"CreateIssue direct", func(ctx context.Context) error { return direct(ctx, "POST", "/rest/api/3/issue", []byte(arguments)) }},
			{"CreateIssue", func(ctx context.Context) error {
				_, err := engine.Invoke(ctx, invoke.Call{Connector: connector, Action: "CreateIssue", Arguments: json.RawMessage(arguments)})
				return err
			}},
		},
	}
	ctx := context.Background()
	if binary != "" {
		server, err := start(ctx, binary, server)
		if err != nil {
			return err
		}
		defer func() {
			if err := server.stop(); err != nil {
				fmt.Fprintln(os.Stderr, "bench: stop the server:", err)
			}
		}()
		pairs = append(pairs,
			[2]kind{pairs[0][0], {"GetIssue through the server", func(ctx context.Context) error { return server.call(ctx, "GetIssue", `{"key":"OPS-7"}`) }}},
			[2]kind{pairs[1][0], {"CreateIssue through the server", func(ctx context.Context) error { return server.call(ctx, "CreateIssue", arguments) }}})
	}
	fmt.Printf("%s, %d cores; the vendor is in the same process\n\n", runtime.Version(), runtime.GOMAXPROCS(0))
	fmt.Println("| what | p50 | p99 | direct p50 | direct p99 | added p50 | added p99 |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, p := range pairs {
		if err := latency(ctx, p, calls); err != nil {
			return err
		}
	}
	fmt.Printf("\n| what, %d at a time | calls/s | direct calls/s | ratio |\n|---|---|---|---|\n", workers)
	for _, p := range pairs {
		if err := throughput(ctx, p, length, workers); err != nil {
			return err
		}
	}
	return nil
}

// latency makes calls of both kinds in turn, so that what else the machine does meets both.
func latency(ctx context.Context, p [2]kind, calls int) error {
	var took [2][]time.Duration
	for i := range calls + 200 {
		for k := range p {
			began := time.Now()
			if err := p[k].call(ctx); err != nil {
				return fmt.Errorf("%s: %w", p[k].name, err)
			}
			if i >= 200 { // the first ones make connections and read schemas
				took[k] = append(took[k], time.Since(began))
			}
		}
	}
	at := func(k, percent int) time.Duration {
		slices.Sort(took[k])
		return took[k][(len(took[k])-1)*percent/100]
	}
	us := func(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
	fmt.Printf("| %s | %s | %s | %s | %s | %s | %s |\n", p[1].name, us(at(1, 50)), us(at(1, 99)), us(at(0, 50)), us(at(0, 99)), us(at(1, 50)-at(0, 50)), us(at(1, 99)-at(0, 99)))
	return nil
}

func throughput(ctx context.Context, p [2]kind, length time.Duration, workers int) error {
	var perSecond [2]float64
	for k := range p {
		var done atomic.Int64
		var failed atomic.Value
		began := time.Now()
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for time.Since(began) < length && failed.Load() == nil {
					if err := p[k].call(ctx); err != nil {
						failed.Store(err)
						return
					}
					done.Add(1)
				}
			})
		}
		group.Wait()
		if err, ok := failed.Load().(error); ok {
			return fmt.Errorf("%s: %w", p[k].name, err)
		}
		perSecond[k] = float64(done.Load()) / time.Since(began).Seconds()
	}
	fmt.Printf("| %s | %.0f | %.0f | %.2f |\n", p[1].name, perSecond[1], perSecond[0], perSecond[1]/perSecond[0])
	return nil
}
