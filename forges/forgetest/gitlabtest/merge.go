package gitlabtest

import (
	"fmt"

	"github.com/countersign/countersign/forges/forgetest"
)

// Merge merges the way the merge button does and returns the new head of the
// target branch. The merger is also the pusher of the target branch: the events
// of a project show a push by whoever merged.
//
//   - MergeCommit: a commit authored and committed by the merger.
//   - Squash: a commit by the merge request's author, committed by the merger
//     (source: app/services/merge_requests/squash_service.rb); a project with
//     merge method "merge" then adds a merge commit on top.
//   - Rebase: fast-forward; where the target moved on, the source branch is first
//     rebased, which makes the merger the committer and is a push of its own
//     (source: app/services/merge_requests/rebase_service.rb).
func (s *Server) Merge(c forgetest.Change, by forgetest.Person, method forgetest.MergeMethod) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	mr, merger := s.mergeRequest(c), s.account(by)
	if mr.state != "opened" {
		panic(fmt.Sprintf("merge change %d: expected it opened, it is %s", c.Number, mr.state))
	}
	head := ""
	switch method {
	case forgetest.MergeCommit:
		head = s.mergeCommit(mr, merger, mr.latest().head)
		mr.mergeSHA = head
	case forgetest.Squash:
		head = s.squashed(mr, merger)
	case forgetest.Rebase:
		head = s.rebased(mr, merger)
	default:
		panic(fmt.Sprintf("merge method %d: expected one of forgetest's", method))
	}
	ref := "refs/heads/" + mr.targetBranch
	mr.state = "locked" // while the push goes through, so that it is not taken for a manual merge
	s.push(mr.project, merger, []refUpdate{{ref: ref, sha: head}}, nil)
	s.markMerged(mr, merger)
	return head
}

func (s *Server) target(mr *mergeRequest) string {
	return mr.project.refs["refs/heads/"+mr.targetBranch]
}

// changes are the files that a merge request changes, as laid over a parent.
func (s *Server) changes(from, to string) map[string][]byte {
	files := map[string][]byte{}
	for _, path := range s.graph.Changed(from, to) {
		files[path] = nil
		if content, ok := s.graph.Get(to).Tree[path]; ok {
			files[path] = append([]byte{}, content...)
		}
	}
	return files
}

func (s *Server) mergeCommit(mr *mergeRequest, merger *account, source string) string {
	target := s.target(mr)
	base := s.graph.MergeBase(target, source)
	return s.graph.Add(forgetest.CommitSpec{
		Parents: []string{target, source}, Author: merger.person(), When: s.tick(),
		Message: fmt.Sprintf("Merge branch '%s' into '%s'\n\n%s\n\nSee merge request %s!%d",
			mr.sourceBranch, mr.targetBranch, mr.title, mr.project.fullPath(), mr.iid),
		Files: s.changes(base, source),
	}, s.opts.SignWebCommits).SHA
}

func (s *Server) squashed(mr *mergeRequest, merger *account) string {
	mr.squash = true
	parent := s.target(mr)
	v := mr.latest()
	mr.squashSHA = s.graph.Add(forgetest.CommitSpec{
		Parents: []string{parent}, Author: mr.author.person(), Committer: merger.person(), When: s.tick(),
		Message: mr.title, Files: s.changes(s.graph.MergeBase(parent, v.head), v.head),
	}, s.opts.SignWebCommits).SHA
	if mr.project.mergeMethod == "ff" {
		return mr.squashSHA
	}
	mr.mergeSHA = s.mergeCommit(mr, merger, mr.squashSHA)
	return mr.mergeSHA
}

func (s *Server) rebased(mr *mergeRequest, merger *account) string {
	target, head := s.target(mr), mr.latest().head
	if !s.graph.IsAncestor(target, head) {
		tip := target
		for _, c := range s.commitsOf(mr.latest()) {
			tip = s.graph.Add(forgetest.CommitSpec{
				Parents: []string{tip}, Author: c.Author, Committer: merger.person(), When: s.tick(),
				Message: c.Message, Files: s.changes(c.Parents[0], c.SHA),
			}, s.opts.SignWebCommits).SHA
		}
		s.push(mr.source, merger, []refUpdate{{ref: "refs/heads/" + mr.sourceBranch, sha: tip}}, nil)
		head = tip
	}
	if s.opts.FastForwardMergeCommit {
		mr.mergeSHA = head
	}
	return head
}
