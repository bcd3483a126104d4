package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/voice"
)

// console is standard error: what a person or a job log follows. On a terminal it
// shows the whole checklist on each change and a line that is drawn over; elsewhere
// one plain line per change.
type console struct {
	w        io.Writer
	terminal bool
	colour   bool
	actions  bool // a GitHub Actions log: errors become annotations
	last     string
	judged   bool // what it waits for was shown
	noticed  bool // an annotation says that it waits
	drawn    bool // a line is on the terminal that the next one replaces
}

func newConsole(w io.Writer, env map[string]string) *console {
	c := &console{w: w, actions: env["GITHUB_ACTIONS"] == "true"}
	if f, ok := w.(*os.File); ok {
		c.terminal = isatty.IsTerminal(f.Fd()) && env["TERM"] != "dumb"
	}
	c.colour = c.terminal && env["NO_COLOR"] == ""
	return c
}

// line prints one line. Every text from outside in it went through plain or report.
func (c *console) line(format string, args ...any) {
	if c.drawn {
		_, _ = io.WriteString(c.w, "\r\x1b[K") // a lost progress line loses nothing
		c.drawn = false
	}
	_, _ = fmt.Fprintf(c.w, format+"\n", args...) // as above
}

// begin shows the request as it was opened or joined.
func (c *console) begin(r api.Release) {
	c.draw(r)
	c.last = essence(r)
}

// draw shows what stands in the way; what holds is counted.
func (c *console) draw(r api.Release) {
	c.judged = c.judged || len(r.Checks) > 0
	for _, l := range report(r, true) {
		c.line("%s", c.paint(l))
	}
	c.notice(r)
}

func (c *console) changed(r api.Release) {
	now := essence(r)
	if now == c.last {
		return
	}
	c.last = now
	if !c.terminal && c.judged {
		c.line("%s", now)
		return
	}
	c.draw(r)
}

// notice tells once, beside the run, what a release waits for and where to say it.
func (c *console) notice(r api.Release) {
	if !c.actions || c.noticed || !waits(r) {
		return
	}
	c.noticed = true
	text := "Release " + plain(gate.ShortRef(r.Ref)) + ": " + headline(r)
	for _, more := range []string{plain(r.Standing), plain(r.URL)} {
		if more != "" {
			text += "\n" + more
		}
	}
	if can := logins(r.CanApprove); can != "" {
		text += "\nCan approve: " + can
	}
	c.line("%s", annotated("notice", spot{}, "countersign", text))
}

// audited says that there are no signatures, and why the job goes on without.
func (c *console) audited(r api.Release) {
	text := "nothing is signed: " + plain(r.Standing)
	if c.actions {
		text = annotated("notice", spot{}, "countersign", text+"\n"+plain(r.URL))
	}
	c.line("%s", text)
}

// skipped says why a fork's job ends well and without signatures.
func (c *console) skipped(why string) {
	const text = "nothing is signed: this is a fork, and the gate is not installed on it"
	c.line("%s", annotated("notice", spot{}, "countersign", text+" ("+plain(why)+")"))
}

// leftOut names signatures that are not signed in their turn.
func (c *console) leftOut(paths []string) {
	c.line("left out, as signatures of an earlier run: %s", plain(strings.Join(paths, ", ")))
}

func (c *console) polling(now, end time.Time) {
	if !c.terminal {
		return
	}
	c.drawn = true
	_, _ = fmt.Fprintf(c.w, "\r\x1b[Kwaiting, %s left", end.Sub(now).Round(time.Second)) // as above
}

func (c *console) retrying(err error, next time.Duration) {
	text := err.Error()
	if f := failureIn(err); f != nil {
		text = f.problem.Title
		if f.problem.Got != "" {
			text += ": " + f.problem.Got
		}
	}
	c.line("%s; trying again in %s", plain(text), next.Round(time.Second))
}

// failure prints why the program ends, and what to do.
func (c *console) failure(f *failure) {
	p := f.problem
	title := plain(p.Title)
	if p.Code != "" {
		title += " [" + plain(p.Code) + "]"
	}
	if c.actions {
		message := title
		for _, part := range problemLines(p) {
			message += "\n" + part
		}
		if names := differing(p.Claims); names != "" {
			message += "\nclaims:   " + names + " (see the table in the log)"
		}
		c.line("%s", annotated("error", f.at, "countersign", message))
	} else {
		c.line("%s", c.paint(styled{"denied", "countersign: " + title}))
	}
	below, rows := p, checkRows(f.release)
	if len(rows) > 0 {
		below.Expected, below.Got = "", "" // those of the checks stand in their table
	}
	if c.actions {
		below = api.Problem{} // the annotation shows it in the log too
	}
	for _, part := range problemLines(below) {
		c.line("%s", part)
	}
	if f.release != nil && f.release.Standing != "" {
		c.line("%s: %s", headline(*f.release), plain(f.release.Standing))
	}
	for _, l := range append(table("claim", claimRows(p.Claims)), table("check", rows)...) {
		c.line("%s", c.paint(l))
	}
}

// problemLines are expected, got and fix. Each line is made safe by itself; its
// indentation stays, for there may be YAML to paste.
func problemLines(p api.Problem) []string {
	var out []string
	for _, x := range []struct{ label, text string }{{"expected: ", p.Expected}, {"got:      ", p.Got}, {"fix:      ", p.Fix}} {
		if x.text == "" {
			continue
		}
		for i, l := range strings.Split(x.text, "\n") {
			rest := strings.TrimLeft(l, " ")
			safe := l[:len(l)-len(rest)] + plain(rest)
			if i == 0 {
				safe = x.label + safe
			}
			out = append(out, safe)
		}
	}
	return out
}

// styled is a line with the outcome that colours it.
type styled struct{ outcome, text string }

func (c *console) paint(s styled) string {
	code := map[string]string{"granted": "32", "waiting": "33", "denied": "31"}[s.outcome]
	if !c.colour || code == "" {
		return s.text
	}
	return "\x1b[" + code + "m" + s.text + "\x1b[0m"
}

// report is the state of a request, for people; briefly, what holds is only counted.
func report(r api.Release, briefly bool) []styled {
	out := []styled{
		{"", fmt.Sprintf("release %s of %s: %s (code %s)", plain(gate.ShortRef(r.Ref)), plain(r.Repository), headline(r), plain(r.Code))},
		{"", "  id:   " + plain(r.ID)},
		{"", "  page: " + plain(r.URL)},
	}
	if r.ThreadURL != "" {
		out = append(out, styled{"", "  talk: " + plain(r.ThreadURL)})
	}
	if r.Standing != "" {
		out = append(out, styled{"", "  " + plain(r.Standing)})
	}
	passed := 0
	for _, check := range r.Checks {
		if briefly && check.Outcome == gate.Granted {
			passed++
			continue
		}
		out = append(out, styled{check.Outcome.String(), fmt.Sprintf("  %-8s %s: %s", voice.OutcomeWord(check.Outcome), title(check), plain(check.Reason))})
		if check.Outcome != gate.Granted && check.Fix != "" {
			out = append(out, styled{"", fmt.Sprintf("  %-8s -> %s", "", plain(check.Fix))})
		}
	}
	if passed > 0 {
		out = append(out, styled{gate.Granted.String(), fmt.Sprintf("  %-8s %d of %d checks", voice.OutcomeWord(gate.Granted), passed, len(r.Checks))})
	}
	for _, l := range openPoints(r) {
		out = append(out, styled{"", "  " + l})
	}
	return out
}

// openPoints say what is not covered yet, who can approve, and who cannot and why.
func openPoints(r api.Release) []string {
	if r.State != gate.StateWaiting {
		return nil
	}
	var out []string
	for _, c := range r.Coverage {
		if !c.Covered {
			out = append(out, "not yet covered: "+plain(c.Label())+": needs "+plain(c.Missing))
		}
	}
	if can := logins(r.CanApprove); can != "" {
		out = append(out, "can approve: "+can)
	} else if r.People > 0 {
		out = append(out, voice.Nobody(r.CanApprove, r.CannotApprove))
	}
	for _, x := range r.CannotApprove {
		out = append(out, "cannot: "+plain(x.Account.Login)+" ("+plain(x.Why)+")")
	}
	return out
}

func logins(accounts []gate.Account) string {
	var out []string
	for _, a := range accounts {
		out = append(out, plain(a.Login))
	}
	return strings.Join(out, ", ")
}

// essence is a request's state in one line; the same line means that nothing changed
// for people.
func essence(r api.Release) string {
	var open []string
	for _, c := range r.Checks {
		if c.Outcome != gate.Granted {
			open = append(open, title(c)+": "+plain(c.Reason))
		}
	}
	s := "release " + plain(gate.ShortRef(r.Ref)) + ": " + headline(r)
	if len(open) > 0 {
		s += "; " + strings.Join(open, "; ")
	}
	if can := logins(r.CanApprove); can != "" && r.State == gate.StateWaiting {
		s += "; can approve: " + can
	}
	return s
}
