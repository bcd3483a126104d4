package voice

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// View is one request as it is told.
type View struct {
	Request  gate.Request
	State    gate.State
	Decision gate.Decision // the effective one; the zero decision before the first
	Kind     gate.ForgeKind

	ReleaseURL    string // the request's page at the gate
	RepositoryURL string // web page at the forge; "" where it is not known
	Server        string // the gate's public URL
	// CompareURL shows everything since the last signed release; "" where there is none.
	CompareURL string
	// Several says that other requests are open in the same thread: commands then need
	// the code.
	Several bool
	// Sealing says that the signatures are made, and wait for their evidence.
	Sealing bool
}

// mood is what a state comes down to for people.
type mood int

const (
	moodWaiting mood = iota
	moodWorking      // granted or being signed
	moodDone
	moodEnded // without signatures
)

func (v View) mood() mood {
	switch v.State {
	case gate.StateWaiting:
		return moodWaiting
	case gate.StateGranted, gate.StateSigning:
		return moodWorking
	case gate.StateSigned, gate.StatePublished:
		return moodDone
	case gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid, gate.StateFailed:
	}
	return moodEnded
}

// headline is the state in a few words: what one reads on a phone's lock screen.
func (v View) headline() string {
	switch v.State {
	case gate.StateWaiting:
		return v.waitingFor()
	case gate.StateGranted:
		return "approved, about to be signed"
	case gate.StateSigning:
		if v.Sealing {
			return "signed, evidence on its way"
		}
		return "approved, being signed"
	case gate.StateSigned, gate.StatePublished:
		return "signed"
	case gate.StateDenied:
		return "denied"
	case gate.StateWithdrawn:
		return "withdrawn"
	case gate.StateExpired:
		return "expired"
	case gate.StateVoid:
		return "void: it changed meanwhile"
	case gate.StateFailed:
		return "failed"
	}
	return string(v.State)
}

// waitingFor says whose turn it is, and whether it matters: an audit signs nothing.
func (v View) waitingFor() string {
	if v.Decision.WouldSign() {
		return "audit only: it would be signed now"
	}
	if v.Decision.Audit {
		return "audit only: " + v.missing()
	}
	return v.missing()
}

// turn is whose turn it is while a request waits.
type turn int

const (
	turnNobody turn = iota // the gate's own
	turnPeople
	turnForge  // to let itself be read
	turnRepair // somebody's who puts right what an approval does not
	turnHold
)

// turn is the one that comes first: what no approval settles goes before what one does.
func (v View) turn() turn {
	out := turnNobody
	for _, c := range v.Decision.Checks {
		switch {
		case c.Outcome == gate.Granted:
		case c.Name == gate.CheckPolicy && v.Decision.Audit:
		case c.Name == gate.CheckHold && !c.Unread:
			return turnHold
		case c.Unread:
			if out == turnNobody {
				out = turnForge
			}
		case !isForPeople(c.Name):
			out = turnRepair
		case out != turnRepair:
			out = turnPeople
		}
	}
	return out
}

// missing says whose turn it is.
func (v View) missing() string {
	switch v.turn() {
	case turnHold:
		return "waiting: on hold"
	case turnRepair:
		return "waiting: something has to be put right first"
	case turnForge:
		return "waiting for " + v.forge() + " to be read"
	case turnPeople:
		if n := v.Decision.People; n > 0 {
			return "waiting for " + persons(n)
		}
		return "waiting for approval" // as decisions of older versions say
	case turnNobody:
	}
	return "waiting"
}

// isForPeople: checks that an approval settles.
func isForPeople(n gate.CheckName) bool {
	return n == gate.CheckCoverage || n == gate.CheckOwners || n == gate.CheckApprovals || n == gate.CheckIndependent
}

func (v View) forge() string {
	if v.Kind == gate.GitLab {
		return "GitLab"
	}
	return "GitHub"
}

// ending is the check that ended the request. A request can end without one: its
// signer failed, or its requester took it back.
func (v View) ending() (reason, fix string) {
	for _, c := range v.Decision.Checks {
		if c.Outcome != gate.Granted && c.Ends == v.State {
			return c.Reason, c.Fix
		}
	}
	switch v.State {
	case gate.StateFailed:
		return "the signer gave up", "the operator of the server finds the cause in its log; then start the release workflow again"
	case gate.StateWithdrawn:
		return "whoever asked for it took it back", "start the release workflow again to ask anew"
	case gate.StateVoid:
		return "what was approved is no longer what is there", "start the release workflow again to ask for what is there now"
	default:
		return "it ended", "start the release workflow again to ask anew"
	}
}

// uncovered are the changes that nobody but their authors stands for.
func (v View) uncovered() []gate.Coverage {
	var out []gate.Coverage
	for _, c := range v.Decision.Coverage {
		if !c.Covered {
			out = append(out, c)
		}
	}
	return out
}

// link is a Markdown link, or the label alone where the address is not one that can
// stand in one. The label is Markdown already.
func link(label, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsAny(url, " \t\r\n()<>[]\"'`\\|@") {
		return label
	}
	return "[" + label + "](" + url + ")"
}
