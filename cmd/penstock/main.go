// Command penstock runs AWS's integration APIs on your own machine. It reads the configuration, calls app
// and turns what comes back into an exit code: 0 for a clean end, 1 for a failure while running, 2 for a
// configuration that cannot be used.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/penstock-io/penstock/internal/app"
	"github.com/penstock-io/penstock/internal/config"
)

// version and commit are set by the linker; see the Makefile.
var (
	version = "dev"
	commit  = "unknown"
)

const usage = `Penstock runs AWS's integration APIs on your own machine, and they really do the work.

  penstock serve     the server, in the foreground, until it is interrupted
  penstock demo      shows the main job on a server of its own, with progress and a summary
  penstock env       prints the exports that point AWS clients here: eval "$(penstock env)"
  penstock version   version, commit, Go and engine versions

penstock serve --help lists the settings.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	command, args := args[0], args[1:]
	var do func(context.Context, config.Config) error
	switch command {
	case "serve":
		do = func(ctx context.Context, c config.Config) error {
			return app.Serve(ctx, c, logger(c, stderr), app.Build{Version: version, Commit: commit})
		}
	case "demo":
		do = func(ctx context.Context, c config.Config) error {
			return app.Demo(ctx, c, stdout, terminal(stdout), app.Build{Version: version, Commit: commit})
		}
	case "env":
		do = func(_ context.Context, c config.Config) error { return app.PrintEnv(stdout, c) }
	case "version":
		fmt.Fprintf(stdout, "penstock %s (commit %s), %s, %s\n", version, commit, runtime.Version(), app.Engines())
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		fmt.Fprintf(stderr, "penstock: unknown command %q\n\n%s", command, usage)
		return 2
	}
	c, err := config.Load(command, args, os.LookupEnv, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "penstock: %v\n", err)
		return 2
	}
	if err := do(ctx, c); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "penstock: %v\n", err)
		return 1
	}
	return 0
}

// logger writes to w in the form and at the level the configuration asks for.
func logger(c config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // config has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" || c.LogFormat == "" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
