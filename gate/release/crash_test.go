package release_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// ending is how one call of the store goes wrong.
type ending int

const (
	never       ending = iota
	refuses            // the database does not answer, and did nothing
	loses              // the database did it, and its answer is lost
	diesBefore         // the process ends before the call
	diesAfter          // the process ends after it
	endingCount        // how many there are
)

func (e ending) String() string {
	return [...]string{"never", "refuses", "loses the answer", "dies before", "dies after"}[e]
}

// errDied is the panic that stands for the end of a process.
var errDied = errors.New("the process ended")

// faulty is a store whose calls end as plan says.
func faulty(s release.Store, plan func(method string) ending) *broken {
	return &broken{Store: s, around: func(method string, do func() error) error {
		switch e := plan(method); e {
		case refuses:
			return storeAway()
		case loses:
			return errors.Join(storeAway(), do())
		case diesBefore:
			panic(errDied)
		case diesAfter:
			if err := do(); err != nil {
				return err
			}
			panic(errDied)
		default:
			return do()
		}
	}}
}

// alive does one thing, and reports whether the process lived through it.
func alive(do func() (bool, error)) (found, lives bool) {
	defer func() {
		switch p := recover(); p {
		case nil, errDied:
		default:
			panic(p)
		}
	}()
	found, _ = do() // its error is the plan's; what counts is what is durable
	return found, true
}

// survives runs a whole life on a store that goes wrong as plan says. Each death is
// followed by a new process; time passes where there is nothing to do.
func (w *world) survives(plan func(method string) ending) {
	w.Helper()
	s := faulty(w.store, plan)
	w.gate = w.newGate(s)
	var id string
	approved := false
	for range 400 {
		if id == "" {
			_, lives := alive(func() (bool, error) {
				rec, _, err := w.gate.Open(w.ctx, w.job(), w.ask(2))
				if err == nil {
					id = rec.Request.ID
				}
				return true, err
			})
			w.reborn(lives, s)
			continue
		}
		rec := w.record(id)
		if rec.State == gate.StatePublished {
			w.afterAll(rec)
			return
		}
		if rec.Thread.Number != 0 && !approved {
			approved = true
			w.says(gatetest.Bo(), "/countersign approve")
		}
		if !w.round(s) {
			w.clock.pass(15 * time.Second)
		}
	}
	w.Errorf("expected the request published in the end, got %s\n%s", w.record(id).State, w.checks(w.record(id)))
}

// round lets each worker do one thing. It reports whether any of them did.
func (w *world) round(s release.Store) bool {
	did := false
	for _, next := range []func(*release.Gate, context.Context) (bool, error){
		(*release.Gate).HearNext, (*release.Gate).JudgeNext, (*release.Gate).PostNext,
	} {
		found, lives := alive(func() (bool, error) { return next(w.gate, w.ctx) })
		w.reborn(lives, s)
		did = did || found || !lives
	}
	return did
}

func (w *world) reborn(lives bool, s release.Store) {
	if !lives {
		w.gate = w.newGate(s)
	}
}

// afterAll holds what must be true of every published request, whatever went wrong.
func (w *world) afterAll(rec gate.Record) {
	w.Helper()
	if err := w.invariants(); err != nil {
		w.Error(err)
	}
	w.verifies(rec.Request.ID, rec.Request)
	perAttempt := map[int]int{}
	for _, o := range w.signer.Signed() {
		perAttempt[o.Intent().Attempt]++
	}
	for attempt, n := range perAttempt {
		if n != 3 {
			w.Errorf("attempt %d used the HSM %d times, expected once per intent", attempt, n)
		}
	}
	if perAttempt[rec.Signing] != 3 {
		w.Errorf("attempts %v, expected the last, %d, signed", perAttempt, rec.Signing)
	}
	if all, err := w.store.Approvals(w.ctx, rec.Request.ID); err != nil || len(all) != 1 {
		w.Errorf("approvals %v, %v, expected one", all, err)
	}
	comments := 0
	for _, p := range w.forge.shown {
		if p.Target == gate.PostComment {
			comments++
		}
		if (p.Target == gate.PostStatus || p.Target == gate.PostCheck) && p.State != gate.PostSuccess {
			w.Errorf("%s says %s: %s", p.Target, p.State, p.Title)
		}
	}
	if comments != 1 {
		w.Errorf("%d sticky comments, expected one", comments)
	}
}

// calls counts the store's calls in a life without faults.
func calls(t *testing.T) int {
	t.Helper()
	n := 0
	newWorld(t).survives(func(string) ending { n++; return never })
	return n
}

func TestCrashAtEveryStep(t *testing.T) {
	total := calls(t)
	if total < 30 {
		t.Fatalf("%d calls in a life, expected more: is every call seen?", total)
	}
	for e := refuses; e < endingCount; e++ {
		t.Run(e.String(), func(t *testing.T) {
			for at := 1; at <= total; at++ {
				n, name := 0, ""
				newWorld(t).survives(func(method string) ending {
					if n++; n == at {
						name = method
						return e
					}
					return never
				})
				if t.Failed() || name == "" {
					t.Fatalf("call %d of %d, %q", at, total, name)
				}
			}
		})
	}
}

// Every seventh call goes wrong, in some way.
func TestLifeUnderManyFaults(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, seed))
			newWorld(t).survives(func(string) ending {
				if r.IntN(7) != 0 {
					return never
				}
				return ending(1 + r.IntN(int(endingCount)-1))
			})
		})
	}
}
