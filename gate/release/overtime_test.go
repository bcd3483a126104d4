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

func TestHoldAndUnhold(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.forge.member(cy(), gate.RoleWrite)
	hold := w.says(cy(), "/countersign hold the notes are not ready")
	w.settle()
	w.reacted(hold, "rocket")
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	if rec := w.in(id, gate.StateWaiting); !strings.Contains(w.checks(rec), "on hold by @cy: the notes are not ready") {
		t.Errorf("expected the hold with its reason, got\n%s", w.checks(rec))
	}
	w.clock.pass(time.Second)
	w.says(cy(), "/countersign unhold")
	w.settle()
	w.in(id, gate.StatePublished)
}

func TestWithdraw(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "approvals: [{from: [write], count: 2}]", 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	w.forge.member(cy(), gate.RoleWrite)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.clock.pass(time.Second)
	w.says(gatetest.Bo(), "/countersign withdraw")
	w.settle()
	w.says(cy(), "/countersign approve")
	w.settle()
	w.in(id, gate.StateWaiting)
	w.clock.pass(time.Second)
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StatePublished)
}

func TestStatusRetryAndHelp(t *testing.T) {
	w := newWorld(t)
	w.opened(1)
	w.settle()
	for body, answer := range map[string]string{
		"/countersign status": "waiting for 1 person", "/countersign retry": "read and judged again", "/countersign help": "/countersign withdraw",
	} {
		ref := w.says(gatetest.Bo(), body)
		read := w.forge.read
		w.settle()
		if got := w.forge.replies(ref); !strings.Contains(got, answer) || strings.Contains(got, "@bo") {
			t.Errorf("%s: expected %q, and nobody called, got %q", body, answer, got)
		}
		if again := w.forge.read > read; again != (body == "/countersign retry") {
			t.Errorf("%s: read again: %v", body, again)
		}
	}
	outsider := w.says(gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: 4711}, Login: "mallory", Human: true}, "/countersign help")
	w.settle()
	if got := w.forge.replies(outsider); got != "" {
		t.Errorf("expected that outsiders do not make the gate talk, got %q", got)
	}
}

// attack 60: a denial and an approval whose deliveries were lost.
func TestLostDeliveriesAreFoundInTheThread(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	lost := w.saysUnheard(gatetest.Bo(), "/countersign approve")
	w.later(5 * time.Minute)
	w.in(id, gate.StatePublished)
	w.reacted(lost, "rocket")
}

func TestLostDenialStopsAnApprovalThatArrives(t *testing.T) {
	w := newWorld(t)
	w.forge.member(cy(), gate.RoleWrite)
	id := w.opened(1).Request.ID
	w.settle()
	w.saysUnheard(cy(), "/countersign deny the changelog is empty")
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(id, gate.StateDenied)
}

func TestLostTalkIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	told := w.forge.count()
	for _, body := range []string{"/countersign aprove", "/countersign status", "nice", "/countersign approve ZZ99", "> /countersign approve"} {
		w.saysUnheard(gatetest.Bo(), body)
	}
	w.later(5 * time.Minute)
	w.in(id, gate.StateWaiting)
	if got := w.forge.count(); got != told {
		t.Errorf("expected nothing said, got %d posts", got-told)
	}
}

func TestJobThatWaitsForTheGate(t *testing.T) {
	job := gate.Deployment{Repository: gatetest.Repository(), RunID: 7001, Environment: "release"}
	ring := gate.Ring{Repository: gatetest.Repository(), Deployment: &job}
	t.Run("is let through once signed", func(t *testing.T) {
		w := newWorld(t)
		id := w.opened(1).Request.ID
		w.settle()
		w.ring(ring)
		w.settle()
		if p, ok := w.forge.latest(gate.PostDeployment); !ok || p.Leave != "" || !strings.Contains(p.Body, "Waiting for 1 person") {
			t.Errorf("expected progress, got %+v", p)
		}
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		w.in(id, gate.StatePublished)
		if p, _ := w.forge.latest(gate.PostDeployment); p.Leave != gate.LeaveGiven || p.Deployment.Environment != "release" {
			t.Errorf("expected leave, got %+v", p)
		}
		told := w.forge.count()
		w.later(time.Hour)
		if got := w.forge.count(); got != told {
			t.Errorf("expected one answer, got %d more posts", got-told)
		}
	})
	t.Run("is rejected with the reason once denied", func(t *testing.T) {
		w := newWorld(t)
		w.ring(ring) // before the release is asked for
		w.settle()
		if p, _ := w.forge.latest(gate.PostDeployment); p.Leave != "" || !strings.Contains(p.Body, "asked for none yet") {
			t.Errorf("expected to be told that the run has to ask for a release, got %+v", p)
		}
		w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign deny not today")
		w.settle()
		if p, _ := w.forge.latest(gate.PostDeployment); p.Leave != gate.LeaveRefused || !strings.Contains(p.Body, "not today") {
			t.Errorf("expected a refusal with its reason, got %+v", p)
		}
	})
	t.Run("is let through where the release was signed before", func(t *testing.T) {
		w := newWorld(t)
		w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		w.ring(ring)
		w.settle()
		if p, _ := w.forge.latest(gate.PostDeployment); p.Leave != gate.LeaveGiven {
			t.Errorf("expected leave, got %+v", p)
		}
	})
	t.Run("of another run waits on", func(t *testing.T) {
		w := newWorld(t)
		w.opened(1)
		w.settle()
		other := job
		other.RunID = 7002
		w.ring(gate.Ring{Repository: gatetest.Repository(), Deployment: &other})
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		if p, _ := w.forge.latest(gate.PostDeployment); p.Leave != "" || p.Deployment.RunID != 7002 {
			t.Errorf("expected no leave, got %+v", p)
		}
	})
}

func TestReminders(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	reminders := func() (n int) {
		w.forge.with(func() {
			for _, p := range w.forge.told {
				if p.Target == gate.PostReply && strings.Contains(p.Body, "@bo") && strings.Contains(p.Body, "still waits") {
					n++
				}
			}
		})
		return n
	}
	for _, row := range []struct {
		after time.Duration
		want  int
	}{{23 * time.Hour, 0}, {time.Hour + time.Minute, 1}, {24 * time.Hour, 1}, {97 * time.Hour, 2}, {10 * time.Minute, 2}} {
		if w.later(row.after); reminders() != row.want {
			t.Errorf("after %s more: %d reminders, expected %d", row.after, reminders(), row.want)
		}
	}
	w.in(id, gate.StateWaiting)
}

// attack 25: protection that goes off and on again between two readings of the gate.
func TestProtectionSwitchedOffAndOnAgain(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
			b, _ := e.Branch.Get()
			b.Protection = gate.Absent[gate.Protection]("404")
			e.Branch = gate.Known(b)
		}
	})
	w.later(5 * time.Minute)
	w.forge.with(func() { w.forge.edit = nil })
	w.says(gatetest.Bo(), "/countersign approve")
	w.later(5 * time.Minute)
	if rec := w.in(id, gate.StateWaiting); !strings.Contains(w.checks(rec), "was weaker at") {
		t.Errorf("expected that it has to hold for a while, got\n%s", w.checks(rec))
	}
	w.later(time.Hour + 5*time.Minute)
	w.in(id, gate.StatePublished)
}

// attack 77: code owners are those of before the changes, and the teams that their file
// names are read too.
func TestCodeOwnersAreAskedFor(t *testing.T) {
	for name, row := range map[string]struct {
		owners string
		teams  []string
		state  gate.State
	}{
		"the approver owns it":              {"/parser/ @bo\n", nil, gate.StatePublished},
		"the approver is in an owning team": {"/parser/ @acme/parser\n", []string{"acme/parser"}, gate.StatePublished},
		"somebody else owns it":             {"/parser/ @cy\n", nil, gate.StateWaiting},
		"another team owns it":              {"/parser/ @acme/docs\n", []string{"acme/parser"}, gate.StateWaiting},
		"nobody owns it":                    {"/docs/ @cy\n", nil, gate.StatePublished},
		"the file does not read":            {"/parser/ @bo [\n", nil, gate.StateWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forge.with(func() {
				w.forge.file = []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "codeowners: true", 1))
				w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
					e.Owners = gate.Known(gate.OwnersFile{Path: "CODEOWNERS", Commit: gatetest.Baseline, Content: []byte(row.owners)})
					changes, _ := e.Changes.Get()
					changes[0].Reviews = gate.Known([]gate.Review{})
					if m, ok := e.Roles[gatetest.Bo().ID].Get(); ok {
						m.Teams = gate.Known([]string{})
						for _, team := range row.teams {
							if slices.Contains(w.forge.needs.Teams, team) {
								m.Teams = gate.Known([]string{team})
							}
						}
						e.Roles[m.Account.ID] = gate.Known(m)
					}
				}
			})
			_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
			w.must(err)
			id := w.opened(1).Request.ID
			w.settle()
			w.says(gatetest.Bo(), "/countersign approve")
			w.settle()
			w.in(id, row.state)
		})
	}
}
