package probe

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func gitlabHistory() []Fact {
	return []Fact{
		{
			ID: "gitlab.pushes", Area: areaHistory, Needs: NeedsRead, check: gitlabPushes,
			Assumes: "The project's events tell who pushed what to which ref.", Used: "who pushed a change",
			Follows: "pushers stay unknown, and changes need somebody more to cover them, or wait",
		},
		{
			ID: "gitlab.bot-flag", Area: areaHistory, Needs: NeedsRead, check: gitlabBotFlag,
			Assumes: "Every account tells whether it is a bot.", Used: "who is a person and may approve",
			Follows: "nobody counts as a person, and no approval counts",
		},
		{
			ID: "gitlab.commit-author", Area: areaHistory, Needs: NeedsRead, Copes: true, check: gitlabCommitAuthor,
			Assumes: "GraphQL tells a commit's author by the commit (Repository.commit).", Used: "which account an address belongs to",
			Follows: "the gate asks for the tree's last commit, as older versions have it",
		},
		{
			ID: "gitlab.query-size", Area: areaHistory, Needs: NeedsRead, check: gitlabQuerySize,
			Assumes: "GraphQL answers for as many commits at once as the gate asks for (20), within its limit of complexity.",
			Used:    "which account an address belongs to", Follows: "authors stay unknown, and changes need somebody more to cover them, or wait",
		},
		{
			ID: "gitlab.tree-size", Area: areaHistory, Needs: NeedsRead, Copes: true, check: gitlabTreeSize,
			Assumes: "GraphQL answers for as many directories at once as the gate asks for (10).",
			Used:    "telling whether a merge added anything of its own", Follows: "merge commits are compared one by one: more calls",
		},
		{
			ID: "gitlab.unknown-revision", Area: areaHistory, Needs: NeedsRead, Copes: true, check: gitlabUnknownRevision,
			Assumes: "Commits of a revision that is not there are an empty list.", Used: "telling a range that is cut short",
			Follows: "GitLab answers 404 in its place, which the gate reads as unknown: as safe",
		},
		{
			ID: "gitlab.merge-versions", Area: areaHistory, Needs: NeedsRead, check: gitlabVersions,
			Assumes: "A merge request's diff versions are listed, the newest ending at its head.", Used: "whether a review saw the final head",
			Follows: "pushers and reviews of merge requests stay unknown, and releases wait",
		},
		{
			ID: "gitlab.merge-commits", Area: areaHistory, Needs: NeedsRead, check: gitlabMergeCommits,
			Assumes: "A merge request's commits are listed, its head among them.", Used: "the change set",
			Follows: "the change set stays unknown, and releases wait",
		},
		{
			ID: "gitlab.fast-forward", Area: areaHistory, Needs: NeedsRead, Copes: true, check: gitlabFastForward,
			Assumes: "A merge request merged by fast-forward names no merge commit.", Used: "finding what a merge made",
			Follows: "nothing: the gate takes the named commit for the head that it is",
		},
		{
			ID: "gitlab.pipeline-variables", Area: areaHistory, Needs: NeedsRead, check: gitlabVariables,
			Assumes: "The variables that a pipeline was started with can be listed.", Used: "refusing pipelines with variables of their own",
			Follows: "no job may ask: make the gate's account Maintainer",
		},
	}
}

func gitlabPushes(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var rows []struct {
		ID       int64 `json:"id"`
		AuthorID int64 `json:"author_id"`
		Data     *struct {
			Action  string  `json:"action"`
			RefType string  `json:"ref_type"`
			Ref     *string `json:"ref"`
			To      *string `json:"commit_to"`
		} `json:"push_data"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"action": {"pushed"}, "per_page": {"100"}}, s.project("events")...).read(&rows); !ok {
		return r
	}
	named := 0
	for _, p := range rows {
		if p.ID <= 0 || p.AuthorID <= 0 || p.Data == nil || p.Data.RefType == "" || p.Data.Action == "" {
			return fails("a push does not tell who pushed to what kind of ref")
		}
		if p.Data.Ref != nil && p.Data.To != nil {
			named++
		}
	}
	switch {
	case len(rows) == 0:
		return untold("nobody pushed to the project: push to find out")
	case named == 0:
		return fails("no push names its ref and its commit")
	}
	return holds("%d of %d name ref and commit", named, len(rows))
}

func gitlabBotFlag(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var all []memberJSON
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("members", "all")...).read(&all); !ok {
		return r
	}
	people := slices.DeleteFunc(all, func(m memberJSON) bool { return m.ID == s.self.ID })
	if len(people) == 0 {
		return untold("the project has no member but the gate: add somebody to find out")
	}
	// All of them, as the gate asks: which accounts it knows from elsewhere differs from
	// reading to reading, and a transcript should have each.
	for _, m := range people[:min(len(people), 60)] {
		var u struct {
			account
			State string `json:"state"`
		}
		if r, ok := s.repo.get(ctx, nil, "users", strconv.FormatInt(m.ID, 10)).read(&u); !ok {
			return r
		}
		if u.ID != m.ID || u.Bot == nil || u.State == "" {
			return fails("an account lacks its number, its state, or whether it is a bot")
		}
	}
	return holds("told")
}

func gitlabCommitAuthor(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	var data struct {
		Project *struct {
			Repository *struct {
				Commit *struct {
					SHA   string  `json:"sha"`
					Email *string `json:"authorEmail"`
				} `json:"commit"`
			} `json:"repository"`
		} `json:"project"`
	}
	const question = `query Author($path: ID!, $ref: String!) {
  project(fullPath: $path) { repository { commit(ref: $ref) { sha authorEmail author { id username bot } } } }
}`
	if r, ok := s.repo.query(ctx, question, map[string]any{"path": s.Repository, "ref": s.head}).data(&data); !ok {
		return r
	}
	p := data.Project
	if p == nil || p.Repository == nil || p.Repository.Commit == nil || p.Repository.Commit.SHA != s.head || p.Repository.Commit.Email == nil {
		return fails("GraphQL does not know the commit, or its author's address")
	}
	s.byCommit = true
	return holds("the commit itself")
}

// many asks GraphQL n times for the same under different names, as the gate asks for
// different things.
func (s *session) many(ctx context.Context, n int, selection string) result {
	var q strings.Builder
	q.WriteString("query Many($path: ID!) { project(fullPath: $path) { id repository {")
	for i := range n {
		fmt.Fprintf(&q, " c%d: %s", i, selection)
	}
	q.WriteString(" } } }")
	var data struct {
		Project *struct {
			Repository map[string]any `json:"repository"`
		} `json:"project"`
	}
	if r, ok := s.repo.query(ctx, q.String(), map[string]any{"path": s.Repository}).data(&data); !ok {
		return r
	}
	if data.Project == nil || len(data.Project.Repository) != n {
		return fails("GraphQL answered in part")
	}
	return holds("%d at once", n)
}

func gitlabQuerySize(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	if !s.byCommit {
		return untold("GraphQL does not tell a commit by itself: the gate asks otherwise")
	}
	return s.many(ctx, 20, fmt.Sprintf("commit(ref: %q) { sha authorEmail author { id username bot } }", s.head))
}

func gitlabTreeSize(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	if !s.modes {
		return untold("GraphQL does not tell the mode of files: the gate asks otherwise")
	}
	const listing = " { trees(first: 100) { nodes { name sha } pageInfo { hasNextPage } } submodules(first: 100) { nodes { name sha } pageInfo { hasNextPage } }" +
		" blobs(first: 100) { nodes { name sha mode } pageInfo { hasNextPage } } }"
	return s.many(ctx, 10, fmt.Sprintf("tree(ref: %q)", s.head)+listing)
}

func gitlabUnknownRevision(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	const nowhere = "00000000000000000000000000000000000000ff"
	var rows []struct{}
	a := s.repo.get(ctx, url.Values{"ref_name": {nowhere}, "per_page": {"1"}}, s.project("repository", "commits")...)
	if r, ok := a.read(&rows); !ok {
		return r
	}
	if len(rows) > 0 {
		return fails("%d commits of a revision that is not there", len(rows))
	}
	return holds("an empty list")
}

type mergeJSON struct {
	IID          int64   `json:"iid"`
	SHA          string  `json:"sha"`
	MergeCommit  *string `json:"merge_commit_sha"`
	SquashCommit *string `json:"squash_commit_sha"`
}

func (s *session) merges(ctx context.Context) ([]mergeJSON, result, bool) {
	var all []mergeJSON
	q := url.Values{"state": {"merged"}, "per_page": {"20"}}
	r, ok := s.repo.get(ctx, q, s.project("merge_requests")...).read(&all)
	if ok && len(all) == 0 {
		return nil, untold("no merge request was merged: merge one to find out"), false
	}
	return all, r, ok
}

func gitlabVersions(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.merges(ctx)
	if !ok {
		return r
	}
	var rows []struct {
		ID   int64  `json:"id"`
		Head string `json:"head_commit_sha"`
		Base string `json:"base_commit_sha"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("merge_requests", strconv.FormatInt(all[0].IID, 10), "versions")...).read(&rows); !ok {
		return r
	}
	newest := int64(0)
	head := ""
	for _, v := range rows {
		if v.ID > newest {
			newest, head = v.ID, v.Head
		}
	}
	if head != all[0].SHA {
		return fails("the newest version does not end at the merge request's head")
	}
	return holds("%d versions", len(rows))
}

func gitlabMergeCommits(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.merges(ctx)
	if !ok {
		return r
	}
	var rows []struct {
		ID string `json:"id"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("merge_requests", strconv.FormatInt(all[0].IID, 10), "commits")...).read(&rows); !ok {
		return r
	}
	for _, c := range rows {
		if c.ID == all[0].SHA {
			return holds("%d commits", len(rows))
		}
	}
	return fails("the head is not among the %d commits", len(rows))
}

func gitlabFastForward(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.merges(ctx)
	if !ok {
		return r
	}
	for _, m := range all {
		switch {
		case m.MergeCommit == nil && m.SquashCommit == nil:
			return holds("none named")
		case m.MergeCommit != nil && *m.MergeCommit == m.SHA:
			return fails("the head itself is named as merge commit")
		}
	}
	return untold("no merge request was merged by fast-forward: merge one to find out")
}

func gitlabVariables(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var pipelines []struct {
		ID int64 `json:"id"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"1"}}, s.project("pipelines")...).read(&pipelines); !ok {
		return r
	}
	if len(pipelines) == 0 {
		return untold("the project has no pipeline: start one to find out")
	}
	var rows []struct{}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.project("pipelines", strconv.FormatInt(pipelines[0].ID, 10), "variables")...).read(&rows); !ok {
		return r
	}
	return holds("%d variables", len(rows))
}
