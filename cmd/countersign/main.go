// Command countersign asks a release gate for signatures from a CI job, waits for
// them, collects them, and verifies them offline. It is static and holds no secret
// of its own: the CI's ID token says who asks.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(Main()) }

// Main runs the program on the process's own arguments and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

// Run is the whole program over the given arguments (without the program's name) and
// environment ("NAME=value"). It returns the exit code; see [Exit].
func Run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	a := newApp(environ(env), stdout, stderr)
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return int(ExitOK)
	}
	f := classify(ctx, err)
	if a.forked(f) {
		if err := a.skip(f); err == nil {
			return int(ExitOK)
		}
	}
	if rerr := a.report(f); rerr != nil {
		_, _ = fmt.Fprintln(stderr, "countersign:", rerr) // nothing is left to tell it to
	}
	return int(f.exit)
}

// environ is the environment as a map. An empty variable counts as unset, as CI
// systems leave them.
func environ(env []string) map[string]string {
	out := make(map[string]string, len(env))
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok && value != "" {
			out[name] = value
		}
	}
	return out
}
