package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// refusedOften has the forge refuse the next post for a number of times.
func (w *world) refusedOften(target gate.PostTarget, times int) gate.Post {
	w.Helper()
	var p gate.Post
	for range times {
		p = w.postDue(target)
		w.must(w.s.RefusePost(w.ctx, p, time.Now().Add(-time.Hour), "CS-1602"))
	}
	return p
}

func (w *world) givenUp(want ...store.GivenUpPost) {
	w.Helper()
	got, err := w.s.GivenUp(w.ctx, 10)
	w.must(err)
	for i := range got {
		if got[i].At.IsZero() {
			w.Error("expected a time, got none")
		}
		got[i].At = time.Time{}
	}
	if len(want) == 0 {
		want = []store.GivenUpPost{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Error(diff)
	}
}

// A release whose issue nobody may comment on is published all the same, and the operator
// sees what was not told.
func TestPostIsGivenUpAfterFiftyRefusals(t *testing.T) {
	onBoth(t, func(w *world) {
		reply := post("", gate.PostReply, "reply")
		reply.Thread.Number = 3
		rec := w.signed("a", reply)
		p := w.refusedOften(gate.PostReply, 49)
		w.must(w.s.DeferPost(w.ctx, w.postDue(gate.PostReply), time.Now().Add(-time.Hour), "503")) // which is no refusal
		w.inState(rec.Request.ID, gate.StateSigned)
		w.givenUp()
		w.refusedOften(gate.PostReply, 1)
		w.nothingToPost()
		w.inState(rec.Request.ID, gate.StatePublished)
		w.givenUp(store.GivenUpPost{Post: p, Why: "CS-1602", Refusals: 50})
		w.refused(gate.CodeTransition, w.s.RefusePost(w.ctx, p, time.Now(), "late"))
		w.refused(gate.CodeTransition, w.s.Posted(w.ctx, p, "1"))
	})
}

func TestRefusedPostWaits(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		w.must(w.s.RefusePost(w.ctx, w.postDue(gate.PostCheck), time.Now().Add(time.Hour), "403"))
		w.nothingToPost()
		w.told(check("r", gate.PostSuccess)) // something newer is worth a try of its own
		w.refusedOften(gate.PostCheck, 50)
		w.nothingToPost()
		w.told(check("r", gate.PostFailure))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))
	})
}

// Where no issue can be opened, what was to be said in it cannot be.
func TestCommentsAreGivenUpWithTheirThread(t *testing.T) {
	onBoth(t, func(w *world) {
		sticky, thread := post("", gate.PostComment, "sticky"), post("", gate.PostThread, "commit")
		rec := w.signed("a", sticky, thread)
		other := w.opened("b")
		w.told(post(other.Request.ID, gate.PostComment, "other's"))
		sticky.Request, thread.Request = rec.Request.ID, rec.Request.ID
		w.refusedOften(gate.PostThread, 50)
		w.inState(rec.Request.ID, gate.StatePublished)
		w.givenUp(store.GivenUpPost{Post: thread, Why: "CS-1602", Refusals: 50},
			store.GivenUpPost{Post: sticky, Why: "no thread could be opened for it"})
	})
}

// Comments wait where another try at a thread is still to come, and where there is one.
func TestCommentsAreNotGivenUpTooEarly(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		id := rec.Request.ID
		w.told(post(id, gate.PostComment, "sticky"), post(id, gate.PostThread, "commit"), post(id, gate.PostThread, "again"))
		for range 50 {
			p := w.postDue(gate.PostThread)
			w.must(w.s.RefusePost(w.ctx, p, time.Now().Add(-time.Hour), "410"))
		}
		p := w.postDue(gate.PostThread)
		if p.Key != "again" {
			w.Fatalf("expected the other try, got %s", p.Key)
		}
		w.must(w.s.Posted(w.ctx, p, "42"))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostComment), "1"))
		w.told(post(id, gate.PostThread, "once more"), post(id, gate.PostComment, "sticky"))
		w.postDue(gate.PostThread)
		w.postDue(gate.PostComment)
	})
}

// What was given up gets all its tries again, and may end as anything may.
func TestTellAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		reply := post("", gate.PostReply, "reply")
		reply.Thread.Number = 3
		rec := w.signed("a", reply)
		p := w.refusedOften(gate.PostReply, 50)
		w.inState(rec.Request.ID, gate.StatePublished)
		w.must(w.s.TellAgain(w.ctx, p.ID))
		w.refused(gate.CodeTransition, w.s.TellAgain(w.ctx, p.ID)) // it is open now
		w.givenUp()
		w.refusedOften(gate.PostReply, 50)
		w.givenUp(store.GivenUpPost{Post: p, Why: "CS-1602", Refusals: 50})
		w.must(w.s.TellAgain(w.ctx, p.ID))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostReply), "1"))
		w.nothingToPost()
		w.inState(rec.Request.ID, gate.StatePublished)
		w.refused(gate.CodeTransition, w.s.TellAgain(w.ctx, p.ID)) // it was told
		for _, id := range []string{"", "nobody's", "\x00"} {
			w.refused(gate.CodeRequestUnknown, w.s.TellAgain(w.ctx, id))
		}
	})
}

// An old state must not take the place of a newer one that was told, or will be.
func TestTellAgainUndoesNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		w.told(check("r", gate.PostPending))
		old := w.refusedOften(gate.PostCheck, 50)
		w.told(check("r", gate.PostFailure))
		w.refused(gate.CodeTransition, w.s.TellAgain(w.ctx, old.ID))
		newer := w.refusedOften(gate.PostCheck, 50)
		w.must(w.s.TellAgain(w.ctx, old.ID)) // nothing newer was ever told
		w.must(w.s.TellAgain(w.ctx, newer.ID))
		if p := w.postDue(gate.PostCheck); p.ID != newer.ID {
			w.Errorf("expected the newer one, got %s", p.State)
		}
		w.must(w.s.Posted(w.ctx, newer, "1"))
		w.refused(gate.CodeTransition, w.s.TellAgain(w.ctx, old.ID))
		w.nothingToPost()
	})
}

// A comment without a thread comes back with what opens one, whichever is asked for.
func TestTellAgainWithTheThread(t *testing.T) {
	onBoth(t, func(w *world) {
		for n, which := range []gate.PostTarget{gate.PostThread, gate.PostComment} {
			sticky := post("", gate.PostComment, fmt.Sprint("sticky ", n))
			thread := post("", gate.PostThread, fmt.Sprint("commit ", n))
			rec := w.signed(string(which), sticky, thread)
			w.refusedOften(gate.PostThread, 50)
			w.inState(rec.Request.ID, gate.StatePublished)
			w.must(w.s.TellAgain(w.ctx, map[gate.PostTarget]string{gate.PostThread: thread.ID, gate.PostComment: sticky.ID}[which]))
			w.must(w.s.Posted(w.ctx, w.postDue(gate.PostThread), fmt.Sprint(n+7)))
			p := w.postDue(gate.PostComment)
			if p.ID != sticky.ID || p.Thread.Number != int64(n+7) {
				w.Errorf("expected the comment in thread %d, got %s in %d", n+7, p.Key, p.Thread.Number)
			}
			w.must(w.s.Posted(w.ctx, p, "1"))
			w.givenUp()
		}
	})
}
