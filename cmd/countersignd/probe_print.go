package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate"
)

// page writes text for people: wrapped, and indented.
type page struct{ *bufio.Writer }

const (
	pageWidth = 96
	column    = 12 // of outcomes and levels
)

func (p page) line(format string, args ...any) { _, _ = fmt.Fprintf(p, format+"\n", args...) }

// row puts a word in front of a text that is wrapped beside it.
func (p page) row(word, text string) {
	for i, l := range wrap(text, pageWidth-2-column) {
		if i > 0 {
			word = ""
		}
		p.line("  %-*s%s", column, word, l)
	}
}

// below is a text under a row's, further in, as a sentence.
func (p page) below(format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), ". ") + "."
	for _, l := range wrap(text, pageWidth-4-column) {
		p.line("  %-*s  %s", column, "", l)
	}
}

// text is wrapped over the page's width.
func (p page) text(format string, args ...any) {
	for _, l := range wrap(fmt.Sprintf(format, args...), pageWidth) {
		p.line("%s", l)
	}
}

// wrap breaks lines between words; line ends of the text stay.
func wrap(text string, width int) []string {
	var lines []string
	for part := range strings.Lines(text) {
		line := ""
		for _, w := range strings.Fields(part) {
			switch {
			case line == "":
				line = w
			case len([]rune(line))+1+len([]rune(w)) > width:
				lines = append(lines, line)
				line = w
			default:
				line += " " + w
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// word is how an outcome is printed.
func word(o probe.Outcome) string {
	return map[probe.Outcome]string{probe.Holds: "holds", probe.Fails: "fails", probe.Untold: "not told"}[o]
}

// print tells a person. Of what holds it tells nothing more; of all else what was seen,
// what follows, and how to find out.
func (t told) print(out io.Writer) error {
	p := page{bufio.NewWriter(out)}
	on, how := string(t.report.Kind), "reading only"
	if t.report.Version != "" {
		on += " " + t.report.Version
	}
	if t.asked.Write {
		how = "writing too"
	}
	p.text("Probed %s (%s, %s) with %s: %s, %s.", t.report.Forge, t.report.URL, on, t.asked.Repository, count(t.report.Calls, "call"), how)
	facts := probe.Facts(t.report.Kind)
	for i, f := range facts {
		if i == 0 || f.Area != facts[i-1].Area {
			p.line("\n%s", f.Area)
		}
		found := t.report.Find(f.ID)
		p.row(word(found.Outcome), f.Assumes)
		switch found.Outcome {
		case probe.Fails:
			p.failed(f, found)
		case probe.Untold:
			if i+1 == len(facts) || facts[i+1].Area != f.Area || t.how(f) != t.how(facts[i+1]) {
				p.below("%s", t.how(f))
			}
		case probe.Holds:
		}
	}
	t.sum(p)
	t.unsettled(p)
	return p.Flush()
}

// how says how to find out what could not be told; "" of what was. Where it is the same
// for several facts in a row it is said once.
func (t told) how(f probe.Fact) string {
	switch found := t.report.Find(f.ID); {
	case found.Outcome != probe.Untold:
		return ""
	case found.Asked:
		return "Why: " + found.Why
	default:
		return "To find out: " + f.HowToTell(found)
	}
}

func (p page) failed(f probe.Fact, found probe.Finding) {
	p.below("Seen: %s", found.Why)
	p.below("Used for: %s", f.Used)
	if f.Copes {
		p.below("The gate copes: %s", f.Follows)
		return
	}
	p.below("What follows: %s", f.Follows)
}

func (t told) sum(p page) {
	n := map[probe.Outcome]int{}
	facts := probe.Facts(t.report.Kind)
	copes := 0
	for _, f := range facts {
		o := t.report.Find(f.ID).Outcome
		n[o]++
		if o == probe.Fails && f.Copes {
			copes++
		}
	}
	fail := "none fails"
	if n[probe.Fails] > 0 {
		fail = fmt.Sprintf("%d fail (the gate copes with %d of them)", n[probe.Fails], copes)
	}
	p.line("")
	p.text("Of %s, %d hold, %s, %d could not be told.", count(len(facts), "fact"), n[probe.Holds], fail, n[probe.Untold])
	for _, l := range t.report.Left {
		p.text("Left in %s: %s.", t.asked.Repository, l)
	}
	p.line("Kept for countersignd doctor in %s.", t.kept)
	if t.transcript != "" {
		p.line("Transcript, without secrets and names, in %s.", t.transcript)
	}
}

// unsettled prints the CI file where only a job can tell what is open.
func (t told) unsettled(p page) {
	if !t.needsJob() {
		return
	}
	path, text := probe.Workflow(t.report.Kind, t.asked.Server)
	start := ""
	if t.report.Kind == gate.GitHub {
		start = "start it under Actions, "
	}
	p.line("")
	p.text("To find out about ID tokens, commit this to %s as %s, %scopy the line [{…},{…}] of its log into a file, and probe again "+
		"with --claims FILE. The line holds claims, no ID token, and names the account that started the job.", t.asked.Repository, path, start)
	p.line("\n%s", strings.TrimRight(text, "\n"))
}

func (t told) needsJob() bool {
	for _, f := range probe.Facts(t.report.Kind) {
		if f.Needs == probe.NeedsJob && t.known.Find(f.ID).Outcome == probe.Untold {
			return true
		}
	}
	return false
}

// probedJSON is a probe as --json prints it.
type probedJSON struct {
	Forge      string       `json:"forge"`
	Kind       string       `json:"kind"`
	URL        string       `json:"url"`
	Version    string       `json:"version,omitempty"`
	Repository string       `json:"repository"`
	At         string       `json:"at"`
	Calls      int          `json:"calls"`
	Facts      []probedFact `json:"facts"`
	Left       []string     `json:"left"`
	Findings   string       `json:"findings"`
	Transcript string       `json:"transcript,omitempty"`
	Workflow   string       `json:"workflow,omitempty"`
}

type probedFact struct {
	ID      string        `json:"id"`
	Area    string        `json:"area"`
	Assumes string        `json:"assumes"`
	Used    string        `json:"used"`
	Outcome probe.Outcome `json:"outcome"`
	Why     string        `json:"why,omitempty"`
	Follows string        `json:"follows,omitempty"` // where it fails
	Copes   bool          `json:"copes"`
	Needs   probe.Need    `json:"needs"`
	How     string        `json:"how,omitempty"` // where it could not be told
}

func (t told) json() probedJSON {
	r := t.report
	out := probedJSON{
		Forge: string(r.Forge), Kind: string(r.Kind), URL: r.URL, Version: r.Version, Repository: t.asked.Repository,
		At: r.At.Format("2006-01-02T15:04:05Z07:00"), Calls: r.Calls, Left: append([]string{}, r.Left...), Findings: t.kept, Transcript: t.transcript,
	}
	for _, f := range probe.Facts(r.Kind) {
		found := r.Find(f.ID)
		row := probedFact{ID: f.ID, Area: f.Area, Assumes: f.Assumes, Used: f.Used, Outcome: found.Outcome, Why: found.Why, Copes: f.Copes, Needs: f.Needs}
		switch found.Outcome {
		case probe.Fails:
			row.Follows = f.Follows
		case probe.Untold:
			row.How = f.HowToTell(found)
		case probe.Holds:
		}
		out.Facts = append(out.Facts, row)
	}
	if t.needsJob() {
		_, out.Workflow = probe.Workflow(r.Kind, t.asked.Server)
	}
	return out
}
