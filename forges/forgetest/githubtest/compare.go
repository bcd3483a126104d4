package githubtest

import (
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// comparison is base...head within one network.
type comparison struct {
	base, head, mergeBase *forgetest.Commit
	ahead, behind         []*forgetest.Commit
}

func (r *repository) compare(base, head *forgetest.Commit) (comparison, bool) {
	mergeBase := r.net.graph.Get(r.net.graph.MergeBase(base.SHA, head.SHA))
	if mergeBase == nil {
		return comparison{}, false
	}
	return comparison{
		base: base, head: head, mergeBase: mergeBase,
		ahead: r.net.graph.Between(base.SHA, head.SHA), behind: r.net.graph.Between(head.SHA, base.SHA),
	}, true
}

func (x comparison) status() string {
	switch {
	case len(x.ahead) > 0 && len(x.behind) > 0:
		return "diverged"
	case len(x.ahead) > 0:
		return "ahead"
	case len(x.behind) > 0:
		return "behind"
	}
	return "identical"
}

// compare answers GET compare/{base}...{head}, commits in chronological order. Without
// paging parameters the last 250 commits come; with them, pages, and files only on
// the first (API description of "Compare two commits").
func compare(c *call) reply {
	baseName, headName, dots := strings.Cut(c.params["basehead"], "...")
	base, head := c.repo.side(c.Server, baseName), c.repo.side(c.Server, headName)
	if !dots || base == nil || head == nil {
		return notFound()
	}
	x, related := c.repo.compare(base, head)
	if !related {
		return problem(404, "No common ancestor between "+baseName+" and "+headName+".")
	}
	shape := func(commit *forgetest.Commit) obj { return c.commitJSON(c.repo, commit) }
	var rep reply
	if c.query.Has("per_page") || c.query.Has("page") {
		rep = paged(c, x.ahead, shape)
	} else {
		list := []obj{}
		for _, commit := range x.ahead[max(len(x.ahead)-250, 0):] {
			list = append(list, shape(commit))
		}
		rep = ok(list)
	}
	self := c.repoAPI(c.repo, "/compare/%s...%s", base.SHA, head.SHA)
	page := c.repoWeb(c.repo, "/compare/%s...%s", base.SHA, head.SHA)
	out := obj{
		"url": self, "html_url": page, "permalink_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		"base_commit": shape(base), "merge_base_commit": shape(x.mergeBase), "status": x.status(),
		"ahead_by": len(x.ahead), "behind_by": len(x.behind), "total_commits": len(x.ahead), "commits": rep.body,
	}
	if c.pageNumber() == 1 {
		out["files"] = c.files(c.repo, x.mergeBase.SHA, head.SHA)
	}
	rep.body = out
	return rep
}

// side resolves one side: REF, or OWNER:REF of the network.
func (r *repository) side(s *Server, name string) *forgetest.Commit {
	owner, ref, qualified := strings.Cut(name, ":")
	if !qualified {
		return r.resolve(name)
	}
	for _, repo := range s.repositories {
		if repo.net == r.net && strings.EqualFold(s.accounts[repo.owner].login, owner) {
			return repo.resolve(ref)
		}
	}
	return nil
}
