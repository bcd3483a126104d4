package gitlab_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func TestRepositoryAndRef(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	ev := s.evidence(s.base)
	repo := must(t, "repository", ev.Repository)
	if repo.ID != s.id() || repo.Owner.ID != s.repo.OwnerID || repo.DefaultBranch != "main" || !repo.Private {
		t.Errorf("repository: %+v", repo)
	}
	ref := must(t, "ref", ev.Ref)
	if ref.Commit != s.base || ref.TagObject != "" || must(t, "tagger", ref.Tagger).ID.ID != s.ana.ID {
		t.Errorf("lightweight tag: %+v", ref)
	}
	object := s.PushTag(s.repo, s.bo, "v2", s.base, "Two")
	ev = s.forge.Evidence(context.Background(), s.request("refs/tags/v2", s.base), s.needs())
	ref = must(t, "ref", ev.Ref)
	if ref.Commit != s.base || ref.TagObject != object || must(t, "tagger", ref.Tagger).ID.ID != s.bo.ID {
		t.Errorf("annotated tag: %+v", ref)
	}
	ev = s.forge.Evidence(context.Background(), s.request("refs/tags/v3", s.base), s.needs())
	if !ev.Ref.IsAbsent() {
		t.Errorf("a tag that is not there: %+v", ev.Ref)
	}
	ev = s.forge.Evidence(context.Background(), s.request("refs/heads/main", s.base), s.needs())
	if ref = must(t, "branch", ev.Ref); ref.Commit != s.base || !ref.Tagger.IsAbsent() {
		t.Errorf("branch: %+v", ref)
	}
}

// attack 24
func TestMovedTag(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.tag(s.base)
	moved := s.commit(s.bo, "moved")
	s.Push(s.repo, s.bo, "refs/tags/v1.0.0", moved)
	ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", s.base), s.needs())
	if ref := must(t, "ref", ev.Ref); ref.Commit != moved || must(t, "tagger", ref.Tagger).ID.ID != s.bo.ID {
		t.Errorf("ref: %+v", ref)
	}
}

func TestTaggerOfABulkPushIsNotTold(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.PushRefs(s.repo, s.ana, map[string]string{
		"refs/tags/a": s.base, "refs/tags/b": s.base, "refs/tags/c": s.base, "refs/tags/d": s.base,
	})
	ev := s.forge.Evidence(context.Background(), s.request("refs/tags/a", s.base), s.needs())
	if ref := must(t, "ref", ev.Ref); !ref.Tagger.IsAbsent() {
		t.Errorf("tagger: %+v", ref.Tagger)
	}
}

// attacks 21 and 22
func TestOddRefs(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	for _, name := range []string{"v1#x", "v1%2e%2e", "a/b", "v1?x=y", "ü", "main"} {
		ev := s.forge.Evidence(context.Background(), s.request("refs/tags/"+name, s.base), s.needs())
		if !ev.Ref.IsAbsent() {
			t.Errorf("tag %q: expected it absent, got %+v", name, ev.Ref)
		}
		s.Push(s.repo, s.ana, "refs/tags/"+name, s.base)
		ev = s.forge.Evidence(context.Background(), s.request("refs/tags/"+name, s.base), s.needs())
		if ref := must(t, name, ev.Ref); ref.Commit != s.base || ref.Ref != "refs/tags/"+name {
			t.Errorf("tag %q: %+v", name, ref)
		}
	}
	for _, ref := range []string{"", "main", "refs/heads/", "refs/tags/", "refs/pull/1/head", "refs/tags/a/../b"} {
		if ev := s.forge.Evidence(context.Background(), s.request(ref, s.base), s.needs()); !ev.Ref.IsUnknown() {
			t.Errorf("ref %q: %+v", ref, ev.Ref)
		}
	}
}

// attack 23
func TestBranchThatHoldsTheCommit(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	off := s.commit(s.ana, "off")
	s.Push(s.repo, s.ana, "refs/heads/elsewhere", off)
	if ev := s.evidence(off); !ev.Branch.IsAbsent() {
		t.Errorf("a tag off every release branch: %+v", ev.Branch)
	}
	s.Push(s.repo, s.ana, "refs/heads/release/1", off)
	if b := must(t, "branch", s.evidence(off).Branch); b.Name != "release/1" || !b.Protection.IsAbsent() {
		t.Errorf("branch: %+v", b)
	}
	s.Push(s.repo, s.ana, "refs/heads/release/2", off)
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/release/2"})
	if b := must(t, "branch", s.evidence(off).Branch); b.Name != "release/2" || !b.Protection.IsKnown() {
		t.Errorf("a protected branch comes first: %+v", b)
	}
	ev := s.forge.Evidence(context.Background(), s.request("refs/heads/release/1", off), s.needs())
	if b := must(t, "branch", ev.Branch); b.Name != "release/1" {
		t.Errorf("a release from a branch is judged by that branch: %+v", b)
	}
}

// attacks 29 and 32
func TestBranchProtection(t *testing.T) {
	level := func(n ...int) (out []gitlabtest.AccessLevel) {
		for _, l := range n {
			out = append(out, gitlabtest.AccessLevel{Level: l})
		}
		return out
	}
	rows := map[string]struct {
		rules []gitlabtest.BranchRule
		force bool
		push  string
	}{
		"nobody pushes":    {[]gitlabtest.BranchRule{{Name: "main", Push: level(0)}}, false, "nobody"},
		"maintainers push": {[]gitlabtest.BranchRule{{Name: "main", Push: level(40)}}, false, "maintainers"},
		"the more permissive wildcard wins": {
			[]gitlabtest.BranchRule{{Name: "main", Push: level(0)}, {Name: "ma*", Push: level(30), AllowForcePush: true}},
			true, "developers and maintainers",
		},
		"in either order": {
			[]gitlabtest.BranchRule{{Name: "*", Push: level(60), AllowForcePush: true}, {Name: "main", Push: level(0)}},
			true, "instance administrators",
		},
		"other branches' rules do not count": {
			[]gitlabtest.BranchRule{{Name: "main", Push: level(0)}, {Name: "mai", Push: level(30), AllowForcePush: true}, {Name: "main*x", AllowForcePush: true}},
			false, "nobody",
		},
		"several stars": {
			[]gitlabtest.BranchRule{{Name: "m*i*", Push: level(0)}, {Name: "m*x*n", Push: level(30)}, {Name: "n*", Push: level(30)}},
			false, "nobody",
		},
		"deploy keys": {
			[]gitlabtest.BranchRule{{Name: "main", Push: []gitlabtest.AccessLevel{{DeployKey: 9}}}}, false, "deploy key 9",
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			s.Unprotect(s.repo, "refs/heads/main")
			for _, r := range row.rules {
				s.ProtectBranch(s.repo, r)
			}
			p := must(t, "protection", must(t, "branch", s.evidence(s.base).Branch).Protection)
			if got := strings.Join(must(t, "push", p.Push), ", "); got != row.push {
				t.Errorf("push: expected %s, got %s", row.push, got)
			}
			if must(t, "force", p.ForcePush) != row.force || must(t, "deletion", p.Deletion) || must(t, "reviews", p.Reviews) != 0 {
				t.Errorf("protection: %+v", p)
			}
			if !p.AdminsEnforced.IsAbsent() || !p.Bypass.IsAbsent() || len(p.Sources) == 0 {
				t.Errorf("protection: %+v", p)
			}
		})
	}
}

func TestUnprotectedBranch(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.Unprotect(s.repo, "refs/heads/main")
	if b := must(t, "branch", s.evidence(s.base).Branch); !b.Protection.IsAbsent() {
		t.Errorf("protection: %+v", b.Protection)
	}
}

func TestReviewsOnPremium(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 2})
	p := must(t, "protection", must(t, "branch", s.evidence(s.base).Branch).Protection)
	if must(t, "reviews", p.Reviews) != 2 || !p.Bypass.IsUnknown() || !slices.Contains(p.Rules, "approval_rule") {
		t.Errorf("protection: %+v", p)
	}
}

// GitLab's flag at a tag spares the list of rules where there are none, and contradicts a
// list that lacks one.
func TestTagProtectionByItsFlag(t *testing.T) {
	for name, row := range map[string]struct {
		protected bool
		tag, list string // what GitLab answers instead
		want      func(gate.Fact[gate.Protection]) bool
	}{
		"protected":                   {true, "", "", gate.Fact[gate.Protection].IsKnown},
		"not protected":               {false, "", "", gate.Fact[gate.Protection].IsAbsent},
		"not protected, no list":      {false, "", "{}", gate.Fact[gate.Protection].IsAbsent},
		"protected, an empty list":    {true, "", "[]", gate.Fact[gate.Protection].IsUnknown},
		"protected, no list":          {true, "", "{}", gate.Fact[gate.Protection].IsUnknown},
		"protected, no flag":          {true, "{}", "", gate.Fact[gate.Protection].IsKnown},
		"not protected, no flag":      {false, "{}", "", gate.Fact[gate.Protection].IsAbsent},
		"neither a flag nor the list": {false, "{}", "{}", gate.Fact[gate.Protection].IsUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			if row.protected {
				s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
			}
			for path, body := range map[string]string{"/repository/tags/": row.tag, "/protected_tags": row.list} {
				if body != "" {
					s.Fail(forgetest.Fault{Path: path, Status: http.StatusOK, Body: body})
				}
			}
			if got := s.evidence(s.base).TagProtection; !row.want(got) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTagProtection(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	if ev := s.evidence(s.base); !ev.TagProtection.IsAbsent() {
		t.Errorf("tag protection: %+v", ev.TagProtection)
	}
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	p := must(t, "tag protection", s.evidence(s.base).TagProtection)
	if p.Ref != "refs/tags/v1.0.0" || !slices.Equal(p.Sources, []string{"protected-tag:v*"}) ||
		!slices.Equal(must(t, "create", p.Push), []string{"maintainers"}) {
		t.Errorf("tag protection: %+v", p)
	}
	ev := s.forge.Evidence(context.Background(), s.request("refs/heads/main", s.base), s.needs())
	if !ev.TagProtection.IsAbsent() {
		t.Errorf("a branch has none: %+v", ev.TagProtection)
	}
}

// attacks 47, 53, 92 and 94
func TestRoles(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	bot := s.AddBot("helper")
	s.SetRole(s.repo, bot, forgetest.RoleMaintain)
	read := func(p forgetest.Person) gate.Fact[gate.Member] {
		id := gate.AccountID{Forge: "gl", ID: p.ID}
		needs := s.needs()
		needs.Accounts = []gate.AccountID{id}
		return s.forge.Evidence(context.Background(), s.request("refs/heads/main", s.base), needs).Roles[id]
	}
	want := func(what string, p forgetest.Person, role gate.Role, active, human bool) {
		t.Helper()
		m := must(t, what, read(p))
		if m.Role != role || m.Active != active || m.Account.Human != human {
			t.Errorf("%s: %+v", what, m)
		}
	}
	want("maintainer", s.bo, gate.RoleMaintain, true, true)
	want("bot", bot, gate.RoleMaintain, true, false)
	if f := read(s.ci); !f.IsAbsent() {
		t.Errorf("stranger: %+v", f)
	}
	for level, role := range map[int]gate.Role{10: gate.RoleNone, 20: gate.RoleRead, 30: gate.RoleWrite, 50: gate.RoleAdmin} {
		s.SetLevel(s.repo, s.ci, level)
		want("level", s.ci, role, true, true)
	}
	s.SetLevel(s.repo, s.ci, 25)
	if f := read(s.ci); !f.IsUnknown() {
		t.Errorf("a level that nobody knows (attack 74): %+v", f)
	}
	s.SetExpiry(s.repo, s.bo, time.Now().Add(72*time.Hour))
	want("not yet expired", s.bo, gate.RoleMaintain, true, true)
	s.SetMembershipState(s.repo, s.bo, "awaiting")
	want("awaiting", s.bo, gate.RoleNone, false, true)
	s.SetMembershipState(s.repo, s.bo, "active")
	s.SetLocked(s.bo, true)
	want("locked", s.bo, gate.RoleMaintain, false, true)
	s.SetLocked(s.bo, false)
	s.SetState(s.bo, "blocked")
	want("blocked", s.bo, gate.RoleMaintain, false, true)
}

func TestCandidatesArePeople(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.SetRole(s.repo, s.ci, forgetest.RoleRead)
	s.SetRole(s.repo, s.AddBot("helper"), forgetest.RoleMaintain)
	var got []string
	for _, m := range must(t, "candidates", s.evidence(s.base).Candidates) {
		got = append(got, m.Account.Login)
	}
	if !slices.Equal(got, []string{"ana", "bo"}) {
		t.Errorf("candidates: %v", got)
	}
}

// attacks 45, 46, 50, 92 and 95
func TestComments(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	other := s.change(s.bo, "other")
	note := s.AddComment(c, s.bo, "/countersign approve")
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: note.ID}
	read := func() gate.Fact[gate.Comment] { return s.forge.Comment(context.Background(), ref) }

	got := must(t, "new", read())
	if got.Body != "/countersign approve" || got.Edited || got.Hidden || got.ByMachine || got.Author.ID.ID != s.bo.ID {
		t.Errorf("new: %+v", got)
	}
	if _, err := s.forge.Post(context.Background(), gate.Post{
		Repository: s.id(), Target: gate.PostReaction, Comment: ref, Reaction: "rocket",
	}); err != nil {
		t.Fatal(err)
	}
	if must(t, "with a reaction", read()).Edited {
		t.Error("a reaction is no edit")
	}
	restore := s.Fail(forgetest.Fault{Path: "/api/graphql", Status: 500})
	if f := read(); !f.IsUnknown() {
		t.Errorf("whether it was edited could not be read: %+v", f)
	}
	restore()
	wrong := ref
	wrong.Thread.Number = other.Number
	if f := s.forge.Comment(context.Background(), wrong); f.IsKnown() {
		t.Errorf("a comment of another thread: %+v", f)
	}
	s.EditComment(note, s.ana, "/countersign deny no")
	if !must(t, "edited", read()).Edited {
		t.Error("the edit was missed")
	}
	s.DeleteComment(note, s.bo)
	if f := read(); !f.IsAbsent() {
		t.Errorf("deleted: %+v", f)
	}
	for what, n := range map[string]forgetest.Comment{
		"system": s.AddSystemNote(c, s.bo, "x"), "internal": s.AddInternalNote(c, s.bo, "x"),
	} {
		ref.ID = n.ID
		if !must(t, what, read()).Hidden {
			t.Errorf("%s: expected it hidden", what)
		}
	}
	ref.ID = s.AddComment(c, s.AddBot("helper"), "x").ID
	if !must(t, "bot", read()).ByMachine {
		t.Error("a bot's comment")
	}
	issue := s.OpenIssue(s.repo, s.ana, "Release", "…")
	ref = gate.CommentRef{
		Repository: s.id(), Thread: gate.Thread{Number: issue.Number, Issue: true}, ID: s.AddComment(issue, s.bo, "on an issue").ID,
	}
	if got := must(t, "issue", read()); got.Body != "on an issue" {
		t.Errorf("issue: %+v", got)
	}
	s.DeleteRepository(s.repo)
	if f := read(); !f.IsUnknown() {
		t.Errorf("a project that is gone tells nothing of the comment: %+v", f)
	}
}

func TestEvidenceReadsCommentsWithRoles(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	note := s.AddComment(c, s.bo, "/countersign approve")
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: note.ID}
	foreign := gate.CommentRef{Repository: gate.RepositoryID{Forge: "gl", ID: s.repo.ID + 1}, ID: 1}
	needs := s.needs()
	needs.Comments = []gate.CommentRef{ref, foreign}
	ev := s.forge.Evidence(context.Background(), s.request("refs/heads/main", s.base), needs)
	must(t, "comment", ev.Comments[ref])
	if m := must(t, "role", ev.Roles[gate.AccountID{Forge: "gl", ID: s.bo.ID}]); m.Role != gate.RoleMaintain {
		t.Errorf("role: %+v", m)
	}
	if !ev.Comments[foreign].IsUnknown() {
		t.Errorf("a comment of another project: %+v", ev.Comments[foreign])
	}
}

func TestRequestsPerEvidence(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	var sha string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c := s.change(s.ana, name)
		s.Review(c, s.bo, forgetest.ReviewApprove)
		sha = s.Merge(c, s.bo, forgetest.MergeCommit)
	}
	s.tag(sha)
	before := s.Requests()
	must(t, "changes", s.evidence(sha).Changes)
	if n := s.Requests() - before; n > 60 {
		t.Errorf("five merge requests took %d requests, expected 60 at most", n)
	}
}
