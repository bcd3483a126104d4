package voice

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxStatus is the longest description of a GitHub commit status, in characters.
const maxStatus = 140

// state maps a request's state to that of a status or check.
func (v View) state() gate.PostState {
	switch v.mood() {
	case moodWaiting, moodWorking:
		if v.Decision.WouldSign() {
			return gate.PostSuccess // nothing more comes of it
		}
		return gate.PostPending
	case moodDone:
		return gate.PostSuccess
	case moodEnded:
	}
	return gate.PostFailure
}

// Status is a commit status: its state and one line of at most 140 characters, in
// plain text.
func Status(v View) (gate.PostState, string) {
	return v.state(), plain(capital(v.line()), maxStatus)
}

func (v View) line() string {
	switch v.mood() {
	case moodWaiting:
		return v.waitingLine()
	case moodDone:
		if names := v.approved(func(a gate.Account) string { return a.Login }); len(names) > 0 {
			return v.headline() + ", approved by " + strings.Join(names, ", ")
		}
	case moodEnded:
		reason, _ := v.ending()
		if strings.HasPrefix(reason, string(v.State)) {
			return reason
		}
		return string(v.State) + ": " + reason
	case moodWorking:
	}
	return v.headline()
}

func (v View) waitingLine() string {
	open := v.uncovered()
	first, some := v.firstOpen()
	switch {
	case v.Decision.Audit:
		return v.headline()
	case v.turn() != turnPeople && some:
		return "waiting: " + first.Reason
	case len(open) == 1:
		return fmt.Sprintf("%s: %s needs %s", v.headline(), v.shortName(open[0]), open[0].Missing)
	case len(open) > 1:
		return v.headline() + ": " + Lacking(v.Decision.Coverage)
	case some:
		return v.headline() + ": " + first.Reason
	}
	return v.headline()
}

// firstOpen is the first check that is not granted, and not an approval's to settle
// where there is such a one.
func (v View) firstOpen() (gate.Check, bool) {
	var found gate.Check
	some := false
	for _, c := range v.Decision.Checks {
		if c.Outcome == gate.Granted {
			continue
		}
		if !isForPeople(c.Name) {
			return c, true
		}
		if !some {
			found, some = c, true
		}
	}
	return found, some
}

func (v View) shortName(c gate.Coverage) string {
	if c.Number != 0 {
		return v.number(c.Number)
	}
	return gate.ShortCommit(c.Head)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Check is a check run: its state, its title in plain text, and a summary in
// Markdown that lists every condition. It mentions nobody.
func Check(v View) (gate.PostState, string, string) {
	state, title := Status(v)
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** — %s\n\n", Headline(v), Standing(v))
	for _, l := range v.openChanges() {
		b.WriteString(l + "\n\n")
	}
	if v.mood() == moodEnded {
		reason, fix := v.ending()
		b.WriteString("❌ " + sentence(reason) + "\n\n")
		for _, l := range next(fix) {
			b.WriteString(l + "\n\n")
		}
	}
	if len(v.Decision.Checks) > 0 {
		b.WriteString("| | Condition | Finding | What to do |\n|---|---|---|---|\n")
	}
	for _, c := range v.Decision.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", outcomeIcon(c.Outcome), CheckTitle(c.Name), said(c.Reason), said(c.Fix))
	}
	b.WriteString("\n" + v.facts() + "\n")
	return state, title, b.String()
}

// Thread is the issue in which a release is talked about that no PR or MR made: its
// title in plain text, and its body in Markdown. One issue serves all requests of a
// commit, so it says nothing of a single one.
func Thread(v View) (title, body string) {
	return plain("Release of "+gate.ShortCommit(v.Request.Commit), maxStatus), strings.Join([]string{
		"Releases of commit " + v.commit(v.Request.Commit) + " are approved here, because no pull or merge request made it.",
		"Each waiting release has its own comment below, with what it needs and who can approve. " +
			"To approve one, comment `/countersign approve`, with its code where there are several.",
	}, "\n\n") + "\n"
}
