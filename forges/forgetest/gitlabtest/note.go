package gitlabtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// note is one comment or system note of a thread.
type note struct {
	id       int64
	author   *account
	body     string
	created  time.Time
	updated  time.Time
	editor   *account  // who changed the body last
	edited   time.Time // when; zero: never
	system   bool
	internal bool // API docs: notes, internal (formerly confidential)
	awards   []*award
}

// award is one emoji on a note.
type award struct {
	id      int64
	name    string
	by      *account
	created time.Time
}

// award changes who awarded what to a note. GitLab moves the note's updated_at with
// it, so that updated_at is no sign of an edit (source: app/models/award_emoji.rb,
// expire_cache and bump_updated_at).
func (s *Server) award(n *note, awards []*award) {
	n.awards, n.updated = awards, s.tick()
}

func (t *thread) note(id int64) *note {
	for _, n := range t.notes {
		if n.id == id {
			return n
		}
	}
	return nil
}

func (s *Server) newNote(t *thread, by *account, body string, system, internal bool) *note {
	now := s.tick()
	n := &note{
		id: s.id("note"), author: by, body: body, created: now, updated: now, system: system, internal: internal,
	}
	t.notes = append(t.notes, n)
	t.updated = now
	return n
}

// systemNote records what happened. System notes send no Note Hook (source:
// app/services/notes/post_process_service.rb, hooks only unless note.system?).
func (s *Server) systemNote(t *thread, by *account, body string) {
	s.newNote(t, by, body, true, false)
}

func (s *Server) addNote(t *thread, by *account, body string, internal bool) *note {
	n := s.newNote(t, by, body, false, internal)
	t.project.events = append(t.project.events, &event{
		id: s.id("event"), action: "commented", name: "commented on", author: by, created: n.created, target: t,
	})
	s.sendNote(t, n, by, "create")
	return n
}

// AddComment adds a note to a merge request or issue.
func (s *Server) AddComment(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.thread(c)
	return comment(t, s.addNote(t, s.account(by), body, false))
}

// AddInternalNote adds a note that only project members see. It travels as a
// Confidential Note Hook.
func (s *Server) AddInternalNote(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.thread(c)
	return comment(t, s.addNote(t, s.account(by), body, true))
}

// AddSystemNote adds a note that says `system`, with any text.
func (s *Server) AddSystemNote(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.thread(c)
	return comment(t, s.newNote(t, s.account(by), body, true, false))
}

// EditComment changes a note's body; updated_at and GraphQL's lastEditedAt move and
// a Note Hook with action "update" is sent. Maintainers may edit other people's notes.
func (s *Server) EditComment(c forgetest.Comment, by forgetest.Person, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, n := s.noteOf(c)
	s.editNote(t, n, s.account(by), body)
}

func (s *Server) editNote(t *thread, n *note, by *account, body string) {
	n.updated = s.tick()
	n.body, n.editor, n.edited = body, by, n.updated
	s.sendNote(t, n, by, "update")
}

// DeleteComment removes a note. No webhook tells of it (docs: webhook events,
// comment events are sent on creation and edit).
func (s *Server) DeleteComment(c forgetest.Comment, by forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(by)
	t, n := s.noteOf(c)
	t.remove(n)
}

func (t *thread) remove(n *note) {
	t.notes = slices.DeleteFunc(t.notes, func(other *note) bool { return other == n })
}

// Comments are the notes of people, oldest first; system notes are not comments.
func (s *Server) Comments(c forgetest.Change) []forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.thread(c)
	var out []forgetest.Comment
	for _, n := range t.notes {
		if !n.system {
			out = append(out, comment(t, n))
		}
	}
	return out
}

// Reactions are the emoji that the gate's account awarded to a note.
func (s *Server) Reactions(c forgetest.Comment) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, n := s.noteOf(c)
	var out []string
	for _, a := range n.awards {
		if a.by == s.bot {
			out = append(out, a.name)
		}
	}
	return out
}

func (s *Server) noteOf(c forgetest.Comment) (*thread, *note) {
	t := s.thread(c.Change)
	n := t.note(c.ID)
	if n == nil {
		panic(fmt.Sprintf("comment %d of change %d: expected one that exists", c.ID, c.Change.Number))
	}
	return t, n
}

func comment(t *thread, n *note) forgetest.Comment {
	return forgetest.Comment{
		Change: t.change(), ID: n.id, Author: n.author.person(), Body: n.body, Created: n.created, Updated: n.updated,
	}
}
