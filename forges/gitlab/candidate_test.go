package gitlab_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// Many people cost hardly more calls than few, bots among them are told apart, and rights
// are as of now.
func TestManyCandidates(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	var last forgetest.Person
	for n := range 30 {
		last = s.AddPerson(fmt.Sprintf("dev%d", n))
		s.SetRole(s.repo, last, forgetest.RoleWrite)
	}
	robot := s.AddBot("robot")
	s.SetRole(s.repo, robot, forgetest.RoleWrite)
	needs := s.needs()
	needs.Accounts = []gate.AccountID{{Forge: "gl", ID: last.ID}, {Forge: "gl", ID: robot.ID}}
	read := func() (gate.Evidence, int) {
		before := s.Requests()
		ev := s.forge.Evidence(t.Context(), s.request(mainRef, s.base), needs)
		return ev, s.Requests() - before
	}
	ev, cold := read()
	again, warm := read()
	for what, ev := range map[string]gate.Evidence{"cold": ev, "warm": again} {
		if got := must(t, what, ev.Candidates); len(got) != 32 { // ana and bo besides
			t.Errorf("%s: %d candidates", what, len(got))
		}
		for i, human := range []bool{true, false} {
			if m := must(t, what, ev.Roles[needs.Accounts[i]]); m.Account.Human != human || m.Role != gate.RoleWrite || !m.Active {
				t.Errorf("%s: %+v", what, m)
			}
		}
	}
	if cold > 15 || warm > 10 {
		t.Errorf("%d requests cold, %d warm", cold, warm)
	}
	s.SetRole(s.repo, last, forgetest.RoleRead)
	s.SetState(robot, "blocked")
	ev, _ = read()
	if m := must(t, "a right taken away", ev.Roles[needs.Accounts[0]]); m.Role != gate.RoleRead {
		t.Errorf("%+v", m)
	}
	if m := must(t, "a blocked account", ev.Roles[needs.Accounts[1]]); m.Active {
		t.Errorf("%+v", m)
	}
	if got := must(t, "candidates", ev.Candidates); len(got) != 31 {
		t.Errorf("%d candidates", len(got))
	}
	s.SetRole(s.repo, last, forgetest.RoleNone)
	if ev, _ = read(); !ev.Roles[needs.Accounts[0]].IsAbsent() {
		t.Errorf("no member any more: %+v", ev.Roles[needs.Accounts[0]])
	}
}
