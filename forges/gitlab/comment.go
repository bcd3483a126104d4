package gitlab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// note is one comment (source: lib/api/entities/note.rb).
type note struct {
	ID           int64     `json:"id"`
	Body         string    `json:"body"`
	Author       account   `json:"author"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	System       *bool     `json:"system"`
	Internal     bool      `json:"internal"`
	Confidential bool      `json:"confidential"`
	NoteableType string    `json:"noteable_type"`
	NoteableIID  int64     `json:"noteable_iid"`
}

// notesAt is the path of a thread's notes.
func (s *session) notesAt(t gate.Thread) string {
	if t.Issue {
		return s.path("/issues/%d/notes", t.Number)
	}
	return s.path("/merge_requests/%d/notes", t.Number)
}

// noteable is a thread's kind as notes name it.
func noteable(t gate.Thread) string {
	if t.Issue {
		return "Issue"
	}
	return "MergeRequest"
}

// Comment reads one note as it is now.
func (f *Forge) Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	return f.session(ref.Repository).readComment(ctx, ref)
}

func (s *session) readComment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	if ref.Repository != s.repo || s.repo.Forge != s.forge {
		return gate.Unknown[gate.Comment]("the comment belongs to another repository")
	}
	if seen := s.look.answered().notes[ref.ID]; seen != nil && seen.hangsOn(ref.Repository, ref.Thread) {
		if c, err := s.comment(*seen, ref); err == nil {
			return gate.Known(c)
		}
	} else if c, ok := s.askNote(ctx, ref); ok {
		return gate.Known(c)
	}
	n, err := fetch[note](ctx, s, fmt.Sprintf("%s/%d", s.notesAt(ref.Thread), ref.ID), nil)
	if isNotFound(err) {
		return s.noComment(ctx)
	}
	if err != nil {
		return unknown[gate.Comment](err)
	}
	if n.ID != ref.ID || n.NoteableType != noteable(ref.Thread) || n.NoteableIID != ref.Thread.Number || n.System == nil || n.CreatedAt.IsZero() {
		return unknown[gate.Comment](errUnexpected) // attack 50
	}
	author, err := s.readAccount(ctx, n.Author.ID)
	if err != nil {
		return gate.Unknown[gate.Comment]("its author: " + why(err))
	}
	edited, err := s.edited(ctx, n)
	if err != nil {
		return gate.Unknown[gate.Comment]("whether it was edited: " + why(err))
	}
	return gate.Known(gate.Comment{
		Ref: ref, Author: author, Body: n.Body, Created: n.CreatedAt, Edited: edited,
		Hidden: *n.System || n.Internal || n.Confidential, ByMachine: !author.Human,
	})
}

// noComment tells a deleted note from a project that the gate no longer sees:
// GitLab answers 404 to both.
func (s *session) noComment(ctx context.Context) gate.Fact[gate.Comment] {
	if err := s.stillSeen(ctx); err != nil {
		return unknown[gate.Comment](err)
	}
	return gate.Absent[gate.Comment]("GitLab has no such note any more")
}

// edited tells whether the body was changed. A note's updated_at alone does not:
// a reaction moves it too (source: app/models/award_emoji.rb, expire_cache). So
// where it moved, GraphQL is asked, whose lastEditedBy is null unless the body
// was edited (source: app/models/concerns/editable.rb, Note#edited?).
func (s *session) edited(ctx context.Context, n note) (bool, error) {
	if n.UpdatedAt.Equal(n.CreatedAt) {
		return false, nil
	}
	var answer struct {
		Note *struct {
			ID           string     `json:"id"`
			CreatedAt    time.Time  `json:"createdAt"`
			UpdatedAt    time.Time  `json:"updatedAt"`
			LastEditedAt *time.Time `json:"lastEditedAt"`
			LastEditedBy *struct {
				ID string `json:"id"`
			} `json:"lastEditedBy"`
		} `json:"note"`
	}
	const question = "query($id: NoteID!) { note(id: $id) { id createdAt updatedAt lastEditedAt lastEditedBy { id } } }"
	gid := fmt.Sprintf("gid://gitlab/Note/%d", n.ID)
	if err := s.graphQL(ctx, question, map[string]any{"id": gid}, &answer); err != nil {
		return false, err
	}
	// Of a diff note GraphQL answers the same number under another type's name.
	if answer.Note == nil || !strings.HasSuffix(answer.Note.ID, fmt.Sprintf("Note/%d", n.ID)) {
		return false, fmt.Errorf("note %d in GraphQL: %w", n.ID, errUnexpected)
	}
	if at := answer.Note; at.LastEditedBy != nil ||
		(at.LastEditedAt != nil && !at.LastEditedAt.Equal(at.CreatedAt) && !at.LastEditedAt.Equal(at.UpdatedAt)) {
		return true, nil
	}
	return false, nil
}
