package github

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// peopleFields asks for everyone with a right in the repository; with more than a page of
// them, those on it.
const peopleFields = `people: collaborators(first: 100) {
      totalCount edges { permission permissionSources { roleName } node { id databaseId login } }
    }`

// peopleNode is GraphQL's type RepositoryCollaboratorConnection, in part.
type peopleNode struct {
	TotalCount int          `json:"totalCount"`
	Edges      []personEdge `json:"edges"`
}

// personEdge is one collaborator. Sources is nil where GitHub does not say where the
// right comes from.
type personEdge struct {
	Permission string `json:"permission"`
	Sources    []struct {
		RoleName *string `json:"roleName"`
	} `json:"permissionSources"`
	Node struct {
		ID         string `json:"id"`
		DatabaseID int64  `json:"databaseId"`
		Login      string `json:"login"`
	} `json:"node"`
}

// role is the permission in the gate's words. GraphQL has none for the roles that an
// organisation invents, and does not say how it shows them: ours is certain only where
// every source of the right is one of GitHub's own roles (attack 52).
func (e personEdge) role() (role gate.Role, certain bool) {
	role = map[string]gate.Role{
		"ADMIN": gate.RoleAdmin, "MAINTAIN": gate.RoleMaintain, "WRITE": gate.RoleWrite, "TRIAGE": gate.RoleRead, "READ": gate.RoleRead,
	}[e.Permission]
	certain = len(e.Sources) > 0 && role != gate.RoleNone
	for _, s := range e.Sources {
		if s.RoleName == nil {
			return role, false
		}
		switch strings.ToLower(*s.RoleName) {
		case "admin", "maintain", "write", "triage", "read":
		default:
			return role, false
		}
	}
	return role, certain
}

func (e personEdge) member(f *Forge) gate.Member {
	role, _ := e.role()
	u := &gitActor{User: (*struct {
		ID         string `json:"id"`
		DatabaseID int64  `json:"databaseId"`
		Login      string `json:"login"`
	})(&e.Node)}
	account, _ := f.actorAccount(u)
	return gate.Member{Account: account, Role: role, Active: true}
}

// listed is a member as the snapshot has them. Who is not in it may still have a right
// (everyone reads what is public): REST then has to tell.
func (rd *reading) listed(id gate.AccountID) (gate.Member, bool) {
	if rd.snap == nil || rd.snap.people == nil {
		return gate.Member{}, false
	}
	for _, e := range rd.snap.people.Edges {
		if e.Node.DatabaseID != id.ID {
			continue
		}
		_, certain := e.role()
		return e.member(rd.forge), certain
	}
	return gate.Member{}, false
}

// everyone is who could approve, where the snapshot has all collaborators. It names
// people to people; no decision rests on it.
func (rd *reading) everyone() ([]gate.Member, bool) {
	if rd.snap == nil || rd.snap.people == nil || rd.snap.people.TotalCount != len(rd.snap.people.Edges) {
		return nil, false
	}
	out := []gate.Member{}
	for _, e := range rd.snap.people.Edges {
		m := e.member(rd.forge)
		if m.Account.ID.ID > 0 && (m.Role >= gate.RoleWrite || len(rd.needs.Teams) > 0 && m.Role >= gate.RoleRead) {
			out = append(out, m)
		}
	}
	return out, true
}
