package gitlab

import (
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// memory is what git and GitLab never change, kept between readings: a commit, what
// two commits have in common or not, and what a merged merge request was made of.
// Rights, who approves, rules, refs, comments and whose an address is are never in it,
// nor is anything that could not be read or was not proved complete. What is in it
// beside is a hint where to look, or asks for more than is needed while it is wrong.
type memory struct {
	commits   cache[revision, commit]
	ancestors cache[span, bool]
	changed   cache[span, map[string]bool]
	histories cache[span, history]
	versions  cache[settled, []version]
	contents  cache[settled, []commit]
	pushers   cache[settled, []int64] // who pushed all that was merged
	statuses  cache[posted, status]   // a hint where to set the next one
	owned     cache[line, []merged]   // where merge requests brought it all
	// codeowners are as of a commit.
	codeowners cache[revision, gate.Fact[gate.OwnersFile]]
	// free are projects whose tier has no approval rules, and until when that is believed.
	free cache[int64, time.Time]
	own  cache[place, ownNotes]
	// dialects is what the instance's GraphQL takes, under no name; home the branch on which a history
	// was last found: both are hints.
	dialects cache[string, spoken]
	home     cache[span, string]
	mains    cache[int64, string] // default branches
	human    cache[int64, bool]   // whether an account is a person's
}

const (
	maxRemembered = 4096 // entries of each kind
	maxRange      = 500  // commits or paths in one entry
	maxHistories  = 32
)

// revision is a commit of a project.
type revision struct {
	repo int64
	sha  string
}

// span is two commits of a project.
type span struct {
	repo     int64
	from, to string
}

// settled is a merge request that was merged: GitLab adds no version to it and
// reopens none (source: app/models/merge_request.rb, state machine;
// app/services/merge_requests/refresh_service.rb looks at opened ones alone).
type settled struct {
	repo, iid int64
	sha, made string
	at        time.Time
}

func (s *session) settled(m mergeRequest) (settled, bool) {
	return settled{s.repo.ID, m.IID, m.SHA, m.landed(), m.MergedAt.UTC()}, m.State == "merged" && !m.MergedAt.IsZero()
}

// line is a history as it is on a branch.
type line struct {
	repo                int64
	since, head, branch string
}

// cache keeps at most the given number of values; then it starts anew. What is in it
// belongs to everybody and is not to be changed. Its zero value is ready.
type cache[K comparable, V any] struct {
	mu   sync.Mutex
	rows map[K]V
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.rows[key]
	return v, ok
}

func (c *cache[K, V]) put(key K, value V, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil || len(c.rows) >= most {
		c.rows = map[K]V{}
	}
	c.rows[key] = value
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rows, key)
}
