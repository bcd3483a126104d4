package attest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/gate"
)

// evidenceVersion is the version of the documents that a check's evidence digest is over.
const evidenceVersion = 1

// checks are the decision's checks, each with the digest of what it judged.
func (w *writer) checks() ([]Check, error) {
	out := make([]Check, 0, len(w.Decision.Checks))
	for _, c := range w.Decision.Checks {
		check := Check{Name: c.Name, Outcome: c.Outcome, Reason: c.Reason}
		if c.Name == gate.CheckProtection {
			check.Evidence = DigestSet{gate.SHA256(w.snapshot)}
		} else if judged := w.judged(c.Name); judged != nil {
			doc, err := plain(struct {
				V        int            `json:"v"`
				Check    gate.CheckName `json:"check"`
				Evidence any            `json:"evidence"`
			}{evidenceVersion, c.Name, judged})
			if err != nil {
				return nil, fmt.Errorf("evidence of check %s: %w", c.Name, err)
			}
			check.Evidence = DigestSet{gate.SHA256(doc)}
		}
		out = append(out, check)
	}
	return out, nil
}

// judged is what a check looked at; nil where that stands in the statement, or where nothing
// was read for it.
func (w *writer) judged(name gate.CheckName) any {
	e, r := w.Evidence, w.Request
	switch name {
	case gate.CheckIdentity:
		return r.Workload
	case gate.CheckRun:
		return r.Run
	case gate.CheckRepository:
		return read(e.Repository)
	case gate.CheckRef:
		return read(e.Ref)
	case gate.CheckCI:
		return read(e.Checks)
	case gate.CheckBranch:
		return read(e.Branch)
	case gate.CheckCoverage:
		return read(e.Changes)
	case gate.CheckOwners:
		return read(e.Owners)
	case gate.CheckApprovals:
		return w.people()
	case gate.CheckIndependent:
		return read(e.Commit)
	case gate.CheckHold:
		return read(e.Thread)
	case gate.CheckPolicy, gate.CheckRules, gate.CheckProtection, gate.CheckWindow, gate.CheckKey, gate.CheckTime, gate.CheckEvidence:
	}
	return nil
}

// read is a fact that the forge told; nil for what was not read.
func read[T any](f gate.Fact[T]) any {
	if f.IsUnknown() {
		return nil
	}
	return f
}

// people are the comments and the rights that approvals rest on, in an order of their own;
// nil where none were read.
func (w *writer) people() any {
	if len(w.Evidence.Comments) == 0 && len(w.Evidence.Roles) == 0 {
		return nil
	}
	type role struct {
		Of   gate.AccountID         `json:"of"`
		Role gate.Fact[gate.Member] `json:"role"`
	}
	type comment struct {
		At      gate.CommentRef         `json:"at"`
		Comment gate.Fact[gate.Comment] `json:"comment"`
	}
	var out struct {
		Comments []comment `json:"comments"`
		Roles    []role    `json:"roles"`
	}
	for _, at := range slices.SortedFunc(maps.Keys(w.Evidence.Comments), byPlace) {
		out.Comments = append(out.Comments, comment{at, w.Evidence.Comments[at]})
	}
	for _, of := range slices.SortedFunc(maps.Keys(w.Evidence.Roles), byNumber) {
		out.Roles = append(out.Roles, role{of, w.Evidence.Roles[of]})
	}
	return out
}

func byPlace(a, b gate.CommentRef) int {
	return cmp.Or(cmp.Compare(a.Repository.String(), b.Repository.String()),
		cmp.Compare(a.Thread.Number, b.Thread.Number), cmp.Compare(a.ID, b.ID))
}

func byNumber(a, b gate.AccountID) int {
	return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.ID, b.ID))
}
