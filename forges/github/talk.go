package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

// talk is what was said in a thread.
type talk struct {
	fact gate.Fact[[]gate.Comment] // since Needs.ThreadSince, oldest first
	all  map[int64]gate.Comment    // everything read, older ones among them
	// whole is true where nothing older is left: who is not in all is nowhere.
	whole bool
}

// threadNode is GraphQL's types PullRequest and Issue as far as their comments go.
type threadNode struct {
	Number   int64 `json:"number"`
	Comments *struct {
		TotalCount int                `json:"totalCount"`
		Nodes      []issueCommentNode `json:"nodes"`
		PageInfo   struct {
			HasPreviousPage bool   `json:"hasPreviousPage"`
			StartCursor     string `json:"startCursor"`
		} `json:"pageInfo"`
	} `json:"comments"`
}

// threadQuery asks for the newest comments of a thread, or the page before a cursor.
func threadQuery(t gate.Thread, before string) string {
	kind, cursor := "pullRequest", ""
	if t.Issue {
		kind = "issue"
	}
	if before != "" {
		cursor = ", before: " + strconv.Quote(before)
	}
	return fmt.Sprintf("thread: %s(number: %d) { number comments(last: 100%s) { totalCount nodes { %s } pageInfo { hasPreviousPage startCursor } } }",
		kind, t.Number, cursor, commentFields)
}

// readThread reads every comment of the thread since a time, or nothing: a denial that
// is not read may be the one that counts (attack 60).
func (rd *reading) readThread(ctx context.Context) talk {
	t := rd.needs.Thread
	if t.Number <= 0 {
		return talk{fact: gate.Unknown[[]gate.Comment]("nobody asked for a thread")}
	}
	var first *threadNode
	if rd.snap != nil {
		first = rd.snap.thread
	}
	if first == nil {
		var err error
		if first, err = rd.threadPage(ctx, ""); err != nil {
			return talk{fact: rd.noThread(ctx, err)}
		}
	}
	said, err := rd.talk(ctx, first)
	if err != nil {
		return talk{fact: gate.Unknown[[]gate.Comment](fmt.Sprintf("the comments of #%d: %s", t.Number, why(err)))}
	}
	return said
}

// noThread is why a thread could not be read; absent where REST says that it is gone.
func (rd *reading) noThread(ctx context.Context, err error) gate.Fact[[]gate.Comment] {
	t := rd.needs.Thread
	if answered(err) {
		var issue textJSON
		rest := rd.get(ctx, &issue, nil, rd.thread(t)...)
		if gone, _ := rd.gone(rest); gone || statusOf(rest) == 410 {
			return gate.Absent[[]gate.Comment](fmt.Sprintf("#%d was deleted", t.Number))
		}
	}
	return gate.Unknown[[]gate.Comment](fmt.Sprintf("the comments of #%d: %s", t.Number, why(err)))
}

func (rd *reading) threadPage(ctx context.Context, before string) (*threadNode, error) {
	text := "query Thread($owner: String!, $name: String!) {\n  repository(owner: $owner, name: $name) {\n    databaseId\n    " +
		threadQuery(rd.needs.Thread, before) + "\n  }\n}"
	answer, err := rd.ask(ctx, text, map[string]any{})
	if err != nil {
		return nil, err
	}
	var n *threadNode
	if err := json.Unmarshal(answer["thread"], &n); err != nil || n == nil {
		return nil, errors.New("GraphQL answered otherwise than its schema says")
	}
	return n, nil
}

// talk reads backwards from the newest comments until it is past the time, or at the
// thread's beginning where GitHub does not list comments by their time.
func (rd *reading) talk(ctx context.Context, page *threadNode) (talk, error) {
	since := rd.needs.ThreadSince.Truncate(time.Second) // forges tell a comment's time in whole seconds
	var nodes []issueCommentNode
	total := -1
	for range maxPages {
		if page.Number != rd.needs.Thread.Number || page.Comments == nil {
			return talk{}, errors.New("GraphQL answered for another thread, or in part")
		}
		if total < 0 {
			total = page.Comments.TotalCount
		}
		nodes = append(slices.Clone(page.Comments.Nodes), nodes...)
		whole := !page.Comments.PageInfo.HasPreviousPage
		byTime := slices.IsSortedFunc(nodes, func(a, b issueCommentNode) int { return a.CreatedAt.Compare(b.CreatedAt) })
		if whole || byTime && len(nodes) > 0 && nodes[0].CreatedAt.Before(since) {
			if whole && len(nodes) != total {
				return talk{}, fmt.Errorf("GitHub counts %d and lists %d", total, len(nodes))
			}
			return rd.told(ctx, nodes, whole, since)
		}
		if page.Comments.PageInfo.StartCursor == "" {
			return talk{}, errors.New("GraphQL answered in part")
		}
		var err error
		if page, err = rd.threadPage(ctx, page.Comments.PageInfo.StartCursor); err != nil {
			return talk{}, err
		}
	}
	return talk{}, fmt.Errorf("more than %d pages", maxPages)
}

// told makes comments of the nodes.
func (rd *reading) told(ctx context.Context, nodes []issueCommentNode, whole bool, since time.Time) (talk, error) {
	said := talk{all: map[int64]gate.Comment{}, whole: whole}
	apps, err := rd.appsOf(ctx, nodes, since)
	if err != nil {
		return talk{}, err
	}
	list := []gate.Comment{}
	for i := range nodes {
		n := &nodes[i]
		ref := gate.CommentRef{Repository: rd.facts.ID, Thread: rd.needs.Thread, ID: n.number()}
		if _, twice := said.all[n.number()]; twice || n.number() <= 0 || n.Body == nil || n.CreatedAt.IsZero() || n.Repository.DatabaseID != rd.facts.ID.ID {
			return talk{}, fmt.Errorf("GraphQL listed comment %d twice, or in part", n.number())
		}
		byApp, known := apps[n.number()]
		if !known {
			continue // older than what was asked for
		}
		c := gate.Comment{Ref: ref, Body: *n.Body, Created: n.CreatedAt, ByMachine: byApp}
		c.Author, _ = rd.forge.toAccount(n.Author.user())
		if err := n.into(&c); err != nil {
			return talk{}, err
		}
		said.all[n.number()] = c
		if !n.CreatedAt.Before(since) {
			list = append(list, c)
		}
	}
	said.whole = whole && len(said.all) == len(nodes)
	slices.SortStableFunc(list, func(a, b gate.Comment) int { return a.Created.Compare(b.Created) })
	said.fact = gate.Known(list)
	return said, nil
}

// appsOf says of the comments since a time, and of those remembered, whether an app wrote
// them for their author, which only REST tells and which cannot change. Of what a
// machine's account wrote nobody has to ask.
func (rd *reading) appsOf(ctx context.Context, nodes []issueCommentNode, since time.Time) (map[int64]bool, error) {
	out := map[int64]bool{}
	var unread []issueCommentNode
	for _, n := range nodes {
		kept, has := rd.forge.memory.kept(n.number())
		author, _ := rd.forge.toAccount(n.Author.user())
		switch {
		case has:
			out[n.number()] = kept.byApp
		case !author.Human:
			out[n.number()] = n.Author != nil
		case !n.CreatedAt.Before(since):
			unread = append(unread, n)
		}
	}
	if len(unread) == 0 {
		return out, nil
	}
	oldest := slices.MinFunc(unread, func(a, b issueCommentNode) int { return a.CreatedAt.Compare(b.CreatedAt) }).CreatedAt
	q := url.Values{"since": {oldest.Add(-time.Second).UTC().Format(time.RFC3339)}}
	rest, err := list[commentJSON](ctx, rd.caller, q, rd.thread(rd.needs.Thread, "comments")...)
	if err != nil {
		return nil, fmt.Errorf("which apps wrote them: %w", err)
	}
	apps := map[int64]bool{}
	for _, c := range rest {
		apps[c.ID] = c.byApp()
	}
	for _, n := range unread {
		byApp, has := apps[n.number()]
		if !has {
			return nil, fmt.Errorf("GraphQL lists comment %d and REST does not", n.number())
		}
		out[n.number()] = byApp
		rd.forge.memory.foundComment(n.number(), keptComment{node: n.ID, byApp: byApp})
	}
	return out, nil
}

// byApp reports whether an app wrote it for its author.
func (c commentJSON) byApp() bool { return len(c.App) > 0 && string(c.App) != "null" }
