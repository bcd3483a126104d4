package web

import (
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/voice"
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

// pressing are the checks that somebody can do something about, the refused ones
// first; without that of coverage where the changes it names are shown one by one.
func pressing(r api.Release) []api.Check {
	shown := len(uncovered(r.Coverage)) > 0
	out := only(r.Checks, func(c api.Check) bool {
		return c.Outcome != gate.Granted && !c.Unread && (c.Name != gate.CheckCoverage || !shown)
	})
	slices.SortStableFunc(out, func(a, b api.Check) int { return int(a.Outcome) - int(b.Outcome) })
	return out
}

// unread are the checks that wait for the forge alone.
func unread(all []api.Check) []api.Check {
	return only(all, func(c api.Check) bool { return c.Outcome == gate.Waiting && c.Unread })
}

// refused are the checks that ended a request.
func refused(all []api.Check) []api.Check {
	return only(all, func(c api.Check) bool { return c.Outcome == gate.Denied })
}

// unmet are those that waited when it ended.
func unmet(all []api.Check) []api.Check {
	return only(all, func(c api.Check) bool { return c.Outcome == gate.Waiting && c.Name != gate.CheckCoverage })
}

func passed(all []api.Check) []api.Check {
	return only(all, func(c api.Check) bool { return c.Outcome == gate.Granted })
}

func only(all []api.Check, keep func(api.Check) bool) []api.Check {
	return slices.DeleteFunc(slices.Clone(all), func(c api.Check) bool { return !keep(c) })
}

// uncovered are the changes that still need somebody.
func uncovered(all []gate.Coverage) []gate.Coverage {
	return slices.DeleteFunc(slices.Clone(all), func(c gate.Coverage) bool { return c.Covered })
}

// covered are the others.
func covered(all []gate.Coverage) []gate.Coverage {
	return slices.DeleteFunc(slices.Clone(all), func(c gate.Coverage) bool { return !c.Covered })
}

// isOpen reports whether somebody's word may still change what comes of it.
func isOpen(s gate.State) bool {
	return s == gate.StateWaiting || s == gate.StateGranted || s == gate.StateSigning
}

// isSigned reports whether there are signatures.
func isSigned(s gate.State) bool { return s == gate.StateSigned || s == gate.StatePublished }

// lacking says in a list what a waiting release waits for most.
func lacking(r api.Release) string {
	if r.State != gate.StateWaiting {
		return ""
	}
	return voice.Lacking(r.Coverage)
}
