// Command dynamodb measures the embedded tables, each figure beside a baseline of the same run: the storage
// library's own batch write and walk, and moto's server where it is installed. The server runs in this
// process behind a real listener, so load and server share the machine's cores, and every request is signed
// and verified.
//
//	go run ./test/bench/dynamodb               everything but memory
//	go run ./test/bench/dynamodb -run scan     those whose name contains "scan"
//	go run ./test/bench/dynamodb -run memory -items 10000000
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	front "github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

type bench struct {
	dir     string
	db      *tables.DB
	client  *client
	seconds time.Duration
	items   int
}

// A figure is a row of the table.
type figure struct{ what, value, must, stretch, baseline, ratio string }

type measure struct {
	name string
	run  func(*bench) ([]figure, error)
}

var measures = []measure{
	{"batch-write", batchWrite}, {"get-item", getItem}, {"scan", scan}, {"get-records", getRecords}, {"freshness", freshness}, {"memory", memory},
}

func main() {
	only := flag.String("run", "", "measure only what has this in its name; memory is measured only if named")
	seconds := flag.Duration("time", 4*time.Second, "how long each is measured")
	items := flag.Int("items", 1_000_000, "items of the memory measure")
	idle := flag.String("idle", "", "internal: open the tables of a directory and print the memory they take")
	flag.Parse()
	if *idle != "" {
		if err := printIdle(*idle); err != nil {
			fail(err)
		}
		return
	}
	fmt.Printf("%s, %d cores, %s\n\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
	fmt.Println("| what | measured | must | stretch | baseline in the same run | ratio |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, m := range measures {
		if !strings.Contains(m.name, *only) || m.name == "memory" && *only == "" {
			continue
		}
		figures, err := withServer(m.run, *seconds, *items)
		if err != nil {
			fail(fmt.Errorf("%s: %w", m.name, err))
		}
		for _, f := range figures {
			fmt.Printf("| %s | %s | %s | %s | %s | %s |\n", f.what, f.value, f.must, f.stretch, f.baseline, f.ratio)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func openTables(dir string) (*tables.DB, error) {
	return tables.Open(tables.Config{
		Dir: dir, Region: wiretest.Region, Account: wiretest.Account, Now: time.Now, NewID: uuid.NewString, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}

// withServer runs a measure against a new server over new tables.
func withServer(run func(*bench) ([]figure, error), seconds time.Duration, items int) ([]figure, error) {
	dir, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := openTables(filepath.Join(dir, "tables"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	h, err := wire.New(wire.Config{
		Services: front.Services(front.Config{DB: db, Region: wiretest.Region, Endpoint: "localhost", Now: time.Now}),
		Keys:     wiretest.Keys{}, Region: wiretest.Region, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 2)
	go func() { served <- h.Serve(ctx, l) }()
	go func() { served <- db.Run(ctx) }()
	b := &bench{dir: dir, db: db, client: newClient("http://" + l.Addr().String()), seconds: seconds, items: items}
	figures, err := run(b)
	stop()
	for range 2 {
		if serr := <-served; serr != nil && err == nil {
			err = serr
		}
	}
	return figures, err
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func count(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func quantile(list []time.Duration, q float64) time.Duration {
	slices.Sort(list)
	return list[min(len(list)-1, int(q*float64(len(list))))]
}
