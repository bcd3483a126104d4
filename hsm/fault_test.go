package hsm_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// In all of these the first C_Sign of a process is the self-test of its one key.

// Each of these leaves crypto11's context unusable for ever; a new worker is not.
func TestDeviceErrorReplacesTheWorker(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"device error":                       "C_Sign 2 1 ckr 0x30",
		"signing fails before the token":     "C_Sign 2 1 ckr 0x20",
		"session closed elsewhere":           "C_Sign 2 1 ckr 0xB3",
		"all sessions closed under us":       "C_Sign 2 1 closeall",
		"all sessions closed before we sign": "C_SignInit 2 1 closeall",
		"logged out elsewhere":               "C_SignInit 2 1 ckr 0x101",
		"operation left active":              "C_SignInit 2 1 ckr 0x90",
		"crash in the module":                "C_Sign 2 1 crash",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := faulty(t)
			s := hsmtest.Start(t, c)
			f.Set(t, rule)
			mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable)
			f.Set(t)
			sign(t, s, 3)
			if n := f.Calls(t, "C_Login"); n != 2 {
				t.Errorf("%d logins, expected 2: one worker and its successor", n)
			}
		})
	}
}

func TestFaultInTheMiddleOfABatchLeavesNoSignature(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 100 1 ckr 0x30")
	orders := ordersFor(t, s, 150)
	sigs, err := s.Sign(t.Context(), orders)
	if gate.KindOf(err) != gate.Unavailable || sigs != nil {
		t.Fatalf("%d signatures, error %v; expected none and Unavailable", len(sigs), err)
	}
	f.Set(t)
	sign(t, s, 150)
}

func TestHangIsKilledAtTheLimit(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Limit = 200 * time.Millisecond
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 1 hang")
	err := mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable)
	if !strings.Contains(err.Error(), "did not answer within 200ms") {
		t.Errorf("%v does not say how long it waited", err)
	}
	f.Set(t)
	sign(t, s, 3)
}

func TestHangIsKilledAtTheOrdersDeadline(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Limit = time.Hour
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 1 hang")
	mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable, gatetest.Age(gate.GrantLifetime-500*time.Millisecond))
	f.Set(t)
	sign(t, s, 3)
}

// The shortest deadline of a batch is the batch's.
func TestHangIsKilledAtTheEarliestDeadline(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Limit = time.Hour
	s := hsmtest.Start(t, c)
	orders := append(ordersFor(t, s, 2), ordersFor(t, s, 1, gatetest.Age(gate.GrantLifetime-500*time.Millisecond))...)
	f.Set(t, "C_Sign 2 1 hang")
	sigs, err := s.Sign(t.Context(), orders)
	if gate.KindOf(err) != gate.Unavailable || sigs != nil {
		t.Fatalf("%d signatures, error %v; expected none and Unavailable", len(sigs), err)
	}
}

// An order that waits for a free worker waits no longer than its deadline.
func TestQueueEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Limit = 2 * time.Second
	s := hsmtest.Start(t, c)
	before := f.Calls(t, "C_Sign")
	f.Set(t, "C_Sign 2 1 hang")
	orders := ordersFor(t, s, 1)
	hung := make(chan error, 1)
	go func() {
		_, err := s.Sign(t.Context(), orders)
		hung <- err
	}()
	waitFor(t, func() bool { return f.Calls(t, "C_Sign") > before })
	err := mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable, gatetest.Age(gate.GrantLifetime-300*time.Millisecond))
	if !strings.Contains(err.Error(), "deadline") {
		t.Errorf("%v does not name the deadline", err)
	}
	<-hung
}

func TestOneHangDoesNotStopTheOtherWorker(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Workers = 2
	c.Limit = 2 * time.Second
	s := hsmtest.Start(t, c)
	before := f.Calls(t, "C_Sign")
	f.Set(t, "C_Sign 2 1 hang")
	orders := ordersFor(t, s, 1)
	hung := make(chan error, 1)
	go func() {
		_, err := s.Sign(t.Context(), orders)
		hung <- err
	}()
	waitFor(t, func() bool { return f.Calls(t, "C_Sign") > before })
	f.Set(t)
	sign(t, s, 10)
	if err := <-hung; gate.KindOf(err) != gate.Unavailable {
		t.Errorf("the hung order ended with %v, expected Unavailable", err)
	}
}

func TestCallerThatGivesUpDoesNotWaitForAHang(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Limit = time.Second
	s := hsmtest.Start(t, c)
	before := f.Calls(t, "C_Sign")
	f.Set(t, "C_Sign 2 1 hang")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, func() bool { return f.Calls(t, "C_Sign") > before })
		cancel()
	}()
	_, err := s.Sign(ctx, ordersFor(t, s, 1))
	if gate.KindOf(err) != gate.Unavailable || !strings.Contains(err.Error(), "given up") {
		t.Errorf("got %v, expected Unavailable: given up", err)
	}
}

// A slow device is no hung one.
func TestDelayedSignatureIsGood(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 3 delay 100")
	sign(t, s, 5)
}

// A faulty ECDSA signature can give its key away, so it never leaves, and nobody asks
// again by himself.
func TestFlippedSignatureNeverLeaves(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 1 flip")
	err := mustFail(t, s, gate.Internal, gate.CodeSignatureBad)
	if !strings.Contains(err.Error(), "acme-release version 1") {
		t.Errorf("%v does not name the key", err)
	}
	f.Set(t)
	sign(t, s, 3)
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	log := &journal{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	s := hsmtest.Start(t, c)
	for range 3 {
		logins := f.Calls(t, "C_Login")
		kill(t, log.lastPID(t))
		waitFor(t, func() bool { return f.Calls(t, "C_Login") > logins })
		sign(t, s, 1)
	}
	if !strings.Contains(log.String(), "ended by itself") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}

func TestWorkerKilledWhileItSigns(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	log := &journal{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	s := hsmtest.Start(t, c)
	pid := log.lastPID(t)
	before := f.Calls(t, "C_Sign")
	f.Set(t, "C_Sign 2 1 hang")
	go func() {
		waitFor(t, func() bool { return f.Calls(t, "C_Sign") > before })
		f.Set(t)
		kill(t, pid)
	}()
	mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable)
	sign(t, s, 1)
}

// The PIN was changed on the token while the server ran: every new worker would try the
// old one, and three times may lock the token.
func TestRefusedPINStopsForGood(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	log := &journal{}
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	c.Workers = 3
	s := hsmtest.Start(t, c)
	orders := ordersFor(t, s, 1)
	f.Set(t, "C_Sign 2 1 crash", "C_Login 1 1 ckr 0xA0")
	for range 3 { // all three workers crash, whoever comes first tries the PIN
		if _, err := s.Sign(t.Context(), orders); gate.KindOf(err) != gate.Unavailable {
			t.Fatalf("got %v, expected Unavailable", err)
		}
	}
	waitFor(t, func() bool {
		_, err := s.Sign(t.Context(), orders)
		return gate.KindOf(err) == gate.Unavailable && gate.CodeOf(err) == gate.CodePIN
	})
	f.Set(t)
	mustFail(t, s, gate.Unavailable, gate.CodePIN)
	if n := f.Calls(t, "C_Login"); n != 4 {
		t.Errorf("%d logins, expected 4: three at the start and one refused", n)
	}
	if n := strings.Count(log.String(), "PIN refused"); n != 1 {
		t.Errorf("%d lines tell of the PIN, expected 1:\n%s", n, log)
	}
}

// A token that goes away makes orders fail at once, not at their deadline, and is found
// again when it comes back.
func TestTokenThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	s := hsmtest.Start(t, c)
	orders := ordersFor(t, s, 1)
	f.Set(t, "C_Sign 2 1 ckr 0x32", "C_GetTokenInfo 1 99 ckr 0xE0")
	waitFor(t, func() bool {
		_, err := s.Sign(t.Context(), orders)
		return err != nil && strings.Contains(err.Error(), "cannot be reached")
	})
	err := mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable)
	if !strings.Contains(err.Error(), "CKR_TOKEN_NOT_PRESENT") {
		t.Errorf("%v does not tell the operator why", err)
	}
	f.Set(t)
	waitFor(t, func() bool {
		_, err := s.Sign(t.Context(), ordersFor(t, s, 1))
		return err == nil
	})
}

// An order's error may be shown to who asked for it: what is the operator's is in the
// chain alone.
func TestPublicTextNamesNothingOfTheHost(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 2 1 ckr 0x30")
	err := mustFail(t, s, gate.Unavailable, gate.CodeKeyUnavailable)
	var e *gate.Error
	if !asError(err, &e) {
		t.Fatalf("%T is no *gate.Error", err)
	}
	for _, secret := range []string{c.PINFile, c.Module, "token", "CKR_"} {
		if strings.Contains(e.Text+e.Fix+e.Got, secret) {
			t.Errorf("%q tells %q", e.Text+e.Fix+e.Got, secret)
		}
	}
}

func TestConcurrentCallersSurviveCrashes(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Workers = 2
	s := hsmtest.Start(t, c)
	f.Set(t, "C_Sign 40 1 crash") // each worker dies after 38 orders
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 20 {
				orders := gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(3), s.Keys()[0]))
				sigs, err := s.Sign(t.Context(), orders)
				switch {
				case err == nil:
					hsmtest.Verify(t, orders, sigs)
				case gate.KindOf(err) != gate.Unavailable:
					t.Errorf("got %v, expected a signature or Unavailable", err)
				}
			}
		})
	}
	callers.Wait()
}

// waitFor returns once what holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		if t.Context().Err() != nil {
			t.Error("the test ended first")
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// journal is a log that a test reads.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// lastPID is the process of the worker that got ready last.
func (j *journal) lastPID(t *testing.T) int {
	t.Helper()
	_, last, ok := strings.Cut(j.String()[strings.LastIndex(j.String(), "signing worker ready"):], "pid=")
	if !ok {
		t.Fatalf("no worker got ready:\n%s", j)
	}
	return atoi(t, strings.Fields(last)[0])
}

func TestErrorsOfTheWorkerNameThePINFileNotThePIN(t *testing.T) {
	t.Parallel()
	_, c := faulty(t)
	log := &journal{}
	c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sign(t, hsmtest.Start(t, c), 1)
	pin, err := os.ReadFile(c.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), strings.TrimSpace(string(pin))) {
		t.Error("the log tells the PIN")
	}
}
