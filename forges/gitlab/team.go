package gitlab

import (
	"context"
	"fmt"
	"strings"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/gate"
)

// minTeam is the lowest access level that makes a member: Guest. Below are "none" and
// "minimal access", which GitLab gives for signing in alone.
const minTeam = 10

// teams are the groups whose membership counts in one reading, by their full path.
type teams struct {
	wanted []string
	// whole asks for lists: everybody's membership is wanted, not a few people's.
	whole bool
	lists memo[string, map[int64]bool]
	seen  memo[string, bool]
}

func groupPath(path, below string) string {
	return "groups/" + lib.PathEscape(path) + below
}

// teamsOf are those of the wanted teams of which the account is an active member,
// inherited membership included (attack 53).
func (s *session) teamsOf(ctx context.Context, id int64) gate.Fact[[]string] {
	if len(s.teams.wanted) == 0 {
		return gate.Unknown[[]string]("the policy names no team")
	}
	in := []string{}
	for _, name := range s.teams.wanted {
		is, err := s.inTeam(ctx, name, id)
		if err != nil {
			return gate.Unknown[[]string](fmt.Sprintf("the members of %s: %s", name, why(err)))
		}
		if is {
			in = append(in, name)
		}
	}
	return gate.Known(in)
}

func (s *session) inTeam(ctx context.Context, name string, id int64) (bool, error) {
	if s.teams.whole {
		all, err := s.teams.lists.get(name, func() (map[int64]bool, error) { return s.listTeam(ctx, name) })
		return all[id], err
	}
	m, err := fetch[member](ctx, s, groupPath(name, fmt.Sprintf("/members/all/%d", id)), nil)
	if isNotFound(err) { // no member, or no group that the gate sees: GitLab answers alike
		return false, s.seesTeam(ctx, name)
	}
	if err == nil && m.ID != id {
		err = errUnexpected
	}
	if err != nil {
		return false, fmt.Errorf("read member %d of group %q: %w", id, name, err)
	}
	return m.teaming(s)
}

func (s *session) listTeam(ctx context.Context, name string) (map[int64]bool, error) {
	rows, err := fetchAll[member](ctx, s, groupPath(name, "/members/all"), nil)
	if err != nil {
		return nil, fmt.Errorf("list the members of group %q: %w", name, err)
	}
	in := map[int64]bool{}
	for _, m := range rows {
		is, err := m.teaming(s)
		if err != nil {
			return nil, err
		}
		in[m.ID] = in[m.ID] || is
	}
	return in, nil
}

// teaming reports whether a row makes an active member.
func (m member) teaming(s *session) (bool, error) {
	if m.ID <= 0 || m.State == "" {
		return false, fmt.Errorf("a group's member %d in state %q: %w", m.ID, m.State, errUnexpected)
	}
	current, err := m.current(s.now())
	return current && m.AccessLevel >= minTeam && user{State: m.State, Locked: m.Locked}.active(), err
}

// seesTeam checks that the group is there under that very path.
func (s *session) seesTeam(ctx context.Context, name string) error {
	_, err := s.teams.seen.get(name, func() (bool, error) {
		g, err := fetch[struct {
			ID       int64  `json:"id"`
			FullPath string `json:"full_path"`
		}](ctx, s, groupPath(name, ""), nil)
		if err == nil && (g.ID <= 0 || !strings.EqualFold(g.FullPath, name)) {
			err = errUnexpected
		}
		if err != nil {
			return false, fmt.Errorf("read group %q: %w", name, err)
		}
		return true, nil
	})
	return err
}
