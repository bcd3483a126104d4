package gitlab_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func TestMergeByTheForgeMakesNoAuthor(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	s.Review(c, s.bo, forgetest.ReviewApprove)
	sha := s.Merge(c, s.bo, forgetest.MergeCommit)
	got := s.changes(sha, 1)[0]
	s.wrote(got, "ana")
	if got.Number != c.Number || got.MergeCommit != sha || got.MergedAt.IsZero() || len(got.Commits) != 2 {
		t.Errorf("change: %+v", got)
	}
	reviews := must(t, "reviews", got.Reviews)
	if len(reviews) != 1 || reviews[0].By.ID.ID != s.bo.ID || reviews[0].Commit != got.Head || !reviews[0].Approved {
		t.Errorf("reviews: %+v", reviews)
	}
	if reviews[0].At.After(got.MergedAt) {
		t.Error("the review came before the merge")
	}
}

func TestReleaseCommitIsTheMergeItself(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.MergeCommit)
	for name, since := range map[string]string{"new": s.base, "signed before": sha} {
		needs := s.needs()
		needs.Since = []string{since}
		s.tag(sha)
		ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", sha), needs)
		c := must(t, name, ev.Commit)
		if c.SHA != sha || !c.ByForge || len(c.People) != 0 {
			t.Errorf("%s: %+v", name, c)
		}
		if n := len(must(t, name, ev.Changes)); (n == 0) != (since == sha) {
			t.Errorf("%s: %d changes", name, n)
		}
	}
}

// attack 37
func TestSquashExpandsToItsMergeRequest(t *testing.T) {
	for _, method := range []string{"merge", "ff"} {
		t.Run(method, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			s.SetMergeMethod(s.repo, method)
			first := s.commit(s.ana, "one")
			second := s.commit(s.ci, "two", first)
			c := s.change(s.ana, "feature", first, second)
			got := s.changes(s.Merge(c, s.bo, forgetest.Squash), 1)[0]
			s.wrote(got, "ana", "ci")
			if got.Head != second {
				t.Errorf("head: expected %s, got %s", second, got.Head)
			}
		})
	}
}

func TestFastForward(t *testing.T) {
	for name, o := range map[string]gitlabtest.Options{"null": {}, "filled": {FastForwardMergeCommit: true}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, o)
			sha := s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.Rebase)
			got := s.changes(sha, 1)[0]
			s.wrote(got, "ana")
			if got.Head != sha || got.MergeCommit != sha || got.Direct() {
				t.Errorf("change: %+v", got)
			}
		})
	}
}

// attack 40
func TestRebaseByAnotherLaundersNothing(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first, second := s.change(s.ana, "first"), s.change(s.bo, "second")
	s.Merge(first, s.bo, forgetest.MergeCommit)
	got := s.changes(s.Merge(second, s.ana, forgetest.Rebase), 2)
	s.wrote(got[0], "ana")
	s.wrote(got[1], "ana", "bo") // ana rebased it: she is its committer and pushed it
}

// attack 40
func TestForcePushHidesNobody(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ci, "feature")
	taken := s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.base}, Author: s.ana, Message: "Mine now", Files: map[string][]byte{"feature": []byte("same")},
	})
	s.Push(s.repo, s.ana, "refs/heads/feature", taken)
	got := s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0]
	s.wrote(got, "ana", "ci")
}

// attacks 33 and 34
func TestPusherOntoAColleaguesBranchIsAuthor(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.commit(s.ana, "one")
	c := s.change(s.ana, "feature", first)
	forged := s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{first}, Author: s.ana, Message: "As ana", Files: map[string][]byte{"two": []byte("x")},
	})
	s.Push(s.repo, s.bo, "refs/heads/feature", forged)
	s.wrote(s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0], "ana", "bo")
}

// attack 33: what was pushed before the merge request was opened counts as well
func TestPusherBeforeTheMergeRequestIsAuthor(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	forged := s.commit(s.ana, "one")
	s.Push(s.repo, s.bo, "refs/heads/feature", forged)
	c := s.change(s.ana, "feature", s.commit(s.ana, "two", forged))
	s.wrote(s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0], "ana", "bo")
}

func TestWhoPushedIsUnknown(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.commit(s.ana, "one")
	s.PushRefs(s.repo, s.ana, map[string]string{
		"refs/heads/feature": sha, "refs/heads/b": sha, "refs/heads/c": sha, "refs/heads/d": sha,
	})
	c := s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "Add", Source: "feature"})
	got := s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0]
	if !got.Pushers.IsUnknown() {
		t.Errorf("pushers: expected unknown, got %+v", got.Pushers)
	}
}

// attacks 35 and 36
func TestNamesOnCommits(t *testing.T) {
	stranger := forgetest.Person{Login: "Stranger", Email: "stranger@elsewhere.example"}
	rows := map[string]struct {
		spec     func(s *stage) forgetest.CommitSpec
		wrote    []string
		unlinked []string
	}{
		"author of no account": {
			func(*stage) forgetest.CommitSpec { return forgetest.CommitSpec{Author: stranger, Message: "x"} },
			[]string{"ana"}, []string{"Stranger"},
		},
		"committer of no account": {
			func(s *stage) forgetest.CommitSpec {
				return forgetest.CommitSpec{Author: s.ana, Committer: stranger, Message: "x"}
			}, []string{"ana"}, []string{"Stranger"},
		},
		"committer known by a commit of theirs": {
			func(s *stage) forgetest.CommitSpec {
				s.Push(s.repo, s.bo, "refs/heads/old", s.commit(s.bo, "old"))
				return forgetest.CommitSpec{Author: s.ana, Committer: s.bo, Message: "x"}
			}, []string{"ana", "bo"}, nil,
		},
		"committer who never wrote here": {
			func(s *stage) forgetest.CommitSpec {
				return forgetest.CommitSpec{Author: s.ana, Committer: s.bo, Message: "x"}
			}, []string{"ana"}, []string{"bo"},
		},
		"co-authors in any case, several": {
			func(s *stage) forgetest.CommitSpec {
				s.ShowEmail(s.bo, true)
				private := fmt.Sprintf("%d-ci@users.noreply.127.0.0.1", s.ci.ID)
				return forgetest.CommitSpec{Author: s.ana, Message: "x\n\nCO-AUTHORED-BY: Bo <" + s.bo.Email + ">\n" +
					"co-authored-by:  <" + private + ">\r\nCo-authored-by: Nobody\n"}
			}, []string{"ana", "bo", "ci"}, []string{"Nobody"},
		},
		"co-author of no account": {
			func(s *stage) forgetest.CommitSpec {
				return forgetest.CommitSpec{Author: s.ana, Message: "x\n\nCo-Authored-By: Some One <some@one.example>"}
			}, []string{"ana"}, []string{"Some One"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			spec := row.spec(s)
			spec.Parents, spec.Files = []string{s.base}, map[string][]byte{"f": []byte("f")}
			c := s.change(s.ana, "feature", s.Commit(s.repo, spec))
			got := s.changes(s.Merge(c, s.ci, forgetest.MergeCommit), 1)[0]
			s.wrote(got, row.wrote...)
			if who := unlinked(got); !slices.Equal(who, row.unlinked) {
				t.Errorf("unlinked: expected %v, got %v", row.unlinked, who)
			}
		})
	}
}

// attack 27
func TestDirectPushIsAChangeOfItsPusher(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.commit(s.ana, "one")
	second := s.commit(s.ana, "two", first)
	s.Push(s.repo, s.bo, "refs/heads/main", second)
	later := s.commit(s.ci, "three", second)
	s.Push(s.repo, s.ci, "refs/heads/main", later)
	got := s.changes(later, 3)
	for _, c := range got {
		if !c.Direct() || !c.Opener.IsAbsent() {
			t.Errorf("expected a direct push: %+v", c)
		}
	}
	s.wrote(got[0], "ana", "bo")
	s.wrote(got[1], "ana", "bo")
	s.wrote(got[2], "ci")
}

func TestDirectPushOfAnOlderCommit(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.commit(s.ana, "one")
	s.Push(s.repo, s.bo, "refs/heads/main", s.commit(s.ana, "two", first))
	s.Push(s.repo, s.ci, "refs/heads/main", s.commit(s.ci, "three", s.Head(s.repo, "refs/heads/main")))
	s.wrote(s.changes(first, 1)[0], "ana", "bo")
}

// attack 39
func TestMergeMadeByHandMakesItsPusherAnAuthor(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.ProtectBranch(s.repo, gitlabtest.BranchRule{
		Name: "main", Push: []gitlabtest.AccessLevel{{Level: 40}}, Merge: []gitlabtest.AccessLevel{{Level: 40}},
	})
	head := s.commit(s.ana, "one")
	s.Review(s.change(s.ana, "feature", head), s.ci, forgetest.ReviewApprove)
	evil := s.Commit(s.repo, forgetest.CommitSpec{ // in the name of the author
		Parents: []string{s.base, head}, Author: s.ana, Message: "Merge branch 'feature'",
		Files: map[string][]byte{"evil": []byte("evil")},
	})
	s.Push(s.repo, s.bo, "refs/heads/main", evil)
	got := s.changes(evil, 1)[0]
	if got.Number == 0 || got.MergeCommit != evil {
		t.Fatalf("expected the merge request that GitLab marked as merged: %+v", got)
	}
	s.wrote(got, "ana", "bo")
	if reviews, ok := got.Reviews.Get(); !ok || len(reviews) != 1 || reviews[0].Commit != "" {
		t.Errorf("expected the review to be for none of what was merged, got %+v", got.Reviews)
	}
}

// attack 39: a merge is nobody's work where each file is one side's
func TestWhatCountsAsTheForgesMerge(t *testing.T) {
	file := func(name, content string) map[string][]byte { return map[string][]byte{name: []byte(content)} }
	rows := map[string]struct {
		o     gitlabtest.Options
		files map[string][]byte // of the merge commit, in bo's name; nil: GitLab merges
		moved map[string][]byte // on the target meanwhile
		want  []string
	}{
		"by the button":                        {want: []string{"ana"}},
		"by the button, target moved on":       {moved: file("other", "1"), want: []string{"ana"}},
		"by the button, both changed a file":   {moved: file("feature", "1"), want: []string{"ana", "bo"}},
		"the same, signed by GitLab":           {o: gitlabtest.Options{SignWebCommits: true}, moved: file("feature", "1"), want: []string{"ana"}},
		"by hand, clean":                       {files: file("feature", "featureana"), want: []string{"ana"}},
		"by hand, with a file more":            {files: map[string][]byte{"feature": []byte("featureana"), "evil": []byte("1")}, want: []string{"ana", "bo"}},
		"by hand, with another content":        {files: file("feature", "evil"), want: []string{"ana", "bo"}},
		"by hand, without the change":          {files: file("README.md", "evil"), want: []string{"ana", "bo"}},
		"by hand, undoing the target's change": {moved: file("other", "1"), files: map[string][]byte{"feature": []byte("featureana"), "other": nil}, want: []string{"ana", "bo"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, row.o)
			head := s.commit(s.ana, "feature")
			c := s.change(s.ana, "feature", head)
			at := s.base
			if row.moved != nil {
				at = s.Commit(s.repo, forgetest.CommitSpec{Parents: []string{at}, Author: s.ci, Message: "Meanwhile", Files: row.moved})
				s.Push(s.repo, s.ci, "refs/heads/main", at)
			}
			sha := ""
			if row.files == nil {
				sha = s.Merge(c, s.bo, forgetest.MergeCommit)
			} else {
				sha = s.Commit(s.repo, forgetest.CommitSpec{
					Parents: []string{at, head}, Author: s.bo, Message: "Merge branch 'feature'", Files: row.files,
				})
				s.Push(s.repo, s.bo, "refs/heads/main", sha)
			}
			all := s.changes(sha, 1+min(1, len(row.moved)))
			s.wrote(all[slices.IndexFunc(all, func(c gate.Change) bool { return !c.Direct() })], row.want...)
		})
	}
}

func TestMergeRequestIntoAnotherBranchSaysNothing(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.Push(s.repo, s.ana, "refs/heads/playground", s.base)
	sha := s.commit(s.ana, "one")
	s.Push(s.repo, s.ana, "refs/heads/feature", sha)
	c := s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "Play", Source: "feature", Target: "playground"})
	s.Merge(c, s.ana, forgetest.Rebase)
	s.Push(s.repo, s.bo, "refs/heads/main", sha)
	got := s.changes(sha, 1)[0]
	if !got.Direct() {
		t.Errorf("expected a direct push: %+v", got)
	}
	s.wrote(got, "ana", "bo")
}

func TestForkedMergeRequest(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	fork := s.Fork(s.repo, s.ci, "ci/widget")
	sha := s.Commit(fork, forgetest.CommitSpec{
		Parents: []string{s.base}, Author: s.ci, Message: "From afar", Files: map[string][]byte{"far": []byte("x")},
	})
	s.Push(fork, s.ci, "refs/heads/feature", sha)
	c := s.OpenChange(s.repo, s.ci, forgetest.ChangeSpec{Title: "From afar", Source: "feature", From: fork})
	merged := s.Merge(c, s.bo, forgetest.MergeCommit)
	s.wrote(s.changes(merged, 1)[0], "ci")
	s.SetRole(fork, s.BotUser(), forgetest.RoleNone)
	if got := s.changes(merged, 1)[0]; !got.Pushers.IsUnknown() {
		t.Errorf("pushers of a fork that the gate cannot see: expected unknown, got %+v", got.Pushers)
	}
}

// attack 38
func TestManyCommitsAreReadToTheEnd(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	parent, shas := s.base, []string{}
	for i := range 260 {
		by := s.ana
		if i == 0 {
			by = s.ci
		}
		parent = s.commit(by, fmt.Sprintf("f%d", i), parent)
		shas = append(shas, parent)
	}
	c := s.change(s.ana, "feature", shas...)
	got := s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0]
	if len(got.Commits) != 261 {
		t.Errorf("expected 261 commits, got %d", len(got.Commits))
	}
	s.wrote(got, "ana", "ci")
}

func TestSinceSeveralReleases(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.Merge(s.change(s.ana, "first"), s.bo, forgetest.MergeCommit)
	s.Push(s.repo, s.ana, "refs/heads/release/1", first)
	hotfix := s.commit(s.bo, "hotfix", first)
	s.Push(s.repo, s.bo, "refs/heads/release/1", hotfix)
	head := s.Merge(s.change(s.ana, "second"), s.bo, forgetest.MergeCommit)
	s.tag(head)
	rows := map[string]struct {
		since []string
		n     int
	}{
		"one": {[]string{first}, 1}, "newest first": {[]string{hotfix, first, s.base}, 1},
		"in any order": {[]string{s.base, first, hotfix, first}, 1}, "baseline only": {[]string{s.base}, 2},
		"one is gone": {[]string{"1111111111111111111111111111111111111111", s.base}, 2},
		"its own":     {[]string{head}, 0},
	}
	for name, row := range rows {
		needs := s.needs()
		needs.Since = row.since
		got := must(t, name, s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", head), needs).Changes)
		if len(got) != row.n {
			t.Errorf("%s: expected %d changes, got %d", name, row.n, len(got))
		}
	}
	needs := s.needs()
	needs.Since = nil
	if ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", head), needs); !ev.Changes.IsUnknown() {
		t.Errorf("since nothing: expected unknown changes, got %+v", ev.Changes)
	}
	for _, gone := range []string{"1111111111111111111111111111111111111111", "main", s.base + "^", ""} {
		needs.Since = []string{gone}
		if ev := s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", head), needs); !ev.Changes.IsUnknown() {
			t.Errorf("since %q: expected unknown changes, got %+v", gone, ev.Changes)
		}
	}
}

func TestPathsOnlyWhereAskedFor(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.MergeCommit)
	direct := s.commit(s.ana, "direct", sha)
	s.Push(s.repo, s.ana, "refs/heads/main", direct)
	if got := s.changes(direct, 2)[0]; !got.Paths.IsUnknown() {
		t.Errorf("paths that nobody asked for: %+v", got.Paths)
	}
	needs := s.needs()
	needs.Paths = true
	got := must(t, "changes", s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", direct), needs).Changes)
	for i, want := range []string{"feature", "direct"} {
		if paths := must(t, "paths", got[i].Paths); !slices.Equal(paths, []string{want}) {
			t.Errorf("paths: expected %s, got %v", want, paths)
		}
	}
}

func TestAuthorsOnOlderVersionsOfGitLab(t *testing.T) {
	s := newStage(t, gitlabtest.Options{WithoutRepositoryCommit: true})
	s.wrote(s.changes(s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.MergeCommit), 1)[0], "ana")
}

func TestReviewOfAnEarlierHead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.commit(s.ana, "one")
	c := s.change(s.ana, "feature", first)
	s.Review(c, s.bo, forgetest.ReviewApprove)
	s.Push(s.repo, s.ana, "refs/heads/feature", s.commit(s.ana, "two", first))
	got := s.changes(s.Merge(c, s.bo, forgetest.MergeCommit), 1)[0]
	if r := must(t, "reviews", got.Reviews); len(r) != 1 || r[0].Commit != "" {
		t.Errorf("a review before the last push names no head: %+v", r)
	}
}

func TestReviewersRole(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	s.SetLevel(s.repo, s.ci, 20)
	s.Review(c, s.ci, forgetest.ReviewApprove)
	s.Review(c, s.bo, forgetest.ReviewApprove)
	sha := s.Merge(c, s.bo, forgetest.MergeCommit)
	s.SetRole(s.repo, s.bo, forgetest.RoleNone)
	for _, r := range must(t, "reviews", s.changes(sha, 1)[0].Reviews) {
		role, ok := r.Role.Get()
		if r.By.ID.ID == s.ci.ID && (!ok || role != gate.RoleRead) || r.By.ID.ID == s.bo.ID && !r.Role.IsAbsent() {
			t.Errorf("role of %s: %+v", r.By.Login, r.Role)
		}
	}
}

func TestCommitterOfAWebCommitIsNobody(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.base}, Author: s.ana, Committer: forgetest.Person{Login: "GitLab", Email: "noreply@gitlab.example"},
		Message: "Edit in the browser", Files: map[string][]byte{"f": []byte("f")},
	})
	merged := s.Merge(s.change(s.ana, "feature", sha), s.bo, forgetest.MergeCommit)
	if who := unlinked(s.changes(merged, 1)[0]); !slices.Equal(who, []string{"GitLab"}) {
		t.Errorf("a committer of no account: %v", who)
	}
	defer s.Fail(forgetest.Fault{
		Path: "/commits/" + sha + "/signature", Status: 200, Body: `{"verification_status":"verified_system"}`,
	})()
	got := s.changes(merged, 1)[0]
	s.wrote(got, "ana")
	if who := unlinked(got); len(who) != 0 {
		t.Errorf("GitLab itself is nobody: %v", who)
	}
}
