package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// look is the one GraphQL query in which a reading asks for most of what it needs: the
// project, where branches are, merge requests with their people, versions and commits,
// authors of commits, comments. It only saves calls. What it leaves out, or does
// not bring back whole, is asked for one by one.
type look struct {
	sent chan struct{} // closed once there is an answer, or none
	once sync.Once
	got  answered
}

// answered is what the query brought. Its zero value brought nothing.
type answered struct {
	project *graphProject
	notes   map[int64]*graphNote
	asked   gate.Thread
	branch  string
}

// graphProject is a project in GraphQL (source: app/graphql/types/project_type.rb).
type graphProject struct {
	ID         string `json:"id"`
	FullPath   string `json:"fullPath"`
	Visibility string `json:"visibility"`
	WebURL     string `json:"webUrl"`
	Namespace  *struct {
		ID string `json:"id"`
	} `json:"namespace"`
	Root *struct {
		RootRef string `json:"rootRef"`
	} `json:"root"`
	Plain    *graphMergeRequests `json:"plain"`
	Squashed *graphMergeRequests `json:"squashed"`
	Thread   *graphThread        `json:"thread"`
	Commits  map[string]struct {
		graphCommit
		LastCommit *graphCommit `json:"lastCommit"`
	} `json:"repository"`
}

// asks are what goes into the query.
type asks struct {
	branch   string   // whose head is asked for
	plain    []int64  // merge requests
	squashed []int64  // those whose commits are asked for too
	authors  []commit // one for each address
	comments []gate.CommentRef
	thread   gate.Thread
}

// guess takes the merge request that ended in the release's commit for the thread where
// people will talk about it, while there is none.
func (a *asks) guess(m mergeRequest, r gate.Request) {
	if a.thread.Number == 0 && (m.landed() == r.Commit || m.SHA == r.Commit) {
		a.thread = gate.Thread{Number: m.IID}
	}
}

// What parts of a query cost, of the 250 that GitLab takes (docs: GraphQL API, limits;
// source: app/graphql/types/base_field.rb; counted high).
const (
	mostCost      = 230
	projectCost   = 20
	changesCost   = 60
	contentsCost  = 20
	threadCost    = 38
	commentCost   = 23
	authorCost    = 10
	mostInOneLook = 40 // merge requests
)

// fit leaves out what would make the query too dear.
func (a asks) fit() asks {
	left := mostCost - projectCost
	take := func(cost int) bool {
		if left < cost {
			return false
		}
		left -= cost
		return true
	}
	if len(a.plain) > 0 && !take(changesCost) {
		a.plain = nil
	}
	if len(a.squashed) > 0 && !take(changesCost+contentsCost) {
		a.squashed = nil
	}
	a.plain, a.squashed = a.plain[:min(len(a.plain), mostInOneLook)], a.squashed[:min(len(a.squashed), mostInOneLook)]
	if a.thread.Number > 0 && !take(threadCost) {
		a.thread = gate.Thread{}
	}
	for i := range a.comments {
		if !take(commentCost) {
			a.comments = a.comments[:i]
			break
		}
	}
	for i := range a.authors {
		if !take(authorCost) {
			a.authors = a.authors[:i]
			break
		}
	}
	return a
}

// dialect is what an instance's GraphQL knows.
type dialect struct {
	commits  bool // Repository.commit, since 17.10
	versions bool // MergeRequest.mergeRequestDiffs, of the enterprise edition
}

// dialects are tried in this order.
func dialects() []dialect { return []dialect{{true, true}, {true, false}, {false, false}} }

// dialectFor is how long a step down is remembered.
const dialectFor = time.Hour

// spoken is the dialect that an instance took, and until when nothing better is tried.
type spoken struct {
	at    int
	until time.Time
}

// send asks, once in a reading.
func (s *session) send(ctx context.Context, a asks) {
	s.look.once.Do(func() {
		defer close(s.look.sent)
		a = a.fit()
		s.paid = s.readTier(ctx).paid
		s.speak(func(d dialect) error { return s.ask(ctx, a, d) })
	})
}

// ask sends the query in a dialect and takes up the answer.
func (s *session) ask(ctx context.Context, a asks, d dialect) error {
	query, variables := s.compose(a, d)
	var answer map[string]rawJSON
	if err := s.graphQL(ctx, query, variables, &answer); err != nil {
		return err
	}
	var projects struct {
		Nodes []*graphProject `json:"nodes"`
	}
	if err := answer["projects"].into(&projects); err != nil {
		return err
	}
	got := answered{notes: map[int64]*graphNote{}, asked: a.thread, branch: a.branch}
	for i, ref := range a.comments {
		var n *graphNote
		if err := answer["n"+strconv.Itoa(i)].into(&n); err == nil && n != nil {
			got.notes[ref.ID] = n
		}
	}
	var self *graphUser
	if err := answer["currentUser"].into(&self); err == nil {
		s.presentSelf(self)
	}
	if len(projects.Nodes) == 1 && projects.Nodes[0] != nil && projects.Nodes[0].ID == s.gid() {
		got.project = projects.Nodes[0]
	}
	s.look.got = got
	s.take(a)
	return nil
}

// take keeps what the query said of people and merge requests.
func (s *session) take(a asks) {
	p := s.look.got.project
	if p == nil {
		return
	}
	for _, list := range []*graphMergeRequests{p.Plain, p.Squashed} {
		if list != nil {
			s.present(*list)
		}
	}
	rows := map[string]graphCommit{}
	for i, c := range a.authors {
		row := p.Commits["c"+strconv.Itoa(i)]
		if row.LastCommit != nil {
			row.graphCommit = *row.LastCommit
		}
		if row.SHA != "" {
			rows[c.ID] = row.graphCommit
		}
	}
	s.keepAuthors(a.authors, rows, nil)
}

// compose writes the query. Numbers and commits are plain and go in as they are;
// names are variables.
func (s *session) compose(a asks, d dialect) (string, map[string]any) {
	declared := "$project: [ID!]"
	with := map[string]any{"project": []string{s.gid()}}
	var q strings.Builder
	q.WriteString("{ currentUser " + userFields + "")
	for i, ref := range a.comments {
		fmt.Fprintf(&q, ` n%d: note(id: "gid://gitlab/Note/%d") { %s%s }`, i, ref.ID, noteFields, whereFields)
	}
	q.WriteString(" projects(ids: $project, first: 1) { nodes { id fullPath visibility webUrl namespace { id } root: repository { rootRef }")
	if len(a.plain) > 0 {
		declared, with["plain"] = declared+", $plain: [String!]", decimals(a.plain)
		q.WriteString(" plain: mergeRequests(iids: $plain) { nodes { " + s.changeFields(d, false) + " } }")
	}
	if len(a.squashed) > 0 {
		declared, with["squashed"] = declared+", $squashed: [String!]", decimals(a.squashed)
		q.WriteString(" squashed: mergeRequests(iids: $squashed) { nodes { " + s.changeFields(d, true) + " } }")
	}
	if a.thread.Number > 0 {
		fmt.Fprintf(&q, " thread: %s { iid notes(last: 100) { %s } }", threadField(a.thread), threadFields)
	}
	if code := codeFields(a, d); code != "" {
		q.WriteString(" repository { " + code + " }")
		if a.branch != "" {
			declared += ", $head: String!"
			with["head"] = "refs/heads/" + a.branch
		}
	}
	q.WriteString(" } } }")
	return "query(" + declared + ") " + q.String(), with
}

func decimals(numbers []int64) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, strconv.FormatInt(n, 10))
	}
	return out
}

// codeFields are of a repository: the branch's head, and the authors of commits.
func codeFields(a asks, d dialect) string {
	at := func(ref, fields string) string {
		if d.commits {
			return "commit(ref: " + ref + ") { " + fields + " }"
		}
		// A tree's last commit is the revision itself (source:
		// app/graphql/resolvers/last_commit_resolver.rb).
		return "tree(ref: " + ref + ") { lastCommit { " + fields + " } }"
	}
	var parts []string
	if a.branch != "" {
		parts = append(parts, "head: "+at("$head", "sha"))
	}
	for i, c := range a.authors {
		parts = append(parts, fmt.Sprintf("c%d: ", i)+at(strconv.Quote(c.ID), "sha authorEmail author "+userFields))
	}
	return strings.Join(parts, " ")
}

// answered waits for the answer; its zero value where there is none.
func (l *look) answered() answered {
	if l == nil {
		return answered{}
	}
	<-l.sent
	return l.got
}

// thread is the newest page of a thread, where that one was asked for.
func (l *look) thread(t gate.Thread) (graphNotes, bool) {
	got := l.answered()
	if got.project == nil || got.project.Thread == nil || got.asked != t {
		return graphNotes{}, false
	}
	page, err := got.project.Thread.page(got.asked)
	return page, err == nil
}

// head is the commit of a branch, where that one was asked for.
func (l *look) head(branch string) (string, bool) {
	got := l.answered()
	if got.project == nil || got.branch != branch {
		return "", false
	}
	row, ok := got.project.Commits["head"]
	sha := row.SHA
	if row.LastCommit != nil {
		sha = row.LastCommit.SHA
	}
	return sha, ok && isSHA(sha)
}

// read is the project as GraphQL shows it; ok is false where it is not whole.
func (p *graphProject) read(repo int64) (project, bool) {
	if p == nil || p.Namespace == nil || p.Root == nil || p.Root.RootRef == "" || p.FullPath == "" || p.WebURL == "" {
		return project{}, false
	}
	if !slices.Contains([]string{"private", "internal", "public"}, p.Visibility) {
		return project{}, false
	}
	// The namespace's kind is part of its name: Group, Namespaces::UserNamespace.
	kind, number, found := strings.Cut(strings.TrimPrefix(p.Namespace.ID, "gid://gitlab/"), "/")
	owner, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil || owner <= 0 {
		return project{}, false
	}
	out := project{ID: repo, PathWithNamespace: p.FullPath, DefaultBranch: p.Root.RootRef, Visibility: p.Visibility, WebURL: p.WebURL}
	out.Namespace.ID = owner
	if kind == "Namespaces::UserNamespace" {
		out.Namespace.Kind = "user"
	}
	return out, true
}
