package githubtest

import "strings"

// inForce is one rule of an active ruleset that applies to a ref.
type inForce struct {
	set  *ruleset
	rule map[string]any
}

// bypasser is one actor on a ruleset's bypass list, as REST has it.
type bypasser struct {
	id         int64
	kind, mode string
}

// rulesInForce are the rules of active rulesets that apply to a ref (schema, Ref.rules). See
// Switches for Apps that may not ask.
func rulesInForce(c *call, x refNode, args map[string]any) any {
	if c.opts.Switches.NoRulesByGraphQL {
		return fieldError{"FORBIDDEN", "Resource not accessible by integration"}
	}
	var all []any
	for _, set := range x.repo.rulesets {
		if set.Enforcement != "active" || !set.covers(x.repo, x.ref) {
			continue
		}
		for _, rule := range set.Rules {
			all = append(all, node{"RepositoryRule", inForce{set, rule}})
		}
	}
	return connect("RepositoryRuleConnection", "rules", all, args)
}

// kind is the rule's type in GraphQL's words. One that they have no word for is an error,
// as any value outside of an enumeration is.
func (x inForce) kind(c *call) any {
	name, _ := x.rule["type"].(string)
	word := strings.ToUpper(name)
	for _, known := range c.graph.schema.Types["RepositoryRuleType"].EnumValues {
		if known.Name == word {
			return word
		}
	}
	return fieldError{"INTERNAL", "`RepositoryRule.type` returned a value that RepositoryRuleType does not have"}
}

// parameters are null for types that have none, or none that is served here.
func (x inForce) parameters() any {
	given, _ := x.rule["parameters"].(map[string]any)
	if x.rule["type"] != "pull_request" || given == nil {
		return nil
	}
	return node{"PullRequestParameters", given}
}

// bypass hides the list from who may not write rulesets, as REST does.
func (x *ruleset) bypass(c *call, args map[string]any) any {
	if c.token.permissions["administration"] != "write" {
		return nil
	}
	all := []any{}
	for _, a := range x.BypassActors {
		id, _ := number(a["actor_id"])
		kind, _ := a["actor_type"].(string)
		mode, _ := a["bypass_mode"].(string)
		all = append(all, node{"RepositoryRulesetBypassActor", bypasser{int64(id), kind, strings.ToUpper(mode)}})
	}
	return connect("RepositoryRulesetBypassActorConnection", "bypassActors", all, args)
}

func (b bypasser) actor() any {
	switch b.kind {
	case "Integration":
		return node{"App", b.id}
	case "Team":
		return node{"Team", &team{id: b.id}}
	}
	return nil
}

func (b bypasser) role() any {
	if b.kind != "RepositoryRole" {
		return nil
	}
	return b.id
}

func inForceFields() map[string]resolver {
	out := map[string]resolver{
		"Ref.rules":                      func(c *call, of any, args map[string]any) any { return rulesInForce(c, of.(refNode), args) },
		"RepositoryRule.id":              func(_ *call, of any, _ map[string]any) any { return nodeID("RRU", of.(inForce).set.id) },
		"RepositoryRule.type":            func(c *call, of any, _ map[string]any) any { return of.(inForce).kind(c) },
		"RepositoryRule.parameters":      func(_ *call, of any, _ map[string]any) any { return of.(inForce).parameters() },
		"RepositoryRuleset.bypassActors": func(c *call, of any, args map[string]any) any { return of.(*ruleset).bypass(c, args) },
		"RepositoryRule.repositoryRuleset": func(_ *call, of any, _ map[string]any) any {
			return node{"RepositoryRuleset", of.(inForce).set}
		},
	}
	for field, name := range map[string]string{
		"dismissStaleReviewsOnPush": "dismiss_stale_reviews_on_push", "requireCodeOwnerReview": "require_code_owner_review",
		"requireLastPushApproval": "require_last_push_approval", "requiredApprovingReviewCount": "required_approving_review_count",
		"requiredReviewThreadResolution": "required_review_thread_resolution",
	} {
		out["PullRequestParameters."+field] = func(_ *call, of any, _ map[string]any) any { return of.(map[string]any)[name] }
	}
	for field, f := range map[string]func(*ruleset) any{
		"createdAt":   func(x *ruleset) any { return stamp(x.created) },
		"databaseId":  func(x *ruleset) any { return x.id },
		"enforcement": func(x *ruleset) any { return strings.ToUpper(x.Enforcement) },
		"id":          func(x *ruleset) any { return nodeID("RRS", x.id) },
		"name":        func(x *ruleset) any { return x.Name },
		"target":      func(x *ruleset) any { return strings.ToUpper(x.Target) },
	} {
		out["RepositoryRuleset."+field] = func(_ *call, of any, _ map[string]any) any { return f(of.(*ruleset)) }
	}
	for field, f := range map[string]func(bypasser) any{
		"actor":                    bypasser.actor,
		"bypassMode":               func(b bypasser) any { return b.mode },
		"deployKey":                func(b bypasser) any { return b.kind == "DeployKey" },
		"enterpriseOwner":          func(b bypasser) any { return b.kind == "EnterpriseOwner" },
		"id":                       func(b bypasser) any { return nodeID("RBA", b.id) },
		"organizationAdmin":        func(b bypasser) any { return b.kind == "OrganizationAdmin" },
		"repositoryRoleDatabaseId": bypasser.role,
	} {
		out["RepositoryRulesetBypassActor."+field] = func(_ *call, of any, _ map[string]any) any { return f(of.(bypasser)) }
	}
	return out
}
