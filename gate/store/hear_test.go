package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

// Each kind of statement is on record with a leaf that says what it is.
func TestStatementsHaveTheirLeaves(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		verbs := []gate.Verb{gate.VerbApprove, gate.VerbDeny, gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw}
		var all []gate.Approval
		for n, v := range verbs {
			all = append(all, approval(rec, int64(n+1), v))
		}
		w.heard(gate.Heard{Approvals: all[:2]})
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: all[2:]}))
		got, err := w.s.Approvals(w.ctx, rec.Request.ID)
		w.must(err)
		if diff := cmp.Diff(all, got); diff != "" {
			w.Error(diff)
		}
		w.leaves(ledger.RequestOpened, ledger.Approval, ledger.Approval, ledger.Hold, ledger.Unhold, ledger.Withdrawal)
	})
}

// Whatever is said makes a judgement under way void.
func TestHoldDisturbsAJudgement(t *testing.T) {
	onBoth(t, func(w *world) {
		for n, verb := range []gate.Verb{gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw} {
			rec := w.claimed(w.opened(string(verb)).Request.ID, minute)
			w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{approval(rec, int64(n+1), verb)}}))
			_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateGranted))
			w.refused(gate.CodeTransition, err)
			w.judged(w.claimed(rec.Request.ID, minute), gate.StateWithdrawn)
		}
	})
}

// A comment that is read again says nothing new: not to its own request, and not to a
// later one of the same thread.
func TestCommentThatIsReadAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		first := w.opened("a")
		said := approval(first, 5, gate.VerbApprove)
		w.heard(gate.Heard{Approvals: []gate.Approval{said}})
		w.judged(w.request(first.Request.ID), gate.StateExpired)
		second := w.opened("b")
		judged := w.judged(w.claimed(second.Request.ID, minute), gate.StateWaiting)
		for _, verb := range []gate.Verb{gate.VerbApprove, gate.VerbDeny} {
			again := approval(second, 5, verb)
			w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{said, again}}))
		}
		got, err := w.s.Approvals(w.ctx, second.Request.ID)
		w.must(err)
		if len(got) != 0 || w.request(second.Request.ID).Version != judged.Version {
			w.Errorf("expected nothing said about the second request, got %v", got)
		}
		w.nothingDue()
		fresh := approval(second, 6, gate.VerbApprove)
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{again(said), fresh}}))
		if got, err = w.s.Approvals(w.ctx, second.Request.ID); err != nil || len(got) != 1 || got[0].ID != fresh.ID {
			w.Errorf("expected the new comment alone, got %v, %v", got, err)
		}
		w.claimed(second.Request.ID, minute)
	})
}

// again is the same statement as it is made from a second reading.
func again(a gate.Approval) gate.Approval {
	a.ID = newID()
	return a
}

// What was said on the release page was said in no comment: each stands for itself, as it
// was said, and none speaks for another request or is taken for a comment.
func TestStatementsOnThePage(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, other := w.opened("a"), w.opened("b")
		page := func(rec gate.Record, verb gate.Verb) gate.Approval {
			a := approval(rec, 0, verb)
			a.Page, a.BodyHash, a.Source.Thread = true, gate.Digest{}, gate.Thread{}
			a.TagObject, a.Reason = "tag", "it \x00 is <b>bad</b>"
			return a
		}
		one, two, deny := page(rec, gate.VerbHold), page(rec, gate.VerbHold), page(rec, gate.VerbDeny)
		elsewhere := page(other, gate.VerbHold)
		odd := page(other, gate.VerbApprove)
		odd.Source.ID = 5 // which no page names
		comment := approval(other, 5, gate.VerbApprove)
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{one, two}, DueRequests: []string{rec.Request.ID}}))
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{deny, elsewhere, odd}}))
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{comment}}))
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{one, deny}})) // a commit whose outcome was unknown
		for id, want := range map[string][]gate.Approval{
			rec.Request.ID: {one, two, deny}, other.Request.ID: {elsewhere, odd, comment},
		} {
			got, err := w.s.Approvals(w.ctx, id)
			w.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				w.Error(diff)
			}
		}
		w.leaves(ledger.RequestOpened, ledger.RequestOpened, ledger.Hold, ledger.Hold, ledger.Approval, ledger.Hold,
			ledger.Approval, ledger.Approval)
	})
}

// Two approvals from two browsers at once are two statements, and a judgement that saw
// neither is not stored.
func TestApprovalsFromTwoBrowsers(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, minute)
		stores, ended := []*store.Store{w.s, w.open()}, make(chan error)
		for n, s := range stores {
			go func() {
				said := approval(rec, 0, gate.VerbApprove)
				said.Page, said.By = true, person(int64(n+2), "bo")
				ended <- s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{said}, DueRequests: []string{rec.Request.ID}})
			}()
		}
		w.must(errors.Join(<-ended, <-ended))
		if got, err := w.s.Approvals(w.ctx, rec.Request.ID); err != nil || len(got) != 2 {
			w.Errorf("expected two, got %v, %v", got, err)
		}
		_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateGranted))
		w.refused(gate.CodeTransition, err)
		w.claimed(rec.Request.ID, minute)
	})
}

func TestHearStoresAllOrNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.judged(w.claimed(w.opened("a").Request.ID, minute), gate.StateWaiting)
		heard := gate.Heard{
			Approvals: []gate.Approval{approval(rec, 5, gate.VerbHold)}, DueRequests: []string{rec.Request.ID, "of another gate"},
			Changes: []gate.ChangeRef{change(3)}, Posts: []gate.Post{check("x", gate.PostPending)},
		}
		broken := heard
		broken.Posts = append(slices.Clone(heard.Posts), post("", gate.PostComment, "homeless"))
		w.refused(gate.CodeInternal, w.s.Hear(w.ctx, broken))
		w.nothingDue()
		w.nothingToPost()
		w.checking(w.s, 0, minute)
		w.must(w.s.Hear(w.ctx, heard))
		w.claimed(rec.Request.ID, minute)
		w.postDue(gate.PostCheck)
		w.checking(w.s, 3, minute)
	})
}
