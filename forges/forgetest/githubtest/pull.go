package githubtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// pull is what a thread has more as a pull request.
type pull struct {
	head, base *repository // head may be a fork
	source     string      // branch names
	target     string
	headSHA    string
	baseSHA    string // the target's commit at the last synchronisation
	testMerge  string
	frozen     []*forgetest.Commit // the commits, once merged or closed
	merged     time.Time
	mergedBy   int64
	mergeSHA   string
	introduced map[string]bool // commits that the merge put on the target
	reviews    []*review
	events     []event // of its timeline, as far as anybody asks
}

// OpenChange opens a pull request as by.
func (s *Server) OpenChange(repo forgetest.Repository, by forgetest.Person, spec forgetest.ChangeSpec) forgetest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := s.repository(repo)
	head := base
	if spec.From != (forgetest.Repository{}) {
		head = s.repository(spec.From)
	}
	if spec.Target == "" {
		spec.Target = base.branch
	}
	p := &pull{head: head, base: base, source: spec.Source, target: spec.Target}
	p.headSHA, p.baseSHA = head.head("refs/heads/"+spec.Source), base.head("refs/heads/"+spec.Target)
	if p.headSHA == "" || p.baseSHA == "" || head.net != base.net {
		panic(fmt.Sprintf("open a pull request from %q to %q of %q: expected branches of one network", spec.Source, spec.Target, repo.FullName))
	}
	who := s.who(by)
	t := s.newThread(base, "pull", who, spec.Title, spec.Body)
	t.pull = p
	s.touchPull(base, t)
	s.emit(base, "pull_request", "opened", who, obj{"number": t.number, "pull_request": s.pullJSON(base, t)})
	return forgetest.Change{Repository: s.reference(base), Number: t.number}
}

// touchPull moves refs/pull/N/head and remakes the test merge.
func (s *Server) touchPull(r *repository, t *thread) {
	p := t.pull
	r.refs[fmt.Sprintf("refs/pull/%d/head", t.number)] = p.headSHA
	t.updated = s.now()
	if r.net.graph.MergeBase(p.baseSHA, p.headSHA) == "" {
		p.testMerge = ""
		return
	}
	p.testMerge = s.mergeCommit(r, t, s.accounts[t.author], fmt.Sprintf("Merge %s into %s", p.headSHA, p.baseSHA)).SHA
}

// commits are what the pull request would bring: reachable from its head and not from
// the target.
func (p *pull) commits() []*forgetest.Commit {
	if p.frozen != nil {
		return p.frozen
	}
	return p.base.net.graph.Between(p.baseSHA, p.headSHA)
}

// synchronizePulls carries the open pull requests of a pushed branch to its new head,
// and dismisses approvals where the target's rule says so.
func (s *Server) synchronizePulls(r *repository, who *account, ref, before, sha string) {
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !isBranch {
		return
	}
	for _, base := range sorted(s.repositories) {
		for _, t := range sorted(base.threads) {
			if t.pull == nil || !t.open || t.pull.head != r || t.pull.source != branch {
				continue
			}
			if !r.net.graph.IsAncestor(t.pull.headSHA, r.peel(sha)) {
				s.addEvent(t.pull, eventForced, who)
			}
			t.pull.headSHA, t.pull.baseSHA = r.peel(sha), base.head("refs/heads/"+t.pull.target)
			s.touchPull(base, t)
			s.emit(base, "pull_request", "synchronize", who, obj{
				"number": t.number, "before": before, "after": sha, "pull_request": s.pullJSON(base, t),
			})
			s.dismissStale(base, t, who)
		}
	}
}

// mergeIndirectly marks pull requests merged whose head is on the target after a push
// (docs, "About pull request merges", indirect merges).
func (s *Server) mergeIndirectly(r *repository, who *account, ref string) {
	for _, t := range sorted(r.threads) {
		if t.pull == nil || !t.open || "refs/heads/"+t.pull.target != ref {
			continue
		}
		head := r.head(ref)
		if r.net.graph.IsAncestor(t.pull.headSHA, head) && !r.net.graph.IsAncestor(t.pull.headSHA, t.pull.baseSHA) {
			commits := t.pull.commits()
			s.finishMerge(r, t, who, head, commits)
		}
	}
}

// closePullsOf closes the open pull requests of a deleted branch.
func (s *Server) closePullsOf(r *repository, ref string, who *account) {
	for _, base := range sorted(s.repositories) {
		for _, t := range sorted(base.threads) {
			if t.pull != nil && t.open && t.pull.head == r && "refs/heads/"+t.pull.source == ref {
				t.pull.frozen, t.open, t.closed = t.pull.commits(), false, s.now()
				s.emit(base, "pull_request", "closed", who, obj{"number": t.number, "pull_request": s.pullJSON(base, t)})
			}
		}
	}
}

func (c *call) pull() *thread {
	t := c.repo.threads[c.number("pull_number")]
	if t == nil || t.pull == nil {
		return nil
	}
	return t
}

// listPulls filters by state (open unless told), head (OWNER:BRANCH) and base.
func listPulls(c *call) reply {
	state := c.query.Get("state")
	if state == "" {
		state = "open"
	}
	var all []*thread
	for _, t := range sorted(c.repo.threads) {
		if t.pull == nil || (state != "all" && state != t.state()) {
			continue
		}
		label := c.accounts[t.pull.head.owner].login + ":" + t.pull.source
		if head := c.query.Get("head"); head != "" && !strings.EqualFold(head, label) {
			continue
		}
		if base := c.query.Get("base"); base != "" && base != t.pull.target {
			continue
		}
		all = append([]*thread{t}, all...) // newest first
	}
	return paged(c, all, c.pullSimple)
}

// pullSimple is `components.schemas.pull-request-simple`.
func (c *call) pullSimple(t *thread) obj {
	out := c.pullJSON(c.repo, t)
	for _, name := range []string{
		"merged", "mergeable", "mergeable_state", "merged_by", "comments", "review_comments", "maintainer_can_modify",
		"commits", "additions", "deletions", "changed_files", "rebaseable",
	} {
		delete(out, name)
	}
	return out
}

func getPull(c *call) reply {
	t := c.pull()
	if t == nil {
		return notFound()
	}
	return ok(c.pullJSON(c.repo, t))
}

// pullCommits gives at most 250 (API description).
func pullCommits(c *call) reply {
	t := c.pull()
	if t == nil {
		return notFound()
	}
	all := t.pull.commits()
	return paged(c, all[:min(len(all), 250)], func(x *forgetest.Commit) obj { return c.commitJSON(c.repo, x) })
}

func pullFiles(c *call) reply {
	t := c.pull()
	if t == nil {
		return notFound()
	}
	files := c.files(c.repo, c.repo.net.graph.MergeBase(t.pull.baseSHA, t.pull.headSHA), t.pull.headSHA)
	return paged(c, files, func(o obj) obj { return o })
}

// commitPulls lists the merged pull request that brought a commit to the default
// branch; a commit that is not there: every open or merged one that holds it (API
// description).
func commitPulls(c *call) reply {
	commit := c.repo.resolve(c.params["commit_sha"])
	if commit == nil {
		return noCommit(c.params["commit_sha"])
	}
	return paged(c, c.repo.pullsWith(commit.SHA), c.pullSimple)
}

func (r *repository) pullsWith(sha string) []*thread {
	onDefault := r.net.graph.IsAncestor(sha, r.head("refs/heads/"+r.branch))
	var out []*thread
	for _, t := range sorted(r.threads) {
		if t.pull == nil || (!t.open && t.pull.merged.IsZero()) || (t.open && onDefault) {
			continue
		}
		if t.pull.introduced[sha] || containsCommit(t.pull.commits(), sha) {
			out = append(out, t)
		}
	}
	return out
}

func containsCommit(list []*forgetest.Commit, sha string) bool {
	for _, c := range list {
		if c.SHA == sha {
			return true
		}
	}
	return false
}

// pullJSON is `components.schemas.pull-request`. Before the merge merge_commit_sha is
// the test merge; after it, the merge, the squash or the rebased head.
func (s *Server) pullJSON(r *repository, t *thread) obj {
	p := t.pull
	self, page, issue := s.repoAPI(r, "/pulls/%d", t.number), s.repoWeb(r, "/pull/%d", t.number), s.repoAPI(r, "/issues/%d", t.number)
	statuses := s.repoAPI(r, "/statuses/%s", p.headSHA)
	var mergedBy any
	if p.mergedBy != 0 {
		mergedBy = s.userOrNull(s.accounts[p.mergedBy])
	}
	assignee, assignees := s.assigneesJSON(t)
	commits := p.commits()
	files := len(r.net.graph.Changed(r.net.graph.MergeBase(p.baseSHA, p.headSHA), p.headSHA))
	return obj{
		"id": t.id, "node_id": nodeID("PR", t.id), "url": self, "html_url": page, "diff_url": page + ".diff",
		"patch_url": page + ".patch", "issue_url": issue, "commits_url": self + "/commits",
		"review_comments_url": self + "/comments", "review_comment_url": s.repoAPI(r, "/pulls/comments{/number}"),
		"comments_url": issue + "/comments", "statuses_url": statuses, "number": t.number, "state": t.state(),
		"locked": false, "active_lock_reason": nil, "title": t.title, "user": s.userJSON(s.accounts[t.author]), "body": t.body,
		"labels": []obj{}, "milestone": nil, "assignee": assignee, "assignees": assignees, "requested_reviewers": []obj{},
		"requested_teams": []obj{}, "draft": false, "created_at": stamp(t.created), "updated_at": stamp(t.updated),
		"closed_at": stampOrNull(t.closed), "merged_at": stampOrNull(p.merged), "merge_commit_sha": p.mergeCommitSHA(),
		"head": s.side(p.head, p.source, p.headSHA), "base": s.side(r, p.target, p.baseSHA),
		"author_association": s.association(r, t.author), "auto_merge": nil, "merged": !p.merged.IsZero(),
		"mergeable": s.mergeable(t), "mergeable_state": "clean", "rebaseable": s.mergeable(t), "merged_by": mergedBy,
		"comments": len(r.commentsOf(t.number)), "review_comments": 0, "maintainer_can_modify": false,
		"commits": len(commits), "additions": files, "deletions": 0, "changed_files": files,
		"_links": obj{
			"self": href(self), "html": href(page), "issue": href(issue), "comments": href(issue + "/comments"),
			"review_comments": href(self + "/comments"), "review_comment": href(s.repoAPI(r, "/pulls/comments{/number}")),
			"commits": href(self + "/commits"), "statuses": href(statuses),
		},
	}
}

func href(u string) obj { return obj{"href": u} }

func (p *pull) mergeCommitSHA() any {
	switch {
	case p.mergeSHA != "":
		return p.mergeSHA
	case p.testMerge != "":
		return p.testMerge
	}
	return nil
}

// mergeable is true while open with a common ancestor, and null once closed.
func (s *Server) mergeable(t *thread) any {
	if !t.open {
		return nil
	}
	return t.pull.testMerge != ""
}

// side is head or base; repo is null where a fork was deleted (npm
// @octokit/webhooks-examples has such heads; the API description does not say so).
func (s *Server) side(r *repository, branch, sha string) obj {
	owner := s.accounts[r.owner]
	out := obj{
		"label": owner.login + ":" + branch, "ref": branch, "sha": sha, "user": s.userJSON(owner), "repo": s.repositoryJSON(r),
	}
	if s.repositories[r.id] == nil {
		out["repo"] = nil
	}
	return out
}
