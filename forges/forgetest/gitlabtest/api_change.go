package gitlabtest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

func (c *call) changeInPath() (*mergeRequest, error) {
	iid, err := c.number("iid")
	if err != nil {
		return nil, err
	}
	mr := c.p.mergeRequest(iid)
	if mr == nil {
		return nil, notFound("")
	}
	return mr, nil
}

// mergeRequestRow is a merge request in lists (source:
// lib/api/entities/merge_request_basic.rb; API docs: merge requests).
func (s *Server) mergeRequestRow(mr *mergeRequest) obj {
	reference := "!" + decimal(mr.iid)
	assignee, assignees := s.assigneeRows(mr)
	row := obj{
		"id": mr.id, "iid": mr.iid, "project_id": mr.project.id, "title": mr.title, "description": mr.body, "state": mr.state,
		"created_at": stamp(mr.created), "updated_at": stamp(mr.updated), "merged_by": s.basicUser(mr.mergedBy),
		"merge_user": s.basicUser(mr.mergedBy), "merged_at": stamp(mr.mergedAt), "closed_by": s.basicUser(mr.closedBy),
		"closed_at": stamp(mr.closedAt), "target_branch": mr.targetBranch, "source_branch": mr.sourceBranch,
		"user_notes_count": mr.userNotes(), "upvotes": 0, "downvotes": 0, "author": s.basicUser(mr.author),
		"assignees": assignees, "assignee": assignee, "reviewers": s.reviewerRows(mr), "source_project_id": mr.source.id,
		"target_project_id": mr.project.id, "labels": []string{}, "draft": mr.draft(), "work_in_progress": mr.draft(),
		"imported": false, "imported_from": "none", "milestone": nil, "merge_when_pipeline_succeeds": false,
		"merge_status": "can_be_merged", "detailed_merge_status": mr.mergeStatus(), "merge_after": nil,
		"sha": mr.latest().head, "merge_commit_sha": orNil(mr.mergeSHA), "squash_commit_sha": orNil(mr.squashSHA),
		"discussion_locked": nil, "should_remove_source_branch": nil, "force_remove_source_branch": false,
		"prepared_at": stamp(mr.created), "reference": reference,
		"references": obj{"short": reference, "relative": reference, "full": mr.project.fullPath() + reference},
		"web_url":    s.changeURL(mr),
		"time_stats": obj{"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": nil, "human_total_time_spent": nil},
		"squash":     mr.squash, "squash_on_merge": mr.squash,
		"task_completion_status": obj{"count": 0, "completed_count": 0},
		"has_conflicts":          false, "blocking_discussions_resolved": true,
	}
	if s.opts.Premium {
		row["approvals_before_merge"] = nil
	}
	return row
}

func (mr *mergeRequest) draft() bool { return strings.HasPrefix(strings.ToLower(mr.title), "draft:") }

func (mr *mergeRequest) mergeStatus() string {
	switch {
	case mr.state != "opened":
		return "not_open"
	case mr.draft():
		return "draft_status"
	}
	return "mergeable"
}

func (mr *mergeRequest) userNotes() int {
	n := 0
	for _, note := range mr.notes {
		if !note.system {
			n++
		}
	}
	return n
}

func (s *Server) reviewerRows(mr *mergeRequest) []any {
	out := []any{}
	for _, a := range s.accounts {
		if _, ok := mr.reviewers[a.id]; ok {
			out = append(out, s.basicUser(a))
		}
	}
	return out
}

func (s *Server) changeURL(mr *mergeRequest) string {
	return s.webURL(mr.project) + "/-/merge_requests/" + decimal(mr.iid)
}

// showMergeRequest adds what only one merge request has (library data:
// testdata/get_merge_request.json).
func showMergeRequest(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	v := mr.latest()
	row := c.mergeRequestRow(mr)
	for name, value := range map[string]any{
		"subscribed": false, "changes_count": strconv.Itoa(len(c.graph.Changed(v.base, v.head))),
		"latest_build_started_at": nil, "latest_build_finished_at": nil, "first_deployed_to_production_at": nil,
		"pipeline": nil, "head_pipeline": nil, "merge_error": nil, "user": obj{"can_merge": true},
		"first_contribution": false, "rebase_in_progress": false, "diverged_commits_count": 0,
		"diff_refs": obj{"base_sha": v.base, "head_sha": v.head, "start_sha": v.start},
	} {
		row[name] = value
	}
	for _, pl := range c.p.pipelines {
		if pl.sha == v.head {
			row["pipeline"], row["head_pipeline"] = c.pipelineRow(c.p, pl), c.pipelineDetail(c.p, pl)
		}
	}
	return row, nil
}

func listMergeRequests(c *call) (any, error) {
	var found []*mergeRequest
	for _, mr := range c.p.mergeRequests {
		state := c.param("state")
		switch {
		case state != "" && state != "all" && state != mr.state:
		case c.param("source_branch") != "" && c.param("source_branch") != mr.sourceBranch:
		case c.param("target_branch") != "" && c.param("target_branch") != mr.targetBranch:
		default:
			found = append(found, mr)
		}
	}
	if c.param("sort") != "asc" {
		slices.Reverse(found)
	}
	return list(found, c.mergeRequestRow), nil
}

// mergeRequestCommits lists the latest version's commits, newest first (API docs:
// merge requests, get commits).
func mergeRequestCommits(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	commits := c.commitsOf(mr.latest())
	slices.Reverse(commits)
	return list(commits, func(commit *forgetest.Commit) obj {
		return c.commitRow(c.p, commit, !c.opts.WithoutTrailers)
	}), nil
}

func (s *Server) versionRow(mr *mergeRequest, v *version) obj {
	return obj{
		"id": v.id, "head_commit_sha": v.head, "base_commit_sha": v.base, "start_commit_sha": v.start,
		"created_at": stamp(v.created), "merge_request_id": mr.id, "state": "collected",
		"real_size": strconv.Itoa(len(s.graph.Changed(v.base, v.head))), "patch_id_sha": s.patchID(v),
	}
}

// listVersions lists diff versions, newest first.
func listVersions(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	versions := slices.Clone(mr.versions)
	slices.Reverse(versions)
	return list(versions, func(v *version) obj { return c.versionRow(mr, v) }), nil
}

// showVersion adds a version's own commits and diffs (API docs: merge request
// diff versions, get a single version).
func showVersion(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	id, err := c.number("v")
	if err != nil {
		return nil, err
	}
	for _, v := range mr.versions {
		if v.id != id {
			continue
		}
		row, commits := c.versionRow(mr, v), []obj{}
		for _, commit := range c.commitsOf(v) {
			commits = append([]obj{c.commitRow(c.p, commit, !c.opts.WithoutTrailers)}, commits...)
		}
		row["commits"], row["diffs"] = commits, c.diffs(v.base, v.head)
		return row, nil
	}
	return nil, notFound("")
}

func mergeRequestDiffs(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	return list(c.diffs(mr.latest().base, mr.latest().head), func(o obj) obj { return o }), nil
}

func mergeRequestChanges(c *call) (any, error) {
	row, err := showMergeRequest(c)
	if err != nil {
		return nil, err
	}
	mr, _ := c.changeInPath()
	full, _ := row.(obj)
	full["changes"], full["overflow"] = c.diffs(mr.latest().base, mr.latest().head), false
	return full, nil
}

// mergeRequestApprovals is there on every tier; Premium adds the rules' part
// (source: lib/api/entities/merge_request_approvals.rb, approvals.rb).
func mergeRequestApprovals(c *call) (any, error) {
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	by := []obj{}
	for _, a := range mr.approvals {
		by = append(by, obj{"user": c.basicUser(a.by), "approved_at": stamp(a.at)})
	}
	row := obj{
		"user_has_approved": mr.approvedBy(c.me), "user_can_approve": !mr.approvedBy(c.me), "approved": len(by) > 0, "approved_by": by,
	}
	if !c.opts.Premium {
		return row, nil
	}
	required := mr.project.approvals.Required
	for name, value := range map[string]any{
		"id": mr.id, "iid": mr.iid, "project_id": mr.project.id, "title": mr.title, "description": mr.body, "state": mr.state,
		"created_at": stamp(mr.created), "updated_at": stamp(mr.updated), "merge_status": "can_be_merged",
		"approved": len(by) >= required, "approvals_required": required, "approvals_left": max(0, required-len(by)),
		"require_password_to_approve": mr.project.approvals.RequirePasswordToApprove, "suggested_approvers": []obj{},
		"approvers": []obj{}, "approver_groups": []obj{}, "approval_rules_left": []obj{}, "has_approval_rules": required > 0,
		"merge_request_approvers_available": true, "multiple_approval_rules_available": true, "invalid_approvers_rules": []obj{},
	} {
		row[name] = value
	}
	return row, nil
}

// ruleRows are the approval rules: here the one that any approver fulfils (API
// docs: merge request approvals; Premium, and 404 below).
func (c *call) ruleRows(mr *mergeRequest) []obj {
	required := c.p.approvals.Required
	if required == 0 {
		return []obj{}
	}
	row := obj{
		"id": 2600 + c.p.id, "name": "All Members", "rule_type": "any_approver", "report_type": nil,
		"eligible_approvers": []obj{}, "approvals_required": required, "users": []obj{}, "groups": []obj{},
		"contains_hidden_groups": false,
	}
	if mr == nil {
		row["protected_branches"], row["applies_to_all_protected_branches"] = []obj{}, false
		return []obj{row}
	}
	by := []any{}
	for _, a := range mr.approvals {
		by = append(by, c.basicUser(a.by))
	}
	row["section"], row["source_rule"], row["overridden"] = nil, nil, mr.rulesOverride
	row["code_owner"], row["approved_by"], row["approved"] = false, by, len(by) >= required
	return []obj{row}
}

func (c *call) premiumOnly() error {
	if c.opts.Premium {
		return nil
	}
	return &failure{status: 404, body: obj{"error": "404 Not Found"}} // no such route in the Free edition
}

func approvalState(c *call) (any, error) {
	if err := c.premiumOnly(); err != nil {
		return nil, err
	}
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	return obj{"approval_rules_overwritten": mr.rulesOverride, "rules": c.ruleRows(mr)}, nil
}

func approvalRules(c *call) (any, error) {
	if err := c.premiumOnly(); err != nil {
		return nil, err
	}
	mr, err := c.changeInPath()
	if err != nil {
		return nil, err
	}
	return list(c.ruleRows(mr), func(o obj) obj { return o }), nil
}

func projectApprovalRules(c *call) (any, error) {
	if err := c.premiumOnly(); err != nil {
		return nil, err
	}
	return list(c.ruleRows(nil), func(o obj) obj { return o }), nil
}

// projectApprovals is a project's approval configuration (API docs: merge request
// approvals, get configuration; Premium).
func projectApprovals(c *call) (any, error) {
	if err := c.premiumOnly(); err != nil {
		return nil, err
	}
	a := c.p.approvals
	return obj{
		"approvers": []obj{}, "approver_groups": []obj{}, "approvals_before_merge": a.Required,
		"reset_approvals_on_push": a.ResetOnPush, "selective_code_owner_removals": a.SelectiveCodeOwnerRemovals,
		"disable_overriding_approvers_per_merge_request": a.DisableOverriding,
		"merge_requests_author_approval":                 a.AuthorApproval,
		"merge_requests_disable_committers_approval":     a.DisableCommittersApproval,
		"require_password_to_approve":                    a.RequirePasswordToApprove,
		"require_reauthentication_to_approve":            a.RequireReauthentication,
	}, nil
}
