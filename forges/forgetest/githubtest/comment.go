package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// comment is one issue comment; pull requests share them. editor and lastEdited are
// GraphQL's; GitHub changes updated_at for more than edits.
type comment struct {
	id, number, author int64
	body               string
	created, updated   time.Time
	editor             int64
	lastEdited         time.Time
	viaApp, viaEmail   bool
	minimized          string // the reason, "" where it is not
	reactions          []*reaction
}

// AddComment comments on a thread as by.
func (s *Server) AddComment(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	return s.comment(c, by, comment{body: body})
}

// AddCommentByEmail comments by answering a notification mail.
func (s *Server) AddCommentByEmail(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	return s.comment(c, by, comment{body: body, viaEmail: true})
}

// AddCommentByApp comments as a person through an App acting for them: user is the
// person, performed_via_github_app is set.
func (s *Server) AddCommentByApp(c forgetest.Change, by forgetest.Person, body string) forgetest.Comment {
	return s.comment(c, by, comment{body: body, viaApp: true})
}

func (s *Server) comment(change forgetest.Change, by forgetest.Person, c comment) forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, t := s.thread(change)
	c.author = s.who(by).id
	return s.neutralComment(r, s.addComment(r, t, &c))
}

func (s *Server) addComment(r *repository, t *thread, c *comment) *comment {
	c.id, c.number, c.created, c.updated = s.next("comment"), t.number, s.now(), s.now()
	r.comments[c.id] = c
	t.updated = s.now()
	s.emitComment(r, "created", c, s.accounts[c.author], nil)
	return c
}

// EditComment changes a comment's body as by, who need not be its author.
func (s *Server) EditComment(c forgetest.Comment, by forgetest.Person, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(c.Change.Repository)
	s.editComment(r, s.commentOf(r, c), s.who(by), body)
}

func (s *Server) editComment(r *repository, c *comment, by *account, body string) {
	from := c.body
	c.body, c.updated, c.lastEdited, c.editor = body, s.now(), s.now(), by.id
	s.emitComment(r, "edited", c, by, obj{"body": obj{"from": from}})
}

// DeleteComment removes a comment.
func (s *Server) DeleteComment(c forgetest.Comment, by forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(c.Change.Repository)
	s.removeComment(r, s.commentOf(r, c), s.who(by))
}

func (s *Server) removeComment(r *repository, c *comment, by *account) {
	s.emitComment(r, "deleted", c, by, nil)
	delete(r.comments, c.id)
}

// MinimizeComment hides a comment as "OUTDATED", "SPAM" and so on; GitHub sends nothing.
func (s *Server) MinimizeComment(c forgetest.Comment, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commentOf(s.repository(c.Change.Repository), c).minimized = reason
}

func (s *Server) commentOf(r *repository, c forgetest.Comment) *comment {
	out := r.comments[c.ID]
	if out == nil {
		panic(fmt.Sprintf("use comment %d of %q: expected one that exists", c.ID, s.fullName(r)))
	}
	return out
}

// Comments are the comments of a thread, oldest first, minimised ones too.
func (s *Server) Comments(change forgetest.Change) []forgetest.Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, t := s.thread(change)
	var out []forgetest.Comment
	for _, c := range r.commentsOf(t.number) {
		out = append(out, s.neutralComment(r, c))
	}
	return out
}

func (s *Server) neutralComment(r *repository, c *comment) forgetest.Comment {
	t := r.threads[c.number]
	return forgetest.Comment{
		Change: forgetest.Change{Repository: s.reference(r), Number: c.number, Issue: t.pull == nil},
		ID:     c.id, Author: s.person(s.accounts[c.author]), Body: c.body, Created: c.created, Updated: c.updated,
	}
}

func (r *repository) commentsOf(number int64) []*comment {
	return slices.DeleteFunc(sorted(r.comments), func(c *comment) bool { return c.number != number })
}

func (s *Server) emitComment(r *repository, action string, c *comment, by *account, changes obj) {
	payload := obj{"issue": s.issueJSON(r, r.threads[c.number]), "comment": s.commentJSON(r, c)}
	if changes != nil {
		payload["changes"] = changes
	}
	s.emit(r, "issue_comment", action, by, payload)
}

func listComments(c *call) reply {
	t := c.repo.threads[c.number("issue_number")]
	if t == nil {
		return notFound()
	}
	all := c.repo.commentsOf(t.number)
	if since, err := time.Parse(time.RFC3339, c.query.Get("since")); err == nil {
		all = slices.DeleteFunc(all, func(x *comment) bool { return x.updated.Before(since) })
	}
	return paged(c, all, func(x *comment) obj { return c.commentJSON(c.repo, x) })
}

func createComment(c *call) reply {
	t := c.repo.threads[c.number("issue_number")]
	if t == nil {
		return notFound()
	}
	body, rep, valid := c.commentBody()
	if !valid {
		return rep
	}
	x := c.addComment(c.repo, t, &comment{author: c.bot().id, body: body, viaApp: true})
	return created(c.commentJSON(c.repo, x))
}

// commentBody reads and bounds the body: 65,536 characters.
func (c *call) commentBody() (string, reply, bool) {
	var ask struct {
		Body string `json:"body"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return "", rep, false
	}
	switch {
	case strings.TrimSpace(ask.Body) == "":
		return "", invalid("IssueComment", "data", "unprocessable", "Body cannot be blank"), false
	case len([]rune(ask.Body)) > 65536:
		return "", invalid("IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)"), false
	}
	return ask.Body, reply{}, true
}

func getComment(c *call) reply {
	x := c.repo.comments[c.number("comment_id")]
	if x == nil {
		return notFound()
	}
	return ok(c.commentJSON(c.repo, x))
}

func updateComment(c *call) reply {
	x, rep, may := c.ownComment()
	if !may {
		return rep
	}
	body, rep, valid := c.commentBody()
	if !valid {
		return rep
	}
	c.editComment(c.repo, x, c.bot(), body)
	return ok(c.commentJSON(c.repo, x))
}

func deleteComment(c *call) reply {
	x, rep, may := c.ownComment()
	if !may {
		return rep
	}
	c.removeComment(c.repo, x, c.bot())
	return noContent()
}

// ownComment is the addressed comment. GitHub lets an App with write permission change
// comments of others too, as it lets people with write access.
func (c *call) ownComment() (*comment, reply, bool) {
	x := c.repo.comments[c.number("comment_id")]
	if x == nil {
		return nil, notFound(), false
	}
	return x, reply{}, true
}

// commentJSON is `components.schemas.issue-comment`.
func (s *Server) commentJSON(r *repository, c *comment) obj {
	self := s.repoAPI(r, "/issues/comments/%d", c.id)
	page := "issues"
	if r.threads[c.number].pull != nil {
		page = "pull"
	}
	var app, minimized any
	if c.viaApp {
		app = s.appJSON()
	}
	if c.minimized != "" {
		minimized = obj{"reason": strings.ToLower(c.minimized)}
	}
	return obj{
		"id": c.id, "node_id": nodeID("IC", c.id), "url": self, "body": c.body,
		"html_url":  s.repoWeb(r, "/%s/%d#issuecomment-%d", page, c.number, c.id),
		"issue_url": s.repoAPI(r, "/issues/%d", c.number), "user": s.userOrNull(s.accounts[c.author]),
		"created_at": stamp(c.created), "updated_at": stamp(c.updated),
		"author_association":       s.association(r, c.author),
		"performed_via_github_app": app, "minimized": minimized, "reactions": s.rollup(self, c.reactions),
	}
}
