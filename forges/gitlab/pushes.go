package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/gate"
)

// push is one push as a project's events tell it (API docs: events; source:
// lib/api/entities/push_event_payload.rb). A push of more than three refs at once
// leaves no names behind; such a push is never found here, and its pusher unknown.
type push struct {
	ID       int64 `json:"id"`
	AuthorID int64 `json:"author_id"`
	Data     *struct {
		Action  string `json:"action"`
		RefType string `json:"ref_type"`
		Ref     string `json:"ref"`
		From    string `json:"commit_from"`
		To      string `json:"commit_to"`
	} `json:"push_data"`
}

func (p push) on(kind, ref string) bool {
	return p.Data != nil && p.Data.RefType == kind && p.Data.Ref == ref && p.Data.Action != "removed"
}

// from is the head before the push, "" where the push made the ref.
func (p push) from() string {
	if strings.Trim(p.Data.From, "0") == "" {
		return ""
	}
	return p.Data.From
}

// pushLog is the pushes to one project, newest first, read only as far back as
// somebody needs. It is safe for concurrent use.
type pushLog struct {
	mu   sync.Mutex
	path string
	rows []push
	next int
}

func (s *session) pushesTo(projectID int64) *pushLog {
	log, _ := s.logs.get(projectID, func() (*pushLog, error) {
		return &pushLog{path: fmt.Sprintf("projects/%d/events", projectID), next: 1}, nil
	})
	return log
}

// search reads back until enough is satisfied, or to the end: then enough stays
// unsatisfied, and its caller says so.
func (l *pushLog) search(ctx context.Context, s *session, enough func([]push) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !enough(l.rows) && l.next != 0 {
		if l.next > maxPages {
			return fmt.Errorf("read pushes: more than %d: %w", maxPages*perPage, errPartial)
		}
		rows, next, _, err := fetchPage[push](ctx, s, l.path, url.Values{"action": {"pushed"}}, l.next)
		if err != nil {
			return fmt.Errorf("read pushes: %w", err)
		}
		l.rows, l.next = append(l.rows, rows...), next
	}
	return nil
}

// branchPushers follows the pushes that brought a branch to each of heads. Where
// a push went on from a commit of the change, whoever pushed that counts as well
// (attacks 33 and 34), back to where the change began.
func (s *session) branchPushers(ctx context.Context, m mergeRequest, heads []string, of map[string]bool) gate.Fact[[]gate.Account] {
	projectID, branch := m.SourceProjectID, m.SourceBranch
	key, final := s.settled(m)
	if ids, ok := s.memory.pushers.get(key); ok && final {
		return s.accounts(ctx, slices.Clone(ids))
	}
	var ids []int64
	var missing string
	err := s.pushesTo(projectID).search(ctx, s, func(rows []push) bool {
		ids, missing = chain(rows, branch, heads, of)
		return missing == ""
	})
	if err != nil {
		return unknown[[]gate.Account](err)
	}
	if missing != "" {
		return gate.Unknown[[]gate.Account](fmt.Sprintf("GitLab's events do not tell who pushed %s to %s",
			gate.ShortCommit(missing), branch))
	}
	if final {
		s.memory.pushers.put(key, slices.Clone(ids), maxRemembered)
	}
	return s.accounts(ctx, ids)
}

// chain collects who pushed heads, and whatever of the change those pushes went on
// from. The second result is a commit whose push is not among rows.
func chain(rows []push, branch string, heads []string, of map[string]bool) ([]int64, string) {
	var ids []int64
	seen := map[string]bool{}
	for todo := slices.Clone(heads); len(todo) > 0; {
		sha := todo[0]
		todo = todo[1:]
		if seen[sha] {
			continue
		}
		seen[sha] = true
		found := false
		for _, p := range rows {
			if !p.on("branch", branch) || p.Data.To != sha {
				continue
			}
			found = true
			ids = append(ids, p.AuthorID)
			if of[p.from()] {
				todo = append(todo, p.from())
			}
		}
		if !found {
			return ids, sha
		}
	}
	for _, p := range rows { // pushes of the change that nothing above went on from
		if p.on("branch", branch) && of[p.Data.To] {
			ids = append(ids, p.AuthorID)
		}
	}
	return ids, ""
}

func (s *session) accounts(ctx context.Context, ids []int64) gate.Fact[[]gate.Account] {
	slices.Sort(ids)
	out := []gate.Account{}
	for _, id := range slices.Compact(ids) {
		a, err := s.readAccount(ctx, id)
		if err != nil {
			return unknown[[]gate.Account](err)
		}
		out = append(out, a)
	}
	return gate.Known(out)
}

// brought says who brought the commits of a history to its branch, as far as the
// pushes taken so far tell.
type brought struct {
	h      history
	branch string
	taken  int
	by     map[string][]int64
}

// take goes on where it stopped: rows only grow.
func (b *brought) take(rows []push) {
	for ; b.taken < len(rows); b.taken++ {
		p := rows[b.taken]
		if !p.on("branch", b.branch) {
			continue
		}
		before := b.h.reachable(p.from())
		for sha := range b.h.reachable(p.Data.To) {
			if !before[sha] {
				b.by[sha] = append(b.by[sha], p.AuthorID)
			}
		}
	}
}

// directPushers finds who brought each of the commits to the branch itself.
func (s *session) directPushers(ctx context.Context, branch string, shas []string, h history) map[string]gate.Fact[[]gate.Account] {
	out := map[string]gate.Fact[[]gate.Account]{}
	log := s.pushesTo(s.repo.ID)
	b := &brought{h: h, branch: branch, by: map[string][]int64{}}
	err := log.search(ctx, s, func(rows []push) bool {
		b.take(rows)
		return !slices.ContainsFunc(shas, func(sha string) bool { return len(b.by[sha]) == 0 })
	})
	questions := maxDescents
	for _, sha := range shas {
		ids, err := b.by[sha], err
		if err == nil && len(ids) == 0 {
			ids, err = s.broughtLater(ctx, log, branch, sha, &questions)
		}
		switch {
		case err != nil:
			out[sha] = unknown[[]gate.Account](err)
		case len(ids) == 0:
			out[sha] = gate.Unknown[[]gate.Account](fmt.Sprintf("GitLab's events do not tell who pushed %s to %s",
				gate.ShortCommit(sha), branch))
		default:
			out[sha] = s.accounts(ctx, slices.Clone(ids))
		}
	}
	return out
}

// maxDescents bounds the questions about pushes whose head is not in the history.
const maxDescents = 64

// broughtLater looks at pushes whose head came after the commit that is released:
// there GitLab has to say what contains what. The oldest that holds it brought it.
func (s *session) broughtLater(ctx context.Context, log *pushLog, branch, sha string, questions *int) ([]int64, error) {
	log.mu.Lock()
	rows := slices.Clone(log.rows)
	log.mu.Unlock()
	var last []int64
	for _, p := range rows {
		if !p.on("branch", branch) || !isSHA(p.Data.To) {
			continue
		}
		if *questions--; *questions < 0 {
			return nil, fmt.Errorf("find the push of %s: %w", sha, errPartial)
		}
		is, err := s.isAncestor(ctx, sha, p.Data.To)
		if err != nil || !is {
			return last, err
		}
		last = []int64{p.AuthorID}
	}
	return last, nil
}
