package worldtest

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
)

func comments(t *testing.T, s *stage) {
	change, other := s.open(s.ana, "topic"), s.open(s.bo, "other")
	one := s.AddComment(change, s.bo, "one")
	two := s.AddComment(change, s.ana, "two")
	elsewhere := s.AddComment(other, s.ana, "elsewhere")
	if one.ID == two.ID || one.ID == elsewhere.ID || one.ID == 0 {
		t.Errorf("comment IDs: got %d, %d and %d, want three that differ", one.ID, two.ID, elsewhere.ID)
	}
	if one.Author.ID != s.bo.ID || one.Change.Number != change.Number || one.Created.IsZero() {
		t.Errorf("first comment: got %+v", one)
	}
	s.bodies(change, "one", "two")
	s.EditComment(one, s.ana, "one, edited")
	s.bodies(change, "one, edited", "two")
	if now := s.Comments(change)[0]; now.ID != one.ID || now.Author.ID != s.bo.ID || now.Updated.Before(now.Created) {
		t.Errorf("edited comment: got %+v, want ID and author to stay", now)
	}
	s.DeleteComment(two, s.ana)
	s.bodies(change, "one, edited")
	s.bodies(other, "elsewhere")
	if got := s.Reactions(one); len(got) != 0 {
		t.Errorf("reactions of the gate: got %v, want none", got)
	}
}

func (s *stage) bodies(c forgetest.Change, want ...string) {
	s.t.Helper()
	got := s.Comments(c)
	if len(got) != len(want) {
		s.t.Errorf("comments: got %+v, want %q", got, want)
		return
	}
	for i := range want {
		if got[i].Body != want[i] {
			s.t.Errorf("comment %d: got %q, want %q", i, got[i].Body, want[i])
		}
	}
}

func reports(t *testing.T, s *stage) {
	if got := s.Statuses(s.repo, s.push(s.ana, "topic", "a")); len(got) != 0 {
		t.Errorf("statuses of a fresh commit: got %+v, want none", got)
	}
}
