package gitlab

import (
	"bytes"
	"context"
	"fmt"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// PolicyChange reads a merge request and the policy file at its head, which the project
// itself holds (docs: merge requests, refs/merge-requests/N/head). Whether it touches the
// file is told from the file, not from lists of changes: those have an end.
func (f *Forge) PolicyChange(ctx context.Context, r gate.RepositoryID, number int64) (gate.PolicyChange, error) {
	if r.Forge != f.forge || number <= 0 {
		return gate.PolicyChange{}, failure("the merge request", fmt.Errorf("!%d of %s: %w", number, r, errUnexpected))
	}
	s := f.session(r)
	m, err := fetch[struct {
		mergeRequest
		Refs *struct {
			Base string `json:"base_sha"`
			Head string `json:"head_sha"`
		} `json:"diff_refs"`
	}](ctx, s, s.path("/merge_requests/%d", number), nil)
	if isNotFound(err) {
		if err := s.stillSeen(ctx); err != nil {
			return gate.PolicyChange{}, noProject(err)
		}
		return gate.PolicyChange{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnexpected, Text: fmt.Sprintf("the project has no merge request !%d", number), Err: err,
		}
	}
	if err != nil {
		return gate.PolicyChange{}, failure("the merge request", err)
	}
	if m.IID != number || m.TargetProjectID != r.ID || m.State == "" {
		return gate.PolicyChange{}, failure("the merge request", fmt.Errorf("answer is of !%d: %w", m.IID, errUnexpected))
	}
	if m.Refs == nil || !isSHA(m.Refs.Base) || !isSHA(m.SHA) || m.Refs.Head != m.SHA { // GitLab still makes its diff
		return gate.PolicyChange{}, failure("the merge request's diff", fmt.Errorf("!%d at %q: %w", number, m.SHA, errPartial))
	}
	out := gate.PolicyChange{
		Number: number, Head: m.SHA, Fork: m.SourceProjectID != m.TargetProjectID, Open: m.State == "opened" || m.State == "locked",
	}
	if err := s.readProposal(ctx, m.Refs.Base, &out); err != nil {
		return gate.PolicyChange{}, proposalUnread(err)
	}
	return out, nil
}

func (s *session) readProposal(ctx context.Context, base string, c *gate.PolicyChange) error {
	content, is, err := s.readBlob(ctx, c.Head, policyPath)
	if err != nil {
		return err
	}
	before, was, err := s.readBlob(ctx, base, policyPath)
	if err != nil {
		return err
	}
	if is == was && bytes.Equal(before, content) {
		return nil
	}
	c.Touches, c.Deleted, c.Content = true, !is, content
	return nil
}

// proposalUnread: the merge request is there, so that what is missing beside it is not
// there yet.
func proposalUnread(err error) error {
	e := *forges.Classify("read the policy file of a merge request", statusOf(err), err)
	if e.Kind == gate.NotFound {
		e.Kind, e.Code = gate.Unavailable, gate.CodeForgeUnavailable
	}
	return &e
}
