package githubtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// team is one team of an organisation: members accepted, invited did not yet.
type team struct {
	id, owner        int64
	slug             string
	members, invited []int64
}

// AddTeam makes a team of the owner's organisation and returns how a policy spells it.
func (s *Server) AddTeam(repo forgetest.Repository, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.accounts[s.repository(repo).owner]
	if owner.kind != "Organization" || s.teamOf(owner, name) != nil {
		panic(fmt.Sprintf("add team %q to %q: expected an organisation that has none of that name", name, owner.login))
	}
	x := &team{id: s.next("team"), owner: owner.id, slug: name}
	s.teams = append(s.teams, x)
	return owner.login + "/" + name
}

// JoinTeam makes p an active member of a team as AddTeam spelled it.
func (s *Server) JoinTeam(repo forgetest.Repository, name string, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, x := s.teamFor(repo, name)
	a := s.who(p)
	x.leave(a.id)
	x.members = append(x.members, a.id)
	s.emit(r, "membership", "added", s.accounts[r.owner], obj{"scope": "team", "member": s.userJSON(a), "team": s.teamJSON(x)})
}

// InviteToTeam invites p, who has not accepted yet.
func (s *Server) InviteToTeam(repo forgetest.Repository, name string, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, x := s.teamFor(repo, name)
	a := s.who(p)
	x.leave(a.id)
	x.invited = append(x.invited, a.id)
}

// LeaveTeam takes p out.
func (s *Server) LeaveTeam(repo forgetest.Repository, name string, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, x := s.teamFor(repo, name)
	a := s.who(p)
	x.leave(a.id)
	s.emit(r, "membership", "removed", s.accounts[r.owner], obj{"scope": "team", "member": s.userJSON(a), "team": s.teamJSON(x)})
}

func (s *Server) teamFor(repo forgetest.Repository, name string) (*repository, *team) {
	r := s.repository(repo)
	x := s.teamOf(s.accounts[r.owner], name[strings.LastIndex(name, "/")+1:])
	if x == nil {
		panic(fmt.Sprintf("use team %q of %q: expected one that exists", name, repo.FullName))
	}
	return r, x
}

func (x *team) leave(id int64) {
	is := func(other int64) bool { return other == id }
	x.members, x.invited = slices.DeleteFunc(x.members, is), slices.DeleteFunc(x.invited, is)
}

func (s *Server) teamOf(owner *account, slug string) *team {
	for _, x := range s.teams {
		if owner != nil && x.owner == owner.id && strings.EqualFold(x.slug, slug) {
			return x
		}
	}
	return nil
}

// team is the addressed team, nil where the token's installation is on another owner:
// to an App that may not see it a team is not there.
func (c *call) team() *team {
	owner := c.account(c.params["org"])
	if owner == nil || owner.id != c.token.installation.owner {
		return nil
	}
	return c.teamOf(owner, c.params["team_slug"])
}

func getTeam(c *call) reply {
	x := c.team()
	if x == nil {
		return notFound()
	}
	out := c.teamJSON(x)
	owner := c.accounts[x.owner]
	out["members_count"], out["repos_count"] = len(x.members), 1
	out["created_at"], out["updated_at"] = stamp(owner.created), stamp(owner.created)
	out["organization"] = obj{
		"login": owner.login, "id": owner.id, "node_id": nodeID("O", owner.id), "url": c.api("/orgs/%s", owner.login),
		"repos_url": c.api("/orgs/%s/repos", owner.login), "events_url": c.api("/orgs/%s/events", owner.login),
		"hooks_url": c.api("/orgs/%s/hooks", owner.login), "issues_url": c.api("/orgs/%s/issues", owner.login),
		"members_url": c.api("/orgs/%s/members{/member}", owner.login), "public_members_url": c.api("/orgs/%s/public_members{/member}", owner.login),
		"avatar_url": c.web("/avatars/%d", owner.id), "description": nil, "has_organization_projects": true,
		"has_repository_projects": true, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"html_url": c.web("/%s", owner.login), "created_at": stamp(owner.created), "updated_at": stamp(owner.created),
		"type": "Organization", "archived_at": nil,
	}
	return ok(out)
}

// getMembership is 404 for who is no member (API description of "Get team membership for a user").
func getMembership(c *call) reply {
	x, a := c.team(), c.account(c.params["username"])
	if x == nil || a == nil {
		return notFound()
	}
	state := ""
	switch {
	case slices.Contains(x.members, a.id):
		state = "active"
	case slices.Contains(x.invited, a.id):
		state = "pending"
	default:
		return notFound()
	}
	return ok(obj{
		"url":  c.api("/orgs/%s/teams/%s/memberships/%s", c.params["org"], x.slug, a.login),
		"role": "member", "state": state,
	})
}

// listTeamMembers lists those who accepted.
func listTeamMembers(c *call) reply {
	x := c.team()
	if x == nil {
		return notFound()
	}
	return paged(c, x.members, func(id int64) obj { return c.userJSON(c.accounts[id]) })
}

// teamJSON is `components.schemas.team`.
func (s *Server) teamJSON(x *team) obj {
	org := s.accounts[x.owner].login
	self := s.api("/orgs/%s/teams/%s", org, x.slug)
	return obj{
		"id": x.id, "node_id": nodeID("T", x.id), "url": self, "html_url": s.web("/orgs/%s/teams/%s", org, x.slug),
		"name": x.slug, "slug": x.slug, "description": nil, "privacy": "closed", "notification_setting": "notifications_enabled",
		"permission": "pull", "members_url": self + "/members{/member}", "repositories_url": self + "/repos", "parent": nil,
		"type": "organization", "organization_id": x.owner,
	}
}
