package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

// floored lets the gate hold the owner's policies to a floor from now on; "" lifts it.
func (w *world) floored(asks string) {
	w.Helper()
	c := w.gate.Config
	c.Floors = nil
	if asks != "" {
		f, err := policy.ParseFloor("server", "server.yaml", []byte("version: 1\nfloor:\n  "+asks+"\n"))
		w.must(err)
		c.Floors = func(owner gate.AccountID) []policy.Floor {
			if owner != gatetest.Acme() {
				return nil
			}
			return []policy.Floor{f}
		}
	}
	w.gate = release.New(c)
}

// Attack 75: a repository's file that asks for little is held to what the server asks for.
func TestFloorTightensAWeakFile(t *testing.T) {
	for _, row := range []struct {
		name, floor string
		check       gate.CheckName
		says        string
	}{
		{"attack 75: one approval where the server asks for two", "approvals: [{from: [write], count: 2}]", gate.CheckApprovals, "1 of 2"},
		{"attack 75: an approver with too little", "approvals: [{from: [admin]}]", gate.CheckApprovals, "approving needs admin"},
		{"attack 75: a branch whose bypass list is hidden", "branch: {bypass: deny}", gate.CheckProtection, "who may bypass"},
		{"attack 75: a branch without enough reviews", "branch: {min_reviews: 2}", gate.CheckProtection, "asks for 1 reviews, the policy for 2"},
		{"attack 75: another kind of runner", "identity: {runner: self-hosted}", gate.CheckIdentity, "runner"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.floored(row.floor)
			rec := w.opened(1)
			w.settle()
			w.says(gatetest.Bo(), "/countersign approve")
			w.settle()
			rec = w.record(rec.Request.ID)
			c, _ := w.decision(rec).Check(row.check)
			if rec.State == gate.StatePublished || c.Outcome == gate.Granted || !strings.Contains(c.Reason, row.says) {
				t.Errorf("expected %s to say %q, got %s\n%s", row.check, row.says, rec.State, w.checks(rec))
			}
			if len(w.signer.Signed()) > 0 {
				t.Error("the floor was signed through")
			}
		})
	}
}

// Without a floor the same release is signed, and under one that asks for no more it is.
func TestFloorThatAsksForNoMore(t *testing.T) {
	for _, floor := range []string{"", "approvals: [{from: [write]}]"} {
		w := newWorld(t)
		w.floored(floor)
		rec := w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		w.in(rec.Request.ID, gate.StatePublished)
	}
}

// What was asked under other rules is asked again under the ones in force.
func TestChangedFloorVoidsWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	before := w.opened(1)
	w.settle()
	w.floored("separation: outsider")
	w.says(gatetest.Bo(), "/countersign approve")
	w.later(10 * time.Minute)
	rec := w.in(before.Request.ID, gate.StateVoid)
	if c, _ := w.decision(rec).Check(gate.CheckPolicy); c.Ends != gate.StateVoid || c.Reason == "" || c.Fix == "" {
		t.Errorf("expected the policy check to say why, got %+v", c)
	}
	again := w.opened(1)
	if again.Request.PolicyDigest == before.Request.PolicyDigest {
		t.Error("the floor is no part of the policy digest")
	}
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve "+again.Request.Code)
	w.settle()
	w.in(again.Request.ID, gate.StatePublished)
}

// A file that a floor contradicts can neither be adopted nor released under.
func TestFloorThatContradictsTheFile(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch:", "identity: {runner: github-hosted}\n    branch:", 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	w.floored("identity: {runner: self-hosted}")
	_, err = w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	if e := w.refused(err, gate.Invalid, gate.CodePolicyInvalid); !strings.Contains(e.Text, "floor server asks for a self-hosted runner") || !strings.Contains(e.Text, "^") {
		t.Errorf("got %v", e)
	}
	_, _, err = w.gate.Open(w.ctx, w.job(), w.ask(1))
	w.refused(err, gate.Invalid, gate.CodePolicyInvalid)
}

// What is open when a floor comes that contradicts the file waits, and says why.
func TestFloorThatContradictsAnOpenRequest(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch:", "identity: {runner: github-hosted}\n    branch:", 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	rec := w.opened(1)
	w.settle()
	w.floored("identity: {runner: self-hosted}")
	w.later(10 * time.Minute)
	rec = w.in(rec.Request.ID, gate.StateWaiting)
	if c, _ := w.decision(rec).Check(gate.CheckPolicy); c.Outcome != gate.Waiting || !strings.Contains(c.Reason, "floor server asks for a self-hosted runner") {
		t.Errorf("got %+v", c)
	}
	w.floored("")
	w.later(10 * time.Minute)
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(rec.Request.ID, gate.StatePublished)
}
