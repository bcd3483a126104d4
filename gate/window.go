package gate

import (
	"fmt"
	"strings"
	"time"
)

// Window is when releases may be signed: on Days, from From up to but without To, by
// the clocks on the walls of Zone. Where those clocks are put forward the minutes that
// are left out never were; where they are put back the repeated ones count twice.
type Window struct {
	Days []time.Weekday // never empty
	// From and To are minutes after midnight, 0 <= From < To <= 24*60: a window ends on
	// the day on which it begins.
	From, To int
	Zone     *time.Location
}

// lookAhead is how far an opening is looked for: past two weeks there is one, whatever
// the clocks do.
const lookAhead = 15 * 24 * time.Hour

// Open reports whether at is within the window. A window without a zone never opens.
func (w Window) Open(at time.Time) bool {
	if w.Zone == nil {
		return false
	}
	local := at.In(w.Zone)
	minute := local.Hour()*60 + local.Minute()
	if minute < w.From || minute >= w.To {
		return false
	}
	for _, d := range w.Days {
		if local.Weekday() == d {
			return true
		}
	}
	return false
}

// Next is the first minute after at in which the window is open, in its zone; false
// where there is none within two weeks.
func (w Window) Next(at time.Time) (time.Time, bool) {
	// Walking the minutes asks no zone for an hour that it may skip or repeat.
	for t, end := at.Truncate(time.Minute).Add(time.Minute), at.Add(lookAhead); t.Before(end); t = t.Add(time.Minute) {
		if w.Open(t) {
			return t.In(w.Zone), true
		}
	}
	return time.Time{}, false
}

// String is the window as people read it: "mon tue 08:00-17:00 Europe/Berlin".
func (w Window) String() string {
	var out []string
	for _, d := range w.Days {
		out = append(out, strings.ToLower(d.String()[:3]))
	}
	zone := "no zone"
	if w.Zone != nil {
		zone = w.Zone.String()
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d %s", strings.Join(out, " "), w.From/60, w.From%60, w.To/60, w.To%60, zone)
}

// window is no check at all where the stream has none.
func (j *judge) window() []Check {
	w := j.stream.Window
	if w == nil {
		return nil
	}
	if w.Open(j.at) {
		return []Check{granted(CheckWindow, "within %s", w)}
	}
	c := Check{
		Name: CheckWindow, Outcome: Waiting, Expected: w.String(),
		Reason: "releases are signed only " + w.String(),
		Fix:    "adopt a policy whose window opens",
	}
	if next, ok := w.Next(j.at); ok {
		opens := next.Format("Mon 2 Jan 15:04 MST")
		c.Reason += "; it opens " + opens
		c.Fix = "nothing to do until " + opens + " (" + next.UTC().Format(time.RFC3339) + "): it goes on by itself then; approvals count before that too"
	}
	return []Check{c}
}
