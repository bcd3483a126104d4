package github

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// walkSlack is how many commits outside the range may lie among it in GitHub's order.
const walkSlack = 200

// walk lists the range since..head out of GraphQL's history of head, oldest first: what
// is reachable from head without passing through since or its nearest ancestors. Side
// branches may reach further back than those; then the walk does not end, or counts
// more commits than GitHub's own totals allow, and it reports false.
//
// The totals prove the range: a walk finds at least the commits that since does not
// reach, of which there are at least as many as the totals differ by; where it finds no
// more than that, it found them and nothing else (attack 38).
func (rd *reading) walk(ctx context.Context) ([]commitNode, bool, error) {
	s := rd.snap
	if s.head == nil || s.since == nil {
		return nil, false, nil
	}
	size := s.head.History.TotalCount - s.since.History.TotalCount
	if size < 0 || size > maxRange {
		return nil, false, nil
	}
	stop := map[string]bool{s.since.OID: true}
	for _, n := range s.since.History.Nodes {
		stop[n.OID] = true
	}
	listed := &listing{nodes: map[string]commitNode{}}
	for page := s.head.History; ; {
		if err := listed.add(page.Nodes); err != nil {
			return nil, false, err
		}
		in, closed := reachable(s.head.OID, listed.nodes, stop)
		if closed {
			return listed.oldestFirst(in), len(in) == size, nil
		}
		if !page.PageInfo.HasNextPage || len(listed.order) > size+walkSlack {
			return nil, false, nil
		}
		var err error
		if page, err = rd.moreHistory(ctx, page.PageInfo.EndCursor); err != nil {
			return nil, false, err
		}
	}
}

// listing is a history as far as it was read, newest first.
type listing struct {
	nodes map[string]commitNode
	order []string
}

func (l *listing) add(page []commitNode) error {
	for _, n := range page {
		if err := n.check(); err != nil {
			return err
		}
		if _, has := l.nodes[n.OID]; has {
			return fmt.Errorf("history: GitHub listed %s twice", gate.ShortCommit(n.OID))
		}
		l.nodes[n.OID] = n
		l.order = append(l.order, n.OID)
	}
	return nil
}

func (l *listing) oldestFirst(in map[string]bool) []commitNode {
	out := []commitNode{}
	for _, sha := range slices.Backward(l.order) {
		if in[sha] {
			out = append(out, l.nodes[sha])
		}
	}
	return out
}

// moreHistory is the page after a cursor; its total has to be that of the pages before.
func (rd *reading) moreHistory(ctx context.Context, cursor string) (*historyPage, error) {
	text := "query History($owner: String!, $name: String!, $head: GitObjectID!, $from: String!, $after: String) {\n" +
		"  repository(owner: $owner, name: $name) {\n    databaseId\n    head: object(oid: $head) { ... on Commit { oid " +
		"history(first: 100, after: $from) { totalCount nodes { ...C ...P } pageInfo { hasNextPage endCursor } } } }\n  }\n}\n" +
		commitFields + "\n" + commitPulls
	answer, err := rd.ask(ctx, text, map[string]any{"head": rd.snap.head.OID, "from": cursor})
	if err != nil {
		return nil, err
	}
	n, err := decodeNode[historyNode](answer["head"])
	if err != nil || n.OID != rd.snap.head.OID || n.History == nil || n.History.TotalCount != rd.snap.head.History.TotalCount {
		return nil, fmt.Errorf("history of %s: GraphQL answered for another commit, or in part", gate.ShortCommit(rd.snap.head.OID))
	}
	return n.History, nil
}

// reachable walks from head along all parents up to stop. It is not closed where it
// came to a commit that was not read.
func reachable(head string, nodes map[string]commitNode, stop map[string]bool) (in map[string]bool, closed bool) {
	in = map[string]bool{}
	for todo := []string{head}; len(todo) > 0; {
		sha := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if stop[sha] || in[sha] {
			continue
		}
		n, has := nodes[sha]
		if !has {
			return nil, false
		}
		in[sha] = true
		todo = append(todo, n.rest().parents()...)
	}
	return in, true
}

// newCommits is the change set: reachable from the request's commit, and from none of
// the earlier releases'. A release that another one contains adds nothing.
func (rd *reading) newCommits(ctx context.Context) ([]commitJSON, map[string]commitNode, error) {
	if len(rd.needs.Since) == 0 {
		return nil, nil, fmt.Errorf("neither an earlier release nor a baseline is known")
	}
	walked, ended, err := rd.walk(ctx)
	if err != nil {
		return nil, nil, err
	}
	var all []commitJSON
	nodes := map[string]commitNode{}
	for _, n := range walked {
		all, nodes[n.OID] = append(all, n.rest()), n
	}
	if !ended {
		if all, err = rd.between(ctx, rd.needs.Since[0], rd.request.Commit); err != nil {
			return nil, nil, err
		}
	}
	if all, err = rd.lessOthers(ctx, all); err != nil {
		return nil, nil, err
	}
	if ended && len(all) > 0 {
		return all, nodes, rd.nameBots(ctx, all, nodes)
	}
	return all, nodes, nil
}

// nameBots asks REST for the accounts of the range's commits where GraphQL names nobody
// for an e-mail: it may leave bots out.
func (rd *reading) nameBots(ctx context.Context, all []commitJSON, nodes map[string]commitNode) error {
	if !slices.ContainsFunc(all, func(c commitJSON) bool { return nodes[c.SHA].unnamed() }) {
		return nil
	}
	rest, err := rd.between(ctx, rd.needs.Since[0], rd.request.Commit)
	if err != nil {
		return err
	}
	return takeAccounts(all, rest)
}

// takeAccounts copies the accounts of commits that REST listed too.
func takeAccounts(into, rest []commitJSON) error {
	by := map[string]commitJSON{}
	for _, c := range rest {
		by[c.SHA] = c
	}
	for i := range into {
		c, has := by[into[i].SHA]
		if !has {
			return fmt.Errorf("commit %s: GraphQL lists it and REST does not", gate.ShortCommit(into[i].SHA))
		}
		into[i].Author, into[i].Committer = c.Author, c.Committer
	}
	return nil
}
