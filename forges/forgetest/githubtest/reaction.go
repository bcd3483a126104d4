package githubtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// reaction is one person's reaction; a person has each content once.
type reaction struct {
	id, user int64
	content  string
	when     time.Time
}

// Reactions are the reactions of the App's account on a comment, oldest first.
func (s *Server) Reactions(c forgetest.Comment) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, x := range s.commentOf(s.repository(c.Change.Repository), c).reactions {
		if x.user == s.bot().id {
			out = append(out, x.content)
		}
	}
	return out
}

// React reacts as by.
func (s *Server) React(c forgetest.Comment, by forgetest.Person, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.react(s.commentOf(s.repository(c.Change.Repository), c), s.who(by), content)
}

func (s *Server) react(c *comment, by *account, content string) (x *reaction, added bool) {
	for _, x := range c.reactions {
		if x.user == by.id && x.content == content {
			return x, false
		}
	}
	x = &reaction{id: s.next("reaction"), user: by.id, content: content, when: s.now()}
	c.reactions = append(c.reactions, x)
	return x, true
}

func reactionContents() []string {
	return []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}
}

func (s *Server) rollup(self string, reactions []*reaction) obj {
	out := obj{"url": self + "/reactions", "total_count": len(reactions)}
	for _, content := range reactionContents() {
		n := 0
		for _, x := range reactions {
			if x.content == content {
				n++
			}
		}
		out[content] = n
	}
	return out
}

func (s *Server) reactionJSON(x *reaction) obj {
	return obj{
		"id": x.id, "node_id": nodeID("REA", x.id), "user": s.userOrNull(s.accounts[x.user]), "content": x.content,
		"created_at": stamp(x.when),
	}
}

func listReactions(c *call) reply {
	x := c.repo.comments[c.number("comment_id")]
	if x == nil {
		return notFound()
	}
	want := c.query.Get("content")
	all := slices.DeleteFunc(slices.Clone(x.reactions), func(r *reaction) bool { return want != "" && r.content != want })
	return paged(c, all, c.reactionJSON)
}

// createReaction is idempotent: 201 the first time, 200 after (API description).
func createReaction(c *call) reply {
	x := c.repo.comments[c.number("comment_id")]
	if x == nil {
		return notFound()
	}
	var ask struct {
		Content string `json:"content"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	if !slices.Contains(reactionContents(), ask.Content) {
		return invalid("Reaction", "content", "invalid", "content is not a reaction")
	}
	made, added := c.react(x, c.bot(), ask.Content)
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	return reply{status: status, body: c.reactionJSON(made)}
}
