package gitlab

import (
	"context"
	"fmt"
	"net/url"

	"github.com/countersign/countersign/gate"
)

// mergedByForge tells GitLab's own merge commit at the reviewed head from one that
// somebody made and pushed, which GitLab also records as the merge (source:
// app/services/merge_requests/refresh_service.rb, post_merge_manually_merged;
// attack 39). Names on it prove nothing, and neither do today's rules: they may
// have been off for a minute (attack 25). So it is GitLab's where its files are
// what a merge without a decision of anybody's yields, or where GitLab signed it.
func (s *session) mergedByForge(ctx context.Context, row commit, m mergeRequest) bool {
	if row.ID != m.MergeCommitSHA || len(row.ParentIDs) != 2 {
		return false
	}
	if at := row.ParentIDs[1]; at != m.SHA && (m.SquashCommitSHA == "" || at != m.SquashCommitSHA) {
		return false
	}
	author, _ := s.learned.byCommit(row.ID)
	merger, ok := author.Get()
	named := row.byOneHand() && ok && merger.ID == gate.AccountID{Forge: s.forge, ID: m.merger()} && len(coAuthors(row.Message)) == 0
	if named {
		if clean, err := s.cleanMerge(ctx, row); err == nil && clean {
			return true
		}
	}
	return s.signedByForge(ctx, row.ID)
}

// cleanMerge reports whether every file of a merge is the one parent's or the
// other's, whichever changed it since they parted. Where both changed a file, what
// became of it was somebody's decision as far as can be told from here; bringing
// the merge request up to date before merging avoids that.
func (s *session) cleanMerge(ctx context.Context, row commit) (bool, error) {
	target, head := row.ParentIDs[0], row.ParentIDs[1]
	base, err := s.partedAt(ctx, target, head)
	if err != nil {
		return false, err
	}
	if base == target { // nothing else happened: the merge is the head's tree, or not clean
		changed, err := s.differing(ctx, head, row.ID)
		return err == nil && len(changed) == 0, err
	}
	var paths [4]map[string]bool
	for i, pair := range [4][2]string{{base, head}, {base, target}, {target, row.ID}, {head, row.ID}} {
		if paths[i], err = s.differing(ctx, pair[0], pair[1]); err != nil {
			return false, err
		}
	}
	ours, theirs, toTarget, toHead := paths[0], paths[1], paths[2], paths[3]
	for p := range toTarget { // differs from the target: the merge request changed it, alone
		if !ours[p] || theirs[p] || toHead[p] {
			return false, nil
		}
	}
	for p := range toHead { // differs from the head: the target changed it, alone
		if !theirs[p] || ours[p] {
			return false, nil
		}
	}
	return true, nil
}

// partedAt is the newest commit that two have in common.
func (s *session) partedAt(ctx context.Context, target, head string) (string, error) {
	if s.lines.leads(head, target) {
		return target, nil
	}
	base, err := fetch[commit](ctx, s, s.path("/repository/merge_base"), url.Values{"refs[]": {target, head}})
	if err == nil && !isSHA(base.ID) {
		err = errUnexpected
	}
	if err != nil {
		return "", fmt.Errorf("find where %s and %s parted: %w", target, head, err)
	}
	return base.ID, nil
}

// differing are the paths whose content differs between two commits.
func (s *session) differing(ctx context.Context, from, to string) (map[string]bool, error) {
	out := map[string]bool{}
	if from == to {
		return out, nil
	}
	key := span{s.repo.ID, from, to}
	if paths, ok := s.memory.changed.get(key); ok {
		return paths, nil
	}
	answer, err := fetch[struct {
		Diffs   []diffRow `json:"diffs"`
		Timeout *bool     `json:"compare_timeout"`
	}](ctx, s, s.path("/repository/compare"), url.Values{"from": {from}, "to": {to}, "straight": {"true"}})
	if err == nil && (answer.Diffs == nil || answer.Timeout == nil || *answer.Timeout) {
		err = errPartial
	}
	if err != nil {
		return nil, fmt.Errorf("compare %s and %s: %w", from, to, err)
	}
	for _, d := range answer.Diffs {
		out[d.Old], out[d.New] = true, true
	}
	delete(out, "")
	if len(out) <= maxRange {
		s.memory.changed.put(key, out, maxRemembered)
	}
	return out, nil
}

// signedByForge reports whether the instance signed the commit with its own key, as
// it does for what is made in its web pages where that is set up (API docs:
// commits, get signature, verification_status "verified_system").
func (s *session) signedByForge(ctx context.Context, sha string) bool {
	signature, err := fetch[struct {
		Status string `json:"verification_status"`
	}](ctx, s, s.path("/repository/commits/%s/signature", sha), nil)
	return err == nil && signature.Status == "verified_system"
}
