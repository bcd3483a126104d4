package gate_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
)

// forAll holds a property against ten rounds of generated values; to look harder, run
// the test with -rapid.checks=10000.
func forAll(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for i := range 10 {
		t.Run(fmt.Sprintf("round %d", i), func(t *testing.T) { rapid.Check(t, property) })
	}
}

// draws makes the facts of one history. Most of what it draws is in order, so that
// about every third history is granted and the others lack little.
type draws struct{ *rapid.T }

func (d draws) seldom(what string) bool { return rapid.IntRange(0, 19).Draw(d.T, what) == 13 }
func (d draws) evenly(what string) bool { return rapid.Bool().Draw(d.T, what) }
func (d draws) upTo(n int, what string) int {
	return rapid.IntRange(0, n).Draw(d.T, what)
}

func (d draws) writer(what string) string {
	return rapid.SampledFrom([]string{"ana", "bo", "cy", "dee", "eve"}).Draw(d.T, what)
}

func (d draws) anybody(what string) string {
	if d.seldom(what + " is somebody else") {
		return rapid.SampledFrom([]string{"gus", "rel", "fox"}).Draw(d.T, what)
	}
	return d.writer(what)
}

// history is a release of a team that may or may not be granted.
func history(t *rapid.T) release {
	d := draws{t}
	steps := []step{d.stream()}
	for n := range int64(d.upTo(3, "changes")) {
		if d.seldom("direct push") {
			steps = append(steps, push(d.anybody("author"), d.anybody("pusher"), d.change()...))
			continue
		}
		steps = append(steps, pr(n+1, d.anybody("author"), d.change()...))
	}
	for range d.upTo(4, "approvals") {
		if d.upTo(3, "on the page") == 3 {
			steps = append(steps, onPage(d.anybody("approver")))
			continue
		}
		steps = append(steps, approve(d.anybody("approver"), d.comment()))
	}
	if d.upTo(9, "denied") == 9 {
		for n := range 2 {
			steps = append(steps, denies(d.anybody("denier"), n, d.comment()), d.lost(int64(1000+n)))
		}
	}
	return with(append(steps, d.request(), d.forge())...)
}

func (d draws) stream() step {
	return stream(func(s *gate.Stream) {
		if d.upTo(3, "strict") == 3 {
			s.Separation = gate.Outsider
		}
		s.PageCounts = d.upTo(3, "no page counts") < 3
		s.ReviewsCount = d.upTo(3, "no reviews count") < 3
		s.MinReviews = d.upTo(1, "reviews asked")
		s.Events = []string{"push", "workflow_dispatch"}
		if d.seldom("bypass denied") {
			s.Bypass = gate.Deny
		}
		if d.upTo(3, "two groups") == 3 {
			s.Approvals = append(s.Approvals, gate.ApprovalGroup{From: []gate.Role{gate.RoleMaintain}, Count: 1})
		}
		if d.upTo(5, "a team") == 5 {
			s.Approvals = append(s.Approvals, gate.ApprovalGroup{Teams: []string{"security"}, Count: 1})
		}
		if d.upTo(5, "CI") == 5 {
			s.Checks = []string{"build"}
		}
		if d.upTo(5, "owners") == 5 {
			s.Owners = true
		}
		if d.upTo(5, "bind to the commit") == 5 {
			s.Bind = gate.BindCommit
		}
		if d.seldom("push denied") {
			s.Push = gate.Deny
		}
		if d.upTo(2, "monorepo") == 2 {
			s.Paths, s.Shared = []gate.Matcher{starting("server/")}, []gate.Matcher{exactly("go.mod")}
		}
	})
}

// change is what refines a change: more commits and people, reviews, files.
func (d draws) change() []func(*gate.Change) {
	var out []func(*gate.Change)
	for k := range d.upTo(2, "more commits") {
		id := fmt.Sprintf("more-%d", k)
		c := commitBy(sha(id, int64(d.upTo(9, "commit"))), d.anybody("committer"))
		if d.evenly("co-author") {
			c.People = append(c.People, person(gate.PartCoAuthor, d.anybody("co-author")))
		}
		if d.seldom("unlinked") {
			c.People = append(c.People, unlinked("G. Host"))
		}
		if d.seldom("no names") {
			c.People = nil
		}
		out = append(out, commits(c))
	}
	for range d.upTo(2, "reviews") {
		out = append(out, reviewed(d.anybody("reviewer"), d.review))
	}
	path := rapid.SampledFrom([]string{"server/main.go", "go.mod", "docs/index.md", ""}).Draw(d.T, "path")
	if path != "" {
		out = append(out, touching(path))
	}
	return append(out, func(ch *gate.Change) {
		if d.evenly("more pushers") {
			p, _ := ch.Pushers.Get()
			ch.Pushers = gate.Known(append(slices.Clone(p), who(d.anybody("pusher"))))
		}
		if d.evenly("somebody merged it") {
			ch.Merger = gate.Known(who(d.anybody("merger")))
		}
		if d.upTo(9, "a machine opened it") == 9 && !ch.Direct() {
			ch.Opener = gate.Known(who("rel"))
		}
		if d.seldom("agent") {
			ch.Initiators = all(d.anybody("initiator"))
		}
		if d.seldom("unread pushers") {
			ch.Pushers = gate.Unknown[[]gate.Account]("500")
		}
	})
}

func (d draws) review(r *gate.Review) {
	switch d.upTo(19, "review's flaw") {
	case 1:
		r.Approved = false
	case 2:
		r.Commit = sha("old", 1)
	case 3:
		r.At = now
	case 4:
		r.Role = gate.Unknown[gate.Role]("500")
	}
}

func (d draws) comment() func(*gate.Approval, *gate.Comment) {
	flaw := d.upTo(39, "comment's flaw")
	return func(a *gate.Approval, c *gate.Comment) {
		switch flaw {
		case 1:
			c.Edited = true
		case 2:
			a.Request = "another"
		case 3:
			c.Author = who("fox")
		case 4:
			c.ByMachine = true
		}
	}
}

// lost is a denial's comment that may not be read again.
func (d draws) lost(id int64) step {
	unread, gone := d.upTo(3, "comment unread") == 3, d.upTo(3, "comment deleted") == 3
	return evidence(func(e *gate.Evidence) {
		for ref := range e.Comments {
			switch {
			case ref.ID != id:
			case unread:
				e.Comments[ref] = gate.Unknown[gate.Comment]("500")
			case gone:
				e.Comments[ref] = gate.Absent[gate.Comment]("404")
			}
		}
	})
}

// denies is a denial in a comment of its own.
func denies(name string, n int, edit func(*gate.Approval, *gate.Comment)) step {
	return func(c *release) {
		approve(name, edit)(c)
		last := len(c.Approvals) - 1
		a := c.Approvals[last]
		said, _ := c.Evidence.Comments[a.Source].Get()
		a.Verb, a.Reason, a.Source.ID = gate.VerbDeny, "not today", int64(1000+n)
		said.Ref = a.Source
		c.Approvals, c.Denials = c.Approvals[:last], append(c.Denials, a)
		c.Evidence.Comments[a.Source] = gate.Known(said)
	}
}

func (d draws) request() step {
	return request(func(q *gate.Request) {
		if d.upTo(3, "another actor") == 3 {
			q.Actors = all(d.anybody("requester"))
			q.Workload.Actor = q.Actors[0]
		}
		if d.seldom("run again") {
			q.Run.Actors = all(d.anybody("run by"))
		}
		if d.upTo(7, "dispatched") == 7 {
			q.Workload.Event = "workflow_dispatch"
		}
	})
}

// forge is what the forge says now of the ref, the release commit, and people's rights.
func (d draws) forge() step {
	return func(c *release) {
		e := &c.Evidence
		ref, _ := e.Ref.Get()
		if d.evenly("tagger known") {
			ref.Tagger = gate.Known(who(d.anybody("tagger")))
			e.Ref = gate.Known(ref)
		}
		if d.evenly("made by the forge") {
			e.Commit = gate.Known(gate.Commit{SHA: c.Request.Commit, ByForge: true})
		}
		if !d.seldom("CI failed") {
			e.Checks = gate.Known([]gate.CommitCheck{{Name: "build", Done: true, Passed: true}})
		}
		if !d.seldom("owners unread") {
			e.Owners = gate.Known(gate.OwnersFile{Path: "CODEOWNERS", Commit: baseline})
			c.Owners = owned{"server/main.go": "@bo @cy @acme/core", "go.mod": "@eve"}
		}
		byNumber := func(a, b gate.AccountID) int { return int(a.ID - b.ID) }
		for _, id := range slices.SortedFunc(maps.Keys(e.Roles), byNumber) { // maps have no order, and draws do
			m, _ := e.Roles[id].Get()
			m.Teams = gate.Known([]string{})
			if d.evenly("in a team") {
				m.Teams = gate.Known([]string{"security", "acme/core"})
			}
			e.Roles[id] = gate.Known(m)
		}
		if d.evenly("there is a thread") {
			c.Thread, e.Thread = gate.Thread{Number: 1}, gate.Known([]gate.Comment{})
		}
		if d.seldom("a right is gone") {
			e.Roles[who(d.writer("whose")).ID] = gate.Absent[gate.Member]("404")
		}
		if d.seldom("a right is unread") {
			e.Roles[who(d.writer("whose")).ID] = gate.Unknown[gate.Member]("500")
		}
		if d.seldom("stale") {
			e.ReadAt = now.Add(-time.Minute)
		}
		if d.seldom("on hold") {
			c.Holds = []gate.Approval{{ID: "hold", Verb: gate.VerbHold, Request: c.Request.ID, By: who("dee"), Created: now}}
			c.Evidence.Roles[who("dee").ID] = gate.Known(cast["dee"])
		}
	}
}

// The properties mean something only while the histories are of all kinds.
func TestHistoriesAreOfAllKinds(t *testing.T) {
	seen := map[gate.Outcome]int{}
	waiting := map[gate.CheckName]int{}
	gen := rapid.Custom(history)
	const n = 1000
	for seed := range n {
		d := gate.Decide(gen.Example(seed), now)
		seen[d.Outcome]++
		for _, c := range d.Checks {
			if c.Outcome != gate.Granted {
				waiting[c.Name]++
			}
		}
	}
	t.Logf("%v; not granted: %v", seen, waiting)
	if seen[gate.Granted] < n/8 || seen[gate.Waiting] < n/8 || seen[gate.Denied] < 5 {
		t.Errorf("expected histories of all outcomes, got %v", seen)
	}
	for _, name := range []gate.CheckName{gate.CheckCoverage, gate.CheckApprovals, gate.CheckIndependent} {
		if waiting[name] < n/20 {
			t.Errorf("expected histories that fail %s, got %d of %d", name, waiting[name], n)
		}
	}
}
