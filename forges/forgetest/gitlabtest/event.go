package gitlabtest

import (
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// event is one row of a project's activity (API docs: events; source:
// lib/api/entities/event.rb and push_event_payload.rb).
type event struct {
	id      int64
	action  string // the filter's word: pushed, merged, approved, commented, created
	name    string // the answer's word: "pushed to", "pushed new", "deleted", "accepted"…
	author  *account
	created time.Time
	target  *thread // nil for a push
	push    *pushData
}

type pushData struct {
	count    int
	action   string // created, pushed or removed
	kind     string // branch or tag
	from, to string // "" is null
	ref      string
	title    string
	refCount int // of a bulk event; 0 is null
}

func (s *Server) recordPush(p *project, by *account, u refUpdate, old string) {
	data := &pushData{kind: refType(u.ref), ref: shortRef(u.ref), from: old, to: u.sha, action: "pushed"}
	name := "pushed to"
	switch {
	case u.sha == "":
		data.action, name = "removed", "deleted"
	case old == "":
		data.action, name = "created", "pushed new"
	}
	if c := s.graph.Get(u.sha); c != nil {
		data.title = subject(c)
		data.count = len(s.pushed(p, u, old))
	}
	p.events = append(p.events, &event{
		id: s.id("event"), action: "pushed", name: name, author: by, created: s.tick(), push: data,
	})
}

// recordBulk writes one event in place of many: more than
// push_event_activities_limit (3) refs of one kind leave no names behind
// (source: app/services/git/process_ref_changes_service.rb, bulk push events).
func (s *Server) recordBulk(p *project, by *account, perKind map[string]int) {
	for _, kind := range []string{"branch", "tag"} {
		if n := perKind[kind]; n > s.opts.MaxWebhookRefs {
			p.events = append(p.events, &event{
				id: s.id("event"), action: "pushed", name: "pushed to", author: by, created: s.tick(),
				push: &pushData{kind: kind, action: "pushed", refCount: n},
			})
		}
	}
}

// pushed are the commits that a push brought: all between the old and new head,
// or of a new branch those that the default branch lacks.
func (s *Server) pushed(p *project, u refUpdate, old string) []*forgetest.Commit {
	if u.sha == "" {
		return nil
	}
	if old == "" && u.ref != "refs/heads/"+p.defaultBranch {
		old = p.refs["refs/heads/"+p.defaultBranch]
	}
	return s.graph.Between(old, u.sha)
}

func subject(c *forgetest.Commit) string {
	line, _, _ := strings.Cut(c.Message, "\n")
	return line
}
