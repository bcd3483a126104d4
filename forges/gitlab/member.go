package gitlab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// member is one membership, inherited ones included (source: lib/api/entities/member.rb).
type member struct {
	account
	State           string `json:"state"` // of the account
	Locked          bool   `json:"locked"`
	AccessLevel     int    `json:"access_level"`
	ExpiresAt       string `json:"expires_at"`       // a date
	MembershipState string `json:"membership_state"` // active or awaiting; absent on Free
}

// roleOf maps GitLab's access levels (API docs: members, roles). A level that the
// gate does not know is no right, rather than a guess (attack 74).
func roleOf(level int) (gate.Role, bool) {
	switch level {
	case 0, 5, 10, 15: // none, minimal access, guest, planner
		return gate.RoleNone, true
	case 20: // reporter
		return gate.RoleRead, true
	case 30: // developer
		return gate.RoleWrite, true
	case 40: // maintainer
		return gate.RoleMaintain, true
	case 50: // owner
		return gate.RoleAdmin, true
	}
	return gate.RoleNone, false
}

var errExpiry = errors.New("expires_at is no date")

// current reports whether the membership counts now: it ends at the start of the
// day that expires_at names (docs: members, add an expiration date).
func (m member) current(now time.Time) (bool, error) {
	if m.MembershipState != "" && m.MembershipState != "active" {
		return false, nil
	}
	if m.ExpiresAt == "" {
		return true, nil
	}
	day, err := time.Parse(time.DateOnly, m.ExpiresAt)
	if err != nil {
		return false, fmt.Errorf("membership of %d: %q: %w", m.ID, m.ExpiresAt, errors.Join(errExpiry, errUnexpected))
	}
	return now.Before(day), nil
}

// readMember is an account's right as of now: inherited, unexpired, of an active
// account (attacks 47, 53 and 94).
func (s *session) readMember(ctx context.Context, id int64) gate.Fact[gate.Member] {
	fact, _ := s.roles.get(id, func() (gate.Fact[gate.Member], error) {
		if m, ok := s.listedMember(ctx, id); ok {
			return s.toMember(ctx, m), nil
		}
		m, err := fetch[member](ctx, s, s.path("/members/all/%d", id), nil)
		if isNotFound(err) {
			return s.noMember(ctx), nil
		}
		if err != nil {
			return unknown[gate.Member](err), nil
		}
		if m.ID != id {
			return unknown[gate.Member](errUnexpected), nil
		}
		return s.toMember(ctx, m), nil
	})
	return fact
}

// noMember tells "no member" from "no project to look into": GitLab answers 404
// to both.
func (s *session) noMember(ctx context.Context) gate.Fact[gate.Member] {
	if err := s.stillSeen(ctx); err != nil {
		return unknown[gate.Member](err)
	}
	return gate.Absent[gate.Member]("GitLab knows no membership in the project or its groups")
}

func (s *session) toMember(ctx context.Context, m member) gate.Fact[gate.Member] {
	a, _ := s.crowd.get(m.ID)
	return s.memberAs(ctx, m, a)
}

// memberAs is the membership of an account; one that is not known yet is looked up.
func (s *session) memberAs(ctx context.Context, m member, a gate.Account) gate.Fact[gate.Member] {
	role, ok := roleOf(m.AccessLevel)
	if !ok {
		return gate.Unknown[gate.Member](fmt.Sprintf("access level %d is none that the gate knows", m.AccessLevel))
	}
	current, err := m.current(s.now())
	if err != nil {
		return unknown[gate.Member](err)
	}
	if !current {
		role = gate.RoleNone
	}
	if a.ID.ID == m.ID && m.State != "" {
		active := user{State: m.State, Locked: m.Locked}.active()
		return gate.Known(gate.Member{Account: a, Role: role, Active: current && active})
	}
	u, err := s.readUser(ctx, m.ID)
	if err != nil {
		return unknown[gate.Member](err)
	}
	return gate.Known(gate.Member{Account: s.toAccount(u), Role: role, Active: current && u.active()})
}

func (s *session) roleFact(ctx context.Context, id int64) gate.Fact[gate.Role] {
	f := s.readMember(ctx, id)
	m, ok := f.Get()
	switch {
	case ok && m.Active:
		return gate.Known(m.Role)
	case ok:
		return gate.Absent[gate.Role]("the account or its membership is not active")
	case f.IsAbsent():
		return gate.Absent[gate.Role](f.Why())
	}
	return gate.Unknown[gate.Role](f.Why())
}

// withTeams adds to a known member the teams that it is in.
func (s *session) withTeams(ctx context.Context, f gate.Fact[gate.Member]) gate.Fact[gate.Member] {
	m, ok := f.Get()
	if !ok || len(s.teams.wanted) == 0 {
		return f
	}
	m.Teams = s.teamsOf(ctx, m.Account.ID.ID)
	return gate.Known(m)
}

// readRoles reads the rights of the accounts that the policy asks about.
func (s *session) readRoles(ctx context.Context, ids []gate.AccountID) map[gate.AccountID]gate.Fact[gate.Member] {
	out := map[gate.AccountID]gate.Fact[gate.Member]{}
	var mu sync.Mutex
	var g errgroup.Group
	for _, id := range ids {
		g.Go(func() error {
			fact := gate.Unknown[gate.Member]("the account belongs to another forge")
			if id.Forge == s.forge {
				fact = s.withTeams(ctx, s.readMember(ctx, id.ID))
			}
			mu.Lock()
			defer mu.Unlock()
			out[id] = fact
			return nil
		})
	}
	_ = g.Wait() // readMember puts what fails into its fact
	return out
}
