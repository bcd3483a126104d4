package gitlabtest

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// AddTeam makes a private subgroup of the project's group, which the gate's bot sees,
// and returns how a policy spells it: its full path.
func (s *Server) AddTeam(r forgetest.Repository, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.project(r).group.path + "/" + name
	if s.groups[full] != nil {
		panic(fmt.Sprintf("add team %q: expected a path that is not taken", full))
	}
	s.groups[full] = &group{id: s.id("group"), path: full, seen: true}
	return full
}

// JoinTeam makes p an active member (Developer) of a group named by its full path, the
// project's own group and those above it included.
func (s *Server) JoinTeam(_ forgetest.Repository, name string, p forgetest.Person) {
	s.joinTeam(name, p, "active", time.Time{})
}

// InviteToTeam gives p a membership that awaits approval.
func (s *Server) InviteToTeam(_ forgetest.Repository, name string, p forgetest.Person) {
	s.joinTeam(name, p, "awaiting", time.Time{})
}

// JoinTeamUntil makes p a member until the start of a day.
func (s *Server) JoinTeamUntil(name string, p forgetest.Person, day time.Time) {
	s.joinTeam(name, p, "active", day.UTC().Truncate(24*time.Hour))
}

// LeaveTeam takes p out.
func (s *Server) LeaveTeam(_ forgetest.Repository, name string, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.team(name).members, s.account(p).id)
}

// HideTeam takes the group out of the gate's sight.
func (s *Server) HideTeam(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team(name).seen = false
}

func (s *Server) joinTeam(name string, p forgetest.Person, state string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, a := s.team(name), s.account(p)
	if g.members == nil {
		g.members = map[int64]*member{}
	}
	g.members[a.id] = &member{account: a, level: levelDeveloper, created: s.tick(), state: state, expires: until}
}

func (s *Server) team(name string) *group {
	g := s.groups[name]
	if g == nil {
		panic(fmt.Sprintf("team %q: expected a group of this GitLab", name))
	}
	return g
}

// groupInPath is the group that the path names by number or full path. One that the
// caller cannot see is 404 (source: lib/api/helpers.rb, find_group!).
func (c *call) groupInPath() (*group, error) {
	id := c.r.PathValue("group")
	for full, g := range c.groups {
		if (decimal(g.id) == id || strings.EqualFold(full, id)) && g.seen && c.me == c.bot {
			return g, nil
		}
	}
	return nil, notFound("Group")
}

// groupMembers are a group's members, those inherited from the groups above it included;
// the highest level counts (API docs: members, list all members).
func (s *Server) groupMembers(g *group) []*member {
	best := map[int64]*member{}
	for at := g.path; at != "." && at != "/"; at = path.Dir(at) {
		above := s.groups[at]
		if above == nil {
			continue
		}
		for id, m := range above.members {
			if best[id] == nil || best[id].level < m.level {
				best[id] = m
			}
		}
	}
	var out []*member
	for _, m := range best {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int { return int(a.account.id - b.account.id) })
	return out
}

// SetGroupLevel gives p one of GitLab's access levels in a group named by its full path.
func (s *Server) SetGroupLevel(name string, p forgetest.Person, level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, a := s.team(name), s.account(p)
	if g.members == nil {
		g.members = map[int64]*member{}
	}
	g.members[a.id] = &member{account: a, level: level, created: s.tick(), state: "active"}
}

// groupLevel is what a may do in a group.
func (s *Server) groupLevel(g *group, a *account) int {
	for _, m := range s.groupMembers(g) {
		if m.account == a && m.state == "active" {
			return m.level
		}
	}
	return levelNone
}

// listGroups lists the groups in which the caller has at least min_access_level (API docs:
// groups, list groups).
func listGroups(c *call) (any, error) {
	least, _ := strconv.Atoi(c.param("min_access_level"))
	var found []*group
	for _, g := range c.groups {
		if g.owner == nil && g.seen && c.groupLevel(g, c.me) >= max(least, levelGuest) {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, func(a, b *group) int { return int(a.id - b.id) })
	return list(found, c.groupRow), nil
}

func showGroup(c *call) (any, error) {
	g, err := c.groupInPath()
	if err != nil {
		return nil, err
	}
	return c.groupRow(g), nil
}

func (s *Server) groupRow(g *group) obj {
	return obj{
		"id": g.id, "name": last(g.path), "path": last(g.path), "full_path": g.path, "full_name": g.path,
		"visibility": "private", "web_url": s.base + "/groups/" + g.path, "parent_id": nil,
	}
}

func listGroupMembers(c *call) (any, error) {
	g, err := c.groupInPath()
	if err != nil {
		return nil, err
	}
	return list(c.groupMembers(g), c.showMemberRow), nil
}

func showGroupMember(c *call) (any, error) {
	g, err := c.groupInPath()
	if err != nil {
		return nil, err
	}
	id, err := c.number("user")
	if err != nil {
		return nil, err
	}
	for _, m := range c.groupMembers(g) {
		if m.account.id == id {
			return c.showMemberRow(m), nil
		}
	}
	return nil, notFound("")
}
