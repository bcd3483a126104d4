package gitlabtest

import (
	"slices"

	"github.com/countersign/countersign/forges/forgetest"
)

// Assign puts p in charge of a merge request.
func (s *Server) Assign(c forgetest.Change, p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mr, who := s.mergeRequest(c), s.account(p)
	if slices.Contains(mr.assignees, who) {
		return
	}
	mr.assignees = append(mr.assignees, who)
	s.systemNote(&mr.thread, who, "assigned to @"+who.login)
	s.sendMergeRequest(mr, who, "update", "")
}

// assigneeRows are all assignees, and the first as the older field names it.
func (s *Server) assigneeRows(mr *mergeRequest) (first any, all []any) {
	all = []any{}
	for _, a := range mr.assignees {
		all = append(all, s.basicUser(a))
	}
	if len(all) > 0 {
		first = all[0]
	}
	return first, all
}
