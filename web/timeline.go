package web

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/voice"
	"github.com/countersign/countersign/web/frame"
)

// step is one station of a release on its way.
type step struct {
	tone

	Name, Said string
}

// stepsOf is the way of a release, station by station: what is shown at a glance of what
// the checks say in full.
func stepsOf(r api.Release) []step {
	stations := []struct {
		name   string
		checks []gate.CheckName
	}{
		{"Tag", []gate.CheckName{gate.CheckRepository, gate.CheckRef, gate.CheckBranch}},
		{"Identity", []gate.CheckName{gate.CheckIdentity, gate.CheckRun}},
		{"Gates", []gate.CheckName{
			gate.CheckPolicy, gate.CheckCI, gate.CheckRules, gate.CheckProtection, gate.CheckWindow, gate.CheckKey, gate.CheckTime, gate.CheckEvidence,
		}},
		{"People", []gate.CheckName{gate.CheckCoverage, gate.CheckOwners, gate.CheckApprovals, gate.CheckIndependent, gate.CheckHold}},
	}
	var out []step
	for _, s := range stations {
		out = append(out, stationOf(r, s.name, s.checks))
	}
	return append(out, signedStep(r.State), postedStep(r.State))
}

func stationOf(r api.Release, name string, of []gate.CheckName) step {
	checks := only(r.Checks, func(c api.Check) bool { return slices.Contains(of, c.Name) })
	if len(checks) == 0 {
		return step{toneAhead(), name, "not judged yet"}
	}
	worst := gate.Granted
	for _, c := range checks {
		worst = min(worst, c.Outcome)
	}
	return step{toneOfOutcome(worst), name, voice.OutcomeWord(worst)}
}

// toneAhead is that of what is not reached yet.
func toneAhead() tone { return tone{"over", "–"} }

func signedStep(s gate.State) step {
	switch s {
	case gate.StateSigning:
		return step{tone{"wait", "…"}, "HSM", "signing"}
	case gate.StateSigned, gate.StatePublished:
		return step{tone{"good", "✓"}, "HSM", "signed"}
	case gate.StateFailed:
		return step{tone{"bad", "✕"}, "HSM", "failed"}
	case gate.StateWaiting, gate.StateGranted, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid:
	}
	return step{toneAhead(), "HSM", "nothing signed"}
}

func postedStep(s gate.State) step {
	switch s {
	case gate.StatePublished:
		return step{tone{"good", "✓"}, "Posted", "told the forge"}
	case gate.StateSigned:
		return step{tone{"wait", "…"}, "Posted", "being told"}
	case gate.StateWaiting, gate.StateGranted, gate.StateSigning, gate.StateDenied, gate.StateWithdrawn,
		gate.StateExpired, gate.StateVoid, gate.StateFailed:
	}
	return step{toneAhead(), "Posted", "not yet"}
}

// entry is one line of a release's history.
type entry struct {
	tone

	At   time.Time
	Who  string // login; "" for the gate itself
	Text string
	More string // a reason, or what stood in the way
	Leaf int64
}

// entriesOf tells what happened, the oldest first.
func entriesOf(all []gate.Happening) []entry {
	out := make([]entry, 0, len(all))
	last := "" // judgement, so that the same one is not told at length again
	for _, h := range all {
		e := entry{At: h.At, Who: h.By.Login, Leaf: h.Leaf}
		e.tone, e.Text, e.More = told(h)
		if h.Statement != nil && e.Who == "" {
			e.Who = h.Statement.By.Login
		}
		if h.What == gate.HappenedJudged {
			if this := e.Text + "\n" + e.More; this == last {
				e.More = "as before"
			} else {
				last = this
			}
		}
		out = append(out, e)
	}
	return out
}

// told is a happening in words.
func told(h gate.Happening) (t tone, text, more string) {
	neutral := tone{"over", "•"}
	switch h.What {
	case gate.HappenedAsked:
		return neutral, "asked for it", ""
	case gate.HappenedJudged:
		return judgedWords(h)
	case gate.HappenedSaid:
		return saidWords(h.Statement)
	case gate.HappenedSigning:
		return tone{"wait", "…"}, fmt.Sprintf("the HSM was asked for %s, with key %s version %d", frame.Count(h.Count, "signature"), h.Key.Lineage, h.Key.Version), ""
	case gate.HappenedSigned:
		return tone{"good", "✓"}, frame.Count(h.Count, "signature") + " made and verified", ""
	case gate.HappenedOrphaned:
		return tone{"bad", "!"}, fmt.Sprintf("attempt %d ended without an answer: the HSM may have made %s that nobody has", h.Attempt, frame.Count(h.Count, "signature")), ""
	case gate.HappenedLate:
		return tone{"bad", "!"}, fmt.Sprintf("%s of attempt %d came too late, and were thrown away", frame.Count(h.Count, "signature"), h.Attempt), ""
	case gate.HappenedFailed:
		return tone{"bad", "✕"}, "the signer failed for good", h.Why
	case gate.HappenedPublished:
		return tone{"good", "✓"}, "the forge was told", ""
	}
	return neutral, string(h.What), h.Why
}

// judgedWords tells a judgement by its outcome, unless it ended the request.
func judgedWords(h gate.Happening) (t tone, text, more string) {
	switch {
	case h.State.Ended():
		return toneOfState(h.State), "judged: " + string(h.State), h.Why
	case h.Outcome == gate.Granted:
		return toneOfOutcome(h.Outcome), "judged: every check passed", h.Why
	}
	return toneOfOutcome(h.Outcome), "judged: " + voice.OutcomeWord(h.Outcome), h.Why
}

func saidWords(a *gate.Approval) (t tone, text, more string) {
	if a == nil {
		return tone{"over", "•"}, "said something", ""
	}
	where := " in a comment"
	if a.Page {
		where = " on this page"
	}
	switch a.Verb {
	case gate.VerbApprove:
		return tone{"good", "✓"}, "approved it" + where, ""
	case gate.VerbDeny:
		return tone{"bad", "✕"}, "denied it" + where, a.Reason
	case gate.VerbHold:
		return tone{"wait", "‖"}, "put it on hold" + where, a.Reason
	case gate.VerbUnhold:
		return tone{"over", "•"}, "lifted the hold" + where, ""
	case gate.VerbWithdraw:
		return tone{"over", "•"}, "took the approval back" + where, ""
	case gate.VerbRetry, gate.VerbStatus, gate.VerbHelp:
	}
	return tone{"over", "•"}, string(a.Verb) + where, a.Reason
}
