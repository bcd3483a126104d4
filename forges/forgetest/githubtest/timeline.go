package githubtest

import (
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// event is one event of a pull request's timeline, in GraphQL's words.
type event struct {
	serial int64
	kind   string
	actor  int64
	when   time.Time
}

const (
	eventForced    = "HEAD_REF_FORCE_PUSHED_EVENT"
	eventAutoMerge = "AUTO_MERGE_ENABLED_EVENT"
	eventQueued    = "ADDED_TO_MERGE_QUEUE_EVENT"
)

func (s *Server) addEvent(p *pull, kind string, who *account) {
	p.events = append(p.events, event{s.next("event"), kind, who.id, s.now()})
}

// Enqueue puts a pull request into the merge queue; a bot then merges it.
func (s *Server) Enqueue(c forgetest.Change, by forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t := s.thread(c)
	s.addEvent(t.pull, eventQueued, s.who(by))
}

// MergeWhenReady switches automatic merging on.
func (s *Server) MergeWhenReady(c forgetest.Change, by forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t := s.thread(c)
	s.addEvent(t.pull, eventAutoMerge, s.who(by))
}

// Assign puts p in charge of a pull request or issue.
func (s *Server) Assign(c forgetest.Change, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, t := s.thread(c)
	a := s.who(p)
	if slices.Contains(t.assignees, a.id) {
		return
	}
	t.assignees = append(t.assignees, a.id)
	if t.pull != nil {
		s.emit(r, "pull_request", "assigned", a, obj{"number": t.number, "assignee": s.userJSON(a), "pull_request": s.pullJSON(r, t)})
	}
}

func (s *Server) assigneesJSON(t *thread) (first any, all []obj) {
	all = []obj{}
	for _, id := range t.assignees {
		all = append(all, s.userJSON(s.accounts[id]))
	}
	if len(all) > 0 {
		first = all[0]
	}
	return first, all
}
