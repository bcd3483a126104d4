package githubtest

import (
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// forced is one push by force to an open pull request's head.
type forced struct {
	id, actor int64
	when      time.Time
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
