package gitlabtest

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// thread is what a merge request and an issue have in common.
type thread struct {
	project  *project
	kind     string // MergeRequest or Issue
	id, iid  int64
	author   *account
	title    string
	body     string
	state    string // opened, closed, merged
	created  time.Time
	updated  time.Time
	closedAt time.Time
	closedBy *account
	notes    []*note
}

func (t *thread) change() forgetest.Change {
	return forgetest.Change{Repository: t.project.repository(), Number: t.iid, Issue: t.kind == "Issue"}
}

func (t *thread) replaceAuthor(gone, ghost *account) {
	if t.author == gone {
		t.author = ghost
	}
	for _, n := range t.notes {
		if n.author == gone {
			n.author = ghost
		}
	}
}

// issue is a plain issue. Its numbers are a project's own, apart from those of
// merge requests.
type issue struct {
	thread
	confidential bool
}

// OpenIssue opens a plain issue.
func (s *Server) OpenIssue(r forgetest.Repository, by forgetest.Person, title, body string) forgetest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newIssue(s.project(r), s.account(by), title, body).change()
}

func (s *Server) newIssue(p *project, by *account, title, body string) *issue {
	now := s.tick()
	i := &issue{thread: thread{
		project: p, kind: "Issue", id: s.id("issue"), iid: int64(len(p.issues) + 1), author: by,
		title: title, body: body, state: "opened", created: now, updated: now,
	}}
	p.issues = append(p.issues, i)
	return i
}

func (p *project) issue(iid int64) *issue {
	for _, i := range p.issues {
		if i.iid == iid {
			return i
		}
	}
	return nil
}

func (p *project) mergeRequest(iid int64) *mergeRequest {
	for _, mr := range p.mergeRequests {
		if mr.iid == iid {
			return mr
		}
	}
	return nil
}

// thread finds the merge request or issue of a change.
func (s *Server) thread(c forgetest.Change) *thread {
	p := s.project(c.Repository)
	if c.Issue {
		if i := p.issue(c.Number); i != nil {
			return &i.thread
		}
	} else if mr := p.mergeRequest(c.Number); mr != nil {
		return &mr.thread
	}
	panic(fmt.Sprintf("change %d of %s (issue: %t): expected one that exists", c.Number, c.Repository.FullName, c.Issue))
}

func (s *Server) mergeRequest(c forgetest.Change) *mergeRequest {
	mr := s.project(c.Repository).mergeRequest(c.Number)
	if mr == nil || c.Issue {
		panic(fmt.Sprintf("change %d of %s: expected a merge request", c.Number, c.Repository.FullName))
	}
	return mr
}
