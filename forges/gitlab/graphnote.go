package gitlab

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// graphNote is a note in GraphQL (source: app/graphql/types/notes/note_type.rb).
type graphNote struct {
	ID           string     `json:"id"`
	Body         *string    `json:"body"`
	Author       *graphUser `json:"author"`
	System       *bool      `json:"system"`
	Internal     *bool      `json:"internal"`
	CreatedAt    time.Time  `json:"createdAt"`
	UpdatedAt    time.Time  `json:"updatedAt"`
	LastEditedAt *time.Time `json:"lastEditedAt"`
	LastEditedBy rawJSON    `json:"lastEditedBy"` // an account, or null
	// Of a note that was asked for by its number: where it hangs.
	Project *struct {
		ID string `json:"id"`
	} `json:"project"`
	Discussion *struct {
		Noteable *struct {
			Kind string `json:"__typename"`
			IID  string `json:"iid"`
		} `json:"noteable"`
	} `json:"discussion"`
}

const (
	noteFields = "id body system internal createdAt updatedAt lastEditedAt lastEditedBy { id } author " + userFields
	// whereFields say of a note by its number what it hangs on.
	whereFields = " project { id } discussion { noteable { __typename ... on MergeRequest { iid } ... on Issue { iid } } }"
)

// number is the note's, whatever kind of note GraphQL calls it: "DiffNote" and
// "DiscussionNote" count in one line with "Note".
func (n graphNote) number() (int64, bool) {
	_, rest, ok := strings.Cut(n.ID, "Note/")
	id, err := strconv.ParseInt(rest, 10, 64)
	return id, ok && err == nil && id > 0
}

// edited: lastEditedBy is null unless the body was edited, while lastEditedAt falls back
// to the last update (source: app/models/concerns/editable.rb, app/models/note.rb).
func (n graphNote) edited() bool {
	return string(n.LastEditedBy) != "null" ||
		(n.LastEditedAt != nil && !n.LastEditedAt.Equal(n.CreatedAt) && !n.LastEditedAt.Equal(n.UpdatedAt))
}

// whole reports whether nothing is missing: a part that is not there could hide a denial
// as well as an edit.
func (n graphNote) whole() bool {
	var editor *graphUser
	if err := n.LastEditedBy.into(&editor); err != nil {
		return false
	}
	if editor != nil {
		if _, err := gidOf("User", editor.ID); err != nil {
			return false
		}
	}
	return n.System != nil && n.Internal != nil && n.Body != nil && n.Author != nil && n.Author.Bot != nil &&
		!n.CreatedAt.IsZero() && !n.UpdatedAt.IsZero()
}

// comment is the note in the gate's words. Of what GitLab itself says of an author, only
// its word that it is no bot makes a person.
func (s *session) comment(n graphNote, ref gate.CommentRef) (gate.Comment, error) {
	id, ok := n.number()
	if !ok || id != ref.ID || !n.whole() {
		return gate.Comment{}, fmt.Errorf("note %q in GraphQL: %w", n.ID, errUnexpected)
	}
	author, err := s.known(*n.Author)
	if err != nil {
		return gate.Comment{}, fmt.Errorf("author of note %d: %w", id, err)
	}
	return gate.Comment{
		Ref: ref, Author: author, Body: *n.Body, Created: n.CreatedAt, Edited: n.edited(),
		Hidden: *n.System || *n.Internal, ByMachine: !author.Human,
	}, nil
}

// hangsOn reports whether the note is in the thread that it is looked for in (attack 50).
func (n graphNote) hangsOn(repo gate.RepositoryID, t gate.Thread) bool {
	if n.Project == nil || n.Discussion == nil || n.Discussion.Noteable == nil {
		return false
	}
	id, err := gidOf("Project", n.Project.ID)
	on := n.Discussion.Noteable
	return err == nil && id == repo.ID && on.Kind == noteable(t) && on.IID == strconv.FormatInt(t.Number, 10)
}

// askNote reads one note with its author and whether it was edited in one look. What
// does not come back whole is read by other ways.
func (s *session) askNote(ctx context.Context, ref gate.CommentRef) (gate.Comment, bool) {
	var answer struct {
		Note *graphNote `json:"note"`
	}
	const question = "query($id: NoteID!) { note(id: $id) { " + noteFields + whereFields + " } }"
	err := s.graphQL(ctx, question, map[string]any{"id": fmt.Sprintf("gid://gitlab/Note/%d", ref.ID)}, &answer)
	if err != nil || answer.Note == nil || !answer.Note.hangsOn(ref.Repository, ref.Thread) {
		return gate.Comment{}, false
	}
	c, err := s.comment(*answer.Note, ref)
	return c, err == nil
}
