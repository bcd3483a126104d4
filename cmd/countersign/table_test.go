package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

// misdirected is the gate's refusal of an ID token, claim by claim.
func misdirected(claims ...gate.ClaimCheck) answer {
	b, err := json.Marshal(api.Problem{
		Title: "the ID token was made for something else", Status: http.StatusUnauthorized, Code: gate.CodeAudience.String(),
		Expected: "this audience", Got: "that audience", Fix: "get another", Claims: claims,
	})
	if err != nil {
		panic(err)
	}
	return answer{http.StatusUnauthorized, map[string]string{"Content-Type": api.MediaProblem}, string(b)}
}

func someClaims() []gate.ClaimCheck {
	return []gate.ClaimCheck{
		{Claim: "iss", Expected: "https://issuer.example, as configured", Got: "https://issuer.example", OK: true},
		{Claim: "aud", Expected: "countersign:gate", Got: "sigstore"},
		{Claim: "environment", Expected: "any, or nothing", OK: true},
	}
}

func TestClaimsTable(t *testing.T) {
	for what, w := range map[string]*world{"GitHub": newWorld(t), "GitLab": newWorld(t).onGitLab()} {
		w.answers["POST /v1/releases"] = []answer{misdirected(someClaims()...)}
		got := w.sign()
		w.expect(got, main.ExitIdentity, "made for something else [CS-1005]", "expected: this audience", "fix:      get another")
		want := "             claim        expected                               got\n" +
			"  ✓ ok       iss          https://issuer.example, as configured  https://issuer.example\n" +
			"  ✗ differs  aud          countersign:gate                       sigstore\n" +
			"  ✓ ok       environment  any, or nothing                        nothing\n"
		if !strings.HasSuffix(got.stderr, want) {
			t.Errorf("%s: expected the table\n%s\nat the end of\n%s", what, want, got.stderr)
		}
	}
	w := newWorld(t)
	w.answers["POST /v1/releases"] = []answer{misdirected(someClaims()...)}
	w.expect(w.sign(), main.ExitIdentity, "%0Afix:      get another%0Aclaims:   aud (see the table in the log)\n") // the annotation
	w.answers["POST /v1/releases"] = []answer{misdirected(someClaims()...)}
	var out struct{ Error api.Problem }
	if err := json.Unmarshal([]byte(w.sign("--json").stdout), &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someClaims(), out.Error.Claims); diff != "" {
		t.Errorf("--json: claims (-want +got):\n%s", diff)
	}
}

// A check that refused says what it expected in the same form.
func TestRefusedCheckAsTable(t *testing.T) {
	w := newWorld(t)
	w.env["GITHUB_STEP_SUMMARY"] = w.put("summary.md", "")
	end := w.ended(gate.StateDenied, gate.CheckIdentity, "the run's event is issue_comment, expected push")
	end.Checks[len(end.Checks)-1].Expected, end.Checks[len(end.Checks)-1].Got = "push or workflow_dispatch", "issue_comment"
	w.states = []api.Release{w.at(gate.StateWaiting), end}
	got := w.sign()
	w.expect(got, main.ExitPolicy, "is denied: the run's event is issue_comment", "fix:      the next step",
		"check                        expected                   got\n  ✗ differs  Asked by the right workflow  push or workflow_dispatch  issue_comment\n")
	w.reads("summary.md", `### Release v1\.4\.0: denied`, "- [x] **Asked by the right workflow** (passed): release\\.yml\n",
		"- [ ] **Asked by the right workflow** (not met): the run's event is issue\\_comment, expected push\n  - Fix: the next step\n",
		"| ✗ differs | Asked by the right workflow | push or workflow\\_dispatch | issue\\_comment |\n", w.release.Manifest.Digest().String())
}

func TestTableColours(t *testing.T) {
	p := api.Problem{Title: "no", Claims: someClaims()}
	for name, x := range map[string]struct {
		env  map[string]string
		want bool
	}{"a terminal": {nil, true}, "NO_COLOR": {map[string]string{"NO_COLOR": "1"}, false}} {
		var out strings.Builder
		main.Refused(&out, x.env, p)
		if got := strings.Contains(out.String(), "\x1b[31m  ✗ differs  aud"); got != x.want || strings.Contains(out.String(), "\x1b[") != x.want {
			t.Errorf("%s: coloured is %t in %q", name, got, out.String())
		}
		if !strings.Contains(out.String(), "✗ differs  aud") || !strings.Contains(out.String(), "✓ ok       iss") {
			t.Errorf("%s: no words in %q", name, out.String())
		}
	}
}

// reads expects words in a file of the job.
func (w *world) reads(name string, words ...string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.dir + "/" + name)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, word := range words {
		if !strings.Contains(string(b), word) {
			w.t.Errorf("%s: expected %q in\n%s", name, word, b)
		}
	}
	return string(b)
}

// The summary of a refusal has no request yet.
func TestSummaryOfARefusal(t *testing.T) {
	w := newWorld(t)
	w.env["GITHUB_STEP_SUMMARY"] = w.put("summary.md", "before\n")
	w.answers["POST /v1/releases"] = []answer{misdirected(someClaims()...), problem(http.StatusForbidden, gate.CodePolicyMissing, "no policy")}
	w.answers["POST /v1/releases"][1].body = `{"title":"no policy","code":"CS-1202","fix":"commit this:\nversion: 1\nreleases:\n  - tags: [\"v*\"]\n"}`
	w.expect(w.sign(), main.ExitIdentity)
	w.reads("summary.md", "before\n### Release: not signed\n\n**the ID token was made for something else** (`CS-1005`)\n\n",
		"Expected: this audience\n\nGot: that audience\n\nFix: get another\n\n",
		"| | Claim | Expected | Got |\n|---|---|---|---|\n| ✓ ok | iss | https\\:\\/\\/issuer\\.example, as configured | https\\:\\/\\/issuer\\.example |\n"+
			"| ✗ differs | aud | countersign\\:gate | sigstore |\n")
	w.expect(w.sign(), main.ExitPolicy)
	w.reads("summary.md", "Fix: commit this\\:\n\n    version: 1\n    releases:\n      - tags: [\"v*\"]\n")
	w.env = map[string]string{"GITHUB_STEP_SUMMARY": w.env["GITHUB_STEP_SUMMARY"]}
	w.expect(w.run("sign", "--nope"), main.ExitUsage)
	if n := strings.Count(w.reads("summary.md"), "###"); n != 2 {
		t.Errorf("a mistake in the command line is no release: %d accounts", n)
	}
}

// hostile are texts that would act in a log or in Markdown.
func hostile() []string {
	return []string{
		"a|b|c", "x\n| y |\n\n# heading", "`code`\r\n```\n</details>", "<img src=x onerror=alert(1)>", "[link](https://evil.example)",
		"![i](https://evil.example/i.png)", "**bold** _em_ ~~s~~", "<!-- -->", "&lt;b&gt;", "https://evil.example/?q", "@octocat #1", "\\| \\",
		"::set-output name=x::y", "##[error]z", "\x1b[2Jgone", "\u202eexe.gpj", "\u200bhidden", "- [x] done", "    indented", "1. one", "$x$ $$y$$",
	}
}

// Nothing from outside acts: not in the log, and not in the job summary, whichever field
// it comes in.
func TestHostileTexts(t *testing.T) {
	for _, evil := range hostile() {
		w := newWorld(t)
		w.env["GITHUB_STEP_SUMMARY"] = w.put("summary.md", "")
		w.answers["POST /v1/releases"] = []answer{misdirected(gate.ClaimCheck{Claim: evil, Expected: evil, Got: evil})}
		first := w.sign()
		w.expect(first, main.ExitIdentity)
		end := w.ended(gate.StateDenied, gate.CheckIdentity, evil)
		last := &end.Checks[len(end.Checks)-1]
		last.Name, last.Fix, last.Expected, last.Got = gate.CheckName(evil), evil, evil, evil
		end.Code, end.Stream, end.Repository, end.URL, end.ThreadURL = evil, evil, evil, evil, evil
		end.Ref = "refs/tags/" + evil
		end.Subjects = []gate.Subject{{Name: evil, SHA256: gate.SHA256([]byte(evil))}}
		w.states = []api.Release{end}
		second := w.run("status", "--request-id", requestID)
		w.expect(second, main.ExitPolicy)
		for _, log := range []string{first.stderr, second.stderr, first.stdout + second.stdout} {
			for l := range strings.Lines(log) {
				l = strings.TrimSpace(l)
				if strings.HasPrefix(l, "::") && !strings.HasPrefix(l, "::error title=countersign::") || strings.Contains(l, "##[") || strings.ContainsAny(l, "\x1b\u202e\u200b\r") {
					t.Errorf("%q: a line of the log acts: %q", evil, l)
				}
			}
		}
		inert(t, evil, w.reads("summary.md"))
	}
}

// inert holds a summary to the lines that it is made of: what came from outside began
// none, ended none, and left no character of Markdown's that is not escaped.
func inert(t *testing.T, evil, summary string) {
	t.Helper()
	for l := range strings.Lines(summary) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "    ") || strings.HasPrefix(l, "[Release page](https://") {
			continue // code, in which nothing acts; the gate's own page
		}
		known := false
		for _, start := range []string{
			"### Release", "**", "Expected: ", "Got: ", "Fix: ", "| | C", "|---|", "| ✗ differs | ", "| ✓ ok | ", "- [ ] **", "- [x] **", "  - Fix: ",
			"| File | SHA-256 |", "| ", `It does not fit the policy, and asking the same again changes nothing\. No signature was released\.`, "Their manifest (SHA256SUMS): `",
		} {
			known = known || strings.HasPrefix(l, start)
		}
		if !known && l != "" {
			t.Errorf("%q: a line that nobody wrote: %q", evil, l)
		}
		if strings.HasPrefix(l, "| ✗") && unescaped(l, "|") != 5 {
			t.Errorf("%q: cells of another number: %q", evil, l)
		}
		if unescaped(l, "<") > 0 || unescaped(l, "!") > 0 || strings.Contains(l, "](https") || strings.ContainsAny(l, "\x1b\u202e\u200b\r") {
			t.Errorf("%q: a line that acts: %q", evil, l)
		}
	}
}

// unescaped counts a character where no backslash stands before it.
func unescaped(s, c string) int {
	return strings.Count(strings.ReplaceAll(strings.ReplaceAll(s, `\\`, ""), `\`+c, ""), c)
}
