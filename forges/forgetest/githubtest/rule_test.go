package githubtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func TestClassicProtection(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	res, body := w.raw("GET", "/repos/acme/widget/branches/main/protection", "")
	if res.StatusCode != 404 || !strings.Contains(body, "Branch not protected") {
		t.Errorf("none: got %d %s", res.StatusCode, body)
	}
	if res, body := w.raw("GET", "/repos/acme/widget/branches/nothing/protection", ""); res.StatusCode != 404 || !strings.Contains(body, "Branch not found") {
		t.Errorf("no branch: got %d %s", res.StatusCode, body)
	}
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 2, AdminsExempt: true, AllowForcePush: true})
	got := must[*github.Protection](t)(w.client.Repositories.GetBranchProtection(t.Context(), "acme", "widget", "main"))
	if got.GetRequiredPullRequestReviews().RequiredApprovingReviewCount != 2 || got.GetEnforceAdmins().Enabled ||
		!got.GetAllowForcePushes().Enabled || got.GetAllowDeletions().Enabled {
		t.Errorf("classic: got %+v", got)
	}
	w.push(w.ana, "release/1", "a")
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/release/*"})
	pattern := must[*github.Protection](t)(w.client.Repositories.GetBranchProtection(t.Context(), "acme", "widget", "release/1"))
	if pattern.RequiredPullRequestReviews != nil || !pattern.GetEnforceAdmins().Enabled {
		t.Errorf("by pattern: got %+v", pattern)
	}
	if got := w.branches("?protected=true"); !cmp.Equal(got, []string{"main", "release/1"}) {
		t.Errorf("protected branches: got %v", got)
	}
	w.Unprotect(w.repo, "refs/heads/main")
	if got := w.branches("?protected=false"); !cmp.Equal(got, []string{"main"}) {
		t.Errorf("unprotected branches: got %v", got)
	}
}

func (w *team) branches(query string) (out []string) {
	w.t.Helper()
	for _, b := range get[[]struct{ Name string }](w, "/repos/acme/widget/branches"+query) {
		out = append(out, b.Name)
	}
	return out
}

// rules lists the kinds of rules in force on a branch.
func (w *team) rules(branch string) (out []string) {
	w.t.Helper()
	for _, r := range get[[]struct {
		Type, RulesetSource string
	}](w, "/repos/acme/widget/rules/branches/"+branch) {
		out = append(out, r.Type)
	}
	return out
}

func TestRulesets(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1, Ruleset: true, Evaluate: true})
	if got := w.rules("main"); got != nil || len(w.branches("?protected=true")) != 0 {
		t.Errorf("a ruleset that only evaluates: got %v", got)
	}
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1, Ruleset: true, AdminsExempt: true})
	if got := w.rules("main"); !cmp.Equal(got, []string{"deletion", "non_fast_forward", "pull_request"}) {
		t.Errorf("active: got %v", got)
	}
	if got := w.rules("other"); got != nil {
		t.Errorf("another branch: got %v", got)
	}
	if res, _ := w.raw("GET", "/repos/acme/widget/branches/main/protection", ""); res.StatusCode != 404 {
		t.Errorf("classic beside a ruleset: got %d, want 404", res.StatusCode)
	}
	org := w.AddRuleset(w.repo, githubtest.Ruleset{
		Name: "org", Target: "branch", Enforcement: "active", Organization: true, Include: []string{"~ALL"},
		Exclude: []string{"refs/heads/free/*"}, Rules: []map[string]any{{"type": "copilot_code_review", "parameters": map[string]any{"review_on_push": true}}},
	})
	if got := w.rules("any"); !cmp.Equal(got, []string{"copilot_code_review"}) {
		t.Errorf("the organisation's, which go-github cannot decode: got %v", got)
	}
	if got := w.rules("free/x"); got != nil {
		t.Errorf("excluded: got %v", got)
	}
	if got := get[[]any](w, "/repos/acme/widget/rulesets?includes_parents=false"); len(got) != 1 {
		t.Errorf("without parents: got %d, want 1", len(got))
	}
	if res, _ := w.raw("GET", fmt.Sprintf("/repos/acme/widget/rulesets/%d?includes_parents=false", org), ""); res.StatusCode != 404 {
		t.Errorf("a parent's, without parents: got %d, want 404", res.StatusCode)
	}
}

func TestTagsAreProtectedByRulesets(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Ruleset: true})
	list := get[[]struct {
		ID     int64
		Target string
		Rules  []any
	}](w, "/repos/acme/widget/rulesets?targets=tag&includes_parents=true")
	if len(list) != 1 || list[0].Target != "tag" || list[0].Rules != nil {
		t.Fatalf("list: got %+v", list)
	}
	one := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/rulesets/%d", list[0].ID))
	if _, told := one["bypass_actors"]; told || at(one, "conditions", "ref_name", "include", 0) != "refs/tags/v*" {
		t.Errorf("one, to a reader: got %v", one)
	}
	w.SetPermissions(map[string]string{"metadata": "read", "administration": "write"})
	w.token = w.InstallationToken(w.repo)
	one = get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/rulesets/%d", list[0].ID))
	if _, told := one["bypass_actors"]; !told {
		t.Error("one, to a writer: expected bypass_actors")
	}
	w.Unprotect(w.repo, "refs/tags/v*")
	if got := get[[]any](w, "/repos/acme/widget/rulesets?targets=tag"); len(got) != 0 {
		t.Errorf("taken off: got %v", got)
	}
}
