package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// GitLab resolves an e-mail address to an account in one place that a bot may
// read: GraphQL's Commit.author. A commit's committer and co-authors come as bare
// addresses. Such an address belongs to an account where
//  1. some commit of the project was written from it and GraphQL named its author,
//  2. it is a private commit e-mail (ID-username@users.noreply.HOST), or
//  3. an account shows it publicly.
// Otherwise it counts as belonging to no account: that asks for one more approver
// than the policy does, and never for fewer.

// learned is what addresses turned out to be. It is safe for concurrent use.
type learned struct {
	mu     sync.Mutex
	mails  map[string]gate.Fact[gate.Account]
	author map[string]gate.Fact[gate.Account] // by commit
}

func (l *learned) put(sha, mail string, fact gate.Fact[gate.Account]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mails == nil {
		l.mails, l.author = map[string]gate.Fact[gate.Account]{}, map[string]gate.Fact[gate.Account]{}
	}
	l.author[sha] = fact
	if mail != "" && !fact.IsUnknown() {
		l.mails[strings.ToLower(mail)] = fact
	}
}

func (l *learned) byMail(mail string) (gate.Fact[gate.Account], bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.mails[strings.ToLower(mail)]
	return f, ok
}

func (l *learned) byCommit(sha string) (gate.Fact[gate.Account], bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.author[sha]
	return f, ok
}

// authorBatch keeps a query under GitLab's complexity limit of 250 (docs: GraphQL
// API, limits): one commit with its author costs about ten.
const authorBatch = 20

// learnAuthors asks GraphQL who wrote the commits, once for each address: GitLab
// itself looks at nothing else (source: app/models/commit.rb, lazy_author). What fails
// is remembered as unknown for each of them.
func (s *session) learnAuthors(ctx context.Context, commits []commit) {
	todo, same := s.unlearned(commits)
	var g errgroup.Group
	for len(todo) > 0 {
		n := min(len(todo), authorBatch)
		batch := todo[:n]
		todo = todo[n:]
		g.Go(func() error {
			s.learnBatch(ctx, batch)
			return nil
		})
	}
	_ = g.Wait() // learnBatch puts what fails into what is learned
	s.spread(same)
}

// unlearned are commits to ask for, one for each address that nothing is known of,
// and all that share it.
func (s *session) unlearned(commits []commit) (todo []commit, same map[string][]commit) {
	same = map[string][]commit{}
	for _, c := range commits {
		if _, ok := s.learned.byCommit(c.ID); ok {
			continue
		}
		mail := strings.ToLower(c.AuthorEmail)
		if f, ok := s.learned.byMail(mail); ok {
			s.learned.put(c.ID, c.AuthorEmail, f)
			continue
		}
		if len(same[mail]) == 0 {
			todo = append(todo, c)
		}
		same[mail] = append(same[mail], c)
	}
	return todo, same
}

// spread gives the commits of one address the author of the one that was asked for.
func (s *session) spread(same map[string][]commit) {
	for _, alike := range same {
		f, _ := s.learned.byCommit(alike[0].ID)
		for _, c := range alike[1:] {
			s.learned.put(c.ID, c.AuthorEmail, f)
		}
	}
}

// learnPeople learns the authors of commits and the people of merge requests, as far as
// nothing is known of them yet.
func (s *session) learnPeople(ctx context.Context, commits []commit, found map[int64]*merged) {
	for _, m := range found {
		if seen, ok := s.crowd.shown(m.IID); ok && seen.Commits != nil {
			for _, c := range seen.Commits.Nodes {
				if isSHA(c.SHA) {
					s.learned.put(c.SHA, c.AuthorEmail, s.author(c))
				}
			}
		}
	}
	s.learnAuthors(ctx, commits)
	s.gather(ctx, found)
}

// graphCommit is what GraphQL says of a commit (source:
// app/graphql/types/repositories/commit_type.rb).
type graphCommit struct {
	SHA            string  `json:"sha"`
	AuthorEmail    string  `json:"authorEmail"`
	Author         rawJSON `json:"author"`  // an account, or null
	Message        string  `json:"message"` // this and the rest only where asked for
	AuthorName     string  `json:"authorName"`
	CommitterName  string  `json:"committerName"`
	CommitterEmail string  `json:"committerEmail"`
}

type graphRepository struct {
	Project *struct {
		ID         string `json:"id"`
		Repository map[string]struct {
			graphCommit
			LastCommit *graphCommit `json:"lastCommit"`
		} `json:"repository"`
	} `json:"project"`
}

const commitFields = "{ sha authorEmail author " + userFields + " }"

func (s *session) learnBatch(ctx context.Context, batch []commit) {
	found, err := s.askAuthors(ctx, batch, func(sha string) string { return `commit(ref: "` + sha + `") ` + commitFields })
	if err != nil && statusOf(err) == 0 && malformed(err) {
		// GitLab before 17.10 has no Repository.commit; a tree's last commit is the
		// revision itself (source: app/graphql/resolvers/last_commit_resolver.rb).
		found, err = s.askAuthors(ctx, batch, func(sha string) string {
			return `tree(ref: "` + sha + `") { lastCommit ` + commitFields + ` }`
		})
	}
	s.keepAuthors(batch, found, err)
}

func (s *session) keepAuthors(batch []commit, found map[string]graphCommit, err error) {
	for _, c := range batch {
		var fact gate.Fact[gate.Account]
		row, ok := found[c.ID]
		switch {
		case err != nil:
			fact = unknown[gate.Account](err)
		case !ok || row.SHA != c.ID || !strings.EqualFold(row.AuthorEmail, c.AuthorEmail):
			fact = gate.Unknown[gate.Account]("GraphQL and REST do not agree on the commit")
		default:
			fact = s.author(row)
		}
		s.learned.put(c.ID, c.AuthorEmail, fact)
	}
}

// askAuthors sends one query; commits are hex, so that they need no escaping.
func (s *session) askAuthors(ctx context.Context, batch []commit, field func(sha string) string) (map[string]graphCommit, error) {
	p, err := s.readProject(ctx)
	if err != nil {
		return nil, err
	}
	var q strings.Builder
	q.WriteString("query($path: ID!) { project(fullPath: $path) { id repository {")
	for i, c := range batch {
		fmt.Fprintf(&q, " c%d: %s", i, field(c.ID))
	}
	q.WriteString(" } } }")
	var answer graphRepository
	if err := s.graphQL(ctx, q.String(), map[string]any{"path": p.PathWithNamespace}, &answer); err != nil {
		return nil, err
	}
	if answer.Project == nil {
		return nil, fmt.Errorf("project %q in GraphQL: %w", p.PathWithNamespace, errUnexpected)
	}
	// A path may by now belong to another project (attack 73).
	if id, err := gidOf("Project", answer.Project.ID); err != nil || id != s.repo.ID {
		return nil, fmt.Errorf("project %q in GraphQL is %q: %w", p.PathWithNamespace, answer.Project.ID, errUnexpected)
	}
	rows := map[string]graphCommit{}
	for i, c := range batch {
		row := answer.Project.Repository["c"+strconv.Itoa(i)]
		if row.LastCommit != nil {
			row.graphCommit = *row.LastCommit
		}
		if row.SHA != "" {
			rows[c.ID] = row.graphCommit
		}
	}
	return rows, nil
}

func (s *session) author(row graphCommit) gate.Fact[gate.Account] {
	var who *graphUser
	if err := row.Author.into(&who); err != nil {
		return unknown[gate.Account](err)
	}
	if who == nil {
		return gate.Absent[gate.Account]("no account of this GitLab has the e-mail address")
	}
	a, err := s.known(*who)
	if err != nil {
		return unknown[gate.Account](errUnexpected)
	}
	return gate.Known(a)
}

// readPeople is everyone on a commit whose author was learned before.
func (s *session) readPeople(ctx context.Context, c commit) []gate.Person {
	author, ok := s.learned.byCommit(c.ID)
	if !ok {
		author = gate.Unknown[gate.Account]("its author was not asked for")
	}
	out := []gate.Person{{Part: gate.PartAuthor, Account: author, Name: c.AuthorName}}
	if !c.byOneHand() {
		committer := s.readMail(ctx, c.CommitterEmail)
		// What somebody commits in its web pages GitLab signs, with itself as the
		// committer where that is set up; who did it shows as its pusher.
		if !committer.IsAbsent() || !s.signedByForge(ctx, c.ID) {
			out = append(out, gate.Person{Part: gate.PartCommitter, Account: committer, Name: c.CommitterName})
		}
	}
	for _, t := range coAuthors(c.Message) {
		out = append(out, gate.Person{Part: gate.PartCoAuthor, Account: s.readMail(ctx, t.mail), Name: t.name})
	}
	return out
}

type trailer struct{ name, mail string }

// coAuthorLine takes the key in any case, wherever it stands in the message
// (attack 36): a line that is no trailer to git can only add somebody.
var coAuthorLine = regexp.MustCompile(`(?im)^[ \t]*co-authored-by[ \t]*:[ \t]*(.+?)[ \t\r]*$`)

func coAuthors(message string) []trailer {
	var out []trailer
	for _, m := range coAuthorLine.FindAllStringSubmatch(message, -1) {
		t := trailer{name: m[1]}
		if open, end := strings.LastIndexByte(m[1], '<'), strings.LastIndexByte(m[1], '>'); open >= 0 && end > open {
			t.name, t.mail = strings.TrimSpace(m[1][:open]), strings.TrimSpace(m[1][open+1:end])
		}
		if t.name == "" {
			t.name = t.mail
		}
		out = append(out, t)
	}
	return out
}

// readMail finds the account of an address, as described at the top of this file.
func (s *session) readMail(ctx context.Context, mail string) gate.Fact[gate.Account] {
	if !strings.Contains(mail, "@") {
		return gate.Absent[gate.Account]("it names no e-mail address")
	}
	if f, ok := s.learned.byMail(mail); ok {
		return f
	}
	fact, _ := s.mails.get(strings.ToLower(mail), func() (gate.Fact[gate.Account], error) {
		for _, look := range []func(context.Context, string) (gate.Fact[gate.Account], bool){
			s.privateMail, s.writtenFrom, s.publicMail,
		} {
			if f, ok := look(ctx, mail); ok {
				return f, nil
			}
		}
		return gate.Absent[gate.Account]("GitLab does not tell whose e-mail address it is"), nil
	})
	return fact
}

var privateLocal = regexp.MustCompile(`^([0-9]+)-[^@]+$`)

// privateMail reads the id out of a private commit e-mail (source:
// lib/gitlab/private_commit_email.rb; the host is the instance's default).
func (s *session) privateMail(ctx context.Context, mail string) (gate.Fact[gate.Account], bool) {
	local, host, _ := strings.Cut(mail, "@")
	m := privateLocal.FindStringSubmatch(local)
	if m == nil || !strings.EqualFold(host, "users.noreply."+s.base.Hostname()) {
		return gate.Fact[gate.Account]{}, false
	}
	id, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return gate.Fact[gate.Account]{}, false
	}
	a, err := s.readAccount(ctx, id)
	if isNotFound(err) {
		return gate.Fact[gate.Account]{}, false
	}
	if err != nil {
		return unknown[gate.Account](err), true
	}
	return gate.Known(a), true
}

// writtenFrom looks for a commit anywhere in the project whose author has the
// address, and asks who that is. The filter is a pattern over "name <address>" that
// minds case (source: git log --author), so the address is looked for as it is spelled
// and as most people spell theirs; only an equal address counts.
func (s *session) writtenFrom(ctx context.Context, mail string) (gate.Fact[gate.Account], bool) {
	for _, spelled := range slices.Compact([]string{mail, strings.ToLower(mail)}) {
		rows, _, _, err := fetchPage[commit](ctx, s, s.path("/repository/commits"),
			url.Values{"all": {"true"}, "author": {spelled}}, 1)
		if err != nil {
			return unknown[gate.Account](err), true
		}
		for _, c := range rows {
			if !strings.EqualFold(c.AuthorEmail, mail) || c.check(c.ID) != nil {
				continue
			}
			s.learnAuthors(ctx, []commit{c})
			f, _ := s.learned.byCommit(c.ID)
			return f, !f.IsAbsent()
		}
	}
	return gate.Fact[gate.Account]{}, false
}

// publicMail asks for the account that shows the address (API docs: users, search
// by "name, username, or public email").
func (s *session) publicMail(ctx context.Context, mail string) (gate.Fact[gate.Account], bool) {
	rows, err := fetchAll[struct {
		account
		PublicEmail string `json:"public_email"`
	}](ctx, s, "users", url.Values{"search": {mail}})
	if err != nil {
		return unknown[gate.Account](err), true
	}
	for _, u := range rows {
		if strings.EqualFold(u.PublicEmail, mail) {
			return s.accountFact(ctx, u.ID), true
		}
	}
	return gate.Fact[gate.Account]{}, false
}
