package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// tone is the colour and mark in which something is shown. Neither ever stands
// alone: the word is beside it.
type tone struct{ Class, Mark string }

func toneOfState(s gate.State) tone {
	switch s {
	case gate.StateSigned, gate.StatePublished:
		return tone{"good", "✓"}
	case gate.StateWaiting, gate.StateGranted, gate.StateSigning:
		return tone{"wait", "…"}
	case gate.StateDenied, gate.StateVoid, gate.StateFailed:
		return tone{"bad", "✕"}
	case gate.StateExpired, gate.StateWithdrawn:
	}
	return tone{"over", "–"}
}

func toneOfOutcome(o gate.Outcome) tone {
	switch o {
	case gate.Granted:
		return tone{"good", "✓"}
	case gate.Waiting:
		return tone{"wait", "…"}
	case gate.Denied:
	}
	return tone{"bad", "✕"}
}

// outcomeWord is what came of one check.
func outcomeWord(o gate.Outcome) string {
	switch o {
	case gate.Granted:
		return "passed"
	case gate.Waiting:
		return "waiting"
	case gate.Denied:
	}
	return "not met"
}

// standing says in a sentence or two where a release stands.
func standing(r api.Release) string {
	switch r.State {
	case gate.StateWaiting:
		if len(r.Checks) == 0 {
			return "It was asked for just now. Nothing is signed: the repository is being read."
		}
		switch open := len(uncovered(r.Coverage)); {
		case open == 1:
			return "Nothing is signed yet: one change still needs somebody who did not write it."
		case open > 1:
			return fmt.Sprintf("Nothing is signed yet: %d changes still need somebody who did not write them.", open)
		}
		return "Nothing is signed yet. What it waits for stands below."
	case gate.StateGranted:
		return "Every check passed. It is about to be signed."
	case gate.StateSigning:
		return "Every check passed. It is being signed now."
	case gate.StateSigned, gate.StatePublished:
		return "Every check passed, and the files below are signed."
	case gate.StateDenied:
		return "Nothing was signed, and nothing will be under this request."
	case gate.StateWithdrawn:
		return "Whoever asked took it back. Nothing was signed."
	case gate.StateExpired:
		return "Nobody completed it in time. Nothing was signed. Running the release job again asks again; nothing has to be built anew."
	case gate.StateVoid:
		return "The release changed under the request: a commit, tag, policy or the repository itself is no longer what was asked for. Nothing more is signed under it; ask again."
	case gate.StateFailed:
		return "The signer failed for good. The operator of this server finds the reason in its log."
	}
	return ""
}

// checkTitle names a check to somebody who sees it for the first time.
func checkTitle(n gate.CheckName) string {
	switch n {
	case gate.CheckIdentity:
		return "Asked by the right workflow"
	case gate.CheckRun:
		return "The job is real"
	case gate.CheckRepository:
		return "Repository unchanged"
	case gate.CheckPolicy:
		return "Policy in force"
	case gate.CheckRef:
		return "Tag or branch unmoved"
	case gate.CheckCI:
		return "The policy's CI checks passed"
	case gate.CheckOwners:
		return "An owner of every owned file agrees"
	case gate.CheckRules:
		return "The policy's own rules"
	case gate.CheckWindow:
		return "Within release hours"
	case gate.CheckBranch:
		return "On a release branch"
	case gate.CheckProtection:
		return "Branch protected"
	case gate.CheckCoverage:
		return "Every change seen by a second person"
	case gate.CheckApprovals:
		return "Enough approvals"
	case gate.CheckIndependent:
		return "An approver who did not make this release"
	case gate.CheckHold:
		return "Nobody objects"
	case gate.CheckKey:
		return "Key available"
	case gate.CheckTime:
		return "In time"
	case gate.CheckEvidence:
		return "Everything read freshly"
	}
	return string(n)
}

// pressing are the checks that somebody can do something about, the refused ones
// first; without that of coverage where the changes it names are shown one by one.
func pressing(r api.Release) []gate.Check {
	shown := len(uncovered(r.Coverage)) > 0
	out := only(r.Checks, func(c gate.Check) bool {
		return c.Outcome != gate.Granted && !c.Unread && (c.Name != gate.CheckCoverage || !shown)
	})
	slices.SortStableFunc(out, func(a, b gate.Check) int { return int(a.Outcome) - int(b.Outcome) })
	return out
}

// unread are the checks that wait for the forge alone.
func unread(all []gate.Check) []gate.Check {
	return only(all, func(c gate.Check) bool { return c.Outcome == gate.Waiting && c.Unread })
}

// refused are the checks that ended a request.
func refused(all []gate.Check) []gate.Check {
	return only(all, func(c gate.Check) bool { return c.Outcome == gate.Denied })
}

// unmet are those that waited when it ended.
func unmet(all []gate.Check) []gate.Check {
	return only(all, func(c gate.Check) bool { return c.Outcome == gate.Waiting && c.Name != gate.CheckCoverage })
}

func passed(all []gate.Check) []gate.Check {
	return only(all, func(c gate.Check) bool { return c.Outcome == gate.Granted })
}

func only(all []gate.Check, keep func(gate.Check) bool) []gate.Check {
	return slices.DeleteFunc(slices.Clone(all), func(c gate.Check) bool { return !keep(c) })
}

// uncovered are the changes that still need somebody.
func uncovered(all []gate.Coverage) []gate.Coverage {
	return slices.DeleteFunc(slices.Clone(all), func(c gate.Coverage) bool { return c.Covered })
}

// covered are the others.
func covered(all []gate.Coverage) []gate.Coverage {
	return slices.DeleteFunc(slices.Clone(all), func(c gate.Coverage) bool { return !c.Covered })
}

// forgeLink is a URL that the forge gave, where it is one that a page may link to.
func forgeLink(raw string) string {
	if strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://") {
		return raw
	}
	return ""
}
