package githubtest

import (
	"net/http"

	"github.com/countersign/countersign/forges/forgetest"
)

// SetImmutableReleases switches on or off that published releases stay as they are.
func (s *Server) SetImmutableReleases(repo forgetest.Repository, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repository(repo).immutable = on
}

// environmentJSON is `components.schemas.environment`.
func (c *call) environmentJSON(e *environment) obj {
	return obj{
		"id": e.id, "node_id": nodeID("EN", e.id), "name": e.name, "url": c.repoAPI(c.repo, "/environments/%s", e.name),
		"html_url":   c.repoWeb(c.repo, "/deployments/activity_log?environments_filter=%s", e.name),
		"created_at": stamp(e.made), "updated_at": stamp(e.made), "protection_rules": []obj{}, "deployment_branch_policy": nil,
	}
}

func listEnvironments(c *call) reply {
	return wrapped(c, "environments", c.repo.environments, c.environmentJSON)
}

func getEnvironment(c *call) reply {
	e := c.repo.environmentOf(c.params["environment_name"])
	if e == nil {
		return notFound()
	}
	return ok(c.environmentJSON(e))
}

// listProtectionRules lists `components.schemas.deployment-protection-rule`: the App's own.
func listProtectionRules(c *call) reply {
	e := c.repo.environmentOf(c.params["environment_name"])
	if e == nil {
		return notFound()
	}
	rules := []obj{}
	if e.guarded {
		rules = append(rules, obj{
			"id": e.rule, "node_id": nodeID("GA", e.rule), "enabled": true, "app": obj{
				"id": appID, "node_id": nodeID("A", appID), "slug": appSlug, "integration_url": c.api("/apps/%s", appSlug),
			},
		})
	}
	return ok(obj{"total_count": len(rules), "custom_deployment_protection_rules": rules})
}

// getImmutable is `components.schemas.check-immutable-releases`; 404 where they are off.
func getImmutable(c *call) reply {
	if !c.repo.immutable {
		return problem(http.StatusNotFound, "Not Found")
	}
	return ok(obj{"enabled": true, "enforced_by_owner": false})
}
