package voice

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxDeployment is the longest comment that GitHub takes about a deployment, in
// characters.
const maxDeployment = 1024

// Refusal answers a statement that does not count, in one Markdown line.
func Refusal(i gate.Ignored) string {
	who, what := login(i.Approval.By), noun(i.Approval.Verb)
	if i.Unread {
		return fmt.Sprintf("The %s by %s does not count yet: %s. It is looked at again.", what, who, said(i.Why))
	}
	if i.Approval.Verb == gate.VerbApprove {
		return fmt.Sprintf("The approval by %s does not count: %s. Ask another maintainer, or approve again in a new comment once that is settled.",
			who, said(i.Why))
	}
	return fmt.Sprintf("The %s by %s does not count: %s.", what, who, said(i.Why))
}

// noun is what a verb's statement is called.
func noun(v gate.Verb) string {
	if n, ok := map[gate.Verb]string{gate.VerbApprove: "approval", gate.VerbDeny: "denial"}[v]; ok {
		return n
	}
	return "`" + string(v) + "`"
}

// Help lists the commands, in Markdown.
func Help() string {
	return strings.Join([]string{
		"Write one of these on a line of its own, in a new comment:",
		"",
		"| Command | What it does |",
		"|---|---|",
		"| `/countersign approve` | approves the waiting release; counts for every change that you did not write |",
		"| `/countersign deny REASON` | ends it; whoever asked has to ask again |",
		"| `/countersign hold [REASON]` | keeps it waiting, for anyone who may write |",
		"| `/countersign unhold` | lifts your own hold, or, if you can approve, everybody's |",
		"| `/countersign withdraw` | takes your own approval back, until it is signed |",
		"| `/countersign status` | says what it waits for |",
		"| `/countersign retry` | reads and judges everything again now |",
		"",
		"Where several releases wait in one place, the four characters of their codes tell them apart: `/countersign approve K7QM`.",
	}, "\n")
}

// Report answers a question for the state of a request, in Markdown.
func Report(v View) string {
	lines := []string{
		fmt.Sprintf("%s %s — %s", v.icon(), escape(v.Request.ShortRef(), shortText), Headline(v)), Standing(v),
	}
	for _, l := range v.lines() {
		lines = append(lines, strings.ReplaceAll(l, "@", "@\u200b"))
	}
	return strings.Join(append(lines, link("Release page", v.ReleaseURL)), "\n\n")
}

// Reminder calls those who can approve again, in one Markdown line. It is empty where
// people are not what the request waits for.
func Reminder(v View) string {
	can := v.Decision.CanApprove
	if v.mood() != moodWaiting || v.Decision.Audit || v.turn() != turnPeople || len(can) == 0 {
		return ""
	}
	var who []string
	for _, a := range can[:min(len(can), maxPeople)] {
		who = append(who, mention(a))
	}
	return fmt.Sprintf("🔔 %s still waits for approval, until %s. %s: comment `/countersign approve`, or see the %s.",
		escape(v.Request.ShortRef(), shortText), v.Request.Expires.UTC().Format("Mon 2 Jan 15:04 UTC"),
		strings.Join(who, ", "), link("release page", v.ReleaseURL))
}

// PlayByHand asks for a click on a manual job of GitLab that the gate may not play itself, in
// one Markdown line.
func PlayByHand(v View, job string) string {
	pipeline := "its pipeline"
	if v.RepositoryURL != "" && v.Request.Run.RunID > 0 {
		pipeline = link("its pipeline", fmt.Sprintf("%s/-/pipelines/%d", v.RepositoryURL, v.Request.Run.RunID))
	}
	return fmt.Sprintf("▶️ %s is signed, and the job %s waits to collect the signatures. GitLab does not let the gate play it: "+
		"somebody who may run it plays it in %s. To have the gate do so, let its account create the release's tags, or merge into its branch.",
		escape(v.Request.ShortRef(), shortText), escape(job, shortText), pipeline)
}

// Deployment is what a job that waits for the gate is told, in plain text.
func Deployment(v View) string {
	text := capital(v.line())
	if v.mood() == moodEnded {
		if _, fix := v.ending(); fix != "" {
			text += ". What to do: " + fix
		}
	}
	return plain(text+". "+v.ReleaseURL, maxDeployment)
}

// Unasked is what a job is told that waits for a release which its run did not ask for, in
// plain text.
func Unasked(server string) string {
	return plain("Countersign lets this job begin once the release that its run asks for is signed. The run asked for none yet: "+
		"let an earlier job of this workflow ask, with countersign request. "+server, maxDeployment)
}
