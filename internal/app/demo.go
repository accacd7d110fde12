package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/demo"
)

// Demo runs a server on a free port over a temporary directory, shows the main job on it, and, on a terminal,
// leaves it running until ctx is done, so that the commands it prints can be tried. The configuration's address
// and data directory are not used.
func Demo(ctx context.Context, c config.Config, out io.Writer, terminal bool, b Build) error {
	dir, err := os.MkdirTemp("", "penstock-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.DataDir, c.Listen = dir, "127.0.0.1:0"
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	addr := make(chan string, 1)
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelError}))
	group.Go(func() error { return serve(ctx, c, log, b, func(a string) { addr <- a }) })
	group.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-addr:
			err := demo.Run(ctx, demo.Options{
				Endpoint: "http://" + a, Region: c.Region, Account: c.AccountID, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(),
				Items: 20_000, Changes: 3000, Files: 300, RowsPerFile: 100, Writers: 4, Out: out, Redraw: terminal, Program: os.Args[0],
			})
			if err == nil && terminal {
				fmt.Fprint(out, "\nThe server keeps running for you to try these; Ctrl-C stops it and deletes its data.\n")
				<-ctx.Done()
			}
			return err
		}
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// PrintEnv prints the exports that point AWS clients at a server with this configuration.
func PrintEnv(out io.Writer, c config.Config) error {
	quote := func(s string) string {
		if !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(shellSafe, r) }) {
			return s
		}
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	host := strings.Replace(c.Listen, "0.0.0.0:", "127.0.0.1:", 1)
	if strings.HasPrefix(host, ":") {
		host = "127.0.0.1" + host
	}
	_, err := fmt.Fprintf(out, "export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_REGION=%s AWS_DEFAULT_REGION=%s\n",
		quote("http://"+host), quote(c.AccessKeyID), quote(c.SecretAccessKey.Reveal()), quote(c.Region), quote(c.Region))
	return err
}

// shellSafe are the characters that mean nothing to a shell.
const shellSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:@%+=,"

// Engines names the embedded engines and their versions.
func Engines() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "engines unknown"
	}
	var found []string
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/duckdb/duckdb-go/v2":
			found = append(found, "DuckDB 1.5.5 (duckdb-go "+d.Version+")")
		case "modernc.org/sqlite":
			found = append(found, "SQLite (modernc "+d.Version+")")
		case "github.com/versity/versitygw":
			found = append(found, "S3 (versitygw "+d.Version+")")
		}
	}
	return strings.Join(found, ", ")
}
