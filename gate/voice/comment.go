package voice

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// How much a comment lists before it points to the release page. Forges take 65,536
// characters.
const (
	maxChanges = 10
	maxPeople  = 10
	maxFiles   = 30
)

// Marker is the hidden line by which the gate finds its sticky comment again.
func Marker(request string) string { return "<!-- countersign:request:" + request + " -->" }

// Comment is the sticky comment of a request in Markdown.
func Comment(v View) string {
	var b strings.Builder
	b.WriteString(Marker(v.Request.ID) + "\n")
	fmt.Fprintf(&b, "### %s %s — %s\n", v.icon(), escape(v.Request.ShortRef(), shortText), Headline(v))
	b.WriteString(Standing(v) + "\n\n")
	for _, l := range v.lines() {
		b.WriteString(l + "\n")
	}
	b.WriteString("\n" + v.facts() + "\n")
	if v.mood() == moodWaiting && (v.needsPeople() || len(v.Decision.Checks) == 0) {
		b.WriteString("\n" + v.invitation() + "\n")
	}
	if v.mood() == moodDone {
		how := Verify(v.Server, v.Request.Key, "FILE")
		fmt.Fprintf(&b, "\nVerify a file that has its `.sigstore.json` beside it:\n```sh\n%s\n%s\n```\n", how.Fetch, how.Cosign)
	}
	b.WriteString("\n" + v.details())
	return b.String()
}

func (v View) icon() string {
	return map[mood]string{moodWaiting: "🔏", moodWorking: "🔏", moodDone: "✅", moodEnded: "⛔"}[v.mood()]
}

// lines are the body. Two spaces at the end break a line on both forges; GitLab would
// run them together.
func (v View) lines() []string {
	var out []string
	switch v.mood() {
	case moodWaiting:
		out = slices.Concat(v.openChanges(), v.openChecks(), v.ignored(), v.ownApprovals(), v.met(), v.people())
	case moodWorking:
		out = slices.Concat(v.met(), v.approvers())
	case moodDone:
		out = slices.Concat(v.approvers(), v.met())
	case moodEnded:
		reason, fix := v.ending()
		out = append([]string{"❌ " + sentence(reason)}, next(fix)...)
	}
	for i := range out[:max(len(out)-1, 0)] {
		out[i] += "  "
	}
	return out
}

func next(fix string) []string {
	if fix == "" {
		return nil
	}
	return []string{"**What to do:** " + said(fix)}
}

// sentence starts with a capital letter and ends with a full stop.
func sentence(s string) string {
	s = said(s)
	if s == "" {
		return s
	}
	r := []rune(s)
	if r[0] >= 'a' && r[0] <= 'z' {
		r[0] -= 'a' - 'A'
	}
	s = string(r)
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// openChanges come first: what is not covered is what a maintainer looks for.
func (v View) openChanges() []string {
	open := v.uncovered()
	var out []string
	for _, c := range open[:min(len(open), maxChanges)] {
		out = append(out, fmt.Sprintf("⏳ Not yet covered: %s — needs %s", v.change(c), said(c.Missing)))
	}
	if more := len(open) - maxChanges; more > 0 {
		out = append(out, fmt.Sprintf("⏳ …and %d more changes, on the %s", more, link("release page", v.ReleaseURL)))
	}
	return out
}

// change names one change: commit, authors, number and title.
func (v View) change(c gate.Coverage) string {
	label := v.commit(c.Head)
	var by []string
	for _, a := range c.Authors[:min(len(c.Authors), maxPeople)] {
		by = append(by, login(a.Account))
	}
	for _, name := range c.Unlinked[:min(len(c.Unlinked), maxPeople)] {
		by = append(by, escape(name, shortText)+" (no account)")
	}
	if len(by) > 0 {
		label += " by " + strings.Join(by, ", ")
	}
	title := escape(c.Title, shortText)
	if c.Number != 0 {
		label += " (" + strings.TrimSpace(link(v.number(c.Number), c.URL)+" "+title) + ")"
	} else if title != "" {
		label += " (direct push: " + title + ")"
	}
	return label
}

func (v View) number(n int64) string {
	if v.Kind == gate.GitLab {
		return fmt.Sprintf("!%d", n)
	}
	return fmt.Sprintf("#%d", n)
}

// commit is a short commit, linked where that is possible.
func (v View) commit(sha string) string {
	if sha == "" || strings.Trim(sha, "0123456789abcdef") != "" {
		return "an unknown commit"
	}
	return link("`"+gate.ShortCommit(sha)+"`", v.commitURL(sha))
}

// commitURL is no address where the repository's is not known; link then leaves it out.
func (v View) commitURL(sha string) string {
	if v.Kind == gate.GitLab {
		return v.RepositoryURL + "/-/commit/" + sha
	}
	return v.RepositoryURL + "/commit/" + sha
}

// openChecks are the other conditions that are not met, each with what to do.
func (v View) openChecks() []string {
	var out []string
	open := len(v.uncovered()) > 0
	for _, c := range v.Decision.Checks {
		switch {
		case c.Outcome == gate.Granted:
			continue
		case c.Name == gate.CheckCoverage && open: // said change by change
			continue
		case open && isForPeople(c.Name) && !c.Unread: // whoever covers the change settles these too
			continue
		case c.Name == gate.CheckIndependent && !c.Unread && !v.granted(gate.CheckApprovals): // said by that
			continue
		}
		line := outcomeIcon(c.Outcome) + " " + sentence(c.Reason)
		if c.Fix != "" {
			line += " → " + said(c.Fix)
		}
		out = append(out, line)
	}
	return out
}

// ignored says why statements that were made do not count.
func (v View) ignored() []string {
	var out []string
	for _, i := range v.Decision.Ignored[:min(len(v.Decision.Ignored), maxPeople)] {
		out = append(out, fmt.Sprintf("↩️ The %s by %s does not count: %s", noun(i.Approval.Verb), login(i.Approval.By), said(i.Why)))
	}
	return out
}

// ownApprovals answers who approved what they wrote themselves: it counts for other
// people's changes, so it is no refusal, and yet not enough.
func (v View) ownApprovals() []string {
	var out []string
	for _, a := range v.Decision.Counted[:min(len(v.Decision.Counted), maxPeople)] {
		var own []string
		for _, c := range v.uncovered() {
			wrote := slices.ContainsFunc(c.Authors, func(x gate.Authorship) bool { return x.Account.ID == a.By.ID })
			if wrote && len(own) < maxChanges {
				own = append(own, v.shortName(c))
			}
		}
		if len(own) > 0 {
			out = append(out, fmt.Sprintf("↩️ %s approved, but wrote %s: nobody covers their own change", login(a.By), escape(strings.Join(own, ", "), longText)))
		}
	}
	return out
}

func (v View) granted(name gate.CheckName) bool {
	c, ok := v.Decision.Check(name)
	return ok && c.Outcome == gate.Granted
}

// met are the conditions that hold, in one line.
func (v View) met() []string {
	var out []string
	for _, c := range v.Decision.Checks {
		shownHere := c.Name == gate.CheckIdentity || c.Name == gate.CheckProtection || c.Name == gate.CheckCoverage
		if c.Outcome == gate.Granted && shownHere {
			out = append(out, "✅ "+said(c.Reason))
		}
	}
	all, open := len(v.Decision.Coverage), len(v.uncovered())
	if open > 0 && open < all {
		out = append(out, fmt.Sprintf("✅ %d of %d changes covered", all-open, all))
	}
	if len(out) == 0 {
		return nil
	}
	return []string{strings.Join(out, " ")}
}

// people names who can approve (calling them) and who cannot, with why.
func (v View) people() []string {
	if !v.needsPeople() {
		return nil
	}
	can, cannot := v.Decision.CanApprove, v.Decision.CannotApprove
	var yes, no []string
	for _, a := range can[:min(len(can), maxPeople)] {
		yes = append(yes, mention(a))
	}
	if more := len(can) - maxPeople; more > 0 {
		yes = append(yes, fmt.Sprintf("and %d more", more))
	}
	for _, i := range cannot[:min(len(cannot), maxPeople)] {
		no = append(no, fmt.Sprintf("%s (%s)", login(i.Account), said(i.Why)))
	}
	if more := len(cannot) - maxPeople; more > 0 {
		no = append(no, fmt.Sprintf("and %d more", more))
	}
	line := "**Can approve:** " + strings.Join(yes, ", ") + "."
	if len(yes) == 0 {
		line = "**" + Nobody(can, cannot) + "**"
	}
	if len(no) > 0 {
		line += " **Cannot:** " + strings.Join(no, ", ") + "."
	}
	return []string{line}
}

func (v View) needsPeople() bool {
	for _, c := range v.Decision.Checks {
		if c.Outcome != gate.Granted && isForPeople(c.Name) && !c.Unread {
			return true
		}
	}
	return false
}

// approvers says who approved, and who covered what by a review.
func (v View) approvers() []string {
	names := v.approved(login)
	if len(names) == 0 {
		return nil
	}
	return []string{"✅ Approved by " + strings.Join(names, ", ")}
}
