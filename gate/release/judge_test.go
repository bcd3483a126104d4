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

// quiet expects that looking again leaves nothing: no decision, no leaf, no post.
func (w *world) quiet(after time.Duration) {
	w.Helper()
	leaves, told, read := len(w.leaves()), w.forge.count(), w.forge.read
	w.later(after)
	if w.forge.read == read {
		w.Error("expected that the forge is read again")
	}
	if got := len(w.leaves()); got != leaves {
		w.Errorf("%d new leaves, expected none: %v", got-leaves, w.leaves()[leaves:])
	}
	if got := w.forge.count(); got != told {
		w.Errorf("%d new posts, expected none", got-told)
	}
}

func TestUnchangedDecisionsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	before := w.record(id)
	w.quiet(5 * time.Minute)
	w.quiet(5 * time.Minute)
	// Forges list people as they like.
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			members, _ := e.Candidates.Get()
			slices.Reverse(members)
		}
	})
	w.quiet(5 * time.Minute)
	after := w.record(id)
	if string(after.Decision) != string(before.Decision) || after.Version != before.Version {
		t.Errorf("version %d, expected %d and the same decision", after.Version, before.Version)
	}
}

func TestUnreadForgeIsReadAgainQuietly(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() { w.forge.unread = "HTTP 503" })
	id := w.opened(1).Request.ID
	w.settle()
	w.in(id, gate.StateWaiting)
	if _, ok := w.forge.latest(gate.PostComment); ok {
		t.Error("expected no comment while no thread is known")
	}
	if _, ok := w.forge.latest(gate.PostThread); ok {
		t.Error("expected no issue while the change may yet be found")
	}
	w.quiet(15 * time.Second)
	w.quiet(15 * time.Second)
}

// A decision differs from that on record also where no check says so.
func TestEveryDifferenceIsADecision(t *testing.T) {
	for name, edit := range map[string]func(*gate.Evidence){
		"the tag was made anew": func(e *gate.Evidence) {
			ref, _ := e.Ref.Get()
			ref.TagObject = "4444444444444444444444444444444444444444"
			e.Ref = gate.Known(ref)
		},
		"the protection asks for more": func(e *gate.Evidence) {
			b, _ := e.Branch.Get()
			p, _ := b.Protection.Get()
			p.Reviews = gate.Known(2)
			b.Protection = gate.Known(p)
			e.Branch = gate.Known(b)
		},
		"somebody else can approve": func(e *gate.Evidence) {
			e.Candidates = gate.Known([]gate.Member{{Account: cy(), Role: gate.RoleWrite, Active: true}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.opened(1).Request.ID
			w.settle()
			leaves := len(w.leaves())
			w.forge.with(func() { w.forge.edit = func(_ gate.Request, e *gate.Evidence) { edit(e) } })
			w.later(5 * time.Minute)
			w.in(id, gate.StateWaiting)
			if got := len(w.leaves()); got != leaves+1 {
				t.Errorf("%d new leaves, expected one decision", got-leaves)
			}
		})
	}
}

// An approval binds to the tag object that the gate saw last, even where it differs from
// the one before in nothing else.
func TestApprovalOfATagMadeAnew(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			ref, _ := e.Ref.Get()
			ref.TagObject = "4444444444444444444444444444444444444444"
			e.Ref = gate.Known(ref)
		}
	})
	w.ring(gate.Ring{Repository: gatetest.Repository()})
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StatePublished)
}

// attack 24: a tag that moves after the approval is seen at signing.
func TestMovedTagVoids(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.heard()
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			e.Ref = gate.Known(gate.RefFacts{Ref: gatetest.Ref, Commit: gatetest.Head})
		}
	})
	w.settle()
	w.in(id, gate.StateVoid)
	if len(w.signer.Signed()) != 0 {
		t.Error("signed what the tag no longer is")
	}
}

// I1: evidence that took long to read carries no grant.
func TestSlowEvidenceGrantsNothing(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	slow := true
	w.forge.with(func() {
		w.forge.edit = func(gate.Request, *gate.Evidence) {
			if slow {
				w.clock.pass(gate.MaxEvidenceAge + time.Second)
			}
		}
	})
	w.heard()
	w.must(w.judged())
	w.in(id, gate.StateWaiting)
	slow = false
	w.later(15 * time.Second)
	w.in(id, gate.StatePublished)
}

// What is asked of the forge is what the request's statements need.
func TestNeeds(t *testing.T) {
	w := newWorld(t)
	w.opened(1)
	w.settle()
	ref := w.says(gatetest.Ana(), "/countersign approve")
	w.settle()
	n := w.forge.needs
	if !slices.Equal(n.Comments, []gate.CommentRef{ref}) || !slices.Equal(n.Accounts, []gate.AccountID{gatetest.Ana().ID}) ||
		!slices.Equal(n.Since, []string{gatetest.Baseline}) || !n.Candidates {
		t.Errorf("needs %+v", n)
	}
}

// After a release the next one of the stream is counted from it.
func TestReleasedCommitsAreCountedFrom(t *testing.T) {
	w := newWorld(t)
	w.opened(1)
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.opened(2)
	w.settle()
	if want := []string{gatetest.Commit, gatetest.Baseline}; !slices.Equal(w.forge.needs.Since, want) {
		t.Errorf("since %v, expected %v", w.forge.needs.Since, want)
	}
}

// A policy that this version does not read any more must neither spin nor keep the
// request for ever; people see why.
func TestPolicyThatNoLongerReads(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	other := w.signer.AddKey("other")
	good := w.keys
	w.keys = append(slices.Clone(good), release.Binding{Version: other, Owners: []gate.AccountID{gatetest.Acme()}})
	w.gate = w.newGate(w.store) // the file leaves the key to the one that is bound: now there are two
	w.later(5 * time.Minute)
	rec = w.in(rec.Request.ID, gate.StateWaiting)
	if c, _ := w.decision(rec).Check(gate.CheckPolicy); c.Outcome != gate.Waiting || c.Fix == "" || !strings.Contains(c.Reason, "cannot judge it") {
		t.Errorf("%s: %s; fix %q", c.Outcome, c.Reason, c.Fix)
	}
	if p, _ := w.forge.latest(gate.PostCheck); p.State != gate.PostPending || !strings.Contains(p.Title, "cannot judge") {
		t.Errorf("status %s: %s", p.State, p.Title)
	}
	leaves, read := len(w.leaves()), w.forge.read
	w.later(5 * time.Minute)
	w.later(5 * time.Minute)
	if len(w.leaves()) != leaves || w.forge.read != read {
		t.Error("expected that looking again leaves nothing")
	}
	w.keys = good
	w.gate = w.newGate(w.store)
	w.later(5 * time.Minute)
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(rec.Request.ID, gate.StatePublished)
}

func TestUnjudgedRequestExpires(t *testing.T) {
	w := newWorld(t)
	rec := w.opened(1)
	w.settle()
	w.gate = w.newGate(&broken{Store: w.store, fail: map[string]error{"InForce": &gate.Error{
		Kind: gate.Refused, Code: gate.CodePolicyNotAdopted, Text: "no policy is adopted for this repository yet",
	}}})
	w.later(5 * time.Minute)
	w.in(rec.Request.ID, gate.StateWaiting)
	w.later(rec.Request.Expires.Sub(w.now()))
	w.in(rec.Request.ID, gate.StateExpired)
}

// Nothing was read, so an orphan that cannot be judged is not void.
func TestUnjudgedOrphanWaits(t *testing.T) {
	w := newWorld(t)
	id, _ := w.interrupted()
	good := w.gate
	w.gate = w.newGate(&broken{Store: w.store, fail: map[string]error{"InForce": &gate.Error{
		Kind: gate.Internal, Code: gate.CodeInternal, Text: "the gate made a mistake: secret detail",
	}}})
	w.later(time.Second)
	rec := w.in(id, gate.StateWaiting)
	if strings.Contains(string(rec.Decision), "secret detail") {
		t.Errorf("decision %s", rec.Decision)
	}
	w.gate = good
	w.later(5 * time.Minute)
	w.in(id, gate.StatePublished)
}

// A database that does not answer is no decision.
func TestStoreAwayIsNoDecision(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	good := w.gate
	for _, method := range []string{"InForce", "Approvals", "Released", "RecordDecision"} {
		w.gate = w.newGate(&broken{Store: w.store, fail: map[string]error{method: storeAway()}})
		if err := w.judged(); gate.KindOf(err) != gate.Unavailable {
			t.Errorf("%s: expected it unavailable, got %v", method, err)
		}
		if rec := w.in(id, gate.StateWaiting); len(rec.Decision) > 0 {
			t.Errorf("%s: decided %s", method, rec.Decision)
		}
		w.clock.pass(2 * time.Minute) // the lease
	}
	w.gate = good
	w.settle()
	w.in(id, gate.StateWaiting)
}

// What arrives while a request is judged takes the judgement's result away: it is judged
// anew at once, and that is no fault.
func TestOvertakenJudgement(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.clock.pass(5 * time.Minute)
	other := w.gate
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) { e.Branch = gate.Absent[gate.BranchFacts]("on no branch") }
	})
	w.gate = w.newGate(&broken{Store: w.store, before: map[string]func(){"RecordDecision": func() {
		w.says(gatetest.Bo(), "/countersign approve")
		if found, err := other.HearNext(w.ctx); err != nil || !found {
			t.Errorf("expected the approval heard, got %t, %v", found, err)
		}
	}}})
	if err := w.judged(); gate.CodeOf(err) != gate.CodeTransition {
		t.Errorf("expected %s, got %v", gate.CodeTransition, err)
	}
	w.gate = other
	w.settle()
	rec := w.in(id, gate.StateWaiting)
	if d := w.decision(rec); len(d.Counted) != 1 {
		t.Errorf("counted %v, expected the approval that came in between", d.Counted)
	}
}

// attack 80: what is bound to nobody may be used by nobody.
func TestKeyring(t *testing.T) {
	w := newWorld(t)
	old, r, owner := w.signer.Keys()[0], gatetest.Repository(), gatetest.Acme()
	newer := w.signer.AddKey(gatetest.Lineage)
	elsewhere := gate.RepositoryID{Forge: gatetest.Forge, ID: 7}
	keys := release.Keyring{
		{Version: newer, Repositories: []gate.RepositoryID{r}}, {Version: old, Repositories: []gate.RepositoryID{r}},
		{Version: gate.KeyVersion{Lineage: "nobody", Version: 1}},
		{Version: gate.KeyVersion{Lineage: "owned", Version: 1}, Owners: []gate.AccountID{owner}},
	}
	if k := keys.Key(gatetest.Lineage, r, gate.AccountID{}); !k.Bound || k.Version.Version != 2 {
		t.Errorf("expected version 2, bound, got version %d, %t", k.Version.Version, k.Bound)
	}
	for name, k := range map[string]gate.KeyFacts{
		"another repository": keys.Key(gatetest.Lineage, elsewhere, gate.AccountID{}),
		"bound to nobody":    keys.Key("nobody", r, owner),
		"the same number at another forge": keys.Key(
			gatetest.Lineage, gate.RepositoryID{Forge: "other", ID: r.ID}, gate.AccountID{Forge: "other", ID: owner.ID}),
		"another owner": keys.Key("owned", r, gate.AccountID{Forge: gatetest.Forge, ID: 1}),
	} {
		if k.Bound {
			t.Errorf("%s: bound", name)
		}
	}
	if k := keys.Key("unheard of", r, owner); k.Bound || k.Version.Lineage != "" {
		t.Errorf("unheard of: %+v", k)
	}
	if got := keys.Lineages(r, owner); !slices.Equal(got, []string{gatetest.Lineage, "owned"}) {
		t.Errorf("lineages %v", got)
	}
}
