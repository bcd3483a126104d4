package github

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxBranches bounds how many branches are asked whether they hold the commit.
const maxBranches = 60

// branchFacts finds the branch that the release comes from: the request's own, or the
// default branch, or another that the policy names; of several that hold the
// commit, a protected one.
func (rd *reading) branchFacts(ctx context.Context) gate.Fact[gate.BranchFacts] {
	if rd.snap == nil {
		return gate.Unknown[gate.BranchFacts](why(rd.snapErr))
	}
	if name, is := strings.CutPrefix(rd.request.Ref, "refs/heads/"); is {
		return rd.firstHolding(ctx, []string{name})
	}
	if rd.wanted(rd.facts.DefaultBranch) {
		f := rd.firstHolding(ctx, []string{rd.facts.DefaultBranch})
		if b, ok := f.Get(); f.IsUnknown() || ok && !b.Protection.IsAbsent() {
			return f
		}
	}
	all, err := list[branchJSON](ctx, rd.caller, nil, rd.at("branches")...)
	if err != nil {
		return gate.Unknown[gate.BranchFacts](why(err))
	}
	// GitHub's own flag only orders: what protects is read in full.
	slices.SortStableFunc(all, func(a, b branchJSON) int {
		return boolOrder(b.Name == rd.facts.DefaultBranch, a.Name == rd.facts.DefaultBranch)*2 + boolOrder(b.Protected, a.Protected)
	})
	var names []string
	for _, b := range all {
		if rd.wanted(b.Name) {
			names = append(names, b.Name)
		}
	}
	if len(names) > maxBranches {
		return gate.Unknown[gate.BranchFacts](fmt.Sprintf("the policy's branches fit %d branches; at most %d are read", len(names), maxBranches))
	}
	return rd.firstHolding(ctx, names)
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (rd *reading) wanted(name string) bool {
	return slices.ContainsFunc(rd.needs.Branches, func(m gate.Matcher) bool { return m.Match(name) })
}

// firstHolding is the first of the branches that holds the commit and is protected,
// else the first that holds it.
func (rd *reading) firstHolding(ctx context.Context, names []string) gate.Fact[gate.BranchFacts] {
	found := gate.Absent[gate.BranchFacts]("no such branch holds the commit")
	for _, name := range names {
		head, err := rd.branchHead(ctx, name)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return gate.Unknown[gate.BranchFacts](why(err))
		}
		holds, err := rd.holds(ctx, head, rd.request.Commit)
		if err != nil {
			return gate.Unknown[gate.BranchFacts](fmt.Sprintf("whether %s holds the commit: %s", name, why(err)))
		}
		if !holds {
			continue
		}
		facts := gate.BranchFacts{Name: name, Head: head, Protection: rd.branchProtection(ctx, name)}
		if !facts.Protection.IsAbsent() {
			return gate.Known(facts)
		}
		if !found.IsKnown() {
			found = gate.Known(facts)
		}
	}
	return found
}

// branchHead is the branch's commit, out of the snapshot where that has it.
func (rd *reading) branchHead(ctx context.Context, name string) (string, error) {
	s := rd.snap
	switch {
	case name == rd.facts.DefaultBranch && isSHA(s.branch):
		return s.branch, nil
	case "refs/heads/"+name == rd.request.Ref && s.ref != nil && s.ref.Target != nil && isSHA(s.ref.Target.OID):
		return s.ref.Target.OID, nil
	}
	b, err := rd.branch(ctx, name)
	return b.Commit.SHA, err
}

// holds reports whether commit is reachable from head (attacks 23 and 31). Between two
// SHAs that never changes, so GitHub is asked once. A commit that GitHub does not have
// is reachable from nowhere, and may be there later: that is asked each time.
func (r *repository) holds(ctx context.Context, head, commit string) (bool, error) {
	if head == commit {
		return true, nil
	}
	key := ancestryKey{r.facts.ID.ID, head, commit}
	if is, known := r.forge.memory.holds(key); known {
		return is, nil
	}
	is, final, err := r.askHolds(ctx, head, commit)
	if err == nil && final {
		keep(r.forge.memory, r.forge.memory.ancestry, maxRemembered, key, is)
	}
	return is, err
}

// askHolds compares: seen from the head the commit is identical or behind (REST API,
// "Compare two commits").
func (r *repository) askHolds(ctx context.Context, head, commit string) (is, final bool, err error) {
	var raw struct {
		Status     string `json:"status"`
		BaseCommit struct {
			SHA string `json:"sha"`
		} `json:"base_commit"`
	}
	q := url.Values{"per_page": {"1"}}
	err = r.get(ctx, &raw, q, r.at("compare", head+"..."+commit)...)
	if isNotFound(err) {
		// GitHub says 404 both for no common ancestor and for no such commit: either way
		// the branch does not hold it, as long as the branch's head itself is there.
		var b branchJSON
		if err := r.get(ctx, &b.Commit, nil, r.at("commits", head)...); err != nil {
			return false, false, err
		}
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	if raw.BaseCommit.SHA != head {
		return false, false, fmt.Errorf("compare from %s: GitHub answered from %s", head, raw.BaseCommit.SHA)
	}
	switch raw.Status {
	case "identical", "behind":
		return true, true, nil
	case "ahead", "diverged":
		return false, true, nil
	}
	return false, false, fmt.Errorf("compare from %s: GitHub answered status %q", head, raw.Status)
}
