package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// SortStatements splits what people said of one request, in any order, into what a
// [Case] holds: approvals that their makers did not withdraw, denials, and holds with
// what lifts them. Statements are ordered as they were written, not as they arrived.
func SortStatements(all []Approval) (approvals, denials, holds []Approval) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, written)
	for i, a := range all {
		switch a.Verb {
		case VerbApprove:
			if !slices.ContainsFunc(all[i:], func(w Approval) bool { return w.Verb == VerbWithdraw && w.By.ID == a.By.ID }) {
				approvals = append(approvals, a)
			}
		case VerbDeny:
			denials = append(denials, a)
		case VerbHold, VerbUnhold:
			holds = append(holds, a)
		case VerbWithdraw, VerbRetry, VerbStatus, VerbHelp:
		}
	}
	return approvals, denials, holds
}

// written orders statements by when their comments were made. Forges tell that in whole
// seconds; within one they number comments in order.
func written(a, b Approval) int {
	return cmp.Or(a.Created.Truncate(time.Second).Compare(b.Created.Truncate(time.Second)), cmp.Compare(a.Source.ID, b.Source.ID))
}

// heed goes through denials and holds and keeps those in effect. Both stand from when
// they were heard: whoever may delete a comment could otherwise take back another's
// "no" (attack 46).
func (j *judge) heed() {
	for _, d := range j.c.Denials {
		why, unread := j.denialObjection(d)
		j.weighStatement(d, why, unread, &j.denied, &j.maybeDenied)
	}
	for _, h := range j.c.Holds {
		if h.Verb == VerbUnhold {
			j.unhold(h)
			continue
		}
		why, unread := j.holdObjection(h)
		j.weighStatement(h, why, unread, &j.held, &j.held)
	}
}

func (j *judge) weighStatement(s Approval, why string, unread bool, counted, unknown *[]Approval) {
	switch {
	case unread:
		*unknown = append(*unknown, s)
	case why == "":
		*counted = append(*counted, s)
		j.heeded = append(j.heeded, s)
		return
	}
	j.ignored = append(j.ignored, Ignored{Approval: s, Why: why, Unread: unread})
}

// holdObjection says why a hold does not count: anyone who may write may ask to wait.
func (j *judge) holdObjection(h Approval) (string, bool) {
	if h.Request != j.c.Request.ID {
		return "it holds another request", false
	}
	f := j.c.Evidence.Roles[h.By.ID]
	m, ok := f.Get()
	switch {
	case f.IsUnknown():
		return fmt.Sprintf("the right of @%s could not be read: %s", h.By.Login, f.Why()), true
	case !ok || m.Account.ID != h.By.ID || !m.Account.Human || !m.Active || m.Role < RoleWrite:
		return fmt.Sprintf("@%s may not write here", h.By.Login), false
	}
	return "", false
}

// unhold lifts holds: its maker's own, or, by somebody who may approve and did not
// write everything, all of them.
func (j *judge) unhold(u Approval) {
	if u.Request != j.c.Request.ID {
		return
	}
	why, unread := j.wordObjection(u)
	own := func(h Approval) bool { return h.By.ID == u.By.ID }
	if why == "" && !slices.ContainsFunc(j.held, own) {
		if why, unread = j.memberObjection(u.By); why == "" {
			why, unread = j.wroteIt(u.By)
		}
		own = func(Approval) bool { return true }
	}
	if why != "" {
		j.ignored = append(j.ignored, Ignored{Approval: u, Why: why, Unread: unread})
		return
	}
	j.held = slices.DeleteFunc(j.held, own)
	j.heeded = append(j.heeded, u)
}

func (j *judge) hold() Check {
	switch {
	case len(j.denied) > 0:
		d := j.denied[0]
		return Check{
			Name: CheckHold, Outcome: Denied, Ends: StateDenied,
			Reason: fmt.Sprintf("denied by @%s: %s", d.By.Login, d.Reason),
			Fix:    "settle it with @" + d.By.Login + ", then start the release workflow again",
		}
	case len(j.maybeDenied) > 0:
		d := j.maybeDenied[0]
		return unread(CheckHold, "the denial by @"+d.By.Login, j.whyIgnored(d))
	case j.c.Thread != (Thread{}) && j.c.Evidence.Thread.IsUnknown():
		return unread(CheckHold, "the thread, where somebody may have denied it,", j.c.Evidence.Thread.Why())
	case len(j.held) > 0:
		h := j.held[0]
		c := Check{
			Name: CheckHold, Outcome: Waiting, Reason: "on hold by @" + h.By.Login,
			Fix: "@" + h.By.Login + " or somebody who can approve comments /countersign unhold",
		}
		if h.Reason != "" {
			c.Reason += ": " + h.Reason
		}
		return c
	}
	return granted(CheckHold, "nobody denied it or put it on hold")
}

func (j *judge) whyIgnored(a Approval) string {
	for _, i := range j.ignored {
		if i.Approval.ID == a.ID {
			return i.Why
		}
	}
	return ""
}
