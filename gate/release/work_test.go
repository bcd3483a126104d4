package release_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// idle is a store in which there is never anything to do; judging counts.
type idle struct {
	release.Store
	judge func() (gate.Record, bool, error)

	mu    sync.Mutex
	looks []time.Duration // since it began, by the judge
	began time.Time
	wake  chan struct{}
}

func newIdle() *idle { return &idle{began: time.Now(), wake: make(chan struct{})} }

func (i *idle) ClaimDelivery(context.Context, string, time.Duration) (gate.Delivery, bool, error) {
	return gate.Delivery{}, false, nil
}

func (i *idle) ClaimPost(context.Context, string, time.Duration) (gate.Post, bool, error) {
	return gate.Post{}, false, nil
}

func (i *idle) ClaimWatched(context.Context, string, time.Duration, time.Duration) (gate.Watched, bool, error) {
	return gate.Watched{}, false, nil
}

func (i *idle) ClaimChange(context.Context, string, time.Duration) (gate.ChangeRef, bool, error) {
	return gate.ChangeRef{}, false, nil
}

func (i *idle) ClaimDue(context.Context, string, time.Duration) (gate.Record, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.looks = append(i.looks, time.Since(i.began))
	if i.judge == nil {
		return gate.Record{}, false, nil
	}
	return i.judge()
}

func (i *idle) woken() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.wake
}

func (i *idle) ring() {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.wake)
	i.wake = make(chan struct{})
}

// looked is when the judge looked, and what was logged.
func (i *idle) looked() []time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]time.Duration(nil), i.looks...)
}

// working runs the workers over a store in a bubble of time, and what happens meanwhile.
// It returns what was logged.
func working(t *testing.T, s *idle, wake func() <-chan struct{}, meanwhile func()) string {
	t.Helper()
	w := &world{T: t, now: time.Now, log: &strings.Builder{}}
	g := w.newGate(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Work(ctx, wake) }()
	meanwhile()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("work ended with %v, expected nothing", err)
	}
	return w.log.String()
}

func TestWorkersWakeOnNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIdle()
		working(t, s, s.woken, func() {
			time.Sleep(300 * time.Millisecond)
			s.ring()
			synctest.Wait()
		})
		looks := s.looked()
		if len(looks) != 2 || looks[1] != 300*time.Millisecond {
			t.Errorf("looked at %v, expected at once and at the ring", looks)
		}
	})
}

func TestWorkersLookByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, wake := range map[string]func() <-chan struct{}{
			"nothing wakes them": nil,
			"a silent bell":      func() <-chan struct{} { return nil },
		} {
			s := newIdle()
			working(t, s, wake, func() { time.Sleep(2500 * time.Millisecond) })
			if looks := s.looked(); len(looks) != 3 {
				t.Errorf("%s: looked at %v, expected once a second", name, looks)
			}
		}
	})
}

func TestWorkersSurviveErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIdle()
		s.judge = func() (gate.Record, bool, error) { return gate.Record{}, false, storeAway() }
		log := working(t, s, s.woken, func() { time.Sleep(time.Minute) })
		if n := len(s.looked()); n < 4 || n > 40 {
			t.Errorf("looked %d times in a minute without an answer, expected ever more rarely", n)
		}
		if !strings.Contains(log, "work failed") || !strings.Contains(log, "CS-1902") {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestWorkersSurvivePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIdle()
		s.judge = func() (gate.Record, bool, error) { panic("a map that nobody made") }
		log := working(t, s, s.woken, func() { time.Sleep(10 * time.Second) })
		if len(s.looked()) < 2 {
			t.Errorf("looked at %v, expected it to go on", s.looked())
		}
		if !strings.Contains(log, "a map that nobody made") || !strings.Contains(log, "work_test.go") {
			t.Errorf("expected the panic and its place in the log:\n%s", log)
		}
	})
}

// What was overtaken is looked at again at once, and is no fault.
func TestOvertakenWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIdle()
		overtaken := 3
		s.judge = func() (gate.Record, bool, error) {
			if overtaken--; overtaken < 0 {
				return gate.Record{}, false, nil
			}
			return gate.Record{}, false, &gate.Error{Kind: gate.Conflict, Code: gate.CodeTransition, Text: "it moved"}
		}
		log := working(t, s, s.woken, func() { time.Sleep(time.Millisecond) })
		if n := len(s.looked()); n != 4 || strings.Contains(log, "ERROR") {
			t.Errorf("looked %d times, expected four at once:\n%s", n, log)
		}
	})
}

// The workers alone bring a request to its end, over the real store and its bell.
func TestWorkersBringARequestToItsEnd(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.gate.Work(ctx, w.store.Wake) }()
	id := w.opened(1).Request.ID
	w.until(id, func(r gate.Record) bool { return r.Thread == thread() })
	w.says(gatetest.Bo(), "/countersign approve")
	w.until(id, func(r gate.Record) bool { return r.State == gate.StatePublished })
	stop()
	w.must(<-ended)
}

// until waits for the store's news about a request.
func (w *world) until(id string, done func(gate.Record) bool) {
	w.Helper()
	for {
		news := w.store.Wake()
		if done(w.record(id)) {
			return
		}
		select {
		case <-news:
		case <-w.ctx.Done():
			w.Fatalf("request %s is %s", id, w.record(id).State)
		}
	}
}

func TestForgeAwayIsToldLater(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.postErr = func(gate.Post) error { return unavailable() } })
	w.opened(1)
	w.settle()
	w.forge.with(func() { w.forge.postErr = nil })
	w.settle()
	if got := w.forge.count(); got != 0 {
		t.Errorf("%d posts at once, expected none before five seconds", got)
	}
	w.later(5 * time.Second)
	if got := w.forge.count(); got != 2 {
		t.Errorf("%d posts, expected check and comment", got)
	}
}

func TestForgeThatRefusesIsToldMuchLater(t *testing.T) {
	w := newWorld(t)
	refuses := errors.New("something that the adapter did not classify")
	w.forge.with(func() {
		w.forge.postErr = func(p gate.Post) error {
			if p.Target == gate.PostCheck {
				return refuses
			}
			return nil
		}
	})
	w.opened(1)
	w.settle()
	if got := w.forge.count(); got != 1 {
		t.Errorf("%d posts, expected that the others are not held up", got)
	}
	w.forge.with(func() { w.forge.postErr = nil })
	w.later(time.Minute)
	if got := w.forge.count(); got != 1 {
		t.Errorf("%d posts, expected no check yet: nobody mends a permission in seconds", got)
	}
	w.later(4 * time.Minute)
	if p, ok := w.forge.latest(gate.PostCheck); !ok || p.State != gate.PostPending {
		t.Errorf("check %+v", p)
	}
}

// A forge that was taken out of the configuration holds nobody else up, and its
// requests expire.
func TestForgeNoLongerConfigured(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.must(w.judged())
	c := w.gate.Config
	c.Forges = nil
	w.gate = release.New(c)
	w.settle()
	if got := w.forge.count(); got != 0 {
		t.Errorf("%d posts, expected none", got)
	}
	w.later(rec.Request.Expires.Sub(w.now()))
	w.in(rec.Request.ID, gate.StateExpired)
}

func (*idle) ClaimAssets(context.Context, time.Duration) (gate.AssetWatch, bool, error) {
	return gate.AssetWatch{}, false, nil
}
