package github_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// nullable are the fields whose null is GitHub's own word in its schema: no account has
// the e-mail, nobody gave the review any more, nothing is signed. Each can only make
// a decision stricter.
var nullable = map[string]string{
	"user":        "an e-mail of no account needs one more approver",
	"signature":   "what GitHub did not sign counts as made by hand",
	"ref":         "a ref that is not there waits",
	"author":      "a review of nobody covers nothing; who opened it, or wrote it, is unknown",
	"commit":      "a review of no commit covers nothing",
	"tagger":      "GitHub's silence on who made a tag",
	"mergedBy":    "a deleted account merged it",
	"submittedAt": "a review without a time covers nothing",
}

// TestGraphQLNulls puts null for each field of GraphQL's answers, one at a time, and
// holds that no fact says something else then, unless null means just that.
func TestGraphQLNulls(t *testing.T) {
	t.Run("comments by themselves", func(t *testing.T) { graphQLNulls(t, newFullReading(t, githubtest.Switches{})) })
	t.Run("everything that is judged", func(t *testing.T) { graphQLNulls(t, newJudgedReading(t)) })
}

func graphQLNulls(t *testing.T, x *fullReading) {
	t.Helper()
	x.read() // the next query asks for everything at once
	want := asTree(t, x.read())
	var mu sync.Mutex
	var paths [][]any
	edit := func(string, map[string]any) {}
	client := quick(t, x.Server)
	client.Transport = &editing{next: client.Transport, edits: edits(func(path string, body map[string]any) {
		if strings.HasSuffix(path, "/graphql") {
			edit(path, body)
		}
	})}
	x.forge = connectWith(t, x.Server, client)
	seen := map[string]bool{}
	edit = func(_ string, body map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		fields(body["data"], []any{"data"}, func(path []any) {
			if key := fmt.Sprint(path); !seen[key] {
				seen[key] = true
				paths = append(paths, path)
			}
		})
	}
	x.read()
	x.read()
	if len(paths) < 100 {
		t.Fatalf("fields in GraphQL's answers: got %d, want them all", len(paths))
	}
	for _, path := range paths {
		name, _ := path[len(path)-1].(string)
		edit = func(_ string, body map[string]any) { set(body, nil, path...) }
		got := asTree(t, x.read())
		if differing, differ := contradicts(want, got, false); differ && nullable[name] == "" {
			t.Errorf("%v is null: %s differs: %v", path, differing, at(got, strings.TrimSuffix(differing, ".known")))
		}
	}
}

// fields visits the paths of all fields of a tree, of lists only the first item's.
func fields(tree any, path []any, visit func([]any)) {
	switch x := tree.(type) {
	case map[string]any:
		for k, v := range x {
			at := append(append([]any{}, path...), k)
			visit(at)
			fields(v, at, visit)
		}
	case []any:
		if len(x) > 0 {
			at := append(append([]any{}, path...), 0)
			visit(at)
			fields(x[0], at, visit)
		}
	}
}
