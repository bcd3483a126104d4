package store_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

func TestSigningFromBeginToPublished(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		if rec.State != gate.StateSigning || rec.Signing != 1 {
			w.Fatalf("expected the first attempt at signing, got %s, %d", rec.State, rec.Signing)
		}
		w.nothingDue()
		sigs := signatures(is)
		rec, err := w.complete(rec, sigs, []gate.Post{check(rec.Request.ID, gate.PostSuccess)})
		w.must(err)
		if rec.State != gate.StateSigned {
			w.Errorf("expected signed, got %s", rec.State)
		}
		got, err := w.s.Signatures(w.ctx, rec.Request.ID)
		w.must(err)
		want := []gate.SignedIntent{
			{Intent: is[0], Signature: sigs[0], Entries: entered(is[0], sigs[0], 3), Timestamp: []byte("stamped a")},
			{Intent: is[1], Signature: sigs[1], Entries: entered(is[1], sigs[1], 4), Timestamp: []byte("stamped vsa")},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			w.Error(diff)
		}
		w.nothingDue()
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "77"))
		w.inState(rec.Request.ID, gate.StatePublished)
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents, ledger.Signature, ledger.Signature, ledger.Published)
	})
}

// entered is where a signature is on the ledger by key.
func entered(i gate.Intent, sig gate.Signature, index int64) []gate.LogEntry {
	body, err := ledger.Record{Digest: i.Digest, Signature: sig.Bytes, Key: i.Key.SPKI}.Bytes()
	if err != nil {
		panic(err)
	}
	return []gate.LogEntry{{Variant: gate.VariantKey, Index: index, Body: body}}
}

func TestBeginSigningIsRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		waiting := w.opened("a")
		_, err := w.s.BeginSigning(w.ctx, waiting, intents(waiting), "worker", minute)
		w.refused(gate.CodeTransition, err)

		granted := w.judged(waiting, gate.StateGranted)
		other := w.opened("b")
		for name, is := range map[string][]gate.Intent{
			"no intents":        nil,
			"another request's": intents(other),
			"another attempt's": {{ID: newID(), Request: granted.Request.ID, Attempt: 2}},
			"no id":             {{Request: granted.Request.ID, Attempt: 1}},
		} {
			if _, err := w.s.BeginSigning(w.ctx, granted, is, "worker", minute); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		_, _ = w.begun(granted, minute)
		_, err = w.s.BeginSigning(w.ctx, granted, intents(granted), "other", minute)
		w.refused(gate.CodeTransition, err)
	})
}

// One grant, many replicas: one of them signs.
func TestOneOfManyBegins(t *testing.T) {
	onBoth(t, func(w *world) {
		granted := w.judged(w.opened("a"), gate.StateGranted)
		other := w.open()
		errs := make(chan error)
		for n := range 20 {
			s := w.s
			if n%2 == 1 {
				s = other
			}
			go func() {
				_, err := s.BeginSigning(w.ctx, granted, intents(granted), "worker", minute)
				errs <- err
			}()
		}
		won := 0
		for range 20 {
			if err := <-errs; err == nil {
				won++
			} else if gate.CodeOf(err) != gate.CodeTransition {
				w.Error(err)
			}
		}
		if won != 1 {
			w.Errorf("expected one winner, got %d", won)
		}
	})
}

func TestSignaturesThatDoNotFitTheIntents(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		sigs := signatures(is)
		stranger := signatures([]gate.Intent{{ID: newID()}})
		for name, some := range map[string][]gate.Signature{
			"none":         nil,
			"one missing":  sigs[:1],
			"one twice":    {sigs[0], sigs[0]},
			"a stranger":   {sigs[0], stranger[0]},
			"one too many": {sigs[0], sigs[1], stranger[0]},
			"an empty one": {sigs[0], {Intent: is[1].ID}},
		} {
			if _, err := w.complete(rec, some, nil); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.inState(rec.Request.ID, gate.StateSigning)
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents)
	})
}

func TestOrphanedSigningIsJudgedAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", over)
		rec = w.claimed(rec.Request.ID, minute)
		if rec.State != gate.StateSigning {
			w.Fatalf("expected the request whose signing lease ran out, got state %s", rec.State)
		}
		rec, err := w.s.OrphanSigning(w.ctx, rec)
		w.must(err)
		if rec.State != gate.StateGranted || rec.Orphans != 2 || rec.Signing != 1 {
			w.Errorf("expected granted with two orphans of one attempt, got %s, %d, %d", rec.State, rec.Orphans, rec.Signing)
		}
		for n, l := range w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents, ledger.Orphaned, ledger.Orphaned)[3:] {
			if !strings.Contains(string(l.Document), is[n].Digest.String()) {
				w.Errorf("expected that the leaf names digest %s, got %s", is[n].Digest, l.Document)
			}
		}
		_, err = w.s.OrphanSigning(w.ctx, rec)
		w.refused(gate.CodeTransition, err)
		// Judged again, and signed in the second attempt; or void.
		w.nothingDue() // whoever orphaned it has it
		rec = w.judged(rec, gate.StateGranted)
		rec, again := w.begun(rec, minute)
		rec, err = w.complete(rec, signatures(again), nil)
		w.must(err)
		if rec.Signing != 2 || rec.Orphans != 2 {
			w.Errorf("expected the second attempt with two orphans, got %d, %d", rec.Signing, rec.Orphans)
		}
		got, err := w.s.Signatures(w.ctx, rec.Request.ID)
		w.must(err)
		if len(got) != 2 || got[0].Intent.Attempt != 2 {
			w.Errorf("expected the second attempt's signatures, got %+v", got)
		}
	})
}

func TestWhoeverOrphansMayDieToo(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, _ := w.signing("a", over)
		_, err := w.s.OrphanSigning(w.ctx, w.claimed(rec.Request.ID, over))
		w.must(err)
		if rec := w.claimed(rec.Request.ID, minute); rec.State != gate.StateGranted {
			w.Errorf("expected granted, got %s", rec.State)
		}
	})
}

func TestSigningUnderALeaseIsNotOrphaned(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, _ := w.signing("a", minute)
		_, err := w.s.OrphanSigning(w.ctx, rec)
		w.refused(gate.CodeTransition, err)
		w.inState(rec.Request.ID, gate.StateSigning)
	})
}

// A replica that wakes late is fenced: its signatures count for nothing, and the
// ledger says that they were made.
func TestLateSignaturesAreDiscarded(t *testing.T) {
	onBoth(t, func(w *world) {
		late, is := w.signing("a", over)
		rec, err := w.s.OrphanSigning(w.ctx, w.claimed(late.Request.ID, minute))
		w.must(err)
		sigs := signatures(is)
		discarded := func() {
			w.Helper()
			_, err := w.complete(late, sigs, []gate.Post{check(late.Request.ID, gate.PostSuccess)})
			w.refused(gate.CodeTransition, err)
			if _, ok, err := w.s.ClaimPost(w.ctx, "worker", minute); ok || err != nil {
				w.Errorf("expected no post, got one, %v", err)
			}
		}
		discarded() // before the next attempt,
		rec, again := w.begun(w.judged(rec, gate.StateGranted), minute)
		discarded() // while it is under way,
		_, err = w.complete(rec, signatures(again), nil)
		w.must(err)
		discarded() // and after it
		all := w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents,
			ledger.Orphaned, ledger.Orphaned, ledger.LateSignatureDiscarded,
			ledger.Decision, ledger.Intents, ledger.LateSignatureDiscarded,
			ledger.Signature, ledger.Signature, ledger.Published, ledger.LateSignatureDiscarded)
		if bytes.Contains(all[5].Document, sigs[0].Bytes) {
			w.Error("expected that a discarded signature is kept nowhere")
		}
		if doc := string(all[5].Document); !strings.Contains(doc, gate.SHA256(sigs[0].Bytes).String()) {
			w.Errorf("expected the signature's hash, got %s", doc)
		}
	})
}

// After a commit whose outcome was unknown, the same call again finds its work done.
func TestCompletingTwiceIsCompletingOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		sigs := signatures(is)
		posts := []gate.Post{check(rec.Request.ID, gate.PostSuccess)}
		first, err := w.complete(rec, sigs, posts)
		w.must(err)
		second, err := w.complete(rec, sigs, posts)
		w.must(err)
		if diff := cmp.Diff(first, second); diff != "" {
			w.Error(diff)
		}
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents, ledger.Signature, ledger.Signature)
	})
}

// What is only said about a request does not throw away signatures that were made for it.
func TestVersionMayMoveWhileSigning(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		w.heard(gate.Heard{Approvals: []gate.Approval{approval(rec, 5, gate.VerbApprove)}})
		w.nothingDue() // the signing lease stays
		_, err := w.complete(rec, signatures(is), nil)
		w.must(err)
	})
}

func TestFailedSigning(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		posts := []gate.Post{check(rec.Request.ID, gate.PostFailure)}
		failed, err := w.s.FailSigning(w.ctx, rec, "the HSM refuses the key", posts)
		w.must(err)
		if failed.State != gate.StateFailed || failed.Orphans != 2 {
			w.Errorf("expected failed with two orphans, got %s, %d", failed.State, failed.Orphans)
		}
		w.nothingDue()
		w.postDue(gate.PostCheck)
		_, err = w.s.FailSigning(w.ctx, rec, "again", nil)
		w.refused(gate.CodeTransition, err)
		_, err = w.complete(rec, signatures(is), nil)
		w.refused(gate.CodeTransition, err)
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Intents, ledger.Orphaned, ledger.Orphaned,
			ledger.Failed, ledger.LateSignatureDiscarded)
		if next := w.opened("a"); next.Request.Attempt != 2 {
			w.Errorf("expected attempt 2, got %d", next.Request.Attempt)
		}
	})
}

func TestReleasedListsSignedCommitsNewestFirst(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.signed("a")
		b := w.signed("b", check("", gate.PostSuccess)) // signed, and not published yet
		w.signing("c", minute)                          // neither
		again := w.signed("a")                          // the same commit, signed once more
		if again.Request.Commit != a.Request.Commit {
			w.Fatal("expected the same commit")
		}
		for limit, want := range map[int][]string{
			10: {a.Request.Commit, b.Request.Commit}, 1: {a.Request.Commit}, 0: nil,
		} {
			got, err := w.s.Released(w.ctx, repository(), "release", limit)
			w.must(err)
			if strings.Join(got, " ") != strings.Join(want, " ") {
				w.Errorf("limit %d: expected %v, got %v", limit, want, got)
			}
		}
		if got, err := w.s.Released(w.ctx, repository(), "other", 10); err != nil || len(got) != 0 {
			w.Errorf("another stream: expected nothing, got %v, %v", got, err)
		}
	})
}
