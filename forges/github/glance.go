package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// glanceJSON is REST API's schema issue-comment, in part, with what GraphQL tells better.
type glanceJSON struct {
	commentJSON
	UpdatedAt time.Time       `json:"updated_at"`
	Minimized json.RawMessage `json:"minimized"` // of newer versions only
}

// Glance reads one comment as far as REST tells it, in one call; absent where GitHub says
// that there is none in that thread. It is [Forge.Comment], with two differences. Edited is
// whether the comment changed at all since it was made, to the second, and ByMachine does
// not know of e-mails: who counts the comment reads it again in full.
func (f *Forge) Glance(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	var out gate.Fact[gate.Comment]
	err := f.with(ctx, ref.Repository, "", func(r *repository) (err error) {
		out, err = r.glance(ctx, ref)
		return err
	})
	var opening *openError
	switch {
	case errors.As(err, &opening):
		return gate.Unknown[gate.Comment]("the repository could not be read: " + why(opening.error))
	case err != nil:
		return gate.Unknown[gate.Comment](why(err))
	}
	return out
}

// glance reads a comment by REST alone. An error means that nothing is known.
func (r *repository) glance(ctx context.Context, ref gate.CommentRef) (gate.Fact[gate.Comment], error) {
	var none gate.Fact[gate.Comment]
	if ref.Repository != r.facts.ID {
		return none, errors.New("the comment is of another repository")
	}
	var raw glanceJSON
	err := r.get(ctx, &raw, nil, r.at("issues", "comments", strconv.FormatInt(ref.ID, 10))...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return gate.Absent[gate.Comment]("the comment was deleted"), doubt
	}
	switch {
	case err != nil:
		return none, err
	case raw.ID != ref.ID || raw.Body == nil || raw.CreatedAt.IsZero() || raw.UpdatedAt.IsZero():
		return none, fmt.Errorf("GitHub answered for comment %d, or in part", raw.ID)
	case !strings.HasSuffix(raw.IssueURL, "/issues/"+strconv.FormatInt(ref.Thread.Number, 10)):
		return gate.Absent[gate.Comment](fmt.Sprintf("#%d has no such comment", ref.Thread.Number)), nil
	}
	c := gate.Comment{
		Ref: ref, Body: *raw.Body, Created: raw.CreatedAt, Edited: !raw.UpdatedAt.Equal(raw.CreatedAt),
		Hidden: len(raw.Minimized) > 0 && !bytes.Equal(raw.Minimized, []byte("null")), ByMachine: raw.byApp(),
	}
	// A deleted account's comment has no author, or the ghost: neither is anybody's number.
	c.Author, _ = r.forge.toAccount(raw.User)
	if raw.NodeID != "" {
		// Which app wrote it cannot change: the full reading then needs GraphQL alone.
		r.forge.memory.foundComment(raw.ID, keptComment{node: raw.NodeID, byApp: raw.byApp()})
	}
	return gate.Known(c), nil
}
