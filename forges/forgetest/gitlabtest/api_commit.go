package gitlabtest

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// commitDate is a date of a commit as Gitaly's come out in JSON (API docs:
// commits); git keeps whole seconds.
func commitDate(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000-07:00")
}

// commitName is the name inside the commit object: free text, here the login that
// the test gave.
func commitName(p forgetest.Person) string {
	if p.Login != "" {
		return p.Login
	}
	return p.Email
}

// commitRow is one commit. It names people by e-mail; there is no account id in
// it (source: lib/api/entities/commit.rb).
func (s *Server) commitRow(p *project, c *forgetest.Commit, trailers bool) obj {
	short, extended := obj{}, obj{}
	if trailers {
		short, extended = trailersOf(c.Message)
	}
	return obj{
		"id": c.SHA, "short_id": c.SHA[:8], "created_at": commitDate(c.When), "parent_ids": orEmpty(c.Parents),
		"title": subject(c), "message": c.Message, "author_name": commitName(c.Author), "author_email": c.Author.Email,
		"authored_date": commitDate(c.When), "committer_name": commitName(c.Committer), "committer_email": c.Committer.Email,
		"committed_date": commitDate(c.When), "trailers": short, "extended_trailers": extended,
		"web_url": s.webURL(p) + "/-/commit/" + c.SHA,
	}
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// trailersOf reads the trailers of the last paragraph. `trailers` keeps one value
// per key, `extended_trailers` an array (API docs: commits; source:
// lib/gitlab/git/commit.rb, which is why go-gitlab v0.115.0 fails on them).
func trailersOf(message string) (obj, obj) {
	short, extended := obj{}, obj{}
	paragraphs := strings.Split(strings.TrimSpace(message), "\n\n")
	if len(paragraphs) < 2 {
		return short, extended
	}
	for _, line := range strings.Split(paragraphs[len(paragraphs)-1], "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(key, " \t") {
			return obj{}, obj{}
		}
		short[key] = value
		values, _ := extended[key].([]string)
		extended[key] = append(values, value)
	}
	return short, extended
}

// listCommits lists a ref, or a range a..b of ref_name, newest first (API docs:
// commits, list repository commits: no totals).
func listCommits(c *call) (any, error) {
	commits, known := c.revisions()
	if !known && c.opts.UnknownRevisionNotFound {
		return nil, notFound("Commit")
	}
	commits = slices.DeleteFunc(commits, func(commit *forgetest.Commit) bool { return !c.wantsCommit(commit) })
	rows := list(commits, func(commit *forgetest.Commit) obj {
		return c.commitRow(c.p, commit, c.param("trailers") == "true")
	})
	rows.uncounted = true
	return rows, nil
}

// revisions are the commits of ref_name, newest first, or with all=true of every
// ref. An unknown revision has none and says so in the second result.
func (c *call) revisions() ([]*forgetest.Commit, bool) {
	if c.param("all") == "true" {
		return c.everything(), true
	}
	ref := c.param("ref_name")
	if ref == "" {
		ref = c.p.defaultBranch
	}
	from, to, isRange := strings.Cut(ref, "..")
	if !isRange {
		from, to = "", ref
	}
	head, base := c.resolve(c.p, to), ""
	if from != "" {
		b := c.resolve(c.p, from)
		if b == nil {
			return nil, false
		}
		base = b.SHA
	}
	if head == nil {
		return nil, false
	}
	if c.param("first_parent") == "true" {
		return c.firstParents(base, head), true
	}
	commits := c.graph.Between(base, head.SHA)
	slices.Reverse(commits)
	return commits, true
}

// everything is what the project's branches and tags reach, newest first.
func (c *call) everything() []*forgetest.Commit {
	seen := map[string]bool{}
	var out []*forgetest.Commit
	for _, head := range c.p.refs {
		for _, commit := range c.graph.Between("", head) {
			if !seen[commit.SHA] {
				seen[commit.SHA] = true
				out = append(out, commit)
			}
		}
	}
	slices.SortFunc(out, func(a, b *forgetest.Commit) int { return b.When.Compare(a.When) })
	return out
}

func (c *call) firstParents(base string, head *forgetest.Commit) []*forgetest.Commit {
	exclude := c.graph.Reachable(base)
	var out []*forgetest.Commit
	for at := head; at != nil && !exclude[at.SHA]; {
		out = append(out, at)
		if len(at.Parents) == 0 {
			break
		}
		at = c.graph.Get(at.Parents[0])
	}
	return out
}

func (c *call) wantsCommit(commit *forgetest.Commit) bool {
	if !matchesAuthor(c.param("author"), commitName(commit.Author)+" <"+commit.Author.Email+">") {
		return false
	}
	if since, err := time.Parse(time.RFC3339, c.param("since")); err == nil && commit.When.Before(since) {
		return false
	}
	if until, err := time.Parse(time.RFC3339, c.param("until")); err == nil && commit.When.After(until) {
		return false
	}
	path := c.param("path")
	if path == "" {
		return true
	}
	parent := ""
	if len(commit.Parents) > 0 {
		parent = commit.Parents[0]
	}
	return slices.ContainsFunc(c.graph.Changed(parent, commit.SHA), func(changed string) bool {
		return changed == path || strings.HasPrefix(changed, strings.TrimSuffix(path, "/")+"/")
	})
}

// matchesAuthor searches as git log --author does: a pattern over "Name <e-mail>".
func matchesAuthor(pattern, author string) bool {
	if pattern == "" {
		return true
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return strings.Contains(author, pattern)
	}
	return expression.MatchString(author)
}

// commitInPath is the commit that the path names, or 404 Commit Not Found.
func (c *call) commitInPath() (*forgetest.Commit, error) {
	commit := c.resolve(c.p, c.r.PathValue("sha"))
	if commit == nil {
		return nil, notFound("Commit")
	}
	return commit, nil
}

func showCommit(c *call) (any, error) {
	commit, err := c.commitInPath()
	if err != nil {
		return nil, err
	}
	row := c.commitRow(c.p, commit, !c.opts.WithoutTrailers)
	row["project_id"] = c.p.id
	row["last_pipeline"], row["status"] = nil, nil
	for _, pl := range c.p.pipelines {
		if pl.sha == commit.SHA {
			row["last_pipeline"], row["status"] = c.pipelineRow(c.p, pl), pl.status
		}
	}
	if c.param("stats") != "false" {
		parent := ""
		if len(commit.Parents) > 0 {
			parent = commit.Parents[0]
		}
		changed := len(c.graph.Changed(parent, commit.SHA))
		row["stats"] = obj{"additions": changed, "deletions": 0, "total": changed}
	}
	return row, nil
}

// commitSignature answers the signature of commits that the instance itself made
// and signs (API docs: commits, get signature; source: lib/api/commits.rb). Whose
// web commits are signed depends on the instance: Options.SignWebCommits.
func commitSignature(c *call) (any, error) {
	commit, err := c.commitInPath()
	if err != nil {
		return nil, err
	}
	if !commit.Signed {
		return nil, notFound("Signature")
	}
	return obj{
		"signature_type": "SSH", "verification_status": "verified_system", "commit_source": "gitaly", "key": nil,
		"gpg_key_id": nil, "gpg_key_primary_keyid": nil, "gpg_key_user_name": nil, "gpg_key_user_email": nil, "gpg_key_subkey_id": nil,
	}, nil
}

// commitRefs lists the branches and tags that contain a commit (API docs:
// commits, get references; source: lib/api/commits.rb).
func commitRefs(c *call) (any, error) {
	commit, err := c.commitInPath()
	if err != nil {
		return nil, err
	}
	var refs []obj
	for _, kind := range []string{"branch", "tag"} {
		if want := c.param("type"); want != "" && want != "all" && want != kind {
			continue
		}
		for _, ref := range c.p.refsOfType(kind) {
			if c.graph.IsAncestor(commit.SHA, c.p.refs[ref]) {
				refs = append(refs, obj{"type": kind, "name": shortRef(ref)})
			}
		}
	}
	return list(refs, func(o obj) obj { return o }), nil
}

// commitMergeRequests lists the merge requests whose latest version holds the
// commit, or that it merged or squashed (source: app/models/merge_request.rb,
// by_related_commit_sha).
func commitMergeRequests(c *call) (any, error) {
	commit, err := c.commitInPath()
	if err != nil {
		return nil, err
	}
	var found []*mergeRequest
	for _, mr := range c.p.mergeRequests {
		inDiff := slices.ContainsFunc(c.commitsOf(mr.latest()), func(other *forgetest.Commit) bool { return other == commit })
		if inDiff || mr.mergeSHA == commit.SHA || mr.squashSHA == commit.SHA {
			found = append(found, mr)
		}
	}
	slices.Reverse(found)
	return list(found, c.mergeRequestRow), nil
}

// compare answers from...to, or with straight=true from..to (API docs:
// repositories, compare). Commits come oldest first.
func compare(c *call) (any, error) {
	from, to := c.resolve(c.p, c.param("from")), c.resolve(c.p, c.param("to"))
	if from == nil || to == nil {
		return nil, notFound("Ref")
	}
	commits := c.graph.Between(from.SHA, to.SHA)
	base := from.SHA
	if c.param("straight") != "true" {
		base = c.graph.MergeBase(from.SHA, to.SHA)
	}
	rows := []obj{}
	for _, commit := range commits {
		rows = append(rows, c.commitRow(c.p, commit, false))
	}
	answer := obj{
		"commit": nil, "commits": rows, "diffs": c.diffs(base, to.SHA), "compare_timeout": false,
		"compare_same_ref": from.SHA == to.SHA,
		"web_url":          c.webURL(c.p) + "/-/compare/" + from.SHA + "..." + to.SHA,
	}
	if len(rows) > 0 {
		answer["commit"] = rows[len(rows)-1]
	}
	return answer, nil
}

// mergeBase finds the common ancestor of refs[] (API docs: repositories, merge base).
func mergeBase(c *call) (any, error) {
	query := c.r.URL.Query()
	refs := slices.Concat(query["refs[]"], query["refs"])
	if len(refs) < 2 {
		return nil, badParameter("refs is missing") // source: lib/api/repositories.rb, at least two
	}
	base := ""
	for i, ref := range refs {
		commit := c.resolve(c.p, ref)
		if commit == nil {
			return nil, badRequest("Could not find ref: " + ref)
		}
		if i == 0 {
			base = commit.SHA
			continue
		}
		base = c.graph.MergeBase(base, commit.SHA)
	}
	found := c.graph.Get(base)
	if found == nil {
		return nil, notFound("Merge Base")
	}
	return c.commitRow(c.p, found, false), nil
}

// diffs are changed files; the text of the diff itself is left out (API docs:
// collapsed and too large diffs come with an empty diff).
func (s *Server) diffs(from, to string) []obj {
	out := []obj{}
	oldTree := map[string][]byte{}
	if c := s.graph.Get(from); c != nil {
		oldTree = c.Tree
	}
	newTree := s.graph.Get(to).Tree
	for _, path := range s.graph.Changed(from, to) {
		_, had := oldTree[path]
		_, has := newTree[path]
		out = append(out, obj{
			"diff": "", "collapsed": false, "too_large": false, "new_path": path, "old_path": path, "a_mode": "100644",
			"b_mode": "100644", "new_file": !had, "renamed_file": false, "deleted_file": !has, "generated_file": false,
		})
	}
	return out
}
