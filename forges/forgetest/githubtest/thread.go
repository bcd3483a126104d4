package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// thread is an issue, or, with pull set, a pull request: both share their numbers.
type thread struct {
	id, number       int64
	title, body      string
	author           int64
	open             bool
	created, updated time.Time
	closed           time.Time
	pull             *pull
	assignees        []int64
}

// OpenIssue opens a plain issue as by.
func (s *Server) OpenIssue(repo forgetest.Repository, by forgetest.Person, title, body string) forgetest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	t := s.openIssue(r, s.who(by), title, body)
	return forgetest.Change{Repository: s.reference(r), Number: t.number, Issue: true}
}

func (s *Server) openIssue(r *repository, by *account, title, body string) *thread {
	t := s.newThread(r, "issue", by, title, body)
	s.emit(r, "issues", "opened", by, obj{"issue": s.issueJSON(r, t)})
	return t
}

func (s *Server) newThread(r *repository, kind string, by *account, title, body string) *thread {
	r.lastThread++
	t := &thread{
		id: s.next(kind), number: r.lastThread, title: title, body: body, author: by.id, open: true,
		created: s.now(), updated: s.now(),
	}
	r.threads[t.number] = t
	return t
}

// thread returns the state behind a neutral change.
func (s *Server) thread(c forgetest.Change) (*repository, *thread) {
	r := s.repository(c.Repository)
	t := r.threads[c.Number]
	if t == nil {
		panic(fmt.Sprintf("use #%d of %q: expected an issue or pull request that exists", c.Number, c.Repository.FullName))
	}
	return r, t
}

func (t *thread) state() string {
	if t.open {
		return "open"
	}
	return "closed"
}

func createIssue(c *call) reply {
	var ask struct {
		Title string `json:"title"`
		Body  string `json:"body"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	if strings.TrimSpace(ask.Title) == "" {
		return invalid("Issue", "title", "missing_field", "title is required")
	}
	t := c.openIssue(c.repo, c.bot(), ask.Title, ask.Body)
	return created(c.issueJSON(c.repo, t))
}

// listIssues lists issues and, as GitHub does, pull requests among them: state (open
// unless told), creator, since; newest first unless sort and direction say otherwise.
func listIssues(c *call) reply {
	state, creator := c.query.Get("state"), c.query.Get("creator")
	if state == "" {
		state = "open"
	}
	since, err := time.Parse(time.RFC3339, c.query.Get("since"))
	if err != nil && c.query.Get("since") != "" {
		return invalid("Issue", "since", "invalid", "since is not a time")
	}
	all := slices.DeleteFunc(sorted(c.repo.threads), func(t *thread) bool {
		return (state != "all" && state != t.state()) || t.updated.Before(since) ||
			(creator != "" && !strings.EqualFold(creator, c.accounts[t.author].login)) || c.query.Get("labels") != ""
	})
	if c.query.Get("sort") == "updated" {
		slices.SortStableFunc(all, func(a, b *thread) int { return a.updated.Compare(b.updated) })
	}
	if c.query.Get("direction") != "asc" {
		slices.Reverse(all)
	}
	return paged(c, all, func(t *thread) obj { return c.issueJSON(c.repo, t) })
}

func getIssue(c *call) reply {
	t := c.repo.threads[c.number("issue_number")]
	if t == nil {
		return notFound()
	}
	return ok(c.issueJSON(c.repo, t))
}

// issueJSON is `components.schemas.issue`; a pull request is an issue with a link.
func (s *Server) issueJSON(r *repository, t *thread) obj {
	self, page := s.repoAPI(r, "/issues/%d", t.number), s.repoWeb(r, "/issues/%d", t.number)
	if t.pull != nil {
		page = s.repoWeb(r, "/pull/%d", t.number)
	}
	assignee, assignees := s.assigneesJSON(t)
	var app any
	if t.author == s.bot().id {
		app = s.appJSON()
	}
	out := obj{
		"id": t.id, "node_id": nodeID("I", t.id), "url": self, "repository_url": s.repoAPI(r, ""),
		"labels_url": self + "/labels{/name}", "comments_url": self + "/comments", "events_url": self + "/events",
		"timeline_url": self + "/timeline", "html_url": page, "number": t.number, "state": t.state(), "state_reason": nil,
		"title": t.title, "body": t.body, "user": s.userOrNull(s.accounts[t.author]), "labels": []obj{}, "assignee": assignee,
		"assignees": assignees, "milestone": nil, "locked": false, "active_lock_reason": nil,
		"comments": len(r.commentsOf(t.number)), "author_association": s.association(r, t.author),
		"created_at": stamp(t.created), "updated_at": stamp(t.updated), "closed_at": stampOrNull(t.closed),
		"performed_via_github_app": app, "reactions": s.rollup(self, nil),
	}
	if t.pull != nil {
		api := s.repoAPI(r, "/pulls/%d", t.number)
		out["draft"] = false
		out["pull_request"] = obj{
			"url": api, "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
			"merged_at": stampOrNull(t.pull.merged),
		}
	}
	return out
}

// association is author_association: what GitHub makes of the author's role, which is
// no statement about permission.
func (s *Server) association(r *repository, author int64) string {
	g, has := r.roles[author]
	switch {
	case author == r.owner:
		return "OWNER"
	case has && g.role >= forgetest.RoleWrite:
		return "MEMBER"
	case has:
		return "COLLABORATOR"
	}
	return "NONE"
}
