package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// cy has nothing to do with the change.
func cy() gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: 103}, Login: "cy", Human: true}
}

// attack 15: whoever asks again joins, and is then never the only approver.
func TestWhoJoinsIsNotTheOnlyApprover(t *testing.T) {
	w := newWorld(t)
	w.forge.member(cy(), gate.RoleWrite)
	var told []string
	first := w.opened(1)
	w.settle()
	again, joined, err := w.gate.Open(w.ctx, w.job(by(gatetest.Bo())), w.ask(1))
	w.must(err)
	if !joined || again.Request.ID != first.Request.ID || len(again.Request.Actors) != 2 {
		t.Fatalf("expected to join %s as the second actor, got %t, %+v", first.Request.ID, joined, again.Request)
	}
	approval := w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	rec := w.in(again.Request.ID, gate.StateWaiting)
	if c, _ := w.decision(rec).Check(gate.CheckIndependent); c.Outcome != gate.Waiting || !strings.Contains(c.Reason, "@bo: asked for the release") {
		t.Errorf("%s: %s", c.Outcome, c.Reason)
	}
	w.reacted(approval, "rocket")
	w.says(cy(), "/countersign approve")
	w.settle()
	w.in(again.Request.ID, gate.StatePublished)
	for _, p := range w.forge.told {
		if key := string(p.Target) + p.Key; p.Target == gate.PostReaction && slices.Contains(told, key) {
			t.Errorf("reaction %s told twice", p.Key)
		} else {
			told = append(told, key)
		}
	}
}

// attack 15: the same holds for those whom the forge's API names beside the ID token.
func TestWhoDispatchedIsNotTheOnlyApprover(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.run.Actors = []gate.Account{gatetest.Ana(), gatetest.Bo()} })
	rec := w.opened(1)
	if len(rec.Request.Actors) != 2 {
		t.Fatalf("actors %v, expected Ana once, and Bo", rec.Request.Actors)
	}
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(rec.Request.ID, gate.StateWaiting)
}

func TestSameTokenAgainFindsTheSameRequest(t *testing.T) {
	w := newWorld(t)
	job := w.job()
	first, _, err := w.gate.Open(w.ctx, job, w.ask(1))
	w.must(err)
	leaves := len(w.leaves())
	again, joined, err := w.gate.Open(w.ctx, job, w.ask(1))
	w.must(err)
	if !joined || again.Request.ID != first.Request.ID {
		t.Errorf("expected to join %s, got %s", first.Request.ID, again.Request.ID)
	}
	if got := len(w.leaves()); got != leaves {
		t.Errorf("%d leaves, expected %d: nothing happened", got, leaves)
	}
}

func TestAskingAfterAnEndOpensTheNextAttempt(t *testing.T) {
	w := newWorld(t)
	first := w.opened(1)
	w.settle()
	denial := w.says(gatetest.Bo(), "/countersign deny the changelog is empty")
	w.settle()
	w.in(first.Request.ID, gate.StateDenied)
	if p, _ := w.forge.latest(gate.PostCheck); p.State != gate.PostFailure || !strings.Contains(p.Title, "changelog is empty") {
		t.Errorf("status %s: %s", p.State, p.Title)
	}
	w.reacted(denial, "rocket")

	w.clock.pass(time.Minute)
	second := w.opened(1)
	if second.Request.Attempt != 2 || second.Request.ID == first.Request.ID || second.Request.AskHash != first.Request.AskHash {
		t.Fatalf("expected attempt 2 of the same ask, got %+v", second.Request)
	}
	w.settle()
	if p, _ := w.forge.latest(gate.PostCheck); p.State != gate.PostPending || p.Key != second.Request.ID || p.Context != "countersign/stable" {
		t.Errorf("expected a newer check of the same name, got %s under %s", p.State, p.Key)
	}
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(first.Request.ID, gate.StateDenied)
	w.in(second.Request.ID, gate.StatePublished)

	w.forge.with(func() { w.forge.run.RunID++ })
	third := w.opened(1)
	if third.Request.Attempt != 3 {
		t.Errorf("attempt %d after the release was published, expected 3", third.Request.Attempt)
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	w.clock.pass(rec.Request.Expires.Sub(w.now()) - time.Second)
	w.settle()
	w.in(rec.Request.ID, gate.StateWaiting)
	w.later(time.Second)
	w.in(rec.Request.ID, gate.StateExpired)
	if p, _ := w.forge.latest(gate.PostComment); !strings.Contains(p.Body, "expired") {
		t.Errorf("expected the comment to say so, got\n%s", p.Body)
	}
	told := w.forge.count()
	w.later(time.Hour)
	if got := w.forge.count(); got != told {
		t.Errorf("%d posts after the end, expected none", got-told)
	}
}

func TestAnotherPolicyVoids(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	w.forge.with(func() { w.forge.file = []byte(policyFile + "    expires: 1h\n") })
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	w.settle()
	w.in(rec.Request.ID, gate.StateVoid)
}

// A job that starts again after its release was signed gets its signatures: nobody is
// asked to approve the same files of the same run twice. Another run asks anew.
func TestAskingAgainInTheSameRunFindsWhatWasSigned(t *testing.T) {
	w := newWorld(t)
	first := w.opened(1).Request
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(first.ID, gate.StatePublished)
	leaves := len(w.leaves())

	again, joined, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
	w.must(err)
	if !joined || again.Request.ID != first.ID || again.State != gate.StatePublished {
		t.Errorf("expected to find %s published, got %s %s (joined %t)", first.ID, again.Request.ID, again.State, joined)
	}
	if got := len(w.leaves()); got != leaves {
		t.Errorf("%d leaves, expected %d: nothing happened", got, leaves)
	}
	job := w.job()
	if _, _, err := w.gate.Open(w.ctx, job, w.ask(1)); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.gate.Open(w.ctx, job, w.ask(2))
	if gate.CodeOf(err) != gate.CodeTokenRebound {
		t.Errorf("the ID token for other files: expected %s, got %v", gate.CodeTokenRebound, err)
	}

	other := func(l *gate.Workload) { l.Workflow = l.RepositoryName + "/.github/workflows/other.yml" }
	if _, joined, err := w.gate.Open(w.ctx, w.job(other), w.ask(1)); err == nil && joined {
		t.Error("another workflow: expected nothing to be found")
	}
	w.forge.with(func() { w.forge.run.RunID++ })
	next, joined, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
	w.must(err)
	if joined || next.Request.Attempt != 2 {
		t.Errorf("another run: expected the second attempt, got %d (joined %t)", next.Request.Attempt, joined)
	}
}
