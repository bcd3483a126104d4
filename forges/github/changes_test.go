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
			if c.Pushers.IsKnown() != row.known || !row.known && c.Pushers.Why() == "" {
				t.Errorf("pushers: got known=%t %s, want known=%t", c.Pushers.IsKnown(), c.Pushers.Why(), row.known)
			}
		})
	}
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

func TestCountsThatDoNotAddUp(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	merge := w.Merge(change, w.bo, forgetest.MergeCommit)
	for name, edit := range map[string]func(path string, body map[string]any) bool{
		"a comparison with fewer commits than it counts (attack 38)": func(path string, body map[string]any) bool {
			list, is := body["commits"].([]any)
			if is && len(list) > 1 && strings.Contains(path, "/compare/") {
				body["commits"] = list[1:]
			}
			return is
		},
		"a pull request with more commits than it lists (attack 38)": func(path string, body map[string]any) bool {
			if !strings.HasSuffix(path, fmt.Sprintf("/pulls/%d", change.Number)) {
				return false
			}
			body["commits"] = 3
			return true
		},
		"a comparison from another base": func(path string, body map[string]any) bool {
			base, is := body["base_commit"].(map[string]any)
			if is && strings.Contains(path, merge) {
				base["sha"] = merge
			}
			return is
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := quick(t, w.Server)
			client.Transport = &editing{next: client.Transport, edit: edit}
			w.forge = connectWith(t, w.Server, client)
			if f := w.evidence().Changes; !f.IsUnknown() || f.Why() == "" {
				t.Errorf("changes: expected unknown, got %+v", f)
			}
		})
	}
}

// editing changes JSON objects that GitHub answers.
type editing struct {
	next http.RoundTripper
	edit func(path string, body map[string]any) bool
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
	if json.Unmarshal(raw, &body) == nil && e.edit(req.URL.Path, body) {
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
