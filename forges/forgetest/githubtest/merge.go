package githubtest

import (
	"fmt"
	"maps"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// Merge merges through the forge (docs, "About merge methods on GitHub"): a merge
// commit by the merger; a squash by the pull request's author, with co-author
// trailers; or each commit recreated with the merger as committer. The first two are
// committed and signed by web-flow; rebased commits are unsigned.
func (s *Server) Merge(c forgetest.Change, by forgetest.Person, method forgetest.MergeMethod) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, t := s.thread(c)
	if t.pull == nil || !t.open {
		panic(fmt.Sprintf("merge #%d of %q: expected an open pull request", c.Number, c.Repository.FullName))
	}
	who := s.who(by)
	t.pull.baseSHA = r.head("refs/heads/" + t.pull.target)
	commits := t.pull.commits()
	var sha string
	switch method {
	case forgetest.MergeCommit:
		title := fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", t.number, s.accounts[t.pull.head.owner].login, t.pull.source, t.title)
		sha = s.mergeCommit(r, t, who, title).SHA
	case forgetest.Squash:
		sha = s.squash(r, t, commits).SHA
	case forgetest.Rebase:
		sha = s.rebase(r, t, who, commits)
	}
	s.finishMerge(r, t, who, sha, commits)
	s.move(r, who, "refs/heads/"+t.pull.target, sha, "pr_merge")
	return sha
}

// webFlowPerson is the committer of what the web side commits.
func webFlowPerson() forgetest.Person {
	return forgetest.Person{ID: webFlowID, Login: "GitHub", Email: webEmail}
}

// changes are the files that differ between two commits, as a commit's spec has them.
func (r *repository) changes(from, to string) map[string][]byte {
	files := map[string][]byte{}
	tree := r.net.graph.Get(to).Tree
	for _, path := range r.net.graph.Changed(from, to) {
		files[path] = tree[path] // nil deletes
	}
	return files
}

func (s *Server) mergeCommit(r *repository, t *thread, by *account, message string) *forgetest.Commit {
	p := t.pull
	return r.net.graph.Add(forgetest.CommitSpec{
		Parents: []string{p.baseSHA, p.headSHA}, Author: s.person(by), Committer: webFlowPerson(), Message: message,
		When: s.now(), Files: r.changes(r.net.graph.MergeBase(p.baseSHA, p.headSHA), p.headSHA),
	}, true)
}

func (s *Server) squash(r *repository, t *thread, commits []*forgetest.Commit) *forgetest.Commit {
	p := t.pull
	author := s.person(s.accounts[t.author])
	message := fmt.Sprintf("%s (#%d)\n", t.title, t.number)
	seen := map[string]bool{strings.ToLower(author.Email): true}
	trailers := ""
	for _, c := range commits {
		subject, _, _ := strings.Cut(c.Message, "\n")
		message += "\n* " + subject + "\n"
		for _, a := range authors(c) {
			if key := strings.ToLower(a.email); !seen[key] && !s.isAuthorsEmail(t, a.email) {
				seen[key] = true
				trailers += fmt.Sprintf("\nCo-authored-by: %s <%s>", a.name, a.email)
			}
		}
	}
	if trailers != "" {
		message += "\n---------\n" + trailers
	}
	return r.net.graph.Add(forgetest.CommitSpec{
		Parents: []string{p.baseSHA}, Author: author, Committer: webFlowPerson(), Message: message, When: s.now(),
		Files: r.changes(r.net.graph.MergeBase(p.baseSHA, p.headSHA), p.headSHA),
	}, true)
}

// isAuthorsEmail reports whether the e-mail is another one of the pull request's author.
func (s *Server) isAuthorsEmail(t *thread, email string) bool {
	a := s.byEmail(email)
	return a != nil && a.id == t.author
}

func (s *Server) rebase(r *repository, t *thread, by *account, commits []*forgetest.Commit) string {
	at := t.pull.baseSHA
	for _, c := range commits {
		if len(c.Parents) != 1 {
			continue // a rebase drops merges
		}
		at = r.net.graph.Add(forgetest.CommitSpec{
			Parents: []string{at}, Author: c.Author, Committer: s.person(by), Message: c.Message, When: s.now(),
			Files: r.changes(c.Parents[0], c.SHA),
		}, false).SHA
	}
	return at
}

// finishMerge closes the pull request as merged into sha, which brought commits.
func (s *Server) finishMerge(r *repository, t *thread, who *account, sha string, commits []*forgetest.Commit) {
	p := t.pull
	p.frozen, p.merged, p.mergedBy, p.mergeSHA = commits, s.now(), who.id, sha
	p.introduced = map[string]bool{}
	for _, c := range r.net.graph.Between(p.baseSHA, sha) {
		p.introduced[c.SHA] = true
	}
	introduced := maps.Clone(p.introduced)
	for _, other := range r.threads { // what another merge brought stays the other's
		if other != t && other.pull != nil {
			maps.DeleteFunc(introduced, func(sha string, _ bool) bool { return other.pull.introduced[sha] })
		}
	}
	p.introduced = introduced
	t.open, t.closed, t.updated = false, s.now(), s.now()
	s.emit(r, "pull_request", "closed", who, obj{"number": t.number, "pull_request": s.pullJSON(r, t)})
}
