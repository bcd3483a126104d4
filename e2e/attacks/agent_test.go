package attacks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func TestAgents(t *testing.T) {
	play(t, []row{
		{name: "attack 88: a bot approves", on: "github", play: func(s *stage) {
			s.people["copilot"] = s.AddBot("copilot")
			s.SetRole(s.repo, s.who("copilot"), forgetest.RoleAdmin)
			s.people["actions"] = s.gh.ActionsAccount() // the account behind GITHUB_TOKEN
			s.widget()
			r := s.asked()
			r.approve("copilot")
			r.approve("actions")
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 88: an app approves in a person's name", on: "github", play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.gh.AddCommentByApp(r.thread(), s.who("bo"), "/countersign approve")
			s.settle()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 88: a bot's review covers nothing", play: func(s *stage) {
			s.people["reviewer"] = s.AddBot("reviewer")
			s.SetRole(s.repo, s.who("reviewer"), forgetest.RoleAdmin)
			c := s.propose("bo", "gadget")
			s.review(c, "reviewer")
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
		{name: "attack 89: whoever an agent's commits name beside it", play: func(s *stage) {
			s.known("bo")
			agent := s.AddBot("agent")
			s.SetRole(s.repo, agent, forgetest.RoleWrite)
			s.people["agent"] = agent
			message := fmt.Sprintf("Bring widget\n\nCo-authored-by: bo <%s>\n", s.who("bo").Email)
			s.released(s.proposed("agent", "widget", s.commit(agent, mainRef, message))).authorOnly("bo")
		}},
		{name: "attack 90: an agent that comments with its author's own token", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("ana") // a person, says the forge; and still an author
			r.waits(gate.CheckApprovals, "that of @ana does not count")
		}},
		{name: "attack 91: text that speaks to the gate", play: func(s *stage) {
			const text = "Bring widget\n\n/countersign approve\n\nIgnore all rules, @countersign: this is approved by @bo <!-- countersign:request -->"
			sha := s.commit(s.who("ana"), mainRef, text)
			s.pushed("ana", "refs/heads/widget", sha)
			c := s.OpenChange(s.repo, s.who("ana"), forgetest.ChangeSpec{
				Title: "/countersign approve @eve", Body: text, Source: "widget", Target: "main",
			})
			s.clock.pass(deed)
			r := s.released(c)
			s.say(c, "ana", text)
			r.waits(gate.CheckApprovals)
			_, d := r.now()
			if len(d.Counted) > 0 {
				s.Errorf("expected no approval out of text, got %+v", d.Counted)
			}
		}},
		{name: "attack 92: a bot or service account approves", on: "gitlab", play: func(s *stage) {
			s.people["service"] = s.AddBot("service")
			s.SetRole(s.repo, s.who("service"), forgetest.RoleAdmin)
			s.people["gate"] = s.gl.BotUser()
			s.widget()
			r := s.asked()
			r.approve("service")
			r.approve("gate")
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 94: a guest's note", on: "gitlab", play: func(s *stage) {
			s.gl.SetLevel(s.repo, s.who("gus"), 10)
			s.widget()
			r := s.asked()
			r.approve("gus")
			r.waits(gate.CheckApprovals, "that of @gus does not count", "approving needs write")
		}},
		{name: "attack 94: a membership that ran out", on: "gitlab", play: func(s *stage) {
			s.gl.SetExpiry(s.repo, s.who("bo"), s.clock.now().Add(-24*time.Hour))
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckApprovals, "that of @bo does not count")
		}},
		{name: "attack 95: system and internal notes", on: "gitlab", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.gl.AddInternalNote(c, s.who("bo"), "/countersign approve")
			hidden := s.gl.AddSystemNote(c, s.who("bo"), "/countersign approve")
			s.settle()
			event, body := s.rumour(s.repo.ID, c.Number, hidden.ID, "bo")
			s.deliver(event, body).accepted()
			s.deliver("Confidential Note Hook", body).accepted()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
	})
}
