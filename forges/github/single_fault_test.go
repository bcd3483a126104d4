package github_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// TestSingleFaults makes each call of a full reading fail by itself, in each way, and
// holds that every fact then says what it said before, or that it is unknown: no
// fault may be read as another fact (attacks 70, 72 and 74).
func TestSingleFaults(t *testing.T) {
	t.Run("comments by themselves", func(t *testing.T) { singleFaults(t, newFullReading(t, githubtest.Switches{})) })
	t.Run("what REST tells too, by REST", func(t *testing.T) {
		singleFaults(t, newFullReading(t, githubtest.Switches{NoCollaboratorsForApps: true, NoRulesByGraphQL: true}))
	})
	t.Run("everything that is judged", func(t *testing.T) { singleFaults(t, newJudgedReading(t)) })
}

func singleFaults(t *testing.T, x *fullReading) {
	t.Helper()
	calls := x.calls()
	if len(calls) < 12 {
		t.Fatalf("calls of a full reading: got %d (%s), want them all", len(calls), strings.Join(calls, ", "))
	}
	want := asTree(t, x.read())
	for _, fault := range []forgetest.Fault{
		{Status: 500}, {Status: 403}, {Status: 404}, {Status: 200, Body: "{"}, {Status: 200, Body: "null"},
		{Status: 200, Body: `{"data":{},"errors":[{"message":"timeout"}]}`},
	} {
		for _, call := range calls {
			if fault.Status == 404 && strings.Contains(call, "/teams/security/member") {
				continue // GitHub's word that somebody is no member
			}
			fault.Path = call
			for _, cold := range []bool{false, true} { // with what former readings found, and without
				if cold {
					x.forge = connect(t, x.Server)
				}
				restore := x.Fail(fault)
				got := asTree(t, x.read())
				restore()
				// A 404 is the forge's word that there is no such thing: absent, but for what has to be there.
				absentToo := fault.Status == 404
				if path, differ := contradicts(want, got, absentToo); differ {
					t.Errorf("%s answers %d %q: %s: got %v", call, fault.Status, fault.Body, path, at(got, path))
				}
			}
		}
	}
}

// fullReading is evidence with everything in it.
type fullReading struct {
	*githubtest.Server
	t       *testing.T
	forge   *github.Forge
	request gate.Request
	needs   gate.Needs
}

func newFullReading(t *testing.T, switches githubtest.Switches) *fullReading {
	t.Helper()
	w := newTeam(t, githubtest.Options{Switches: switches})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1, Ruleset: true})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	root := w.Head(w.repo, "refs/heads/main")
	change, _ := w.open(w.ana, "topic")
	w.Review(change, w.bo, forgetest.ReviewApprove)
	said := w.AddComment(change, w.bo, "/countersign approve")
	w.Merge(change, w.bo, forgetest.Squash)
	w.push(w.cy, "main", "direct")
	w.PushAnnotatedTag(w.repo, w.ana, "v1", w.Head(w.repo, "refs/heads/main"), "One")
	x := &fullReading{Server: w.Server, t: t, forge: w.forge, request: w.request("refs/tags/v1")}
	x.needs = gate.Needs{
		Branches: []gate.Matcher{only("main")}, Since: []string{root}, Paths: true, Candidates: true,
		Comments: []gate.CommentRef{w.ref(said)}, Accounts: []gate.AccountID{account(w.cy)},
	}
	return x
}

// newJudgedReading also has teams, checks, code owners and the thread in it.
func newJudgedReading(t *testing.T) *fullReading {
	t.Helper()
	x := newFullReading(t, githubtest.Switches{})
	repo := forgetest.Repository{ID: x.request.Repository.ID, FullName: x.request.RepositoryName}
	said := x.Comments(forgetest.Change{Repository: repo, Number: x.needs.Comments[0].Thread.Number})[0]
	team := x.AddTeam(repo, "security")
	x.JoinTeam(repo, team, said.Author)
	x.ReportCheck(repo, x.request.Commit, "unit", forgetest.CheckPassed)
	x.ReportStatus(repo, said.Author, x.request.Commit, "lint", "success")
	x.needs.Teams, x.needs.Checks, x.needs.Owners = []string{team}, []string{"unit", "lint"}, true
	x.needs.Thread = x.needs.Comments[0].Thread
	e := x.read()
	known(t, "thread", e.Thread)
	known(t, "checks", e.Checks)
	known(t, "teams", known(t, "approver", e.Roles[account(said.Author)]).Teams)
	return x
}

func (x *fullReading) read() gate.Evidence {
	return x.forge.Evidence(x.t.Context(), x.request, x.needs)
}

// calls are the distinct paths of one reading, token and installation included.
func (x *fullReading) calls() []string {
	var mu sync.Mutex
	var paths []string
	x.Observe(func(e githubtest.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, e.Request.URL.EscapedPath())
	})
	x.read()
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(paths)
	return append(slices.Compact(slices.Clone(paths)), "/api/graphql")
}

// asTree is the evidence as JSON, with the maps that its own JSON leaves out.
func asTree(t *testing.T, e gate.Evidence) any {
	t.Helper()
	comments, roles := map[string]any{}, map[string]any{}
	for ref, c := range e.Comments {
		comments[fmt.Sprint(ref.ID)] = c
	}
	for id, m := range e.Roles {
		roles[id.String()] = m
	}
	raw, err := json.Marshal(map[string]any{
		"repository": e.Repository, "ref": e.Ref, "commit": e.Commit, "branch": e.Branch, "tag_protection": e.TagProtection,
		"changes": e.Changes, "candidates": e.Candidates, "comments": comments, "roles": roles,
		"checks": e.Checks, "owners": e.Owners, "thread": e.Thread,
	})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// contradicts finds where got says something else than want without saying unknown.
func contradicts(want, got any, absentToo bool) (string, bool) {
	if reflect.DeepEqual(want, got) {
		return "", false
	}
	if m, is := got.(map[string]any); is && len(m) == 1 {
		_, unknown := m["unknown"]
		_, absent := m["absent"]
		if unknown || absent && absentToo {
			return "", false
		}
	}
	switch w := want.(type) {
	case map[string]any:
		g, is := got.(map[string]any)
		if !is {
			return "", true
		}
		for k := range w {
			if _, has := g[k]; !has && isFact(w[k]) || k == "merged_at" {
				continue // a fact left out is unknown, and a push that is not known has no time
			}
			if path, differ := contradicts(w[k], g[k], absentToo); differ {
				return "." + k + path, true
			}
		}
		return "", false
	case []any:
		g, is := got.([]any)
		if !is || len(g) != len(w) {
			return "", true
		}
		for i := range w {
			if path, differ := contradicts(w[i], g[i], absentToo); differ {
				return fmt.Sprintf(".%d%s", i, path), true
			}
		}
		return "", false
	}
	return "", true
}

func isFact(v any) bool {
	m, is := v.(map[string]any)
	_, known := m["known"]
	return is && known
}

func at(tree any, path string) any {
	for _, k := range strings.Split(strings.TrimPrefix(path, "."), ".") {
		switch x := tree.(type) {
		case map[string]any:
			tree = x[k]
		case []any:
			var i int
			if _, err := fmt.Sscan(k, &i); err != nil || i >= len(x) {
				return tree
			}
			tree = x[i]
		}
	}
	return tree
}

type only string

func (o only) Match(s string) bool { return s == string(o) }
func (o only) String() string      { return string(o) }

func account(p forgetest.Person) gate.AccountID {
	return gate.AccountID{Forge: adaptertest.ForgeID, ID: p.ID}
}
