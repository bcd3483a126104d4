package github_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func isRules(path string) bool   { return strings.Contains(path, "/rules/branches/") }
func isRuleset(path string) bool { return strings.Contains(path, "/rulesets/") }

// inForce edits what GraphQL says of the rules in force.
func inForce(value any, path ...any) func(string, map[string]any) {
	return func(_ string, body map[string]any) {
		set(body, value, append([]any{"data", "repository", "ref", "rules"}, path...)...)
	}
}

// TestRulesThatGraphQLShowsInPart are rules of which GraphQL hides something: REST is asked,
// and says the same.
func TestRulesThatGraphQLShowsInPart(t *testing.T) {
	for name, edit := range map[string]func(string, map[string]any){
		"not at all":                     inForce(nil),
		"more than it lists":             inForce(40, "totalCount"),
		"no total":                       inForce(nil, "totalCount"),
		"no list":                        inForce(nil, "nodes"),
		"a rule that is hidden":          inForce(nil, "nodes", 1),
		"a rule without a type":          inForce("", "nodes", 0, "type"),
		"a rule of no ruleset":           inForce(nil, "nodes", 0, "repositoryRuleset"),
		"a ruleset without a number":     inForce(nil, "nodes", 0, "repositoryRuleset", "databaseId"),
		"in force in an unknown way":     inForce("SOMETIMES", "nodes", 0, "repositoryRuleset", "enforcement"),
		"pull requests without a number": inForce(nil, "nodes", 2, "parameters"),
		"an error, for rules and all":    func(_ string, body map[string]any) { body["errors"] = []any{map[string]any{"message": "no"}} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.AddRuleset(w.repo, full())
			asked := w.asks(isRules)
			whole := w.protection()
			if asked.Load() {
				t.Fatal("protection: expected GraphQL to tell all of the rules")
			}
			w.edited(func(path string, body map[string]any) {
				if get(body, "data", "repository", "ref", "rules") != nil {
					edit(path, body)
				}
			})
			inPart := w.protection()
			if !asked.Load() {
				t.Error("protection: expected REST to be asked")
			}
			if fmt.Sprint(inPart) != fmt.Sprint(whole) || known(t, "reviews", whole.Reviews) != 2 {
				t.Errorf("protection: got %+v by REST and %+v by GraphQL", inPart, whole)
			}
		})
	}
}

// Rules that only evaluate protect nothing, should GraphQL list them (attack 30).
func TestRulesThatGraphQLShowsAsEvaluating(t *testing.T) {
	for _, word := range []string{"EVALUATE", "DISABLED"} {
		w := newTeam(t, githubtest.Options{})
		w.AddRuleset(w.repo, full())
		w.edited(func(path string, body map[string]any) {
			for n := range 3 {
				inForce(word, "nodes", n, "repositoryRuleset", "enforcement")(path, body)
			}
		})
		if f := known(t, "branch", w.evidence().Branch).Protection; !f.IsAbsent() {
			t.Errorf("%s: expected no protection, got %+v", word, f)
		}
	}
}

// TestRefusedRulesAreRemembered holds that a GraphQL which does not show rules is asked for
// them once an hour.
func TestRefusedRulesAreRemembered(t *testing.T) {
	for name, refuse := range map[string]func(*team){
		"to Apps": func(*team) {},
		"of a type that it has no word for": func(w *team) {
			w.AddRuleset(w.repo, githubtest.Ruleset{
				Name: "new", Target: "branch", Enforcement: "active", Include: []string{mainRef}, Rules: []rule{{"type": "copilot_code_review"}},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{NoRulesByGraphQL: name == "to Apps"}})
			refuse(w)
			w.AddRuleset(w.repo, full())
			w.forge = connectAt(t, w.Server, func() time.Time { return now })
			var rest atomic.Int64
			w.Observe(func(githubtest.Exchange) { rest.Add(1) }) // which sees no queries
			queries := func() int {
				before := w.Requests() - int(rest.Load())
				if p := w.protection(); known(t, "reviews", p.Reviews) != 2 {
					t.Errorf("protection: got %+v", p)
				}
				return w.Requests() - int(rest.Load()) - before
			}
			first, next := queries(), queries()
			if first <= next {
				t.Errorf("queries: got %d and %d, want more for the first alone", first, next)
			}
			if now = now.Add(61 * time.Minute); queries() <= next {
				t.Error("after an hour: expected GraphQL to be asked for the rules again")
			}
		})
	}
}

// bypassShown is a list as GraphQL shows it to who may see it.
func bypassShown(nodes ...any) map[string]any {
	return map[string]any{"totalCount": len(nodes), "nodes": append([]any{}, nodes...)}
}

func bypasserShown(mode string, more rule) rule {
	out := rule{
		"bypassMode": mode, "deployKey": false, "enterpriseOwner": false, "organizationAdmin": false,
		"repositoryRoleDatabaseId": nil, "actor": nil,
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// TestBypassByGraphQL is the list of who may bypass a ruleset: GraphQL's words for its actors
// mean what REST's do.
func TestBypassByGraphQL(t *testing.T) {
	for name, row := range map[string]struct {
		shown rule
		rest  rule
	}{
		"an app": {
			bypasserShown("ALWAYS", rule{"actor": rule{"__typename": "App", "databaseId": 7}}),
			rule{"actor_id": 7, "actor_type": "Integration", "bypass_mode": "always"},
		},
		"a team, in pull requests": {
			bypasserShown("PULL_REQUEST", rule{"actor": rule{"__typename": "Team", "databaseId": 8}}),
			rule{"actor_id": 8, "actor_type": "Team", "bypass_mode": "pull_request"},
		},
		"administrators": {
			bypasserShown("ALWAYS", rule{"repositoryRoleDatabaseId": 5}),
			rule{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"},
		},
		"another role": {
			bypasserShown("ALWAYS", rule{"repositoryRoleDatabaseId": 4}),
			rule{"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"},
		},
		"the organisation's administrators": {
			bypasserShown("ALWAYS", rule{"organizationAdmin": true}),
			rule{"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"},
		},
		"the enterprise's owners": {
			bypasserShown("ALWAYS", rule{"enterpriseOwner": true}),
			rule{"actor_id": nil, "actor_type": "EnterpriseOwner", "bypass_mode": "always"},
		},
		"deploy keys": {
			bypasserShown("ALWAYS", rule{"deployKey": true}),
			rule{"actor_id": nil, "actor_type": "DeployKey", "bypass_mode": "always"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			id := w.AddRuleset(w.repo, full(row.rest))
			asked := w.asks(isRuleset)
			w.edited(func(path string, body map[string]any) {
				for n := range 3 {
					inForce(bypassShown(row.shown), "nodes", n, "repositoryRuleset", "bypassActors")(path, body)
				}
			})
			byGraphQL := w.protection()
			if asked.Load() {
				t.Error("bypass: expected GraphQL to tell it")
			}
			showBypass(w, id, []rule{row.rest})
			w.edited()
			byREST := w.protection()
			if fmt.Sprint(byGraphQL) != fmt.Sprint(byREST) || len(known(t, "bypass", byREST.Bypass)) != 1 {
				t.Errorf("protection: got %+v by GraphQL and %+v by REST", byGraphQL, byREST)
			}
		})
	}
}

// attack 28: what GraphQL does not show of a bypass list is not read as nobody. REST is
// asked, and once it hides the list it counts as hidden for an hour.
func TestBypassThatGraphQLDoesNotTell(t *testing.T) {
	for name, list := range map[string]any{
		"null":                          nil,
		"an empty list":                 bypassShown(),
		"more than it lists":            map[string]any{"totalCount": 2, "nodes": []any{bypasserShown("ALWAYS", rule{"deployKey": true})}},
		"an actor of no kind":           bypassShown(bypasserShown("ALWAYS", nil)),
		"an actor of a kind not known":  bypassShown(bypasserShown("ALWAYS", rule{"actor": rule{"__typename": "Robot"}})),
		"an actor without its way past": bypassShown(bypasserShown("", rule{"organizationAdmin": true})),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.AddRuleset(w.repo, full())
			w.edited(func(path string, body map[string]any) {
				for n := range 3 {
					inForce(list, "nodes", n, "repositoryRuleset", "bypassActors")(path, body)
				}
			})
			for _, want := range []bool{true, false} {
				asked := w.asks(isRuleset)
				p := w.protection()
				if !p.Bypass.IsUnknown() || !p.Push.IsUnknown() || !p.AdminsEnforced.IsAbsent() || asked.Load() != want {
					t.Errorf("bypass: got %+v, push %+v, administrators %+v, REST asked %t", p.Bypass, p.Push, p.AdminsEnforced, asked.Load())
				}
			}
		})
	}
}

// attack 63: deliveries take turns by the installation that GitHub signs with them.
func TestTenantOfADelivery(t *testing.T) {
	s := githubtest.New(githubtest.Options{Key: sharedKey()})
	t.Cleanup(s.Close)
	f := connect(t, s)
	forge := string(adaptertest.ForgeID)
	for body, want := range map[string]string{
		`{"installation":{"id":5},"repository":{"id":7}}`:  ":installation/5",
		`{"installation":{"id":-5},"repository":{"id":7}}`: ":7",
		`{"repository":{"id":7}}`:                          ":7",
		`{"installation":null}`:                            ":",
		`{}`:                                               ":",
	} {
		d, err := f.Prove(signed(body), []byte(body))
		if err != nil || d.Tenant != forge+want {
			t.Errorf("%s: got tenant %q, %v, want %q", body, d.Tenant, err, forge+want)
		}
	}
}

// attack 70: an answer that would take all the memory there is, decoded, is unread.
func TestAnswersThatHoldTooMuch(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.evidence() // with a token to ask with
	long := "[" + strings.Repeat("0,", 2*forges.MaxValues) + "0]"
	deep := strings.Repeat(`{"data":`, forges.MaxDepth+1) + "0" + strings.Repeat("}", forges.MaxDepth+1)
	for name, body := range map[string]string{"values": long, "levels": deep} {
		restore := w.Fail(forgetest.Fault{Status: 200, Body: body})
		e := w.evidence()
		restore()
		facts := []string{e.Repository.Why(), e.Ref.Why(), e.Branch.Why(), e.Changes.Why()}
		if e.Repository.IsKnown() || !slices.ContainsFunc(facts, func(s string) bool { return strings.Contains(s, "holds too much") }) {
			t.Errorf("%s: got %q, want the answer refused", name, facts)
		}
	}
	if !w.evidence().Repository.IsKnown() {
		t.Error("without the fault: expected the repository known")
	}
}
