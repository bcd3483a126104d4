package gitlab_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// attack 53: only active members of a group count, inherited ones among them
func TestTeams(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	team := s.AddTeam(s.repo, "security")
	in := func(p forgetest.Person) { s.JoinTeam(s.repo, team, p) }
	rows := []struct {
		name string
		play func(p forgetest.Person)
		want bool
	}{
		{"a member", in, true},
		{"nobody of it", func(forgetest.Person) {}, false},
		{"a membership that awaits approval", func(p forgetest.Person) { s.InviteToTeam(s.repo, team, p) }, false},
		{"a membership that ran out", func(p forgetest.Person) { s.JoinTeamUntil(team, p, time.Now().Add(-48*time.Hour)) }, false},
		{"a membership until next week", func(p forgetest.Person) { s.JoinTeamUntil(team, p, time.Now().Add(7*24*time.Hour)) }, true},
		{"a member of the group above", func(p forgetest.Person) { s.JoinTeam(s.repo, "acme", p) }, true},
		{"who left", func(p forgetest.Person) { in(p); s.LeaveTeam(s.repo, team, p) }, false},
		{"a blocked account", func(p forgetest.Person) { in(p); s.SetState(p, "blocked") }, false},
		{"a locked account", func(p forgetest.Person) { in(p); s.SetLocked(p, true) }, false},
	}
	var people []forgetest.Person
	for i, row := range rows {
		p := s.AddPerson("p" + string(rune('a'+i)))
		s.SetRole(s.repo, p, forgetest.RoleWrite)
		row.play(p)
		people = append(people, p)
	}
	needs := s.needs()
	needs.Teams, needs.Candidates = []string{team}, false
	for _, p := range people {
		needs.Accounts = append(needs.Accounts, gate.AccountID{Forge: "gl", ID: p.ID})
	}
	single := s.forge.Evidence(t.Context(), s.request(mainRef, s.base), needs)
	needs.Candidates = true
	whole := s.forge.Evidence(t.Context(), s.request(mainRef, s.base), needs)
	candidates := must(t, "candidates", whole.Candidates)
	for i, row := range rows {
		id := needs.Accounts[i]
		for what, m := range map[string]gate.Member{
			"alone": must(t, row.name, single.Roles[id]), "by list": must(t, row.name, whole.Roles[id]),
		} {
			if got := must(t, row.name, m.Teams); slices.Contains(got, team) != row.want {
				t.Errorf("%s, %s: teams %q", row.name, what, got)
			}
		}
		for _, c := range candidates {
			if got := must(t, row.name, c.Teams); c.Account.ID == id && slices.Contains(got, team) != row.want {
				t.Errorf("%s, as candidate: teams %q", row.name, got)
			}
		}
	}
}

func TestTeamsThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	team := s.AddTeam(s.repo, "security")
	s.JoinTeam(s.repo, team, s.bo)
	needs := s.needs()
	needs.Accounts = []gate.AccountID{{Forge: "gl", ID: s.bo.ID}, {Forge: "gl", ID: s.ana.ID}}
	check := func(what string) {
		t.Helper()
		for _, candidates := range []bool{false, true} {
			needs.Candidates = candidates
			ev := s.forge.Evidence(t.Context(), s.request(mainRef, s.base), needs)
			for _, id := range needs.Accounts {
				if m := must(t, what, ev.Roles[id]); !m.Teams.IsUnknown() || m.Teams.Why() == "" {
					t.Errorf("%s: %+v", what, m.Teams)
				}
			}
		}
	}
	check("no team asked for")
	needs.Teams = []string{"acme/nothing"}
	check("no such group")
	needs.Teams = []string{team}
	for _, f := range []forgetest.Fault{{Status: 500}, {Status: 403}, {Status: 200, Body: "null"}, {Status: 200, Body: `{"id":1}`}, {}} {
		f.Path = "/groups/"
		restore := s.Fail(f)
		check("a fault")
		restore()
	}
	s.HideTeam(team)
	check("a group that the gate does not see")
}
