package gitlab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// protectedRef is one rule, by name or wildcard (source:
// lib/api/entities/protected_branch.rb, protected_tag.rb).
type protectedRef struct {
	Name                      string   `json:"name"`
	Push                      []access `json:"push_access_levels"`
	Create                    []access `json:"create_access_levels"`
	AllowForcePush            *bool    `json:"allow_force_push"`
	CodeOwnerApprovalRequired bool     `json:"code_owner_approval_required"`
}

// access admits a role, or on paid tiers a user or group, or a deploy key.
type access struct {
	Level       *int   `json:"access_level"`
	Description string `json:"access_level_description"`
	User        int64  `json:"user_id"`
	Group       int64  `json:"group_id"`
	DeployKey   int64  `json:"deploy_key_id"`
}

func (a access) nobody() bool {
	return a.Level != nil && *a.Level == 0 && a.User == 0 && a.Group == 0 && a.DeployKey == 0
}

// words name whom the entry admits (API docs: protected branches, valid access levels).
func (a access) words() string {
	switch {
	case a.User != 0:
		return fmt.Sprintf("user %d (%s)", a.User, a.Description)
	case a.Group != 0:
		return fmt.Sprintf("group %d (%s)", a.Group, a.Description)
	case a.DeployKey != 0:
		return fmt.Sprintf("deploy key %d", a.DeployKey)
	case a.Level == nil:
		return "somebody that GitLab does not name"
	}
	switch *a.Level {
	case 0:
		return "nobody"
	case 30:
		return "developers and maintainers"
	case 40:
		return "maintainers"
	case 60:
		return "instance administrators"
	}
	return fmt.Sprintf("access level %d (%s)", *a.Level, a.Description)
}

// admitted sums up entries: "nobody" only where none admits anybody.
func admitted(entries []access) []string {
	var out []string
	for _, a := range entries {
		if !a.nobody() {
			out = append(out, a.words())
		}
	}
	if len(out) == 0 {
		return []string{"nobody"}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readRules lists the rules of one kind: protected_branches or protected_tags.
func (s *session) readRules(ctx context.Context, kind string) ([]protectedRef, error) {
	return s.rules.get(kind, func() ([]protectedRef, error) {
		return fetchAll[protectedRef](ctx, s, s.path("/%s", kind), nil)
	})
}

// matching are the rules for a ref. On GitLab all of them apply, and the most
// permissive wins (docs: protected branches, multiple rules; attack 32).
func matching(rules []protectedRef, name string) []protectedRef {
	var out []protectedRef
	for _, r := range rules {
		if wildcard(r.Name, name) {
			out = append(out, r)
		}
	}
	return out
}

// wildcard matches as GitLab does: "*" stands for any run of characters, slashes
// included (source: app/models/ref_matcher.rb).
func wildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if len(parts) == 1 || !ok {
		return pattern == name
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

const (
	whyNoAdmins = "GitLab exempts nobody from a protected branch by being administrator"
	whyNoBypass = "GitLab Free has no list of people who may bypass a protected branch"
)

// readBranchProtection is the sum of the rules for a branch. listed is GitLab's
// own flag, which has to agree.
func (s *session) readBranchProtection(ctx context.Context, branch string, listed *bool) gate.Fact[gate.Protection] {
	rules, err := s.readRules(ctx, "protected_branches")
	if err != nil {
		return unknown[gate.Protection](err)
	}
	found := matching(rules, branch)
	if len(found) == 0 && listed == nil { // before that is believed, GitLab's own flag is asked for
		b, err := s.fetchBranch(ctx, branch)
		if err != nil {
			return unknown[gate.Protection](err)
		}
		listed = b.Protected
	}
	switch {
	case listed != nil && *listed != (len(found) > 0):
		return gate.Unknown[gate.Protection]("GitLab's flag and its list of protected branches do not agree")
	case len(found) == 0:
		return gate.Absent[gate.Protection]("no protected branch of GitLab matches " + branch)
	}
	p := gate.Protection{
		Ref: "refs/heads/" + branch,
		// A protected branch cannot be deleted by git (docs: protected branches); its
		// maintainers can still delete it in GitLab itself, which is no push.
		Deletion: gate.Known(false), AdminsEnforced: gate.Absent[bool](whyNoAdmins),
		ForcePush: forcePush(found), Rules: []string{"protected_branch"},
	}
	var push []access
	for _, r := range found {
		p.Sources = append(p.Sources, "protected-branch:"+r.Name)
		push = append(push, r.Push...)
		if r.CodeOwnerApprovalRequired {
			p.Rules = append(p.Rules, "code_owner_approval")
		}
	}
	p.Push = gate.Known(admitted(push))
	s.readReviews(ctx, branch, &p)
	slices.Sort(p.Rules)
	p.Rules = slices.Compact(p.Rules)
	return gate.Known(p)
}

// forcePush: one rule that allows it is enough; one that does not say leaves it open.
func forcePush(rules []protectedRef) gate.Fact[bool] {
	out := gate.Known(false)
	for _, r := range rules {
		switch {
		case r.AllowForcePush == nil:
			out = gate.Unknown[bool]("GitLab did not say whether " + r.Name + " allows force pushes")
		case *r.AllowForcePush:
			return gate.Known(true)
		}
	}
	return out
}

// approvalRule is a project's approval rule (API docs: merge request approvals,
// project approval rules; Premium).
type approvalRule struct {
	Name      string `json:"name"`
	Required  *int   `json:"approvals_required"`
	All       bool   `json:"applies_to_all_protected_branches"`
	Protected []struct {
		Name string `json:"name"`
	} `json:"protected_branches"`
}

func (r approvalRule) covers(branch string) bool {
	if r.All || len(r.Protected) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Protected, func(p struct {
		Name string `json:"name"`
	}) bool {
		return wildcard(p.Name, branch)
	})
}

// readReviews tells how many approvals a merge needs, and what else the tier adds.
// GitLab Free has no such rules.
func (s *session) readReviews(ctx context.Context, branch string, p *gate.Protection) {
	t := s.readTier(ctx)
	p.Rules, p.Sources = append(p.Rules, t.words(branch)...), append(p.Sources, t.sources()...)
	if !t.paid {
		p.Reviews, p.Bypass = gate.Known(0), gate.Absent[[]string](whyNoBypass)
		return
	}
	p.Bypass = gate.Unknown[[]string]("GitLab's API does not tell who may bypass approval policies")
	if err := errors.Join(t.settingsErr, t.rulesErr); err != nil {
		p.Reviews = unknown[int](err)
		return
	}
	most := 0
	for _, r := range t.rules {
		switch {
		case !r.covers(branch):
			continue
		case r.Required == nil:
			p.Reviews = unknown[int](errUnexpected)
			return
		}
		most = max(most, *r.Required)
	}
	p.Reviews = gate.Known(most)
}

// readTagProtection is the sum of the rules for a tag. GitLab's own flag at the tag says
// whether there are any, and has to agree with them; where it cannot be read, they alone
// say it. A name with ".." is no tag's, and a URL would collapse it (attack 21).
func (s *session) readTagProtection(ctx context.Context, ref string) gate.Fact[gate.Protection] {
	name, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok {
		return gate.Absent[gate.Protection]("the ref is no tag")
	}
	var t tag
	if !strings.Contains(name, "..") && name != "" {
		t, _ = s.readTag(ctx, name)
	}
	none := gate.Absent[gate.Protection]("no protected tag of GitLab matches " + name)
	if t.Protected != nil && !*t.Protected {
		return none
	}
	rules, err := s.readRules(ctx, "protected_tags")
	if err != nil {
		return unknown[gate.Protection](err)
	}
	found := matching(rules, name)
	switch {
	case len(found) == 0 && t.Protected != nil:
		return gate.Unknown[gate.Protection]("GitLab's flag and its list of protected tags do not agree")
	case len(found) == 0:
		return none
	}
	// Nobody moves or deletes a protected tag with git (docs: protected tags).
	p := gate.Protection{
		Ref: ref, ForcePush: gate.Known(false), Deletion: gate.Known(false),
		Reviews: gate.Absent[int]("tags have no reviews"), AdminsEnforced: gate.Absent[bool](whyNoAdmins),
		Bypass: gate.Absent[[]string](whyNoBypass), Rules: []string{"protected_tag"},
	}
	var create []access
	for _, r := range found {
		p.Sources = append(p.Sources, "protected-tag:"+r.Name)
		create = append(create, r.Create...)
	}
	p.Push = gate.Known(admitted(create))
	return gate.Known(p)
}
