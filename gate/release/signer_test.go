package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// attemptLease is how long the first attempt's outcome is waited for.
const attemptLease = 45 * time.Second

// interrupted brings a release to the point where the signer does not answer.
func (w *world) interrupted() (id string, approval gate.CommentRef) {
	w.Helper()
	w.signer.FailNext(hsmtest.Unavailable())
	id = w.opened(1).Request.ID
	w.settle()
	approval = w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StateSigning)
	w.later(attemptLease - time.Second) // nobody else may try while the first may still sign
	if rec := w.in(id, gate.StateSigning); rec.Signing != 1 || rec.Orphans != 0 {
		w.Fatalf("attempt %d with %d orphans while the first may go on", rec.Signing, rec.Orphans)
	}
	return id, approval
}

func TestSignerUnavailable(t *testing.T) {
	w := newWorld(t)
	id, _ := w.interrupted()
	told := w.forge.count()
	w.later(time.Second)
	rec := w.in(id, gate.StatePublished)
	if rec.Signing != 2 || rec.Orphans != signedOf(1) {
		t.Errorf("attempt %d with %d orphans, expected the second, with all intents of the first", rec.Signing, rec.Orphans)
	}
	want := slices.Concat(
		[]ledger.Kind{ledger.Intents}, repeated(ledger.Orphaned, signedOf(1)),
		[]ledger.Kind{ledger.Intents}, repeated(ledger.Signature, signedOf(1)), []ledger.Kind{ledger.Published},
	)
	if got := w.leaves(); !slices.Equal(got[len(got)-len(want):], want) {
		t.Errorf("leaves %v, expected them to end with %v", got, want)
	}
	for _, p := range w.forge.told[told:] {
		if p.State == gate.PostFailure {
			t.Errorf("expected nothing alarming, got %s: %s", p.Target, p.Title)
		}
	}
	w.verifies(id, rec.Request)
}

func TestOrphanWithoutApprovalIsVoid(t *testing.T) {
	w := newWorld(t)
	id, approval := w.interrupted()
	w.edited(approval, func(c *gate.Comment) { c.Edited = true })
	w.later(time.Second)
	rec := w.in(id, gate.StateVoid)
	if rec.Signing != 1 || len(w.signer.Signed()) != 0 {
		t.Errorf("attempt %d, signed %v: what may have been signed is not signed again", rec.Signing, w.signer.Signed())
	}
	w.reacted(approval, "rocket", "confused")
	if p, _ := w.forge.latest(gate.PostCheck); p.State != gate.PostFailure {
		t.Errorf("status %s, expected failure", p.State)
	}
}

func TestOrphanWaitsForEvidence(t *testing.T) {
	w := newWorld(t)
	id, _ := w.interrupted()
	w.forge.with(func() { w.forge.unread = "HTTP 500" })
	w.later(time.Second)
	w.in(id, gate.StateWaiting)
	if len(w.signer.Signed()) != 0 {
		t.Fatal("signed on evidence that was not read (I2)")
	}
	read := w.forge.read
	w.later(15 * time.Second)
	if w.forge.read != read+1 {
		t.Errorf("the forge was read %d times in 15 s, expected once", w.forge.read-read)
	}
	w.forge.with(func() { w.forge.unread = "" })
	w.later(15 * time.Second)
	if rec := w.in(id, gate.StatePublished); rec.Signing != 2 {
		t.Errorf("attempt %d, expected the second", rec.Signing)
	}
}

func TestSignerRefusesForGood(t *testing.T) {
	w := newWorld(t)
	w.signer.FailNext(&gate.Error{
		Kind: gate.Refused, Code: gate.CodeSignatureBad, Text: "the signature does not verify", Got: "what only the log may know",
	})
	rec := w.opened(1)
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	rec = w.in(rec.Request.ID, gate.StateFailed)
	if rec.Orphans != signedOf(1) {
		t.Errorf("%d orphans, expected all intents: the HSM may have signed", rec.Orphans)
	}
	for _, target := range []gate.PostTarget{gate.PostCheck} {
		if p, _ := w.forge.latest(target); p.State != gate.PostFailure {
			t.Errorf("%s says %s, expected failure", target, p.State)
		}
	}
	comment, _ := w.forge.latest(gate.PostComment)
	if !strings.Contains(comment.Body, "failed") || strings.Contains(comment.Body, "only the log") {
		t.Errorf("comment:\n%s", comment.Body)
	}
	_, _, err := w.gate.Collect(w.ctx, w.job(), rec.Request.ID)
	w.refused(err, gate.Conflict, gate.CodeEnded)

	w.clock.pass(time.Minute)
	if again := w.opened(1); again.Request.Attempt != 2 {
		t.Errorf("attempt %d, expected 2", again.Request.Attempt)
	}
}

// A signer that is away for long must not fill the ledger: every attempt leaves leaves.
func TestAttemptsComeEverMoreRarely(t *testing.T) {
	w := newWorld(t)
	w.signer.FailAlways(hsmtest.Unavailable())
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	for range 24 * 12 {
		w.later(5 * time.Minute)
	}
	rec := w.in(id, gate.StateSigning)
	if rec.Signing < 60 || rec.Signing > 130 {
		t.Errorf("%d attempts in a day, expected about one in twelve minutes", rec.Signing)
	}
	w.signer.FailAlways(nil)
	w.later(13 * time.Minute)
	w.in(id, gate.StatePublished)
}

// Signatures of a worker that was given up count for nothing.
func TestLateSignaturesAreDiscarded(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.heard()
	quick := w.gate
	w.gate = w.newGate(&broken{Store: w.store, before: map[string]func(){"KeepSignatures": func() {
		w.clock.pass(attemptLease)
		if found, err := quick.JudgeNext(w.ctx); err != nil || !found {
			t.Errorf("expected another process to take over, got %t, %v", found, err)
		}
	}}})
	err := w.judged()
	if gate.CodeOf(err) != gate.CodeTransition {
		t.Errorf("expected the late signatures refused, got %v", err)
	}
	rec := w.in(id, gate.StateSigned)
	if !slices.Contains(w.leaves(), ledger.LateSignatureDiscarded) || rec.Signing != 2 {
		t.Errorf("attempt %d, leaves %v", rec.Signing, w.leaves())
	}
	w.verifies(id, rec.Request)
}
