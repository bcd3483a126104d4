package githubtest

import (
	"math"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// What GraphQL objects of threads are made of.
type (
	threadNode struct {
		repo *repository
		*thread
	}
	talk struct {
		repo *repository
		*comment
	}
	verdict struct {
		threadNode
		review *review
	}
	pullCommit struct {
		threadNode
		commit *forgetest.Commit
	}
	pushed struct {
		repo *repository
		*activity
		runs []*checkRun
	}
)

func thread2node(r *repository, t *thread) node {
	if t.pull != nil {
		return node{"PullRequest", threadNode{r, t}}
	}
	return node{"Issue", threadNode{r, t}}
}

func pullFields() map[string]resolver {
	out := map[string]resolver{}
	for name, f := range threadFields() {
		g := func(c *call, of any, args map[string]any) any { return f(c, of.(threadNode), args) }
		out["PullRequest."+name], out["Issue."+name] = g, g
	}
	for name, f := range onlyPullFields() {
		out["PullRequest."+name] = func(c *call, of any, args map[string]any) any { return f(c, of.(threadNode), args) }
	}
	for name, f := range reviewFields() {
		out["PullRequestReview."+name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(verdict)) }
	}
	out["PullRequestCommit.id"] = func(_ *call, of any, _ map[string]any) any { return "PURC_" + of.(pullCommit).commit.SHA }
	out["PullRequestCommit.commit"] = func(_ *call, of any, _ map[string]any) any {
		return of.(pullCommit).repo.commitNode(of.(pullCommit).commit)
	}
	out["PullRequestCommit.pullRequest"] = func(_ *call, of any, _ map[string]any) any {
		return node{"PullRequest", of.(pullCommit).threadNode}
	}
	out["PullRequestCommit.url"] = func(c *call, of any, _ map[string]any) any {
		x := of.(pullCommit)
		return c.repoWeb(x.repo, "/pull/%d/commits/%s", x.number, x.commit.SHA)
	}
	return out
}

// threadFields are those that pull requests and issues share.
func threadFields() map[string]func(*call, threadNode, map[string]any) any {
	plain := func(f func(c *call, x threadNode) any) func(*call, threadNode, map[string]any) any {
		return func(c *call, x threadNode, _ map[string]any) any { return f(c, x) }
	}
	return map[string]func(*call, threadNode, map[string]any) any{
		"id": plain(func(_ *call, x threadNode) any {
			if x.pull != nil {
				return nodeID("PR", x.id)
			}
			return nodeID("I", x.id)
		}),
		"databaseId":      plain(func(_ *call, x threadNode) any { return int32OrNull(x.id) }),
		"number":          plain(func(_ *call, x threadNode) any { return x.number }),
		"title":           plain(func(_ *call, x threadNode) any { return x.title }),
		"body":            plain(func(_ *call, x threadNode) any { return x.body }),
		"state":           plain(func(_ *call, x threadNode) any { return x.graphState() }),
		"closed":          plain(func(_ *call, x threadNode) any { return !x.open }),
		"closedAt":        plain(func(_ *call, x threadNode) any { return stampOrNull(x.closed) }),
		"author":          plain(func(c *call, x threadNode) any { return actor(c, c.accounts[x.author]) }),
		"createdAt":       plain(func(_ *call, x threadNode) any { return stamp(x.created) }),
		"updatedAt":       plain(func(_ *call, x threadNode) any { return stamp(x.updated) }),
		"url":             plain(func(c *call, x threadNode) any { return c.issueJSON(x.repo, x.thread)["html_url"] }),
		"repository":      plain(func(_ *call, x threadNode) any { return node{"Repository", x.repo} }),
		"createdViaEmail": plain(func(*call, threadNode) any { return false }),
		"editor":          plain(func(*call, threadNode) any { return nil }),
		"lastEditedAt":    plain(func(*call, threadNode) any { return nil }),
		"comments": func(_ *call, x threadNode, args map[string]any) any {
			var all []any
			for _, y := range x.repo.commentsOf(x.number) {
				all = append(all, node{"IssueComment", talk{x.repo, y}})
			}
			return connect("IssueCommentConnection", "comments", all, args)
		},
	}
}

func (x threadNode) graphState() string {
	switch {
	case x.open:
		return "OPEN"
	case x.pull != nil && !x.pull.merged.IsZero():
		return "MERGED"
	}
	return "CLOSED"
}

func onlyPullFields() map[string]func(*call, threadNode, map[string]any) any {
	plain := func(f func(c *call, x threadNode) any) func(*call, threadNode, map[string]any) any {
		return func(c *call, x threadNode, _ map[string]any) any { return f(c, x) }
	}
	return map[string]func(*call, threadNode, map[string]any) any{
		"baseRefName":    plain(func(_ *call, x threadNode) any { return x.pull.target }),
		"baseRepository": plain(func(_ *call, x threadNode) any { return node{"Repository", x.repo} }),
		"changedFiles": plain(func(_ *call, x threadNode) any {
			graph := x.repo.net.graph
			return len(graph.Changed(graph.MergeBase(x.pull.baseSHA, x.pull.headSHA), x.pull.headSHA))
		}),
		"baseRefOid":        plain(func(_ *call, x threadNode) any { return x.pull.baseSHA }),
		"headRefName":       plain(func(_ *call, x threadNode) any { return x.pull.source }),
		"headRefOid":        plain(func(_ *call, x threadNode) any { return x.pull.headSHA }),
		"isCrossRepository": plain(func(_ *call, x threadNode) any { return x.pull.head != x.repo }),
		"headRepository": plain(func(c *call, x threadNode) any {
			if c.repositories[x.pull.head.id] == nil {
				return nil
			}
			return node{"Repository", x.pull.head}
		}),
		"merged":   plain(func(_ *call, x threadNode) any { return !x.pull.merged.IsZero() }),
		"mergedAt": plain(func(_ *call, x threadNode) any { return stampOrNull(x.pull.merged) }),
		"mergedBy": plain(func(c *call, x threadNode) any { return actor(c, c.accounts[x.pull.mergedBy]) }),
		// mergeCommit is null until the merge: the test merge is potentialMergeCommit.
		"mergeCommit": plain(func(_ *call, x threadNode) any { return x.repo.commitNode(x.repo.net.graph.Get(x.pull.mergeSHA)) }),
		"commits": func(_ *call, x threadNode, args map[string]any) any {
			var all []any
			for _, y := range x.pull.commits() {
				all = append(all, node{"PullRequestCommit", pullCommit{x, y}})
			}
			return connect("PullRequestCommitConnection", "commits", all, args)
		},
		"reviews": pullReviewNodes,
	}
}

func pullReviewNodes(c *call, x threadNode, args map[string]any) any {
	states, _ := args["states"].([]any)
	by, _ := args["author"].(string)
	var all []any
	for _, y := range x.pull.reviews {
		if len(states) > 0 && !slices.Contains(states, any(y.state)) {
			continue
		}
		if by != "" && c.accounts[y.author].login != by {
			continue
		}
		all = append(all, node{"PullRequestReview", verdict{x, y}})
	}
	return connect("PullRequestReviewConnection", "reviews", all, args)
}

func reviewFields() map[string]func(*call, verdict) any {
	when := func(_ *call, x verdict) any { return stamp(x.review.when) }
	return map[string]func(*call, verdict) any{
		"id":              func(_ *call, x verdict) any { return nodeID("PRR", x.review.id) },
		"databaseId":      func(_ *call, x verdict) any { return int32OrNull(x.review.id) },
		"fullDatabaseId":  func(_ *call, x verdict) any { return text(x.review.id) },
		"author":          func(c *call, x verdict) any { return actor(c, c.accounts[x.review.author]) },
		"state":           func(_ *call, x verdict) any { return x.review.state },
		"commit":          func(_ *call, x verdict) any { return x.repo.commitNode(x.repo.net.graph.Get(x.review.commit)) },
		"submittedAt":     when,
		"createdAt":       when,
		"updatedAt":       when,
		"body":            func(*call, verdict) any { return "" },
		"createdViaEmail": func(*call, verdict) any { return false },
		"editor":          func(*call, verdict) any { return nil },
		"lastEditedAt":    func(*call, verdict) any { return nil },
		"url":             func(c *call, x verdict) any { return c.reviewJSON(x.repo, x.thread, x.review)["html_url"] },
	}
}

// int32OrNull is a GraphQL Int, which has 32 bits: what does not fit is in fullDatabaseId.
func int32OrNull(id int64) any {
	if id > math.MaxInt32 {
		return nil
	}
	return id
}

// talkFields are those of comments and of check suites with their pushes.
func talkFields() map[string]resolver {
	out := map[string]resolver{}
	for name, f := range commentFields() {
		out["IssueComment."+name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(talk)) }
	}
	for name, f := range map[string]func(*call, pushed) any{
		"CheckSuite.id":         func(_ *call, x pushed) any { return nodeID("CS", x.id) },
		"CheckSuite.databaseId": func(_ *call, x pushed) any { return x.id },
		"CheckSuite.push": func(_ *call, x pushed) any {
			if x.actor == 0 { // an App's own suite
				return nil
			}
			return node{"Push", x}
		},
		"CheckSuite.commit": func(_ *call, x pushed) any { return x.repo.commitNode(x.repo.net.graph.Get(x.after)) },
		"Push.id":           func(_ *call, x pushed) any { return nodeID("PSH", x.id) },
		"Push.nextSha":      func(_ *call, x pushed) any { return x.after },
		"Push.previousSha":  func(_ *call, x pushed) any { return x.before },
		"Push.pusher":       func(c *call, x pushed) any { return actor(c, c.accounts[x.actor]) },
	} {
		out[name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(pushed)) }
	}
	out["CheckSuite.checkRuns"] = func(_ *call, of any, args map[string]any) any {
		var all []any
		for _, x := range of.(pushed).runs {
			all = append(all, node{"CheckRun", x})
		}
		return connect("CheckRunConnection", "checkRuns", all, args)
	}
	out["CheckRun.externalId"] = func(_ *call, of any, _ map[string]any) any { return of.(*checkRun).externalID }
	out["CheckRun.id"] = func(_ *call, of any, _ map[string]any) any { return nodeID("CR", of.(*checkRun).id) }
	out["CheckRun.name"] = func(_ *call, of any, _ map[string]any) any { return of.(*checkRun).name }
	return out
}

func commentFields() map[string]func(*call, talk) any {
	return map[string]func(*call, talk) any{
		"id":                  func(_ *call, x talk) any { return nodeID("IC", x.id) },
		"databaseId":          func(_ *call, x talk) any { return int32OrNull(x.id) },
		"fullDatabaseId":      func(_ *call, x talk) any { return text(x.id) },
		"author":              func(c *call, x talk) any { return actor(c, c.accounts[x.author]) },
		"body":                func(_ *call, x talk) any { return x.body },
		"createdAt":           func(_ *call, x talk) any { return stamp(x.created) },
		"publishedAt":         func(_ *call, x talk) any { return stamp(x.created) },
		"updatedAt":           func(_ *call, x talk) any { return stamp(x.updated) },
		"createdViaEmail":     func(_ *call, x talk) any { return x.viaEmail },
		"editor":              func(c *call, x talk) any { return actor(c, c.accounts[x.editor]) },
		"lastEditedAt":        func(_ *call, x talk) any { return stampOrNull(x.lastEdited) },
		"includesCreatedEdit": func(_ *call, x talk) any { return x.lastEdited != time.Time{} },
		"isMinimized":         func(_ *call, x talk) any { return x.minimized != "" },
		"minimizedReason":     func(_ *call, x talk) any { return orNull(x.minimized) },
		"url":                 func(c *call, x talk) any { return c.commentJSON(x.repo, x.comment)["html_url"] },
		"repository":          func(_ *call, x talk) any { return node{"Repository", x.repo} },
		"issue":               func(_ *call, x talk) any { return node{"Issue", threadNode{x.repo, x.repo.threads[x.number]}} },
		"pullRequest": func(_ *call, x talk) any {
			t := x.repo.threads[x.number]
			if t.pull == nil {
				return nil
			}
			return thread2node(x.repo, t)
		},
	}
}

// listFields are those of every connection and of its page information.
func listFields() map[string]resolver {
	out := map[string]resolver{}
	for _, kind := range []string{
		"CheckRunConnection", "CheckSuiteConnection", "CommitConnection", "CommitHistoryConnection", "GitActorConnection", "IssueCommentConnection",
		"PullRequestCommitConnection", "PullRequestConnection", "PullRequestReviewConnection", "RepositoryCollaboratorConnection",
		"UserConnection", "PullRequestTimelineItemsConnection", "BypassForcePushAllowanceConnection",
		"BypassPullRequestAllowanceConnection", "PushAllowanceConnection", "RepositoryRuleConnection",
		"RepositoryRulesetBypassActorConnection",
	} {
		out[kind+".nodes"] = func(_ *call, of any, _ map[string]any) any { return of.(connection).nodes }
		out[kind+".totalCount"] = func(_ *call, of any, _ map[string]any) any { return of.(connection).total }
		out[kind+".pageInfo"] = func(_ *call, of any, _ map[string]any) any { return node{"PageInfo", of} }
	}
	for name, f := range map[string]func(connection) any{
		"hasNextPage":     func(x connection) any { return x.from+len(x.nodes) < x.total },
		"hasPreviousPage": func(x connection) any { return x.from > 0 },
		"startCursor":     func(x connection) any { return x.cursor(x.from) },
		"endCursor":       func(x connection) any { return x.cursor(x.from + len(x.nodes) - 1) },
	} {
		out["PageInfo."+name] = func(_ *call, of any, _ map[string]any) any { return f(of.(connection)) }
	}
	return out
}

// cursor is null for an empty page.
func (x connection) cursor(position int) any {
	if len(x.nodes) == 0 {
		return nil
	}
	return cursorOf(position)
}
