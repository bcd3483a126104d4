package gitlab_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func (s *stage) account(p forgetest.Person) gate.AccountID {
	return gate.AccountID{Forge: "gl", ID: p.ID}
}

func TestRight(t *testing.T) {
	for name, row := range map[string]struct {
		set    func(*stage)
		role   gate.Role
		active bool
	}{
		"a maintainer":         {func(*stage) {}, gate.RoleMaintain, true},
		"an owner":             {func(s *stage) { s.SetRole(s.repo, s.ana, forgetest.RoleAdmin) }, gate.RoleAdmin, true},
		"a developer":          {func(s *stage) { s.SetRole(s.repo, s.ana, forgetest.RoleWrite) }, gate.RoleWrite, true},
		"a reporter":           {func(s *stage) { s.SetRole(s.repo, s.ana, forgetest.RoleRead) }, gate.RoleRead, true},
		"a guest":              {func(s *stage) { s.SetLevel(s.repo, s.ana, 10) }, gate.RoleNone, true},
		"expired since today":  {func(s *stage) { s.SetExpiry(s.repo, s.ana, time.Now()) }, gate.RoleNone, false},
		"awaiting":             {func(s *stage) { s.SetMembershipState(s.repo, s.ana, "awaiting") }, gate.RoleNone, false},
		"a blocked maintainer": {func(s *stage) { s.SetState(s.ana, "blocked") }, gate.RoleNone, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			row.set(s)
			m := must(t, "right", s.forge.Right(t.Context(), s.id(), s.account(s.ana)))
			if m.Role != row.role || m.Active != row.active || m.Account.ID != s.account(s.ana) || !m.Account.Human {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// a right that was taken away is gone with the next look; what cannot be read is none
func TestRightIsLive(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	ask := func() gate.Fact[gate.Member] { return s.forge.Right(t.Context(), s.id(), s.account(s.ana)) }
	must(t, "right", ask())
	s.SetRole(s.repo, s.ana, forgetest.RoleNone)
	if got := ask(); !got.IsAbsent() {
		t.Errorf("after the role was taken: %+v", got)
	}
	s.SetRole(s.repo, s.ana, forgetest.RoleMaintain)
	for name, status := range map[string]int{"down": http.StatusBadGateway, "refused": http.StatusForbidden} {
		restore := s.Fail(forgetest.Fault{Path: "/members/", Status: status})
		if got := ask(); !got.IsUnknown() {
			t.Errorf("%s: %+v", name, got)
		}
		restore()
	}
	for name, ids := range map[string]struct {
		r gate.RepositoryID
		a gate.AccountID
	}{
		"another forge's project": {gate.RepositoryID{Forge: "other", ID: s.repo.ID}, s.account(s.ana)},
		"another forge's account": {s.id(), gate.AccountID{Forge: "other", ID: s.ana.ID}},
		"no account":              {s.id(), gate.AccountID{Forge: "gl"}},
		"no project":              {gate.RepositoryID{Forge: "gl", ID: 424242}, s.account(s.ana)},
	} {
		if got := s.forge.Right(t.Context(), ids.r, ids.a); !got.IsUnknown() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
