package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

func TestForgeMadeCommits(t *testing.T) {
	for name, method := range map[string]forgetest.MergeMethod{
		"merge": forgetest.MergeCommit, "squash": forgetest.Squash, "rebase": forgetest.Rebase,
	} {
		t.Run(name+" by the forge, its log read", func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			change, head := w.open(w.ana, "topic")
			if method == forgetest.Rebase {
				w.push(w.cy, "main", "Meanwhile")
			}
			merge := w.Merge(change, w.bo, method)
			c := numbered(t, w.changes(), change.Number)
			if c.Head != head || !byForge(c, merge) || byForge(c, head) {
				t.Errorf("change: got %+v, want %s made by the forge", c, gate.ShortCommit(merge))
			}
			authors(t, c, []forgetest.Person{w.ana}, []forgetest.Person{w.bo, w.cy})
		})
		t.Run(name+" by the forge, its log unreadable", func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			change, _ := w.open(w.ana, "topic")
			if method == forgetest.Rebase {
				w.push(w.cy, "main", "Meanwhile")
			}
			merge := w.Merge(change, w.bo, method)
			defer w.Fail(forgetest.Fault{Path: "/activity", Status: 404})()
			all := w.changes()
			c := numbered(t, all, change.Number)
			if !c.Pushers.IsUnknown() {
				t.Errorf("pushers: expected unknown, got %+v", c.Pushers)
			}
			if method != forgetest.Rebase {
				if !byForge(c, merge) {
					t.Error("merge commit: expected GitHub's signature to prove it")
				}
				return
			}
			// Nothing proves who made a rebased commit: it counts as pushed by hand.
			authors(t, headed(t, all, merge), []forgetest.Person{w.ana, w.bo}, nil)
		})
	}
}

func TestEvilMergeIsItsOwnChange(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, head := w.open(w.ana, "topic")
	w.Review(change, w.bo, forgetest.ReviewApprove)
	evil := w.push(w.cy, "main", "Merge topic, and more", w.root, head)
	all := w.changes()
	if len(all) != 2 {
		t.Fatalf("changes: got %d, want the pull request and the merge", len(all))
	}
	c := numbered(t, all, change.Number)
	authors(t, c, []forgetest.Person{w.ana}, []forgetest.Person{w.bo, w.cy})
	direct := numbered(t, all, 0)
	if direct.Head != evil {
		t.Errorf("direct push: got %s, want the merge", direct.Head)
	}
	authors(t, direct, []forgetest.Person{w.cy}, []forgetest.Person{w.bo})
}

func TestForkPushers(t *testing.T) {
	for _, row := range []struct {
		name       string
		visibility string
		known      bool
	}{{"a public fork's log can be read", "public", true}, {"a private fork's cannot", "private", false}} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{TokensReadPublic: true}})
			w.SetVisibility(w.repo, row.visibility)
			fork := w.Fork(w.repo, w.dan, "dan/app")
			sha := w.Commit(fork, forgetest.CommitSpec{Author: w.dan, Message: "From outside", Parents: []string{w.root}, Files: map[string][]byte{"d": nil}})
			w.Push(fork, w.dan, "refs/heads/topic", sha)
			change := w.OpenChange(w.repo, w.dan, forgetest.ChangeSpec{Title: "From a fork", Source: "topic", From: fork})
			w.Merge(change, w.bo, forgetest.Squash)
			c := numbered(t, w.changes(), change.Number)
			pushers := known(t, "pushers", c.Pushers)
			if len(pushers) != 1 || pushers[0].ID != account(w.dan) {
				t.Errorf("pushers: got %+v, want dan alone", pushers)
			}
			if unseen := unseenPusher(c); unseen == row.known {
				t.Errorf("a pusher that nobody saw: got %t, want %t", unseen, !row.known)
			}
		})
	}
}

// unseenPusher reports whether the change is marked as pushed to by somebody unknown.
func unseenPusher(c gate.Change) bool {
	for _, commit := range c.Commits {
		for _, p := range commit.People {
			if p.Part == gate.PartPusher && p.Account.IsAbsent() && commit.SHA == c.Head {
				return true
			}
		}
	}
	return false
}

// TestUnreadableForks are pull requests whose fork GitHub does not show: they wait for one
// more approver, and not for ever (attack 34).
func TestUnreadableForks(t *testing.T) {
	fromFork := func(w *team) (forgetest.Repository, forgetest.Change) {
		fork := w.Fork(w.repo, w.dan, "dan/app")
		sha := w.Commit(fork, forgetest.CommitSpec{Author: w.dan, Message: "From outside", Parents: []string{w.root}, Files: map[string][]byte{"d": nil}})
		w.Push(fork, w.dan, "refs/heads/topic", sha)
		return fork, w.OpenChange(w.repo, w.dan, forgetest.ChangeSpec{Title: "From a fork", Source: "topic", From: fork})
	}
	t.Run("who pushed by force is known from the pull request", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		fork, change := fromFork(w)
		w.Push(fork, w.bo, "refs/heads/topic", w.Commit(fork, forgetest.CommitSpec{
			Author: w.dan, Message: "Again", Parents: []string{w.root}, Files: map[string][]byte{"e": nil},
		}))
		w.Merge(change, w.cy, forgetest.Squash)
		c := numbered(t, w.changes(), change.Number)
		authors(t, c, []forgetest.Person{w.dan, w.bo}, []forgetest.Person{w.ana, w.cy})
		if !unseenPusher(c) {
			t.Error("expected the mark of a pusher that nobody saw")
		}
	})
	t.Run("the fork was deleted", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		fork, change := fromFork(w)
		w.Merge(change, w.cy, forgetest.MergeCommit)
		w.DeleteRepository(fork)
		if c := numbered(t, w.changes(), change.Number); !unseenPusher(c) || !c.Pushers.IsKnown() {
			t.Errorf("change: expected its pushers known and marked, got %+v", c)
		}
	})
	t.Run("a fork that does not answer now is asked again", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		_, change := fromFork(w)
		w.Merge(change, w.cy, forgetest.MergeCommit)
		defer w.Fail(forgetest.Fault{Path: "/dan/app/activity", Status: 502})()
		if c := numbered(t, w.changes(), change.Number); !c.Pushers.IsUnknown() || c.Pushers.Why() == "" || unseenPusher(c) {
			t.Errorf("change: expected its pushers unknown, got %+v", c)
		}
	})
	t.Run("a fork behind a rate limit is asked again", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		_, change := fromFork(w)
		w.Merge(change, w.cy, forgetest.MergeCommit)
		defer w.Fail(forgetest.Fault{Path: "/dan/app/activity", Status: 403, Header: map[string]string{"Retry-After": "3600"}})()
		if c := numbered(t, w.changes(), change.Number); !c.Pushers.IsUnknown() {
			t.Errorf("change: expected its pushers unknown, got %+v", c)
		}
	})
	t.Run("a timeline that is not read leaves the pushers unknown", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		_, change := fromFork(w)
		w.Merge(change, w.cy, forgetest.MergeCommit)
		client := quick(t, w.Server)
		client.Transport = &editing{next: client.Transport, edits: edits(func(_ string, body map[string]any) {
			set(body, true, "data", "repository", "pull", "timelineItems", "pageInfo", "hasNextPage")
		})}
		w.forge = connectWith(t, w.Server, client)
		if c := numbered(t, w.changes(), change.Number); !c.Pushers.IsUnknown() || unseenPusher(c) {
			t.Errorf("change: expected its pushers unknown, got %+v", c)
		}
	})
}

func TestPushersOfABranchMadeAgain(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.push(w.cy, "topic", "Another matter, long merged", w.root)
	w.DeleteRef(w.repo, w.cy, "refs/heads/topic")
	change, head := w.open(w.ana, "topic")
	w.Push(w.repo, w.bo, "refs/heads/topic", w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Message: "More", Parents: []string{head}, Files: map[string][]byte{"more": nil},
	}))
	w.Merge(change, w.dan, forgetest.MergeCommit)
	w.DeleteRef(w.repo, w.bo, "refs/heads/topic")
	c := numbered(t, w.changes(), change.Number)
	authors(t, c, []forgetest.Person{w.ana, w.bo}, []forgetest.Person{w.cy, w.dan})
}

// TestCountsThatDoNotAddUp cuts lists short without a word (attack 38). Where GraphQL's
// totals do not add up REST is asked, and where REST's do not either nothing is known.
func TestCountsThatDoNotAddUp(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	w.Review(change, w.bo, forgetest.ReviewApprove)
	w.Merge(change, w.bo, forgetest.MergeCommit)
	w.push(w.cy, "main", "Direct")
	want := asTree(t, gate.Evidence{Changes: w.evidence().Changes})
	noSince := func(_ string, body map[string]any) { set(body, nil, "data", "repository", "since") }
	firstCommit := []any{"data", "repository", "head", "history", "nodes", 0}
	// A pull request comes on the chance that it is wanted, or because it is.
	inPulls := func(body map[string]any, value any, path ...any) {
		set(body, value, append([]any{"data", "repository", "p1"}, path...)...)
		set(body, value, append([]any{"data", "repository", "recent", "nodes", 0}, path...)...)
	}
	for name, row := range map[string]struct {
		edits []func(path string, body map[string]any)
		known bool // the same changes, by REST
	}{
		"a baseline that GraphQL does not have": {edits: edits(noSince), known: true},
		"a history that counts one more": {edits: edits(func(_ string, body map[string]any) {
			set(body, 9, "data", "repository", "head", "history", "totalCount")
		}), known: true},
		"a history with a commit left out": {edits: edits(func(_ string, body map[string]any) {
			cut(body, "data", "repository", "head", "history", "nodes")
		}), known: true},
		"a history that names a commit twice": {edits: edits(func(_ string, body map[string]any) {
			if nodes, is := get(body, "data", "repository", "head", "history", "nodes").([]any); is {
				set(body, append(nodes, nodes[0]), "data", "repository", "head", "history", "nodes")
			}
		})},
		"a comparison with fewer commits than it counts": {edits: edits(noSince, func(path string, body map[string]any) {
			if strings.Contains(path, "/compare/") {
				cut(body, "commits")
			}
		})},
		"a comparison from another base": {edits: edits(noSince, func(path string, body map[string]any) {
			if strings.Contains(path, "/compare/") {
				set(body, w.root[1:]+"0", "base_commit", "sha")
			}
		})},
		"a commit with more parents than it lists": {edits: edits(func(_ string, body map[string]any) {
			set(body, 2, append(firstCommit, "parents", "totalCount")...)
		})},
		"a commit with more authors than it lists": {edits: edits(func(_ string, body map[string]any) {
			set(body, 2, append(firstCommit, "authors", "totalCount")...)
		})},
		"a commit with more pull requests than it lists": {edits: edits(func(_ string, body map[string]any) {
			set(body, 21, append(firstCommit, "associatedPullRequests", "totalCount")...)
		})},
		"a pull request with more commits than GraphQL lists": {edits: edits(func(_ string, body map[string]any) {
			inPulls(body, 2, "commits", "totalCount")
		}), known: true},
		"a pull request with more commits than either lists": {edits: edits(func(path string, body map[string]any) {
			inPulls(body, 3, "commits", "totalCount")
			if strings.HasSuffix(path, "/pulls/1") {
				set(body, 3, "commits")
			}
		})},
		"a pull request with more reviews than GraphQL lists": {edits: edits(func(_ string, body map[string]any) {
			inPulls(body, 2, "reviews", "totalCount")
		}), known: true},
		"a pull request that GraphQL has errors for": {edits: edits(func(_ string, body map[string]any) {
			if get(body, "data", "repository", "p1") != nil || get(body, "data", "repository", "recent", "nodes", 0) != nil {
				body["errors"] = []any{map[string]any{"message": "Resource not accessible by integration"}}
			}
		}), known: true},
		"a pull request whose merge commit GraphQL does not name": {edits: edits(func(_ string, body map[string]any) {
			inPulls(body, nil, "mergeCommit")
		}), known: true},
		"a pull request of another number": {edits: edits(func(_ string, body map[string]any) {
			inPulls(body, 7, "number")
		})},
		"another repository": {edits: edits(func(_ string, body map[string]any) {
			set(body, 7, "data", "repository", "databaseId")
		})},
	} {
		t.Run(name, func(t *testing.T) {
			client := quick(t, w.Server)
			client.Transport = &editing{next: client.Transport, edits: row.edits}
			w.forge = connectWith(t, w.Server, client)
			f := w.evidence().Changes
			if !row.known {
				if !f.IsUnknown() || f.Why() == "" {
					t.Errorf("changes: expected unknown, got %+v", f)
				}
				return
			}
			if path, differ := contradicts(want, asTree(t, gate.Evidence{Changes: f}), false); differ || !f.IsKnown() {
				t.Errorf("changes: expected them as before, got known=%t %s, differing at %s", f.IsKnown(), f.Why(), path)
			}
		})
	}
}

func edits(all ...func(string, map[string]any)) []func(string, map[string]any) { return all }

// get and set walk a JSON tree by keys and indices; where it is not so they do nothing.
func get(tree any, path ...any) any {
	for _, step := range path {
		switch k := step.(type) {
		case string:
			m, _ := tree.(map[string]any)
			tree = m[k]
		case int:
			list, _ := tree.([]any)
			if k >= len(list) {
				return nil
			}
			tree = list[k]
		}
	}
	return tree
}

func set(tree, value any, path ...any) {
	last := path[len(path)-1]
	switch of := get(tree, path[:len(path)-1]...).(type) {
	case map[string]any:
		if _, has := of[last.(string)]; has {
			of[last.(string)] = value
		}
	case []any:
		if last.(int) < len(of) {
			of[last.(int)] = value
		}
	}
}

// cut takes the first item out of a list.
func cut(tree any, path ...any) {
	if list, is := get(tree, path...).([]any); is && len(list) > 1 {
		set(tree, list[1:], path...)
	}
}

// editing changes JSON objects that GitHub answers.
type editing struct {
	next  http.RoundTripper
	edits []func(path string, body map[string]any)
}

func (e *editing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	var body map[string]any
	raw, err := readAll(resp)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(raw, &body) == nil && resp.StatusCode == http.StatusOK {
		for _, edit := range e.edits {
			edit(req.URL.Path, body)
		}
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	refill(resp, raw)
	return resp, nil
}

func numbered(t *testing.T, all []gate.Change, number int64) gate.Change {
	t.Helper()
	for _, c := range all {
		if c.Number == number {
			return c
		}
	}
	t.Fatalf("changes: expected #%d among %d", number, len(all))
	return gate.Change{}
}

// headed is the direct push of a commit.
func headed(t *testing.T, all []gate.Change, sha string) gate.Change {
	t.Helper()
	for _, c := range all {
		if c.Number == 0 && c.Head == sha {
			return c
		}
	}
	t.Fatalf("changes: expected a direct push of %s among %d", sha, len(all))
	return gate.Change{}
}

func byForge(c gate.Change, sha string) bool {
	for _, commit := range c.Commits {
		if commit.SHA == sha {
			return commit.ByForge
		}
	}
	return false
}

// TestLogWithoutItsFilter is a GitHub that answers nothing for a branch once it is gone.
func TestLogWithoutItsFilter(t *testing.T) {
	for name, status := range map[string]int{"nothing": http.StatusOK, "no such branch": http.StatusNotFound, "a refusal of the ref": http.StatusUnprocessableEntity} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			change, _ := w.open(w.ana, "topic")
			w.Merge(change, w.bo, forgetest.Squash)
			w.DeleteRef(w.repo, w.bo, "refs/heads/topic")
			client := quick(t, w.Server)
			client.Transport = unfiltered{client.Transport, status}
			w.forge = connectWith(t, w.Server, client)
			c := numbered(t, w.changes(), change.Number)
			if pushers := known(t, "pushers", c.Pushers); len(pushers) != 1 || pushers[0].ID != account(w.ana) {
				t.Errorf("pushers: got %+v, want ana alone", pushers)
			}
		})
	}
}

// unfiltered answers a log asked for by ref with nothing.
type unfiltered struct {
	next   http.RoundTripper
	status int
}

func (u unfiltered) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.next.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, "/activity") && req.URL.Query().Has("ref") {
		if _, err := readAll(resp); err != nil {
			return nil, err
		}
		resp.StatusCode = u.status
		resp.Header.Del("Link")
		refill(resp, []byte("[]"))
	}
	return resp, err
}

// TestLogLongerThanAPage reads a long log once, and later only what was added to it.
func TestLogLongerThanAPage(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for n := range 130 {
		w.push(w.bo, fmt.Sprintf("noise%d", n), "Noise", w.root)
	}
	first := w.push(w.ana, "main", "First")
	authors(t, headed(t, w.changes(), first), []forgetest.Person{w.ana}, []forgetest.Person{w.bo, w.cy})
	change, _ := w.open(w.ana, "topic")
	second := w.push(w.cy, "main", "Second")
	w.Push(w.repo, w.bo, mainRef, first)
	w.Push(w.repo, w.dan, mainRef, second)
	all := w.changes()
	authors(t, headed(t, all, first), []forgetest.Person{w.ana}, []forgetest.Person{w.bo, w.cy, w.dan})
	authors(t, headed(t, all, second), []forgetest.Person{w.cy, w.dan}, []forgetest.Person{w.ana, w.bo})
	for n := range 130 {
		w.push(w.bo, fmt.Sprintf("more%d", n), "Noise", w.root)
	}
	merge := w.Merge(change, w.bo, forgetest.MergeCommit)
	c := numbered(t, w.changes(), change.Number)
	if !byForge(c, merge) {
		t.Error("merge commit: expected the log to prove it")
	}
	authors(t, c, []forgetest.Person{w.ana}, []forgetest.Person{w.bo, w.cy})
}

// TestOldSideBranch merges a branch that was made long before the last release: GitHub's
// history of that does not reach back to it, so that a comparison has to tell the range.
func TestOldSideBranch(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	old, head := w.open(w.bo, "old")
	at := w.root
	for range 110 {
		at = w.Commit(w.repo, forgetest.CommitSpec{Author: w.ana, Message: "Go on", Parents: []string{at}, Files: map[string][]byte{"x": []byte(at)}})
	}
	w.Push(w.repo, w.ana, mainRef, at)
	w.root = at // released
	merge := w.Merge(old, w.cy, forgetest.MergeCommit)
	compared := w.asks(func(path string) bool { return strings.Contains(path, "/compare/") })
	all := w.changes()
	if len(all) != 1 || len(all[0].Commits) != 2 || all[0].Head != head || !byForge(all[0], merge) || !compared.Load() {
		t.Errorf("changes: got %d, the first with %d commits, compared=%t; want the old branch and its merge alone", len(all), len(all[0].Commits), compared.Load())
	}
	authors(t, all[0], []forgetest.Person{w.bo}, []forgetest.Person{w.ana, w.cy})
}
