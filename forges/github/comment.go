package github

import (
	"context"
	"encoding/json"
	"errors"
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

const (
	commentFields = `... on IssueComment { databaseId lastEditedAt createdViaEmail isMinimized }`
	commentQuery  = `query Comment($id: ID!) { node(id: $id) { ` + commentFields + ` } }`
)

// Comment reads one comment again; absent where GitHub says that there is none in that
// thread.
func (f *Forge) Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	var out gate.Fact[gate.Comment]
	err := f.with(ctx, ref.Repository, "", func(r *repository) (err error) {
		out, err = r.comment(ctx, ref, nil)
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

// comment reads a comment by REST and, unless node is given, by GraphQL. An error means
// that nothing is known.
func (r *repository) comment(ctx context.Context, ref gate.CommentRef, node *issueCommentNode) (gate.Fact[gate.Comment], error) {
	var none gate.Fact[gate.Comment]
	if ref.Repository != r.facts.ID {
		return none, errors.New("the comment is of another repository")
	}
	var raw commentJSON
	err := r.get(ctx, &raw, nil, r.at("issues", "comments", strconv.FormatInt(ref.ID, 10))...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return gate.Absent[gate.Comment]("the comment was deleted"), doubt
	}
	switch {
	case err != nil:
		return none, err
	case raw.ID != ref.ID || raw.Body == nil || raw.CreatedAt.IsZero():
		return none, fmt.Errorf("GitHub answered for comment %d, or in part", raw.ID)
	case !strings.HasSuffix(raw.IssueURL, "/issues/"+strconv.FormatInt(ref.Thread.Number, 10)):
		return gate.Absent[gate.Comment](fmt.Sprintf("#%d has no such comment", ref.Thread.Number)), nil
	}
	r.forge.memory.foundComment(raw.ID, raw.NodeID)
	c := gate.Comment{Ref: ref, Body: *raw.Body, Created: raw.CreatedAt}
	// A deleted account's comment has no author, or the ghost: neither is anybody's number.
	c.Author, _ = r.forge.toAccount(raw.User)
	c.ByMachine = len(raw.App) > 0 && string(raw.App) != "null"
	if node == nil {
		if node, err = r.commentNode(ctx, raw.NodeID); err != nil {
			return none, fmt.Errorf("whether it was edited: %s", why(err))
		}
	}
	if err := node.into(&c); err != nil {
		return none, err
	}
	return gate.Known(c), nil
}

// issueCommentNode is what only GraphQL says (schema, type IssueComment).
type issueCommentNode struct {
	DatabaseID      int64      `json:"databaseId"`
	LastEditedAt    *time.Time `json:"lastEditedAt"`
	CreatedViaEmail *bool      `json:"createdViaEmail"`
	IsMinimized     *bool      `json:"isMinimized"`
}

func (r *repository) commentNode(ctx context.Context, nodeID string) (*issueCommentNode, error) {
	var answer struct {
		Node *issueCommentNode `json:"node"`
	}
	if err := r.query(ctx, commentQuery, map[string]any{"id": nodeID}, &answer); err != nil {
		return nil, err
	}
	return answer.Node, nil
}

func (n *issueCommentNode) into(c *gate.Comment) error {
	if n == nil || n.DatabaseID != c.Ref.ID || n.CreatedViaEmail == nil || n.IsMinimized == nil {
		return fmt.Errorf("whether it was edited: expected GraphQL to answer for comment %d", c.Ref.ID)
	}
	c.Edited = n.LastEditedAt != nil
	c.Hidden = *n.IsMinimized
	c.ByMachine = c.ByMachine || *n.CreatedViaEmail
	return nil
}
