package gitlabtest

import "strings"

// noteFields are a note's in GraphQL beside what every note has (source:
// app/graphql/types/notes/note_type.rb).
func (c *call) noteFields(t *thread, n *note) map[string]func(map[string]any) any {
	return map[string]func(map[string]any) any{
		"noteableType": is(t.kind), "noteableId": is(t.id),
		"project": is(&record{typ: "Project", fields: map[string]func(map[string]any) any{"id": is(gid("Project", t.project.id))}}),
		"discussion": is(&record{typ: "Discussion", fields: map[string]func(map[string]any) any{
			"noteable": func(map[string]any) any { return c.threadRecord(t) },
		}}),
		"systemNoteMetadata": func(map[string]any) any {
			if !n.system {
				return nil
			}
			return &record{typ: "SystemNoteMetadata", fields: map[string]func(map[string]any) any{"action": is(actionOf(n.body))}}
		},
	}
}

// threadRecord is what a note hangs on.
func (c *call) threadRecord(t *thread) *record {
	if mr := t.project.mergeRequest(t.iid); t.kind == "MergeRequest" && mr != nil {
		return c.changeRecord(mr)
	}
	return &record{typ: "Issue", fields: map[string]func(map[string]any) any{
		"id": is(gid("Issue", t.id)), "iid": is(decimal(t.iid)), "title": is(t.title),
		"notes": func(args map[string]any) any { return c.noteRecords(t, args) },
	}}
}

// actionOf is a system note's metadata action (source: app/services/system_notes).
func actionOf(body string) any {
	for prefix, action := range map[string]string{
		"approved ": "approved", "unapproved ": "unapproved", "requested changes": "requested_changes", "assigned ": "assignee",
		"added ": "commit",
	} {
		if strings.HasPrefix(body, prefix) {
			return action
		}
	}
	return nil
}

// projectsByArgs are those of the given numbers that the caller can see (source:
// app/graphql/resolvers/projects_resolver.rb).
func (c *call) projectsByArgs(args map[string]any) any {
	rows := []*record{}
	for _, id := range texts(args["ids"]) {
		for _, p := range c.projects {
			if r, ok := c.visible(p).(*record); ok && gid("Project", p.id) == id {
				rows = append(rows, r)
			}
		}
	}
	return connection("ProjectConnection", rows, args, nil)
}

// diffVersions are a merge request's, newest first; they tell when, and nothing of what
// (source: app/graphql/types/merge_request_diff_type.rb).
func diffVersions(mr *mergeRequest, args map[string]any) any {
	rows := []*record{}
	for i := len(mr.versions) - 1; i >= 0; i-- {
		at := is(stamp(mr.versions[i].created))
		rows = append(rows, &record{typ: "MergeRequestDiff", fields: map[string]func(map[string]any) any{"createdAt": at, "updatedAt": at}})
	}
	return connection("MergeRequestDiffConnection", rows, args, nil)
}
