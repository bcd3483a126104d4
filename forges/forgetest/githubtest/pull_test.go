package githubtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func (w *team) pull(c forgetest.Change) *github.PullRequest {
	w.t.Helper()
	return must[*github.PullRequest](w.t)(w.client.PullRequests.Get(w.t.Context(), "acme", "widget", int(c.Number)))
}

func (w *team) commit(sha string) *github.RepositoryCommit {
	w.t.Helper()
	return must[*github.RepositoryCommit](w.t)(w.client.Repositories.GetCommit(w.t.Context(), "acme", "widget", sha, nil))
}

// made is what a commit says of its making.
type made struct {
	Author, AuthorEmail, Committer, CommitterEmail string
	Verified                                       bool
	Parents                                        int
	First                                          string
}

func makingOf(c *github.RepositoryCommit) made {
	first, _, _ := strings.Cut(c.GetCommit().GetMessage(), "\n")
	return made{
		c.GetAuthor().GetLogin(), c.GetCommit().GetAuthor().GetEmail(), c.GetCommitter().GetLogin(),
		c.GetCommit().GetCommitter().GetEmail(), c.GetCommit().GetVerification().GetVerified(), len(c.Parents), first,
	}
}

func TestMergesAreMadeAsGitHubMakesThem(t *testing.T) {
	for name, row := range map[string]struct {
		method forgetest.MergeMethod
		want   made
	}{
		"merge commit": {forgetest.MergeCommit, made{
			"bo", "bo@example.org", "web-flow", "noreply@github.com", true, 2, "Merge pull request #1 from acme/topic",
		}},
		"squash": {forgetest.Squash, made{"ana", "ana@example.org", "web-flow", "noreply@github.com", true, 1, "Add topic (#1)"}},
		"rebase": {forgetest.Rebase, made{"cy", "cy@example.org", "bo", "bo@example.org", false, 1, "Second"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			change, first := w.open(w.ana, "topic")
			second := w.Commit(w.repo, forgetest.CommitSpec{
				Parents: []string{first}, Author: w.cy, Message: "Second\n\nCo-authored-by: Dan <dan@example.org>",
				Files: map[string][]byte{"second": []byte("2"), "topic.txt": nil},
			})
			w.Push(w.repo, w.ana, "refs/heads/topic", second)
			w.push(w.bo, "main", "meanwhile")
			before := w.pull(change)
			if before.GetMerged() || before.GetHead().GetSHA() != second || before.GetMergeCommitSHA() == "" {
				t.Errorf("before: got %v", before)
			}
			test := before.GetMergeCommitSHA()
			sha := w.Merge(change, w.bo, row.method)
			got := w.commit(sha)
			if diff := cmp.Diff(row.want, makingOf(got)); diff != "" {
				t.Error(diff)
			}
			after := w.pull(change)
			if !after.GetMerged() || after.GetMergedBy().GetLogin() != "bo" || after.GetMergeCommitSHA() != sha ||
				after.GetState() != "closed" || test == sha || after.GetHead().GetSHA() != second {
				t.Errorf("after: got %v", after)
			}
			if row.method == forgetest.Squash {
				for _, trailer := range []string{"Co-authored-by: cy <cy@example.org>", "Co-authored-by: Dan <dan@example.org>"} {
					if !strings.Contains(got.GetCommit().GetMessage(), trailer) {
						t.Errorf("squash: got %q, want %q in it", got.GetCommit().GetMessage(), trailer)
					}
				}
				if strings.Contains(got.GetCommit().GetMessage(), "ana@") {
					t.Errorf("squash: its author is no co-author: %q", got.GetCommit().GetMessage())
				}
			}
			w.mergedTree(sha)
			w.found(sha, second, change)
		})
	}
}

// mergedTree holds what both sides changed.
func (w *team) mergedTree(sha string) {
	w.t.Helper()
	for path, want := range map[string]int{"second": 200, "meanwhile": 200, "topic.txt": 404, "README.md": 200} {
		if res, _ := w.raw("GET", "/repos/acme/widget/contents/"+path+"?ref="+sha, ""); res.StatusCode != want {
			w.t.Errorf("merged tree, %s: got %d, want %d", path, res.StatusCode, want)
		}
	}
}

// found checks that what landed leads back to the pull request, whose own commits stay listed.
func (w *team) found(landed, head string, change forgetest.Change) {
	w.t.Helper()
	pulls := must[[]*github.PullRequest](w.t)(w.client.PullRequests.ListPullRequestsWithCommit(w.t.Context(), "acme", "widget", landed, nil))
	if len(pulls) != 1 || int64(pulls[0].GetNumber()) != change.Number {
		w.t.Errorf("pull requests of what landed: got %v, want #%d", pulls, change.Number)
	}
	commits := must[[]*github.RepositoryCommit](w.t)(w.client.PullRequests.ListCommits(w.t.Context(), "acme", "widget", int(change.Number), nil))
	if len(commits) != 2 || commits[1].GetSHA() != head {
		w.t.Errorf("commits of the pull request: got %v", commits)
	}
	log := must[[]*github.RepositoryCommit](w.t)(w.client.Repositories.ListCommits(w.t.Context(), "acme", "widget", &github.CommitsListOptions{Path: "second"}))
	if len(log) == 0 {
		w.t.Error("log of a path: expected a commit")
	}
	activity := get[[]struct {
		Type  string `json:"activity_type"`
		After string
		Actor struct{ Login string }
	}](w, "/repos/acme/widget/activity?ref=main&activity_type=pr_merge")
	if len(activity) != 1 || activity[0].After != landed || activity[0].Actor.Login != "bo" {
		w.t.Errorf("activity: got %v", activity)
	}
}

func TestPullRequestFollowsItsBranch(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	change, first := w.open(w.ana, "topic")
	w.Review(change, w.bo, forgetest.ReviewApprove)
	states := func() (out []string) {
		for _, r := range get[[]struct {
			State    string
			CommitID string `json:"commit_id"`
		}](w, fmt.Sprintf("/repos/acme/widget/pulls/%d/reviews", change.Number)) {
			out = append(out, r.State+" "+r.CommitID[:4])
		}
		return out
	}
	second := w.push(w.bo, "topic", "more", first)
	w.Review(change, w.cy, forgetest.ReviewReject)
	if diff := cmp.Diff([]string{"DISMISSED " + first[:4], "CHANGES_REQUESTED " + second[:4]}, states()); diff != "" {
		t.Errorf("reviews after a push: %s", diff)
	}
	if got := w.pull(change).GetHead().GetSHA(); got != second {
		t.Errorf("head: got %s, want %s", got, second)
	}
	if got := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/git/ref/pull/%d/head", change.Number)); at(got, "object", "sha") != second {
		t.Errorf("refs/pull: got %v", got)
	}
	forced := w.push(w.bo, "topic", "forced")
	w.Unprotect(w.repo, "refs/heads/main")
	var kinds []string
	for _, a := range get[[]struct {
		Type  string `json:"activity_type"`
		Actor struct{ Login string }
	}](w, "/repos/acme/widget/activity?ref=refs/heads/topic") {
		kinds = append(kinds, a.Type+" "+a.Actor.Login)
	}
	if diff := cmp.Diff([]string{"force_push bo", "push bo", "branch_creation ana"}, kinds); diff != "" {
		t.Error(diff)
	}
	w.Review(change, w.bo, forgetest.ReviewApprove)
	w.push(w.ana, "topic", "kept", forced)
	if got := states(); got[len(got)-1] != "APPROVED "+forced[:4] {
		t.Errorf("reviews after a push without a rule: got %v, want the approval kept", got)
	}
	w.DeleteRef(w.repo, w.ana, "refs/heads/topic")
	if p := w.pull(change); p.GetState() != "closed" || p.GetMerged() || p.GetCommits() != 2 {
		t.Errorf("branch deleted: got %s with %d commits", p.GetState(), p.GetCommits())
	}
}

func TestPushedMergeCountsAsMerged(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, head := w.open(w.ana, "topic")
	w.Push(w.repo, w.bo, "refs/heads/main", head)
	if p := w.pull(change); !p.GetMerged() || p.GetMergedBy().GetLogin() != "bo" || p.GetMergeCommitSHA() != head {
		t.Errorf("got merged %v by %q as %s, want by bo as %s", p.GetMerged(), p.GetMergedBy().GetLogin(), p.GetMergeCommitSHA(), head)
	}
}

func TestForks(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	fork := w.Fork(w.repo, w.dan, "dan/widget")
	sha := w.Commit(fork, forgetest.CommitSpec{Author: w.dan, Message: "Offer", Files: map[string][]byte{"x": []byte("x")}})
	w.Push(fork, w.dan, "refs/heads/offer", sha)
	change := w.OpenChange(w.repo, w.dan, forgetest.ChangeSpec{Title: "Offer", Source: "offer", From: fork})
	p := w.pull(change)
	if p.GetHead().GetRepo().GetID() != fork.ID || p.GetHead().GetLabel() != "dan:offer" || p.GetBase().GetRepo().GetID() != w.repo.ID {
		t.Errorf("pull request of a fork: got %v", p)
	}
	if got := get[[]any](w, "/repos/acme/widget/pulls?head=dan:offer"); len(got) != 1 {
		t.Errorf("pull requests by head: got %d, want 1", len(got))
	}
	// A commit of the fork answers in the network, as on GitHub (attack 31): only ancestry tells.
	if got := w.commit(sha); got.GetSHA() != sha {
		t.Errorf("commit of the network: got %v", got)
	}
	if got := get[map[string]any](w, "/repos/acme/widget/compare/main..."+sha); got["status"] != "ahead" {
		t.Errorf("compare: got %v, want ahead", got["status"])
	}
	if got := get[map[string]any](w, "/repos/acme/widget/compare/main...dan:offer"); got["total_commits"] != float64(1) {
		t.Errorf("compare across the network: got %v", got["total_commits"])
	}
	if res, _ := w.raw("GET", "/repos/dan/widget", ""); res.StatusCode != 404 {
		t.Errorf("the fork itself: got %d, want 404", res.StatusCode)
	}
	w.DeleteRepository(fork)
	if p := w.pull(change); p.GetHead().Repo != nil || p.GetHead().GetSHA() != sha || p.GetState() != "closed" {
		t.Errorf("the fork is deleted: got %v", p)
	}
}

func TestLongPullRequest(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	root := w.Head(w.repo, "refs/heads/main")
	at := root
	for i := range 260 {
		at = w.Commit(w.repo, forgetest.CommitSpec{Parents: []string{at}, Author: w.ana, Message: fmt.Sprint(i)})
	}
	w.Push(w.repo, w.ana, "refs/heads/topic", at)
	change := w.OpenChange(w.repo, w.ana, forgetest.ChangeSpec{Title: "Long", Source: "topic"})
	if got := w.pull(change).GetCommits(); got != 260 {
		t.Errorf("commits: got %d, want 260", got)
	}
	opts := &github.ListOptions{PerPage: 100}
	listed := 0
	for {
		page, res, err := w.client.PullRequests.ListCommits(t.Context(), "acme", "widget", int(change.Number), opts)
		if err != nil {
			t.Fatal(err)
		}
		listed += len(page)
		if res.NextPage == 0 {
			break
		}
		opts.Page = res.NextPage
	}
	if listed != 250 {
		t.Errorf("listed: got %d, want GitHub's 250", listed)
	}
	opts = &github.ListOptions{PerPage: 100, Page: 1}
	compared := 0
	for {
		page, res, err := w.client.Repositories.CompareCommits(t.Context(), "acme", "widget", root, at, opts)
		if err != nil {
			t.Fatal(err)
		}
		compared += len(page.Commits)
		if page.GetTotalCommits() != 260 || page.GetAheadBy() != 260 || page.GetBehindBy() != 0 || page.GetStatus() != "ahead" {
			t.Fatalf("comparison: got %v", page)
		}
		if (opts.Page == 1) != (page.Files != nil) {
			t.Errorf("files on page %d: got %v", opts.Page, page.Files)
		}
		if res.NextPage == 0 {
			break
		}
		opts.Page = res.NextPage
	}
	if compared != 260 {
		t.Errorf("compared: got %d, want 260", compared)
	}
	whole := must[*github.CommitsComparison](t)(w.client.Repositories.CompareCommits(t.Context(), "acme", "widget", root, at, nil))
	if len(whole.Commits) != 250 || whole.Commits[249].GetSHA() != at {
		t.Errorf("without pages: got %d commits", len(whole.Commits))
	}
}

func TestComparisons(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	root := w.Head(w.repo, "refs/heads/main")
	a := w.push(w.ana, "a", "a")
	b := w.push(w.bo, "b", "b")
	for basehead, want := range map[string]string{
		root + "..." + a: "ahead", a + "..." + root: "behind", a + "..." + b: "diverged", a + "..." + a: "identical",
	} {
		if got := get[map[string]any](w, "/repos/acme/widget/compare/"+basehead); got["status"] != want {
			t.Errorf("%s: got %v, want %s", basehead, got["status"], want)
		}
	}
	stray := w.Commit(w.repo, forgetest.CommitSpec{Author: w.ana, Message: "stray"})
	for _, basehead := range []string{root + "..." + strings.Repeat("0", 40), root + ".." + stray, "nothing...main"} {
		if res, _ := w.raw("GET", "/repos/acme/widget/compare/"+basehead, ""); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", basehead, res.StatusCode)
		}
	}
}

func TestRefsTagsAndContents(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	sha := w.push(w.ana, "feature/x", "dir/a.txt")
	w.Push(w.repo, w.ana, "refs/tags/light", sha)
	object := w.PushAnnotatedTag(w.repo, w.ana, "v1", sha, "Version 1")
	if got := w.Head(w.repo, "refs/tags/v1"); got != sha {
		t.Errorf("peeled head: got %s, want %s", got, sha)
	}
	for ref, want := range map[string][2]string{
		"tags/light": {"commit", sha}, "tags/v1": {"tag", object}, "heads/feature/x": {"commit", sha}, "heads/feature%2Fx": {"commit", sha},
	} {
		got := get[map[string]any](w, "/repos/acme/widget/git/ref/"+ref)
		if at(got, "object", "type") != want[0] || at(got, "object", "sha") != want[1] {
			t.Errorf("%s: got %v, want %v", ref, got["object"], want)
		}
	}
	tag := must[*github.Tag](t)(w.client.Git.GetTag(t.Context(), "acme", "widget", object))
	if tag.GetTag() != "v1" || tag.GetObject().GetSHA() != sha || tag.GetTagger().GetEmail() != "ana@example.org" {
		t.Errorf("tag object: got %v", tag)
	}
	if got := w.commit("v1").GetSHA(); got != sha {
		t.Errorf("commit of a tag: got %s, want %s", got, sha)
	}
	file, folder, _, err := w.client.Repositories.GetContents(t.Context(), "acme", "widget", "dir/a.txt", &github.RepositoryContentGetOptions{Ref: sha})
	if err != nil || folder != nil {
		t.Fatal(folder, err)
	}
	if content, err := file.GetContent(); err != nil || content != "dir/a.txtana" {
		t.Errorf("content: got %q, %v", content, err)
	}
	_, folder, _, err = w.client.Repositories.GetContents(t.Context(), "acme", "widget", "/", &github.RepositoryContentGetOptions{Ref: "feature/x"})
	if err != nil || len(folder) != 2 || folder[1].GetType() != "dir" {
		t.Errorf("folder: got %v, %v", folder, err)
	}
	if res, body := w.raw("GET", "/repos/acme/widget/contents/dir/a.txt?ref="+sha, "", "Accept", "application/vnd.github.raw+json"); body != "dir/a.txtana" {
		t.Errorf("raw: got %d %q", res.StatusCode, body)
	}
	if _, body := w.raw("GET", "/repos/acme/widget/commits/v1", "", "Accept", "application/vnd.github.sha"); body != sha {
		t.Errorf("sha: got %q, want %s", body, sha)
	}
	for path, want := range map[string]int{
		"/contents/nothing": 404, "/contents/README.md?ref=nothing": 404, "/git/ref/heads/nothing": 404, "/git/ref/heads": 404,
		"/git/tags/" + sha: 404, "/commits/nothing": 422, "/commits?sha=nothing": 404, "/branches/nothing": 404,
		"/pulls/99": 404, "/issues/99": 404, "/issues/99/comments": 404, "/issues/comments/99": 404, "/check-runs/99": 404,
		"/actions/runs/99": 404, "/actions/jobs/99": 404, "/rulesets/99": 404, "/pulls/abc": 404,
	} {
		if res, body := w.raw("GET", "/repos/acme/widget"+path, ""); res.StatusCode != want {
			t.Errorf("%s: got %d %s, want %d", path, res.StatusCode, body, want)
		}
	}
}

func TestCommitsBelongToAccountsByEmail(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.AddEmail(w.ana, "ana@home.example")
	for email, want := range map[string]string{
		"ana@example.org": "ana", "ANA@Home.example": "ana", "nobody@else.invalid": "",
		fmt.Sprintf("%d+formerly@users.noreply.github.com", w.bo.ID): "bo", "bo@users.noreply.github.com": "bo",
		"12+bo@users.noreply.github.com": "",
	} {
		sha := w.Commit(w.repo, forgetest.CommitSpec{Author: forgetest.Person{Email: email}, Committer: w.cy, Message: email})
		got := w.commit(sha)
		if got.GetAuthor().GetLogin() != want || got.GetCommitter().GetLogin() != "cy" {
			t.Errorf("%s: got %q, want %q", email, got.GetAuthor().GetLogin(), want)
		}
	}
}

// Unverified: whether the activity log has tags.
func TestActivityOfTags(t *testing.T) {
	for _, listed := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{ActivityListsTags: listed}})
		w.Push(w.repo, w.ana, "refs/tags/v1", w.Head(w.repo, "refs/heads/main"))
		if got := get[[]any](w, "/repos/acme/widget/activity?ref=refs/tags/v1"); (len(got) == 1) != listed {
			t.Errorf("switch %v: got %v", listed, got)
		}
	}
}

func TestActivityPages(t *testing.T) {
	c := newClock()
	w := newTeam(t, githubtest.Options{Now: c.Now})
	for i := range 7 {
		w.push(w.ana, "main", fmt.Sprint(i))
	}
	type row struct{ ID int64 }
	var ids []int64
	path := "/repos/acme/widget/activity?per_page=3&ref=main"
	pages := 0
	for path != "" {
		res, _ := w.raw("GET", path, "")
		for _, r := range get[[]row](w, path) {
			ids = append(ids, r.ID)
		}
		pages++
		path = linkOf(res.Header.Get("Link"), "next")
	}
	if len(ids) != 7 || pages != 3 || ids[0] < ids[6] {
		t.Errorf("newest first in pages: got %v in %d pages", ids, pages)
	}
	asc := get[[]row](w, "/repos/acme/widget/activity?direction=asc&actor=ana")
	if len(asc) != 7 || asc[0].ID != ids[6] {
		t.Errorf("oldest first: got %v", asc)
	}
	back := get[[]row](w, fmt.Sprintf("/repos/acme/widget/activity?per_page=2&before=%d", ids[3]))
	if len(back) != 2 || back[1].ID != ids[2] {
		t.Errorf("before a cursor: got %v", back)
	}
	c.pass(8 * 24 * time.Hour)
	w.token = w.InstallationToken(w.repo)
	for period, want := range map[string]int{"week": 0, "month": 7} {
		if got := get[[]row](w, "/repos/acme/widget/activity?time_period="+period); len(got) != want {
			t.Errorf("of a %s: got %d, want %d", period, len(got), want)
		}
	}
	if res, _ := w.raw("GET", "/repos/acme/widget/activity?after=nothing", ""); res.StatusCode != 422 {
		t.Errorf("unknown cursor: got %d, want 422", res.StatusCode)
	}
}

// linkOf finds a relation in a Link header.
func linkOf(header, rel string) string {
	for _, part := range strings.Split(header, ", ") {
		target, is := strings.CutSuffix(part, `>; rel="`+rel+`"`)
		if is {
			return strings.TrimPrefix(target, "<")
		}
	}
	return ""
}

func TestPages(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	for i := range 5 {
		w.AddComment(change, w.bo, fmt.Sprint(i))
	}
	base := fmt.Sprintf("/repos/acme/widget/issues/%d/comments", change.Number)
	for query, want := range map[string]struct {
		items      int
		next, last string
	}{
		"":                   {5, "", ""},
		"?per_page=2":        {2, "page=2", "page=3"},
		"?per_page=2&page=2": {2, "page=3", "page=3"},
		"?per_page=2&page=3": {1, "", ""},
		"?per_page=2&page=9": {0, "", ""},
		"?per_page=1000":     {5, "", ""},
		"?per_page=0&page=0": {5, "", ""},
	} {
		res, _ := w.raw("GET", base+query, "")
		got := get[[]any](w, base+query)
		link := res.Header.Get("Link")
		if len(got) != want.items || !strings.Contains(linkOf(link, "next"), want.next) || !strings.Contains(linkOf(link, "last"), want.last) ||
			(want.next == "" && linkOf(link, "next") != "") {
			t.Errorf("%s: got %d items, link %q, want %v", query, len(got), link, want)
		}
	}
	res, _ := w.raw("GET", base+"?per_page=2", "")
	next := linkOf(res.Header.Get("Link"), "next")
	if !strings.Contains(next, fmt.Sprintf("/repositories/%d/issues/", w.repo.ID)) {
		t.Errorf("next: got %q, want it by the repository's number", next)
	}
	if got := get[[]any](w, next); len(got) != 2 {
		t.Errorf("followed: got %d comments, want 2", len(got))
	}
}
