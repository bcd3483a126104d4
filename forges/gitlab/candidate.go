package gitlab

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// maxCandidates bounds the look-ups of people who are only named, not judged.
const maxCandidates = 60

// listMembers lists the project's members, inherited ones included, each with the highest
// of its rights (API docs: members, list all members).
func (s *session) listMembers(ctx context.Context) ([]member, error) {
	return s.members.get("", func() ([]member, error) {
		rows, err := fetchAll[member](ctx, s, s.path("/members/all"), nil)
		if err != nil {
			return nil, fmt.Errorf("list the members: %w", err)
		}
		return rows, nil
	})
}

// listedMember takes a member from the list, where a reading lists them anyway. Who is not
// in it is asked for.
func (s *session) listedMember(ctx context.Context, id int64) (member, bool) {
	if !s.everybody {
		return member{}, false
	}
	rows, err := s.listMembers(ctx)
	for _, m := range rows {
		if err == nil && m.ID == id && m.State != "" {
			return m, true
		}
	}
	return member{}, false
}

// readCandidates lists the people with at least developer.
func (s *session) readCandidates(ctx context.Context) gate.Fact[[]gate.Member] {
	rows, err := s.listMembers(ctx)
	if err != nil {
		return unknown[[]gate.Member](err)
	}
	var able []member
	for _, m := range rows {
		if role, ok := roleOf(m.AccessLevel); ok && role >= gate.RoleWrite {
			able = append(able, m)
		}
	}
	if len(able) > maxCandidates {
		return gate.Unknown[[]gate.Member](fmt.Sprintf("%d people may write, more than are named", len(able)))
	}
	known := s.recognise(ctx, able)
	found := make([]gate.Fact[gate.Member], len(able))
	var g errgroup.Group
	for i, m := range able {
		g.Go(func() error {
			found[i] = s.withTeams(ctx, s.memberAs(ctx, m, known[m.ID]))
			return nil
		})
	}
	_ = g.Wait() // memberAs puts what fails into its fact
	return people(found)
}

// recognise tells the accounts of members: those that something in this reading named, and
// of those that nothing did whether they are bots: together, and once, as an account
// stays what it was made as (source: app/models/concerns/has_user_type.rb). Only names
// rest on that memory, and it only saves calls.
func (s *session) recognise(ctx context.Context, members []member) map[int64]gate.Account {
	s.look.answered()
	out := map[int64]gate.Account{}
	var strangers []string
	for _, m := range members {
		a, seen := s.crowd.get(m.ID)
		human, remembered := s.memory.human.get(m.ID)
		switch {
		case seen:
			out[m.ID] = a
		case m.ID <= 0 || m.Username == "":
		case remembered:
			out[m.ID] = gate.Account{ID: gate.AccountID{Forge: s.forge, ID: m.ID}, Login: m.Username, Human: human}
		default:
			strangers = append(strangers, fmt.Sprintf("gid://gitlab/User/%d", m.ID))
		}
	}
	s.introduce(ctx, strangers, out)
	return out
}

// introduce asks for accounts by their global ids.
func (s *session) introduce(ctx context.Context, strangers []string, out map[int64]gate.Account) {
	if len(strangers) == 0 {
		return
	}
	var answer struct {
		Users struct {
			Nodes []*graphUser `json:"nodes"`
		} `json:"users"`
	}
	err := s.graphQL(ctx, "query($ids: [ID!]) { users(ids: $ids) { nodes "+userFields+" } }", map[string]any{"ids": strangers}, &answer)
	for _, u := range answer.Users.Nodes {
		if err == nil && u != nil && u.Bot != nil {
			if a, err := s.known(*u); err == nil {
				out[a.ID.ID] = a
				s.memory.human.put(a.ID.ID, a.Human, maxRemembered)
			}
		}
	}
}

// people leaves out bots, which never approve.
func people(found []gate.Fact[gate.Member]) gate.Fact[[]gate.Member] {
	out := []gate.Member{}
	for _, f := range found {
		m, ok := f.Get()
		if !ok {
			return gate.Unknown[[]gate.Member](f.Why())
		}
		if m.Account.Human {
			out = append(out, m)
		}
	}
	return gate.Known(out)
}
