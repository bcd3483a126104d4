package githubtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

const hookSecret = "a secret of the hook"

// hook keeps what it receives.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{status: http.StatusAccepted}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil {
			h.got = append(h.got, received{r.Header.Clone(), body})
		}
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) take() []received {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.got
	h.got = nil
	return out
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// names are "event" or "event.action" of deliveries.
func names(got []received) (out []string) {
	for _, r := range got {
		var body struct{ Action string }
		if err := json.Unmarshal(r.body, &body); err != nil {
			panic(err)
		}
		name := r.header.Get("X-GitHub-Event")
		if body.Action != "" {
			name += "." + body.Action
		}
		out = append(out, name)
	}
	return out
}

func TestEventsOfEachAct(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	var change, issue forgetest.Change
	var comment forgetest.Comment
	var job forgetest.Job
	var head string
	for _, row := range []struct {
		act  string
		do   func()
		want string
	}{
		{"create a branch", func() { head = w.push(w.ana, "topic", "a") }, "create push"},
		{"push", func() { head = w.push(w.ana, "topic", "b", head) }, "push"},
		{"tag", func() { w.Push(w.repo, w.ana, "refs/tags/v1", head) }, "create push"},
		{"delete a tag", func() { w.DeleteRef(w.repo, w.ana, "refs/tags/v1") }, "delete push"},
		{"open", func() {
			change = w.OpenChange(w.repo, w.ana, forgetest.ChangeSpec{Title: "Topic", Source: "topic"})
		}, "pull_request.opened"},
		{"push to its branch", func() { head = w.push(w.bo, "topic", "c", head) }, "push pull_request.synchronize"},
		{"approve", func() { w.Review(change, w.bo, forgetest.ReviewApprove) }, "pull_request_review.submitted"},
		{"take back", func() { w.Review(change, w.bo, forgetest.ReviewDismiss) }, "pull_request_review.dismissed"},
		{"comment", func() { comment = w.AddComment(change, w.bo, "hello") }, "issue_comment.created"},
		{"edit", func() { w.EditComment(comment, w.bo, "hello again") }, "issue_comment.edited"},
		{"delete", func() { w.DeleteComment(comment, w.bo) }, "issue_comment.deleted"},
		{"merge", func() { w.Merge(change, w.bo, forgetest.Squash) }, "pull_request.closed push"},
		{"delete the branch", func() { w.DeleteRef(w.repo, w.ana, "refs/heads/topic") }, "delete push"},
		{"open an issue", func() { issue = w.OpenIssue(w.repo, w.cy, "Bug", "It fails") }, "issues.opened"},
		{"comment on it", func() { w.AddComment(issue, w.cy, "too") }, "issue_comment.created"},
		{"protect", func() { w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main"}) }, "branch_protection_rule.created"},
		{"protect again", func() { w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1}) }, "branch_protection_rule.edited"},
		{"unprotect", func() { w.Unprotect(w.repo, "refs/heads/main") }, "branch_protection_rule.deleted"},
		{"protect tags", func() { w.Protect(w.repo, forgetest.Protection{Ref: "refs/tags/v*"}) }, "repository_ruleset.created"},
		{"unprotect tags", func() { w.Unprotect(w.repo, "refs/tags/v*") }, "repository_ruleset.deleted"},
		{"add a member", func() { w.SetRole(w.repo, w.dan, forgetest.RoleWrite) }, "member.added"},
		{"change a member", func() { w.SetRole(w.repo, w.dan, forgetest.RoleAdmin) }, "member.edited"},
		{"remove a member", func() { w.SetRole(w.repo, w.dan, forgetest.RoleNone) }, "member.removed"},
		{"remove nobody", func() { w.SetRole(w.repo, w.dan, forgetest.RoleNone) }, ""},
		{"start a job", func() {
			job = w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana})
		}, "workflow_run.requested workflow_job.in_progress"},
		{"finish it", func() { w.FinishJob(job) }, "workflow_job.completed workflow_run.completed"},
		{"check run", func() {
			w.raw("POST", "/repos/acme/widget/check-runs", fmt.Sprintf(`{"name":"gate","head_sha":%q,"conclusion":"success"}`, head))
		}, "check_run.created"},
		{"another repository", func() { w.AddRepository("acme/gadget") }, "installation_repositories.added"},
		{"another owner", func() { w.AddRepository("other/gadget") }, "installation.created"},
		{"suspend", func() { w.Suspend(w.repo, true) }, "installation.suspend"},
		{"unsuspend", func() { w.Suspend(w.repo, false) }, "installation.unsuspend"},
		{"rename", func() { w.RenameRepository(w.repo, "gizmo") }, "repository.renamed"},
		{"transfer", func() { w.TransferRepository(w.repo, "umbrella") }, "repository.transferred"},
		{"no App any more", func() { w.push(w.ana, "silent", "z") }, ""},
	} {
		row.do()
		w.Settle()
		got := h.take()
		if joined := strings.Join(names(got), " "); joined != row.want {
			t.Errorf("%s: got %q, want %q", row.act, joined, row.want)
		}
		for _, r := range got {
			w.checkDelivery(r)
		}
	}
}

// checkDelivery holds one delivery against what GitHub documents of all.
func (w *team) checkDelivery(r received) {
	w.t.Helper()
	event := r.header.Get("X-GitHub-Event")
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(r.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.header.Get("X-Hub-Signature-256") != want {
		w.t.Errorf("%s: got signature %q, want %q", event, r.header.Get("X-Hub-Signature-256"), want)
	}
	for name, want := range map[string]string{
		"X-GitHub-Hook-Installation-Target-ID": fmt.Sprint(w.AppID()), "X-GitHub-Hook-Installation-Target-Type": "integration",
		"Content-Type": "application/json",
	} {
		if got := r.header.Get(name); got != want {
			w.t.Errorf("%s: got %s %q, want %q", event, name, got, want)
		}
	}
	if len(r.header.Get("X-GitHub-Delivery")) != 36 || r.header.Get("X-GitHub-Hook-ID") == "" {
		w.t.Errorf("%s: got headers %v", event, r.header)
	}
	var body struct {
		Repository, Installation, Sender struct{ ID int64 }
	}
	if err := json.Unmarshal(r.body, &body); err != nil || body.Installation.ID == 0 || body.Sender.ID == 0 || body.Repository.ID == 0 {
		w.t.Errorf("%s: got %+v, %v, want repository, installation and sender", event, body, err)
	}
	if _, err := github.ParseWebHook(event, r.body); err != nil && event != "repository_ruleset" { // go-github v62 lacks that one
		w.t.Errorf("%s: go-github: %v", event, err)
	}
}

func TestPayloadsSayWhatHappened(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	root := w.Head(w.repo, "refs/heads/main")
	sha := w.push(w.ana, "main", "a")
	change, _ := w.open(w.bo, "topic")
	comment := w.AddComment(change, w.bo, "first")
	w.EditComment(comment, w.ana, "second")
	w.Settle()
	parsed := map[string]any{}
	for _, r := range h.take() {
		event, err := github.ParseWebHook(r.header.Get("X-GitHub-Event"), r.body)
		if err != nil {
			t.Fatal(err)
		}
		if push, is := event.(*github.PushEvent); is && push.GetRef() != "refs/heads/main" {
			continue
		}
		parsed[r.header.Get("X-GitHub-Event")] = event
	}
	push, _ := parsed["push"].(*github.PushEvent)
	if push.GetBefore() != root || push.GetAfter() != sha || push.GetForced() || len(push.Commits) != 1 ||
		push.GetPusher().GetName() != "ana" || push.GetSender().GetID() != w.ana.ID || push.GetInstallation().GetID() != w.InstallationID(w.repo) {
		t.Errorf("push: got %v", push)
	}
	edit, _ := parsed["issue_comment"].(*github.IssueCommentEvent)
	if edit.GetAction() != "edited" || edit.GetComment().GetBody() != "second" || edit.GetChanges().GetBody().GetFrom() != "first" ||
		edit.GetSender().GetID() != w.ana.ID || edit.GetComment().GetUser().GetID() != w.bo.ID || !edit.GetIssue().IsPullRequest() {
		t.Errorf("edit: got %v", edit)
	}
	opened, _ := parsed["pull_request"].(*github.PullRequestEvent)
	if int64(opened.GetNumber()) != change.Number || opened.GetPullRequest().GetHead().GetRef() != "topic" || opened.GetOrganization().GetLogin() != "acme" {
		t.Errorf("pull request: got %v", opened)
	}
}

func TestDeliveriesCanBeListedAndSentAgain(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	h.answer(http.StatusInternalServerError)
	change, _ := w.open(w.ana, "topic")
	w.Settle()
	h.answer(http.StatusAccepted)
	w.AddComment(change, w.bo, "fine")
	w.Settle()
	lost := h.take()
	client := w.as(appJWT(w))
	all := must[[]*github.HookDelivery](t)(client.Apps.ListHookDeliveries(t.Context(), &github.ListCursorOptions{PerPage: 2}))
	if len(all) != 2 || all[0].GetEvent() != "issue_comment" || all[0].GetStatusCode() != 202 || all[1].GetStatusCode() != 500 {
		t.Fatalf("newest two: got %v", all)
	}
	failed := getAs[[]struct {
		ID   int64
		GUID string
	}](w, "/app/hook/deliveries?status=failure&per_page=1", appJWT(w))
	if len(failed) != 1 || failed[0].ID != all[1].GetID() {
		t.Fatalf("failed: got %v", failed)
	}
	res, _ := w.raw("GET", "/app/hook/deliveries?per_page=1", "", "Authorization", "Bearer "+appJWT(w))
	next := getAs[[]struct{ ID int64 }](w, strings.TrimPrefix(linkOf(res.Header.Get("Link"), "next"), w.APIURL()), appJWT(w))
	if len(next) != 1 || next[0].ID != all[1].GetID() {
		t.Errorf("by cursor: got %v, want %d", next, all[1].GetID())
	}
	one := must[*github.HookDelivery](t)(client.Apps.GetHookDelivery(t.Context(), failed[0].ID))
	if one.Request == nil || one.Request.GetHeaders()["X-GitHub-Delivery"] != failed[0].GUID {
		t.Errorf("one: got %v", one)
	}
	// go-github takes the 202 for an error, as of any AcceptedError.
	if _, _, err := client.Apps.RedeliverHookDelivery(t.Context(), failed[0].ID); err != nil && !isAccepted(err) {
		t.Fatal(err)
	}
	w.Settle()
	again := h.take()
	at := slices.IndexFunc(lost, func(r received) bool { return r.header.Get("X-GitHub-Delivery") == failed[0].GUID })
	if len(again) != 1 || again[0].header.Get("X-GitHub-Delivery") != failed[0].GUID || string(again[0].body) != string(lost[at].body) ||
		again[0].header.Get("X-Hub-Signature-256") != lost[at].header.Get("X-Hub-Signature-256") {
		t.Errorf("sent again: got %v", names(again))
	}
	for path, want := range map[string]int{"/app/hook/deliveries/1": 404, "/app/hook/deliveries?cursor=x": 422} {
		if res, _ := w.raw("GET", path, "", "Authorization", "Bearer "+appJWT(w)); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
	}
	h.Close()
	w.AddComment(change, w.bo, "nobody there")
	w.Settle()
	all = must[[]*github.HookDelivery](t)(client.Apps.ListHookDeliveries(t.Context(), nil))
	if all[0].GetStatusCode() != 0 || all[0].GetStatus() != "failed to connect to host" {
		t.Errorf("no receiver: got %v", all[0])
	}
}

func isAccepted(err error) bool {
	_, is := err.(*github.AcceptedError) //nolint:errorlint // go-github returns the bare type
	return is
}
