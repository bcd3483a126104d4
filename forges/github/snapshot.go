package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// snapshot is what one GraphQL query says of a repository for one request: itself, the
// request's ref and commit with the history behind it, and, as far as a former
// reading of the same range foretells them, its pull requests and comments.
type snapshot struct {
	facts    gate.RepositoryFacts
	branch   string // the default branch's head, "" where it has none
	ref      *refNode
	head     *historyNode // nil where GitHub knows no such commit
	since    *historyNode
	pulls    map[int64]*pull
	comments map[int64]commentAgain
	rules    map[string]*classicNode // by branch; nil where GraphQL shows none
	inForce  map[string]*rulesNode   // likewise, of rulesets
	people   *peopleNode             // nil where not asked for
	thread   *threadNode             // likewise
}

// commentAgain is a comment with what was kept of it.
type commentAgain struct {
	node *issueCommentNode
	kept keptComment
}

// repositoryNode is GraphQL's type Repository, in part.
type repositoryNode struct {
	DatabaseID    int64  `json:"databaseId"`
	NameWithOwner string `json:"nameWithOwner"`
	IsPrivate     *bool  `json:"isPrivate"`
	URL           string `json:"url"`
	Owner         *struct {
		Kind       string `json:"__typename"`
		DatabaseID int64  `json:"databaseId"`
	} `json:"owner"`
	DefaultBranchRef *struct {
		Name   string `json:"name"`
		Target *struct {
			OID  string     `json:"oid"`
			File *entryNode `json:"file"`
		} `json:"target"`
		Rule  *classicNode `json:"branchProtectionRule"`
		Rules *rulesNode   `json:"rules"`
	} `json:"defaultBranchRef"`
}

// repositoryFields asks for a repositoryNode but the file.
const repositoryFields = `databaseId nameWithOwner isPrivate url
    owner { __typename ... on User { databaseId } ... on Organization { databaseId } }`

// historyNode is a commit with the first page of the history behind it, itself the first.
type historyNode struct {
	OID     string       `json:"oid"`
	History *historyPage `json:"history"`
	ownNode              // of the head, where a former reading is not known
}

type historyPage struct {
	TotalCount int          `json:"totalCount"` // of the whole history
	Nodes      []commitNode `json:"nodes"`
	PageInfo   pageInfo     `json:"pageInfo"`
}

type pageInfo struct {
	HasNextPage bool   `json:"hasNextPage"`
	EndCursor   string `json:"endCursor"`
}

// hints say what else to ask for at once.
type hints struct {
	// pulls and comments are what a former reading found.
	pulls    []int64
	comments map[int64]keptComment
	// commits is how many are asked for of each pull request.
	commits int
	// recent asks for the pull requests merged last: where no former reading of the range
	// is known, they likely are those that brought it.
	recent bool
	thread gate.Thread // zero: none
	// extras asks for collaborators and classic protection, which REST tells too.
	extras bool
	// rules asks for the rules in force, which REST tells too.
	rules bool
}

// firm leaves out what may be gone by now.
func (h hints) firm() hints { return hints{extras: h.extras, rules: h.rules} }

func (h hints) isFirm() bool {
	return len(h.pulls) == 0 && len(h.comments) == 0 && !h.recent && h.thread == gate.Thread{}
}

// tries are what to ask for, one after the other where GitHub has errors.
func (h hints) tries() []hints {
	out := []hints{h}
	if !h.isFirm() {
		out = append(out, h.firm())
	}
	if h.rules {
		out = append(out, hints{extras: h.extras})
	}
	if h.extras {
		out = append(out, hints{rules: h.rules})
	}
	if h.rules && h.extras {
		out = append(out, hints{})
	}
	return out
}

// recentPulls is how many pull requests are asked for on the chance that they are wanted,
// and recentCommits how many commits of each: of a longer one all are asked for once it is
// known to be wanted.
const (
	recentPulls   = 10
	recentCommits = 30
)

// snapshot asks once. The answer has to be of the repository with this number: names
// are given away (attacks 5 and 73).
func (rd *reading) snapshot(ctx context.Context, h hints) (*snapshot, error) {
	vars := map[string]any{"owner": rd.owner, "name": rd.name, "ref": rd.request.Ref, "head": rd.request.Commit}
	var answer map[string]json.RawMessage
	if err := rd.query(ctx, rd.snapshotQuery(h), vars, &answer); err != nil {
		return nil, err
	}
	return rd.readSnapshot(answer, h)
}

func (rd *reading) snapshotQuery(h hints) string {
	var text strings.Builder
	rule, own := "", ""
	if h.recent {
		own = ownFields(rd.forge.cfg.AppID)
	}
	if h.extras {
		rule = " " + classicFields
	}
	ofDefault, ofRef := rule, rule
	if h.rules && rd.request.IsTag() {
		ofDefault += " " + rulesFields
	} else if h.rules { // the branch that a release of a branch comes from is that branch
		ofRef += " " + rulesFields
	}
	text.WriteString("query Release($owner: String!, $name: String!, $ref: String!, $head: GitObjectID!, $after: String) {\n" +
		"  repository(owner: $owner, name: $name) {\n    " + repositoryFields + "\n    defaultBranchRef { name target { oid }" + ofDefault + " }\n" +
		"    ref(qualifiedName: $ref) { name prefix " + peeled + ofRef + " }\n" +
		"    head: object(oid: $head) { ... on Commit { oid history(first: 100) { totalCount nodes { ...C ...P } pageInfo { hasNextPage endCursor } } " + own + " } }\n")
	if since := rd.firstSince(); isSHA(since) {
		fmt.Fprintf(&text, "    since: object(oid: %q) { ... on Commit { oid history(first: 100) { totalCount nodes { oid } } } }\n", since)
	}
	if h.extras {
		text.WriteString("    " + peopleFields + "\n")
	}
	if h.thread.Number > 0 {
		text.WriteString("    " + threadQuery(h.thread, "") + "\n")
	}
	if h.recent {
		fmt.Fprintf(&text, "    recent: pullRequests(first: %d, states: [MERGED], orderBy: {field: UPDATED_AT, direction: DESC}) { nodes { ...R } }\n", recentPulls)
	}
	for _, n := range h.pulls {
		fmt.Fprintf(&text, "    p%d: pullRequest(number: %d) { ...R }\n", n, n)
	}
	text.WriteString("  }\n")
	for id, kept := range h.comments {
		fmt.Fprintf(&text, "  c%d: node(id: %q) { %s }\n", id, kept.node, commentFields)
	}
	text.WriteString("}\n" + commitFields + "\n" + commitPulls)
	if len(h.pulls) > 0 || h.recent {
		text.WriteString("\n" + pullFields(h.commits, !rd.needs.NoReviews))
	}
	return text.String()
}

func (rd *reading) readSnapshot(answer map[string]json.RawMessage, h hints) (*snapshot, error) {
	var main struct {
		repositoryNode
		Ref    *refNode     `json:"ref"`
		Head   *historyNode `json:"head"`
		Since  *historyNode `json:"since"`
		Recent struct {
			Nodes []json.RawMessage `json:"nodes"`
		} `json:"recent"`
		People *peopleNode `json:"people"`
		Thread *threadNode `json:"thread"`
	}
	var rest map[string]json.RawMessage
	for _, into := range []any{&main, &rest} {
		if err := json.Unmarshal(answer["repository"], into); err != nil {
			return nil, fmt.Errorf("read repository %s: GraphQL answered otherwise than its schema says: %w", rd.facts.ID, err)
		}
	}
	facts, err := rd.forge.factsOf(main.repositoryNode, rd.facts.ID)
	if err != nil {
		return nil, err
	}
	out := &snapshot{
		facts: facts, ref: main.Ref, head: main.Head, since: main.Since, people: main.People, thread: main.Thread,
		rules:   map[string]*classicNode{facts.DefaultBranch: main.DefaultBranchRef.Rule},
		inForce: map[string]*rulesNode{facts.DefaultBranch: main.DefaultBranchRef.Rules}, pulls: map[int64]*pull{}, comments: map[int64]commentAgain{},
	}
	if t := main.DefaultBranchRef.Target; t != nil {
		out.branch = t.OID
	}
	if err := out.check(rd.request, rd.firstSince()); err != nil {
		return nil, err
	}
	if out.ref != nil && out.ref.Prefix == "refs/heads/" {
		out.rules[out.ref.Name], out.inForce[out.ref.Name] = out.ref.Rule, out.ref.Rules
	}
	rd.takeRecent(out, main.Recent.Nodes)
	for _, n := range h.pulls {
		if out.pulls[n], err = rd.readPull(n, rest[fmt.Sprintf("p%d", n)]); err != nil {
			return nil, err
		}
	}
	for id, kept := range h.comments {
		var c *issueCommentNode
		if err := json.Unmarshal(answer[fmt.Sprintf("c%d", id)], &c); err != nil || c == nil {
			return nil, fmt.Errorf("read comment %d: GraphQL answered in part", id)
		}
		out.comments[id] = commentAgain{c, kept}
	}
	return out, nil
}

// takeRecent takes the pull requests that came on the chance. One that is not whole is
// asked for by itself where it is wanted.
func (rd *reading) takeRecent(s *snapshot, nodes []json.RawMessage) {
	for _, raw := range nodes {
		var named struct {
			Number int64 `json:"number"`
		}
		if json.Unmarshal(raw, &named) != nil || named.Number <= 0 {
			continue
		}
		if p, err := rd.readPull(named.Number, raw); err == nil && p != nil {
			s.pulls[named.Number] = p
		}
	}
}

// factsOf holds the answer to be of the repository with this number, and whole.
func (f *Forge) factsOf(n repositoryNode, id gate.RepositoryID) (gate.RepositoryFacts, error) {
	switch {
	case n.DatabaseID != id.ID:
		return gate.RepositoryFacts{}, fmt.Errorf("repository %s: GraphQL answered for %d (%q)", id, n.DatabaseID, n.NameWithOwner)
	case n.Owner == nil || n.Owner.DatabaseID <= 0 || n.IsPrivate == nil || n.DefaultBranchRef == nil || n.DefaultBranchRef.Name == "":
		return gate.RepositoryFacts{}, fmt.Errorf("repository %s: GraphQL answered in part", id)
	}
	if _, _, ok := cut(n.NameWithOwner); !ok {
		return gate.RepositoryFacts{}, fmt.Errorf("repository %s: GraphQL calls it %q", id, n.NameWithOwner)
	}
	return gate.RepositoryFacts{
		ID: id, Owner: f.account(n.Owner.DatabaseID), OwnerIsUser: n.Owner.Kind == "User", FullName: n.NameWithOwner,
		DefaultBranch: n.DefaultBranchRef.Name, Private: *n.IsPrivate, URL: n.URL,
	}, nil
}

// check holds that what came is what was asked for. Null is GitHub's "no such object".
func (s *snapshot) check(req gate.Request, since string) error {
	for _, h := range []struct {
		node *historyNode
		sha  string
	}{{s.head, req.Commit}, {s.since, since}} {
		if h.node != nil && (h.node.OID != h.sha || h.node.History == nil) {
			return fmt.Errorf("read commit %s: GraphQL answered for %q, or in part", gate.ShortCommit(h.sha), h.node.OID)
		}
	}
	if s.ref != nil && s.ref.Prefix+s.ref.Name != req.Ref {
		return fmt.Errorf("read %s: GraphQL answered for %s%s", req.Ref, s.ref.Prefix, s.ref.Name)
	}
	return nil
}

// firstSince is the release that the range is counted from, "" where none is known.
func (rd *reading) firstSince() string {
	if len(rd.needs.Since) == 0 {
		return ""
	}
	return rd.needs.Since[0]
}

// take asks for the snapshot with what else is wanted at once. Where GitHub has errors for
// that, it asks without what may be gone or hidden by itself (a comment, a fork), then without what it may not show
// to an App, or not know, which is then asked of REST from here on.
func (rd *reading) take(ctx context.Context) error {
	h := rd.forge.memory.hints(rd.request, rd.firstSince(), rd.needs, rd.forge.cfg.Now())
	var snap *snapshot
	var err error
	at := rd.forge.cfg.Now()
	for _, try := range h.tries() {
		snap, err = rd.snapshot(ctx, try)
		if err == nil {
			rd.forge.memory.answeredWithout(rd.facts.ID.ID, h, try, rd.forge.cfg.Now())
		}
		if err == nil || !inPart(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	rd.snap, rd.facts, rd.assumed = snap, snap.facts, false
	rd.owner, rd.name, _ = cut(snap.facts.FullName)
	rd.forge.rename(snap.facts.ID.ID, snap.facts.FullName)
	rd.foundEmpty(snap.head, at)
	return nil
}

// inPart reports whether GitHub answered, but not what was asked.
func inPart(err error) bool {
	var e *callError
	return !errors.As(err, &e) || e.status/100 == 2
}

// found remembers which pull requests the range had.
func (h *history) found() {
	found := keptPulls{commits: 1}
	for n, p := range h.pulls {
		found.numbers = append(found.numbers, n)
		found.commits = min(max(found.commits, p.Commits), pageOfCommits)
	}
	slices.Sort(found.numbers)
	h.forge.memory.foundPulls(h.request, h.firstSince(), found)
}
