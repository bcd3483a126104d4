package attacks_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
)

// lose has the forge deliver nowhere until the returned function is called.
func (s *stage) lose() (again func()) {
	s.DeliverTo("http://127.0.0.1:1/nobody", secret)
	return func() { s.DeliverTo(s.server.URL+"/webhooks/"+s.Name()+"/"+s.Name(), secret) }
}

// reports has CI report on a commit.
func (s *stage) reports(sha, name string, outcome forgetest.CheckOutcome) {
	s.Helper()
	s.World.(forgetest.CI).ReportCheck(s.repo, sha, name, outcome)
	s.clock.pass(deed)
}

// file is a commit on main with one file, not pushed.
func (s *stage) file(by, path, content string) string {
	s.Helper()
	s.serial++
	return s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.Head(s.repo, mainRef)}, Author: s.who(by), Message: "Change " + path,
		Files: map[string][]byte{path: []byte(content)},
	})
}

// What happens while nobody looks, or before and after.
func TestOverTime(t *testing.T) {
	play(t, []row{
		{name: "attack 16: an old run of a branch that was itself released is run again with other files", play: func(s *stage) {
			s.merge(s.propose("ana", "widget"), "eve")
			old := s.Head(s.repo, mainRef)
			first := s.ask(s.job("ana", mainRef)).opened()
			first.approve("bo")
			first.signed()
			s.merge(s.propose("ana", "gadget"), "eve")
			second := s.ask(s.job("ana", mainRef)).opened()
			second.approve("bo")
			second.signed()
			s.ask(s.job("ana", mainRef, at(old)), files("evil")).opened().
				ends(gate.StateDenied, gate.CheckCoverage, "was released before, and later ones since")
		}},
		{name: "attack 25: protection is off for a moment between two looks", policy: "branch: {settle: 1m}", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.settle()
			s.Unprotect(s.repo, mainRef)
			s.nudge()
			r.waits(gate.CheckProtection, "it is not protected")
			s.protect(forgetest.Protection{Reviews: 1})
			s.say(c, "bo", "/countersign approve")
			s.nudge()
			r.waits(gate.CheckProtection, "the protection of main was weaker at", "it is not protected")
			s.clock.pass(time.Minute)
			s.nudge()
			r.signed()
		}},
		{name: "attack 29: somebody may push without a review", on: "github", policy: "branch: {push: deny}", play: func(s *stage) {
			s.gh.ProtectClassic(s.repo, githubtest.ClassicRule{
				Protection: forgetest.Protection{Ref: mainRef, Reviews: 1}, Bypass: githubtest.Allowed{People: []forgetest.Person{s.who("bo")}},
			})
			s.refusesProtection("@bo may push without a review")
		}},
		{name: "attack 29: maintainers may push without a review", on: "gitlab", policy: "branch: {push: deny}", play: func(s *stage) {
			s.gl.ProtectBranch(s.repo, gitlabtest.BranchRule{
				Name: "main", Push: []gitlabtest.AccessLevel{{Level: 40}}, Merge: []gitlabtest.AccessLevel{{Level: 30}},
			})
			c := s.widget()
			r := s.asked()
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckProtection, "may push without a review")
		}},
		{name: "attack 46: a hold whose comment another writer deletes", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			hold := s.say(c, "cy", "/countersign hold the notes are missing")
			r.waits(gate.CheckHold, "on hold by @cy: the notes are missing")
			s.DeleteComment(hold, s.who("ana"))
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckHold, "on hold by @cy")
			s.say(c, "ana", "/countersign unhold")
			r.waits(gate.CheckHold, "on hold by @cy")
			s.say(c, "cy", "/countersign unhold")
			r.signed()
		}},
		{name: "attack 46: a denial whose comment is deleted", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			again := s.lose()
			denial := s.AddComment(c, s.who("cy"), "/countersign deny broken")
			again()
			s.nudge()
			r.ends(gate.StateDenied, gate.CheckHold, "denied by @cy: broken")
			s.DeleteComment(denial, s.who("ana"))
			s.say(c, "bo", "/countersign approve")
			r.ends(gate.StateDenied, gate.CheckHold, "denied by @cy: broken")
		}},
		{name: "attack 60: a comment whose delivery never came", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.lose()
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckApprovals, "0 of 1")
			s.clock.pass(5 * time.Minute)
			s.settle()
			r.signed()
		}},
		{name: "attack 60: a denial whose delivery never came, beside an approval that did", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			again := s.lose()
			s.say(c, "cy", "/countersign deny broken")
			again()
			s.say(c, "bo", "/countersign approve")
			r.ends(gate.StateDenied, gate.CheckHold, "denied by @cy: broken")
		}},
		{name: "attack 60: GitHub is asked to deliver again what was lost", on: "github", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			since := s.clock.now()
			again := s.lose()
			s.AddComment(c, s.who("bo"), "/countersign approve")
			s.Settle()
			again()
			n, err := s.adapter().(release.Courier).Redeliver(s.Context(), since)
			s.must(err)
			if n == 0 {
				s.Error("expected the lost delivery found")
			}
			s.settle()
			r.signed()
		}},
		{name: "attack 63: one tenant's flood keeps nobody else waiting", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			other := s.AddRepository("acme/other")
			for range 200 {
				event, body := s.rumour(other.ID, 1, 4711, "bo")
				s.deliver(event, body).accepted()
			}
			s.clock.pass(deed)
			s.AddComment(c, s.who("bo"), "/countersign approve")
			s.Settle()
			for range 5 {
				_, err := s.gate.HearNext(s.Context())
				s.must(err)
			}
			said, err := s.store.Approvals(context.WithoutCancel(s.Context()), r.id)
			s.must(err)
			if len(said) != 1 {
				s.Errorf("expected the approval heard within five deliveries, got %d statements", len(said))
			}
			r.signs = true
		}},
	})
}

// What newer evidence adds to the judgement.
func TestJudgement(t *testing.T) {
	play(t, []row{
		{name: "attack 18: a sibling job of the workflow", on: "github", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			sibling := s.gh.AddDeployJob(j, "production")
			s.policyNames("sign")
			s.ask(sibling, stream).opened().ends(gate.StateDenied, gate.CheckIdentity, "the job is", "expected sign")
		}},
		{name: "attack 18: beside the pinned reusable workflow", on: "github", play: func(s *stage) {
			const pin = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			s.policy("eve", "version: 1\nreleases:\n  - uses: acme/ci/.github/workflows/sign.yml@"+pin+"\n")
			_, err := s.gate.Adopt(s.Context(), release.Adoption{Repository: s.repositoryID(), Baseline: s.Head(s.repo, mainRef), By: "root"})
			s.must(err)
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			s.ask(j, stream).opened().ends(gate.StateDenied, gate.CheckIdentity, "the job's workflow is")
			const called = "acme/ci/.github/workflows/sign.yml@refs/heads/main"
			s.ask(j, stream, files("a"), claim("job_workflow_ref", called), claim("job_workflow_sha", elsewhere)).opened().
				ends(gate.StateDenied, gate.CheckIdentity, "the reusable workflow's commit is "+elsewhere)
			r := s.ask(j, stream, files("b"), claim("job_workflow_ref", called), claim("job_workflow_sha", pin)).opened()
			r.approve("bo")
			r.signed()
		}},
		{name: "attack 53: a member of the team who has not accepted yet", play: func(s *stage) {
			team := s.World.(forgetest.Teams).AddTeam(s.repo, "security")
			s.World.(forgetest.Teams).InviteToTeam(s.repo, team, s.who("gus"))
			a := s.adopts(policyFile("approvals: [{from: [\"team:" + team + "\"], count: 1}]"))
			s.must(a.err)
			s.widget()
			r := s.asked()
			r.approve("gus")
			r.waits(gate.CheckApprovals, "that of @gus does not count", "a place in team "+team)
			s.World.(forgetest.Teams).JoinTeam(s.repo, team, s.who("gus"))
			s.nudge()
			r.signed()
		}},
		{name: "attack 54: a review of the release's own change counts only where the policy says so", policy: "bind: commit", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.review(c, "bo")
			r := s.released(c)
			s.settle()
			r.signed()
		}},
		{name: "attack 56: a review before the last push, where reviews are approvals", policy: "bind: commit", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.review(c, "bo")
			s.pushed("ana", "refs/heads/widget", s.commit(s.who("ana"), "refs/heads/widget", "One more thing"))
			s.released(c).waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 77: an owner who made themselves one in the change", policy: "codeowners: true", play: func(s *stage) {
			s.merge(s.proposed("eve", "owned", s.file("eve", "CODEOWNERS", "/src/ @cy\n")), "eve")
			_, err := s.gate.Adopt(s.Context(), release.Adoption{Repository: s.repositoryID(), Baseline: s.Head(s.repo, mainRef), By: "root"})
			s.must(err)
			s.serial++
			sha := s.Commit(s.repo, forgetest.CommitSpec{
				Parents: []string{s.Head(s.repo, mainRef)}, Author: s.who("ana"), Message: "Own it",
				Files: map[string][]byte{"CODEOWNERS": []byte("/src/ @bo\n"), "src/evil.go": []byte("package evil")},
			})
			r := s.released(s.proposed("ana", "evil", sha))
			r.approve("bo")
			r.waits(gate.CheckOwners, "src/evil.go (@cy)")
			r.approve("cy")
			r.signed()
		}},
		{name: "attack 82: a forged green check beside CI's red one", on: "github", policy: "checks: [build]", play: func(s *stage) {
			c := s.widget()
			sha := s.Head(s.repo, mainRef)
			r := s.asked()
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckCI, "build has not run")
			s.reports(sha, "build", forgetest.CheckFailed)
			s.gh.ReportStatus(s.repo, s.who("cy"), sha, "build", "success")
			s.nudge()
			r.waits(gate.CheckCI, "build")
		}},
		{name: "attack 82: CI's own", policy: "checks: [build]", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.reports(s.Head(s.repo, mainRef), "build", forgetest.CheckPassed)
			s.say(c, "bo", "/countersign approve")
			r.signed()
		}},
		{name: "attack 89: who had the agent write merges it and approves it alone", play: func(s *stage) {
			agent := s.AddBot("agent")
			s.SetRole(s.repo, agent, forgetest.RoleWrite)
			s.people["agent"] = agent
			c := s.proposed("agent", "widget", s.commit(agent, mainRef, "Bring widget"))
			s.merge(c, "bo")
			s.tag("eve", "v1.0.0")
			r := s.ask(s.job("eve", "refs/tags/v1.0.0")).opened()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "because a machine opened it")
			r.approve("cy")
			r.signed()
		}},
		{name: "attack 93: a merge request whose approval rules were overwritten", on: "gitlab", gitlab: gitlabtest.Options{Premium: true}, play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.gl.OverwriteApprovalRules(c)
			s.review(c, "cy")
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
	})
}

// policyNames adopts a policy that names a job.
func (s *stage) policyNames(job string) {
	s.Helper()
	s.policy("eve", "version: 1\nreleases:\n  - workflow: release.yml\n    job: "+job+"\n")
	_, err := s.gate.Adopt(s.Context(), release.Adoption{Repository: s.repositoryID(), Baseline: s.Head(s.repo, mainRef), By: "root"})
	s.must(err)
}

// How a newer policy comes into force.
func TestAdoption(t *testing.T) {
	two := "approvals: [{from: [write], count: 2}]"
	weak := func(s *stage, by string) forgetest.Change {
		return s.proposed(by, "policy", s.Commit(s.repo, forgetest.CommitSpec{
			Parents: []string{s.Head(s.repo, mainRef)}, Author: s.who(by), Message: "Ask for less",
			Files: map[string][]byte{".countersign.yaml": []byte(policyFile(weaker))},
		}))
	}
	inForce := func(s *stage) string {
		a, err := s.store.InForce(s.Context(), s.repositoryID())
		s.must(err)
		return string(a.File)
	}
	play(t, []row{
		{name: "attack 76: a weaker policy that nobody else reviewed", policy: two, play: func(s *stage) {
			c := weak(s, "ana")
			s.merge(c, "ana")
			s.settle()
			s.tag("ana", "v1.0.0")
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckApprovals, "1 of 2")
			if p, _ := s.proposal(); !strings.Contains(p.Why, "needs a review before the merge by someone other than @ana") {
				s.Errorf("expected it to say whom the newer policy waits for, got %q", p.Why)
			}
		}},
		{name: "attack 76: one that was reviewed comes into force after a while, and not for what was asked before", policy: two, play: func(s *stage) {
			s.gate.Cooldown = time.Minute
			s.widget()
			r := s.asked()
			c := weak(s, "bo")
			s.review(c, "cy")
			s.merge(c, "eve")
			s.settle()
			if !strings.Contains(inForce(s), "count: 2") {
				s.Error("expected the older policy to judge until the cool-down passed")
			}
			s.clock.pass(time.Minute)
			s.nudge()
			if strings.Contains(inForce(s), "count: 2") {
				p, _ := s.proposal()
				s.Errorf("expected the reviewed policy in force, got %q", p.Why)
			}
			r.ends(gate.StateVoid, gate.CheckPolicy, "another policy is in force since the request")
		}},
		{name: "attack 75: a change of the policy is tried on past releases", policy: "", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			sha := s.file("ana", ".countersign.yaml", policyFile(two))
			s.proposed("ana", "policy", sha)
			s.settle()
			for _, x := range s.Statuses(s.repo, sha) {
				if x.Context == "countersign/policy" {
					if !strings.HasPrefix(x.State, "success") ||
						!strings.Contains(x.Description, "0 of the last 1 releases would pass") && !strings.Contains(x.Description, "waiting | 1 of 2 approvals") {
						s.Errorf("expected the release tried, got %+v", x)
					}
					return
				}
			}
			s.Errorf("expected a check countersign/policy, got %+v", s.Statuses(s.repo, sha))
		}},
	})
}

func (s *stage) proposal() (gate.Proposal, bool) {
	s.Helper()
	p, ok, err := s.store.Proposal(s.Context(), s.repositoryID())
	s.must(err)
	return p, ok
}

// A job that waits for the gate burns no minutes, and runs only once the release of its
// own run is signed.
func TestJobsThatWait(t *testing.T) {
	play(t, []row{
		{name: "attack 85: the environment's job goes on once the release is signed", on: "github", play: func(s *stage) {
			s.gh.GuardEnvironment(s.repo, "release")
			s.widget()
			r := s.asked()
			job := s.gh.AddDeployJob(r.job, "release")
			s.settle()
			if d := s.gh.Deployment(job); d.State != "waiting" || len(d.Reports) == 0 {
				s.Errorf("expected the job to wait and be told why, got %+v", d)
			}
			r.approve("bo")
			r.signed()
			if d := s.gh.Deployment(job); d.State != "approved" {
				s.Errorf("expected leave, got %+v", d)
			}
		}},
		{name: "attack 85: it is rejected with the reason", on: "github", play: func(s *stage) {
			s.gh.GuardEnvironment(s.repo, "release")
			s.widget()
			r := s.asked()
			job := s.gh.AddDeployJob(r.job, "release")
			s.settle()
			r.comment("bo", "/countersign deny the changelog is empty")
			if d := s.gh.Deployment(job); d.State != "rejected" || !strings.Contains(d.Comment, "the changelog is empty") {
				s.Errorf("expected it rejected with the reason, got %+v", d)
			}
		}},
		{name: "attack 85: a job of another run waits on", on: "github", play: func(s *stage) {
			s.gh.GuardEnvironment(s.repo, "release")
			s.widget()
			r := s.asked()
			other := s.gh.AddDeployJob(s.job("ana", "refs/tags/v1.0.0"), "release")
			s.settle()
			r.approve("bo")
			r.signed()
			if d := s.gh.Deployment(other); d.State != "waiting" {
				s.Errorf("expected it to wait, got %+v", d)
			}
		}},
	})
}
