package hsmtest

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/hsm"
)

// workerArg is how a test binary knows that it is a worker.
const workerArg = "hsm-worker"

// RunIfWorker makes this process a worker and ends it where it was started by
// [WorkerCommand]. TestMain calls it first.
func RunIfWorker() {
	if len(os.Args) != 2 || os.Args[1] != workerArg {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := hsm.RunWorker(ctx, os.Stdin, os.Stdout, time.Now)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// WorkerCommand starts this test binary as a worker.
func WorkerCommand(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, workerArg}
}

// Config is a signer's configuration for keys of tok, with workers of this test binary.
func Config(t testing.TB, tok Token, keys ...hsm.KeyPin) hsm.Config {
	t.Helper()
	return hsm.Config{
		Module: tok.Module, TokenLabel: tok.TokenLabel, PINFile: tok.PINFile, Keys: keys,
		Command: WorkerCommand(t), Env: tok.Env, Now: time.Now,
	}
}

// Start starts a signer that is closed with the test.
func Start(t testing.TB, c hsm.Config) *hsm.Signer {
	t.Helper()
	s, err := hsm.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
