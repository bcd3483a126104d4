package gitlabtest

import (
	"bytes"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// hookTime is a time in most webhooks (library data: testdata/webhooks/note_merge_request.json).
func hookTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// hookEmail is an address in a webhook (API docs: webhook events; "[REDACTED]"
// unless the person made it public, where the instance redacts).
func (s *Server) hookEmail(a *account) string {
	if s.opts.RedactEmails {
		return "[REDACTED]"
	}
	return a.email
}

func (s *Server) hookUser(a *account) obj {
	return obj{"id": a.id, "name": a.name, "username": a.login, "avatar_url": s.avatar(a), "email": s.hookEmail(a)}
}

// hookProject is the project of a webhook (source: lib/gitlab/hook_data/project_builder
// and project.hook_attrs; library data: every testdata/webhooks file).
func (s *Server) hookProject(p *project) obj {
	return obj{
		"id": p.id, "name": p.path, "description": nil, "web_url": s.webURL(p), "avatar_url": nil,
		"git_ssh_url": s.sshURL(p), "git_http_url": s.webURL(p) + ".git", "namespace": p.group.path,
		"visibility_level": visibilityLevel(p), "path_with_namespace": p.fullPath(), "default_branch": p.defaultBranch,
		"ci_config_path": nil, "homepage": s.webURL(p), "url": s.sshURL(p), "ssh_url": s.sshURL(p),
		"http_url": s.webURL(p) + ".git",
	}
}

func (s *Server) hookRepository(p *project) obj {
	return obj{
		"name": p.path, "url": s.sshURL(p), "description": nil, "homepage": s.webURL(p),
		"git_http_url": s.webURL(p) + ".git", "git_ssh_url": s.sshURL(p), "visibility_level": visibilityLevel(p),
	}
}

// hookCommit is one commit of a webhook, with the files it touched in a push.
func (s *Server) hookCommit(p *project, c *forgetest.Commit) obj {
	return obj{
		"id": c.SHA, "message": c.Message, "title": subject(c), "timestamp": c.When.UTC().Format(time.RFC3339),
		"url":    s.webURL(p) + "/-/commit/" + c.SHA,
		"author": obj{"name": commitName(c.Author), "email": c.Author.Email},
	}
}

func (s *Server) touched(c *forgetest.Commit) (added, modified, removed []string) {
	added, modified, removed = []string{}, []string{}, []string{}
	parent, before := "", map[string][]byte{}
	if len(c.Parents) > 0 {
		parent = c.Parents[0]
		before = s.graph.Get(parent).Tree
	}
	for _, path := range s.graph.Changed(parent, c.SHA) {
		old, had := before[path]
		now, has := c.Tree[path]
		switch {
		case !had:
			added = append(added, path)
		case !has:
			removed = append(removed, path)
		case !bytes.Equal(old, now):
			modified = append(modified, path)
		}
	}
	return added, modified, removed
}

// sendPush sends a Push Hook or Tag Push Hook (source: lib/gitlab/data_builder/push.rb:
// the newest 20 commits, oldest first; user_email is the public one).
func (s *Server) sendPush(p *project, by *account, u refUpdate, old string) {
	kind, name, want := "push", "Push Hook", "push_events"
	if refType(u.ref) == "tag" {
		kind, name, want = "tag_push", "Tag Push Hook", "tag_push_events"
	}
	all := s.pushed(p, u, old)
	commits := []obj{}
	for _, c := range all[max(0, len(all)-20):] {
		row := s.hookCommit(p, c)
		row["added"], row["modified"], row["removed"] = s.touched(c)
		commits = append(commits, row)
	}
	after, message := u.sha, any(nil)
	if tag := p.tags[u.ref]; tag != nil {
		after, message = tag.sha, tag.message
	}
	s.send(p, name, want, obj{
		"object_kind": kind, "event_name": kind, "before": orZero(old), "after": orZero(after), "ref": u.ref,
		"ref_protected": p.isProtected(u.ref), "checkout_sha": orNil(u.sha), "message": message, "user_id": by.id,
		"user_name": by.name, "user_username": by.login, "user_email": by.publicEmail, "user_avatar": s.avatar(by),
		"project_id": p.id, "project": s.hookProject(p), "commits": commits, "total_commits_count": len(all),
		"push_options": obj{}, "repository": s.hookRepository(p),
	})
}

func orZero(sha string) string {
	if sha == "" {
		return zeroSHA
	}
	return sha
}

// sendMergeRequest sends a Merge Request Hook. An update by a push carries oldrev
// (API docs: webhook events, merge request events; library data:
// testdata/webhooks/merge_request.json).
func (s *Server) sendMergeRequest(mr *mergeRequest, by *account, action, oldrev string) {
	attributes := s.hookMergeRequest(mr)
	attributes["action"] = action
	if oldrev != "" {
		attributes["oldrev"] = oldrev
	}
	s.send(mr.project, "Merge Request Hook", "merge_requests_events", obj{
		"object_kind": "merge_request", "event_type": "merge_request", "user": s.hookUser(by),
		"project": s.hookProject(mr.project), "repository": s.hookRepository(mr.project), "object_attributes": attributes,
		"labels": []obj{}, "changes": obj{}, "assignees": []obj{}, "reviewers": []obj{},
	})
}

func (s *Server) hookMergeRequest(mr *mergeRequest) obj {
	v := mr.latest()
	return obj{
		"id": mr.id, "iid": mr.iid, "target_branch": mr.targetBranch, "source_branch": mr.sourceBranch,
		"source_project_id": mr.source.id, "target_project_id": mr.project.id, "author_id": mr.author.id, "assignee_id": nil,
		"assignee_ids": []int{}, "reviewer_ids": []int{}, "title": mr.title, "description": mr.body, "state": mr.state,
		"created_at": hookTime(mr.created), "updated_at": hookTime(mr.updated), "merge_status": "can_be_merged",
		"detailed_merge_status": mr.mergeStatus(), "merge_commit_sha": orNil(mr.mergeSHA),
		"squash_commit_sha": orNil(mr.squashSHA), "merge_user_id": idOrNil(mr.mergedBy), "milestone_id": nil,
		"merge_error": nil, "merge_params": obj{}, "merge_when_pipeline_succeeds": false, "head_pipeline_id": nil,
		"last_edited_at": nil, "last_edited_by_id": nil, "updated_by_id": nil, "state_id": 1, "time_estimate": 0,
		"total_time_spent": 0, "time_change": 0, "human_total_time_spent": nil, "human_time_change": nil,
		"human_time_estimate": nil, "url": s.changeURL(mr), "source": s.hookProject(mr.source),
		"target": s.hookProject(mr.project), "last_commit": s.hookCommit(mr.source, s.graph.Get(v.head)), "labels": []obj{},
		"work_in_progress": mr.draft(), "draft": mr.draft(), "first_contribution": false, "blocking_discussions_resolved": true,
	}
}

func idOrNil(a *account) any {
	if a == nil {
		return nil
	}
	return a.id
}

// sendNote sends a Note Hook, or for an internal note a Confidential Note Hook
// (source: lib/gitlab/data_builder/note.rb, hook_data/note_builder.rb).
func (s *Server) sendNote(t *thread, n *note, by *account, action string) {
	name, want, kind := "Note Hook", "note_events", "note"
	if n.internal {
		name, want, kind = "Confidential Note Hook", "confidential_note_events", "confidential_note"
	}
	payload := obj{
		"object_kind": "note", "event_type": kind, "user": s.hookUser(by), "project_id": t.project.id,
		"project": s.hookProject(t.project), "repository": s.hookRepository(t.project),
	}
	if t.kind == "MergeRequest" {
		payload["merge_request"] = s.hookMergeRequest(t.project.mergeRequest(t.iid))
	} else {
		payload["issue"] = s.hookIssue(t)
	}
	payload["object_attributes"] = obj{
		"id": n.id, "note": n.body, "description": n.body, "noteable_type": t.kind, "noteable_id": t.id,
		"author_id": n.author.id, "created_at": hookTime(n.created), "updated_at": hookTime(n.updated),
		"updated_by_id": idOrNil(n.editor), "project_id": t.project.id, "attachment": nil, "line_code": nil,
		"commit_id": "", "discussion_id": discussion(n), "internal": n.internal, "system": n.system, "st_diff": nil,
		"type": nil, "position": nil, "original_position": nil, "change_position": nil, "resolved_at": nil,
		"resolved_by_id": nil, "resolved_by_push": nil, "action": action,
		"url": s.noteURL(t, n),
	}
	s.send(t.project, name, want, payload)
}

func (s *Server) noteURL(t *thread, n *note) string {
	where := "/-/issues/"
	if t.kind == "MergeRequest" {
		where = "/-/merge_requests/"
	}
	return s.webURL(t.project) + where + decimal(t.iid) + "#note_" + decimal(n.id)
}

func discussion(n *note) string { return ("d" + decimal(n.id) + zeroSHA)[:40] }

func (s *Server) hookIssue(t *thread) obj {
	return obj{
		"id": t.id, "iid": t.iid, "title": t.title, "description": t.body, "state": t.state, "author_id": t.author.id,
		"project_id": t.project.id, "assignee_id": nil, "assignee_ids": []int{}, "created_at": hookTime(t.created),
		"updated_at": hookTime(t.updated), "position": 0, "branch_name": nil, "milestone_id": nil, "time_estimate": 0,
		"total_time_spent": 0, "human_time_estimate": nil, "human_total_time_spent": nil, "labels": []obj{},
	}
}
