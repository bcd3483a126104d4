package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// maxBoundary bounds the questions that prove a history complete.
const maxBoundary = 64

// errNoBaseline: without a first commit to count from, everything ever written would
// have to be covered.
var errNoBaseline = errors.New("neither an earlier release nor a baseline is known")

// history is the commits of a change set, parents before children.
type history struct {
	since  string // what it begins after
	head   string
	order  []string
	commit map[string]commit
}

// readHistory reads what is reachable from head and from none of since, and proves
// that nothing is missing: every parent that is not in it must be an ancestor
// of one of since. A list cut short (attack 38), an unknown revision that GitLab
// takes for an empty range, and a rewritten history all fail that proof.
func (s *session) readHistory(ctx context.Context, head string, since []string) (history, error) {
	for _, sha := range append([]string{head}, since...) {
		if !isSHA(sha) {
			return history{}, fmt.Errorf("commit %q, expected 40 or 64 hex digits: %w", sha, errUnexpected)
		}
	}
	if len(since) == 0 {
		return history{}, errNoBaseline
	}
	since, err := s.newest(ctx, since)
	if err != nil {
		return history{}, err
	}
	key := span{s.repo.ID, strings.Join(slices.Sorted(slices.Values(since)), " "), head}
	if h, ok := s.memory.histories.get(key); ok {
		return h, nil
	}
	ranges, err := s.readRanges(ctx, head, since)
	if err != nil {
		return history{}, err
	}
	rows := ranges[0]
	for _, other := range ranges[1:] {
		for sha := range rows {
			if _, ok := other[sha]; !ok {
				delete(rows, sha)
			}
		}
	}
	h := history{since: key.from, head: head, commit: rows}
	if err := s.prove(ctx, h, head, since); err != nil {
		return history{}, err
	}
	h.sort(head)
	if len(h.order) <= maxRange {
		s.memory.histories.put(key, h, maxHistories)
	}
	return h, nil
}

// newest leaves only those of since that are no ancestor of another: in a line of
// releases the last one. A commit that the project no longer holds narrows
// nothing down and is left out; what remains can only be more to cover.
func (s *session) newest(ctx context.Context, since []string) ([]string, error) {
	var tops []string
	for rest := since; len(rest) > 0; {
		top := rest[0]
		old := make([]bool, len(rest))
		g, gctx := errgroup.WithContext(ctx)
		for i, sha := range rest[1:] {
			g.Go(func() error {
				is, err := s.isAncestor(gctx, sha, top)
				old[i+1] = is
				if statusOf(err) == http.StatusBadRequest { // either is unknown: decided below
					return nil
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		var next []string
		for i, sha := range rest[1:] {
			if !old[i+1] && sha != top {
				next = append(next, sha)
			}
		}
		tops, rest = append(tops, top), next
	}
	return s.held(ctx, tops)
}

// held leaves out what the project does not hold, unless nothing were left.
func (s *session) held(ctx context.Context, shas []string) ([]string, error) {
	if len(shas) == 1 { // no range begins after what the project does not hold: the proof shows it
		return shas, nil
	}
	var out []string
	for _, sha := range shas {
		_, err := s.readCommit(ctx, sha)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err == nil {
			out = append(out, sha)
		}
	}
	if len(out) == 0 && len(shas) > 0 {
		return nil, fmt.Errorf("none of %d earlier releases is in the project: %w", len(shas), errPartial)
	}
	return out, nil
}

// readRanges reads base..head for each base.
func (s *session) readRanges(ctx context.Context, head string, since []string) ([]map[string]commit, error) {
	out := make([]map[string]commit, len(since))
	g, ctx := errgroup.WithContext(ctx)
	for i, base := range since {
		g.Go(func() error {
			rows, err := s.readRange(ctx, base+".."+head)
			out[i] = rows
			return err
		})
	}
	return out, g.Wait()
}

// readRange lists the commits of a revision range (API docs: commits, ref_name "a
// branch, tag or revision range").
func (s *session) readRange(ctx context.Context, revisions string) (map[string]commit, error) {
	rows, err := fetchAll[commit](ctx, s, s.path("/repository/commits"), url.Values{"ref_name": {revisions}})
	if err != nil {
		return nil, fmt.Errorf("list the commits of %s: %w", revisions, err)
	}
	out := map[string]commit{}
	for _, c := range rows {
		if err := c.check(c.ID); err != nil {
			return nil, err
		}
		out[c.ID] = c
	}
	return out, nil
}

func (s *session) prove(ctx context.Context, h history, head string, since []string) error {
	boundary := map[string]bool{}
	for _, c := range h.commit {
		for _, p := range c.ParentIDs {
			if _, in := h.commit[p]; !in {
				boundary[p] = true
			}
		}
	}
	if _, in := h.commit[head]; !in {
		boundary[head] = true
	}
	for _, base := range since {
		delete(boundary, base)
	}
	if len(boundary) > maxBoundary {
		return fmt.Errorf("history of %s has %s edges: %w", head, strconv.Itoa(len(boundary)), errPartial)
	}
	g, ctx := errgroup.WithContext(ctx)
	for sha := range boundary {
		g.Go(func() error { return s.released(ctx, sha, since) })
	}
	return g.Wait()
}

// released checks that sha belongs to the history of an earlier release.
func (s *session) released(ctx context.Context, sha string, since []string) error {
	for _, base := range since {
		is, err := s.isAncestor(ctx, sha, base)
		if err != nil {
			return err
		}
		if is {
			return nil
		}
	}
	return fmt.Errorf("history: %s is missing from it: %w", sha, errPartial)
}

// sort orders the commits so that parents come first. It walks without recursion:
// a history is as deep as its author likes.
func (h *history) sort(head string) {
	done := map[string]bool{}
	for stack := []string{head}; len(stack) > 0; {
		sha := stack[len(stack)-1]
		c, in := h.commit[sha]
		if !in || done[sha] {
			stack = stack[:len(stack)-1]
			continue
		}
		ready := true
		for _, p := range c.ParentIDs {
			if _, in := h.commit[p]; in && !done[p] {
				stack, ready = append(stack, p), false
			}
		}
		if ready {
			done[sha] = true
			h.order = append(h.order, sha)
			stack = stack[:len(stack)-1]
		}
	}
}

// reachable are the commits of the history that top leads to, itself included.
func (h *history) reachable(top string) map[string]bool {
	seen := map[string]bool{}
	for todo := []string{top}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c, in := h.commit[at]
		if !in || seen[at] {
			continue
		}
		seen[at] = true
		todo = append(todo, c.ParentIDs...)
	}
	return seen
}

func (h *history) commits() []commit {
	var out []commit
	for _, sha := range h.order {
		out = append(out, h.commit[sha])
	}
	return out
}
