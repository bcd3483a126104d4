package policy

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// Needs is what to read for one decision about req under stream. Since are the
// commits of the stream's signed releases and the baseline; approvals are all
// statements of the request, denials too: their comments are read again.
func Needs(stream gate.Stream, req gate.Request, since []string, approvals []gate.Approval) gate.Needs {
	n := gate.Needs{
		Branches: stream.Branches, Paths: len(stream.Paths) > 0 || stream.Owners, Candidates: true,
		Checks: stream.Checks, Owners: stream.Owners,
		// Under bind: commit the reviews of the release's own PR/MR are approvals.
		NoReviews: !stream.ReviewsCount && stream.Bind != gate.BindCommit,
	}
	for _, g := range stream.Approvals {
		n.Teams = add(n.Teams, g.Teams...)
	}
	for _, commit := range since {
		if commit != "" {
			n.Since = add(n.Since, commit)
		}
	}
	for _, a := range approvals {
		if a.Request != req.ID {
			continue
		}
		if !a.Page {
			n.Comments = add(n.Comments, a.Source)
		}
		n.Accounts = add(n.Accounts, a.By.ID)
	}
	return n
}

// add appends what a list lacks.
func add[T comparable](list []T, more ...T) []T {
	for _, x := range more {
		if !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	return list
}
