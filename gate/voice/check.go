package voice

import "github.com/countersign/countersign/gate"

// CheckTitle names a check to somebody who sees it for the first time: the condition as it
// is when it holds.
func CheckTitle(n gate.CheckName) string {
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
		return "CI checks passed"
	case gate.CheckRules:
		return "Rules of the policy"
	case gate.CheckBranch:
		return "On a release branch"
	case gate.CheckProtection:
		return "Branch protected"
	case gate.CheckCoverage:
		return "Every change seen by a second person"
	case gate.CheckOwners:
		return "Owners of the files agree"
	case gate.CheckApprovals:
		return "Enough approvals"
	case gate.CheckIndependent:
		return "An approver who did not make this release"
	case gate.CheckHold:
		return "Nobody objects"
	case gate.CheckWindow:
		return "Within release hours"
	case gate.CheckKey:
		return "Key available"
	case gate.CheckTime:
		return "In time"
	case gate.CheckEvidence:
		return "Everything read freshly"
	}
	return string(n)
}

// OutcomeWord is what came of one check.
func OutcomeWord(o gate.Outcome) string {
	switch o {
	case gate.Granted:
		return "passed"
	case gate.Waiting:
		return "waiting"
	case gate.Denied:
	}
	return "not met"
}

// outcomeIcon is the same as a picture, for forges' Markdown.
func outcomeIcon(o gate.Outcome) string {
	switch o {
	case gate.Granted:
		return "✅"
	case gate.Waiting:
		return "⏳"
	case gate.Denied:
	}
	return "❌"
}
