package release_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// survives runs a whole life on a store that goes wrong. Each death is followed by a new
// process; time passes where there is nothing to do.
func (w *world) survives(s release.Store) {
	w.Helper()
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
			w.clock.pass(time.Minute)
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

// afterAll holds what must be true of every published request, whatever went wrong,
// beside the invariants that end every test.
func (w *world) afterAll(rec gate.Record) {
	w.Helper()
	w.verifies(rec.Request.ID, rec.Request)
	perAttempt := map[int]int{}
	for _, o := range w.signer.Signed() {
		perAttempt[o.Intent().Attempt]++
	}
	for attempt, n := range perAttempt {
		if n != signedOf(2) {
			w.Errorf("attempt %d used the HSM %d times, expected once per intent", attempt, n)
		}
	}
	if perAttempt[rec.Signing] != signedOf(2) {
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

// step is one call of the store in a life without faults that did something.
type step struct {
	at     int // its number among all calls, from 1
	method string
	writes bool
}

// steps lists them. Claims that found nothing are left out: nothing hangs on them.
func steps(t *testing.T) []step {
	t.Helper()
	var out []step
	w := newWorld(t)
	s := &broken{Store: w.store}
	n := 0
	s.around = func(method string, do func() error) error {
		n++
		s.nothing = false
		err := do()
		if !s.nothing {
			reads := slices.Contains([]string{"OpenRequests", "RecentOf", "InForce", "Approvals", "Released"}, method)
			out = append(out, step{at: n, method: method, writes: !reads})
		}
		return err
	}
	w.survives(s)
	return out
}

func TestCrashAtEveryStep(t *testing.T) {
	all := steps(t)
	for _, method := range []string{
		"OpenRequest", "ClaimDue", "RecordDecision", "ClaimDelivery", "FinishDelivery", "BeginSigning", "KeepSignatures",
		"ClaimPost", "Posted",
	} {
		if !slices.ContainsFunc(all, func(s step) bool { return s.method == method && s.writes }) {
			t.Errorf("expected %s among the steps %v", method, all)
		}
	}
	for e := refuses; e < endingCount; e++ {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			for _, s := range all {
				if !s.writes && (e == loses || e == diesAfter) {
					continue // an answer that is lost is one that never came
				}
				w, n := newWorld(t), 0
				w.survives(faulty(w.store, func(string) ending {
					if n++; n == s.at {
						return e
					}
					return never
				}))
				if n < s.at || t.Failed() {
					t.Fatalf("after %+v, in %d calls", s, n)
				}
			}
		})
	}
}

// Every seventh call goes wrong, in some way.
func TestLifeUnderManyFaults(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, seed))
			w := newWorld(t)
			w.survives(faulty(w.store, func(string) ending {
				if r.IntN(7) != 0 {
					return never
				}
				return ending(1 + r.IntN(int(endingCount)-1))
			}))
		})
	}
}
