package github_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// withPolicy is a team whose main holds a policy file.
func withPolicy(t *testing.T) *team {
	t.Helper()
	w := newTeam(t, githubtest.Options{})
	w.root = w.put(w.ana, "main", ".countersign.yaml", policyText)
	return w
}

// put commits one file on top of parents (main where none are given) and pushes it.
func (w *team) put(by forgetest.Person, branch, file, content string, parents ...string) string {
	w.t.Helper()
	files := map[string][]byte{file: []byte(content)}
	if content == "" {
		files[file] = nil
	}
	sha := w.Commit(w.repo, forgetest.CommitSpec{Author: by, Message: "Change " + file, Parents: parents, Files: files})
	w.Push(w.repo, by, "refs/heads/"+branch, sha)
	return sha
}

func (w *team) policyChange(c forgetest.Change) gate.PolicyChange {
	w.t.Helper()
	out, err := w.forge.PolicyChange(w.t.Context(), w.id(), c.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestPolicyChange(t *testing.T) {
	open := func(w *team, branch string) forgetest.Change {
		w.t.Helper()
		return w.OpenChange(w.repo, w.bo, forgetest.ChangeSpec{Title: branch, Source: branch})
	}
	for _, row := range []struct {
		name string
		make func(w *team) forgetest.Change
		want func(w *team, c gate.PolicyChange) bool
	}{
		{"changes the policy", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", ".countersign.yaml", "version: 1\n")
			return open(w, "topic")
		}, func(w *team, c gate.PolicyChange) bool {
			return c.Touches && string(c.Content) == "version: 1\n" && !c.Deleted && !c.Fork && c.Open && c.Head == w.Head(w.repo, "refs/heads/topic")
		}},
		{"changes something else", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", "x", "y")
			return open(w, "topic")
		}, func(_ *team, c gate.PolicyChange) bool { return !c.Touches && c.Content == nil && c.Open }},
		{"is merely behind a base that changed the policy", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", "x", "y")
			w.put(w.ana, "main", ".countersign.yaml", policyText+"# more\n")
			return open(w, "topic")
		}, func(_ *team, c gate.PolicyChange) bool { return !c.Touches }},
		{"changes the policy beside a base that did", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", ".countersign.yaml", "version: 1\n")
			w.put(w.ana, "main", ".countersign.yaml", policyText+"# more\n", w.root)
			return open(w, "topic")
		}, func(_ *team, c gate.PolicyChange) bool { return c.Touches && string(c.Content) == "version: 1\n" }},
		{"takes the policy away", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", ".countersign.yaml", "")
			return open(w, "topic")
		}, func(_ *team, c gate.PolicyChange) bool { return c.Touches && c.Deleted && c.Content == nil }},
		{"has a policy that is no text", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", ".countersign.yaml", "\xff\xfe\x00")
			return open(w, "topic")
		}, func(_ *team, c gate.PolicyChange) bool { return c.Touches && string(c.Content) == "\xff\xfe\x00" }},
		{"comes from a fork", func(w *team) forgetest.Change {
			fork := w.Fork(w.repo, w.dan, "dan/app")
			sha := w.Commit(fork, forgetest.CommitSpec{Author: w.dan, Message: "From outside", Parents: []string{w.root}, Files: map[string][]byte{".countersign.yaml": []byte("a: b\n")}})
			w.Push(fork, w.dan, "refs/heads/topic", sha)
			return w.OpenChange(w.repo, w.dan, forgetest.ChangeSpec{Title: "From a fork", Source: "topic", From: fork})
		}, func(_ *team, c gate.PolicyChange) bool { return c.Touches && c.Fork && string(c.Content) == "a: b\n" }},
		{"is merged", func(w *team) forgetest.Change {
			w.put(w.bo, "topic", ".countersign.yaml", "version: 1\n")
			c := open(w, "topic")
			w.Merge(c, w.ana, forgetest.MergeCommit)
			return c
		}, func(_ *team, c gate.PolicyChange) bool { return !c.Open }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := withPolicy(t)
			if c := w.policyChange(row.make(w)); !row.want(w, c) {
				t.Errorf("got %+v, content %q", c, c.Content)
			}
		})
	}
	t.Run("there is no such pull request", func(t *testing.T) {
		w := withPolicy(t)
		if _, err := w.forge.PolicyChange(t.Context(), w.id(), 77); gate.KindOf(err) != gate.NotFound {
			t.Errorf("error: got %v, want not found", err)
		}
	})
	for name, fault := range map[string]forgetest.Fault{
		"GitHub is away":             {Status: 502},
		"the comparison is not read": {Path: "/compare/", Status: 502},
		"the answer has errors":      {Path: "/graphql", Status: 200, Body: `{"errors":[{"message":"Something went wrong"}]}`},
		"the answer is cut":          {Path: "/graphql", Status: 200, Body: `{"data":{"repository":`},
	} {
		t.Run(name, func(t *testing.T) {
			w := withPolicy(t)
			w.put(w.bo, "topic", ".countersign.yaml", "version: 1\n")
			c := open(w, "topic")
			w.evidence()
			defer w.Fail(fault)()
			if got, err := w.forge.PolicyChange(t.Context(), w.id(), c.Number); gate.KindOf(err) != gate.Unavailable {
				t.Errorf("got %+v and %v, want an error that tells to try again", got, err)
			}
		})
	}
}

func TestPullRequestRings(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for _, row := range []struct {
		name, body string
		change     int64
	}{
		{"opened", `{"action":"opened","repository":{"id":7},"pull_request":{"number":5}}`, 5},
		{"reopened", `{"action":"reopened","repository":{"id":7},"pull_request":{"number":5}}`, 5},
		{"a new head", `{"action":"synchronize","repository":{"id":7},"pull_request":{"number":5}}`, 5},
		{"another base", `{"action":"edited","repository":{"id":7},"pull_request":{"number":5},"changes":{"base":{"ref":{"from":"dev"}}}}`, 5},
		{"another title", `{"action":"edited","repository":{"id":7},"pull_request":{"number":5},"changes":{"title":{"from":"x"}}}`, 0},
		{"changes of another shape", `{"action":"edited","repository":{"id":7},"pull_request":{"number":5},"changes":[1]}`, 0},
		{"labelled", `{"action":"labeled","repository":{"id":7},"pull_request":{"number":5}}`, 0},
		{"no number", `{"action":"opened","repository":{"id":7},"pull_request":{}}`, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			rings, err := w.forge.Interpret(gate.Delivery{Event: "pull_request", Body: []byte(row.body)})
			if err != nil || len(rings) != 1 || rings[0].Change != row.change || rings[0].Repository.ID != 7 {
				t.Errorf("rings: got %+v, %v; want one for the repository with change %d", rings, err, row.change)
			}
		})
	}
}
