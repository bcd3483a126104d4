package githubtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func TestCommitStatuses(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	_, sha := w.open(w.ana, "topic")
	state := func() string {
		return must[*github.CombinedStatus](t)(w.client.Repositories.GetCombinedStatus(t.Context(), "acme", "widget", sha, nil)).GetState()
	}
	set := func(context, state string) {
		must[*github.RepoStatus](t)(w.client.Repositories.CreateStatus(t.Context(), "acme", "widget", sha, &github.RepoStatus{
			State: &state, Context: &context, Description: github.String("because"), TargetURL: github.String("https://gate.example/1"),
		}))
	}
	if got := state(); got != "pending" {
		t.Errorf("none: got %s, want pending", got)
	}
	set("gate", "pending")
	set("gate", "success")
	if got := state(); got != "success" {
		t.Errorf("newest of one context: got %s", got)
	}
	set("other", "pending")
	if got := state(); got != "pending" {
		t.Errorf("one pending: got %s", got)
	}
	set("third", "error")
	if got := state(); got != "failure" {
		t.Errorf("one error: got %s", got)
	}
	all := must[[]*github.RepoStatus](t)(w.client.Repositories.ListStatuses(t.Context(), "acme", "widget", sha, nil))
	if len(all) != 4 || all[0].GetContext() != "third" || all[0].GetCreator().GetType() != "Bot" {
		t.Errorf("list, newest first: got %v", all)
	}
	want := []forgetest.Status{
		{Kind: "status", Context: "third", State: "error", Description: "because", TargetURL: "https://gate.example/1"},
		{Kind: "status", Context: "other", State: "pending", Description: "because", TargetURL: "https://gate.example/1"},
		{Kind: "status", Context: "gate", State: "success", Description: "because", TargetURL: "https://gate.example/1"},
	}
	if diff := cmp.Diff(want, w.Statuses(w.repo, sha)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedStatuses(t *testing.T) {
	w := newTeam(t, githubtest.Options{RateLimit: 100_000})
	_, sha := w.open(w.ana, "topic")
	for name, row := range map[string]struct{ sha, body string }{
		"unknown commit": {strings.Repeat("0", 40), `{"state":"success"}`},
		"no state":       {sha, `{}`},
		"unknown state":  {sha, `{"state":"green"}`},
		"long text":      {sha, fmt.Sprintf(`{"state":"success","description":%q}`, strings.Repeat("x", 141))},
	} {
		if res, body := w.raw("POST", "/repos/acme/widget/statuses/"+row.sha, row.body); res.StatusCode != 422 {
			t.Errorf("%s: got %d %s, want 422", name, res.StatusCode, body)
		}
	}
	for range 1000 {
		if res, body := w.raw("POST", "/repos/acme/widget/statuses/"+sha, `{"state":"pending","context":"gate"}`); res.StatusCode != 201 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
	if res, body := w.raw("POST", "/repos/acme/widget/statuses/"+sha, `{"state":"success","context":"gate"}`); res.StatusCode != 422 || !strings.Contains(body, "maximum number") {
		t.Errorf("the 1001st: got %d %s, want 422", res.StatusCode, body)
	}
}

func TestCheckRuns(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	_, sha := w.open(w.ana, "topic")
	w.job(forgetest.JobSpec{Ref: "refs/heads/topic"})
	create := func(name, status string) *github.CheckRun {
		return must[*github.CheckRun](t)(w.client.Checks.CreateCheckRun(t.Context(), "acme", "widget", github.CreateCheckRunOptions{
			Name: name, HeadSHA: sha, Status: &status, ExternalID: github.String("request-1"), DetailsURL: github.String("https://gate.example/1"),
			Output: &github.CheckRunOutput{Title: github.String("Waiting"), Summary: github.String("for a maintainer")},
		}))
	}
	create("gate", "queued")
	second := create("gate", "in_progress")
	if second.GetStatus() != "in_progress" || second.Conclusion != nil || second.GetExternalID() != "request-1" || second.GetApp().GetID() != w.AppID() {
		t.Errorf("created: got %v", second)
	}
	done := must[*github.CheckRun](t)(w.client.Checks.UpdateCheckRun(t.Context(), "acme", "widget", second.GetID(), github.UpdateCheckRunOptions{
		Name: "gate", Conclusion: github.String("success"),
	}))
	if done.GetStatus() != "completed" || done.GetCompletedAt().IsZero() || done.GetOutput().GetSummary() != "for a maintainer" {
		t.Errorf("updated: got %v", done)
	}
	ids := func(query string) (out []int64) {
		for _, x := range get[struct {
			Runs []struct{ ID int64 } `json:"check_runs"`
		}](w, "/repos/acme/widget/commits/"+sha+"/check-runs"+query).Runs {
			out = append(out, x.ID)
		}
		return out
	}
	if got := ids(fmt.Sprintf("?check_name=gate&app_id=%d", w.AppID())); !slices.Equal(got, []int64{second.GetID()}) {
		t.Errorf("latest of a name: got %v", got)
	}
	for query, want := range map[string]int{"": 2, "?filter=all": 3, "?status=completed": 1, "?check_name=nothing": 0, "?app_id=15368": 1} {
		if got := ids(query); len(got) != want {
			t.Errorf("%s: got %v, want %d", query, got, want)
		}
	}
	want := forgetest.Status{Kind: "check", Context: "gate", State: "success", Description: "for a maintainer", TargetURL: "https://gate.example/1"}
	if got := w.Statuses(w.repo, sha); !slices.Contains(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	reopened := must[*github.CheckRun](t)(w.client.Checks.UpdateCheckRun(t.Context(), "acme", "widget", second.GetID(), github.UpdateCheckRunOptions{
		Name: "gate", Status: github.String("in_progress"),
	}))
	if reopened.Conclusion != nil || reopened.CompletedAt != nil {
		t.Errorf("set back: got %v", reopened)
	}
	for name, body := range map[string]string{
		"unknown commit":              fmt.Sprintf(`{"name":"gate","head_sha":%q}`, strings.Repeat("0", 40)),
		"no name":                     fmt.Sprintf(`{"head_sha":%q}`, sha),
		"completed without a verdict": fmt.Sprintf(`{"name":"gate","head_sha":%q,"status":"completed"}`, sha),
		"long summary":                fmt.Sprintf(`{"name":"gate","head_sha":%q,"output":{"title":"x","summary":%q}}`, sha, strings.Repeat("x", 65536)),
	} {
		if res, got := w.raw("POST", "/repos/acme/widget/check-runs", body); res.StatusCode != 422 {
			t.Errorf("%s: got %d %s, want 422", name, res.StatusCode, got)
		}
	}
}

func TestCommentsOverTheAPI(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	ctx, n := t.Context(), int(change.Number)
	made := must[*github.IssueComment](t)(w.client.Issues.CreateComment(ctx, "acme", "widget", n, &github.IssueComment{Body: github.String("Waiting for @bo")}))
	if made.GetUser().GetLogin() != "countersign[bot]" || made.GetUser().GetID() != w.GateAccount().ID {
		t.Errorf("created: got %v", made)
	}
	raw := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d", made.GetID()))
	if at(raw, "performed_via_github_app", "id") != float64(w.AppID()) {
		t.Errorf("the App's comment: got %v", raw["performed_via_github_app"])
	}
	must[*github.IssueComment](t)(w.client.Issues.EditComment(ctx, "acme", "widget", made.GetID(), &github.IssueComment{Body: github.String("Signed")}))
	human := w.AddComment(change, w.bo, "/countersign approve")
	behalf := w.AddCommentByApp(change, w.bo, "/countersign approve")
	got := w.Comments(change)
	if len(got) != 3 || got[0].Body != "Signed" || got[1].ID != human.ID || got[0].Author.Bot != true {
		t.Errorf("comments: got %+v", got)
	}
	for id, want := range map[int64]bool{human.ID: false, behalf.ID: true} {
		raw := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d", id))
		if (raw["performed_via_github_app"] != nil) != want {
			t.Errorf("comment %d: got App %v", id, raw["performed_via_github_app"])
		}
	}
	for i, want := range []int{201, 200} {
		res, _ := w.raw("POST", fmt.Sprintf("/repos/acme/widget/issues/comments/%d/reactions", human.ID), `{"content":"rocket"}`)
		if res.StatusCode != want {
			t.Errorf("reaction %d: got %d, want %d", i, res.StatusCode, want)
		}
	}
	w.React(human, w.cy, "eyes")
	if got := w.Reactions(human); !slices.Equal(got, []string{"rocket"}) {
		t.Errorf("the gate's reactions: got %v", got)
	}
	if got := get[[]any](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d/reactions?content=eyes", human.ID)); len(got) != 1 {
		t.Errorf("reactions by content: got %v", got)
	}
	if _, err := w.client.Issues.DeleteComment(ctx, "acme", "widget", made.GetID()); err != nil {
		t.Fatal(err)
	}
	if got := len(w.Comments(change)); got != 2 {
		t.Errorf("after deletion: got %d comments, want 2", got)
	}
	if got := get[[]any](w, fmt.Sprintf("/repos/acme/widget/issues/%d/comments?since=2199-01-01T00:00:00Z", n)); len(got) != 0 {
		t.Errorf("since: got %v", got)
	}
	for request, want := range map[string]int{
		fmt.Sprintf(`POST /issues/%d/comments {"body":" "}`, n):                            422,
		fmt.Sprintf(`POST /issues/%d/comments {"body":%q}`, n, strings.Repeat("x", 65537)): 422,
		`POST /issues/99/comments {"body":"x"}`:                                            404,
		`PATCH /issues/comments/99 {"body":"x"}`:                                           404,
		`DELETE /issues/comments/99 `:                                                      404,
		`GET /issues/comments/99/reactions `:                                               404,
		`POST /issues/comments/99/reactions {"content":"eyes"}`:                            404,
		fmt.Sprintf(`POST /issues/comments/%d/reactions {"content":"tada"}`, human.ID):     422,
		`POST /issues {"body":"no title"}`:                                                 422,
	} {
		parts := strings.SplitN(request, " ", 3)
		if res, body := w.raw(parts[0], "/repos/acme/widget"+parts[1], parts[2]); res.StatusCode != want {
			t.Errorf("%.60s: got %d %s, want %d", request, res.StatusCode, body, want)
		}
	}
}

func TestGatesIssue(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	issue := must[*github.Issue](t)(w.client.Issues.Create(t.Context(), "acme", "widget", &github.IssueRequest{Title: github.String("Release v1"), Body: github.String("waits")}))
	thread := forgetest.Change{Repository: w.repo, Number: int64(issue.GetNumber()), Issue: true}
	c := w.AddComment(thread, w.bo, "/countersign approve")
	if !c.Change.Issue || issue.IsPullRequest() || issue.GetUser().GetType() != "Bot" {
		t.Errorf("issue: got %v with %+v", issue, c)
	}
	if got := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d", c.ID)); !strings.HasSuffix(got["issue_url"].(string), fmt.Sprintf("/issues/%d", thread.Number)) {
		t.Errorf("issue_url: got %v", got["issue_url"])
	}
	if res, _ := w.raw("GET", fmt.Sprintf("/repos/acme/widget/pulls/%d", thread.Number), ""); res.StatusCode != 404 {
		t.Errorf("an issue as a pull request: got %d, want 404", res.StatusCode)
	}
}

func TestIssueLists(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.OpenIssue(w.repo, w.cy, "A bug", "It fails")
	change, _ := w.open(w.ana, "topic")
	w.Merge(change, w.bo, forgetest.Squash)
	must[*github.Issue](t)(w.client.Issues.Create(t.Context(), "acme", "widget", &github.IssueRequest{Title: github.String("Release v1")}))
	for query, want := range map[string]string{
		"":                             "Release v1, A bug",
		"?state=all":                   "Release v1, Add topic, A bug",
		"?state=closed":                "Add topic",
		"?creator=countersign[bot]":    "Release v1",
		"?direction=asc":               "A bug, Release v1",
		"?sort=updated&state=all":      "Release v1, Add topic, A bug",
		"?since=2199-01-01T00:00:00Z":  "",
		"?labels=release":              "",
		"?state=all&per_page=1&page=2": "Add topic",
	} {
		var titles []string
		for _, i := range get[[]struct{ Title string }](w, "/repos/acme/widget/issues"+query) {
			titles = append(titles, i.Title)
		}
		if got := strings.Join(titles, ", "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if res, _ := w.raw("GET", "/repos/acme/widget/issues?since=yesterday", ""); res.StatusCode != 422 {
		t.Errorf("since: got %d, want 422", res.StatusCode)
	}
}
