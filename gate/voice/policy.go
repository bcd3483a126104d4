package voice

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// PolicyView is a PR/MR that changes the policy file, as it is told.
type PolicyView struct {
	Kind     gate.ForgeKind
	Change   gate.PolicyChange
	Cooldown time.Duration
	// Fault is why the changed file does not read; nil where it does.
	Fault    error
	Replayed []gate.Replayed // newest first
}

// Policy is the check on a change of the policy file: its state, its title in plain text
// and a summary in Markdown. A past release that would now wait is no fault of the file:
// it is what its reviewer has to see.
func Policy(v PolicyView) (gate.PostState, string, string) {
	switch {
	case v.Change.Deleted:
		return gate.PostFailure, "Takes the policy away: nothing could be released any more",
			"Without `.countersign.yaml` on the default branch every request is refused.\n"
	case v.Fault != nil:
		return gate.PostFailure, plain("Does not read: "+sentenceOf(v.Fault), maxStatus), fault(v.Fault)
	}
	same := 0
	for _, r := range v.Replayed {
		if r.Outcome == gate.Granted {
			same++
		}
	}
	title := "Reads; no release to try it on yet"
	if n := len(v.Replayed); n > 0 {
		title = fmt.Sprintf("Reads; %d of the last %d releases would pass", same, n)
	}
	return gate.PostSuccess, title, v.summary()
}

func (v PolicyView) summary() string {
	var b strings.Builder
	if len(v.Replayed) > 0 {
		b.WriteString("The last releases, judged again under this file on what the forge shows now:\n\n")
		b.WriteString("| | Release | Outcome | Why |\n|---|---|---|---|\n")
	}
	for _, r := range v.Replayed {
		fmt.Fprintf(&b, "| %s | %s (%s) | %s | %s |\n", outcomeIcon(r.Outcome), escape(gate.ShortRef(r.Ref), shortText),
			gate.ShortCommit(r.Commit), escape(r.Outcome.String(), shortText), said(r.Why))
	}
	after := ""
	if v.Cooldown > 0 {
		after = fmt.Sprintf(", %s after that was seen", v.Cooldown)
	}
	fmt.Fprintf(&b, "\nIt comes into force once it is merged and somebody who did not write it reviewed it before the merge%s. "+
		"Until then the version in force judges.\n", after)
	return b.String()
}

func sentenceOf(err error) string {
	var e *gate.Error
	if errors.As(err, &e) {
		line, _, _ := strings.Cut(e.Text, "\n")
		return line
	}
	return "it is no policy"
}

// fault shows the place in the file as the linter does.
func fault(err error) string {
	var e *gate.Error
	if !errors.As(err, &e) {
		return "It is no policy.\n"
	}
	var b strings.Builder
	fence := "```"
	for strings.Contains(e.Text, fence) {
		fence += "`"
	}
	fmt.Fprintf(&b, "%s\n%s\n%s\n", fence, strings.ReplaceAll(e.Text, "@", "@\u200b"), fence)
	if e.Expected != "" {
		fmt.Fprintf(&b, "\nExpected %s, got %s.\n", said(e.Expected), said(e.Got))
	}
	if e.Fix != "" {
		fmt.Fprintf(&b, "\n**What to do:** %s\n", said(e.Fix))
	}
	return b.String()
}
