package gitlab

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// readMerger is who clicked merge, or switched automatic merging on: GitLab records the
// latter as who merged (source: app/services/merge_requests/merge_service.rb runs as
// merge_user). A deleted account or an import leaves nobody.
func (s *session) readMerger(ctx context.Context, m mergeRequest) gate.Fact[gate.Account] {
	if m.merger() <= 0 {
		return gate.Absent[gate.Account](fmt.Sprintf("GitLab does not tell who merged !%d", m.IID))
	}
	return s.accountFact(ctx, m.merger())
}

// readInitiators are the people to whom a machine's merge request is assigned. Where they
// cannot be read, neither is known who stands behind its opener.
func (s *session) readInitiators(ctx context.Context, m mergeRequest, c *gate.Change) {
	opener, ok := c.Opener.Get()
	if !ok || opener.Human {
		return
	}
	for _, one := range m.Assignees {
		a, err := s.readAccount(ctx, one.ID)
		if err != nil {
			c.Opener = gate.Unknown[gate.Account]("to whom its merge request is assigned: " + why(err))
			return
		}
		if a.Human {
			c.Initiators = append(c.Initiators, a)
		}
	}
}

// overwritten reports whether somebody changed the approval rules of a merge request for
// itself, which its author may (attack 93; API docs: merge request approvals, get the
// approval state; Premium).
func (s *session) overwritten(ctx context.Context, m merged) (bool, error) {
	if !s.readTier(ctx).paid {
		return false, nil
	}
	if seen, ok := s.crowd.shown(m.IID); ok && seen.ApprovalState != nil && seen.ApprovalState.Overwritten != nil {
		return *seen.ApprovalState.Overwritten, nil
	}
	state, err := fetch[struct {
		Overwritten *bool `json:"approval_rules_overwritten"`
	}](ctx, s, s.path("/merge_requests/%d/approval_state", m.IID), nil)
	if unlicensed(err) {
		return false, nil
	}
	if err == nil && state.Overwritten == nil {
		err = errUnexpected
	}
	if err != nil {
		return false, fmt.Errorf("read the approval rules of !%d: %w", m.IID, err)
	}
	return *state.Overwritten, nil
}
