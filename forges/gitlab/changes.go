package gitlab

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// readChanges groups the history into merge requests and direct pushes, oldest
// first. branch is the one that the release comes from.
func (s *session) readChanges(ctx context.Context, h history, needs gate.Needs, branch string) (gate.Fact[[]gate.Change], map[string]gate.Commit) {
	s.lines.learn(h)
	owners := &owners{of: map[string]bool{}, found: map[int64]*merged{}}
	if err := s.findOwners(ctx, h, needs.Branches, branch, owners); err != nil {
		return unknown[[]gate.Change](err), nil
	}
	pieces := s.pieces(ctx, h, owners, branch, needs.Paths)
	changes := make([]gate.Change, len(pieces))
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

// pieces are the readings of the changes, in their order. All authors and direct
// pushes are looked up before, together.
func (s *session) pieces(ctx context.Context, h history, o *owners, branch string, paths bool) []func() gate.Change {
	var pieces []func() gate.Change
	var direct []string
	var pushers map[string]gate.Fact[[]gate.Account]
	owner := o.index()
	for _, sha := range h.order {
		switch m := owner[sha]; {
		case m == nil:
			direct = append(direct, sha)
			pieces = append(pieces, func() gate.Change { return s.readDirect(ctx, sha, h, pushers[sha], paths) })
		case len(m.own) == 0:
			m.own = append(m.own, sha)
			pieces = append(pieces, func() gate.Change { return s.readChange(ctx, *m, h, paths) })
		default:
			m.own = append(m.own, sha)
		}
	}
	s.compareTops(ctx, h, o.found)
	s.learnPeople(ctx, o.commits(h), o.found)
	if branch != "" && len(direct) > 0 {
		pushers = s.directPushers(ctx, branch, direct, h)
	}
	return pieces
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

// settled are the merge requests, where all of them were merged into the branch and
// brought every commit of the history: then nothing that happens later can add one
// that matters. A commit that came without may still be found in one.
func (o *owners) settled(s *session, h history, branch string) ([]merged, bool) {
	owner := o.index()
	size := 0
	for _, sha := range h.order {
		if owner[sha] == nil {
			return nil, false
		}
	}
	var all []merged
	for _, m := range o.found {
		size += len(m.final)
		if _, ok := s.settled(m.mergeRequest); !ok || m.TargetBranch != branch || size > 2*maxRange {
			return nil, false
		}
		all = append(all, merged{mergeRequest: m.mergeRequest, final: m.final})
	}
	return all, true
}

// fill takes up what settled gave before.
func (o *owners) fill(all []merged) {
	for _, m := range all {
		o.found[m.IID] = &m
	}
}

// index is the merge request of each commit; the oldest where there are several.
func (o *owners) index() map[string]*merged {
	out := map[string]*merged{}
	for _, iid := range slices.Backward(slices.Sorted(maps.Keys(o.found))) {
		m := o.found[iid]
		for _, c := range m.final {
			out[c.ID] = m
		}
		for _, sha := range []string{m.MergeCommitSHA, m.SquashCommitSHA} {
			if m.made(sha) {
				out[sha] = m
			}
		}
	}
	return out
}

func (o *owners) commits(h history) []commit {
	out := h.commits()
	for _, m := range o.found {
		out = append(out, m.final...)
	}
	return out
}

// findOwners asks for the merge request of every commit that no merge request
// found so far speaks for, newest first: a merge commit speaks for all it merged.
func (s *session) findOwners(ctx context.Context, h history, wanted []gate.Matcher, branch string, o *owners) error {
	key := line{s.repo.ID, h.since, h.head, branch}
	if all, ok := s.memory.owned.get(key); ok {
		o.fill(all)
		return nil
	}
	if err := s.listOwners(ctx, h, branch, o); err != nil {
		return err
	}
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
	if err := g.Wait(); err != nil {
		return err
	}
	if branch != "" {
		s.memory.home.put(span{s.repo.ID, h.since, h.head}, branch, maxHistories)
	}
	if all, whole := o.settled(s, h, branch); whole {
		s.memory.owned.put(key, all, maxHistories)
	}
	return nil
}

// listOwners finds those that were merged into the branch lately, in one look: each
// names the commits that it ended in, and GitLab is asked for what it was made of. Only
// a hint, what it leaves out is looked for one by one.
func (s *session) listOwners(ctx context.Context, h history, branch string, o *owners) error {
	if !listed(h, branch) {
		return nil
	}
	rows, err := s.landedOn(ctx, h, branch)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for _, m := range rows {
		end := h.commit[m.landed()]
		g.Go(func() error {
			final, err := s.readCommits(ctx, m)
			if err == nil {
				o.add(merged{mergeRequest: m, final: final}, end)
			}
			return err
		})
	}
	return g.Wait()
}

// listed: the list is worth a look where there is more than one commit to place.
func listed(h history, branch string) bool { return branch != "" && len(h.order) > 1 }

// landedOn lists the merge requests that were merged into the branch lately and ended in
// a commit of the history.
func (s *session) landedOn(ctx context.Context, h history, branch string) ([]mergeRequest, error) {
	rows, err := s.rows.get(branch, func() ([]mergeRequest, error) {
		rows, _, _, err := fetchPage[mergeRequest](ctx, s, s.path("/merge_requests"), url.Values{
			"state": {"merged"}, "target_branch": {branch}, "order_by": {"updated_at"}, "sort": {"desc"},
		}, 1)
		return rows, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the merge requests into %s: %w", branch, err)
	}
	return slices.DeleteFunc(slices.Clone(rows), func(m mergeRequest) bool {
		_, in := h.commit[m.landed()]
		return !in || m.State != "merged" || m.TargetProjectID != s.repo.ID || m.TargetBranch != branch || m.IID <= 0 || !isSHA(m.SHA)
	}), nil
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
		case m.State == "locked": // it is being merged just now
			return fmt.Errorf("!%d is being merged: %w", m.IID, errPartial)
		case m.State != "merged" || m.TargetProjectID != s.repo.ID:
		case m.IID <= 0 || !isSHA(m.SHA):
			return fmt.Errorf("merge request %d of %s at %q: %w", m.IID, c.ID, m.SHA, errUnexpected)
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
func (s *session) readDirect(ctx context.Context, sha string, h history, pushers gate.Fact[[]gate.Account], paths bool) gate.Change {
	row := h.commit[sha]
	c := gate.Change{
		Head: sha, Title: row.title(),
		Opener:  gate.Absent[gate.Account]("it never was a merge request"),
		Commits: []gate.Commit{{SHA: sha, Parents: row.ParentIDs, Title: row.title(), People: s.readPeople(ctx, row)}},
		Pushers: pushers,
		Merger:  gate.Absent[gate.Account]("it never was merged"),
		Reviews: gate.Known([]gate.Review{}),
		Paths:   gate.Unknown[[]string]("the policy does not ask for it"),
	}
	if p, err := s.readProject(ctx); err == nil {
		c.URL = p.WebURL + "/-/commit/" + sha
	}
	if paths {
		c.Paths = s.readCommitPaths(ctx, row)
	}
	return c
}
