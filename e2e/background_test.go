package e2e_test

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// running is a client that works while the story goes on.
type running struct {
	*exec.Cmd

	out, errs bytes.Buffer // to be read once ended is closed
	ended     chan struct{}
}

func cmdBackground(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	if s.running != nil {
		ts.Fatalf("background: expected that the one before was finished")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	r := &running{Cmd: s.Client(ctx, s.team.World, s.job, ts.MkAbs("."), args...), ended: make(chan struct{})}
	r.Stdout, r.Stderr = &r.out, &r.errs
	ts.Check(r.Start())
	go func() {
		defer close(r.ended)
		_ = r.Wait() // its exit code says all
	}()
	ts.Defer(func() {
		cancel()
		<-r.ended
	})
	s.running = r
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0)
	s := told(ts)
	code, r := "0", s.running
	if len(args) > 0 {
		code = strings.TrimPrefix(args[0], "=")
	}
	if r == nil {
		ts.Fatalf("finish: expected a client in the background")
	}
	<-r.ended
	s.running = nil
	_, _ = ts.Stdout().Write(r.out.Bytes())
	_, _ = ts.Stderr().Write(r.errs.Bytes())
	if got := strconv.Itoa(r.ProcessState.ExitCode()); got != code {
		ts.Fatalf("%s: expected exit code %s, got %s\n%s%s", strings.Join(r.Args[1:], " "), code, got, r.errs.Bytes(), s.tail())
	}
}

func cmdSettle(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0)
	told(ts).team.World.Settle()
}

func cmdRedeliver(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	told(ts).team.World.Redeliver(n)
}

// On GitHub whoever wrote from an address is found by it; on GitLab, whoever shows it.
func cmdShowAddress(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	if s.team.World.Name() == "gitlab" {
		s.GitLab.ShowEmail(s.team.People[args[0]], true)
	}
}
