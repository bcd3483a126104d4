package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/countersign/countersign/gate"
)

// branch is one branch (API docs: branches).
type branch struct {
	Name      string `json:"name"`
	Protected *bool  `json:"protected"` // nil where it was not asked for
	Commit    commit `json:"commit"`
}

// tag is one tag; target is the tag object of an annotated one (API docs: tags).
type tag struct {
	Name      string `json:"name"`
	Target    string `json:"target"`
	Commit    commit `json:"commit"`
	Protected *bool  `json:"protected"` // nil where GitLab is too old to say
}

func (s *session) readBranch(ctx context.Context, name string) (branch, error) {
	return s.heads.get(name, func() (branch, error) {
		if sha, ok := s.look.head(name); ok {
			return branch{Name: name, Commit: commit{ID: sha}}, nil
		}
		return s.fetchBranch(ctx, name)
	})
}

func (s *session) fetchBranch(ctx context.Context, name string) (branch, error) {
	b, err := fetch[branch](ctx, s, s.path("/repository/branches/%s", name), nil)
	if err == nil && (b.Name != name || b.Protected == nil || !isSHA(b.Commit.ID)) {
		err = fmt.Errorf("answer is of %q at %q: %w", b.Name, b.Commit.ID, errUnexpected)
	}
	if err != nil {
		return branch{}, fmt.Errorf("read branch %q: %w", name, err)
	}
	return b, nil
}

// readRef finds where a full ref points now. The project was read before: 404 here
// is the ref's.
func (s *session) readRef(ctx context.Context, ref string) gate.Fact[gate.RefFacts] {
	if strings.Contains(ref, "..") { // git allows it in no name, and a URL would collapse it (attack 21)
		return gate.Unknown[gate.RefFacts]("the ref has a name that git does not allow")
	}
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && name != "" {
		b, err := s.readBranch(ctx, name)
		if isNotFound(err) {
			return s.confirmGone(ctx, "branch", "branches", name)
		}
		if err != nil {
			return unknown[gate.RefFacts](err)
		}
		return gate.Known(gate.RefFacts{
			Ref: ref, Commit: b.Commit.ID, Tagger: gate.Absent[gate.Account]("the ref is a branch"),
		})
	}
	name, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok || name == "" {
		return gate.Unknown[gate.RefFacts]("the ref is neither refs/heads/… nor refs/tags/…")
	}
	t, err := s.readTag(ctx, name)
	switch {
	case isNotFound(err):
		return s.confirmGone(ctx, "tag", "tags", name)
	case err != nil:
		return unknown[gate.RefFacts](err)
	}
	facts := gate.RefFacts{Ref: ref, Commit: t.Commit.ID, Tagger: s.readTagger(ctx, t)}
	if t.Target != t.Commit.ID {
		facts.TagObject = t.Target
	}
	return gate.Known(facts)
}

func (s *session) readTag(ctx context.Context, name string) (tag, error) {
	return s.tags.get(name, func() (tag, error) {
		t, err := fetch[tag](ctx, s, s.path("/repository/tags/%s", name), nil)
		if err == nil && (t.Name != name || !isSHA(t.Commit.ID) || !isSHA(t.Target)) {
			err = fmt.Errorf("answer is of %q at %q: %w", t.Name, t.Commit.ID, errUnexpected)
		}
		if err != nil {
			return tag{}, fmt.Errorf("read tag %q: %w", name, err)
		}
		return t, nil
	})
}

// confirmGone asks a second time, and in another way, whether a ref is gone: a request ends
// for good where it is, and one 404 may be a stray one. A list that can be read answers
// nothing else about a missing ref than that it is not in it (API docs: tags and branches,
// search; "$" ends a name).
func (s *session) confirmGone(ctx context.Context, kind, plural, name string) gate.Fact[gate.RefFacts] {
	rows, err := fetchAll[struct {
		Name string `json:"name"`
	}](ctx, s, s.path("/repository/%s", plural), url.Values{"search": {name + "$"}})
	if err != nil {
		return unknown[gate.RefFacts](fmt.Errorf("look for %s %q in the list: %w", kind, name, err))
	}
	for _, row := range rows {
		if row.Name == name {
			return gate.Unknown[gate.RefFacts]("GitLab lists " + kind + " " + name + ", but does not show it")
		}
	}
	return gate.Absent[gate.RefFacts]("GitLab has no " + kind + " " + name)
}

// readTagger is who pushed the tag to where it is now: the tag object's own tagger
// is a name that anyone can write, and GitLab does not show it. Absent is GitLab's
// silence: events expire, and pushes of many tags leave none.
func (s *session) readTagger(ctx context.Context, t tag) gate.Fact[gate.Account] {
	var newest *push
	err := s.pushesTo(s.repo.ID).search(ctx, s, func(rows []push) bool {
		for _, p := range rows {
			if p.on("tag", t.Name) {
				newest = &p
				return true
			}
		}
		return false
	})
	switch {
	case err != nil:
		return unknown[gate.Account](err)
	case newest == nil || (newest.Data.To != t.Target && newest.Data.To != t.Commit.ID):
		return gate.Absent[gate.Account]("GitLab's events do not tell who pushed tag " + t.Name)
	}
	return s.accountFact(ctx, newest.AuthorID)
}

// readBranchOf finds the branch that the release comes from: the default branch
// where it holds the commit, else the first by name; a protected one before an
// unprotected one. Containment is asked of the project's own refs, so that a
// commit of a fork's network is on none (attack 31).
func (s *session) readBranchOf(ctx context.Context, r gate.Request, wanted []gate.Matcher, p project) gate.Fact[gate.BranchFacts] {
	if !isSHA(r.Commit) {
		return gate.Unknown[gate.BranchFacts]("the commit is no full SHA")
	}
	if s.onMain(ctx, r, wanted, p.DefaultBranch) {
		fact := s.readBranchFacts(ctx, p.DefaultBranch)
		if b, ok := fact.Get(); !ok || !b.Protection.IsAbsent() {
			return fact
		}
	}
	names, err := s.branchesWith(ctx, r, wanted, p.DefaultBranch)
	if isNotFound(err) {
		return gate.Absent[gate.BranchFacts]("GitLab has no such commit in the project")
	}
	if err != nil {
		return unknown[gate.BranchFacts](err)
	}
	var first gate.Fact[gate.BranchFacts]
	for i, name := range names {
		fact := s.readBranchFacts(ctx, name)
		b, ok := fact.Get()
		if !ok || !b.Protection.IsAbsent() {
			return fact // protected, or not known not to be
		}
		if i == 0 {
			first = fact
		}
	}
	if len(names) == 0 {
		return gate.Absent[gate.BranchFacts]("no branch that the policy names holds the commit")
	}
	return first
}

// onMain reports whether a tag's commit is known to be on the default branch, which then
// comes first: where its head was read already, that often needs no question.
func (s *session) onMain(ctx context.Context, r gate.Request, wanted []gate.Matcher, main string) bool {
	head, ok := s.look.head(main)
	if !r.IsTag() || !ok || !matches(wanted, main) {
		return false
	}
	is, err := s.isAncestor(ctx, r.Commit, head)
	return err == nil && is
}

// branchesWith lists the wanted branches that hold the commit, best first. For a
// release from a branch only that one comes into question.
func (s *session) branchesWith(ctx context.Context, r gate.Request, wanted []gate.Matcher, main string) ([]string, error) {
	own, fromBranch := strings.CutPrefix(r.Ref, "refs/heads/")
	if fromBranch && !strings.Contains(own, "..") && matches(wanted, own) {
		if b, err := s.readBranch(ctx, own); err == nil && b.Commit.ID == r.Commit {
			return []string{own}, nil
		}
	}
	refs, err := fetchAll[struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}](ctx, s, s.path("/repository/commits/%s/refs", r.Commit), url.Values{"type": {"branch"}})
	if err != nil {
		return nil, fmt.Errorf("find the branches of %s: %w", r.Commit, err)
	}
	var out []string
	for _, ref := range refs {
		if ref.Type != "branch" || !matches(wanted, ref.Name) || (fromBranch && ref.Name != own) {
			continue
		}
		if ref.Name == main {
			out = append([]string{main}, out...)
			continue
		}
		out = append(out, ref.Name)
	}
	return out, nil
}

func matches(ms []gate.Matcher, name string) bool {
	for _, m := range ms {
		if m.Match(name) {
			return true
		}
	}
	return false
}

func (s *session) readBranchFacts(ctx context.Context, name string) gate.Fact[gate.BranchFacts] {
	b, err := s.readBranch(ctx, name)
	if err != nil {
		return unknown[gate.BranchFacts](err)
	}
	return gate.Known(gate.BranchFacts{
		Name: name, Head: b.Commit.ID, Protection: s.readBranchProtection(ctx, name, b.Protected),
	})
}
