package github_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

const mainRef = "refs/heads/main"

type rule = map[string]any

// full is a ruleset that protects a branch in every way that is judged.
func full(actors ...rule) githubtest.Ruleset {
	return githubtest.Ruleset{
		Name: "full", Target: "branch", Enforcement: "active", Include: []string{mainRef}, BypassActors: actors,
		Rules: []rule{
			{"type": "deletion"}, {"type": "non_fast_forward"},
			{"type": "pull_request", "parameters": rule{
				"required_approving_review_count": 2, "dismiss_stale_reviews_on_push": true, "require_code_owner_review": false,
				"require_last_push_approval": false, "required_review_thread_resolution": false,
			}},
		},
	}
}

// showBypass makes GitHub show a ruleset's bypass list. It shows it to who may write
// rulesets, a right that the gate never asks for, and on some older servers to everybody.
func showBypass(w *team, id int64, actors []rule) {
	w.t.Helper()
	if actors == nil {
		actors = []rule{}
	}
	body, err := json.Marshal(rule{"id": id, "name": "full", "target": "branch", "enforcement": "active", "bypass_actors": actors})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.Fail(forgetest.Fault{Path: fmt.Sprintf("/rulesets/%d", id), Status: 200, Body: string(body)}))
}

// bothWays reads the rules in force by GraphQL, and by REST where GraphQL refuses them.
func bothWays(t *testing.T, each func(t *testing.T, o githubtest.Options)) {
	t.Helper()
	t.Run("by GraphQL", func(t *testing.T) { each(t, githubtest.Options{}) })
	t.Run("by REST", func(t *testing.T) {
		each(t, githubtest.Options{Switches: githubtest.Switches{NoRulesByGraphQL: true}})
	})
}

func TestProtection(t *testing.T) { bothWays(t, protections) }

func protections(t *testing.T, o githubtest.Options) {
	t.Helper()
	classic := forgetest.Protection{Ref: mainRef, Reviews: 1}
	exempt := forgetest.Protection{Ref: mainRef, Reviews: 1, AdminsExempt: true}
	for _, row := range []struct {
		name    string
		classic *forgetest.Protection
		sets    []githubtest.Ruleset
		reviews int
		force   bool
		deletes bool
		admins  string // "bound", "exempt" or "" for the forge's own "no such exemption"
		rules   []string
	}{
		{"classic", &classic, nil, 1, false, false, "bound", []string{"deletion", "non_fast_forward", "pull_request"}},
		{"classic that exempts administrators (attack 29)", &exempt, nil, 1, false, false, "exempt", nil},
		{"rulesets alone, their bypass list hidden", nil, []githubtest.Ruleset{full()}, 2, false, false, "", []string{"deletion", "non_fast_forward", "pull_request"}},
		{"both: the stricter of each", &classic, []githubtest.Ruleset{full()}, 2, false, false, "", nil},
		{"classic exempts administrators from what a ruleset demands anyway", &exempt, []githubtest.Ruleset{full()}, 2, false, false, "", nil},
		{
			"classic exempts administrators from what no ruleset demands", &exempt,
			[]githubtest.Ruleset{{Name: "thin", Target: "branch", Enforcement: "active", Include: []string{mainRef}, Rules: []rule{{"type": "deletion"}}}},
			1, false, false, "exempt", nil,
		},
		{
			"a rule of a type not known here is named", nil,
			[]githubtest.Ruleset{{Name: "new", Target: "branch", Enforcement: "active", Include: []string{"~DEFAULT_BRANCH"}, Rules: []rule{
				{"type": "copilot_code_review", "parameters": rule{"review_on_push": true}}, {"type": "non_fast_forward"},
			}}},
			0, false, true, "", []string{"copilot_code_review", "non_fast_forward"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, o)
			if row.classic != nil {
				w.Protect(w.repo, *row.classic)
			}
			for _, set := range row.sets {
				w.AddRuleset(w.repo, set)
			}
			p := w.protection()
			if n := known(t, "reviews", p.Reviews); n != row.reviews {
				t.Errorf("reviews: got %d, want %d", n, row.reviews)
			}
			if known(t, "force pushes", p.ForcePush) != row.force || known(t, "deletion", p.Deletion) != row.deletes {
				t.Errorf("force pushes and deletion: got %+v, %+v", p.ForcePush, p.Deletion)
			}
			switch bound, ok := p.AdminsEnforced.Get(); {
			case row.admins == "" && !p.AdminsEnforced.IsAbsent():
				t.Errorf("administrators: expected no exemption, got known=%t %t %s", ok, bound, p.AdminsEnforced.Why())
			case row.admins != "" && (!ok || bound != (row.admins == "bound")):
				t.Errorf("administrators: got known=%t %t, want %s", ok, bound, row.admins)
			}
			if row.rules != nil && !slices.Equal(p.Rules, row.rules) {
				t.Errorf("rules: got %v, want %v", p.Rules, row.rules)
			}
		})
	}
}

func TestBypass(t *testing.T) { bothWays(t, bypasses) }

func bypasses(t *testing.T, o githubtest.Options) {
	t.Helper()
	for _, row := range []struct {
		name   string
		shown  bool
		actors []rule
		bypass []string // nil: unknown
		push   string
		admins any
	}{
		{"hidden without the right to write rulesets (attack 28)", false, nil, nil, "", nil},
		{"empty", true, nil, []string{}, "nobody", true},
		{
			"an app", true, []rule{{"actor_id": 7, "actor_type": "Integration", "bypass_mode": "always"}},
			[]string{"Integration 7"}, "Integration 7", true,
		},
		{
			"administrators", true, []rule{{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}},
			[]string{"administrators"}, "administrators", false,
		},
		{
			"the organisation's administrators", true, []rule{{"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "pull_request"}},
			[]string{"OrganizationAdmin 1 (in pull requests)"}, "nobody", false,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, o)
			id := w.AddRuleset(w.repo, full(row.actors...))
			if row.shown {
				showBypass(w, id, row.actors)
			}
			p := w.protection()
			if row.bypass == nil {
				if !p.Bypass.IsUnknown() || p.Bypass.Why() == "" || !p.Push.IsUnknown() {
					t.Errorf("bypass: expected unknown with a reason, got %+v", p.Bypass)
				}
				return
			}
			if got := known(t, "bypass", p.Bypass); !slices.Equal(got, row.bypass) || known(t, "push", p.Push)[0] != row.push {
				t.Errorf("bypass: got %v, push %+v; want %v and %s", got, p.Push, row.bypass, row.push)
			}
			if bound := known(t, "administrators", p.AdminsEnforced); bound != row.admins {
				t.Errorf("administrators bound: got %t, want %v", bound, row.admins)
			}
		})
	}
}

func TestProtectionAbsentAndUnknown(t *testing.T) { bothWays(t, protectionsAbsentAndUnknown) }

func protectionsAbsentAndUnknown(t *testing.T, o githubtest.Options) {
	t.Helper()
	t.Run("a ruleset that only evaluates protects nothing (attack 30)", func(t *testing.T) {
		w := newTeam(t, o)
		w.Protect(w.repo, forgetest.Protection{Ref: mainRef, Reviews: 1, Ruleset: true, Evaluate: true})
		if f := known(t, "branch", w.evidence().Branch).Protection; !f.IsAbsent() {
			t.Errorf("protection: expected absent, got %+v", f)
		}
	})
	t.Run("without the right to see classic protection nothing is known", func(t *testing.T) {
		p := githubtest.DefaultPermissions()
		delete(p, "administration")
		w := newTeam(t, githubtest.Options{Permissions: p, Switches: o.Switches})
		w.AddRuleset(w.repo, full())
		if f := known(t, "branch", w.evidence().Branch).Protection; !f.IsUnknown() {
			t.Errorf("protection: expected unknown, got %+v", f)
		}
	})
	t.Run("a plan without protection is not the same as no protection", func(t *testing.T) {
		w := newTeam(t, o)
		defer w.Fail(forgetest.Fault{
			Path: "/branches/main/protection", Status: 403,
			Body: `{"message":"Upgrade to GitHub Pro or make this repository public to enable this feature."}`,
		})()
		if f := known(t, "branch", w.evidence().Branch).Protection; !f.IsUnknown() {
			t.Errorf("protection: expected unknown, got %+v", f)
		}
	})
	t.Run("a 404 that does not say Branch not protected is no answer", func(t *testing.T) {
		w := newTeam(t, o)
		defer w.Fail(forgetest.Fault{Path: "/branches/main/protection", Status: 404})()
		if f := known(t, "branch", w.evidence().Branch).Protection; !f.IsUnknown() {
			t.Errorf("protection: expected unknown, got %+v", f)
		}
	})
}

func TestTagRulesets(t *testing.T) {
	tagSet := func(enforcement string, include, exclude []string, types ...string) githubtest.Ruleset {
		set := githubtest.Ruleset{Name: "tags", Target: "tag", Enforcement: enforcement, Include: include, Exclude: exclude}
		for _, name := range types {
			set.Rules = append(set.Rules, rule{"type": name})
		}
		return set
	}
	for _, row := range []struct {
		name string
		set  githubtest.Ruleset
		want string // "moves", "fixed" or "" for absent
	}{
		{"all tags", tagSet("active", []string{"~ALL"}, nil, "update", "deletion"), "fixed"},
		{"a pattern", tagSet("active", []string{"refs/tags/v*"}, nil, "update"), "fixed"},
		{"a pattern that stops at slashes", tagSet("active", []string{"refs/*"}, nil, "update"), ""},
		{"a pattern across slashes", tagSet("active", []string{"refs/**/*"}, nil, "update"), "fixed"},
		{"excluded", tagSet("active", []string{"~ALL"}, []string{"refs/tags/v1*"}, "update"), ""},
		{"disabled", tagSet("disabled", []string{"~ALL"}, nil, "update"), ""},
		{"evaluating", tagSet("evaluate", []string{"~ALL"}, nil, "update"), ""},
		{"only its creation", tagSet("active", []string{"~ALL"}, nil, "creation"), "moves"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.AddRuleset(w.repo, row.set)
			w.Push(w.repo, w.ana, "refs/tags/v1.0.0", w.root)
			f := w.evidenceFor("refs/tags/v1.0.0").TagProtection
			p, ok := f.Get()
			if !ok {
				if row.want != "" || !f.IsAbsent() {
					t.Errorf("tag protection: got unknown=%t %s, want %q", f.IsUnknown(), f.Why(), row.want)
				}
				return
			}
			if moves := known(t, "moves", p.ForcePush); moves != (row.want == "moves") {
				t.Errorf("moves: got %t, want %q", moves, row.want)
			}
		})
	}
}

func TestAdminsUnreadIsNotAbsent(t *testing.T) { bothWays(t, adminsUnread) }

func adminsUnread(t *testing.T, o githubtest.Options) {
	t.Helper()
	w := newTeam(t, o)
	id := w.AddRuleset(w.repo, full())
	if o.Switches.NoRulesByGraphQL { // else what REST hid once counts as hidden for an hour
		w.evidence()
	}
	defer w.Fail(forgetest.Fault{Path: "/rulesets/", Status: 500})()
	p := w.protection()
	if !p.AdminsEnforced.IsUnknown() || !p.Bypass.IsUnknown() {
		t.Errorf("ruleset %d unread: got administrators %+v, bypass %+v, want unknown", id, p.AdminsEnforced, p.Bypass)
	}
}
