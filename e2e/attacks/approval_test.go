package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

const two = "approvals: [{from: [write], count: 2}]"

// gone takes an account away for good.
func (s *stage) gone(name string) {
	s.Helper()
	if s.gl != nil {
		s.gl.DeleteAccount(s.who(name))
		return
	}
	s.gh.DeletePerson(s.who(name))
}

// suspend locks an account out.
func (s *stage) suspend(name string) {
	s.Helper()
	if s.gl != nil {
		s.gl.SetState(s.who(name), "blocked")
		return
	}
	s.gh.SuspendPerson(s.who(name))
}

func TestApprovals(t *testing.T) {
	play(t, []row{
		{name: "attack 44: new commits after the review that covers a change", play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.review(c, "cy")
			s.push("bo", "refs/heads/gadget", "One more thing")
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
		{name: "attack 45: somebody edits a comment into an approval", play: func(s *stage) {
			s.widget()
			r := s.asked()
			c := r.comment("bo", "Looks nice")
			s.EditComment(c, s.who("eve"), "/countersign approve")
			s.settle()
			s.nudge()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 45: an approval that is edited", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			c := r.approve("bo")
			s.EditComment(c, s.who("bo"), "/countersign approve after all")
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count: the comment was edited")
		}},
		{name: "attack 46: an approval that is deleted", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			c := r.approve("bo")
			s.DeleteComment(c, s.who("bo"))
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count: the comment was deleted")
		}},
		{name: "attack 46: an approval that is minimised", on: "github", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.gh.MinimizeComment(r.approve("bo"), "OUTDATED")
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count: the comment is hidden")
		}},
		{name: "attack 47: the approver lost the right", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.SetRole(s.repo, s.who("bo"), forgetest.RoleNone)
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count")
		}},
		{name: "attack 47: the approver was suspended", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.suspend("bo")
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count: @bo is not active")
		}},
		{name: "attack 47: the approver's account was deleted", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.gone("bo")
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count")
		}},
		{name: "attack 48: the approver's login is somebody else's now", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.gone("bo")
			s.SetRole(s.repo, s.AddPerson("bo"), forgetest.RoleWrite)
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count")
		}},
		{name: "attack 49: a command that is no command", play: func(s *stage) {
			s.widget()
			r := s.asked()
			for _, text := range []string{
				"> /countersign approve", "> quoted\n/countersign approve", "* /countersign approve", "1. /countersign approve",
				"```\n/countersign approve\n```", "    /countersign approve", "`/countersign approve`", "<!--\n/countersign approve\n-->",
				"On Monday, bo wrote:\n> /countersign approve", "please do not /countersign approve this", "/countersign approved",
				"# /countersign approve", "<div>/countersign approve</div>", "| /countersign approve |\n|---|", "@bot /countersign approve",
			} {
				r.comment("bo", text)
				if _, d := r.now(); len(d.Counted) > 0 {
					s.Errorf("expected %q to be no command", text)
				}
			}
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 49: an approval by answering a mail", on: "github", play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.gh.AddCommentByEmail(r.thread(), s.who("bo"), "/countersign approve")
			s.settle()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 50: an approval in another thread", play: func(s *stage) {
			other := s.propose("bo", "other")
			s.widget()
			r := s.asked()
			s.say(other, "bo", "/countersign approve")
			s.say(other, "bo", "/countersign approve "+r.code)
			r.waits(gate.CheckApprovals, "0 of 1")
			s.answered(other, "no release of this thread was waiting")
		}},
		{name: "attack 51: an approver whom the forge calls a member", play: func(s *stage) {
			s.Publish(s.repo)
			s.merge(s.propose("gus", "before"), "eve") // GitHub then calls gus a contributor
			s.widget()
			r := s.asked()
			r.approve("gus")
			r.waits(gate.CheckApprovals, "that of @gus does not count: @gus has read, approving needs write")
		}},
		{name: "attack 52: a role of the organisation's own that is called admin", on: "github", play: func(s *stage) {
			s.gh.SetCustomRole(s.repo, s.who("gus"), "admin", forgetest.RoleRead)
			s.widget()
			r := s.asked()
			r.approve("gus")
			r.waits(gate.CheckApprovals, "that of @gus does not count: @gus has read")
		}},
		{name: "attack 52: an access level that nobody knows", on: "gitlab", play: func(s *stage) {
			s.gl.SetLevel(s.repo, s.who("gus"), 35)
			s.widget()
			r := s.asked()
			r.approve("gus")
			r.waits(gate.CheckApprovals, "access level 35 is none that the gate knows")
		}},
		{name: "attack 53: a membership that is not accepted yet", on: "gitlab", play: func(s *stage) {
			s.gl.SetMembershipState(s.repo, s.who("bo"), "awaiting")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckApprovals, "that of @bo does not count")
		}},
		{name: "attack 54: an approval from before the request", play: func(s *stage) {
			c := s.widget()
			s.say(c, "bo", "/countersign approve")
			r := s.asked()
			s.nudge()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 55: one person's review and comment for two", play: func(s *stage) {
			c := s.proposed("ana", "widget", s.commit(stranger(), mainRef, "From nowhere"))
			s.review(c, "bo")
			r := s.released(c)
			r.approve("bo")
			r.waits(gate.CheckCoverage, "one more because Nobody belongs to no account here")
			r.approve("bo")
			r.waits(gate.CheckCoverage, "one more because Nobody belongs to no account here")
		}},
		{name: "attack 55: one person fills two places of a group", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.approve("bo")
			r.waits(gate.CheckApprovals, "1 of 2")
		}},
		{name: "attack 56: a review that was taken back", play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.review(c, "cy")
			s.Review(c, s.who("cy"), forgetest.ReviewDismiss)
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
		{name: "attack 56: a review after the merge", play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.merge(c, "eve")
			s.clock.pass(deed)
			s.review(c, "cy")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
		{name: "attack 57: one approval for two requests", play: func(s *stage) {
			s.widget()
			r := s.asked()
			other := s.ask(s.job("ana", "refs/tags/v1.0.0"), files("other")).opened()
			r.approve("bo")
			s.answered(r.thread(), "name one by its code")
			r.waits(gate.CheckApprovals, "0 of 1")
			r.comment("bo", "/countersign approve "+r.code)
			r.signed()
			other.waits(gate.CheckApprovals, "0 of 1")
		}},
	})
}
