package gitlabtest

import (
	"slices"
	"strings"
)

// threadInPath is the issue or merge request that the path names.
func (c *call) threadInPath() (*thread, error) {
	iid, err := c.number("iid")
	if err != nil {
		return nil, err
	}
	if strings.Contains(c.r.Pattern, "/merge_requests/") {
		if mr := c.p.mergeRequest(iid); mr != nil {
			return &mr.thread, nil
		}
		return nil, notFound("")
	}
	if i := c.p.issue(iid); i != nil {
		return &i.thread, nil
	}
	return nil, notFound("")
}

// noteInPath is the note that the path names, if the caller may see it: internal
// notes are for Reporters and up (API docs: notes).
func (c *call) noteInPath() (*thread, *note, error) {
	t, err := c.threadInPath()
	if err != nil {
		return nil, nil, err
	}
	id, err := c.number("note")
	if err != nil {
		return nil, nil, err
	}
	n := t.note(id)
	if n == nil || !c.sees(c.p, n) {
		return nil, nil, notFound("Note")
	}
	return t, n, nil
}

func (c *call) sees(p *project, n *note) bool {
	return !n.internal || n.author == c.me || p.level(c.me, c.opts.Now()) >= levelReporter
}

// noteRow is one note (source: lib/api/entities/note.rb; API docs: notes).
func (s *Server) noteRow(t *thread, n *note) obj {
	return obj{
		"id": n.id, "type": nil, "body": n.body, "author": s.basicUser(n.author), "created_at": stamp(n.created),
		"updated_at": stamp(n.updated), "system": n.system, "noteable_id": t.id, "noteable_type": t.kind,
		"project_id": t.project.id, "resolvable": false, "confidential": n.internal, "internal": n.internal,
		"imported": false, "imported_from": "none", "noteable_iid": t.iid, "commands_changes": obj{}, "attachment": nil,
	}
}

// listNotes lists newest first by created_at, unless asked otherwise (API docs: notes).
func listNotes(c *call) (any, error) {
	t, err := c.threadInPath()
	if err != nil {
		return nil, err
	}
	var found []*note
	for _, n := range t.notes {
		filter := c.param("activity_filter")
		if c.sees(c.p, n) && (filter != "only_comments" || !n.system) && (filter != "only_activity" || n.system) {
			found = append(found, n)
		}
	}
	if c.param("order_by") == "updated_at" {
		slices.SortStableFunc(found, func(a, b *note) int { return a.updated.Compare(b.updated) })
	}
	if c.param("sort") != "asc" {
		slices.Reverse(found)
	}
	return list(found, func(n *note) obj { return c.noteRow(t, n) }), nil
}

const maxNote = 1000000 // characters (API docs: notes, body)

func (c *call) noteBody() (string, error) {
	body, err := c.required("body")
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(body) == "" {
		return "", badRequest(obj{"note": []string{"can't be blank"}})
	}
	if len([]rune(body)) > maxNote {
		return "", badRequest(obj{"note": []string{"is too long (maximum is 1000000 characters)"}})
	}
	return body, nil
}

func createNote(c *call) (any, error) {
	t, err := c.threadInPath()
	if err != nil {
		return nil, err
	}
	body, err := c.noteBody()
	if err != nil {
		return nil, err
	}
	internal := c.param("internal") == "true" || c.param("confidential") == "true"
	return created{c.noteRow(t, c.addNote(t, c.me, body, internal))}, nil
}

func showNote(c *call) (any, error) {
	t, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	return c.noteRow(t, n), nil
}

// mayAdmin says whether the caller may change a note: its author or a Maintainer,
// and nobody a system note (source: app/policies/note_policy.rb).
func (c *call) mayAdmin(n *note) bool {
	return !n.system && (n.author == c.me || c.p.level(c.me, c.opts.Now()) >= levelMaintainer)
}

func updateNote(c *call) (any, error) {
	t, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	if !c.mayAdmin(n) {
		return nil, forbidden()
	}
	body, err := c.noteBody()
	if err != nil {
		return nil, err
	}
	if body != n.body {
		c.editNote(t, n, c.me, body)
	}
	return c.noteRow(t, n), nil
}

func deleteNote(c *call) (any, error) {
	t, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	if !c.mayAdmin(n) {
		return nil, forbidden()
	}
	t.remove(n)
	return nil, nil //nolint:nilnil // nothing is the answer: 204
}

func (s *Server) awardRow(t *thread, n *note, a *award) obj {
	return obj{
		"id": a.id, "name": a.name, "user": s.basicUser(a.by), "created_at": stamp(a.created), "updated_at": stamp(a.created),
		"awardable_id": n.id, "awardable_type": "Note", "url": nil,
	}
}

func listAwards(c *call) (any, error) {
	t, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	return list(n.awards, func(a *award) obj { return c.awardRow(t, n, a) }), nil
}

// createAward adds an emoji, once per person and name: a second one is 404 "Award
// Emoji Name has already been taken" (source: lib/api/award_emoji.rb; API docs:
// emoji reactions). GitLab knows thousands of names; the double those of plain words.
func createAward(c *call) (any, error) {
	t, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	name, err := c.required("name")
	if err != nil {
		return nil, err
	}
	if n.system || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_+-") != "" {
		return nil, notFound("Award Emoji Name is not a valid emoji name")
	}
	for _, a := range n.awards {
		if a.by == c.me && a.name == name {
			return nil, notFound("Award Emoji Name has already been taken")
		}
	}
	a := &award{id: c.id("award"), name: name, by: c.me, created: c.tick()}
	c.award(n, append(n.awards, a))
	return created{c.awardRow(t, n, a)}, nil
}

func deleteAward(c *call) (any, error) {
	_, n, err := c.noteInPath()
	if err != nil {
		return nil, err
	}
	id, err := c.number("award")
	if err != nil {
		return nil, err
	}
	for i, a := range n.awards {
		if a.id == id {
			if a.by != c.me {
				return nil, forbidden()
			}
			c.award(n, slices.Delete(n.awards, i, i+1))
			return nil, nil //nolint:nilnil // nothing is the answer: 204
		}
	}
	return nil, notFound("")
}
