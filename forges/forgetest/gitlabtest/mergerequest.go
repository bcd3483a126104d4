package gitlabtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

type mergeRequest struct {
	thread
	source        *project
	sourceBranch  string
	targetBranch  string
	versions      []*version // oldest first
	approvals     []approval
	assignees     []*account
	reviewers     map[int64]string // state per account: unreviewed, approved, requested_changes
	squash        bool
	mergedAt      time.Time
	mergedBy      *account
	mergeSHA      string
	squashSHA     string
	rulesOverride bool // approval_rules_overwritten (Premium)
}

// version is one diff version: what the merge request was after each push
// (API docs: merge request diff versions).
type version struct {
	id                int64
	head, base, start string
	created           time.Time
}

type approval struct {
	by *account
	at time.Time
}

func (mr *mergeRequest) latest() *version { return mr.versions[len(mr.versions)-1] }

func (mr *mergeRequest) approvedBy(a *account) bool {
	for _, ok := range mr.approvals {
		if ok.by == a {
			return true
		}
	}
	return false
}

// OpenChange opens a merge request.
func (s *Server) OpenChange(r forgetest.Repository, by forgetest.Person, spec forgetest.ChangeSpec) forgetest.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, author, now := s.project(r), s.account(by), s.tick()
	mr := &mergeRequest{
		thread: thread{
			project: p, kind: "MergeRequest", id: s.id("merge_request"), iid: int64(len(p.mergeRequests) + 1),
			author: author, title: spec.Title, body: spec.Body, state: "opened", created: now, updated: now,
		},
		source: p, sourceBranch: spec.Source, targetBranch: spec.Target, reviewers: map[int64]string{},
	}
	if spec.From.ID != 0 {
		mr.source = s.project(spec.From)
	}
	if mr.targetBranch == "" {
		mr.targetBranch = p.defaultBranch
	}
	if mr.source.refs["refs/heads/"+mr.sourceBranch] == "" || p.refs["refs/heads/"+mr.targetBranch] == "" {
		panic(fmt.Sprintf("open change %q: expected branches %q and %q to exist", spec.Title, spec.Source, mr.targetBranch))
	}
	s.newVersion(mr)
	p.mergeRequests = append(p.mergeRequests, mr)
	p.events = append(p.events, &event{
		id: s.id("event"), action: "created", name: "opened", author: author, created: now, target: &mr.thread,
	})
	s.sendMergeRequest(mr, author, "open", "")
	return mr.change()
}

// newVersion records the merge request's present diff and makes its commits
// visible in the target project (git: refs/merge-requests/:iid/head).
func (s *Server) newVersion(mr *mergeRequest) {
	head := mr.source.refs["refs/heads/"+mr.sourceBranch]
	start := mr.project.refs["refs/heads/"+mr.targetBranch]
	base := s.graph.MergeBase(start, head)
	mr.versions = append(mr.versions, &version{id: s.id("version"), head: head, base: base, start: start, created: s.tick()})
	s.adopt(mr.project, head)
}

// commitsOf are a version's commits, oldest first.
func (s *Server) commitsOf(v *version) []*forgetest.Commit { return s.graph.Between(v.base, v.head) }

// patchID identifies a version's diff, whatever it sits on.
func (s *Server) patchID(v *version) string {
	h := sha256.New()
	head := s.graph.Get(v.head)
	for _, path := range s.graph.Changed(v.base, v.head) {
		fmt.Fprintf(h, "%s %d %x\n", path, len(head.Tree[path]), head.Tree[path])
	}
	return hex.EncodeToString(h.Sum(nil))[:40]
}

// refreshMergeRequests does what GitLab does after a push to a branch (source:
// app/services/merge_requests/refresh_service.rb): merge requests from it get a
// new version, those into it may turn out to be merged.
func (s *Server) refreshMergeRequests(p *project, by *account, branch, old, sha string) {
	for _, target := range s.projects {
		for _, mr := range target.mergeRequests {
			if mr.state != "opened" || sha == "" {
				continue
			}
			if target == p && mr.targetBranch == branch && s.arrived(mr, sha) {
				s.mergedByPush(mr, by, sha, old)
				continue
			}
			if mr.source == p && mr.sourceBranch == branch && old != sha {
				s.pushedTo(mr, by, old)
			}
		}
	}
}

func (s *Server) arrived(mr *mergeRequest, sha string) bool {
	v := mr.latest()
	return !s.opts.ManualMergeUnnoticed && v.head != v.base && s.graph.IsAncestor(v.head, sha)
}

func (s *Server) mergedByPush(mr *mergeRequest, by *account, sha, old string) {
	for _, c := range s.graph.Between(old, sha) {
		if len(c.Parents) > 1 && s.graph.IsAncestor(mr.latest().head, c.SHA) {
			mr.mergeSHA = c.SHA
			break
		}
	}
	s.markMerged(mr, by)
}

func (s *Server) markMerged(mr *mergeRequest, by *account) {
	mr.state, mr.mergedBy, mr.mergedAt = "merged", by, s.tick()
	mr.updated = mr.mergedAt
	mr.project.events = append(mr.project.events, &event{
		id: s.id("event"), action: "merged", name: "accepted", author: by, created: mr.mergedAt, target: &mr.thread,
	})
	s.sendMergeRequest(mr, by, "merge", "")
}

// pushedTo adds a version with its system note, and drops approvals where the
// project says so and the diff changed (docs: merge request approval settings,
// remove all approvals when commits are added; Premium).
func (s *Server) pushedTo(mr *mergeRequest, by *account, old string) {
	before := s.patchID(mr.latest())
	had := s.graph.Reachable(mr.latest().head)
	s.newVersion(mr)
	mr.updated = s.tick()
	s.systemNote(&mr.thread, by, s.commitsNote(mr, had))
	if s.opts.Premium && mr.project.approvals.ResetOnPush && s.patchID(mr.latest()) != before {
		mr.approvals = nil
	}
	s.sendMergeRequest(mr, by, "update", old)
}

// commitsNote is the text of the system note (source: app/services/system_notes/commit_service.rb).
func (s *Server) commitsNote(mr *mergeRequest, had map[string]bool) string {
	var added []*forgetest.Commit
	for _, c := range s.commitsOf(mr.latest()) {
		if !had[c.SHA] {
			added = append(added, c)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "added %d commit", len(added))
	if len(added) != 1 {
		b.WriteByte('s')
	}
	b.WriteString("\n\n<ul>")
	for _, c := range added {
		fmt.Fprintf(&b, "<li>%s - %s</li>", c.SHA[:8], subject(c))
	}
	fmt.Fprintf(&b, "</ul>\n\n[Compare with previous version](/%s/-/merge_requests/%d/diffs?diff_id=%d)",
		mr.project.fullPath(), mr.iid, mr.latest().id)
	return b.String()
}

// Review approves the merge request, asks for changes, or takes one's approval back.
func (s *Server) Review(c forgetest.Change, by forgetest.Person, verdict forgetest.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mr, who := s.mergeRequest(c), s.account(by)
	switch verdict {
	case forgetest.ReviewApprove:
		if mr.approvedBy(who) {
			return // source: app/services/merge_requests/approval_service.rb, already approved
		}
		mr.approvals = append(mr.approvals, approval{by: who, at: s.tick()})
		mr.reviewers[who.id] = "approved"
		s.systemNote(&mr.thread, who, "approved this merge request")
		s.sendMergeRequest(mr, who, s.approvalAction(mr), "")
	case forgetest.ReviewReject:
		// source: app/services/merge_requests/update_reviewer_state_service.rb, remove_approval
		s.unapprove(mr, who)
		mr.reviewers[who.id] = "requested_changes"
		s.systemNote(&mr.thread, who, "requested changes")
	case forgetest.ReviewDismiss:
		s.unapprove(mr, who)
	default:
		panic(fmt.Sprintf("review %d: expected one of forgetest's verdicts", verdict))
	}
}

// approvalAction tells an approval from the last one needed (API docs: webhook
// events, merge request events: "approval" and "approved").
func (s *Server) approvalAction(mr *mergeRequest) string {
	if s.opts.Premium && len(mr.approvals) < mr.project.approvals.Required {
		return "approval"
	}
	return "approved"
}

func (s *Server) unapprove(mr *mergeRequest, who *account) {
	if !mr.approvedBy(who) {
		return // source: app/services/merge_requests/remove_approval_service.rb
	}
	var kept []approval
	for _, a := range mr.approvals {
		if a.by != who {
			kept = append(kept, a)
		}
	}
	mr.approvals = kept
	mr.reviewers[who.id] = "unapproved"
	s.systemNote(&mr.thread, who, "unapproved this merge request")
	s.sendMergeRequest(mr, who, "unapproved", "")
}

// CloseChange closes a merge request or issue without merging.
func (s *Server) CloseChange(c forgetest.Change, by forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, who := s.thread(c), s.account(by)
	t.state, t.closedAt, t.closedBy = "closed", s.tick(), who
	t.updated = t.closedAt
	if !c.Issue {
		s.sendMergeRequest(s.mergeRequest(c), who, "close", "")
	}
}

// OverwriteApprovalRules sets approval_rules_overwritten, as when the author
// edited the rules of a merge request (Premium).
func (s *Server) OverwriteApprovalRules(c forgetest.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mergeRequest(c).rulesOverride = true
}
