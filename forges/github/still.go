package github

import (
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// stillLog is the push log of a ref, read when the ref was at head. While the ref is still
// there the log is not asked again: a push that leaves a ref at the commit it had adds no
// content to it, so nobody is missing among those who brought what it holds. That goes
// for a push by force to elsewhere and back as well: who undid what they did brought nothing
// that stays. A log that does not yet tell of the push that brought the head, or not all
// of what is asked of it, is not kept.
type stillLog struct {
	head string
	read time.Time
	rows []activityJSON
}

const (
	// stillAge is how long a log may be used without being asked again, from when it was read.
	stillAge = time.Hour
	// maxStillRows bounds a kept log of a pull request's branch.
	maxStillRows = 100
	maxHeads     = 512
)

// at is the log's rows, where the ref is at this head now.
func (l stillLog) at(head string, now time.Time) ([]activityJSON, bool) {
	if head == "" || l.head != head || l.read.After(now) || !now.Before(l.read.Add(stillAge)) {
		return nil, false
	}
	return l.rows, true
}

func (m *memory) still(in map[logKey]stillLog, k logKey, head string, now time.Time) ([]activityJSON, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return in[k].at(head, now)
}

// keepBase keeps the log of a branch where its newest row is the push that brought head.
func (m *memory) keepBase(k logKey, l stillLog) {
	if l.head == "" || len(l.rows) == 0 || l.rows[0].After != l.head || l.rows[0].Type == activityDeletion {
		return
	}
	keep(m, m.bases, maxLogs, k, l)
}

// keepHead keeps the log of a merged pull request's branch, of which the pushers are known.
// Its head stays what it is, whatever is done to the branch later.
func (m *memory) keepHead(k logKey, l stillLog, pushers gate.Fact[[]gate.Account]) {
	if !pushers.IsKnown() || len(l.rows) > maxStillRows {
		return
	}
	keep(m, m.heads, maxHeads, k, l)
}

// headOf is where the snapshot has one of the repository's branches, "" where it does not
// tell.
func (rd *reading) headOf(ref string) string {
	s := rd.snap
	switch {
	case s == nil || !strings.HasPrefix(ref, "refs/heads/"):
		return ""
	case ref == "refs/heads/"+rd.facts.DefaultBranch:
		return s.branch
	case ref == rd.request.Ref && s.ref != nil && s.ref.Target != nil:
		return s.ref.Target.OID
	}
	return ""
}
