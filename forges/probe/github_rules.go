package probe

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func githubRules() []Fact {
	return []Fact{
		{
			ID: "github.classic", Area: areaRules, Needs: NeedsRead, check: githubClassic,
			Assumes: "Classic protection is shown whole: whether force pushes are allowed, and administrators bound.",
			Used:    "the branch's protection", Follows: "protection stays unknown, and releases wait",
		},
		{
			ID: "github.classic-none", Area: areaRules, Needs: NeedsRead, check: githubUnprotected,
			Assumes: `A branch without classic protection is answered 404 "Branch not protected", and nothing else is.`,
			Used:    "telling no protection from a missing right",
			Follows: "branches that only rulesets protect stay unknown, and releases wait",
		},
		{
			ID: "github.branch-rules", Area: areaRules, Needs: NeedsRead, check: githubBranchRules,
			Assumes: "The rules in force for a branch are listed with the ruleset that each comes from.",
			Used:    "the branch's protection", Follows: "protection stays unknown, and releases wait",
		},
		{
			ID: "github.rules-at-once", Area: areaRules, Needs: NeedsRead, Copes: true, check: githubRulesAtOnce,
			Assumes: "GraphQL tells an App the rules in force for a branch, as many as REST does.", Used: "the branch's protection",
			Follows: "the gate asks REST for them: one more call for each reading",
		},
		{
			ID: "github.bypass-hidden", Area: areaRules, Needs: NeedsRead, Copes: true, check: githubBypass,
			Assumes: "Who may bypass a ruleset is hidden from an App that may not write rulesets.",
			Used:    "the branch's protection; a policy with bypass: deny",
			Follows: "the better for it: decisions can name who may bypass",
		},
		{
			ID: "github.tag-rulesets", Area: areaRules, Needs: NeedsRead, check: githubTagRules,
			Assumes: "Rulesets can be listed by target, those of the organisation with them.", Used: "the tag's protection",
			Follows: "tag protection stays unknown",
		},
		{
			ID: "github.escaped-branch", Area: areaRules, Needs: NeedsRead, check: githubEscaped,
			Assumes: "A slash in a branch's name may be escaped in a path.", Used: "branches such as release/1",
			Follows: "such branches stay unknown, and releases from them wait",
		},
	}
}

func githubClassic(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	a := s.repo.get(ctx, nil, s.at("branches", s.branch, "protection")...)
	if a.err == nil && a.status == http.StatusNotFound && strings.Contains(string(a.body), "Branch not protected") {
		return untold("the default branch has no classic protection: protect it to find out")
	}
	var p struct {
		EnforceAdmins *struct{} `json:"enforce_admins"`
		ForcePushes   *struct{} `json:"allow_force_pushes"`
		Deletions     *struct{} `json:"allow_deletions"`
	}
	if r, ok := a.read(&p); !ok {
		return r
	}
	if p.EnforceAdmins == nil || p.ForcePushes == nil || p.Deletions == nil {
		return fails("enforce_admins, allow_force_pushes or allow_deletions is not shown")
	}
	return holds("all three are shown")
}

type branchJSON struct {
	Name      string `json:"name"`
	Protected bool   `json:"protected"`
}

func (s *session) branches(ctx context.Context) ([]branchJSON, result, bool) {
	var all []branchJSON
	r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.at("branches")...).read(&all)
	return all, r, ok
}

func githubUnprotected(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.branches(ctx)
	if !ok {
		return r
	}
	at := slices.IndexFunc(all, func(b branchJSON) bool { return !b.Protected })
	if at < 0 {
		return untold("every branch is protected: add one that is not to find out")
	}
	a := s.repo.get(ctx, nil, s.at("branches", all[at].Name, "protection")...)
	var said struct {
		Message string `json:"message"`
	}
	if a.err != nil || a.status != http.StatusNotFound || json.Unmarshal(a.body, &said) != nil {
		return orSilent(a)
	}
	if said.Message != "Branch not protected" {
		return fails("GitHub answered 404 (%s)", clip(said.Message))
	}
	return holds("said so of a branch without protection")
}

// orSilent is a refusal where the forge refused, and silence where it said nothing.
func orSilent(a answer) result {
	if a.err == nil && a.status >= 400 && a.status < 500 && a.status != http.StatusTooManyRequests && a.status != http.StatusUnauthorized {
		return a.refused()
	}
	return a.silent()
}

type branchRule struct {
	Type      string `json:"type"`
	RulesetID int64  `json:"ruleset_id"`
}

func (s *session) branchRules(ctx context.Context) ([]branchRule, result, bool) {
	var all []branchRule
	r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.at("rules", "branches", s.branch)...).read(&all)
	return all, r, ok
}

func githubBranchRules(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	all, r, ok := s.branchRules(ctx)
	switch {
	case !ok:
		return r
	case len(all) == 0:
		return untold("no ruleset applies to the default branch: add one to find out")
	}
	for _, rule := range all {
		if rule.Type == "" || rule.RulesetID <= 0 {
			return fails("a rule has no type, or does not name its ruleset")
		}
	}
	return holds("%d rules", len(all))
}

// githubRulesAtOnce holds GraphQL against REST, which knows more types of rules.
func githubRulesAtOnce(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	all, r, ok := s.branchRules(ctx)
	switch {
	case !ok:
		return r
	case len(all) == 0:
		return untold("no ruleset applies to the default branch: add one to find out")
	}
	var data struct {
		Repository *struct {
			Ref *struct {
				Rules *struct {
					TotalCount int `json:"totalCount"`
				} `json:"rules"`
			} `json:"ref"`
		} `json:"repository"`
	}
	const question = `query Rules($owner: String!, $name: String!, $ref: String!) {
  repository(owner: $owner, name: $name) { ref(qualifiedName: $ref) { rules(first: 30) { totalCount } } }
}`
	variables := map[string]any{"owner": s.owner, "name": s.name, "ref": "refs/heads/" + s.branch}
	if r, ok := s.repo.query(ctx, question, variables).data(&data); !ok {
		return r
	}
	if data.Repository == nil || data.Repository.Ref == nil || data.Repository.Ref.Rules == nil {
		return fails("GraphQL tells no rules")
	}
	if n := data.Repository.Ref.Rules.TotalCount; n != len(all) {
		return fails("GraphQL counts %d rules, REST lists %d", n, len(all))
	}
	return holds("%d rules", len(all))
}

func githubBypass(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	all, r, ok := s.branchRules(ctx)
	switch {
	case !ok:
		return r
	case len(all) == 0:
		return untold("no ruleset applies to the default branch: add one to find out")
	}
	var set struct {
		ID     int64            `json:"id"`
		Bypass *json.RawMessage `json:"bypass_actors"`
	}
	a := s.repo.get(ctx, url.Values{"includes_parents": {"true"}}, s.at("rulesets", strconv.FormatInt(all[0].RulesetID, 10))...)
	if r, ok := a.read(&set); !ok {
		return r
	}
	if set.Bypass != nil {
		return fails("GitHub shows the list")
	}
	return holds("the list is left out")
}

func githubTagRules(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var all []struct {
		ID     int64  `json:"id"`
		Target string `json:"target"`
	}
	q := url.Values{"targets": {"tag"}, "includes_parents": {"true"}}
	if r, ok := s.repo.get(ctx, q, s.at("rulesets")...).read(&all); !ok {
		return r
	}
	for _, set := range all {
		if set.ID <= 0 || set.Target != "tag" {
			return fails("asked for rulesets of tags, got one of %q", set.Target)
		}
	}
	if len(all) == 0 {
		return untold("the repository has no tag ruleset: add one to find out")
	}
	return holds("%d rulesets", len(all))
}

func githubEscaped(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.branches(ctx)
	if !ok {
		return r
	}
	at := slices.IndexFunc(all, func(b branchJSON) bool { return strings.Contains(b.Name, "/") })
	if at < 0 {
		return untold("no branch has a slash in its name: add one to find out")
	}
	var b branchJSON
	if r, ok := s.repo.get(ctx, nil, s.at("branches", all[at].Name)...).read(&b); !ok {
		return r
	}
	if b.Name != all[at].Name {
		return fails("GitHub answered for another branch")
	}
	return holds("the branch itself")
}
