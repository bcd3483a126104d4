package release_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

func words(rec gate.Record, by gate.Account, edits ...func(*release.Words)) release.Words {
	w := release.Words{Request: rec.Request.ID, By: by, Verb: gate.VerbApprove, Manifest: rec.Request.Manifest.Digest()}
	for _, edit := range edits {
		edit(&w)
	}
	return w
}

// What a signed-in person says on the release's page counts by the rules of a comment.
func TestApprovalOnThePage(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(3)
	w.settle()
	if _, err := w.gate.Say(w.ctx, words(w.record(rec.Request.ID), gatetest.Bo())); err != nil {
		t.Fatal(err)
	}
	w.settle()
	rec = w.in(rec.Request.ID, gate.StatePublished)
	if counted := w.decision(rec).Counted; len(counted) != 1 || !counted[0].Page || counted[0].By.ID != gatetest.Bo().ID {
		t.Errorf("expected the page's approval by bo to count, got %+v", counted)
	}
}

// A denial on the page ends the request; its maker's words stay with it.
func TestDenialOnThePage(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	_, err := w.gate.Say(w.ctx, words(rec, gatetest.Bo(), func(x *release.Words) { x.Verb, x.Reason = gate.VerbDeny, "wrong branch" }))
	w.must(err)
	w.settle()
	w.in(rec.Request.ID, gate.StateDenied)
}

// An author's approval on the page covers nothing of their own .
func TestAuthorsApprovalOnThePage(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	if _, err := w.gate.Say(w.ctx, words(rec, gatetest.Ana())); err != nil {
		w.refused(err, gate.Refused, gate.CodeNotEligible)
	}
	w.settle()
	w.in(rec.Request.ID, gate.StateWaiting)
}

// A policy may count comments alone: the page then still denies.
func TestCommentsAlone(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "page_counts: false", 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	rec := w.opened(1)
	w.settle()
	_, err = w.gate.Say(w.ctx, words(rec, gatetest.Bo()))
	w.refused(err, gate.Refused, gate.CodeNotEligible)
	w.says(gatetest.Bo(), "/countersign hold")
	w.settle()
	_, err = w.gate.Say(w.ctx, words(rec, gatetest.Bo(), func(x *release.Words) { x.Verb, x.Reason = gate.VerbDeny, "not today" }))
	w.must(err)
	w.settle()
	w.in(rec.Request.ID, gate.StateDenied)
}

func TestWordsThatAreNotTaken(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	rec = w.record(rec.Request.ID)
	for name, x := range map[string]struct {
		kind gate.Kind
		code gate.Code
		edit func(*release.Words)
	}{
		"another manifest":     {gate.Conflict, gate.CodePageStale, func(x *release.Words) { x.Manifest = gate.SHA256([]byte("other")) }},
		"a denial for nothing": {gate.Invalid, gate.CodeParameter, func(x *release.Words) { x.Verb = gate.VerbDeny }},
		"a novel as a reason":  {gate.Invalid, gate.CodeParameter, func(x *release.Words) { x.Reason = string(make([]byte, 1001)) }},
		"a verb that is none":  {gate.Invalid, gate.CodeParameter, func(x *release.Words) { x.Verb = gate.VerbHelp }},
		"a machine":            {gate.Refused, gate.CodeNotEligible, func(x *release.Words) { x.By.Human = false }},
		"another forge's bo":   {gate.Refused, gate.CodeNotEligible, func(x *release.Words) { x.By.ID.Forge = "elsewhere" }},
		"a request of nobody":  {gate.NotFound, gate.CodeRequestUnknown, func(x *release.Words) { x.Request = newID() }},
		"an author's approval": {gate.Refused, gate.CodeNotEligible, func(x *release.Words) { x.By = gatetest.Ana() }},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.gate.Say(w.ctx, words(rec, gatetest.Bo(), x.edit))
			w.refused(err, x.kind, x.code)
		})
	}
	_, err := w.gate.Say(w.ctx, words(rec, gatetest.Bo()))
	w.must(err)
	w.settle()
	_, err = w.gate.Say(w.ctx, words(rec, gatetest.Bo()))
	w.refused(err, gate.Conflict, gate.CodeEnded)
}
