package gate_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

// The histories of a dozen teams, and who may release what they made.
func TestTeamHistories(t *testing.T) {
	r := row{t}

	// A solo maintainer has nobody to cover the work.
	solo := []step{pr(1, "ana"), request(func(q *gate.Request) { q.Actors = all("ana"); q.Workload.Actor = who("ana") })}
	r.waits("solo maintainer approves own work", with(append(solo, approve("ana"))...), gate.CheckCoverage, "someone other than @ana")
	r.waits("an author of everything fills no group", with(append(solo, approve("ana"))...), gate.CheckApprovals, "@ana is an author of #1")
	r.grant("solo maintainer finds one other person", with(append(solo, approve("bo"))...))

	// A pair covers each other; nobody covers their own.
	pair := []step{pr(1, "ana"), pr(2, "bo")}
	r.grant("pair covering each other", with(append(pair, approve("ana"), approve("bo"))...))
	r.waits("one of the pair alone", with(append(pair, approve("ana"))...), gate.CheckCoverage, "(#1)")
	r.grant("one approves, the other reviewed before the merge", with(
		pr(1, "ana", reviewed("bo")), pr(2, "bo"), approve("ana")))

	// Five active people, everything reviewed by somebody else.
	five := []step{
		pr(1, "ana", reviewed("bo")), pr(2, "bo", reviewed("cy")), pr(3, "cy", reviewed("dee")),
		pr(4, "dee", reviewed("eve")), pr(5, "eve", reviewed("ana")),
	}
	r.grant("five active people", with(append(five, approve("bo"))...))
	r.waits("five people, the requester approves", with(append(five, approve("eve"))...), gate.CheckIndependent, "asked for the release")
	r.waits("outsider separation leaves nobody", with(append(five, approve("bo"),
		stream(func(s *gate.Stream) { s.Separation = gate.Outsider }))...), gate.CheckCoverage, "5 changes not yet covered")

	// Squash merges: the forge's one commit stands for the PR's many.
	squash := pr(1, "ana", commits(
		gate.Commit{SHA: sha("squash", 1), ByForge: true, People: []gate.Person{person(gate.PartAuthor, "ana")}},
		commitBy(sha("second", 1), "bo")))
	r.waits("attack 37: a squashed-away author approves", with(squash, approve("bo")), gate.CheckCoverage, "other than @ana, @bo")
	r.grant("somebody outside the squash approves", with(squash, approve("cy")))

	// A release-PR bot opens and writes the release commit.
	bot := []step{pr(1, "ana", reviewed("cy")), pr(2, "rel", mergedBy("ana")), evidence(func(e *gate.Evidence) {
		e.Commit = gate.Known(commitBy(head, "rel"))
	})}
	r.grant("release-PR bot", with(append(bot, approve("bo"))...))
	r.waits("attack 88: the bot approves its own PR", with(append(bot, approve("rel"))...), gate.CheckApprovals, "no person's account")

	// A direct push is a change of its own, of its author and its pusher.
	r.waits("attack 27: pusher of a direct push approves", with(push("ana", "bo"), approve("bo")), gate.CheckCoverage, "other than @ana, @bo")
	r.grant("somebody else covers a direct push", with(push("ana", "bo"), approve("cy")))

	// Co-authors, in trailers, are authors.
	pairing := pr(1, "ana", commits(gate.Commit{SHA: sha("co", 1), People: []gate.Person{
		person(gate.PartAuthor, "ana"), person(gate.PartCoAuthor, "bo"), person(gate.PartCoAuthor, "cy")}}))
	r.waits("attack 36: a co-author approves", with(pairing, approve("cy")), gate.CheckCoverage, "@cy")
	r.grant("nobody's co-author approves", with(pairing, approve("dee")))

	// An e-mail of no account needs one more approver.
	ghost := pr(1, "ana", commits(gate.Commit{SHA: sha("ghost", 1), People: []gate.Person{unlinked("G. Host")}}))
	r.waits("attack 35: one approver for an unlinked e-mail", with(ghost, approve("bo")), gate.CheckCoverage, "G. Host belongs to no account")
	r.grant("two approvers for an unlinked e-mail", with(ghost, approve("bo"), approve("cy")))

	// A hotfix branch releases from release/1.x.
	hotfix := []step{pr(9, "ana"), evidence(func(e *gate.Evidence) {
		b, _ := e.Branch.Get()
		b.Name = "release/1.x"
		e.Branch = gate.Known(b)
	})}
	r.grant("hotfix branch", with(append(hotfix, approve("bo"))...))

	// A monorepo's stream asks only for the changes of its paths.
	mono := []step{
		stream(func(s *gate.Stream) {
			s.Paths = []gate.Matcher{starting("server/")}
			s.Shared = []gate.Matcher{exactly("go.mod")}
		}),
		pr(1, "ana", touching("server/main.go")), pr(2, "bo", touching("docs/index.md")),
	}
	r.grant("monorepo: bo's docs are not of this stream", with(append(mono, approve("bo"))...))
	r.waits("monorepo: shared files always count", with(append(mono, pr(3, "bo", touching("go.mod")), approve("bo"))...), gate.CheckCoverage, "(#3)")
	r.waits("monorepo: unread paths count", with(append(mono, pr(3, "bo"), approve("bo"))...), gate.CheckCoverage, "(#3)")

	// The first release covers everything since the baseline.
	r.grant("first release", with(pr(1, "ana"), push("ana", "ana"), pr(2, "dee", reviewed("ana")), approve("bo")))

	// A fork's contributor has no right here, but is an author.
	fork := pr(1, "fox", reviewed("ana"))
	r.grant("fork", with(fork, approve("bo")))
	r.waits("a fork's author approves", with(pr(1, "fox"), approve("fox")), gate.CheckApprovals, "approving needs write")
	r.waits("attack 34: who pushed onto a fork's PR approves", with(pr(1, "fox", pushedBy("fox", "bo")), approve("bo")), gate.CheckCoverage, "@bo")

	incomplete := with(pr(1, "ana"), approve("bo"))
	incomplete.Evidence.Changes = gate.Known([]gate.Change{})
	r.waits("attack 38: the list of changes lacks the release commit", incomplete, gate.CheckCoverage, "in no change")

	// Nothing changed: another person still has to approve the release itself.
	r.grant("nothing changed", with(approve("bo")))
	r.waits("nothing changed, nobody approved", with(), gate.CheckApprovals, "0 of 1")
}

// Who counts as an author, beyond the tables above.
func TestAuthorship(t *testing.T) {
	r := row{t}
	r.waits("attack 33: forged author e-mail, the pusher approves", with(
		pr(1, "ana", pushedBy("bo")), approve("bo")), gate.CheckCoverage, "other than @ana, @bo")
	r.waits("attack 39: an evil merge's committer approves", with(pr(1, "ana", commits(commitBy(sha("evil", 1), "bo"))), approve("bo")),
		gate.CheckCoverage, "@bo")
	r.grant("a merge by the forge makes its merger no author", with(
		pr(1, "ana", commits(gate.Commit{SHA: sha("merge", 1), ByForge: true})), approve("bo")))
	r.waits("attack 89: who started the agent approves", with(
		pr(1, "rel", func(ch *gate.Change) { ch.Initiators = all("bo") }), approve("bo")), gate.CheckCoverage, "@bo")
	r.waits("the PR's opener approves", with(pr(1, "ana", func(ch *gate.Change) { ch.Opener = gate.Known(who("bo")) }), approve("bo")),
		gate.CheckCoverage, "@bo")
	r.waits("a commit without a name", with(pr(1, "ana", commits(gate.Commit{SHA: sha("x", 1)})), approve("bo")),
		gate.CheckCoverage, "no name came with it")
	r.waits("a change without commits", with(pr(1, "ana", func(ch *gate.Change) { ch.Commits = nil }), pr(2, "dee"), approve("bo")),
		gate.CheckCoverage, "its commits")
	r.waits("attack 41: the approver's e-mail is forged as author", with(
		pr(1, "ana", commits(gate.Commit{SHA: sha("forged", 1), People: []gate.Person{person(gate.PartAuthor, "bo")}})), approve("bo")),
		gate.CheckCoverage, "@bo")
}

// Reviews that do and do not cover.
func TestReviewsAsCover(t *testing.T) {
	r := row{t}
	covered := func(e func(*gate.Review), by string) release {
		return with(pr(1, "ana", reviewed(by, e)), pr(2, "bo"), approve("ana"), approve("dee",
			func(a *gate.Approval, _ *gate.Comment) { a.Request = "another" }))
	}
	keep := func(*gate.Review) {}
	r.grant("a reader's review does not count, a writer's does", covered(keep, "cy"))
	for name, c := range map[string]release{
		"a reader's review":                    covered(keep, "gus"),
		"a bot's review":                       covered(keep, "rel"),
		"the author's own review":              covered(keep, "ana"),
		"attack 56: a review of an older head": covered(func(v *gate.Review) { v.Commit = sha("old", 1) }, "cy"),
		"attack 56: a dismissed review":        covered(func(v *gate.Review) { v.Approved = false }, "cy"),
		"a review after the merge":             covered(func(v *gate.Review) { v.At = now }, "cy"),
		"a review of unknown time":             covered(func(v *gate.Review) { v.At = time.Time{} }, "cy"),
		"a review of unknown head":             covered(func(v *gate.Review) { v.Commit = "" }, "cy"),
		"a reviewer of unknown right":          covered(func(v *gate.Review) { v.Role = gate.Unknown[gate.Role]("500") }, "cy"),
	} {
		r.waits(name, c, gate.CheckCoverage, "(#1)")
	}
	r.waits("the policy switches reviews off", with(stream(func(s *gate.Stream) { s.ReviewsCount = false }),
		pr(1, "ana", reviewed("cy")), pr(2, "bo"), approve("ana")), gate.CheckCoverage, "(#1)")
	r.waits("attack 55: review and comment of one person count once", with(
		pr(1, "ana", reviewed("bo"), commits(gate.Commit{SHA: sha("g", 1), People: []gate.Person{unlinked("G")}})), approve("bo")),
		gate.CheckCoverage, "(#1)")
}

// What an approval must be to count.
func TestApprovals(t *testing.T) {
	r := row{t}
	but := func(e func(*gate.Approval, *gate.Comment)) release { return with(pr(1, "ana"), approve("bo", e)) }
	r.grant("an approval", but(func(*gate.Approval, *gate.Comment) {}))
	for name, x := range map[string]struct {
		c   release
		why string
	}{
		"attack 45: edited comment":              {but(func(_ *gate.Approval, c *gate.Comment) { c.Edited = true }), "edited"},
		"attack 45: other body":                  {but(func(_ *gate.Approval, c *gate.Comment) { c.Body = "x" }), "edited"},
		"attack 46: hidden comment":              {but(func(_ *gate.Approval, c *gate.Comment) { c.Hidden = true }), "hidden"},
		"attack 88: comment by an app":           {but(func(_ *gate.Approval, c *gate.Comment) { c.ByMachine = true }), "app"},
		"attack 44: approval of an older head":   {but(func(a *gate.Approval, _ *gate.Comment) { a.Commit = sha("old", 1) }), "another commit"},
		"attack 68: approval of other files":     {but(func(a *gate.Approval, _ *gate.Comment) { a.ManifestDigest = gate.Digest{} }), "manifest"},
		"attack 57: approval of another":         {but(func(a *gate.Approval, _ *gate.Comment) { a.Request = "r0" }), "another request"},
		"attack 48: login reused":                {but(func(_ *gate.Approval, c *gate.Comment) { c.Author = who("cy") }), "another account"},
		"attack 50: a comment of another thread": {but(func(_ *gate.Approval, c *gate.Comment) { c.Ref.Thread.Number = 9 }), "another one"},
		"attack 54: written before the request":  {but(func(_ *gate.Approval, c *gate.Comment) { c.Created = now.Add(-2 * time.Hour) }), "before the request"},
		"approval under another policy":          {but(func(a *gate.Approval, _ *gate.Comment) { a.PolicyDigest = gate.Digest{} }), "policy"},
		"attack 24: tag made anew":               {but(func(a *gate.Approval, _ *gate.Comment) { a.TagObject = "t" }), "made anew"},
	} {
		r.waits(name, x.c, gate.CheckApprovals, x.why)
	}
	r.waits("attack 46: deleted comment", with(pr(1, "ana"), approve("bo"), func(c *release) {
		c.Evidence.Comments[c.Approvals[0].Source] = gate.Absent[gate.Comment]("404")
	}), gate.CheckApprovals, "deleted")
	r.waits("attack 47: approver lost the right", with(pr(1, "ana"), approve("bo"), evidence(func(e *gate.Evidence) {
		e.Roles[who("bo").ID] = gate.Absent[gate.Member]("404")
	})), gate.CheckApprovals, "no right")
	r.waits("attack 47: approver suspended", with(pr(1, "ana"), approve("bo"), evidence(func(e *gate.Evidence) {
		m := cast["bo"]
		m.Active = false
		e.Roles[m.Account.ID] = gate.Known(m)
	})), gate.CheckApprovals, "not active")
	r.waits("two groups, one person", with(pr(1, "ana"), approve("cy"), stream(func(s *gate.Stream) {
		s.Approvals = append(s.Approvals, gate.ApprovalGroup{From: []gate.Role{gate.RoleMaintain}, Count: 1})
	})), gate.CheckApprovals, "1 of 2")
	r.grant("two groups, two people, in either order", with(pr(1, "ana"), approve("cy"), approve("bo"), stream(func(s *gate.Stream) {
		s.Approvals = append(s.Approvals, gate.ApprovalGroup{From: []gate.Role{gate.RoleMaintain}, Count: 1})
	})))
	r.grant("two groups, the higher right comes first", with(pr(1, "ana"), approve("eve"), approve("cy"), approve("bo"), stream(func(s *gate.Stream) {
		s.Approvals = []gate.ApprovalGroup{
			{From: []gate.Role{gate.RoleMaintain}, Count: 1}, {From: []gate.Role{gate.RoleAdmin}, Count: 1},
		}
	})))
	r.waits("attack 15: who re-ran the workflow approves", with(pr(1, "ana"), approve("bo"),
		request(func(q *gate.Request) { q.Actors = all("eve", "bo") })), gate.CheckIndependent, "asked for the release")
	r.waits("the tagger approves", with(pr(1, "ana"), approve("bo"), evidence(func(e *gate.Evidence) {
		f, _ := e.Ref.Get()
		f.Tagger = gate.Known(who("bo"))
		e.Ref = gate.Known(f)
	})), gate.CheckIndependent, "made the tag")
	r.waits("unknown tagger of a dispatched run", with(pr(1, "ana"), approve("bo"),
		stream(func(s *gate.Stream) { s.Events = []string{"workflow_dispatch"} }),
		request(func(q *gate.Request) { q.Workload.Event = "workflow_dispatch" })), gate.CheckIndependent, "its tagger")
	r.waits("unread tagger of a pushed tag", with(pr(1, "ana"), approve("bo"), evidence(func(e *gate.Evidence) {
		f, _ := e.Ref.Get()
		f.Tagger = gate.Unknown[gate.Account]("500")
		e.Ref = gate.Known(f)
	})), gate.CheckIndependent, "its tagger")
	r.ends("denied by somebody with write", with(pr(1, "ana"), approve("bo"), deny("cy")), gate.CheckHold, gate.StateDenied, "denied by @cy")
	r.grant("a reader's denial is none", with(pr(1, "ana"), approve("bo"), deny("gus")))
	r.waits("on hold", with(pr(1, "ana"), approve("bo"), func(c *release) {
		c.Holds = []gate.Approval{{ID: "hold", Verb: gate.VerbHold, Request: c.Request.ID, By: who("dee"), Created: now}}
		c.Evidence.Roles[who("dee").ID] = gate.Known(cast["dee"])
	}), gate.CheckHold, "on hold by @dee")
}

func deny(name string) step {
	return func(c *release) {
		approve(name, func(a *gate.Approval, _ *gate.Comment) { a.Verb, a.Reason = gate.VerbDeny, "not today" })(c)
		last := len(c.Approvals) - 1
		c.Denials, c.Approvals = append(c.Denials, c.Approvals[last]), c.Approvals[:last]
		ref := c.Denials[0].Source
		ref.ID = 1000
		said, _ := c.Evidence.Comments[c.Denials[0].Source].Get()
		said.Ref, c.Denials[0].Source = ref, ref
		c.Evidence.Comments[ref] = gate.Known(said)
	}
}

// Identity, ref, branch, protection, key, time.
func TestSurroundings(t *testing.T) {
	r := row{t}
	ok := []step{pr(1, "ana"), approve("bo")}
	but := func(s ...step) release { return with(append(ok, s...)...) }
	load := func(e func(*gate.Workload)) step { return request(func(q *gate.Request) { e(&q.Workload) }) }

	for name, e := range map[string]func(*gate.Workload){
		"attack 12: an event of forks":               func(w *gate.Workload) { w.Event = "pull_request_target" },
		"attack 5: a recycled repository name":       func(w *gate.Workload) { w.Repository.ID = 11 },
		"attack 5: a recycled owner":                 func(w *gate.Workload) { w.Owner.ID = 101 },
		"attack 14: another workflow":                func(w *gate.Workload) { w.Workflow = "acme/widget/.github/workflows/x.yml" },
		"attack 13: a workflow of another commit":    func(w *gate.Workload) { w.WorkflowCommit = sha("feature", 1) },
		"attack 18: a job of a reusable workflow":    func(w *gate.Workload) { w.JobWorkflow = "evil/ci/.github/workflows/release.yml@v1" },
		"attack 14: the job's workflow is elsewhere": func(w *gate.Workload) { w.JobWorkflowCommit = sha("feature", 1) },
		"another ref":    func(w *gate.Workload) { w.Ref = "refs/heads/main" },
		"another commit": func(w *gate.Workload) { w.Commit = sha("x", 1) },
	} {
		r.ends(name, but(load(e)), gate.CheckIdentity, gate.StateDenied, "expected")
	}
	gitlab := func(q *gate.Request) {
		q.Workload.Kind, q.Run.Job = gate.GitLab, "release"
	}
	job := stream(func(s *gate.Stream) { s.Job = "release" })
	r.grant("a GitLab job", but(request(gitlab), job))
	r.ends("attack 18: another GitLab job", but(request(gitlab), job, request(func(q *gate.Request) { q.Run.Job = "test" })),
		gate.CheckIdentity, gate.StateDenied, "the job is test")
	r.ends("attack 11: a finished job", but(request(func(q *gate.Request) { q.Run.InProgress = false })), gate.CheckRun, gate.StateDenied, "finished")
	r.ends("attack 11: another run", but(request(func(q *gate.Request) { q.Run.RunID = 78 })), gate.CheckRun, gate.StateDenied, "78")

	ref := func(e func(*gate.RefFacts)) step {
		return evidence(func(v *gate.Evidence) { f, _ := v.Ref.Get(); e(&f); v.Ref = gate.Known(f) })
	}
	r.ends("attack 24: the tag moved", but(ref(func(f *gate.RefFacts) { f.Commit = sha("x", 1) })), gate.CheckRef, gate.StateVoid, "moved")
	r.ends("the tag is gone", but(evidence(func(e *gate.Evidence) { e.Ref = gate.Absent[gate.RefFacts]("404") })), gate.CheckRef, gate.StateVoid, "no longer")
	r.ends("a tag that the policy does not name", but(stream(func(s *gate.Stream) { s.NotTags = []gate.Matcher{starting("v1.4")} })), gate.CheckRef, gate.StateDenied, "the tag")
	r.ends("attack 84: the repository was transferred", but(evidence(func(e *gate.Evidence) {
		f, _ := e.Repository.Get()
		f.Owner.ID = 7
		e.Repository = gate.Known(f)
	})), gate.CheckRepository, gate.StateVoid, "owner")

	r.waits("attack 23: a tag off the branches", but(evidence(func(e *gate.Evidence) { e.Branch = gate.Absent[gate.BranchFacts]("none") })),
		gate.CheckBranch, "none of the branches")
	r.waits("an unprotected branch", but(evidence(func(e *gate.Evidence) {
		e.Branch = gate.Known(gate.BranchFacts{Name: "main", Protection: gate.Absent[gate.Protection]("404")})
	})), gate.CheckProtection, "not protected")
	for name, e := range map[string]func(*gate.Protection){
		"attack 29: force pushes allowed":  func(p *gate.Protection) { p.ForcePush = gate.Known(true) },
		"attack 29: deletion allowed":      func(p *gate.Protection) { p.Deletion = gate.Known(true) },
		"attack 29: administrators exempt": func(p *gate.Protection) { p.AdminsEnforced = gate.Known(false) },
		"force pushes unread":              func(p *gate.Protection) { p.ForcePush = gate.Unknown[bool]("403") },
	} {
		r.waits(name, but(protection(e)), gate.CheckProtection, "main")
	}
	r.waits("fewer reviews than the policy asks", but(stream(func(s *gate.Stream) { s.MinReviews = 2 })), gate.CheckProtection, "asks for 1 reviews")
	r.waits("attack 28: hidden bypass actors, the policy denies", but(stream(func(s *gate.Stream) { s.Bypass = gate.Deny })),
		gate.CheckProtection, "who may bypass")

	r.waits("attack 80: the key of another tenant", but(func(c *release) { c.Key.Bound = false }), gate.CheckKey, "not bound")
	r.waits("a ledger that was rolled back", but(func(c *release) { c.Key.Unfit = "the ledger is behind what it published" }), gate.CheckKey, "behind what it published")
	r.waits("no key", but(func(c *release) { c.Key = gate.KeyFacts{} }), gate.CheckKey, "not available")
	r.ends("expired", but(request(func(q *gate.Request) { q.Expires = now })), gate.CheckTime, gate.StateExpired, "expired")
	r.waits("audit mode", but(func(c *release) { c.Policy.Mode = gate.Audit }), gate.CheckPolicy, "the policy in force only audits")
	r.waits("a server that audits", but(func(c *release) { c.Policy.Mode = gate.ServerAudit }), gate.CheckPolicy, "the server only audits")
	r.waits("a mode that nobody knows", but(func(c *release) { c.Policy.Mode = "" }), gate.CheckPolicy, "only audits")
	r.ends("another policy since", but(func(c *release) { c.Policy.Digest = gate.Digest{} }), gate.CheckPolicy, gate.StateVoid, "another policy")
	r.waits("attack 69: stale evidence", but(evidence(func(e *gate.Evidence) { e.ReadAt = now.Add(-31 * time.Second) })), gate.CheckEvidence, "at most")
	r.waits("evidence from the future", but(evidence(func(e *gate.Evidence) { e.ReadAt = now.Add(time.Second) })), gate.CheckEvidence, "at most")
}
