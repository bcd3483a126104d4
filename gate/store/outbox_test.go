package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// postDue claims the next post, which has to be for this target.
func (w *world) postDue(target gate.PostTarget) gate.Post {
	w.Helper()
	p, ok, err := w.s.ClaimPost(w.ctx, "worker", minute)
	w.must(err)
	if !ok || p.Target != target {
		w.Fatalf("expected a %s to post, got %q, %t", target, p.Target, ok)
	}
	return p
}

func (w *world) nothingToPost() {
	w.Helper()
	p, ok, err := w.s.ClaimPost(w.ctx, "worker", minute)
	w.must(err)
	if ok {
		w.Fatalf("expected nothing to post, got %s %s", p.Target, p.Key)
	}
}

// told enqueues posts through a delivery.
func (w *world) told(posts ...gate.Post) {
	w.Helper()
	w.heard(gate.Heard{Posts: posts})
}

func post(request string, target gate.PostTarget, key string) gate.Post {
	return gate.Post{
		ID: newID(), Request: request, Repository: repository(), Target: target, Key: key,
		Made: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func TestPostGoesAsItWasMade(t *testing.T) {
	onBoth(t, func(w *world) {
		p := check("r", gate.PostPending)
		p.Body, p.Title = "a\x00b", "…"
		w.told(p)
		if diff := cmp.Diff(p, w.postDue(gate.PostCheck)); diff != "" {
			w.Error(diff)
		}
		w.nothingToPost()
		w.must(w.s.Posted(w.ctx, p, "1"))
		w.refused(gate.CodeTransition, w.s.Posted(w.ctx, p, "1"))
		w.refused(gate.CodeTransition, w.s.DeferPost(w.ctx, p, time.Now(), "late"))
	})
}

func TestPostWithoutAnIDGetsOne(t *testing.T) {
	onBoth(t, func(w *world) {
		p := check("r", gate.PostPending)
		p.ID = ""
		w.told(p)
		if got := w.postDue(gate.PostCheck); got.ID == "" {
			w.Error("expected an id, got none")
		}
	})
}

func TestOnlyTheLatestStateIsTold(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending), check("r", gate.PostPending), check("other", gate.PostPending))
		w.told(check("r", gate.PostSuccess))
		for _, want := range []gate.PostState{gate.PostPending, gate.PostSuccess} { // the other's came first
			p := w.postDue(gate.PostCheck)
			if p.State != want {
				w.Errorf("expected %s, got %s", want, p.State)
			}
			w.must(w.s.Posted(w.ctx, p, "1"))
		}
		w.nothingToPost()
	})
}

// An older "pending" that is under way never lands after the newer "success".
func TestNewerWaitsForTheOneUnderWay(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		pending := w.postDue(gate.PostCheck)
		w.told(check("r", gate.PostSuccess), post("r", gate.PostStatus, "status"))
		w.postDue(gate.PostStatus) // which waits for nobody
		w.nothingToPost()
		w.must(w.s.DeferPost(w.ctx, pending, time.Now().Add(-time.Second), "500"))
		success := w.postDue(gate.PostCheck)
		if success.State != gate.PostSuccess {
			w.Errorf("expected success, got %s", success.State)
		}
		w.refused(gate.CodeTransition, w.s.Posted(w.ctx, pending, "1"))
		w.must(w.s.Posted(w.ctx, success, "1"))
		w.nothingToPost()
	})
}

func TestPostOfADeadWorkerGoesAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		_, ok, err := w.s.ClaimPost(w.ctx, "worker", over)
		w.must(err)
		if !ok {
			w.Fatal("expected a post")
		}
		w.postDue(gate.PostCheck)
		w.nothingToPost()
	})
}

func TestDeferredPostWaits(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		p := w.postDue(gate.PostCheck)
		w.must(w.s.DeferPost(w.ctx, p, time.Now().Add(time.Hour), "rate limit"))
		w.nothingToPost()
		w.must(w.s.DeferPost(w.ctx, p, time.Now().Add(-time.Second), "rate limit"))
		w.postDue(gate.PostCheck)
	})
}

// Each comment is answered once, whatever leads to the answer again: while it is on its
// way, once it is there, and after the forge refused it for good.
func TestReactionsAndRepliesGoOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		for _, target := range []gate.PostTarget{gate.PostReaction, gate.PostReply} {
			answer := func(comment int) {
				w.Helper()
				p := post("r", target, fmt.Sprint("comment ", comment))
				p.Thread = gate.Thread{Number: 3}
				w.told(p, p)
			}
			for n := range 3 {
				answer(n)
				answer(n)
			}
			for n := range 3 {
				p := w.postDue(target)
				if want := fmt.Sprint("comment ", n); p.Key != want {
					w.Errorf("expected the %s to %s, got %s", target, want, p.Key)
				}
				answer(n)
				w.must(w.s.Posted(w.ctx, p, ""))
				answer(n)
			}
			w.nothingToPost()
		}
	})
}

func TestKnownGoesToTheNext(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		p := w.postDue(gate.PostCheck)
		if p.Known != "" {
			w.Errorf("expected nothing known, got %q", p.Known)
		}
		w.must(w.s.Posted(w.ctx, p, "4711"))
		elsewhere := check("r", gate.PostSuccess)
		elsewhere.Repository.ID = 2
		status := post("r", gate.PostStatus, p.Key)
		w.told(check("r", gate.PostSuccess), elsewhere, status)
		for _, want := range []string{"4711", "", ""} {
			p, ok, err := w.s.ClaimPost(w.ctx, "worker", minute)
			w.must(err)
			if !ok || p.Known != want {
				w.Errorf("%s of %s: expected %q, got %q", p.Target, p.Repository, want, p.Known)
			}
		}
	})
}

func TestCommentsWaitForTheirThread(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		id := rec.Request.ID
		w.told(post(id, gate.PostComment, "sticky"), post(id, gate.PostReply, "reply"))
		w.nothingToPost()
		w.told(post(id, gate.PostThread, "thread"))
		p := w.postDue(gate.PostThread)
		w.nothingToPost()
		if err := w.s.Posted(w.ctx, p, "not a number"); gate.CodeOf(err) != gate.CodeInternal {
			w.Errorf("expected %s, got %v", gate.CodeInternal, err)
		}
		w.must(w.s.Posted(w.ctx, p, "42"))
		want := gate.Thread{Number: 42, Issue: true}
		if got := w.request(id); got.Thread != want || got.Version != rec.Version+1 {
			w.Errorf("expected thread %+v in the next version, got %+v in %d", want, got.Thread, got.Version)
		}
		for _, target := range []gate.PostTarget{gate.PostComment, gate.PostReply} {
			if p := w.postDue(target); p.Thread != want {
				w.Errorf("%s: expected thread %+v, got %+v", target, want, p.Thread)
			}
		}
		w.told(post(id, gate.PostComment, "later")) // known by now
		if p := w.postDue(gate.PostComment); p.Thread != want {
			w.Errorf("expected thread %+v, got %+v", want, p.Thread)
		}
	})
}

// A job that waits is let go whether or not a thread is known, and told of it once it is.
func TestDeploymentLearnsOfItsThread(t *testing.T) {
	onBoth(t, func(w *world) {
		id := w.opened("a").Request.ID
		w.told(post(id, gate.PostDeployment, "job"))
		p := w.postDue(gate.PostDeployment)
		if p.Thread != (gate.Thread{}) {
			w.Errorf("expected no thread yet, got %+v", p.Thread)
		}
		w.must(w.s.DeferPost(w.ctx, p, time.Now(), "no thread"))
		w.told(post(id, gate.PostThread, "thread"))
		for want := (gate.Thread{Number: 42, Issue: true}); ; {
			p, ok, err := w.s.ClaimPost(w.ctx, "worker", minute)
			w.must(err)
			switch {
			case !ok:
				w.Fatal("expected the job told again")
			case p.Target == gate.PostThread:
				w.must(w.s.Posted(w.ctx, p, "42"))
			case p.Thread == want:
				return
			default:
				w.must(w.s.DeferPost(w.ctx, p, time.Now(), "no thread"))
			}
		}
	})
}

// Two requests of one commit share an issue; each learns of it.
func TestThreadPostsServeEachRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.opened("a"), w.opened("b")
		w.told(post(a.Request.ID, gate.PostThread, "commit"), post(b.Request.ID, gate.PostThread, "commit"))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostThread), "42"))
		p := w.postDue(gate.PostThread)
		if p.Known != "42" {
			w.Errorf("expected that issue 42 is known, got %q", p.Known)
		}
		w.must(w.s.Posted(w.ctx, p, "42"))
		for _, rec := range []gate.Record{a, b} {
			if got := w.request(rec.Request.ID).Thread.Number; got != 42 {
				w.Errorf("expected thread 42, got %d", got)
			}
		}
	})
}

// The judgement under way when the thread becomes known is made again, at once.
func TestThreadWhileJudged(t *testing.T) {
	onBoth(t, func(w *world) {
		id := w.opened("a").Request.ID
		w.told(post(id, gate.PostThread, "thread"))
		rec := w.claimed(id, minute)
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostThread), "42"))
		_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateWaiting))
		w.refused(gate.CodeTransition, err)
		w.judged(w.claimed(id, minute), gate.StateWaiting)
		w.nothingDue()
	})
}

func TestLastPostPublishes(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.signed("a", check("x", gate.PostSuccess), post("", gate.PostStatus, "status"))
		id := rec.Request.ID
		first, second := w.postDue(gate.PostCheck), w.postDue(gate.PostStatus)
		w.must(w.s.Posted(w.ctx, second, "2"))
		w.inState(id, gate.StateSigned)
		w.must(w.s.DeferPost(w.ctx, first, time.Now().Add(-time.Second), "500"))
		w.inState(id, gate.StateSigned)
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))
		published := w.inState(id, gate.StatePublished)
		// Later posts change nothing.
		w.told(check(id, gate.PostSuccess))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))
		if got := w.request(id); got.Version != published.Version {
			w.Errorf("expected version %d, got %d", published.Version, got.Version)
		}
	})
}

// Of two last posts that end at once, one publishes.
func TestLastPostsAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		for n := range 10 {
			rec := w.signed(fmt.Sprint("artifact ", n), post("", gate.PostCheck, fmt.Sprint("check ", n)),
				post("", gate.PostStatus, fmt.Sprint("status ", n)))
			first, second := w.postDue(gate.PostCheck), w.postDue(gate.PostStatus)
			errs := make(chan error)
			go func() { errs <- w.s.Posted(w.ctx, first, "1") }()
			go func() { errs <- other.Posted(w.ctx, second, "2") }()
			w.must(<-errs)
			w.must(<-errs)
			w.inState(rec.Request.ID, gate.StatePublished)
		}
	})
}

// A signed release whose last post another release's overtakes is published too.
func TestDroppedPostPublishes(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.signed("a", post("", gate.PostStatus, "of the commit"))
		b := w.signed("b", post("", gate.PostStatus, "of the commit"))
		p := w.postDue(gate.PostStatus)
		if p.Request != b.Request.ID {
			w.Fatalf("expected the newer post, got that of %s", p.Request)
		}
		w.inState(a.Request.ID, gate.StatePublished)
		w.inState(b.Request.ID, gate.StateSigned)
		w.must(w.s.Posted(w.ctx, p, "1"))
		w.inState(b.Request.ID, gate.StatePublished)
	})
}

func TestPostsThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		keyless := post(rec.Request.ID, gate.PostStatus, "")
		homeless := post("", gate.PostComment, "sticky")
		unheard := post(rec.Request.ID, "pigeon", "key")
		for name, p := range map[string]gate.Post{"no key": keyless, "no thread ever": homeless, "no such target": unheard} {
			_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateWaiting, p))
			if gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.leaves(ledger.RequestOpened)
	})
}
