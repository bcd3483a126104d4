package gitlabtest

import "slices"

// issueRow is one issue (API docs: issues).
func (s *Server) issueRow(i *issue) obj {
	reference := "#" + decimal(i.iid)
	return obj{
		"id": i.id, "iid": i.iid, "project_id": i.project.id, "title": i.title, "description": i.body, "state": i.state,
		"created_at": stamp(i.created), "updated_at": stamp(i.updated), "closed_at": stamp(i.closedAt),
		"closed_by": s.basicUser(i.closedBy), "labels": []string{}, "milestone": nil, "assignees": []obj{}, "assignee": nil,
		"author": s.basicUser(i.author), "type": "ISSUE", "issue_type": "issue", "user_notes_count": len(i.notes),
		"merge_requests_count": 0, "upvotes": 0, "downvotes": 0, "due_date": nil, "confidential": i.confidential,
		"discussion_locked": nil, "web_url": s.webURL(i.project) + "/-/issues/" + decimal(i.iid), "severity": "UNKNOWN",
		"references": obj{"short": reference, "relative": reference, "full": i.project.fullPath() + reference},
		"imported":   false, "imported_from": "none", "moved_to_id": nil,
	}
}

func listIssues(c *call) (any, error) {
	var found []*issue
	for _, i := range c.p.issues {
		state, author := c.param("state"), c.param("author_id")
		if (state == "" || state == "all" || state == i.state) && (author == "" || author == decimal(i.author.id)) {
			found = append(found, i)
		}
	}
	slices.Reverse(found)
	return list(found, c.issueRow), nil
}

func createIssue(c *call) (any, error) {
	title, err := c.required("title")
	if err != nil {
		return nil, err
	}
	i := c.newIssue(c.p, c.me, title, c.param("description"))
	i.confidential = c.param("confidential") == "true"
	return created{c.issueRow(i)}, nil
}

func showIssue(c *call) (any, error) {
	iid, err := c.number("iid")
	if err != nil {
		return nil, err
	}
	i := c.p.issue(iid)
	if i == nil {
		return nil, notFound("")
	}
	return c.issueRow(i), nil
}
