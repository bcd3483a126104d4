package forgetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Graph is the commits of one repository network (a repository and its
// forks), held in memory. It is not safe for concurrent use: the double that
// owns it locks.
type Graph struct {
	commits map[string]*Commit
}

// Commit is one commit object with its whole tree.
type Commit struct {
	SHA     string
	Parents []string
	// Author and Committer hold an account, or, with ID 0, only an e-mail that
	// belongs to no account.
	Author, Committer Person
	// Signed marks what the forge itself made and signed (web-flow on GitHub).
	Signed  bool
	Message string
	When    time.Time
	Tree    map[string][]byte
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{commits: map[string]*Commit{}} }

// Add makes a commit on top of its parents: the first parent's tree with files
// laid over it. Its SHA is that of the spec, or computed over the content.
func (g *Graph) Add(spec CommitSpec, signed bool) *Commit {
	c := &Commit{
		SHA: spec.SHA, Parents: slices.Clone(spec.Parents), Author: spec.Author,
		Committer: spec.Committer, Signed: signed, Message: spec.Message, When: spec.When,
		Tree: map[string][]byte{},
	}
	if c.Committer == (Person{}) {
		c.Committer = c.Author
	}
	for i, p := range c.Parents {
		parent := g.Get(p)
		if parent == nil {
			panic(fmt.Sprintf("parent %q of %q: expected a commit of this graph", p, spec.Message))
		}
		if i == 0 {
			maps.Copy(c.Tree, parent.Tree)
		}
	}
	for path, content := range spec.Files {
		if content == nil {
			delete(c.Tree, path)
			continue
		}
		c.Tree[path] = content
	}
	if c.SHA == "" {
		c.SHA = c.hash()
	}
	g.commits[c.SHA] = c
	return c
}

func (c *Commit) hash() string { return c.objects()[0].sha }

// Get returns a commit, or nil.
func (g *Graph) Get(sha string) *Commit { return g.commits[sha] }

// Reachable is the set of commits reachable from the given ones, themselves included.
func (g *Graph) Reachable(from ...string) map[string]bool {
	seen := map[string]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		sha := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c := g.Get(sha)
		if c == nil || seen[sha] {
			continue
		}
		seen[sha] = true
		todo = append(todo, c.Parents...)
	}
	return seen
}

// IsAncestor reports whether a is reachable from b (or is b).
func (g *Graph) IsAncestor(a, b string) bool { return g.Reachable(b)[a] }

// Between lists the commits reachable from head and not from base (`base..head`),
// parents before children; an empty base excludes nothing.
func (g *Graph) Between(base, head string) []*Commit {
	exclude := g.Reachable(base)
	var out []*Commit
	seen := map[string]bool{}
	var visit func(string)
	visit = func(sha string) {
		c := g.Get(sha)
		if c == nil || seen[sha] || exclude[sha] {
			return
		}
		seen[sha] = true
		for _, p := range c.Parents {
			visit(p)
		}
		out = append(out, c)
	}
	visit(head)
	return out
}

// MergeBase is a best common ancestor of a and b, or "".
func (g *Graph) MergeBase(a, b string) string {
	common := g.Reachable(a)
	ofB := g.Reachable(b)
	maps.DeleteFunc(common, func(sha string, _ bool) bool { return !ofB[sha] })
	for sha := range common {
		best := true
		for other := range common {
			if other != sha && g.IsAncestor(sha, other) {
				best = false
				break
			}
		}
		if best {
			return sha
		}
	}
	return ""
}

// Changed lists the paths that differ between the trees of two commits, sorted.
// An empty sha stands for the empty tree.
func (g *Graph) Changed(from, to string) []string {
	tree := func(sha string) map[string][]byte {
		if c := g.Get(sha); c != nil {
			return c.Tree
		}
		return nil
	}
	a, b := tree(from), tree(to)
	var out []string
	for path, content := range b {
		if old, ok := a[path]; !ok || !bytes.Equal(old, content) {
			out = append(out, path)
		}
	}
	for path := range a {
		if _, ok := b[path]; !ok {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}
