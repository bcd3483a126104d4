package githubtest

import (
	"maps"
	"slices"

	"github.com/countersign/countersign/forges/forgetest"
)

// grant is a role in a repository: what it allows, and the name it goes by, which an
// organisation may choose.
type grant struct {
	role forgetest.Role
	name string
}

// SetRole makes p a collaborator with one of the fixed roles, or takes it away.
func (s *Server) SetRole(repo forgetest.Repository, p forgetest.Person, role forgetest.Role) {
	names := map[forgetest.Role]string{
		forgetest.RoleRead: "read", forgetest.RoleWrite: "write", forgetest.RoleMaintain: "maintain", forgetest.RoleAdmin: "admin",
	}
	s.setGrant(repo, p, grant{role: role, name: names[role]})
}

// SetCustomRole gives p an organisation's own role built upon base; "triage" upon
// RoleRead is GitHub's own.
func (s *Server) SetCustomRole(repo forgetest.Repository, p forgetest.Person, name string, base forgetest.Role) {
	s.setGrant(repo, p, grant{role: base, name: name})
}

func (s *Server) setGrant(repo forgetest.Repository, p forgetest.Person, g grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, a := s.repository(repo), s.who(p)
	_, had := r.roles[a.id]
	action := "added"
	switch {
	case g.role == forgetest.RoleNone && !had:
		return
	case g.role == forgetest.RoleNone:
		action = "removed"
		delete(r.roles, a.id)
	default:
		if had {
			action = "edited"
		}
		r.roles[a.id] = g
	}
	s.emit(r, "member", action, s.accounts[r.owner], obj{
		"member": s.userJSON(a), "changes": obj{"permission": obj{"to": permissionName(g.role)}},
	})
}

// permissionName is the legacy base role: maintain reads as write and triage as read
// (API description of "Get repository permissions for a user").
func permissionName(role forgetest.Role) string {
	switch role {
	case forgetest.RoleAdmin:
		return "admin"
	case forgetest.RoleMaintain, forgetest.RoleWrite:
		return "write"
	case forgetest.RoleRead:
		return "read"
	case forgetest.RoleNone:
	}
	return "none"
}

// grantOf is the effective grant: everybody reads what is public.
func (s *Server) grantOf(repo *repository, a *account) grant {
	if g, has := repo.roles[a.id]; has {
		return g
	}
	if repo.visibility == "public" {
		return grant{role: forgetest.RoleRead, name: "read"}
	}
	return grant{role: forgetest.RoleNone, name: "none"}
}

// collaboratorJSON is `components.schemas.collaborator`.
func (s *Server) collaboratorJSON(a *account, g grant) obj {
	out := s.userJSON(a)
	out["role_name"] = g.name
	out["permissions"] = obj{
		"pull": g.role >= forgetest.RoleRead, "triage": g.role >= forgetest.RoleWrite || g.name == "triage",
		"push": g.role >= forgetest.RoleWrite, "maintain": g.role >= forgetest.RoleMaintain,
		"admin": g.role >= forgetest.RoleAdmin,
	}
	return out
}

func getPermission(c *call) reply {
	a := c.account(c.params["username"])
	if a == nil {
		return notFound()
	}
	g := c.grantOf(c.repo, a)
	return ok(obj{"permission": permissionName(g.role), "role_name": g.name, "user": c.collaboratorJSON(a, g)})
}

// listCollaborators lists direct collaborators, with ?permission= as a lower bound.
func listCollaborators(c *call) reply {
	want := c.query.Get("permission")
	var ids []int64
	for _, id := range slices.Sorted(maps.Keys(c.repo.roles)) {
		may, known := c.collaboratorJSON(c.accounts[id], c.repo.roles[id])["permissions"].(obj)[want].(bool)
		if want == "" || (known && may) {
			ids = append(ids, id)
		}
	}
	return paged(c, ids, func(id int64) obj { return c.collaboratorJSON(c.accounts[id], c.repo.roles[id]) })
}
