package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func changeRows() []row {
	return []row{
		{"no change since the baseline", func(s *stage) {
			s.equal("changes", len(s.changes()), 0)
		}},
		{"a change by ana, reviewed by bo, merged by cy", reviewedMerge},
		{"a squash holds the commits it replaced (attack 37)", squash},
		{"a rebase holds the commits it replaced", rebase},
		{"a direct push is a change of its own (attack 27)", directPush},
		{"only what came after the last release", afterRelease},
		{"what any earlier release holds is no change", severalReleases},
		{"changes come oldest first", func(s *stage) {
			one, _ := s.open(s.ana, "one", "One")
			s.Merge(one, s.bo, forgetest.MergeCommit)
			direct := s.commit(s.cy, "Between")
			s.Push(s.repo, s.cy, main, direct)
			two, _ := s.open(s.bo, "two", "Two")
			s.Merge(two, s.ana, forgetest.Squash)
			var got []int64
			for _, c := range s.changes() {
				got = append(got, c.Number)
			}
			s.equal("numbers", got, []int64{one.Number, 0, two.Number})
		}},
		{"a rejecting review approves nothing", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Review(change, s.bo, forgetest.ReviewApprove)
			s.Review(change, s.bo, forgetest.ReviewReject)
			s.Merge(change, s.cy, forgetest.MergeCommit)
			for _, r := range value(s, "reviews", s.onlyChange().Reviews) {
				if r.Approved {
					s.t.Errorf("reviews: expected none that approves, got one by @%s", r.By.Login)
				}
			}
		}},
		{"a dismissed review approves nothing (attack 56)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Review(change, s.bo, forgetest.ReviewApprove)
			s.Review(change, s.bo, forgetest.ReviewDismiss)
			s.Merge(change, s.cy, forgetest.MergeCommit)
			for _, r := range value(s, "reviews", s.onlyChange().Reviews) {
				if r.Approved {
					s.t.Errorf("reviews: expected none that approves, got one by @%s", r.By.Login)
				}
			}
		}},
		{"a review before the last push is not at the final head (attack 44)", staleReview},
		{"a change of many commits is complete (attack 38)", manyCommits},
		{"paths are read where asked for", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Merge(change, s.bo, forgetest.MergeCommit)
			needs := s.needs()
			needs.Paths = true
			all := value(s, "changes", s.adapter.Evidence(s.t.Context(), s.request(main), needs).Changes)
			s.equal("paths", value(s, "paths", all[0].Paths), []string{"src/file1.txt"})
		}},
	}
}

func reviewedMerge(s *stage) {
	change, head := s.open(s.ana, "topic", "Add topic")
	s.Review(change, s.bo, forgetest.ReviewApprove)
	merge := s.Merge(change, s.cy, forgetest.MergeCommit)
	e := s.evidence()
	repo := value(s, "repository", e.Repository)
	s.equal("repository", repo.ID, s.repository())
	s.equal("owner", repo.Owner.ID, s.repo.OwnerID)
	s.equal("name", repo.FullName, "acme/app")
	s.equal("default branch", repo.DefaultBranch, "main")
	s.equal("commit", value(s, "commit", e.Commit).SHA, merge)
	if e.ReadAt.IsZero() {
		s.t.Error("read at: expected a time")
	}
	c := s.onlyChange()
	s.equal("number", c.Number, change.Number)
	s.equal("title", c.Title, "Bring topic")
	s.equal("head", c.Head, head)
	s.equal("merge commit", c.MergeCommit, merge)
	s.equal("opener", value(s, "opener", c.Opener).ID, id(s.ana))
	s.equal("pushers", len(value(s, "pushers", c.Pushers)), 1)
	s.holds(c, head, merge)
	s.wrote(c, s.ana)
	s.innocent(c, s.bo, s.cy)
	reviews := value(s, "reviews", c.Reviews)
	if len(reviews) != 1 {
		s.t.Fatalf("reviews: got %d, want 1", len(reviews))
	}
	r := reviews[0]
	s.equal("reviewer", r.By.ID, id(s.bo))
	s.equal("reviewer is a person", r.By.Human, true)
	s.equal("approved", r.Approved, true)
	s.equal("reviewed head", r.Commit, head)
	s.equal("reviewer's role", value(s, "role", r.Role), gate.RoleWrite)
	if c.MergedAt.IsZero() || r.At.After(c.MergedAt) {
		s.t.Errorf("times: got a review at %s and a merge at %s", r.At, c.MergedAt)
	}
}

func squash(s *stage) {
	change, one := s.open(s.ana, "topic", "Add topic")
	two := s.commit(s.bo, "Add more", one)
	s.Push(s.repo, s.ana, "refs/heads/topic", two)
	merge := s.Merge(change, s.cy, forgetest.Squash)
	c := s.onlyChange()
	s.equal("number", c.Number, change.Number)
	s.equal("head", c.Head, two)
	s.holds(c, one, two, merge)
	s.wrote(c, s.ana, s.bo)
	s.innocent(c, s.cy)
}

func rebase(s *stage) {
	change, head := s.open(s.ana, "topic", "Add topic")
	s.Push(s.repo, s.cy, main, s.commit(s.cy, "Meanwhile"))
	s.Merge(change, s.bo, forgetest.Rebase)
	var found bool
	for _, c := range s.changes() {
		if c.Number != change.Number {
			s.equal("the other change's number", c.Number, 0)
			s.wrote(c, s.cy)
			continue
		}
		found = true
		s.equal("head's change", c.Number, change.Number)
		s.wrote(c, s.ana)
		s.innocent(c, s.cy)
		if s.Name() == "github" { // GitLab's rebase keeps the head's commits in the new head
			s.holds(c, head)
		}
	}
	if !found {
		s.t.Errorf("changes: expected #%d among them", change.Number)
	}
}

func directPush(s *stage) {
	sha := s.commit(s.ana, "Fix at once")
	s.Push(s.repo, s.bo, main, sha)
	c := s.onlyChange()
	s.equal("number", c.Number, 0)
	s.equal("head", c.Head, sha)
	s.equal("title", c.Title, "Fix at once")
	s.wrote(c, s.ana, s.bo)
	s.innocent(c, s.cy)
	absent(s, "opener", c.Opener)
	if r, _ := c.Reviews.Get(); len(r) > 0 {
		s.t.Errorf("reviews of a direct push: got %d, want none", len(r))
	}
}

func afterRelease(s *stage) {
	one, _ := s.open(s.ana, "one", "One")
	released := s.Merge(one, s.bo, forgetest.MergeCommit)
	two, _ := s.open(s.bo, "two", "Two")
	s.Merge(two, s.ana, forgetest.MergeCommit)
	needs := s.needs()
	needs.Since = []string{released, s.root}
	all := value(s, "changes", s.adapter.Evidence(s.t.Context(), s.request(main), needs).Changes)
	if len(all) != 1 || all[0].Number != two.Number {
		s.t.Errorf("changes: got %s, want #%d alone", titles(all), two.Number)
	}
}

func severalReleases(s *stage) {
	// Two lines from the root; both were released; main then merges the second.
	one := s.commit(s.ana, "One")
	s.Push(s.repo, s.ana, main, one)
	side := s.commit(s.bo, "Hotfix", s.root)
	s.Push(s.repo, s.bo, "refs/heads/release/1", side)
	merge := s.commit(s.cy, "Merge the hotfix", one, side)
	s.Push(s.repo, s.cy, main, merge)
	needs := s.needs()
	needs.Since = []string{one, side, s.root}
	all := value(s, "changes", s.adapter.Evidence(s.t.Context(), s.request(main), needs).Changes)
	if len(all) != 1 || all[0].Head != merge {
		s.t.Errorf("changes: got %s, want the merge alone", titles(all))
	}
}

func staleReview(s *stage) {
	change, one := s.open(s.ana, "topic", "Add topic")
	s.Review(change, s.bo, forgetest.ReviewApprove)
	two := s.commit(s.ana, "Slip this in", one)
	s.Push(s.repo, s.ana, "refs/heads/topic", two)
	s.Merge(change, s.cy, forgetest.MergeCommit)
	c := s.onlyChange()
	s.equal("head", c.Head, two)
	for _, r := range value(s, "reviews", c.Reviews) {
		if r.Approved && r.Commit == two {
			s.t.Errorf("reviews: expected none at the final head, got one by @%s", r.By.Login)
		}
	}
}

func manyCommits(s *stage) {
	const count = 260
	first := s.commit(s.bo, "Begin")
	at := first
	for range count - 1 {
		at = s.commit(s.ana, "Go on", at)
	}
	s.Push(s.repo, s.ana, "refs/heads/long", at)
	change := s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "A long one", Source: "long"})
	s.Merge(change, s.cy, forgetest.MergeCommit)
	c := s.onlyChange()
	s.equal("number", c.Number, change.Number)
	s.holds(c, first, at)
	s.wrote(c, s.ana, s.bo)
	if len(c.Commits) < count {
		s.t.Errorf("commits: got %d, want at least %d", len(c.Commits), count)
	}
}
