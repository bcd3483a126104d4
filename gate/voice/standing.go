package voice

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Headline is the state in a few words, as one reads it on a phone's lock screen: "waiting
// for 1 person". Nothing in it comes from outside, and nothing in it means anything to
// Markdown, HTML or a terminal: every room prints the very same letters.
func Headline(v View) string { return v.headline() }

// Standing says in a sentence or two where a request stands and whether anything is signed.
// Like the headline, it is the same letters in every room.
func Standing(v View) string {
	switch v.State {
	case gate.StateWaiting:
		return v.waitingStanding()
	case gate.StateGranted:
		return "Every check passed. It is about to be signed."
	case gate.StateSigning:
		if v.Sealing {
			return "Every check passed, and every file is signed. The signatures are handed out once their evidence is complete: proof in the ledger, timestamps, and the cosignatures that the policy asks for."
		}
		return "Every check passed. It is being signed now."
	case gate.StateSigned, gate.StatePublished:
		return "Every check passed, and every file is signed."
	case gate.StateDenied:
		if c, ok := v.Decision.Check(gate.CheckHold); ok && c.Outcome == gate.Denied {
			return "A person denied it. No signature was released, and none will be under this request."
		}
		return "It does not fit the policy, and asking the same again changes nothing. No signature was released."
	case gate.StateWithdrawn:
		return "Whoever asked took it back. No signature was released."
	case gate.StateExpired:
		return "Nobody completed it in time. No signature was released. Asking again opens it anew; nothing has to be built again."
	case gate.StateVoid:
		return "What was asked for is no longer what is there. No signature was released, and none will be under this request."
	case gate.StateFailed:
		return "The signer failed for good. No signature was released."
	}
	return ""
}

func (v View) waitingStanding() string {
	if len(v.Decision.Checks) == 0 {
		return "It was asked for just now, and the repository is being read. Nothing is signed yet."
	}
	if c, ok := v.Decision.Check(gate.CheckPolicy); v.Decision.Audit && ok {
		only := capital(c.Reason) + "."
		if v.Decision.WouldSign() {
			return "Every other check passed: it would be signed now. " + only
		}
		return only
	}
	return "Nothing is signed yet: " + v.missingClause()
}

// missingClause goes on after "Nothing is signed yet: ".
func (v View) missingClause() string {
	switch v.turn() {
	case turnHold:
		return "somebody put it on hold."
	case turnRepair:
		return "something has to be put right first, which no approval replaces."
	case turnForge:
		return v.forge() + " could not be read in full. It is read again by itself; there is nothing to do."
	case turnPeople:
		return v.peopleClause()
	case turnNobody:
	}
	return "it is judged again in a moment."
}

func (v View) peopleClause() string {
	more := ""
	if v.Decision.People > 1 {
		more = fmt.Sprintf("%d more people have to approve it", v.Decision.People)
	}
	open := len(v.uncovered())
	if open == 0 {
		if more == "" && v.granted(gate.CheckApprovals) {
			return "somebody has to approve it who did not make it."
		}
		return cmp.Or(more, "1 more person has to approve it") + "."
	}
	changes := "1 change still needs somebody who did not write it."
	if open > 1 {
		changes = fmt.Sprintf("%d changes still need somebody who did not write them.", open)
	}
	if more != "" {
		return more + ", and " + changes
	}
	return changes
}

// Ending is why a request ended without signatures, and what to do next, in plain text that
// may quote names from outside. Both are "" where it did not end, or ended well.
func Ending(v View) (reason, fix string) {
	if v.mood() != moodEnded {
		return "", ""
	}
	return v.ending()
}

// Approve is what a maintainer comments: the code is needed only where several requests
// wait in one thread.
func Approve(code string, several bool) string { return command(gate.VerbApprove, code, several) }

// Deny is what a maintainer comments before the reason.
func Deny(code string, several bool) string { return command(gate.VerbDeny, code, several) }

func command(verb gate.Verb, code string, several bool) string {
	out := "/countersign " + string(verb)
	if several && code != "" {
		out += " " + code
	}
	return out
}

// Nobody is said where nobody is listed who could approve; "" where somebody is.
func Nobody(can []gate.Account, cannot []gate.Ineligible) string {
	switch {
	case len(can) > 0:
		return ""
	case len(cannot) > 0:
		return "Nobody whom the server knows of can approve this now. Ask somebody who wrote none of it, or give such a person the right to."
	}
	return "Who can approve is not read yet."
}

// Lacking says in a list what a waiting request lacks most; "" where that is no change.
func Lacking(coverage []gate.Coverage) string {
	open := 0
	for _, c := range coverage {
		if !c.Covered {
			open++
		}
	}
	if open == 0 {
		return ""
	}
	if open == len(coverage) {
		return count(open, "change") + " not yet covered"
	}
	return fmt.Sprintf("%d of %s not yet covered", open, count(len(coverage), "change"))
}

// Made says where an approval was made, beside its maker's name: "" for a comment.
func Made(a gate.Approval) string {
	if a.Page {
		return "on the release page"
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// persons counts people: "1 person", "2 people".
func persons(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// names of who approved, each with where where that was no comment.
func (v View) approved(name func(gate.Account) string) []string {
	var out []string
	for _, a := range v.Decision.Counted {
		who := name(a.By)
		if where := Made(a); where != "" {
			who += " (" + where + ")"
		}
		out = append(out, strings.TrimSpace(who))
	}
	return out
}
