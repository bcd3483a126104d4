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
	commentFields = `... on IssueComment {
    id fullDatabaseId url body createdAt lastEditedAt createdViaEmail isMinimized repository { databaseId }
    author ` + actorFields + `
  }`
	commentQuery = `query Comment($id: ID!) { node(id: $id) { ` + commentFields + ` } }`
)

// Comment reads one comment again; absent where GitHub says that there is none in that
// thread.
func (f *Forge) Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	var out gate.Fact[gate.Comment]
	err := f.with(ctx, ref.Repository, "", func(r *repository) (err error) {
		out, err = r.comment(ctx, ref)
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

// comment reads a comment by REST and GraphQL. An error means that nothing is known.
func (r *repository) comment(ctx context.Context, ref gate.CommentRef) (gate.Fact[gate.Comment], error) {
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
	c := gate.Comment{Ref: ref, Body: *raw.Body, Created: raw.CreatedAt}
	// A deleted account's comment has no author, or the ghost: neither is anybody's number.
	c.Author, _ = r.forge.toAccount(raw.User)
	byApp := raw.byApp()
	c.ByMachine = byApp
	node, err := r.commentNode(ctx, raw.NodeID)
	if err == nil {
		err = node.into(&c)
	}
	if err != nil {
		return none, fmt.Errorf("whether it was edited: %s", why(err))
	}
	r.forge.memory.foundComment(raw.ID, keptComment{node: raw.NodeID, byApp: byApp})
	return gate.Known(c), nil
}

// issueCommentNode is GraphQL's type IssueComment, in part. Only REST says whether an
// app wrote it for its user.
type issueCommentNode struct {
	ID              string     `json:"id"`
	FullID          bigInt     `json:"fullDatabaseId"`
	URL             string     `json:"url"`
	Body            *string    `json:"body"`
	CreatedAt       time.Time  `json:"createdAt"`
	LastEditedAt    *time.Time `json:"lastEditedAt"`
	CreatedViaEmail *bool      `json:"createdViaEmail"`
	IsMinimized     *bool      `json:"isMinimized"`
	Repository      sideNode   `json:"repository"`
	Author          *actorNode `json:"author"`
}

// number is the comment's, as REST has it.
func (n *issueCommentNode) number() int64 { return int64(n.FullID) }

// again is a comment that was read before, as GraphQL shows it now. Who wrote it by
// which app cannot have changed.
func (r *repository) again(ref gate.CommentRef, n *issueCommentNode, kept keptComment) (gate.Fact[gate.Comment], error) {
	var none gate.Fact[gate.Comment]
	if n.Body == nil || n.CreatedAt.IsZero() || n.Repository.DatabaseID != r.facts.ID.ID || ref.Repository != r.facts.ID {
		return none, fmt.Errorf("GraphQL answered for another comment than %d, or in part", ref.ID)
	}
	number, thread := strconv.FormatInt(ref.Thread.Number, 10), strings.TrimSuffix(n.URL, "#issuecomment-"+strconv.FormatInt(ref.ID, 10))
	if !strings.HasSuffix(thread, "/pull/"+number) && !strings.HasSuffix(thread, "/issues/"+number) {
		return gate.Absent[gate.Comment](fmt.Sprintf("#%d has no such comment", ref.Thread.Number)), nil
	}
	c := gate.Comment{Ref: ref, Body: *n.Body, Created: n.CreatedAt, ByMachine: kept.byApp}
	c.Author, _ = r.forge.toAccount(n.Author.user())
	if err := n.into(&c); err != nil {
		return none, err
	}
	return gate.Known(c), nil
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
	if n == nil || n.number() != c.Ref.ID || n.CreatedViaEmail == nil || n.IsMinimized == nil {
		return fmt.Errorf("whether it was edited: expected GraphQL to answer for comment %d", c.Ref.ID)
	}
	c.Edited = n.LastEditedAt != nil
	c.Hidden = *n.IsMinimized
	c.ByMachine = c.ByMachine || *n.CreatedViaEmail
	return nil
}
