package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// teller prints the story: plain text that survives a log file.
type teller struct{ w io.Writer }

func (t teller) opening(s *stage.Stage) {
	fmt.Fprintf(t.w, `Countersign: a release is signed only after somebody who did not write it approved.

Everything runs on this machine: doubles of GitHub (%s) and
GitLab (%s), a SoftHSM token with the signing key, and the
real daemon (%s) and client. The people: ana, bo and cy may
write to acme/widget, eve is its administrator, gus may only read.
`, s.GitHub.URL(), s.GitLab.URL(), s.URL)
}

func (t teller) chapter(team *stage.Team) {
	name := map[string]string{"github": "GitHub", "gitlab": "GitLab"}[team.World.Name()]
	fmt.Fprintf(t.w, "\n== %s %s ==\n", name, strings.Repeat("=", 60))
}

func (t teller) step(format string, args ...any) { fmt.Fprintf(t.w, "\n"+format+"\n", args...) }
func (t teller) command(s string)                { fmt.Fprintf(t.w, "  $ %s\n", s) }
func (t teller) result(s string)                 { fmt.Fprintf(t.w, "    %s\n", s) }
func (t teller) item(s string)                   { fmt.Fprintf(t.w, "  %s\n", s) }
func (t teller) refused(why string)              { fmt.Fprintf(t.w, "  refused: %s\n", why) }

func (t teller) quote(body string) {
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "<!--") {
			fmt.Fprintf(t.w, "  | %s\n", strings.TrimRight(line, "\n"))
		}
	}
}

func (t teller) checks(checks []api.Check) {
	for _, c := range checks {
		mark := map[gate.Outcome]string{gate.Granted: "✓", gate.Waiting: "…", gate.Denied: "✗"}[c.Outcome]
		fmt.Fprintf(t.w, "  %s %s: %s\n", mark, c.Title, c.Reason)
	}
}

func (t teller) closing(out string) {
	fmt.Fprintf(t.w, "\nWhat both releases left is in %s/github and %s/gitlab.\n", out, out)
}

// invite asks the reader to approve.
func (t teller) invite(page string) {
	fmt.Fprintf(t.w, `
== Your turn %s ==

ana changed the widget once more, eve tagged it, and the release job waits. Approve it:

  1. Open %s
  2. Sign in: the double of GitHub asks who you are. As ana you cannot approve; as cy you can.
  3. Press Approve.

The servers stay up until Ctrl-C.
`, strings.Repeat("=", 57), page)
}

func (t teller) signed(bundle string) {
	fmt.Fprintf(t.w, "\nSigned. The job collected %s, and openssl verifies it. Ctrl-C ends the demo.\n", bundle)
}
