package github

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/countersign/countersign/gate"
)

// commitJSON is REST API's schema commit, in part. Author and Committer are the accounts
// behind the e-mails, null where there is none.
type commitJSON struct {
	SHA       string       `json:"sha"`
	Parents   []parentJSON `json:"parents"`
	Author    *userJSON    `json:"author"`
	Committer *userJSON    `json:"committer"`
	Commit    struct {
		Message   string      `json:"message"`
		Author    *gitUserRaw `json:"author"`
		Committer *gitUserRaw `json:"committer"`
	} `json:"commit"`
}

type parentJSON struct {
	SHA string `json:"sha"`
}

type gitUserRaw struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (c commitJSON) parents() []string {
	out := []string{}
	for _, p := range c.Parents {
		out = append(out, p.SHA)
	}
	return out
}

// gitActor is GraphQL's type GitActor: a name with an e-mail, and the user whose it is.
type gitActor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	User  *struct {
		ID         string `json:"id"`
		DatabaseID int64  `json:"databaseId"`
		Login      string `json:"login"`
	} `json:"user"`
}

// isMachine reports whether GraphQL's User is a bot's account after all: the type says
// nothing there, but the login ("name[bot]", which it may cut), the no-reply e-mail
// ("1+name[bot]@...") and the global ID (BOT_..., formerly base64 of "03:Bot...") do.
func (a *gitActor) isMachine() bool {
	former, _ := base64.StdEncoding.DecodeString(a.User.ID) // what does not decode is no former ID
	return machine(a.User.Login) || strings.Contains(a.Email, "[bot]@") || strings.HasPrefix(a.User.ID, "BOT_") ||
		bytes.HasPrefix(former, []byte("03:Bot"))
}

// actorAccount is the user behind an e-mail.
func (f *Forge) actorAccount(a *gitActor) (gate.Account, bool) {
	if a == nil || a.User == nil || a.User.DatabaseID <= 0 {
		return gate.Account{}, false
	}
	return gate.Account{
		ID: f.account(a.User.DatabaseID), Login: a.User.Login, Human: !a.isMachine(),
	}, true
}

// commitNode is GraphQL's type Commit, in part.
type commitNode struct {
	OID     string  `json:"oid"`
	Message *string `json:"message"`
	ViaWeb  *bool   `json:"committedViaWeb"`
	Parents *struct {
		TotalCount int `json:"totalCount"`
		Nodes      []struct {
			OID string `json:"oid"`
		} `json:"nodes"`
	} `json:"parents"`
	Author  *gitActor `json:"author"`
	Authors struct {
		TotalCount int        `json:"totalCount"`
		Nodes      []gitActor `json:"nodes"`
		PageInfo   struct {
			HasNextPage bool   `json:"hasNextPage"`
			EndCursor   string `json:"endCursor"`
		} `json:"pageInfo"`
	} `json:"authors"`
	Committer *gitActor `json:"committer"`
	Signature *struct {
		IsValid           bool `json:"isValid"`
		WasSignedByGitHub bool `json:"wasSignedByGitHub"`
	} `json:"signature"`
	// Pulls is asked for by the fragment commitPulls only.
	Pulls *struct {
		TotalCount int `json:"totalCount"`
		Nodes      []struct {
			Number         int64     `json:"number"`
			Merged         bool      `json:"merged"`
			BaseRepository *sideNode `json:"baseRepository"`
		} `json:"nodes"`
	} `json:"associatedPullRequests"`
}

// check holds that the node is whole: null is no answer where the schema has none.
func (n commitNode) check() error {
	switch {
	case !isSHA(n.OID) || n.Message == nil || n.ViaWeb == nil || n.Parents == nil || n.Author == nil || n.Committer == nil:
		return fmt.Errorf("commit %q: GraphQL answered in part", gate.ShortCommit(n.OID))
	case n.Parents.TotalCount != len(n.Parents.Nodes):
		return fmt.Errorf("commit %s: GitHub counts %d parents and lists %d", gate.ShortCommit(n.OID), n.Parents.TotalCount, len(n.Parents.Nodes))
	}
	return nil
}

// rest is the node as REST would show it, but for the accounts, which stay with the node.
func (n commitNode) rest() commitJSON {
	c := commitJSON{SHA: n.OID}
	for _, p := range n.Parents.Nodes {
		c.Parents = append(c.Parents, parentJSON{SHA: p.OID})
	}
	c.Commit.Message = *n.Message
	c.Commit.Author = &gitUserRaw{Name: n.Author.Name, Email: n.Author.Email}
	c.Commit.Committer = &gitUserRaw{Name: n.Committer.Name, Email: n.Committer.Email}
	return c
}

// unnamed reports whether GraphQL names no account for the author or the committer.
func (n commitNode) unnamed() bool {
	return n.Author.User == nil || n.Committer.User == nil && !n.byWeb()
}

// mergedPulls are the merged pull requests of the repository that hold the commit.
func (n commitNode) mergedPulls(repository int64) ([]int64, error) {
	if n.Pulls == nil || n.Pulls.TotalCount != len(n.Pulls.Nodes) {
		return nil, fmt.Errorf("commit %s: GitHub does not list all of its pull requests", gate.ShortCommit(n.OID))
	}
	var out []int64
	for _, p := range n.Pulls.Nodes {
		if p.Merged && p.BaseRepository != nil && p.BaseRepository.DatabaseID == repository {
			out = append(out, p.Number)
		}
	}
	return out, nil
}

// byWeb reports whether GitHub itself committed it: on the web side, with a valid
// signature of GitHub's own. The committer's name alone, web-flow, anybody can write.
func (n commitNode) byWeb() bool {
	return n.ViaWeb != nil && *n.ViaWeb && n.Signature != nil && n.Signature.IsValid && n.Signature.WasSignedByGitHub
}

const (
	commitFields = `fragment C on Commit {
  oid message committedViaWeb
  parents(first: 20) { totalCount nodes { oid } }
  author { name email user { id databaseId login } }
  authors(first: 20, after: $after) { totalCount nodes { name email user { id databaseId login } } pageInfo { hasNextPage endCursor } }
  committer { name email user { id databaseId login } }
  signature { isValid wasSignedByGitHub }
}`
	commitPulls = `fragment P on Commit {
  associatedPullRequests(first: 20) { totalCount nodes { number merged baseRepository { databaseId nameWithOwner } } }
}`
	// commitsPerQuery stays far below GraphQL's node limit.
	commitsPerQuery = 40
	maxAuthorPages  = 20
)

// readNodes adds the commits to nodes that are not there yet, and for all of them all
// authors of each.
func (r *repository) readNodes(ctx context.Context, shas []string, nodes map[string]commitNode) error {
	var missing []string
	for _, sha := range shas {
		if _, has := nodes[sha]; !has {
			missing = append(missing, sha)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), commitsPerQuery)
		batch, err := r.nodeBatch(ctx, missing[:n], nil)
		if err != nil {
			return err
		}
		maps.Copy(nodes, batch)
		missing = missing[n:]
	}
	for _, sha := range shas {
		node := nodes[sha]
		if err := r.allAuthors(ctx, sha, &node); err != nil {
			return err
		}
		nodes[sha] = node
	}
	return nil
}

func (r *repository) nodeBatch(ctx context.Context, shas []string, after *string) (map[string]commitNode, error) {
	var text strings.Builder
	text.WriteString("query Commits($owner: String!, $name: String!, $after: String) {\n  repository(owner: $owner, name: $name) {\n    databaseId\n")
	for i, sha := range shas {
		if !isSHA(sha) {
			return nil, fmt.Errorf("read commit %q: expected a full SHA", sha)
		}
		fmt.Fprintf(&text, "    c%d: object(oid: %q) { ...C ...P }\n", i, sha)
	}
	text.WriteString("  }\n}\n" + commitFields + "\n" + commitPulls)
	answer, err := r.ask(ctx, text.String(), map[string]any{"after": after})
	if err != nil {
		return nil, err
	}
	out := map[string]commitNode{}
	for i, sha := range shas {
		n, err := decodeNode[commitNode](answer[fmt.Sprintf("c%d", i)])
		if err != nil || n.OID != sha || n.check() != nil {
			return nil, fmt.Errorf("read commit %s: GraphQL does not know it, or answered in part", gate.ShortCommit(sha))
		}
		out[sha] = *n
	}
	return out, nil
}

// decodeNode decodes an object that has to be there.
func decodeNode[T any](raw json.RawMessage) (*T, error) {
	var n *T
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, err
	}
	if n == nil {
		return nil, errors.New("null")
	}
	return n, nil
}

// allAuthors adds the further pages of a commit's authors, and holds the count against
// the rows read.
func (r *repository) allAuthors(ctx context.Context, sha string, n *commitNode) error {
	for page := 0; n.Authors.PageInfo.HasNextPage && page < maxAuthorPages; page++ {
		cursor := n.Authors.PageInfo.EndCursor
		more, err := r.nodeBatch(ctx, []string{sha}, &cursor)
		if err != nil {
			return err
		}
		n.Authors.Nodes = append(n.Authors.Nodes, more[sha].Authors.Nodes...)
		n.Authors.PageInfo = more[sha].Authors.PageInfo
	}
	if n.Authors.PageInfo.HasNextPage || len(n.Authors.Nodes) != n.Authors.TotalCount {
		return fmt.Errorf("commit %s: GitHub counts %d authors and lists %d", gate.ShortCommit(sha), n.Authors.TotalCount, len(n.Authors.Nodes))
	}
	return nil
}

// coAuthorLines finds Co-authored-by trailers anywhere in a message, in any case
// (attack 36): a name in the wrong place can only add somebody.
func coAuthorLines(message string) []gitUserRaw {
	line := regexp.MustCompile(`(?im)^[ \t]*co-authored-by[ \t]*:(.*)$`)
	var out []gitUserRaw
	for _, m := range line.FindAllStringSubmatch(message, -1) {
		name, rest, _ := strings.Cut(strings.TrimSpace(m[1]), "<")
		email, _, _ := strings.Cut(rest, ">")
		u := gitUserRaw{Name: strings.TrimSpace(name), Email: strings.TrimSpace(email)}
		if u.Name == "" {
			u.Name = u.Email
		}
		if u != (gitUserRaw{}) {
			out = append(out, u)
		}
	}
	return out
}

// person is one name on a commit.
func (f *Forge) person(part gate.Part, name string, actor *gitActor, rest *userJSON) gate.Person {
	p := gate.Person{Part: part, Name: name, Account: gate.Absent[gate.Account]("the e-mail belongs to no account")}
	if a, ok := f.actorAccount(actor); ok {
		p.Account = gate.Known(a)
	}
	// REST names bots' accounts, which GraphQL leaves out, and says whether one is a person's.
	if a, ok := f.toAccount(rest); ok {
		p.Account = gate.Known(a)
	}
	return p
}

// people is everyone on a commit: GraphQL's authors (the git author first, then the
// co-authors that it knows), trailers that it did not list, and the committer unless
// that is GitHub itself.
func (f *Forge) people(c commitJSON, n commitNode) []gate.Person {
	var out []gate.Person
	listed := map[string]bool{}
	if a := c.Commit.Author; a != nil {
		listed[strings.ToLower(a.Email)] = true
		var actor *gitActor
		if len(n.Authors.Nodes) > 0 && strings.EqualFold(n.Authors.Nodes[0].Email, a.Email) {
			actor = &n.Authors.Nodes[0]
		}
		out = append(out, f.person(gate.PartAuthor, a.Name, actor, c.Author))
	}
	for i := range n.Authors.Nodes {
		a := &n.Authors.Nodes[i]
		if !listed[strings.ToLower(a.Email)] {
			listed[strings.ToLower(a.Email)] = true
			out = append(out, f.person(gate.PartCoAuthor, a.Name, a, nil))
		}
	}
	for _, u := range coAuthorLines(c.Commit.Message) {
		if u.Email == "" || !listed[strings.ToLower(u.Email)] {
			listed[strings.ToLower(u.Email)] = true
			out = append(out, f.person(gate.PartCoAuthor, u.Name, nil, nil))
		}
	}
	if u := c.Commit.Committer; u != nil && !n.byWeb() {
		out = append(out, f.person(gate.PartCommitter, u.Name, n.Committer, c.Committer))
	}
	return out
}

// toCommit makes the commit with everyone on it. A commit without an author as git
// writes it is an answer in part.
func (f *Forge) toCommit(c commitJSON, n commitNode) (gate.Commit, error) {
	if c.Commit.Author == nil || c.Commit.Committer == nil {
		return gate.Commit{}, fmt.Errorf("commit %s: GitHub named no author or committer", gate.ShortCommit(c.SHA))
	}
	title, _, _ := strings.Cut(c.Commit.Message, "\n")
	return gate.Commit{SHA: c.SHA, Parents: c.parents(), Title: strings.TrimSpace(title), People: f.people(c, n)}, nil
}
