package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/countersign/countersign/forges/forgetest"
)

// protection is one classic branch protection rule.
type protection struct {
	id      int64
	pattern string
	ClassicRule
}

// Protect sets a rule: classic protection for a branch, or a ruleset if asked.
// GitHub has no classic protection of tags any more, so a tag pattern always gets a
// ruleset (docs, "Managing rulesets"). A rule of the same ref is replaced.
func (s *Server) Protect(repo forgetest.Repository, p forgetest.Protection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	owner := s.accounts[r.owner]
	branch, isBranch := strings.CutPrefix(p.Ref, "refs/heads/")
	if isBranch && !p.Ruleset {
		action := "created"
		if r.protections[branch] != nil {
			action = "edited"
		}
		rule := &protection{id: s.next("protection"), pattern: branch, ClassicRule: ClassicRule{Protection: p}}
		r.protections[branch] = rule
		s.emit(r, "branch_protection_rule", action, owner, obj{"rule": s.protectionEvent(r, rule)})
		return
	}
	if !isBranch && !strings.HasPrefix(p.Ref, "refs/tags/") {
		panic(fmt.Sprintf("protect %q: expected refs/heads/... or refs/tags/...", p.Ref))
	}
	r.rulesets = slices.DeleteFunc(r.rulesets, func(x *ruleset) bool { return x.Name == rulesetName(p.Ref) })
	s.addRuleset(r, rulesetOf(p))
}

// Unprotect takes off the classic rule and the rulesets of ref.
func (s *Server) Unprotect(repo forgetest.Repository, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	owner := s.accounts[r.owner]
	name := strings.TrimPrefix(ref, "refs/heads/")
	if rule := r.protections[name]; rule != nil {
		delete(r.protections, name)
		s.emit(r, "branch_protection_rule", "deleted", owner, obj{"rule": s.protectionEvent(r, rule)})
	}
	for _, x := range slices.Clone(r.rulesets) {
		if slices.Contains(x.Include, ref) {
			r.rulesets = slices.DeleteFunc(r.rulesets, func(y *ruleset) bool { return x == y })
			s.emit(r, "repository_ruleset", "deleted", owner, obj{"repository_ruleset": s.rulesetJSON(r, x, true)})
		}
	}
}

// matches is fnmatch with FNM_PATHNAME, as GitHub matches branch patterns (docs,
// "Managing a branch protection rule").
func matches(pattern, name string) bool {
	hit, err := doublestar.Match(pattern, name)
	return err == nil && hit
}

// classic finds the rule that applies to a branch: an exact name before patterns.
func (r *repository) classic(branch string) *protection {
	if rule := r.protections[branch]; rule != nil {
		return rule
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.protections)) {
		if matches(pattern, branch) {
			return r.protections[pattern]
		}
	}
	return nil
}

func getProtection(c *call) reply {
	branch := c.params["branch"]
	if c.repo.refs["refs/heads/"+branch] == "" {
		return problem(http.StatusNotFound, "Branch not found")
	}
	rule := c.repo.classic(branch)
	if rule == nil {
		return problem(http.StatusNotFound, "Branch not protected")
	}
	return ok(c.protectionJSON(branch, rule))
}

// protectionJSON is `components.schemas.branch-protection`. An absent
// required_pull_request_reviews means that none is required.
func (c *call) protectionJSON(branch string, rule *protection) obj {
	self := c.repoAPI(c.repo, "/branches/%s/protection", branch)
	out := obj{
		"url":            self,
		"enforce_admins": obj{"url": self + "/enforce_admins", "enabled": !rule.AdminsExempt},
		"required_signatures": obj{
			"url": self + "/required_signatures", "enabled": false,
		},
		"required_linear_history": obj{"enabled": false}, "allow_force_pushes": obj{"enabled": rule.AllowForcePush},
		"allow_deletions": obj{"enabled": rule.AllowDeletion}, "block_creations": obj{"enabled": false},
		"required_conversation_resolution": obj{"enabled": false}, "lock_branch": obj{"enabled": rule.Lock},
		"allow_fork_syncing": obj{"enabled": false},
	}
	if rule.pullRequests() {
		out["required_pull_request_reviews"] = obj{
			"url": self + "/required_pull_request_reviews", "dismiss_stale_reviews": true,
			"require_code_owner_reviews": false, "require_last_push_approval": false,
			"required_approving_review_count": rule.Reviews, "bypass_pull_request_allowances": c.allowedJSON(rule.Bypass),
		}
	}
	if rule.Pushers != nil {
		out["restrictions"] = c.allowedJSON(*rule.Pushers)
		for _, kind := range []string{"users", "teams", "apps"} {
			out["restrictions"].(obj)[kind+"_url"] = self + "/restrictions/" + kind
		}
		out["restrictions"].(obj)["url"] = self + "/restrictions"
	}
	return out
}

// protectionEvent is the rule of a branch_protection_rule payload.
func (s *Server) protectionEvent(r *repository, rule *protection) obj {
	return obj{
		"id": rule.id, "repository_id": r.id, "name": rule.pattern, "created_at": stamp(s.now()), "updated_at": stamp(s.now()),
		"pull_request_reviews_enforcement_level": level(rule.Reviews > 0), "required_approving_review_count": rule.Reviews,
		"dismiss_stale_reviews_on_push": true, "require_code_owner_review": false, "authorized_dismissal_actors_only": false,
		"ignore_approvals_from_contributors": false, "required_status_checks": []string{},
		"required_status_checks_enforcement_level": "off", "strict_required_status_checks_policy": false,
		"signature_requirement_enforcement_level": "off", "linear_history_requirement_enforcement_level": "off",
		"admin_enforced": !rule.AdminsExempt, "allow_force_pushes_enforcement_level": level(rule.AllowForcePush),
		"allow_deletions_enforcement_level": level(rule.AllowDeletion), "merge_queue_enforcement_level": "off",
		"required_deployments_enforcement_level": "off", "required_conversation_resolution_level": "off",
		"authorized_actors_only": false, "authorized_actor_names": []string{}, "lock_branch_enforcement_level": "off",
	}
}

func level(on bool) string {
	if on {
		return "everyone"
	}
	return "off"
}
