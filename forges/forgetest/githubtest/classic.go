package githubtest

import (
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// Allowed are the actors of one of a classic rule's lists: people, and teams and apps by
// their slugs.
type Allowed struct {
	People      []forgetest.Person
	Teams, Apps []string
}

// ClassicRule is a classic branch protection rule with what a neutral one cannot say.
type ClassicRule struct {
	forgetest.Protection
	// PullRequests asks for a pull request, if with no reviews; Reviews asks for it anyway.
	PullRequests bool
	// Pushers are who may push at all; everyone with write where nil.
	Pushers *Allowed
	// Bypass are who may push without the pull request.
	Bypass Allowed
	// Forcers are who may push by force although nobody else may.
	Forcers Allowed
	// Lock makes the branch read-only.
	Lock bool
}

// ProtectClassic sets a classic rule of any content on a branch.
func (s *Server) ProtectClassic(repo forgetest.Repository, rule ClassicRule) {
	s.Protect(repo, rule.Protection)
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.repository(repo).protections[strings.TrimPrefix(rule.Ref, "refs/heads/")]
	kept.ClassicRule = rule
}

func (r ClassicRule) pullRequests() bool { return r.PullRequests || r.Reviews > 0 }

// allowedJSON is a list of actors as REST gives it, in `protected-branch-pull-request-review`
// and `branch-restriction-policy`.
func (c *call) allowedJSON(a Allowed) obj {
	users, teams, apps := []obj{}, []obj{}, []obj{}
	for _, p := range a.People {
		users = append(users, c.userJSON(c.who(p)))
	}
	for _, slug := range a.Teams {
		teams = append(teams, c.teamJSON(c.teamOf(c.accounts[c.repo.owner], slug)))
	}
	for range a.Apps {
		apps = append(apps, c.appJSON())
	}
	return obj{"users": users, "teams": teams, "apps": apps}
}

// actors are the list's actors as GraphQL has them.
func (c *call) actors(r *repository, a Allowed) []any {
	var out []any
	for _, p := range a.People {
		out = append(out, node{"User", c.who(p)})
	}
	for _, slug := range a.Teams {
		out = append(out, node{"Team", c.teamOf(c.accounts[r.owner], slug)})
	}
	for range a.Apps {
		out = append(out, node{"App", nil})
	}
	return out
}
