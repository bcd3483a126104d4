package gitlab_test

import (
	"context"
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// attacks 70, 72 and 74: whatever cannot be read is unknown, and names why
func TestFaultsLeaveFactsUnknown(t *testing.T) {
	type facts map[string]gate.Fact[bool]
	s := newStage(t, gitlabtest.Options{})
	s.ShowEmail(s.bo, true)
	c := s.change(s.ana, "feature", s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.base}, Author: s.ana, Message: "x\n\nCo-authored-by: Ci <ci@example.com>",
		Files: map[string][]byte{"x": []byte("x")},
	}))
	s.Review(c, s.bo, forgetest.ReviewApprove)
	note := s.AddComment(c, s.bo, "/countersign approve")
	merged := s.Merge(c, s.bo, forgetest.MergeCommit)
	head := s.commit(s.bo, "direct", merged)
	s.Push(s.repo, s.bo, "refs/heads/main", head)
	s.tag(head)
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: note.ID}
	needs := s.needs()
	needs.Comments = []gate.CommentRef{ref}
	needs.Accounts = []gate.AccountID{{Forge: "gl", ID: s.bo.ID}}
	read := func(change int) facts {
		s.forge = open(t, s.Server) // what was read before can cover no fault
		ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", head), needs)
		out := facts{
			"repository": state(ev.Repository), "ref": state(ev.Ref), "commit": state(ev.Commit), "branch": state(ev.Branch),
			"tag protection": state(ev.TagProtection), "changes": state(ev.Changes), "candidates": state(ev.Candidates),
			"comment": state(ev.Comments[ref]), "role": state(ev.Roles[needs.Accounts[0]]),
		}
		r, _ := ev.Ref.Get()
		out["tagger"] = state(r.Tagger)
		b, _ := ev.Branch.Get()
		out["protection"] = state(b.Protection)
		p, _ := b.Protection.Get()
		out["reviews asked"] = state(p.Reviews)
		all, _ := ev.Changes.Get()
		if len(all) > change {
			out["opener"], out["pushers"], out["reviews"] = state(all[change].Opener), state(all[change].Pushers), state(all[change].Reviews)
			out["authors"] = gate.Known(true)
			for _, commit := range all[change].Commits {
				for _, person := range commit.People {
					if person.Account.IsUnknown() {
						out["authors"] = gate.Unknown[bool](person.Account.Why())
					}
				}
			}
		}
		return out
	}
	for what, f := range read(0) {
		if f.IsUnknown() {
			t.Fatalf("%s is unknown without any fault: %s", what, f.Why())
		}
	}
	rows := []struct {
		path    string
		change  int
		unknown []string
	}{
		{"/projects/21", 0, []string{"repository", "ref", "commit", "branch", "tag protection", "changes", "candidates", "comment", "role"}},
		{"/repository/tags/", 0, []string{"ref"}},
		{"/events", 0, []string{"tagger", "pushers"}},
		{"/events", 1, []string{"tagger", "pushers"}},
		{"/refs", 0, []string{"branch"}},
		{"/repository/branches/", 0, []string{"branch"}},
		{"/protected_branches", 0, []string{"protection"}},
		{"/protected_tags", 0, []string{"tag protection"}},
		{"/projects/21/approvals", 0, []string{"reviews asked"}},
		{"/repository/commits", 0, []string{"changes", "commit", "branch"}},
		{"/merge_base", 0, nil},
		{"/projects/21/merge_requests", 0, []string{"changes", "comment"}},
		{"/repository/commits/" + head + "/merge_requests", 0, []string{"changes"}},
		{"/merge_requests/1/versions", 0, []string{"pushers", "reviews"}},
		{"/merge_requests/1/approvals", 0, []string{"reviews"}},
		{"/merge_requests/1/notes", 0, []string{"comment"}},
		{"/api/graphql", 0, []string{"authors"}},
		{"/api/graphql", 1, []string{"authors"}},
		{"/api/v4/users", 0, []string{"opener", "pushers", "reviews", "candidates", "comment", "role", "tagger", "authors"}},
		{"/members/all", 0, []string{"candidates", "role"}},
	}
	// What GraphQL tells too is lost only where both fail.
	told := []string{"/api/v4/users", "/projects/21", "/projects/21/merge_requests", "/merge_requests/1/approvals", "/merge_requests/1/notes"}
	for _, row := range rows {
		for _, fault := range []forgetest.Fault{
			{Status: 500}, {Status: 404}, {Status: 403}, {Status: 200, Body: `{"id":`}, {Status: 200, Body: "null"},
			{Status: 200, Body: `{"errors":[{"message":"no"}],"data":{"project":null}}`}, {Status: 0},
		} {
			fault.Path = row.path
			if row.path == "/projects/21/approvals" && fault.Status == 404 {
				continue // GitLab Free has none
			}
			restore := s.Fail(fault)
			alike := func() {}
			if slices.Contains(told, row.path) {
				fault.Path = "/api/graphql"
				alike = s.Fail(fault)
			}
			got := read(row.change)
			restore()
			alike()
			for _, what := range row.unknown {
				f, ok := got[what]
				if ok && !f.IsUnknown() && (f.IsKnown() || fault.Status != 404) {
					t.Errorf("%s fails with %d %q: %s is not unknown: %+v", row.path, fault.Status, fault.Body, what, f)
				}
				if ok && f.IsUnknown() && f.Why() == "" {
					t.Errorf("%s fails with %d: %s without a reason", row.path, fault.Status, what)
				}
			}
		}
	}
}

// A squash leaves the merge request's own commits out of the branch's history: where
// they cannot be read, nobody knows what it was made of.
func TestFaultsOfASquashLeaveChangesUnknown(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.Squash)
	s.tag(sha)
	for _, fault := range []forgetest.Fault{
		{Status: 500}, {Status: 404}, {Status: 403}, {Status: 200, Body: `{"id":`}, {Status: 200, Body: "null"}, {Status: 0},
	} {
		fault.Path = "/merge_requests/1/commits"
		restore := s.Fail(fault)
		s.forge = open(t, s.Server)
		ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", sha), s.needs())
		restore()
		if !ev.Changes.IsUnknown() || ev.Changes.Why() == "" {
			t.Errorf("%d %q: changes are not unknown: %+v", fault.Status, fault.Body, ev.Changes)
		}
	}
}

func state[T any](f gate.Fact[T]) gate.Fact[bool] {
	switch {
	case f.IsKnown():
		return gate.Known(true)
	case f.IsAbsent():
		return gate.Absent[bool](f.Why())
	}
	return gate.Unknown[bool](f.Why())
}
