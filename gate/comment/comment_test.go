package comment_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/comment"
)

func TestCommands(t *testing.T) {
	for _, row := range []struct {
		body string
		want comment.Command
	}{
		{"/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"/countersign approve\r\n", comment.Command{Verb: gate.VerbApprove}},
		{"/countersign approve k7q2", comment.Command{Verb: gate.VerbApprove, Code: "k7q2"}},
		{"/countersign approve K7Q2 ship it", comment.Command{Verb: gate.VerbApprove, Code: "k7q2", Text: "ship it"}},
		{"/countersign approve nice work", comment.Command{Verb: gate.VerbApprove, Text: "nice work"}},
		{"/countersign approve k1l0", comment.Command{Verb: gate.VerbApprove, Code: "k1l0"}},
		{"/countersign deny this breaks the build", comment.Command{Verb: gate.VerbDeny, Text: "this breaks the build"}},
		{"/countersign deny 4x7b  wrong   files ", comment.Command{Verb: gate.VerbDeny, Code: "4x7b", Text: "wrong   files"}},
		{"/countersign deny", comment.Command{Verb: gate.VerbDeny}},
		{"/countersign hold", comment.Command{Verb: gate.VerbHold}},
		{"/countersign unhold", comment.Command{Verb: gate.VerbUnhold}},
		{"/countersign withdraw", comment.Command{Verb: gate.VerbWithdraw}},
		{"/countersign retry", comment.Command{Verb: gate.VerbRetry}},
		{"/countersign status", comment.Command{Verb: gate.VerbStatus}},
		{"/countersign help", comment.Command{Verb: gate.VerbHelp}},
		{"/Countersign Approve", comment.Command{Verb: gate.VerbApprove}},
		{"  /countersign\tapprove  ", comment.Command{Verb: gate.VerbApprove}},
		{"Looked at all of it.\r\n\r\n/countersign approve\r\n\r\nThanks!", comment.Command{Verb: gate.VerbApprove}},
		{"/countersign approve\nThanks, looks good.", comment.Command{Verb: gate.VerbApprove}},
		{"# Review\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"- one\n- two\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"> said ana\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"<!-- template -->\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"<details><summary>log</summary>\n\ntext\n\n</details>\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"one<br>two\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{">>>\nsaid ana\n>>>\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"/countersign approve\n\nsaid twice:\n\n/countersign approve", comment.Command{Verb: gate.VerbApprove}},
		{"/approve-release k7q2", comment.Command{Verb: gate.VerbApprove, Code: "k7q2"}},
	} {
		got, ok := comment.Parse(row.body, "/approve-release", "")
		if !ok {
			t.Errorf("%q: no command", row.body)
			continue
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row.body, diff)
		}
		if hint, has := comment.Hint(row.body, "/approve-release"); has {
			t.Errorf("%q: hint beside a command: %s", row.body, hint)
		}
	}
}

// attack 49: what is quoted, listed, fenced, hidden or replied to is no command.
func TestNoCommands(t *testing.T) {
	for what, body := range map[string]string{
		"nothing":                        "",
		"prose":                          "I would approve this.",
		"quote":                          "> /countersign approve",
		"quote, lazily continued":        "> somebody said\n/countersign approve",
		"quote in a quote":               "> > /countersign approve",
		"list":                           "- /countersign approve",
		"numbered list":                  "1. /countersign approve",
		"list, second paragraph":         "- one\n\n  /countersign approve",
		"list, lazily continued":         "- one\n/countersign approve",
		"task list":                      "- [x] /countersign approve",
		"fence":                          "```\n/countersign approve\n```",
		"fence with a language":          "```sh\n/countersign approve\n```",
		"fence that is never closed":     "```\n/countersign approve",
		"tilde fence":                    "~~~\n/countersign approve\n~~~",
		"indented code":                  "    /countersign approve",
		"tab-indented code":              "\t/countersign approve",
		"code span":                      "`/countersign approve`",
		"HTML comment":                   "<!-- /countersign approve -->",
		"HTML comment over lines":        "<!--\n/countersign approve\n-->",
		"HTML comment with blank lines":  "<!--\n\n/countersign approve\n\n-->",
		"HTML comment, never closed":     "<!--\n\n/countersign approve",
		"after an HTML comment's end":    "<!-- x --> /countersign approve",
		"HTML quote":                     "<blockquote>\n\n/countersign approve\n\n</blockquote>",
		"HTML quote behind a comment":    "<!-- x --><blockquote>\n\n/countersign approve",
		"HTML element opened in a line":  "see <blockquote>\n\n/countersign approve",
		"pre":                            "<pre>\n\n/countersign approve\n\n</pre>",
		"details":                        "<details>\n\n/countersign approve\n\n</details>",
		"table":                          "| /countersign approve |\n|---|\n| x |",
		"table without its outer bars":   "/countersign approve | x\n--- | ---\n1 | 2",
		"heading":                        "# /countersign approve",
		"underlined heading":             "/countersign approve\n---",
		"GitLab quote":                   ">>>\n/countersign approve\n>>>",
		"GitLab quote, blank lines":      ">>>\n\n/countersign approve\n\n>>>",
		"GitLab quote, never closed":     "text\n\n>>>\n\n/countersign approve",
		"second line":                    "Fine with me:\n/countersign approve",
		"middle of a line":               "please /countersign approve",
		"emphasised":                     "**/countersign approve**",
		"escaped":                        `\/countersign approve`,
		"entity":                         "&#47;countersign approve",
		"link":                           "[/countersign approve](https://example.org)",
		"e-mail reply":                   "Will look.\n\nOn Mon, 2 Mar 2026 at 10:00, Ana <ana@example.org> wrote:\n\n/countersign approve",
		"e-mail reply, folded":           "On Mon, 2 Mar 2026 at 10:00, Ana\n<ana@example.org> wrote:\n\n/countersign approve",
		"e-mail reply, quoted":           "OK.\n\nOn Mon, Ana wrote:\n> /countersign approve",
		"Outlook reply":                  "OK.\n\nFrom: Ana\nSent: Monday\n\n/countersign approve",
		"original message":               "-----Original Message-----\n\n/countersign approve",
		"no space":                       "/countersignapprove",
		"no-break space":                 "/countersign\u00a0approve",
		"zero-width space":               "/countersign approve\u200b",
		"Cyrillic letters":               "/countersign appr\u043eve",
		"full stop":                      "/countersign approve.",
		"another's command":              "/approve",
		"no verb":                        "/countersign",
		"unknown verb":                   "/countersign sign",
		"typo in the word":               "/countresign approve",
		"typo in the verb":               "/countersign aprove",
		"approve and deny":               "/countersign approve\n\n/countersign deny no",
		"approve and deny, one para":     "/countersign approve\n/countersign deny no",
		"two codes":                      "/countersign approve k7q2\n\n/countersign approve m3x9",
		"too long":                       "/countersign approve\n\n" + strings.Repeat("x", comment.MaxBody),
		"alias that is not configured":   "/ship-it",
		"footnote":                       "[^1]: /countersign approve",
		"definition that looks like one": "[x]: /countersign",
	} {
		if got, ok := comment.Parse(body, "/approve-release"); ok {
			t.Errorf("%s: %q is taken for %+v", what, body, got)
		}
	}
}

func TestHints(t *testing.T) {
	for _, row := range []struct{ body, says string }{
		{"`/countersign approve`", "backticks"},
		{"`/countersign aprove` please", "backticks"},
		{"/countersign aprove", "did you mean `/countersign approve`?"},
		{"/countersign approved", "did you mean `/countersign approve`?"},
		{"/countersign approve.", "did you mean `/countersign approve`?"},
		{"/countersign dney it", "did you mean `/countersign deny`?"},
		{"/countresign approve", "did you mean `/countersign approve`?"},
		{"/countersig", "did you mean `/countersign help`?"},
		{"/countersign", "comes one of `approve`"},
		{"/countersign launch", "comes one of `approve`"},
		{"Fine with me:\n/countersign approve", "empty line"},
		{"<blockquote>\n\n/countersign approve", "HTML"},
		{">>>\n\n/countersign approve", "HTML or a quote"},
		{"/countersign approve\n\n/countersign deny no", "several commands"},
		{"/countersign approve\n\n" + strings.Repeat("x", comment.MaxBody), "too long"},
	} {
		got, ok := comment.Hint(row.body)
		if !ok || !strings.Contains(got, row.says) {
			t.Errorf("%q: hint %q, want one that says %q", row.body, got, row.says)
		}
	}
	for _, body := range []string{
		"", "prose", "> /countersign approve", "- /countersign approve", "```\n/countersign approve\n```", "/approve", "/cc @ana",
		"/assign", "`code`", "<!-- /countersign approve -->", "/home/countersign is full",
	} {
		if got, ok := comment.Hint(body); ok {
			t.Errorf("%q: hint %q, want none", body, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/countersign approve", "> /countersign approve", "<b>\n\n/countersign deny x", ">>>\n/countersign approve\n>>>",
		"```\n/countersign approve", "- a\n\n\t/countersign approve", "a\r/countersign approve", "| a |\n|-|\n/countersign approve",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		cmd, ok := comment.Parse(body)
		hint, hinted := comment.Hint(body)
		if ok && hinted {
			t.Errorf("%q: both a command and the hint %q", body, hint)
		}
		if ok && (cmd.Verb == "" || !strings.Contains(strings.ToLower(body), comment.Word)) {
			t.Errorf("%q: %+v out of nothing", body, cmd)
		}
		// Quoting a comment disarms it, whatever is in it.
		quoted := "> " + strings.NewReplacer("\r\n", "\n> ", "\n", "\n> ", "\r", "\n> ").Replace(body)
		if cmd, ok := comment.Parse(quoted); ok {
			t.Errorf("%q: quoted, still %+v", quoted, cmd)
		}
	})
}
