package github_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// rewriting replaces text in GitHub's answers.
type rewriting struct {
	next     http.RoundTripper
	old, new string
}

func (r rewriting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	raw, err := readAll(resp)
	refill(resp, bytes.ReplaceAll(raw, []byte(r.old), []byte(r.new)))
	return resp, err
}

// rewrite makes w's adapter see old as new.
func (w *team) rewrite(old, new string) {
	w.t.Helper()
	client := quick(w.t, w.Server)
	client.Transport = rewriting{client.Transport, old, new}
	w.forge = connectWith(w.t, w.Server, client)
}

func TestMergesOfOtherKinds(t *testing.T) {
	t.Run("the merge queue merges at the reviewed head", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		merge := w.Merge(change, w.bo, forgetest.MergeCommit)
		w.rewrite(`"pr_merge"`, `"merge_queue_merge"`)
		c := numbered(t, w.changes(), change.Number)
		if !byForge(c, merge) {
			t.Errorf("merge commit: expected it made by the forge, got %+v", c)
		}
	})
	t.Run("an unsigned merge is proved by the log alone", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		merge := w.Merge(change, w.bo, forgetest.MergeCommit)
		w.rewrite(`"wasSignedByGitHub":true`, `"wasSignedByGitHub":false`)
		if c := numbered(t, w.changes(), change.Number); !byForge(c, merge) {
			t.Error("merge commit: expected the log to prove it (servers that sign nothing)")
		}
	})
	t.Run("unsigned and not in the log, it was pushed", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		merge := w.Merge(change, w.bo, forgetest.MergeCommit)
		w.rewrite(`"wasSignedByGitHub":true`, `"wasSignedByGitHub":false`)
		defer w.Fail(forgetest.Fault{Path: "/activity", Status: 404})()
		direct := headed(t, w.changes(), merge)
		if direct.Commits[0].ByForge || !direct.Pushers.IsUnknown() {
			t.Errorf("merge commit: got %+v", direct)
		}
	})
	t.Run("a fast forward by hand makes nothing", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, head := w.open(w.ana, "topic")
		w.Push(w.repo, w.bo, mainRef, head)
		all := w.changes()
		c := numbered(t, all, change.Number)
		if len(all) != 1 || byForge(c, head) {
			t.Errorf("changes: got %+v", all)
		}
		authors(t, c, []forgetest.Person{w.ana}, []forgetest.Person{w.bo})
	})
}

func TestClassicLists(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for _, row := range []struct {
		name, body string
		push       []string
		bypass     []string
	}{
		{
			"nobody pushes but by pull request", `"required_pull_request_reviews":{"required_approving_review_count":1}`,
			[]string{"nobody"}, []string{},
		},
		{
			"those who may bypass pull requests",
			`"required_pull_request_reviews":{"required_approving_review_count":1,"bypass_pull_request_allowances":{"users":[{"login":"ana"}],"teams":[{"slug":"ops"}],"apps":[{"slug":"bot"}]}}`,
			[]string{"@ana", "app bot", "team ops"}, []string{"@ana", "app bot", "team ops"},
		},
		{"a list of who may push", `"restrictions":{"users":[{"login":"ana"}],"teams":[],"apps":[]}`, []string{"@ana"}, []string{}},
		{"an empty list of who may push", `"restrictions":{"users":[],"teams":[],"apps":[]}`, []string{"nobody"}, []string{}},
		{"no list", `"lock_branch":{"enabled":false}`, []string{"everyone with write"}, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer w.Fail(forgetest.Fault{
				Path: "/branches/main/protection", Status: 200,
				Body: `{"enforce_admins":{"enabled":true},"allow_force_pushes":{"enabled":false},` + row.body + `}`,
			})()
			p := w.protection()
			if got := known(t, "push", p.Push); !slices.Equal(got, row.push) {
				t.Errorf("push: got %v, want %v", got, row.push)
			}
			if got := known(t, "bypass", p.Bypass); !slices.Equal(got, row.bypass) {
				t.Errorf("bypass: got %v, want %v", got, row.bypass)
			}
		})
	}
}

func TestTokenThatIsNotMinted(t *testing.T) {
	for _, status := range []int{401, 404, 422, 500} {
		w := newTeam(t, githubtest.Options{})
		restore := w.Fail(forgetest.Fault{Path: "/access_tokens", Status: status})
		f := w.evidence().Repository
		_, err := w.forge.PolicyFile(t.Context(), w.id())
		restore()
		if !f.IsUnknown() || !strings.Contains(f.Why(), fmt.Sprint("no installation token: ", status)) {
			t.Errorf("mint answers %d: got %+v, want unknown, and never absent", status, f)
		}
		if gate.CodeOf(err) != gate.CodePolicyUnreadable {
			t.Errorf("mint answers %d: got %v, want %s", status, err, gate.CodePolicyUnreadable)
		}
	}
}

func TestRateLimit(t *testing.T) {
	w := newTeam(t, githubtest.Options{RateLimit: 2})
	_ = w.evidence() // uses the limit up
	e := w.evidence()
	if b, ok := e.Branch.Get(); ok && !b.Protection.IsUnknown() { // GraphQL has a limit of its own
		t.Errorf("under a used-up limit: got protection %+v (attack 71)", b.Protection)
	}
	_, err := w.forge.Run(t.Context(), gate.Workload{Repository: w.id(), RunID: 1, RunAttempt: 1, Event: "push"})
	if gate.CodeOf(err) != gate.CodeForgeUnavailable || gate.KindOf(err) != gate.Unavailable {
		t.Errorf("run: got %v, want %s", err, gate.CodeForgeUnavailable)
	}
}

func TestReserve(t *testing.T) {
	w := newTeam(t, githubtest.Options{RateLimit: 200})
	change, _ := w.open(w.ana, "topic")
	said := w.AddComment(change, w.bo, "/countersign approve")
	w.Merge(change, w.cy, forgetest.MergeCommit)
	r, needs := w.request(mainRef), gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{w.root}}
	var err error
	for range 200 {
		if _, err = w.forge.Run(t.Context(), gate.Workload{Repository: w.id(), RunID: 1, RunAttempt: 1, Event: "push"}); gate.KindOf(err) == gate.Unavailable {
			break
		}
	}
	if !strings.Contains(fmt.Sprint(err), "kept for final checks until") {
		t.Fatalf("ordinary calls: got %v, want them stopped before the limit (attack 71)", err)
	}
	before := w.Requests()
	e := w.forge.Evidence(t.Context(), r, needs)
	// GraphQL has a limit of its own.
	if b, _ := e.Branch.Get(); !b.Protection.IsUnknown() || w.Requests() > before+2 {
		t.Errorf("ordinary reading: got protection %+v after %d calls, want it put off", b.Protection, w.Requests()-before)
	}
	needs.Comments = []gate.CommentRef{w.ref(said)}
	if e := w.forge.Evidence(t.Context(), r, needs); !e.Changes.IsKnown() || !e.Comments[w.ref(said)].IsKnown() || e.Branch.Why() != "" ||
		known(t, "branch", e.Branch).Protection.IsUnknown() {
		t.Errorf("final check: got changes %s, branch %s, want them read", e.Changes.Why(), e.Branch.Why())
	}
}

func TestCommentDeletedSinceItWasHeard(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	said := w.AddComment(change, w.bo, "/countersign approve")
	w.Merge(change, w.cy, forgetest.MergeCommit)
	known(t, "comment", w.forge.Comment(t.Context(), w.ref(said)))
	w.changes()
	w.DeleteComment(said, w.bo)
	needs := gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{w.root}, Comments: []gate.CommentRef{w.ref(said)}}
	e := w.forge.Evidence(t.Context(), w.request(mainRef), needs)
	if !e.Changes.IsKnown() || !e.Comments[w.ref(said)].IsAbsent() {
		t.Errorf("got changes %s, comment known=%t %s; want it absent alone (attack 46)",
			e.Changes.Why(), e.Comments[w.ref(said)].IsKnown(), e.Comments[w.ref(said)].Why())
	}
}

func TestPostEdges(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	thread := gate.Thread{Number: change.Number}
	post := func(p gate.Post) (string, error) {
		p.Repository = w.id()
		return w.forge.Post(t.Context(), p)
	}
	t.Run("a sticky comment that somebody deleted is made again", func(t *testing.T) {
		id, err := post(gate.Post{Target: gate.PostComment, Request: "r1", Body: "one", Thread: thread})
		if err != nil {
			t.Fatal(err)
		}
		w.DeleteComment(w.Comments(change)[0], w.ana)
		again, err := post(gate.Post{Target: gate.PostComment, Request: "r1", Body: "two", Thread: thread, Known: id})
		if err != nil || again == id || len(w.Comments(change)) != 1 {
			t.Errorf("got %q, %v", again, err)
		}
	})
	t.Run("where GitHub takes no more statuses the newest may do", func(t *testing.T) {
		p := gate.Post{Target: gate.PostStatus, Commit: w.root, Context: "full", State: gate.PostPending, Title: "waiting", URL: "https://gate.example/r1"}
		id, err := post(p)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Fail(forgetest.Fault{Path: "/statuses/", Method: http.MethodPost, Status: 422})()
		if again, err := post(p); err != nil || again != id {
			t.Errorf("the same: got %q, %v; want %q", again, err, id)
		}
		p.State = gate.PostSuccess
		if again, err := post(p); err == nil {
			t.Errorf("another: expected an error, got %q", again)
		}
	})
	t.Run("a check run that is gone is made again", func(t *testing.T) {
		p := gate.Post{Target: gate.PostCheck, Key: "k", Commit: w.root, Context: "c", State: gate.PostFailure, Title: "denied", Body: "why", Known: "4711"}
		if id, err := post(p); err != nil || id == "4711" {
			t.Errorf("got %q, %v", id, err)
		}
	})
	t.Run("text too long for GitHub is cut", func(t *testing.T) {
		_, err := post(gate.Post{Target: gate.PostComment, Request: "r2", Body: strings.Repeat("é", 70000), Thread: thread})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a key cannot end the hidden marker", func(t *testing.T) {
		p := gate.Post{Target: gate.PostReply, Key: "--><script>\n---", Body: "hello", Thread: thread}
		first, err := post(p)
		if err != nil {
			t.Fatal(err)
		}
		second, err := post(p)
		all := w.Comments(change)
		last := all[len(all)-1].Body
		if err != nil || first != second || strings.Contains(last, "<script>") || strings.Count(last, "-->") != 1 {
			t.Errorf("got %q then %q, %v: %q", first, second, err, last)
		}
	})
	for name, p := range map[string]gate.Post{
		"no such target":              {Target: "fax"},
		"a status without SHA":        {Target: gate.PostStatus, Commit: "main", Context: "c", State: gate.PostPending},
		"a check without SHA":         {Target: gate.PostCheck, Commit: "main", Context: "c", State: gate.PostPending},
		"a comment on nothing":        {Target: gate.PostComment, Request: "r", Body: "x"},
		"a reply to no thread":        {Target: gate.PostReply, Key: "k", Body: "x", Thread: gate.Thread{Number: 4711}},
		"a reaction of no kind":       {Target: gate.PostReaction, Comment: gate.CommentRef{ID: w.AddComment(change, w.bo, "x").ID}, Reaction: "shrug"},
		"a commit that is not":        {Target: gate.PostStatus, Commit: strings.Repeat("0", 40), Context: "c", State: gate.PostPending},
		"a state that GitHub has not": {Target: gate.PostStatus, Commit: w.root, Context: "c", State: "maybe"},
	} {
		if id, err := post(p); err == nil {
			t.Errorf("%s: expected an error, got %q", name, id)
		}
	}
}

func TestPolicyFileOfAnotherKind(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for name, body := range map[string]string{
		"a symlink":   `{"type":"symlink","path":".countersign.yaml","target":"/etc/passwd","size":11}`,
		"a submodule": `{"type":"submodule","path":".countersign.yaml","size":0}`,
		"too large":   `{"type":"file","path":".countersign.yaml","encoding":"none","content":"","size":2000000}`,
		"cut":         `{"type":"file","path":".countersign.yaml","encoding":"base64","content":"dmVyc2lvbjogMQ==","size":99}`,
		"another":     `{"type":"file","path":"README.md","encoding":"base64","content":"","size":0}`,
		"a folder":    `[]`,
	} {
		restore := w.Fail(forgetest.Fault{Path: "/contents/", Status: 200, Body: body})
		f, err := w.forge.PolicyFile(t.Context(), w.id())
		restore()
		if gate.CodeOf(err) != gate.CodePolicyUnreadable || f.Content != nil {
			t.Errorf("%s: got %q, %v; want %s", name, f.Content, err, gate.CodePolicyUnreadable)
		}
	}
}

func TestPolicyFileWhoseTextIsNotItsBytes(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	const text = "version: 1 # caf\xe9\n" // Latin-1: GraphQL has no text for it, REST has the bytes
	for name, content := range map[string]string{"UTF-8": policyText, "other bytes": text} {
		w.Push(w.repo, w.ana, mainRef, w.Commit(w.repo, forgetest.CommitSpec{
			Author: w.ana, Message: name, Files: map[string][]byte{".countersign.yaml": []byte(content)},
		}))
		f, err := w.forge.PolicyFile(t.Context(), w.id())
		if err != nil || string(f.Content) != content || f.Commit != w.Head(w.repo, mainRef) {
			t.Errorf("%s: got %q at %s, %v", name, f.Content, f.Commit, err)
		}
	}
	w.rewrite(`"text":"version: 1`, `"text":"version: 2`)
	w.Push(w.repo, w.ana, mainRef, w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Message: "Again", Files: map[string][]byte{".countersign.yaml": []byte(policyText)},
	}))
	if f, err := w.forge.PolicyFile(t.Context(), w.id()); err != nil || string(f.Content) != policyText {
		t.Errorf("text that does not hash to its blob: got %q, %v; want the file by REST", f.Content, err)
	}
}
