package probe

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Proven says of every fact about a forge whether it was proven there: what was not, and
// what does not hold but is coped with, is a warning.
func Proven(r Report, kind gate.ForgeKind) []api.Finding {
	var out []api.Finding
	for _, f := range Facts(kind) {
		out = append(out, f.proven(r.Find(f.ID)))
	}
	return out
}

func (f Fact) proven(found Finding) api.Finding {
	c := api.Finding{ID: f.ID, Area: f.Area, Level: api.FindingPass, Text: f.Assumes}
	switch found.Outcome {
	case Holds:
		c.Text += " Proven " + when(found) + "."
	case Fails:
		c.Level, c.Text, c.Fix = api.FindingFailure, "Does not hold: "+f.Assumes+" "+seen(found), f.Follows
		if f.Copes {
			c.Level = api.FindingWarning
		}
	default:
		c.Level, c.Text = api.FindingWarning, "Unproven: "+f.Assumes
		c.Fix = f.HowToTell(found)
	}
	return c
}

func seen(f Finding) string { return "Seen " + when(f) + ": " + f.Why + "." }

func when(f Finding) string {
	s := "on " + f.At.Format("2006-01-02")
	if f.Version != "" {
		s += fmt.Sprintf(" (version %s)", f.Version)
	}
	return s
}

// HowToTell says what to do so that the fact can be told.
func (f Fact) HowToTell(found Finding) string {
	switch {
	case found.Asked:
		return strings.TrimSuffix(found.Why, " to find out") + ", then probe again"
	case f.Needs == NeedsWrite:
		return "countersignd probe --write"
	case f.Needs == NeedsJob:
		return "run the CI job that countersignd probe prints, then countersignd probe --claims FILE"
	case f.Try != "":
		return f.Try
	}
	return "countersignd probe"
}
