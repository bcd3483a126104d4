package web

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// seat is what a visitor can do about a release, as the latest judgement sees it. It only
// chooses what a page offers: what is said counts by a right read then, and by the
// judgement that follows.
type seat struct {
	// SignedIn is true at the release's own forge; Elsewhere for somebody of another one.
	SignedIn, Elsewhere bool
	// MayApprove is true for somebody named as able to approve.
	MayApprove bool
	// MayTry is true where nobody knows yet whether an approval would count.
	MayTry bool
	// Approved is true where their approval counts already.
	Approved bool
	// WhyNot says why they cannot approve; "" where they can, or it is not known.
	WhyNot string
	// Writes is true for somebody with write, who may hold.
	Writes bool
	// CommentsOnly is true where the policy counts no approvals that are given here.
	CommentsOnly bool
	// Held is true while somebody holds the release.
	Held bool
}

func seatOf(rec gate.Record, v visitor) seat {
	d := decisionOf(rec)
	out := seat{CommentsOnly: d.CommentsOnly}
	if !v.SignedIn {
		return out
	}
	if v.Account.ID.Forge != rec.Request.Repository.Forge {
		out.Elsewhere = true
		return out
	}
	out.SignedIn = true
	out.Approved = slices.ContainsFunc(d.Counted, func(a gate.Approval) bool { return a.By.ID == v.Account.ID })
	if hold, ok := d.Check(gate.CheckHold); ok && hold.Outcome != gate.Granted {
		out.Held = true
	}
	for _, x := range d.CannotApprove {
		if x.Account.ID == v.Account.ID && !out.Approved {
			out.WhyNot = x.Why
		}
	}
	able := slices.ContainsFunc(d.CanApprove, func(a gate.Account) bool { return a.ID == v.Account.ID })
	out.MayApprove = able && !out.Approved
	out.MayTry = !able && !out.Approved && out.WhyNot == "" && len(d.Checks) > 0
	return out
}
