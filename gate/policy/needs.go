package policy

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// Needs is what to read for one decision about req under stream. Since are the
// commits of the stream's signed releases and the baseline; approvals are all
// statements of the request, denials too: their comments are read again.
func Needs(stream gate.Stream, req gate.Request, since []string, approvals []gate.Approval) gate.Needs {
	n := gate.Needs{Branches: stream.Branches, Paths: len(stream.Paths) > 0, Candidates: true}
	for _, commit := range since {
		if commit != "" && !slices.Contains(n.Since, commit) {
			n.Since = append(n.Since, commit)
		}
	}
	for _, a := range approvals {
		if a.Request != req.ID {
			continue
		}
		if !slices.Contains(n.Comments, a.Source) {
			n.Comments = append(n.Comments, a.Source)
		}
		if !slices.Contains(n.Accounts, a.By.ID) {
			n.Accounts = append(n.Accounts, a.By.ID)
		}
	}
	return n
}
