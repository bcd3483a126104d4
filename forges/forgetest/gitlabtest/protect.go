package gitlabtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// AccessLevel is who a protected branch or tag admits: a role, or on Premium a
// user or group, or a deploy key. Level 0 is "No one", 30 "Developers +
// Maintainers", 40 "Maintainers", 60 instance admins (API docs: protected branches).
type AccessLevel struct {
	Level     int
	User      forgetest.Person // Premium
	DeployKey int64
	id        int64
}

// BranchRule is one protected branch, by name or wildcard.
type BranchRule struct {
	Name                      string
	Push, Merge               []AccessLevel
	AllowForcePush            bool
	CodeOwnerApprovalRequired bool // Premium
}

// ApprovalSettings are a project's merge request approval settings, on Premium
// (API docs: merge request approvals, change configuration).
type ApprovalSettings struct {
	Required                   int  // of the "any approver" rule
	ResetOnPush                bool // reset_approvals_on_push
	DisableOverriding          bool // disable_overriding_approvers_per_merge_request
	AuthorApproval             bool // merge_requests_author_approval
	DisableCommittersApproval  bool // merge_requests_disable_committers_approval
	RequirePasswordToApprove   bool
	SelectiveCodeOwnerRemovals bool
	RequireReauthentication    bool
}

// defaultApprovalSettings are GitLab's own (docs: merge request approval settings).
func defaultApprovalSettings() ApprovalSettings {
	return ApprovalSettings{ResetOnPush: true}
}

type protectedRef struct {
	id           int64
	name         string // short, may hold wildcards
	push         []AccessLevel
	merge        []AccessLevel // branches
	create       []AccessLevel // tags
	force, owner bool
}

// Protect protects a branch or tag pattern: nobody pushes, Maintainers merge;
// Maintainers create the tags. Reviews are a Premium approval rule of the
// project; Free has optional approvals only and ignores them. GitHub's own
// switches and AllowDeletion (GitLab never lets git delete a protected branch) do
// nothing here.
func (s *Server) Protect(r forgetest.Repository, rule forgetest.Protection) {
	maintainers := []AccessLevel{{Level: levelMaintainer}}
	if pattern, ok := strings.CutPrefix(rule.Ref, "refs/tags/"); ok {
		s.ProtectTag(r, pattern, maintainers)
		return
	}
	pattern, ok := strings.CutPrefix(rule.Ref, "refs/heads/")
	if !ok {
		panic(fmt.Sprintf("protect %q: expected refs/heads/… or refs/tags/…", rule.Ref))
	}
	s.ProtectBranch(r, BranchRule{
		Name: pattern, Push: []AccessLevel{{Level: levelNone}}, Merge: maintainers, AllowForcePush: rule.AllowForcePush,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if rule.Reviews > 0 {
		s.project(r).approvals.Required = rule.Reviews
	}
}

// ProtectBranch adds a protected branch, replacing one of the same name.
func (s *Server) ProtectBranch(r forgetest.Repository, rule BranchRule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	p.protectedBranches = append(without(p.protectedBranches, rule.Name), &protectedRef{
		id: s.id("protected_ref"), name: rule.Name, push: s.numbered(rule.Push), merge: s.numbered(rule.Merge),
		force: rule.AllowForcePush, owner: rule.CodeOwnerApprovalRequired,
	})
}

// ProtectTag adds a protected tag pattern, replacing one of the same name.
func (s *Server) ProtectTag(r forgetest.Repository, pattern string, create []AccessLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	p.protectedTags = append(without(p.protectedTags, pattern), &protectedRef{
		id: s.id("protected_ref"), name: pattern, create: s.numbered(create),
	})
}

// SetApprovals sets the approval settings of a project (Premium).
func (s *Server) SetApprovals(r forgetest.Repository, settings ApprovalSettings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(r).approvals = settings
}

// Unprotect takes the rule of that name off.
func (s *Server) Unprotect(r forgetest.Repository, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		p.protectedTags = without(p.protectedTags, name)
		return
	}
	p.protectedBranches = without(p.protectedBranches, strings.TrimPrefix(ref, "refs/heads/"))
}

func without(list []*protectedRef, name string) []*protectedRef {
	return slices.DeleteFunc(slices.Clone(list), func(r *protectedRef) bool { return r.name == name })
}

func (s *Server) numbered(levels []AccessLevel) []AccessLevel {
	out := slices.Clone(levels)
	for i := range out {
		out[i].id = s.id("access")
	}
	return out
}

// rules are the protections that match a full ref. On GitLab all that match
// apply, and the most permissive wins (docs: protected branches, multiple rules).
func (p *project) rules(ref string) []*protectedRef {
	list, name := p.protectedBranches, strings.TrimPrefix(ref, "refs/heads/")
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		list, name = p.protectedTags, tag
	}
	var out []*protectedRef
	for _, r := range list {
		if wildcard(r.name, name) {
			out = append(out, r)
		}
	}
	return out
}

func (p *project) isProtected(ref string) bool { return len(p.rules(ref)) > 0 }

// wildcard matches as RefMatcher does: "*" stands for any run of characters,
// slashes included (source: app/models/concerns/ref_matcher, wildcard regex).
func wildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
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

// mayUpdate says whether a may push or merge to a branch, or create a tag, as the
// rules of ref allow (source: lib/gitlab/user_access.rb can_update_branch?, can_create_tag?).
func (p *project) mayUpdate(a *account, ref string, level int) bool {
	if level < levelDeveloper {
		return false
	}
	rules := p.rules(ref)
	for _, r := range rules {
		for _, l := range slices.Concat(r.push, r.merge, r.create) {
			if (l.User.ID != 0 && l.User.ID == a.id) || (l.User.ID == 0 && l.DeployKey == 0 && l.Level > 0 && level >= l.Level) {
				return true
			}
		}
	}
	return len(rules) == 0
}
