package release_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

const newerFile = policyFile + "    expires: 24h\n"

// watched works everything off, policies too.
func (w *world) watched() {
	w.Helper()
	for range 10 {
		found := false
		for _, next := range []func(context.Context) (bool, error){w.gate.WatchNext, w.gate.CheckNext} {
			did, err := next(w.ctx)
			w.must(err)
			found = found || did
		}
		w.settle()
		if !found {
			return
		}
	}
	w.Fatal("expected the work to end, it goes on and on")
}

// merges puts a newer policy at the head of main, by a change of Ana's.
func (w *world) merges(file string, edits ...func(*gate.Change)) {
	w.Helper()
	w.forge.with(func() {
		w.forge.file = []byte(file)
		w.forge.edit = func(r gate.Request, e *gate.Evidence) {
			if r.Ref != "refs/heads/main" {
				return
			}
			changes, _ := e.Changes.Get()
			ch := changes[0]
			ch.Commits = append(ch.Commits, gate.Commit{SHA: gatetest.Baseline, ByForge: true})
			ch.Paths = gate.Known([]string{".countersign.yaml"})
			for _, edit := range edits {
				edit(&ch)
			}
			e.Changes = gate.Known([]gate.Change{ch})
		}
	})
	w.ring(gate.Ring{Repository: gatetest.Repository()})
}

func (w *world) inForce() string {
	w.Helper()
	a, err := w.store.InForce(w.ctx, gatetest.Repository())
	w.must(err)
	return string(a.File)
}

func (w *world) proposed() gate.Proposal {
	w.Helper()
	p, _, err := w.store.Proposal(w.ctx, gatetest.Repository())
	w.must(err)
	return p
}

// attack 76: a newer policy judges only once somebody who did not write it covered it,
// and after a while.
func TestNewerPolicyComesIntoForce(t *testing.T) {
	w := newWorld(t)
	w.gate.Cooldown = time.Hour
	w.merges(newerFile)
	w.watched()
	if w.inForce() != policyFile || !strings.Contains(w.proposed().Why, "@bo") || !strings.Contains(w.proposed().Why, "comes into force at") {
		t.Errorf("expected the cool-down to be waited for, got %+v", w.proposed())
	}
	w.clock.pass(time.Hour)
	w.watched()
	if w.inForce() != newerFile {
		t.Errorf("expected the newer one in force, got %s and %+v", w.inForce(), w.proposed())
	}
	if p := w.proposed(); p.Digest != (gate.Digest{}) {
		t.Errorf("expected nothing proposed any more, got %+v", p)
	}
}

func TestNewerPolicyWaits(t *testing.T) {
	noReview := func(ch *gate.Change) { ch.Reviews = gate.Known([]gate.Review{}) }
	for name, row := range map[string]struct {
		file string
		edit func(*gate.Change)
		why  string
	}{
		"attack 75: nobody reviewed it":                {newerFile, noReview, "needs a review before the merge by someone other than @ana"},
		"attack 76: its author reviewed it":            {newerFile, func(ch *gate.Change) { ch.Opener = gate.Known(gatetest.Bo()) }, "other than @bo, @ana"},
		"attack 76: a direct push":                     {newerFile, func(ch *gate.Change) { ch.Number = 0 }, "needs a review before the merge"},
		"attack 56: reviewed at an earlier head":       {newerFile, func(ch *gate.Change) { ch.Head = gatetest.Commit }, "needs a review before the merge"},
		"who changed it is unread":                     {newerFile, func(ch *gate.Change) { ch.Pushers = gate.Unknown[[]gate.Account]("500") }, "could not be read: 500"},
		"its files are unread":                         {newerFile, func(ch *gate.Change) { ch.Paths = gate.Unknown[[]string]("500") }, "the files of #412 could not be read"},
		"no change touches it":                         {newerFile, func(ch *gate.Change) { ch.Paths = gate.Known([]string{"README"}) }, "an administrator has to adopt it"},
		"attack 78: it does not read":                  {newerFile + "    key: &x acme-release\n", func(*gate.Change) {}, "it does not read"},
		"attack 24: the branch's head is in no change": {newerFile, func(ch *gate.Change) { ch.Commits = ch.Commits[:1] }, "is in no change"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.merges(row.file, row.edit)
			w.watched()
			if w.inForce() != policyFile || !strings.Contains(w.proposed().Why, row.why) {
				t.Errorf("expected the older one to judge, and %q said, got %q", row.why, w.proposed().Why)
			}
		})
	}
	t.Run("attack 25: the branch is not protected", func(t *testing.T) {
		w := newWorld(t)
		w.merges(newerFile)
		edit := w.forge.edit
		w.forge.with(func() {
			w.forge.edit = func(r gate.Request, e *gate.Evidence) {
				edit(r, e)
				b, _ := e.Branch.Get()
				b.Protection = gate.Absent[gate.Protection]("404")
				e.Branch = gate.Known(b)
			}
		})
		w.watched()
		if w.inForce() != policyFile || !strings.Contains(w.proposed().Why, "not protected") {
			t.Errorf("expected the older one to judge, got %q", w.proposed().Why)
		}
	})
}

// The older version judges meanwhile, and says that there is a newer one.
func TestOlderPolicyJudgesMeanwhile(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.merges(newerFile, func(ch *gate.Change) { ch.Reviews = gate.Known([]gate.Review{}) })
	w.watched()
	if p, _ := w.forge.latest(gate.PostCheck); !strings.Contains(p.Body, "a newer version, of 3333333, is not in force") {
		t.Errorf("expected the check to say so, got\n%s", p.Body)
	}
	w.says(gatetest.Bo(), "/countersign approve")
	w.watched()
	w.in(id, gate.StatePublished)
}

func TestForgeAwayKeepsTheProposal(t *testing.T) {
	w := newWorld(t)
	w.gate.Cooldown = time.Hour
	w.merges(newerFile)
	w.watched()
	before := w.proposed()
	w.forge.with(func() { w.forge.fileErr = unavailable() })
	w.clock.pass(time.Hour)
	w.watched()
	if after := w.proposed(); after.Covered != before.Covered || w.inForce() != policyFile {
		t.Errorf("expected what was known kept, got %+v", after)
	}
	w.forge.with(func() { w.forge.fileErr = nil })
	w.clock.pass(10 * time.Minute)
	w.watched()
	if w.inForce() != newerFile {
		t.Error("expected the newer one in force")
	}
}

func TestCheckOnAPolicyChange(t *testing.T) {
	signed := func(t *testing.T) *world {
		w := newWorld(t)
		w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		return w
	}
	for name, row := range map[string]struct {
		change gate.PolicyChange
		state  gate.PostState
		words  string
	}{
		"reads, and the last release would pass": {gate.PolicyChange{Content: []byte(newerFile)}, gate.PostSuccess, "1 of the last 1 releases would pass"},
		"two approvals would have been needed": {gate.PolicyChange{Content: []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "approvals: [{from: [write], count: 2}]", 1))},
			gate.PostSuccess, "| ⏳ | v1.4.0 (1111111) | waiting | 1 of 2 approvals"},
		"the stream is gone":  {gate.PolicyChange{Content: []byte("version: 1\nreleases: [{name: other, workflow: release.yml, job: sign}]\n")}, gate.PostSuccess, "no stream stable any more"},
		"does not read":       {gate.PolicyChange{Content: []byte("version: 2\n")}, gate.PostFailure, "Does not read"},
		"takes the file away": {gate.PolicyChange{Deleted: true}, gate.PostFailure, "Takes the policy away"},
	} {
		t.Run(name, func(t *testing.T) {
			w := signed(t)
			row.change.Number, row.change.Head, row.change.Touches, row.change.Open = 7, gatetest.Head, true, true
			w.forge.with(func() { w.forge.change = row.change })
			w.ring(gate.Ring{Repository: gatetest.Repository(), Change: 7})
			w.settle()
			w.watched()
			p, _ := w.forge.latest(gate.PostCheck)
			if p.Context != "countersign/policy" || p.Commit != gatetest.Head || p.State != row.state || !strings.Contains(p.Title+"\n"+p.Body, row.words) {
				t.Errorf("expected %s with %q, got %s on %s: %s: %s\n%s", row.state, row.words, p.Context, p.Commit, p.State, p.Title, p.Body)
			}
		})
	}
	t.Run("a change that leaves it alone gets none", func(t *testing.T) {
		w := signed(t)
		w.forge.with(func() { w.forge.change = gate.PolicyChange{Number: 7, Head: gatetest.Head, Open: true} })
		w.ring(gate.Ring{Repository: gatetest.Repository(), Change: 7})
		w.settle()
		w.watched()
		if p, _ := w.forge.latest(gate.PostCheck); p.Context == "countersign/policy" {
			t.Errorf("expected no check, got %+v", p)
		}
	})
}

// attack 76: a policy that is taken away releases nothing, until it is back.
func TestPolicyTakenAway(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.forge.with(func() {
		w.forge.fileErr = &gate.Error{Kind: gate.NotFound, Code: gate.CodePolicyMissing, Text: "no such file"}
	})
	w.ring(gate.Ring{Repository: gatetest.Repository()})
	w.settle()
	w.watched()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	if rec := w.in(id, gate.StateWaiting); !strings.Contains(w.checks(rec), "the policy file is gone from the default branch") {
		t.Errorf("expected it to say so, got\n%s", w.checks(rec))
	}
	w.forge.with(func() { w.forge.fileErr = nil })
	w.ring(gate.Ring{Repository: gatetest.Repository()})
	w.settle()
	w.watched()
	w.in(id, gate.StatePublished)
}
