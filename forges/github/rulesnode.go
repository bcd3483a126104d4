package github

import (
	"encoding/json"
	"fmt"
	"strings"
)

// rulesFields asks for a rulesNode. GitHub charges for what could be listed: 30 rules are more
// than most branches have, and of longer lists REST tells all.
const rulesFields = `rules(first: 30) { totalCount nodes {
      type parameters { ... on PullRequestParameters { requiredApprovingReviewCount } }
      repositoryRuleset { databaseId enforcement bypassActors(first: 30) { totalCount nodes {
        bypassMode deployKey enterpriseOwner organizationAdmin repositoryRoleDatabaseId
        actor { __typename ... on App { databaseId } ... on Team { databaseId } }
      } } }
    } }`

// rulesNode is GraphQL's Ref.rules: the rules of active rulesets, the organisation's among
// them, that apply to a ref.
type rulesNode struct {
	TotalCount *int          `json:"totalCount"`
	Nodes      []inForceNode `json:"nodes"`
}

// inForceNode is GraphQL's type RepositoryRule, in part.
type inForceNode struct {
	Type       string `json:"type"`
	Parameters *struct {
		Reviews *int `json:"requiredApprovingReviewCount"`
	} `json:"parameters"`
	Ruleset *struct {
		DatabaseID  int64       `json:"databaseId"`
		Enforcement string      `json:"enforcement"`
		Bypass      *bypassNode `json:"bypassActors"`
	} `json:"repositoryRuleset"`
}

// bypassNode is GraphQL's type RepositoryRulesetBypassActorConnection, in part.
type bypassNode struct {
	TotalCount int            `json:"totalCount"`
	Nodes      []bypasserNode `json:"nodes"`
}

type bypasserNode struct {
	Mode            string `json:"bypassMode"`
	DeployKey       bool   `json:"deployKey"`
	EnterpriseOwner bool   `json:"enterpriseOwner"`
	Organization    bool   `json:"organizationAdmin"`
	Role            *int64 `json:"repositoryRoleDatabaseId"`
	Actor           *struct {
		Kind       string `json:"__typename"`
		DatabaseID int64  `json:"databaseId"`
	} `json:"actor"`
}

// rest is the actor as REST would show it, and whether GraphQL says who it is.
func (n bypasserNode) rest() (bypassActor, bool) {
	a := bypassActor{Mode: strings.ToLower(n.Mode)}
	named := func(kind string, id int64) (bypassActor, bool) {
		a.Type, a.ID = kind, &id
		return a, id > 0 && n.Mode != ""
	}
	switch {
	case n.Actor != nil && n.Actor.Kind == "App":
		return named("Integration", n.Actor.DatabaseID)
	case n.Actor != nil && n.Actor.Kind == "Team":
		return named("Team", n.Actor.DatabaseID)
	case n.Actor != nil:
		return a, false
	case n.Role != nil:
		return named("RepositoryRole", *n.Role)
	case n.Organization:
		return named("OrganizationAdmin", 1) // as REST numbers it
	case n.EnterpriseOwner:
		a.Type = "EnterpriseOwner"
	case n.DeployKey:
		a.Type = "DeployKey"
	}
	return a, a.Type != "" && n.Mode != ""
}

// rest is the list as REST would show it, and whether it can be told. What null and an empty
// list mean to who may not see the list GitHub does not say: REST, which leaves a hidden
// list away, has to tell.
func (n *bypassNode) rest() ([]bypassActor, bool) {
	if n == nil || len(n.Nodes) == 0 || n.TotalCount != len(n.Nodes) {
		return nil, false
	}
	actors := []bypassActor{}
	for _, x := range n.Nodes {
		a, ok := x.rest()
		if !ok {
			return nil, false
		}
		actors = append(actors, a)
	}
	return actors, true
}

// rest are the rules as REST would list them, with the bypass lists that GraphQL tells, by
// ruleset; and whether it told all of the rules. What is not in force is left out (attack 30).
func (n *rulesNode) rest() (rules []ruleJSON, bypass map[int64][]bypassActor, whole bool) {
	if n == nil || n.TotalCount == nil || *n.TotalCount != len(n.Nodes) {
		return nil, nil, false
	}
	bypass = map[int64][]bypassActor{}
	for _, x := range n.Nodes {
		if x.Type == "" || x.Ruleset == nil || x.Ruleset.DatabaseID <= 0 {
			return nil, nil, false
		}
		switch x.Ruleset.Enforcement {
		case "ACTIVE":
		case "EVALUATE", "DISABLED":
			continue
		default:
			return nil, nil, false
		}
		r := ruleJSON{Type: strings.ToLower(x.Type), RulesetID: x.Ruleset.DatabaseID}
		if r.Type == "pull_request" {
			if x.Parameters == nil || x.Parameters.Reviews == nil {
				return nil, nil, false
			}
			r.Parameters = json.RawMessage(fmt.Sprintf(`{"required_approving_review_count":%d}`, *x.Parameters.Reviews))
		}
		rules = append(rules, r)
		if list, told := x.Ruleset.Bypass.rest(); told {
			bypass[r.RulesetID] = list
		}
	}
	return rules, bypass, true
}
