// Command bench measures the figures of docs/benchmarks.md on a running penstock, each beside a baseline
// measured in the same run on the same machine: source, server and load share its cores.
//
//	go run ./test/bench -binary bin/penstock            all lines
//	go run ./test/bench -binary bin/penstock -run bulk  those whose name contains "bulk"
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

// line is one row of the table.
type line struct {
	name string
	run  func(context.Context, *env) ([]figure, error)
}

// figure is what a line measured.
type figure struct {
	what     string
	value    string
	baseline string // what it is compared with, and its value
	ratio    string
}

// env is where a line works.
type env struct {
	dir   string  // scratch
	scale float64 // 1 is the full size
}

func lines() []line {
	return []line{
		{"latency", latency},
		{"small-files", smallFiles},
		{"bulk-csv", bulkCSV},
		{"bulk-parquet", bulkParquet},
		{"memory", memory},
		{"start", startup},
		{"describe-integrations", describeIntegrations},
		{"table-snapshot", tableSnapshot},
		{"table-drain", tableDrain},
		{"table-freshness", tableFreshness},
	}
}

func main() {
	binary := flag.String("binary", "bin/penstock", "the server to measure")
	only := flag.String("run", "", "measure only lines whose name contains this")
	scale := flag.Float64("scale", 1, "size of the data; 1 is what the documentation shows")
	flag.Parse()
	if err := os.Setenv("PENSTOCK_BINARY", *binary); err != nil {
		fail(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("%s, %d cores, %s, %s\n\n", runtime.Version(), runtime.NumCPU(), cpu(), time.Now().UTC().Format("2006-01-02"))
	fmt.Println("| line | figure | baseline in the same run | ratio |")
	fmt.Println("|---|---|---|---|")
	for _, l := range lines() {
		if !strings.Contains(l.name, *only) {
			continue
		}
		dir, err := os.MkdirTemp("", "penstock-bench-")
		if err != nil {
			fail(err)
		}
		figures, err := l.run(ctx, &env{dir, *scale})
		os.RemoveAll(dir)
		if err != nil {
			fail(fmt.Errorf("%s: %w", l.name, err))
		}
		for _, f := range figures {
			fmt.Printf("| %s: %s | %s | %s | %s |\n", l.name, f.what, f.value, f.baseline, f.ratio)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// cpu is the processor's name, for the table's head.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for l := range strings.SplitSeq(string(text), "\n") {
		if name, ok := strings.CutPrefix(l, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
