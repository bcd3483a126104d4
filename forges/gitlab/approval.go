package gitlab

import (
	"context"
	"fmt"
	"time"
)

// approval is one approval; GitLab before 17.9 does not say when it was given.
type approval struct {
	User account   `json:"user"`
	At   time.Time `json:"approved_at"`
}

// readApprovals are the approvals as of now. A merge request that had one version alone was
// approved at that one: then GraphQL's word is enough, which knows by when somebody had
// approved. Otherwise it matters since when.
func (s *session) readApprovals(ctx context.Context, m mergeRequest, versions []version) ([]approval, error) {
	if seen, ok := s.crowd.shown(m.IID); ok && len(versions) == 1 && m.State == "merged" {
		if rows, whole := seen.approvals(m.MergedAt); whole {
			return rows, nil
		}
	}
	answer, err := fetch[struct {
		ApprovedBy []approval `json:"approved_by"`
	}](ctx, s, s.path("/merge_requests/%d/approvals", m.IID), nil)
	if err == nil && answer.ApprovedBy == nil {
		err = errUnexpected
	}
	if err != nil {
		return nil, fmt.Errorf("read the approvals of !%d: %w", m.IID, err)
	}
	return answer.ApprovedBy, nil
}
