package github

import (
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// memory is what may be remembered between readings, because it cannot change or is
// only a hint where to look: nothing in it is evidence but the logs of pushes (see stillLog).
// Each map is emptied where it grows too large.
type memory struct {
	mu       sync.Mutex
	pulls    map[rangeKey]keptPulls
	comments map[int64]keptComment
	ancestry map[ancestryKey]bool
	logs     map[logKey]keptLog
	bases    map[logKey]stillLog // of branches that releases come from
	heads    map[logKey]stillLog // of merged pull requests' branches, by refs/pull/N/head
	owners   map[fileKey]gate.Fact[gate.OwnersFile]
	empty    map[place]time.Time // when it was read
	// plain and unruled are repositories of which GraphQL does not show Apps everything (unruled:
	// the rules in force), and when it was asked.
	plain, unruled map[int64]time.Time
	// renumbered is when jobs were last seen to have other numbers than their check runs; the
	// zero time where they never were.
	renumbered time.Time
	hidden     map[rulesetKey]time.Time // rulesets whose bypass list REST did not show, and when
}

const (
	maxRemembered = 4096
	maxLogs       = 64 // each has up to maxActivity rows
	maxOwners     = 64 // each is a file of up to 3 MB
	// plainAge is how long a refusal is remembered: it may have been a passing fault.
	plainAge = time.Hour
)

// fileKey is a file of one commit of a repository, which no push changes.
type fileKey struct {
	repository int64
	commit     string
}

type rulesetKey struct{ repository, ruleset int64 }

// logKey is the push log of one full ref.
type logKey struct {
	repository int64
	ref        string
}

// keptLog is a ref's log as it was when newest was the newest row of the whole log.
type keptLog struct {
	newest int64
	rows   []activityJSON
}

// keptComment is what of a comment cannot change.
type keptComment struct {
	node  string // GraphQL's ID
	byApp bool
}

// rangeKey is one change set: two commits of one repository.
type rangeKey struct {
	repository  int64
	since, head string
}

// keptPulls are a change set's pull requests, and how many commits the largest of them has.
// GitHub charges a query for what it could give: that number keeps it small.
type keptPulls struct {
	numbers []int64
	commits int
}

// ancestryKey asks whether a commit is reachable from another, which no push changes.
type ancestryKey struct {
	repository   int64
	head, commit string
}

func newMemory() *memory {
	return &memory{
		pulls: map[rangeKey]keptPulls{}, comments: map[int64]keptComment{}, ancestry: map[ancestryKey]bool{}, logs: map[logKey]keptLog{},
		bases: map[logKey]stillLog{}, heads: map[logKey]stillLog{},
		owners: map[fileKey]gate.Fact[gate.OwnersFile]{}, plain: map[int64]time.Time{}, unruled: map[int64]time.Time{}, hidden: map[rulesetKey]time.Time{}, empty: map[place]time.Time{},
	}
}

func keep[K comparable, V any](m *memory, in map[K]V, most int, k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(in) >= most {
		clear(in)
	}
	in[k] = v
}

// maxHinted bounds how many pull requests one query asks for.
const maxHinted = 20

func (m *memory) hints(r gate.Request, since string, needs gate.Needs, now time.Time) hints {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := hints{comments: map[int64]keptComment{}, thread: needs.Thread}
	h.extras = !now.Before(m.plain[r.Repository.ID].Add(plainAge))
	h.rules = !now.Before(m.unruled[r.Repository.ID].Add(plainAge))
	all, known := m.pulls[rangeKey{r.Repository.ID, since, r.Commit}]
	if h.recent, h.commits = !known, recentCommits; known {
		h.commits = all.commits
	}
	if len(all.numbers) <= maxHinted {
		h.pulls = slices.Clone(all.numbers)
	}
	for _, c := range needs.Comments {
		if c.Thread == needs.Thread {
			continue // which is read as a whole
		}
		if kept, has := m.comments[c.ID]; has && len(h.comments) < maxHinted {
			h.comments[c.ID] = kept
		}
	}
	return h
}

func (m *memory) foundPulls(r gate.Request, since string, found keptPulls) {
	keep(m, m.pulls, maxRemembered, rangeKey{r.Repository.ID, since, r.Commit}, found)
}

func (m *memory) foundComment(id int64, c keptComment) { keep(m, m.comments, maxRemembered, id, c) }

func (m *memory) holds(k ancestryKey) (is, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is, known = m.ancestry[k]
	return is, known
}

func (m *memory) refused(repository int64, now time.Time) {
	keep(m, m.plain, maxRemembered, repository, now)
}

// answeredWithout notes what was wanted, and is missing in what GitHub answered at last.
func (m *memory) answeredWithout(repository int64, wanted, answered hints, now time.Time) {
	if wanted.extras && !answered.extras {
		m.refused(repository, now)
	}
	if wanted.rules && !answered.rules {
		keep(m, m.unruled, maxRemembered, repository, now)
	}
}

func (m *memory) hides(k rulesetKey, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.hidden[k].Add(plainAge))
}

func (m *memory) kept(id int64) (keptComment, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, has := m.comments[id]
	return c, has
}

func (m *memory) ownersOf(k fileKey) (gate.Fact[gate.OwnersFile], bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, has := m.owners[k]
	return f, has
}

func (m *memory) log(k logKey) (keptLog, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, has := m.logs[k]
	return l, has
}

func (m *memory) keepLog(k logKey, l keptLog) {
	l.rows = slices.Clone(l.rows[:min(len(l.rows), maxActivity)])
	keep(m, m.logs, maxLogs, k, l)
}

// renumber remembers that jobs have other numbers than their check runs.
func (m *memory) renumber(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renumbered = at
}

// isRenumbered reports whether that was seen, and not too long ago.
func (m *memory) isRenumbered(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.renumbered.IsZero() && now.Sub(m.renumbered) < plainAge
}
