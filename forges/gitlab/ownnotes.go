package gitlab

import (
	"context"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// ownFor is how long a thread's reading says which notes of its own the gate left there.
// Whoever else posts for the gate holds the post's lease for longer.
const ownFor = 10 * time.Second

// place is a thread of a project.
type place struct {
	repo   int64
	thread gate.Thread
}

// ownNotes are the gate's own notes in a thread that was read to its end.
type ownNotes struct {
	read  time.Time
	notes []note
}

// glance keeps what the look showed of the thread where the release's own posts go, though
// nobody asked for its comments.
func (s *session) glance(ctx context.Context) {
	t := s.look.answered().asked
	page, ok := s.look.thread(t)
	if !ok || t.Number == 0 {
		return
	}
	if _, err := s.comments(page, t); err == nil {
		s.keepOwn(ctx, t, page)
	}
}

// keepOwn remembers the gate's own notes of a thread that one page holds whole.
func (s *session) keepOwn(ctx context.Context, t gate.Thread, page graphNotes) {
	self, err := s.readSelf(ctx)
	if err != nil || page.older() {
		return
	}
	own := ownNotes{read: s.now()}
	for _, n := range page.Nodes {
		id, ok := n.number()
		if n.Author == nil || n.Body == nil || !ok {
			continue
		}
		if by, err := gidOf("User", n.Author.ID); err == nil && by == self.ID {
			own.notes = append(own.notes, note{ID: id, Body: *n.Body, Author: self})
		}
	}
	s.memory.own.put(place{s.repo.ID, t}, own, maxRemembered)
}

// recall finds the gate's own note in a thread that was read a moment ago; ok is false
// where nothing is known.
func (s *session) recall(t gate.Thread, mark string) (found note, ok bool) {
	own, ok := s.memory.own.get(place{s.repo.ID, t})
	if !ok || s.now().Sub(own.read) > ownFor {
		return note{}, false
	}
	for _, n := range own.notes {
		if strings.Contains(n.Body, mark) {
			return n, true
		}
	}
	return note{}, true
}

// forgetOwn is for whoever writes there: the next one looks again.
func (s *session) forgetOwn(t gate.Thread) {
	s.memory.own.drop(place{s.repo.ID, t})
}
