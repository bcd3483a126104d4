package main

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/voice"
)

// summarise appends an account to the job summary, where the CI has one
// (GITHUB_STEP_SUMMARY; GitLab has none).
func (a *app) summarise(of account) error {
	path := a.env["GITHUB_STEP_SUMMARY"]
	if path == "" {
		return nil
	}
	if err := appendTo(path, of.summary()); err != nil {
		return broken("the job summary cannot be written", err, "give --show-summary=false")
	}
	return nil
}

// summary is the account in GitHub's Markdown. Everything from outside is escaped.
func (a account) summary() string {
	var b strings.Builder
	if r := a.release; r != nil {
		fmt.Fprintf(&b, "### Release %s: %s\n\n", markdown(gate.ShortRef(r.Ref)), markdown(headline(*r)))
		if r.Standing != "" {
			b.WriteString(markdown(r.Standing) + "\n\n")
		}
		b.WriteString(links(*r))
	} else {
		b.WriteString("### Release: not signed\n\n")
	}
	if a.skipped {
		b.WriteString("This is a fork, and the gate is not installed on it\\. Nothing has to be done\\.\n")
		return b.String()
	}
	if a.failure != nil {
		b.WriteString(told(a.failure.problem))
		b.WriteString(markdownTable("Claim", claimRows(a.failure.problem.Claims)))
	}
	if a.release != nil {
		b.WriteString(checklist(*a.release))
		if a.failure != nil {
			b.WriteString(markdownTable("Check", checkRows(a.release)))
		}
		b.WriteString(digests(*a.release))
		if len(a.files) > 0 {
			b.WriteString(verifying(*a.release))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// told is a problem in words.
func told(p api.Problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**", markdown(p.Title))
	if p.Code != "" {
		fmt.Fprintf(&b, " (`%s`)", codeSpan(p.Code))
	}
	b.WriteString("\n\n")
	for _, x := range []struct{ label, text string }{{"Expected", p.Expected}, {"Got", p.Got}, {"Fix", p.Fix}} {
		first, rest, several := strings.Cut(strings.TrimRight(x.text, "\n"), "\n")
		switch {
		case several:
			fmt.Fprintf(&b, "%s: %s\n\n%s\n", x.label, markdown(first), indented(rest))
		case first != "":
			fmt.Fprintf(&b, "%s: %s\n\n", x.label, markdown(first))
		}
	}
	return b.String()
}

// indented is a block of code, in which nothing acts: there may be YAML to paste. What all
// lines are indented by is no part of it.
func indented(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	margin := -1
	for _, l := range lines {
		if rest := strings.TrimLeft(l, " "); rest != "" && (margin < 0 || len(l)-len(rest) < margin) {
			margin = len(l) - len(rest)
		}
	}
	var b strings.Builder
	for _, l := range lines {
		rest := strings.TrimLeft(l, " ")
		b.WriteString("    " + strings.Repeat(" ", max(0, len(l)-len(rest)-max(0, margin))) + plain(rest) + "\n")
	}
	return b.String()
}

// links lead to where people read and talk about the release.
func links(r api.Release) string {
	var out []string
	for _, l := range []struct{ text, url string }{
		{"Release page", r.URL}, {"Discussion", r.ThreadURL}, {"What changed", r.CompareURL},
	} {
		if link := webLink(l.url); link != "" {
			out = append(out, "["+l.text+"]("+link+")")
		}
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, " · ") + " · code `" + codeSpan(r.Code) + "`\n\n"
}

// checklist is every check with its outcome and, where it did not pass, what to do.
func checklist(r api.Release) string {
	var b strings.Builder
	for _, c := range r.Checks {
		mark := " "
		if c.Outcome == gate.Granted {
			mark = "x"
		}
		fmt.Fprintf(&b, "- [%s] **%s** (%s): %s\n", mark, markdown(title(c)), voice.OutcomeWord(c.Outcome), markdown(c.Reason))
		if c.Outcome != gate.Granted && c.Fix != "" {
			fmt.Fprintf(&b, "  - Fix: %s\n", markdown(c.Fix))
		}
	}
	for _, l := range openPoints(r) {
		fmt.Fprintf(&b, "- %s\n", markdown(l))
	}
	return b.String()
}

func digests(r api.Release) string {
	var b strings.Builder
	b.WriteString("\n| File | SHA-256 |\n|---|---|\n")
	for _, s := range r.Subjects {
		fmt.Fprintf(&b, "| %s | `%s` |\n", markdown(s.Name), s.SHA256)
	}
	fmt.Fprintf(&b, "\nTheir manifest (SHA256SUMS): `%s`\n", r.ManifestDigest)
	return b.String()
}

// verifying is how whoever downloads the release verifies it.
func verifying(r api.Release) string {
	if len(r.Subjects) == 0 {
		return ""
	}
	how := voice.VerifyWith(attest.KeyName, r.Subjects[0].Name)
	return fmt.Sprintf("\nVerify, with the public key and the trusted root that you trust:\n\n```sh\n%s\n%s\n```\n", how.Countersign, how.Cosign)
}

// webLink is a URL that cannot end the link it stands in; "" where it is none.
func webLink(raw string) string {
	u, err := secureURL(raw)
	if err != nil || strings.ContainsAny(raw, " ()<>[]\\\"'`\n\r\t") {
		return ""
	}
	return u.String()
}

func codeSpan(s string) string { return strings.ReplaceAll(plain(s), "`", "") }
