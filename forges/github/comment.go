package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// commentJSON is REST API's schema issue-comment, in part.
type commentJSON struct {
	ID        int64           `json:"id"`
	NodeID    string          `json:"node_id"`
	User      *userJSON       `json:"user"`
	Body      *string         `json:"body"`
	IssueURL  string          `json:"issue_url"`
	CreatedAt time.Time       `json:"created_at"`
	App       json.RawMessage `json:"performed_via_github_app"`
}

const commentQuery = `query Comment($id: ID!) {
  node(id: $id) { __typename ... on IssueComment { databaseId lastEditedAt createdViaEmail isMinimized } }
}`

// Comment reads one comment again; absent where GitHub says that there is none in that
// thread.
func (f *Forge) Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	repo, err := f.open(ctx, ref.Repository, "")
	if err != nil {
		return gate.Unknown[gate.Comment]("the repository could not be read: " + why(err))
	}
	return repo.comment(ctx, ref)
}

func (r *repository) comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	if ref.Repository != r.facts.ID {
		return gate.Unknown[gate.Comment]("the comment is of another repository")
	}
	var raw commentJSON
	err := r.get(ctx, &raw, nil, r.at("issues", "comments", strconv.FormatInt(ref.ID, 10))...)
	switch {
	case isNotFound(err):
		return gate.Absent[gate.Comment]("the comment was deleted")
	case err != nil:
		return gate.Unknown[gate.Comment](why(err))
	case raw.ID != ref.ID || raw.Body == nil || raw.CreatedAt.IsZero():
		return gate.Unknown[gate.Comment](fmt.Sprintf("GitHub answered for comment %d, or in part", raw.ID))
	case !strings.HasSuffix(raw.IssueURL, "/issues/"+strconv.FormatInt(ref.Thread.Number, 10)):
		return gate.Absent[gate.Comment](fmt.Sprintf("#%d has no such comment", ref.Thread.Number))
	}
	c := gate.Comment{Ref: ref, Body: *raw.Body, Created: raw.CreatedAt}
	// A deleted account's comment has no author, or the ghost: neither is anybody's number.
	c.Author, _ = r.forge.toAccount(raw.User)
	c.ByMachine = len(raw.App) > 0 && string(raw.App) != "null"
	if err := r.commentNode(ctx, raw.NodeID, &c); err != nil {
		return gate.Unknown[gate.Comment]("whether it was edited: " + why(err))
	}
	return gate.Known(c)
}

// commentNode adds what only GraphQL says (schema, type IssueComment).
func (r *repository) commentNode(ctx context.Context, nodeID string, c *gate.Comment) error {
	var answer struct {
		Node *struct {
			DatabaseID      int64      `json:"databaseId"`
			LastEditedAt    *time.Time `json:"lastEditedAt"`
			CreatedViaEmail *bool      `json:"createdViaEmail"`
			IsMinimized     *bool      `json:"isMinimized"`
		} `json:"node"`
	}
	if err := r.query(ctx, commentQuery, map[string]any{"id": nodeID}, &answer); err != nil {
		return err
	}
	n := answer.Node
	if n == nil || n.DatabaseID != c.Ref.ID || n.CreatedViaEmail == nil || n.IsMinimized == nil {
		return fmt.Errorf("GraphQL node %q: expected comment %d", nodeID, c.Ref.ID)
	}
	c.Edited = n.LastEditedAt != nil
	c.Hidden = *n.IsMinimized
	c.ByMachine = c.ByMachine || *n.CreatedViaEmail
	return nil
}
