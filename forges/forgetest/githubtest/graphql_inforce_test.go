package githubtest_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

const inForceQuery = `query { repository(owner: "acme", name: "widget") { ref(qualifiedName: "refs/heads/main") { rules(first: 10) {
  totalCount nodes { type parameters { ... on PullRequestParameters { requiredApprovingReviewCount } }
    repositoryRuleset { databaseId name target enforcement bypassActors(first: 10) { totalCount nodes {
      bypassMode deployKey enterpriseOwner organizationAdmin repositoryRoleDatabaseId
      actor { __typename ... on App { databaseId } ... on Team { databaseId } }
    } } } }
} } } }`

// The rules in force are what REST lists, and the bypass list is for who may write rulesets.
func TestRulesInForceByGraphQL(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	set := githubtest.Ruleset{
		Name: "full", Target: "branch", Enforcement: "active", Include: []string{"~DEFAULT_BRANCH"},
		Rules: []map[string]any{
			{"type": "deletion"}, {"type": "pull_request", "parameters": map[string]any{"required_approving_review_count": 2}},
		},
		BypassActors: []map[string]any{
			{"actor_id": 7, "actor_type": "Integration", "bypass_mode": "always"}, {"actor_id": 8, "actor_type": "Team", "bypass_mode": "pull_request"},
			{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}, {"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"},
			{"actor_id": nil, "actor_type": "DeployKey", "bypass_mode": "always"}, {"actor_id": nil, "actor_type": "EnterpriseOwner", "bypass_mode": "always"},
		},
	}
	w.AddRuleset(w.repo, set)
	set.Enforcement = "evaluate"
	w.AddRuleset(w.repo, set)
	inForce := func() any {
		t.Helper()
		data, errors := w.query(inForceQuery, nil)
		if errors != nil {
			t.Fatal(errors)
		}
		return at(data, "repository", "ref", "rules")
	}
	rules := inForce()
	if at(rules, "totalCount") != 2.0 || at(rules, "nodes", 0, "type") != "DELETION" || at(rules, "nodes", 0, "parameters") != nil ||
		at(rules, "nodes", 1, "parameters", "requiredApprovingReviewCount") != 2.0 ||
		at(rules, "nodes", 1, "repositoryRuleset", "enforcement") != "ACTIVE" || at(rules, "nodes", 1, "repositoryRuleset", "bypassActors") != nil {
		t.Errorf("to a reader: got %v", rules)
	}
	w.SetPermissions(map[string]string{"metadata": "read", "contents": "read", "administration": "write"})
	w.client = w.as(w.InstallationToken(w.repo))
	actors := at(inForce(), "nodes", 0, "repositoryRuleset", "bypassActors")
	for i, want := range []string{"App 7", "Team 8", "role 5", "organizationAdmin", "deployKey", "enterpriseOwner"} {
		if got := shownActor(at(actors, "nodes", i)); got != want {
			t.Errorf("actor %d: got %s, want %s", i, got, want)
		}
	}
}

func shownActor(of any) string {
	for _, flag := range []string{"organizationAdmin", "deployKey", "enterpriseOwner"} {
		if at(of, flag) == true {
			return flag
		}
	}
	if role := at(of, "repositoryRoleDatabaseId"); role != nil {
		return fmt.Sprint("role ", role)
	}
	return fmt.Sprint(at(of, "actor", "__typename"), " ", at(of, "actor", "databaseId"))
}

func TestRulesThatGraphQLRefuses(t *testing.T) {
	for name, w := range map[string]*team{
		"to Apps":                  newTeam(t, githubtest.Options{Switches: githubtest.Switches{NoRulesByGraphQL: true}}),
		"of a type without a word": newTeam(t, githubtest.Options{}),
	} {
		w.AddRuleset(w.repo, githubtest.Ruleset{
			Name: "new", Target: "branch", Enforcement: "active", Include: []string{"~ALL"}, Rules: []map[string]any{{"type": "copilot_code_review"}},
		})
		if data, errors := w.query(inForceQuery, nil); len(errors) != 1 {
			t.Errorf("%s: got %v, %v, want an error", name, data, errors)
		}
	}
}
