package gitlab

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// readChanges groups the history into merge requests and direct pushes, oldest
// first. branch is the one that the release comes from.
func (s *session) readChanges(ctx context.Context, r gate.Request, needs gate.Needs, branch string) (gate.Fact[[]gate.Change], map[string]gate.Commit) {
	h, err := s.readHistory(ctx, r.Commit, needs.Since)
	if err != nil {
		return unknown[[]gate.Change](err), nil
	}
	owners := &owners{of: map[string]bool{}, found: map[int64]*merged{}}
	if err := s.findOwners(ctx, h, needs.Branches, branch, owners); err != nil {
		return unknown[[]gate.Change](err), nil
	}
	changes := make([]gate.Change, 0, len(h.order))
	var pieces []func() gate.Change
	for _, sha := range h.order {
		switch m := owners.owner(sha); {
		case m == nil:
			pieces = append(pieces, func() gate.Change { return s.readDirect(ctx, branch, sha, h, needs.Paths) })
		case len(m.own) == 0:
			m.own = append(m.own, sha)
			pieces = append(pieces, func() gate.Change { return s.readChange(ctx, *m, h, needs.Paths) })
		default:
			m.own = append(m.own, sha)
		}
	}
	s.learnAuthors(ctx, owners.commits(h))
	changes = changes[:len(pieces)]
	var g errgroup.Group
	g.SetLimit(maxRequests)
	for i, piece := range pieces {
		g.Go(func() error {
			changes[i] = piece()
			return nil
		})
	}
	_ = g.Wait() // what fails is in the change
	return gate.Known(changes), byCommit(changes)
}

func byCommit(changes []gate.Change) map[string]gate.Commit {
	out := map[string]gate.Commit{}
	for _, change := range changes {
		for _, c := range change.Commits {
			out[c.SHA] = c
		}
	}
	return out
}

// owners are the merge requests that brought the commits of a history.
type owners struct {
	mu    sync.Mutex
	of    map[string]bool // commits that are spoken for
	found map[int64]*merged
}

func (o *owners) has(sha string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.of[sha]
}

func (o *owners) add(m merged, asked commit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.found[m.IID] == nil {
		o.found[m.IID] = &m
	}
	m = *o.found[m.IID]
	// The forge itself says that the commit is this merge request's.
	if !m.made(asked.ID) && !slices.ContainsFunc(m.final, func(c commit) bool { return c.ID == asked.ID }) {
		o.found[m.IID].final = append(m.final, asked)
	}
	o.of[asked.ID], o.of[m.MergeCommitSHA], o.of[m.SquashCommitSHA] = true, true, true
	for _, c := range m.final {
		o.of[c.ID] = true
	}
}

// owner is the merge request of a commit; the oldest where there are several.
func (o *owners) owner(sha string) *merged {
	var best *merged
	for _, m := range o.found {
		mine := m.made(sha) || slices.ContainsFunc(m.final, func(c commit) bool { return c.ID == sha })
		if mine && (best == nil || m.IID < best.IID) {
			best = m
		}
	}
	return best
}

func (o *owners) commits(h history) []commit {
	var out []commit
	for _, sha := range h.order {
		out = append(out, h.commit[sha])
	}
	for _, m := range o.found {
		out = append(out, m.final...)
	}
	return out
}

// findOwners asks for the merge request of every commit that no merge request
// found so far speaks for, newest first: a merge commit speaks for all it merged.
func (s *session) findOwners(ctx context.Context, h history, wanted []gate.Matcher, branch string, o *owners) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for _, sha := range slices.Backward(h.order) {
		g.Go(func() error {
			if o.has(sha) {
				return nil
			}
			return s.findOwner(ctx, h.commit[sha], wanted, branch, o)
		})
	}
	return g.Wait()
}

// findOwner takes only merge requests that were merged into the release's branch,
// or failing that into another that releases come from: one merged elsewhere says
// nothing about how a commit came here.
func (s *session) findOwner(ctx context.Context, c commit, wanted []gate.Matcher, branch string, o *owners) error {
	rows, err := fetchAll[mergeRequest](ctx, s, s.path("/repository/commits/%s/merge_requests", c.ID), nil)
	if err != nil {
		return fmt.Errorf("find the merge requests of %s: %w", c.ID, err)
	}
	var here, elsewhere []mergeRequest
	for _, m := range rows {
		switch {
		case m.State != "merged" || m.TargetProjectID != s.repo.ID || m.IID <= 0 || !isSHA(m.SHA):
		case m.TargetBranch == branch:
			here = append(here, m)
		case matches(wanted, m.TargetBranch):
			elsewhere = append(elsewhere, m)
		}
	}
	if len(here) == 0 {
		here = elsewhere
	}
	for _, m := range here {
		final, err := s.readCommits(ctx, m)
		if err != nil {
			return err
		}
		o.add(merged{mergeRequest: m, final: final}, c)
	}
	return nil
}

// readDirect is a commit that never was in a merge request: a change of its own,
// whose pusher is its author (attack 27).
func (s *session) readDirect(ctx context.Context, branch, sha string, h history, paths bool) gate.Change {
	row := h.commit[sha]
	c := gate.Change{
		Head: sha, Title: row.title(),
		Opener:  gate.Absent[gate.Account]("it never was a merge request"),
		Commits: []gate.Commit{{SHA: sha, Parents: row.ParentIDs, Title: row.title(), People: s.readPeople(ctx, row)}},
		Pushers: gate.Unknown[[]gate.Account]("the branch that it was pushed to is not known"),
		Reviews: gate.Known([]gate.Review{}),
		Paths:   gate.Unknown[[]string]("the policy does not ask for it"),
	}
	if p, err := s.readProject(ctx); err == nil {
		c.URL = p.WebURL + "/-/commit/" + sha
	}
	if branch != "" {
		c.Pushers = s.directPushers(ctx, branch, sha, h)
	}
	if paths {
		c.Paths = s.readCommitPaths(ctx, sha)
	}
	return c
}
