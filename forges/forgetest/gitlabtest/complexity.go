package gitlabtest

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// maxComplexity is what a signed-in caller's query may cost (docs: GraphQL API, limits).
const maxComplexity = 250

// tooComplex answers as GitLab does where a query costs too much, or "".
func tooComplex(set ast.SelectionSet, variables map[string]any) string {
	if n := complexityOf(set, variables); n > maxComplexity {
		return fmt.Sprintf("Query has complexity of %d, which exceeds max complexity of %d", n, maxComplexity)
	}
	return ""
}

// complexityOf sums up as GitLab does (source: app/graphql/types/base_field.rb,
// app/graphql/resolvers/base_resolver.rb): a field costs one, one more where it asks
// Gitaly, and a list that a resolver answers one per cent more for each item that it may
// bring, unless its items are named.
func complexityOf(set ast.SelectionSet, variables map[string]any) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			sum += fieldComplexity(s, variables)
		case *ast.InlineFragment:
			sum += complexityOf(s.SelectionSet, variables)
		case *ast.FragmentSpread:
			sum += complexityOf(s.Definition.SelectionSet, variables)
		}
	}
	return sum
}

func fieldComplexity(f *ast.Field, variables map[string]any) int {
	own := 1
	switch f.Name {
	case "mergedAt", "assignees", "committers":
		own = 5
	case "commit", "commits", "commitsWithoutMergeCommits", "tree", "lastCommit", "diffHeadSha", "rootRef", "blobs", "submodules":
		own = 2
	}
	n := own + complexityOf(f.SelectionSet, variables)
	switch f.Name {
	case "projects", "mergeRequests", "notes", "users": // app/graphql/types: these have a resolver
	default:
		return n
	}
	args := f.ArgumentMap(variables)
	if args["iids"] != nil || args["iid"] != nil {
		return n
	}
	items := maxNodes
	for _, name := range []string{"first", "last"} {
		if v, ok := args[name].(int64); ok && int(v) < items {
			items = int(v)
		}
	}
	return n + n*items/100
}
