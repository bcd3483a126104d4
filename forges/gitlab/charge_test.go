package gitlab_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// one is the only change up to main's head.
func (s *stage) one(needs gate.Needs) gate.Change {
	s.t.Helper()
	all := must(s.t, "changes", s.forge.Evidence(s.t.Context(), s.request(mainRef, s.Head(s.repo, mainRef)), needs).Changes)
	if len(all) != 1 {
		s.t.Fatalf("expected one change, got %d", len(all))
	}
	return all[0]
}

// attack 89: who has it merged, and to whom a machine's change is assigned
func TestMergerAndInitiators(t *testing.T) {
	for name, method := range map[string]forgetest.MergeMethod{
		"merge": forgetest.MergeCommit, "squash": forgetest.Squash, "fast-forward": forgetest.Rebase,
	} {
		s := newStage(t, gitlabtest.Options{})
		robot := s.AddBot("robot")
		s.SetRole(s.repo, robot, forgetest.RoleWrite)
		c := s.change(robot, "feature")
		s.Assign(c, s.ana)
		s.Assign(c, s.AddBot("helper"))
		s.Merge(c, s.bo, method)
		got := s.one(s.needs())
		if by := must(t, name, got.Merger); by.ID.ID != s.bo.ID || !by.Human {
			t.Errorf("%s: merged by %+v", name, by)
		}
		if len(got.Initiators) != 1 || got.Initiators[0].ID.ID != s.ana.ID || !got.Initiators[0].Human {
			t.Errorf("%s: initiators %+v", name, got.Initiators)
		}
		if opener := must(t, name, got.Opener); opener.Human {
			t.Errorf("%s: a bot is a person: %+v", name, opener)
		}
	}
}

func TestAssigneesOfAPersonsChangeStartNothing(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	s.Assign(c, s.bo)
	s.Merge(c, s.bo, forgetest.MergeCommit)
	if got := s.one(s.needs()); len(got.Initiators) != 0 {
		t.Errorf("initiators: %+v", got.Initiators)
	}
}

func TestAssigneesThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	robot := s.AddBot("robot")
	s.SetRole(s.repo, robot, forgetest.RoleWrite)
	c := s.change(robot, "feature")
	s.Assign(c, s.ci)
	s.Merge(c, s.bo, forgetest.MergeCommit)
	graph := s.Fail(forgetest.Fault{Path: "/api/graphql", Status: 500})
	defer graph()
	defer s.Fail(forgetest.Fault{Path: "/users/" + number(s.ci.ID), Status: 500})()
	if got := s.one(s.needs()); !got.Opener.IsUnknown() {
		t.Errorf("who stands behind the opener is not known: %+v", got.Opener)
	}
}

func TestDirectPushHasNoMerger(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.Push(s.repo, s.ana, mainRef, s.commit(s.ana, "direct"))
	if got := s.one(s.needs()); !got.Merger.IsAbsent() {
		t.Errorf("merger: %+v", got.Merger)
	}
}

func TestReviewsAreSpared(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	s.Push(s.repo, s.ci, "refs/heads/feature", s.commit(s.ci, "rewritten"))
	s.Review(c, s.bo, forgetest.ReviewApprove)
	s.Merge(c, s.bo, forgetest.MergeCommit)
	defer s.Fail(forgetest.Fault{Path: "/approvals", Status: 500})()
	defer s.Fail(forgetest.Fault{Path: "/approval_state", Status: 500})()
	needs := s.needs()
	needs.NoReviews = true
	got := s.one(needs)
	if !got.Reviews.IsUnknown() || got.Reviews.Why() != "the policy does not count reviews" {
		t.Errorf("reviews: %+v", got.Reviews)
	}
	s.wrote(got, "ana", "ci") // versions are still read (attack 40)
}

// attack 93: who edits the rules of a merge request has no reviews of it
func TestOverwrittenApprovalRules(t *testing.T) {
	for name, o := range map[string]gitlabtest.Options{
		"by GraphQL": {Premium: true}, "by REST": {Premium: true, WithoutEnterpriseCode: true},
	} {
		s := newStage(t, o)
		c := s.change(s.ana, "feature")
		s.Review(c, s.bo, forgetest.ReviewApprove)
		s.Merge(c, s.bo, forgetest.MergeCommit)
		if got := must(t, name, s.one(s.needs()).Reviews); len(got) != 1 || !got[0].Approved {
			t.Errorf("%s, before: %+v", name, got)
		}
		s.OverwriteApprovalRules(c)
		if got := must(t, name, s.one(s.needs()).Reviews); len(got) != 1 || got[0].Approved {
			t.Errorf("%s: a review under rules of one's own: %+v", name, got)
		}
	}
}

func TestOverwrittenApprovalRulesThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true, WithoutEnterpriseCode: true})
	c := s.change(s.ana, "feature")
	s.Review(c, s.bo, forgetest.ReviewApprove)
	s.Merge(c, s.bo, forgetest.MergeCommit)
	for _, f := range []forgetest.Fault{{Status: 500}, {Status: 403}, {Status: 200, Body: "{}"}, {}} {
		f.Path = "/approval_state"
		restore := s.Fail(f)
		if got := s.one(s.needs()).Reviews; !got.IsUnknown() {
			t.Errorf("%d %s: %+v", f.Status, f.Body, got)
		}
		restore()
	}
}
