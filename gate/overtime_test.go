package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

func mergedBy(name string) func(*gate.Change) {
	return func(ch *gate.Change) { ch.Merger = gate.Known(who(name)) }
}

// states adds a statement without a comment's evidence but that it exists, minutes ago.
func states(verb gate.Verb, name string, ago time.Duration) step {
	return func(c *release) {
		approve(name, func(a *gate.Approval, cm *gate.Comment) {
			a.Verb, a.Created, cm.Created = verb, now.Add(-ago), now.Add(-ago)
			a.Source.ID = int64(10_000 - ago/time.Second)
			cm.Ref = a.Source
		})(c)
		last := c.Approvals[len(c.Approvals)-1]
		c.Approvals = c.Approvals[:len(c.Approvals)-1]
		said := gate.Comment{Ref: last.Source, Author: last.By, Body: "/countersign approve", Created: last.Created}
		c.Evidence.Comments[last.Source] = gate.Known(said)
		c.Evidence.Roles[last.By.ID] = gate.Known(cast[name])
		all := append(append(append([]gate.Approval{}, c.Approvals...), c.Denials...), c.Holds...)
		c.Approvals, c.Denials, c.Holds = gate.SortStatements(append(all, last))
	}
}

// What a machine writes needs two people: nobody can tell who told it to.
func TestMachines(t *testing.T) {
	r := row{t}
	r.waits("attack 89: who set the agent to work merges and approves alone", with(pr(1, "rel", mergedBy("bo")), approve("bo")),
		gate.CheckCoverage, "because a machine opened it")
	r.waits("attack 89: a forged co-author does not make it a person's change", with(pr(1, "rel", mergedBy("bo"), commits(gate.Commit{
		SHA: sha("forged", 1), People: []gate.Person{person(gate.PartCoAuthor, "dee")}})), approve("bo")),
		gate.CheckCoverage, "because a machine opened it")
	r.waits("attack 89: nobody knows who merged it", with(pr(1, "rel"), approve("bo")), gate.CheckCoverage, "because a machine opened it")
	r.waits("attack 89: a machine merged it", with(pr(1, "rel", mergedBy("rel")), approve("bo")), gate.CheckCoverage, "because a machine opened it")
	r.grant("who told the machine had it merged, another approves", with(pr(1, "rel", mergedBy("dee"), commits(gate.Commit{
		SHA: sha("pair", 1), People: []gate.Person{person(gate.PartCoAuthor, "dee")}})), approve("bo")))
	r.grant("one had it merged, another approves", with(pr(1, "rel", mergedBy("ana")), approve("bo")))
	r.grant("one reviewed it, another approves", with(pr(1, "rel", reviewed("ana")), approve("bo")))
	r.grant("two approve", with(pr(1, "rel"), approve("bo"), approve("cy")))
	r.waits("attack 89: a machine pushes directly", with(push("rel", "rel"), approve("bo")), gate.CheckCoverage, "because a machine opened it")
	r.grant("two cover a machine's push", with(push("rel", "rel"), approve("bo"), approve("cy")))
}

func TestHolds(t *testing.T) {
	r := row{t}
	held := []step{pr(1, "ana"), approve("bo"), states(gate.VerbHold, "dee", 10*time.Minute)}
	but := func(s ...step) release { return with(append(held, s...)...) }
	r.waits("somebody with write holds it", but(), gate.CheckHold, "on hold by @dee")
	r.waits("attack 46: the hold's comment is deleted by another writer", but(func(c *release) {
		c.Evidence.Comments[c.Holds[0].Source] = gate.Absent[gate.Comment]("404")
	}), gate.CheckHold, "on hold by @dee")
	r.grant("its maker lifts it", but(states(gate.VerbUnhold, "dee", 5*time.Minute)))
	r.grant("somebody who can approve lifts it", but(states(gate.VerbUnhold, "cy", 5*time.Minute)))
	r.waits("the only author may not lift it", but(states(gate.VerbUnhold, "ana", 5*time.Minute)), gate.CheckHold, "on hold by @dee")
	r.waits("a reader may not lift it", but(states(gate.VerbUnhold, "gus", 5*time.Minute)), gate.CheckHold, "on hold by @dee")
	r.waits("held again", but(states(gate.VerbUnhold, "dee", 5*time.Minute), states(gate.VerbHold, "dee", time.Minute)), gate.CheckHold, "on hold by @dee")
	r.waits("lifted before it was held", with(pr(1, "ana"), approve("bo"),
		states(gate.VerbHold, "dee", 5*time.Minute), states(gate.VerbUnhold, "dee", 10*time.Minute)), gate.CheckHold, "on hold by @dee")
	r.waits("an edited unhold lifts nothing", but(states(gate.VerbUnhold, "dee", 5*time.Minute), func(c *release) {
		ref := c.Holds[1].Source
		cm, _ := c.Evidence.Comments[ref].Get()
		cm.Edited = true
		c.Evidence.Comments[ref] = gate.Known(cm)
	}), gate.CheckHold, "on hold by @dee")
	r.grant("a reader may not hold", with(pr(1, "ana"), approve("bo"), states(gate.VerbHold, "gus", time.Minute)))
	r.waits("a holder whose right is unread", but(func(c *release) {
		c.Evidence.Roles[who("dee").ID] = gate.Unknown[gate.Member]("500")
	}), gate.CheckHold, "on hold by @dee")
}

// attack 60: while the thread cannot be read, nobody knows who denied it there.
func TestUnreadThread(t *testing.T) {
	r := row{t}
	in := func(f gate.Fact[[]gate.Comment]) step {
		return func(c *release) { c.Thread, c.Evidence.Thread = gate.Thread{Number: 1}, f }
	}
	ok := []step{pr(1, "ana"), approve("bo")}
	r.waits("attack 60: unread", with(append(ok, in(gate.Unknown[[]gate.Comment]("502")))...), gate.CheckHold, "could not be read: 502")
	r.grant("read", with(append(ok, in(gate.Known([]gate.Comment{})))...))
	r.grant("gone", with(append(ok, in(gate.Absent[[]gate.Comment]("deleted")))...))
}

// Withdrawing takes back one's own approvals made before, in whatever order they came.
func TestWithdrawal(t *testing.T) {
	at := func(verb gate.Verb, name string, second int64) gate.Approval {
		return gate.Approval{ID: name, Verb: verb, By: who(name), Created: now.Add(time.Duration(second) * time.Second), Source: gate.CommentRef{ID: second + 1}}
	}
	for name, c := range map[string]struct {
		said []gate.Approval
		left int
	}{
		"withdrawn":                         {[]gate.Approval{at(gate.VerbApprove, "bo", 0), at(gate.VerbWithdraw, "bo", 1)}, 0},
		"withdrawn, arriving the other way": {[]gate.Approval{at(gate.VerbWithdraw, "bo", 1), at(gate.VerbApprove, "bo", 0)}, 0},
		"approved again":                    {[]gate.Approval{at(gate.VerbApprove, "bo", 0), at(gate.VerbWithdraw, "bo", 1), at(gate.VerbApprove, "bo", 2)}, 1},
		"another's":                         {[]gate.Approval{at(gate.VerbApprove, "bo", 0), at(gate.VerbWithdraw, "cy", 1)}, 1},
	} {
		if approvals, _, _ := gate.SortStatements(c.said); len(approvals) != c.left {
			t.Errorf("%s: expected %d approvals, got %d", name, c.left, len(approvals))
		}
	}
}

func TestChecksOfCI(t *testing.T) {
	r := row{t}
	want := stream(func(s *gate.Stream) { s.Checks = []string{"build"} })
	ran := func(checks ...gate.CommitCheck) step {
		return evidence(func(e *gate.Evidence) { e.Checks = gate.Known(checks) })
	}
	ok := []step{pr(1, "ana"), approve("bo"), want}
	but := func(s step) release { return with(append(ok, s)...) }
	r.grant("it passed", but(ran(gate.CommitCheck{Name: "build", Done: true, Passed: true})))
	r.waits("it has not run", but(ran(gate.CommitCheck{Name: "lint", Done: true, Passed: true})), gate.CheckCI, "build has not run")
	r.waits("it runs", but(ran(gate.CommitCheck{Name: "build"})), gate.CheckCI, "still runs")
	r.waits("it failed", but(ran(gate.CommitCheck{Name: "build", Done: true})), gate.CheckCI, "did not pass")
	r.waits("attack 82: another of the same name passed", but(ran(gate.CommitCheck{Name: "build", Done: true, By: "ci"},
		gate.CommitCheck{Name: "build", Done: true, Passed: true, By: "mallory"})), gate.CheckCI, "build (by ci) did not pass")
	r.waits("unread", but(evidence(func(e *gate.Evidence) { e.Checks = gate.Unknown[[]gate.CommitCheck]("500") })), gate.CheckCI, "500")
}

// owned are the owners of a path, sections apart by "|".
type owned map[string]string

func (o owned) Teams() []string { return nil }

func (o owned) Sections(path string) [][]string {
	var out [][]string
	for _, section := range strings.Split(o[path], "|") {
		out = append(out, strings.Fields(section))
	}
	return out
}

func TestCodeOwners(t *testing.T) {
	r := row{t}
	asks := func(c *release) {
		stream(func(s *gate.Stream) { s.Owners = true })(c)
		c.Owners = owned{"server/a.go": "@CY @acme/server", "mail": "x@example.org", "both": "@bo | @cy", "right": "@@maintainers"}
		c.Evidence.Owners = gate.Known(gate.OwnersFile{Path: "CODEOWNERS", Commit: baseline})
	}
	member := func(name string, teams ...string) step {
		return evidence(func(e *gate.Evidence) {
			m := cast[name]
			m.Teams = gate.Known(teams)
			e.Roles[m.Account.ID] = gate.Known(m)
		})
	}
	change := pr(1, "ana", touching("server/a.go", "README"))
	r.grant("an owner approves", with(change, approve("cy"), asks))
	r.grant("a member of an owning team approves", with(change, approve("bo"), asks, member("bo", "acme/server")))
	r.waits("nobody who owns it approves", with(change, approve("bo"), asks, member("bo", "acme/docs")), gate.CheckOwners, "server/a.go (@CY @acme/server) of #1")
	r.waits("the owner wrote it", with(pr(1, "cy", touching("server/a.go")), approve("bo"), approve("cy"), asks), gate.CheckOwners, "server/a.go")
	r.grant("the owner reviewed it before the merge", with(pr(1, "ana", touching("server/a.go"), reviewed("cy")), approve("bo"), asks, member("cy")))
	both := pr(1, "ana", touching("both"))
	r.waits("one section's owner is not another's", with(both, approve("bo"), asks), gate.CheckOwners, "both (@cy) of #1")
	r.grant("one of each section", with(both, approve("bo"), approve("cy"), asks))
	r.grant("owned by a right", with(pr(1, "ana", touching("right")), approve("cy"), asks))
	r.waits("another right", with(pr(1, "ana", touching("right")), approve("bo"), asks), gate.CheckOwners, "right (@@maintainers) of #1")
	r.waits("owned by an address", with(pr(1, "ana", touching("mail")), approve("bo"), asks), gate.CheckOwners, "x@example.org")
	r.waits("its files are unread", with(pr(1, "ana"), approve("cy"), asks), gate.CheckOwners, "the files of #1")
	r.waits("attack 77: the owners' file does not read", with(change, approve("cy"), asks, func(c *release) { c.Owners = nil }), gate.CheckOwners, "does not read")
	r.waits("the owners are unread", with(change, approve("cy"), asks, evidence(func(e *gate.Evidence) {
		e.Owners = gate.Unknown[gate.OwnersFile]("500")
	})), gate.CheckOwners, "500")
}

func TestTeams(t *testing.T) {
	r := row{t}
	groups := stream(func(s *gate.Stream) {
		s.Approvals = []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 1}, {Teams: []string{"security"}, Count: 1}}
	})
	in := func(name string, teams gate.Fact[[]string]) step {
		return evidence(func(e *gate.Evidence) {
			m := cast[name]
			m.Teams = teams
			e.Roles[m.Account.ID] = gate.Known(m)
		})
	}
	security := gate.Known([]string{"security"})
	r.waits("one person fills one group", with(pr(1, "ana"), groups, approve("bo"), in("bo", security)), gate.CheckApprovals, "1 of 2 approvals")
	r.grant("one of each", with(pr(1, "ana"), groups, approve("bo"), approve("gus"), in("gus", security)))
	r.grant("who fits both stands in nobody's way", with(pr(1, "ana"), groups, approve("bo"), approve("cy"), in("bo", security), in("cy", gate.Known([]string{}))))
	r.waits("attack 53: a pending member is none", with(pr(1, "ana"), groups, approve("bo"), approve("gus"), in("gus", gate.Known([]string{}))),
		gate.CheckApprovals, "@gus has read, approving needs write or a place in team security")
	r.waits("teams unread", with(pr(1, "ana"), groups, approve("bo"), approve("gus"), in("gus", gate.Unknown[[]string]("500"))),
		gate.CheckApprovals, "the teams of @gus could not be read: 500")
}

func TestBindToCommit(t *testing.T) {
	r := row{t}
	bind := stream(func(s *gate.Stream) { s.Bind = gate.BindCommit })
	role := evidence(func(e *gate.Evidence) { e.Roles[who("bo").ID] = gate.Known(cast["bo"]) })
	// The release commit is what the forge made of the last change.
	own := func(ch *gate.Change) { ch.MergeCommit = head }
	r.grant("attack 54: a review of the release's own change counts where the policy says so", with(pr(1, "ana", reviewed("bo"), own), bind, role))
	r.waits("attack 54: elsewhere it does not", with(pr(1, "ana", reviewed("bo"), own), role), gate.CheckApprovals, "0 of 1")
	r.waits("attack 54: not of another change", with(pr(1, "ana", reviewed("bo")), pr(2, "ana", own), bind, role), gate.CheckApprovals, "0 of 1")
	r.waits("attack 44: not of an earlier head", with(pr(1, "ana", own, reviewed("bo", func(v *gate.Review) { v.Commit = sha("old", 1) })), bind, role),
		gate.CheckApprovals, "0 of 1")
	r.waits("nor by somebody whose right is gone", with(pr(1, "ana", reviewed("bo"), own), bind, evidence(func(e *gate.Evidence) {
		e.Roles[who("bo").ID] = gate.Absent[gate.Member]("404")
	})), gate.CheckApprovals, "has no right")
	r.waits("nor by the author", with(pr(1, "bo", reviewed("bo"), own), bind, role), gate.CheckApprovals, "is an author")
}

func TestSettling(t *testing.T) {
	r := row{t}
	hour := stream(func(s *gate.Stream) { s.Settle = time.Hour })
	sound := func(c release) gate.Protection {
		b, _ := c.Evidence.Branch.Get()
		p, _ := b.Protection.Get()
		return p
	}
	seen := func(fromMinutes, toMinutes int, sick func(*gate.Protection)) step {
		return func(c *release) {
			p := sound(*c)
			s := gate.Snapshot{At: now.Add(-time.Duration(fromMinutes) * time.Minute), Until: now.Add(-time.Duration(toMinutes) * time.Minute)}
			sick(&p)
			s.Protection = gate.Known(p)
			c.Seen = append(c.Seen, s)
		}
	}
	good := func(*gate.Protection) {}
	open := func(p *gate.Protection) { p.ForcePush = gate.Known(true) }
	ok := []step{pr(1, "ana"), approve("bo"), hour}
	but := func(s ...step) release { return with(append(ok, s...)...) }
	r.waits("attack 25: off for a minute, half an hour ago", but(seen(500, 31, good), seen(31, 30, open), seen(30, 0, good)), gate.CheckProtection, "force pushes allowed")
	r.grant("it has held for the time since", but(seen(500, 91, good), seen(91, 90, open), seen(90, 0, good)))
	r.grant("switched on for the first time", but(seen(31, 30, open), seen(30, 0, good)))
	r.waits("not protected at all for a while", but(seen(500, 31, good), func(c *release) {
		c.Seen = append(c.Seen, gate.Snapshot{At: now.Add(-30 * time.Minute), Protection: gate.Absent[gate.Protection]("404")})
	}), gate.CheckProtection, "it is not protected")
	r.grant("a policy that does not ask for it", but(stream(func(s *gate.Stream) { s.Settle = 0 }), seen(500, 31, good), seen(31, 30, open), seen(30, 0, good)))
}

func TestPushAllowances(t *testing.T) {
	r := row{t}
	may := func(f gate.Fact[[]string]) step { return protection(func(p *gate.Protection) { p.Push = f }) }
	deny := stream(func(s *gate.Stream) { s.Push = gate.Deny })
	ok := []step{pr(1, "ana"), approve("bo")}
	but := func(s ...step) release { return with(append(ok, s...)...) }
	r.waits("attack 29: somebody may push without a review", but(deny, may(gate.Known([]string{"@eve"}))), gate.CheckProtection, "@eve may push without a review")
	r.waits("attack 29: hidden", but(deny, may(gate.Unknown[[]string]("403"))), gate.CheckProtection, "403")
	r.grant("nobody may", but(deny, may(gate.Known([]string{"nobody"}))))
	r.grant("reported where the policy does not deny", but(may(gate.Known([]string{"@eve"}))))
}

func TestReusableWorkflow(t *testing.T) {
	r := row{t}
	pin := sha("ci", 1)
	uses := stream(func(s *gate.Stream) {
		s.Workflow, s.Uses = "", &gate.ReusableWorkflow{Path: "acme/ci/.github/workflows/sign.yml", Commit: pin}
	})
	called := func(ref, commit string) step {
		return request(func(q *gate.Request) { q.Workload.JobWorkflow, q.Workload.JobWorkflowCommit = ref, commit })
	}
	ok := []step{pr(1, "ana"), approve("bo"), uses}
	but := func(s ...step) release { return with(append(ok, s...)...) }
	const ref = "acme/ci/.github/workflows/sign.yml@refs/tags/v1"
	r.grant("in the pinned reusable workflow", but(called(ref, pin)))
	r.ends("attack 14: another version of it", but(called(ref, sha("ci", 2))), gate.CheckIdentity, gate.StateDenied, "reusable workflow's commit")
	r.ends("attack 18: a sibling job beside it", but(), gate.CheckIdentity, gate.StateDenied, "the job's workflow")
	r.ends("attack 14: a look-alike", but(called("acme/ci/.github/workflows/sign.yml.evil@refs/tags/v1", pin)), gate.CheckIdentity, gate.StateDenied, "the job's workflow")
	job := stream(func(s *gate.Stream) { s.Job = "sign" })
	r.ends("attack 18: a sibling job of the workflow", with(pr(1, "ana"), approve("bo"), job,
		request(func(q *gate.Request) { q.Run.Job = "test" })), gate.CheckIdentity, gate.StateDenied, "the job")
	r.grant("the named job", with(pr(1, "ana"), approve("bo"), job, request(func(q *gate.Request) { q.Run.Job = "sign" })))
}

func TestOlderCommitOfABranch(t *testing.T) {
	r := row{t}
	branch := func(c *release) {
		request(func(q *gate.Request) { q.Ref, q.Workload.Ref = "refs/heads/main", "refs/heads/main" })(c)
		f, _ := c.Evidence.Ref.Get()
		f.Ref = "refs/heads/main"
		c.Evidence.Ref = gate.Known(f)
		c.Evidence.Changes = gate.Known([]gate.Change{})
	}
	released := func(commits ...string) step { return func(c *release) { c.Released = commits } }
	r.ends("attack 16: an old run of a branch is run again", with(approve("bo"), branch, released(sha("newer", 1), head, baseline)),
		gate.CheckCoverage, gate.StateDenied, "was released before, and later ones since")
	r.grant("the newest release's commit, with other files", with(approve("bo"), branch, released(head, sha("older", 1), baseline)))
}

func TestNewerPolicyIsSaid(t *testing.T) {
	c := with(pr(1, "ana"), approve("bo"))
	c.Newer = gate.Proposal{Commit: sha("policy", 1), Why: "it needs someone other than @ana"}
	check, _ := gate.Decide(c, now).Check(gate.CheckPolicy)
	if want := "is not in force: it needs someone other than @ana"; check.Outcome != gate.Granted || !strings.Contains(check.Reason, want) {
		t.Errorf("expected the older version to judge and say %q, got %s: %s", want, check.Outcome, check.Reason)
	}
}
