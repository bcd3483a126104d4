package store_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

func change(number int64) gate.ChangeRef {
	return gate.ChangeRef{Repository: repository(), Number: number}
}

func (w *world) changed(cs ...gate.ChangeRef) {
	w.Helper()
	w.heard(gate.Heard{Changes: cs})
}

// checking claims the next change, which has to be this one (0 for none).
func (w *world) checking(s *store.Store, number int64, lease time.Duration) gate.ChangeRef {
	w.Helper()
	c, ok, err := s.ClaimChange(w.ctx, "worker", lease)
	w.must(err)
	if ok != (number != 0) || c.Number != number {
		w.Fatalf("expected change %d, got %d, %t", number, c.Number, ok)
	}
	return c
}

func TestChangeIsLookedAtOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		w.checking(w.s, 0, minute)
		w.changed(change(3), change(3), change(4))
		w.changed(change(3))
		c := w.checking(w.s, 3, minute)
		w.must(w.s.FinishChange(w.ctx, c, []gate.Post{check("policy", gate.PostSuccess)}))
		w.postDue(gate.PostCheck)
		w.refused(gate.CodeTransition, w.s.FinishChange(w.ctx, c, []gate.Post{check("policy", gate.PostFailure)}))
		w.refused(gate.CodeTransition, w.s.DeferChange(w.ctx, c, time.Now(), "503"))
		w.nothingToPost()
		w.must(w.s.FinishChange(w.ctx, w.checking(w.s, 4, minute), nil))
		w.checking(w.s, 0, minute)
		w.changed(change(3)) // its head changed
		w.checking(w.s, 3, minute)
	})
}

func TestChangeThatRingsWhileItIsLookedAt(t *testing.T) {
	onBoth(t, func(w *world) {
		w.changed(change(3))
		c := w.checking(w.s, 3, minute)
		w.changed(change(3))
		w.checking(w.s, 0, minute)
		w.must(w.s.FinishChange(w.ctx, c, nil))
		c = w.checking(w.s, 3, minute)
		w.changed(change(3))
		w.must(w.s.DeferChange(w.ctx, c, time.Now().Add(time.Hour), "503")) // which the ring does not wait for
		w.must(w.s.FinishChange(w.ctx, w.checking(w.s, 3, minute), nil))
		w.checking(w.s, 0, minute)
	})
}

func TestDeferredChangeWaits(t *testing.T) {
	onBoth(t, func(w *world) {
		w.changed(change(3))
		w.must(w.s.DeferChange(w.ctx, w.checking(w.s, 3, minute), time.Now().Add(time.Hour), "503 \x00"))
		w.checking(w.s, 0, minute)
		w.changed(change(3))
		w.must(w.s.DeferChange(w.ctx, w.checking(w.s, 3, minute), time.Now().Add(-time.Second), "503"))
		w.checking(w.s, 3, minute)
	})
}

// A process that wakes late ends neither the look of another nor one that is still to come.
func TestLateLookAtAChangeIsRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		late := w.open()
		w.changed(change(3))
		c := w.checking(late, 3, over)
		w.changed(change(3))
		w.checking(w.s, 3, minute)
		w.refused(gate.CodeTransition, late.FinishChange(w.ctx, c, []gate.Post{check("policy", gate.PostSuccess)}))
		w.refused(gate.CodeTransition, late.DeferChange(w.ctx, c, time.Now(), "late"))
		w.must(w.s.FinishChange(w.ctx, c, nil))
		w.changed(change(3))
		w.refused(gate.CodeTransition, late.FinishChange(w.ctx, c, []gate.Post{check("policy", gate.PostSuccess)}))
		w.checking(w.s, 3, minute)
		w.nothingToPost()
	})
}

func TestChangesThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		for _, c := range []gate.ChangeRef{{Number: 3}, {Repository: repository()}} {
			w.refused(gate.CodeInternal, w.s.Hear(w.ctx, gate.Heard{Changes: []gate.ChangeRef{c}}))
		}
		w.checking(w.s, 0, minute)
	})
}
