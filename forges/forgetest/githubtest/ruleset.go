package githubtest

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// Ruleset is one ruleset that reaches a repository.
type Ruleset struct {
	Name string
	// Target is "branch" or "tag".
	Target string
	// Enforcement is "active", "evaluate" or "disabled".
	Enforcement string
	// Organization marks a ruleset of the owner, read with includes_parents.
	Organization bool
	// Include and Exclude are full refs, patterns of them, "~ALL" or "~DEFAULT_BRANCH".
	Include, Exclude []string
	// Rules are {"type": ..., "parameters": ...} as the API gives them.
	Rules []map[string]any
	// BypassActors are {"actor_id": ..., "actor_type": ..., "bypass_mode": ...}.
	BypassActors []map[string]any
}

type ruleset struct {
	id      int64
	created time.Time
	Ruleset
}

// AddRuleset adds a ruleset of any content and returns its number.
func (s *Server) AddRuleset(repo forgetest.Repository, x Ruleset) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRuleset(s.repository(repo), x)
}

func (s *Server) addRuleset(r *repository, x Ruleset) int64 {
	rs := &ruleset{id: s.next("ruleset"), created: s.now(), Ruleset: x}
	r.rulesets = append(r.rulesets, rs)
	s.emit(r, "repository_ruleset", "created", s.accounts[r.owner], obj{"repository_ruleset": s.rulesetJSON(r, rs, true)})
	return rs.id
}

func rulesetName(ref string) string { return "protect " + ref }

// rulesetOf says a neutral protection as a ruleset.
func rulesetOf(p forgetest.Protection) Ruleset {
	x := Ruleset{Name: rulesetName(p.Ref), Target: "branch", Enforcement: "active", Include: []string{p.Ref}}
	if strings.HasPrefix(p.Ref, "refs/tags/") {
		x.Target = "tag"
		if !p.AllowForcePush {
			x.Rules = append(x.Rules, map[string]any{"type": "update"})
		}
	}
	if p.Evaluate {
		x.Enforcement = "evaluate"
	}
	if !p.AllowDeletion {
		x.Rules = append(x.Rules, map[string]any{"type": "deletion"})
	}
	if !p.AllowForcePush {
		x.Rules = append(x.Rules, map[string]any{"type": "non_fast_forward"})
	}
	if p.Reviews > 0 {
		x.Rules = append(x.Rules, map[string]any{"type": "pull_request", "parameters": map[string]any{
			"required_approving_review_count": p.Reviews, "dismiss_stale_reviews_on_push": true,
			"require_code_owner_review": false, "require_last_push_approval": false,
			"required_review_thread_resolution": false, "allowed_merge_methods": []string{"merge", "squash", "rebase"},
		}})
	}
	if p.AdminsExempt {
		x.BypassActors = []map[string]any{{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}}
	}
	return x
}

// covers reports whether the ruleset's conditions match a full ref.
func (x Ruleset) covers(r *repository, ref string) bool {
	target := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		target = "tag"
	}
	match := func(pattern string) bool {
		return pattern == "~ALL" || (pattern == "~DEFAULT_BRANCH" && ref == "refs/heads/"+r.branch) || matches(pattern, ref)
	}
	return x.Target == target && slices.ContainsFunc(x.Include, match) && !slices.ContainsFunc(x.Exclude, match)
}

// rulesetSource is where the ruleset lives, for its fields source and source_type.
func (s *Server) rulesetSource(r *repository, x *ruleset) (kind, name string) {
	if x.Organization {
		return "Organization", s.accounts[r.owner].login
	}
	return "Repository", s.fullName(r)
}

// branchRules lists the rules in force on a branch, which need not exist; rulesets
// that evaluate or are disabled do not count (API description).
func branchRules(c *call) reply {
	var rules []obj
	for _, x := range c.repo.rulesets {
		if x.Enforcement != "active" || !x.covers(c.repo, "refs/heads/"+c.params["branch"]) {
			continue
		}
		kind, name := c.rulesetSource(c.repo, x)
		for _, rule := range x.Rules {
			row := obj{"ruleset_source_type": kind, "ruleset_source": name, "ruleset_id": x.id}
			for k, v := range rule {
				row[k] = v
			}
			rules = append(rules, row)
		}
	}
	return paged(c, rules, func(o obj) obj { return o })
}

// listRulesets gives headers only: no rules, conditions or bypass actors.
func listRulesets(c *call) reply {
	targets := strings.Split(c.query.Get("targets"), ",")
	var all []*ruleset
	for _, x := range c.repo.rulesets {
		if c.query.Get("targets") != "" && !slices.Contains(targets, x.Target) {
			continue
		}
		if c.query.Get("includes_parents") == "false" && x.Organization {
			continue
		}
		all = append(all, x)
	}
	return paged(c, all, func(x *ruleset) obj {
		out := c.rulesetJSON(c.repo, x, false)
		delete(out, "rules")
		delete(out, "conditions")
		return out
	})
}

// getRuleset leaves bypass_actors out unless the App may write rulesets, for which it
// needs administration:write (API description of "Get a repository ruleset").
func getRuleset(c *call) reply {
	for _, x := range c.repo.rulesets {
		if x.id == c.number("ruleset_id") && (!x.Organization || c.query.Get("includes_parents") != "false") {
			return ok(c.rulesetJSON(c.repo, x, c.token.permissions["administration"] == "write"))
		}
	}
	return notFound()
}

// rulesetJSON is `components.schemas.repository-ruleset`.
func (s *Server) rulesetJSON(r *repository, x *ruleset, writer bool) obj {
	kind, name := s.rulesetSource(r, x)
	self := s.repoAPI(r, "/rulesets/%d", x.id)
	if x.Organization {
		self = s.api("/orgs/%s/rulesets/%d", s.accounts[r.owner].login, x.id)
	}
	out := obj{
		"id": x.id, "name": x.Name, "target": x.Target, "source_type": kind, "source": name, "enforcement": x.Enforcement,
		"node_id": nodeID("RRS", x.id), "created_at": stamp(x.created), "updated_at": stamp(x.created),
		"current_user_can_bypass": "never",
		"_links":                  obj{"self": obj{"href": self}, "html": obj{"href": s.repoWeb(r, "/rules/%d", x.id)}},
		"rules":                   orEmpty(x.Rules),
		"conditions":              obj{"ref_name": obj{"include": orEmpty(x.Include), "exclude": orEmpty(x.Exclude)}},
	}
	if writer {
		out["bypass_actors"] = orEmpty(x.BypassActors)
	}
	return out
}

// orEmpty keeps an empty list from becoming null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
