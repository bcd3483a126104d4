package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

func TestRequestComesBackAsItWasAsked(t *testing.T) {
	onBoth(t, func(w *world) {
		o := opening("a", person(1, "ana"), person(2, "bo"))
		rec := w.openedAs(o)
		want := o.Request
		want.Attempt, want.Code = 1, rec.Request.Code
		if diff := cmp.Diff(want, rec.Request); diff != "" {
			w.Error(diff)
		}
		if diff := cmp.Diff(rec, w.request(rec.Request.ID)); diff != "" {
			w.Error(diff)
		}
		if rec.State != gate.StateWaiting || rec.Version != 1 || rec.Decision != nil || rec.Updated.IsZero() {
			w.Errorf("expected a waiting request in version 1, got %+v", rec)
		}
		if c := rec.Request.Code; len(c) != 4 || strings.Trim(c, "23456789abcdefghjkmnpqrstvwxyz") != "" ||
			!strings.ContainsAny(c, "23456789") {
			w.Errorf("expected a code of four unambiguous characters with a digit, got %q", c)
		}
		w.leaves(ledger.RequestOpened)
	})
}

func TestUnknownRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		_, err := w.s.Request(w.ctx, newID())
		w.refused(gate.CodeRequestUnknown, err)
		if gate.KindOf(err) != gate.NotFound {
			w.Errorf("expected kind NotFound, got %v", gate.KindOf(err))
		}
		w.refused(gate.CodeRequestUnknown, w.s.BindToken(w.ctx, token("x"), newID()))
	})
}

func TestSameAskJoins(t *testing.T) {
	onBoth(t, func(w *world) {
		first := w.opened("a", person(1, "ana"))
		o := opening("a", person(1, "ana"), person(2, "bo"))
		o.Posts = []gate.Post{check(o.Request.ID, gate.PostPending)}
		rec, joined, err := w.s.OpenRequest(w.ctx, o)
		w.must(err)
		if !joined || rec.Request.ID != first.Request.ID {
			w.Fatalf("expected to join %s, got %s, %t", first.Request.ID, rec.Request.ID, joined)
		}
		if diff := cmp.Diff([]gate.Account{person(1, "ana"), person(2, "bo")}, rec.Request.Actors); diff != "" {
			w.Error(diff)
		}
		if rec.Version <= first.Version {
			w.Errorf("expected that a new actor makes a new version, got %d after %d", rec.Version, first.Version)
		}
		if _, ok, err := w.s.ClaimPost(w.ctx, "worker", minute); ok || err != nil {
			w.Errorf("expected no post about a request that was never opened, got one, %v", err)
		}
		w.leaves(ledger.RequestOpened, ledger.RequestJoined)
		// The second token serves the joined request alone.
		w.must(w.s.BindToken(w.ctx, o.Token, first.Request.ID))
		w.refused(gate.CodeTokenRebound, w.s.BindToken(w.ctx, o.Token, w.opened("b").Request.ID))
	})
}

// A decision that did not know of an actor is not stored: the actor joins the authors.
func TestJoiningUndoesTheJudgementUnderWay(t *testing.T) {
	onBoth(t, func(w *world) {
		first := w.opened("a")
		judging := w.claimed(first.Request.ID, minute)
		_, _, err := w.s.OpenRequest(w.ctx, opening("a", person(2, "bo")))
		w.must(err)
		_, err = w.s.RecordDecision(w.ctx, judgement(judging, gate.StateGranted))
		w.refused(gate.CodeTransition, err)
		w.claimed(first.Request.ID, minute)
	})
}

func TestAskAfterAnEndOpensTheNextAttempt(t *testing.T) {
	onBoth(t, func(w *world) {
		for attempt, end := range []gate.State{gate.StateVoid, gate.StateDenied, gate.StateExpired, gate.StateWithdrawn} {
			rec := w.opened("a")
			if rec.Request.Attempt != attempt+1 {
				w.Fatalf("expected attempt %d, got %d", attempt+1, rec.Request.Attempt)
			}
			w.judged(rec, end)
			w.nothingDue()
		}
		open, err := w.s.OpenRequests(w.ctx, repository())
		w.must(err)
		if len(open) != 0 {
			w.Errorf("expected no open request, got %d", len(open))
		}
	})
}

func TestCodesAreUniqueAmongOpenRequests(t *testing.T) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			drawn := []string{"aaa2", "aaa2", "aaa2", "bbb3", "aaa2"}
			w := &world{T: t, ctx: t.Context(), config: newConfig(t, engine)}
			w.config.Codes = func() (string, error) {
				mu.Lock()
				defer mu.Unlock()
				if len(drawn) == 0 {
					return "", errors.New("no more codes")
				}
				code := drawn[0]
				drawn = drawn[1:]
				return code, nil
			}
			w.s = w.open()
			a, b := w.opened("a"), w.opened("b")
			if a.Request.Code != "aaa2" || b.Request.Code != "bbb3" {
				t.Errorf("expected codes aaa2 and bbb3, got %s and %s", a.Request.Code, b.Request.Code)
			}
			w.judged(a, gate.StateExpired)
			if c := w.opened("c"); c.Request.Code != "aaa2" {
				t.Errorf("expected the code of the ended request, got %s", c.Request.Code)
			}
		})
	}
}

// Attack 4: a replayed token serves no other request, however many try at once.
func TestAttack4OneTokenOneRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open() // another replica
		shared := token("shared")
		type result struct {
			rec gate.Record
			err error
		}
		results := make(chan result)
		for n := range 50 {
			s := w.s
			if n%2 == 1 {
				s = other
			}
			go func() {
				o := opening(fmt.Sprint("artifact ", n))
				o.Token = shared
				rec, _, err := s.OpenRequest(w.ctx, o)
				results <- result{rec, err}
			}()
		}
		var won []string
		for range 50 {
			if r := <-results; r.err == nil {
				won = append(won, r.rec.Request.ID)
			} else if gate.CodeOf(r.err) != gate.CodeTokenRebound || gate.KindOf(r.err) != gate.Refused {
				w.Errorf("expected a refusal with %s, got %v", gate.CodeTokenRebound, r.err)
			}
		}
		if len(won) != 1 {
			w.Fatalf("expected one request, got %d", len(won))
		}
		w.leaves(ledger.RequestOpened)
		w.must(w.s.BindToken(w.ctx, shared, won[0]))
	})
}

func TestManyAsksAtOnceAreOneRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		ids := make(chan string)
		for n := range 20 {
			s := w.s
			if n%2 == 1 {
				s = other
			}
			go func() {
				rec, _, err := s.OpenRequest(w.ctx, opening("a", person(int64(n+1), fmt.Sprint("person", n))))
				if err != nil {
					w.Error(err)
				}
				ids <- rec.Request.ID
			}()
		}
		id := <-ids
		for range 19 {
			if other := <-ids; other != id {
				w.Errorf("expected request %s, got %s", id, other)
			}
		}
		if n := len(w.request(id).Request.Actors); n != 20 {
			w.Errorf("expected 20 actors, got %d", n)
		}
	})
}

func TestSameTokenAgainIsTheSameRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		o := opening("a")
		rec := w.openedAs(o)
		retry := opening("a", person(2, "bo"))
		retry.Token = o.Token
		for _, end := range []gate.State{gate.StateWaiting, gate.StateDenied} {
			rec = w.judged(rec, end)
			again, joined, err := w.s.OpenRequest(w.ctx, retry)
			w.must(err)
			if !joined || again.Request.ID != rec.Request.ID || again.State != end || len(again.Request.Actors) != 1 {
				w.Errorf("expected %s unchanged in state %s, got %s in state %s", rec.Request.ID, end, again.Request.ID, again.State)
			}
		}
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Decision)
	})
}

func TestTokensThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		for name, tok := range map[string]gate.TokenUse{
			"no issuer":    {ID: "x"},
			"no id":        {Issuer: "x"},
			"a NUL":        {Issuer: "x", ID: "a\x00b"},
			"broken UTF-8": {Issuer: "x", ID: "a\xff"},
		} {
			o := opening("a")
			o.Token = tok
			if _, _, err := w.s.OpenRequest(w.ctx, o); gate.CodeOf(err) != gate.CodeTokenClaims {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeTokenClaims, err)
			}
		}
		w.leaves()
	})
}

func TestOpeningsThatLackSomething(t *testing.T) {
	onBoth(t, func(w *world) {
		taken := w.opened("taken").Request.ID
		for name, spoil := range map[string]func(*gate.Opening){
			"no id":          func(o *gate.Opening) { o.Request.ID = "" },
			"no hash":        func(o *gate.Opening) { o.Request.AskHash = gate.Digest{} },
			"nobody asks":    func(o *gate.Opening) { o.Request.Actors = nil },
			"an id in use":   func(o *gate.Opening) { o.Request.ID = taken },
			"a post's fault": func(o *gate.Opening) { o.Posts = []gate.Post{{Target: gate.PostStatus}} },
		} {
			o := opening("a")
			spoil(&o)
			if _, _, err := w.s.OpenRequest(w.ctx, o); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.leaves(ledger.RequestOpened)
	})
}

func TestNewRequestIsDueOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		id := w.opened("a").Request.ID
		w.claimed(id, over)
		rec := w.claimed(id, minute) // the first lease ran out
		w.nothingDue()
		w.judged(rec, gate.StateWaiting)
		w.nothingDue() // no look was asked for
	})
}

func TestLookIsDueWhenItIsTime(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, minute)
		later := judgement(rec, gate.StateWaiting)
		later.Look = time.Now().Add(time.Hour)
		rec, err := w.s.RecordDecision(w.ctx, later)
		w.must(err)
		w.nothingDue()
		now := judgement(rec, gate.StateWaiting)
		now.Look = time.Now().Add(-time.Second)
		_, err = w.s.RecordDecision(w.ctx, now)
		w.must(err)
		w.claimed(rec.Request.ID, minute)
	})
}

// A decision that says nothing new leaves nothing but the next look.
func TestUnchangedDecisionIsOnlyALook(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.judged(w.claimed(w.opened("a").Request.ID, minute), gate.StateWaiting)
		w.heard(gate.Heard{DueRequests: []string{rec.Request.ID}})
		same := judgement(w.claimed(rec.Request.ID, minute), gate.StateWaiting, check(rec.Request.ID, gate.PostPending))
		same.Unchanged = true
		same.Look = time.Now().Add(-time.Second)
		got, err := w.s.RecordDecision(w.ctx, same)
		w.must(err)
		if diff := cmp.Diff(rec, got); diff != "" {
			w.Error(diff)
		}
		w.nothingToPost()
		same.Record, same.Look = w.claimed(rec.Request.ID, minute), time.Time{}
		_, err = w.s.RecordDecision(w.ctx, same)
		w.must(err)
		w.nothingDue()
		w.leaves(ledger.RequestOpened, ledger.Decision)

		same.To = gate.StateDenied
		if _, err := w.s.RecordDecision(w.ctx, same); gate.CodeOf(err) != gate.CodeInternal {
			w.Errorf("expected %s, got %v", gate.CodeInternal, err)
		}
		same.To, same.Record.Version = gate.StateWaiting, rec.Version-1
		_, err = w.s.RecordDecision(w.ctx, same)
		w.refused(gate.CodeTransition, err)
	})
}

// What rings while a request is judged may have been read too early: it is not lost.
func TestRingWhileJudgedIsHeardAfterwards(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, minute)
		w.heard(gate.Heard{DueRepositories: []gate.RepositoryID{repository()}})
		w.nothingDue() // somebody is at it
		later := judgement(rec, gate.StateWaiting)
		later.Look = time.Now().Add(time.Hour)
		rec, err := w.s.RecordDecision(w.ctx, later)
		w.must(err)
		rec = w.claimed(rec.Request.ID, minute)
		w.judged(rec, gate.StateWaiting)
		w.nothingDue()
	})
}

// A worker that dies between the decision and the intents leaves the request to others.
func TestGrantedStaysDue(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, over)
		w.judged(rec, gate.StateGranted)
		w.claimed(rec.Request.ID, minute)
		w.nothingDue()
	})
}

func TestDecisionOnWhatChangedIsNotStored(t *testing.T) {
	onBoth(t, func(w *world) {
		old := w.opened("a")
		rec := w.judged(old, gate.StateWaiting)
		if rec.Version != old.Version+1 || rec.Decision == nil {
			w.Errorf("expected the next version with a decision, got %+v", rec)
		}
		j := judgement(old, gate.StateGranted, check(old.Request.ID, gate.PostSuccess))
		_, err := w.s.RecordDecision(w.ctx, j)
		w.refused(gate.CodeTransition, err)
		if diff := cmp.Diff(rec, w.request(old.Request.ID)); diff != "" {
			w.Error(diff)
		}
		if _, ok, err := w.s.ClaimPost(w.ctx, "worker", minute); ok || err != nil {
			w.Errorf("expected no post of the decision that was not stored, got one, %v", err)
		}
		w.leaves(ledger.RequestOpened, ledger.Decision)
	})
}

func TestDecisionCannotSkipTheDurableSteps(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		for _, to := range []gate.State{gate.StateSigning, gate.StateSigned, gate.StatePublished, "", "approved"} {
			if _, err := w.s.RecordDecision(w.ctx, judgement(rec, to)); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("to %q: expected %s, got %v", to, gate.CodeInternal, err)
			}
		}
		rec = w.judged(rec, gate.StateDenied)
		_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateWaiting))
		w.refused(gate.CodeTransition, err)
	})
}

func TestThreadStays(t *testing.T) {
	onBoth(t, func(w *world) {
		j := judgement(w.opened("a"), gate.StateWaiting)
		j.Thread = gate.Thread{Number: 12}
		rec, err := w.s.RecordDecision(w.ctx, j)
		w.must(err)
		rec = w.judged(rec, gate.StateWaiting)
		if rec.Thread != (gate.Thread{Number: 12}) {
			w.Errorf("expected thread 12, got %+v", rec.Thread)
		}
	})
}

func TestTwoWorkersJudgeDifferentRequests(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		want := make([]string, 10)
		for n := range want {
			want[n] = w.opened(fmt.Sprint("artifact ", n)).Request.ID
		}
		got := make(chan string)
		for _, s := range []*store.Store{w.s, other} {
			go func() {
				defer func() { got <- "" }()
				for {
					rec, ok, err := s.ClaimDue(w.ctx, "worker", minute)
					if err != nil {
						w.Error(err)
					}
					if !ok {
						return
					}
					got <- rec.Request.ID
				}
			}()
		}
		var ids []string
		for ended := 0; ended < 2; {
			if id := <-got; id != "" {
				ids = append(ids, id)
			} else {
				ended++
			}
		}
		// A claim may pass over a row that another is claiming at that moment.
		slices.Sort(ids)
		if len(slices.Compact(slices.Clone(ids))) != len(ids) {
			w.Errorf("expected each request once, got %d claims", len(ids))
		}
	})
}

func TestPages(t *testing.T) {
	onBoth(t, func(w *world) {
		ids := []string{w.opened("a").Request.ID, w.opened("b").Request.ID}
		elsewhere := opening("c")
		elsewhere.Request.Repository.ID = 2
		ids = append(ids, w.openedAs(elsewhere).Request.ID)
		list := func(recs []gate.Record, err error) []string {
			w.must(err)
			var out []string
			for _, r := range recs {
				out = append(out, r.Request.ID)
			}
			return out
		}
		for name, row := range map[string]struct{ got, want []string }{
			"of one repository": {list(w.s.RecentOf(w.ctx, repository())), []string{ids[1], ids[0]}},
			"open":              {list(w.s.OpenRequests(w.ctx, repository())), []string{ids[0], ids[1]}},
			"of no repository":  {list(w.s.RecentOf(w.ctx, gate.RepositoryID{Forge: "gitlab", ID: 1296269})), nil},
		} {
			if !slices.Equal(row.got, row.want) {
				w.Errorf("%s: expected %v, got %v", name, row.want, row.got)
			}
		}
	})
}
