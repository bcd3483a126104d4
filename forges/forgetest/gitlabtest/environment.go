package gitlabtest

import (
	"slices"

	"github.com/countersign/countersign/forges/forgetest"
)

// ProtectedEnvironment is one of a project's, on Premium (API docs: protected environments).
type ProtectedEnvironment struct {
	Name      string
	Deploy    []AccessLevel
	Approvals int // of each approval rule's; one rule of Maintainers where above zero
}

// ProtectEnvironment adds a protected environment, replacing one of the same name.
func (s *Server) ProtectEnvironment(r forgetest.Repository, e ProtectedEnvironment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	e.Deploy = s.numbered(e.Deploy)
	p.environments = append(slices.DeleteFunc(p.environments, func(old ProtectedEnvironment) bool { return old.Name == e.Name }), e)
}

func listProtectedEnvironments(c *call) (any, error) {
	if err := c.premiumOnly(); err != nil {
		return nil, err
	}
	return list(c.p.environments, func(e ProtectedEnvironment) obj {
		rules := []obj{}
		if e.Approvals > 0 {
			row := accessRow(AccessLevel{Level: levelMaintainer})
			row["required_approvals"], row["group_inheritance_type"] = e.Approvals, 0
			rules = append(rules, row)
		}
		return obj{
			"name": e.Name, "deploy_access_levels": accessRows(e.Deploy), "required_approval_count": 0, "approval_rules": rules,
		}
	}), nil
}
