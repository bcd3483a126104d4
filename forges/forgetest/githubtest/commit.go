package githubtest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// Commit makes a commit object in repo's network and returns its SHA.
func (s *Server) Commit(repo forgetest.Repository, spec forgetest.CommitSpec) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	if len(spec.Parents) == 0 {
		spec.Parents = []string{r.head("refs/heads/" + r.branch)}
	}
	if spec.When.IsZero() {
		spec.When = s.now()
	}
	return r.net.graph.Add(spec, false).SHA
}

// Head is the commit at a full ref, tags peeled, or "".
func (s *Server) Head(repo forgetest.Repository, ref string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repository(repo).head(ref)
}

func (r *repository) head(ref string) string { return r.peel(r.refs[ref]) }

func (r *repository) peel(sha string) string {
	if tag := r.net.tags[sha]; tag != nil {
		return tag.target
	}
	return sha
}

// resolve finds the commit that a path or query names: a full SHA of the network, a
// ref with or without "refs/", or a branch or tag name; branches first.
func (r *repository) resolve(name string) *forgetest.Commit {
	if c := r.net.graph.Get(r.peel(name)); c != nil {
		return c
	}
	for _, ref := range []string{name, "refs/" + name, "refs/heads/" + name, "refs/tags/" + name} {
		if sha := r.head(ref); sha != "" {
			return r.net.graph.Get(sha)
		}
	}
	return nil
}

func getCommit(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return noCommit(c.params["ref"])
	}
	if c.accepts("sha") {
		return reply{status: http.StatusOK, raw: []byte(commit.SHA), header: http.Header{"Content-Type": {"application/vnd.github.sha"}}}
	}
	out := c.commitJSON(c.repo, commit)
	from := ""
	if len(commit.Parents) > 0 {
		from = commit.Parents[0]
	}
	files := c.files(c.repo, from, commit.SHA)
	out["stats"] = obj{"additions": len(files), "deletions": 0, "total": len(files)}
	out["files"] = files
	return ok(out)
}

// noCommit is the 422 of GitHub's "Get a commit" for what it cannot resolve.
func noCommit(name string) reply {
	return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+name)
}

// listCommits is `git log` from sha (default branch where empty), newest first, with
// the filters path, since and until.
func listCommits(c *call) reply {
	from := c.query.Get("sha")
	if from == "" {
		from = c.repo.branch
	}
	head := c.repo.resolve(from)
	if head == nil {
		return notFound()
	}
	all := c.repo.net.graph.Between("", head.SHA)
	slices.Reverse(all)
	if path := c.query.Get("path"); path != "" {
		all = slices.DeleteFunc(all, func(x *forgetest.Commit) bool { return !c.repo.touches(x, path) })
	}
	return paged(c, all, func(x *forgetest.Commit) obj { return c.commitJSON(c.repo, x) })
}

func (r *repository) touches(c *forgetest.Commit, path string) bool {
	from := ""
	if len(c.Parents) > 0 {
		from = c.Parents[0]
	}
	return slices.ContainsFunc(r.net.graph.Changed(from, c.SHA), func(p string) bool {
		return p == path || strings.HasPrefix(p, path+"/")
	})
}

// commitJSON is `components.schemas.commit`. Author and committer are accounts by
// e-mail; only what the forge made carries a signature.
func (s *Server) commitJSON(repo *repository, c *forgetest.Commit) obj {
	parents := []obj{}
	for _, p := range c.Parents {
		parents = append(parents, obj{
			"sha": p, "url": s.repoAPI(repo, "/commits/%s", p), "html_url": s.repoWeb(repo, "/commit/%s", p),
		})
	}
	api := s.repoAPI(repo, "/commits/%s", c.SHA)
	return obj{
		"sha": c.SHA, "node_id": "C_kwDO" + c.SHA, "url": api, "html_url": s.repoWeb(repo, "/commit/%s", c.SHA),
		"comments_url": api + "/comments", "parents": parents,
		"author": s.emailUser(c.Author), "committer": s.emailUser(c.Committer),
		"commit": obj{
			"author": gitUser(c.Author, c), "committer": gitUser(c.Committer, c), "message": c.Message, "comment_count": 0,
			"url":          s.repoAPI(repo, "/git/commits/%s", c.SHA),
			"tree":         obj{"sha": treeSHA(c.SHA), "url": s.repoAPI(repo, "/git/trees/%s", treeSHA(c.SHA))},
			"verification": verification(c),
		},
	}
}

// treeSHA stands for the tree: the double keeps no tree objects.
func treeSHA(commit string) string { return commit[8:] + commit[:8] }

func verification(c *forgetest.Commit) obj {
	if !c.Signed {
		return obj{"verified": false, "reason": "unsigned", "payload": nil, "signature": nil, "verified_at": nil}
	}
	return obj{
		"verified": true, "reason": "valid", "payload": "tree " + treeSHA(c.SHA), "verified_at": stamp(c.When),
		"signature": "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
	}
}

func gitUser(p forgetest.Person, c *forgetest.Commit) obj {
	return obj{"name": gitName(p), "email": p.Email, "date": stamp(c.When)}
}

// gitName is the name part of a commit's identity; git allows none that is empty.
func gitName(p forgetest.Person) string {
	if p.Login != "" {
		return p.Login
	}
	name, _, _ := strings.Cut(p.Email, "@")
	return name
}

func (s *Server) emailUser(p forgetest.Person) any {
	if a := s.byEmail(p.Email); a != nil {
		return s.userJSON(a)
	}
	return nil
}

// signature is one name and e-mail out of a commit.
type signature struct{ name, email string }

func coAuthorLine() *regexp.Regexp {
	return regexp.MustCompile(`(?im)^\s*co-authored-by:\s*(.*?)\s*<([^>]*)>\s*$`)
}

// authors are a commit's author and its co-authors by trailer, in order, one per
// e-mail (GraphQL `Commit.authors`: "The list of authors for this commit based on
// the git author and the Co-authored-by message trailer").
func authors(c *forgetest.Commit) []signature {
	out := []signature{{gitName(c.Author), c.Author.Email}}
	for _, m := range coAuthorLine().FindAllStringSubmatch(c.Message, -1) {
		if !slices.ContainsFunc(out, func(x signature) bool { return strings.EqualFold(x.email, m[2]) }) {
			out = append(out, signature{m[1], m[2]})
		}
	}
	return out
}

// files is the difference between two commits (`components.schemas.diff-entry`). Lines
// are not counted: each file is one addition, deletion or both.
func (s *Server) files(repo *repository, from, to string) []obj {
	out := []obj{}
	tree := func(sha string) map[string][]byte {
		if c := repo.net.graph.Get(sha); c != nil {
			return c.Tree
		}
		return nil
	}
	for _, path := range repo.net.graph.Changed(from, to) {
		_, was := tree(from)[path]
		content, is := tree(to)[path]
		state, added, deleted := "modified", 1, 1
		if !was {
			state, deleted = "added", 0
		}
		if !is {
			state, added = "removed", 0
		}
		out = append(out, obj{
			"sha": blobSHA(content), "filename": path, "status": state, "additions": added, "deletions": deleted,
			"changes": added + deleted, "blob_url": s.repoWeb(repo, "/blob/%s/%s", to, path),
			"raw_url":      s.repoWeb(repo, "/raw/%s/%s", to, path),
			"contents_url": s.repoAPI(repo, "/contents/%s?ref=%s", path, to),
			"patch":        fmt.Sprintf("@@ -%d +%d @@", deleted, added),
		})
	}
	return out
}
