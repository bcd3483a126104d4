package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/verify"
)

// showVerified prints what was found, and fails where it does not verify.
func (a *app) showVerified(r verify.Report) error {
	ok := r.OK()
	var err error
	if a.flags.json {
		err = a.printJSON(struct {
			OK bool `json:"ok"`
			verify.Report
		}{ok, r})
	} else {
		v := verified{paint: newConsole(a.stdout, a.env).paint, verbose: a.flags.verify.verbose}
		v.report(r)
		err = a.print(v.out.String())
	}
	if err != nil || ok {
		return err
	}
	where, step := firstFailed(r.Result)
	f := failed(ExitFailed, plain(r.Result.Name)+" does not verify", "", where+": "+step.Detail,
		orElse(step.Fix, "do not use it: fetch it again from where it was released, and tell its maintainers where that stays so"))
	f.printed = true
	return f
}

// verified writes a report for people.
type verified struct {
	out     strings.Builder
	paint   func(styled) string
	verbose bool
}

func (v *verified) line(outcome, format string, args ...any) {
	v.out.WriteString(v.paint(styled{outcome, fmt.Sprintf(format, args...)}) + "\n")
}

// report is the verdict, what it says, and why.
func (v *verified) report(r verify.Report) {
	if f := r.Release; f != nil {
		v.facts(*f)
		v.out.WriteString("\n")
	}
	v.step(r.Result, 0)
	if !v.verbose {
		v.unchecked(r.Result)
	}
}

// facts say what was released, by whose leave.
func (v *verified) facts(f verify.Facts) {
	v.line("granted", "✓ %s of %s verifies", plain(f.Name), plain(f.URL))
	row := func(what, text string) { v.line("", "  %-10s %s", what, plain(text)) }
	row("repository", f.Repository)
	row("commit", f.Commit)
	var people []string
	for _, who := range f.Approvers {
		people = append(people, approver(who))
	}
	row("approved", "by "+orElse(strings.Join(people, ", "), "nobody: its changes were reviewed"))
	if f.Signed != nil {
		row("signed", "before "+f.Signed.Format(time.RFC3339))
	}
	row("key", fmt.Sprintf("%s version %d, in %s, %s", f.Lineage, f.Version, f.Storage, f.Key))
	row("gate", f.Server)
	if f.Log != "" {
		row("on record", "in the log "+f.Log)
	}
	for i, s := range f.Artifacts {
		what := "artifacts"
		if i > 0 {
			what = ""
		}
		const shown = 20
		if i == shown {
			row(what, fmt.Sprintf("and %d more", len(f.Artifacts)-shown))
			break
		}
		row(what, s.Name)
	}
	if f.NotLookedAt > 0 {
		row("", fmt.Sprintf("(%d others of the release were not looked at)", f.NotLookedAt))
	}
}

func approver(a gate.Account) string { return fmt.Sprintf("@%s (%s)", a.Login, a.ID) }

// long are digests and fingerprints. Where they hold, their beginnings are enough to tell one
// from the other.
var long = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b|(SHA256:[0-9A-Za-z+/]{8})[0-9A-Za-z+/]{35}`) //nolint:gochecknoglobals // immutable

// step writes a step and what it is made of. Unless everything was asked for, what passed is
// told in one line; who stands for the release, and what did not pass, whole.
func (v *verified) step(r verify.Result, depth int) {
	sign, outcome := "✓", "granted"
	switch r.Outcome {
	case verify.Passed:
	case verify.NotChecked:
		sign, outcome = "–", "waiting"
	default:
		sign, outcome = "✗", "denied"
	}
	text := plain(r.Name)
	if r.Outcome == verify.NotChecked {
		text += " (not checked)"
	}
	if r.Detail != "" {
		detail := plain(r.Detail)
		if r.Outcome == verify.Passed && !v.verbose {
			detail = long.ReplaceAllString(detail, "$1$2…")
		}
		text += ": " + detail
	}
	v.line(outcome, "%s%s %s", strings.Repeat("  ", depth), sign, text)
	if depth > 0 && r.Outcome == verify.Passed && r.Detail != "" && r.Name != verify.People && !v.verbose {
		return
	}
	for _, s := range r.Steps {
		v.step(s, depth+1)
	}
}

// unchecked says once what was not checked, however many bundles it is about.
func (v *verified) unchecked(r verify.Result) {
	seen := map[string]bool{}
	var walk func(verify.Result)
	walk = func(r verify.Result) {
		if text := plain(r.Name + ": " + r.Detail); r.Outcome == verify.NotChecked && !seen[text] {
			if len(seen) == 0 {
				v.line("waiting", "\nNot checked:")
			}
			seen[text] = true
			v.line("waiting", "  – %s", text)
		}
		for _, s := range r.Steps {
			walk(s)
		}
	}
	walk(r)
}
