package voice_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/voice"
	"github.com/countersign/countersign/gate/voice/voicetest"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestScenes(t *testing.T) {
	for name, v := range voicetest.Scenes() {
		var b strings.Builder
		state, line := voice.Status(v)
		fmt.Fprintf(&b, "status: %s: %s\n\ncomment:\n%s", state, line, voice.Comment(v))
		checkState, title, summary := voice.Check(v)
		fmt.Fprintf(&b, "\ncheck: %s: %s\n%s", checkState, title, summary)
		for _, i := range v.Decision.Ignored {
			fmt.Fprintf(&b, "\nrefusal: %s\n", voice.Refusal(i))
		}
		if checkState != state || title != line {
			t.Errorf("%s: the check says %s %q, the status %s %q", name, checkState, title, state, line)
		}
		golden(t, name+".md", b.String())
	}
	title, body := voice.Thread(voicetest.Scene(gate.StateWaiting))
	golden(t, "thread.md", title+"\n\n"+body)
}

// The headline and the standing sentence are the same letters wherever they are printed:
// so they hold nothing that Markdown, HTML, a terminal or a CI runner would change.
func TestSameLettersEverywhere(t *testing.T) {
	safe := regexp.MustCompile(`^[A-Za-z0-9 ,.:;()-]+$`)
	for name, v := range voicetest.Scenes() {
		headline, standing := voice.Headline(v), voice.Standing(v)
		if !safe.MatchString(headline) || len(headline) > 60 || !safe.MatchString(standing) || !strings.HasSuffix(standing, ".") {
			t.Errorf("%s: headline %q, standing %q", name, headline, standing)
		}
		_, _, check := voice.Check(v)
		for room, text := range map[string]string{"comment": voice.Comment(v), "check run": check, "answer to status": voice.Report(v)} {
			if !strings.Contains(text, headline) || !strings.Contains(text, standing) {
				t.Errorf("%s: the %s does not say %q and %q:\n%s", name, room, headline, standing, text)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[gate.State]gate.PostState{
		gate.StateWaiting: gate.PostPending, gate.StateGranted: gate.PostPending, gate.StateSigning: gate.PostPending,
		gate.StateSigned: gate.PostSuccess, gate.StatePublished: gate.PostSuccess,
		gate.StateDenied: gate.PostFailure, gate.StateWithdrawn: gate.PostFailure, gate.StateExpired: gate.PostFailure,
		gate.StateVoid: gate.PostFailure, gate.StateFailed: gate.PostFailure, gate.State("unheard of"): gate.PostFailure,
	} {
		if got, _ := voice.Status(voicetest.Scene(state)); got != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
	}
}

// hostile are texts that would do something if they were let out.
var hostile = []string{
	"@all @acme/security please look", "@@bo", "@\u200bbo", "x @bo", "(@bo)", "@\u202ebo",
	"/approve", "\n/merge", "\r\n/approve", "\u2028/close", "a\n\n/countersign approve", "\x1b[2J",
	"<script>alert(1)</script>", "<!-- countersign:request:other -->", "-->", "</details>", "<img src=x onerror=y>", "<details open>", "&lt;b&gt;",
	"**bold** _it_ ~~gone~~", "`code", "```\nfence", "~~~~\n/approve", "# heading", "> quote", "- list", "| cell | cell |",
	"[click](https://evil.example)", "![x](https://evil.example/x.png)", "https://evil.example", "www.evil.example", "<https://evil.example>",
	"mail@evil.example", "](https://evil.example)", "$`x`$", "%{color: red}", "{+ added +}", "[[_TOC_]]", ":::", "\\", "\\`", "\xff",
	strings.Repeat("x", 5000), strings.Repeat("@bo ", 2000), "",
}

// evil puts a text wherever something from outside can stand.
func evil(s string) voice.View {
	v := voicetest.Scene(gate.StateWaiting, voicetest.NoApproval, voicetest.NoReview, voicetest.Candidates)
	v.Request.Manifest.Subjects = append(v.Request.Manifest.Subjects, gate.Subject{Name: s})
	v.Request.Ref = "refs/tags/" + s
	v.Request.Key = s
	d := &v.Decision
	for i := range d.Coverage {
		d.Coverage[i].Title, d.Coverage[i].Missing, d.Coverage[i].Unlinked, d.Coverage[i].Head = s, s, []string{s}, s
		d.Coverage[i].URL = "https://x/" + s
		d.Coverage[i].Authors = append(d.Coverage[i].Authors, gate.Authorship{Account: gate.Account{Login: s}, Why: s})
		d.Coverage[i].By = []gate.CoveredBy{{Account: gate.Account{Login: s}, How: s}}
	}
	for i := range d.Checks {
		d.Checks[i].Reason, d.Checks[i].Fix = s, s
	}
	d.Ignored = []gate.Ignored{{Approval: gate.Approval{By: gate.Account{Login: s}}, Why: s}}
	d.Counted = []gate.Approval{{By: gate.Account{Login: s}, Reason: s}}
	d.CanApprove = append(d.CanApprove, gate.Account{Login: s}, gate.Account{Login: s, Human: true})
	d.CannotApprove = append(d.CannotApprove, gate.Ineligible{Account: gate.Account{Login: s}, Why: s})
	return v
}

var (
	anyMention = regexp.MustCompile(`(^|[^A-Za-z0-9_\\])@[A-Za-z0-9]`)
	anyTag     = regexp.MustCompile(`<[^>]*>`)
	allowedTag = regexp.MustCompile(`^</?(p|h3|br|a|code|pre|details|summary|strong|ul|li|table|thead|tbody|tr|th|td)( /)?>$|^<br />$|^<code class="language-(text|sh)">$`)
	ourLink    = regexp.MustCompile(`^<a href="https://(sign\.example\.org|github\.com/acme/app|x)/[^"]*">$`)
)

// attack 91: text from a change is text, whatever it says.
func TestOutsideTextStaysText(t *testing.T) {
	for _, s := range hostile {
		for _, state := range []gate.State{gate.StateWaiting, gate.StateGranted, gate.StatePublished, gate.StateDenied, gate.StateVoid} {
			v := evil(s)
			v.State = state
			_, title, summary := voice.Check(v)
			_, line := voice.Status(v)
			thread, threadBody := voice.Thread(v)
			for _, one := range []string{line, title, thread} {
				if strings.ContainsAny(one, "\r\n\x1b") || utf8.RuneCountInString(one) > 140 || anyMention.MatchString(one) {
					t.Errorf("%q: title %q", s, one)
				}
			}
			comment := voice.Comment(v)
			for _, md := range []string{comment, summary, threadBody, voice.Refusal(v.Decision.Ignored[0])} {
				contained(t, s, md)
			}
			if strings.Count(comment, voice.Marker(v.Request.ID)) != 1 || strings.Count(comment, "<!--") != 1 {
				t.Errorf("%q: the marker does not stand once:\n%s", s, comment)
			}
		}
	}
}

// contained renders Markdown as forges do and finds what got out.
func contained(t *testing.T, what, md string) {
	t.Helper()
	if len(md) > 60000 {
		t.Errorf("%.40q: %d bytes", what, len(md))
	}
	code := false
	for line := range strings.Lines(md) {
		if strings.HasPrefix(line, "~~~~") {
			code = !code
		}
		if code {
			continue // a list of files, each behind its digest
		}
		if strings.HasPrefix(strings.TrimLeft(line, " "), "/") {
			t.Errorf("%q: line %q could be a command of the forge", what, line)
		}
		if !strings.Contains(line, "**Can approve:** @") && anyMention.MatchString(line) {
			t.Errorf("%q: line %q mentions somebody", what, line)
		}
	}
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(md), &out); err != nil {
		t.Fatal(err)
	}
	rendered := regexp.MustCompile(`<!-- countersign:request:[0-9a-f-]+ -->`).ReplaceAllString(out.String(), "")
	for _, tag := range anyTag.FindAllString(rendered, -1) {
		if !allowedTag.MatchString(tag) && !ourLink.MatchString(tag) {
			t.Errorf("%q: renders %s", what, tag)
		}
	}
	if strings.Count(rendered, "<details>") != strings.Count(rendered, "</details>") {
		t.Errorf("%q: details are not closed", what)
	}
}

// Only those who can approve are called, and only where it says so.
func TestMentions(t *testing.T) {
	v := voicetest.Scene(gate.StateWaiting, voicetest.NoApproval, voicetest.NoReview, voicetest.Candidates)
	for i := range 40 {
		v.Decision.CanApprove = append(v.Decision.CanApprove, voicetest.Person(int64(1000+i), fmt.Sprintf("m-%d", i)))
	}
	comment := voice.Comment(v)
	if n := len(anyMention.FindAllString(comment, -1)); n != 10 || !strings.Contains(comment, "@bo, @m-0") || !strings.Contains(comment, "and 31 more") {
		t.Errorf("%d mentions:\n%s", n, comment)
	}
	if strings.Contains(comment, "@ana") || strings.Contains(comment, "@robo") {
		t.Errorf("somebody who cannot approve is called:\n%s", comment)
	}
}

func TestLongLists(t *testing.T) {
	v := voicetest.Scene(gate.StateWaiting, voicetest.NoApproval, voicetest.NoReview, voicetest.Candidates)
	v.Request.Manifest = gatetest.Manifest(1000)
	for i := range 500 {
		c := v.Decision.Coverage[0]
		c.Number = int64(i + 1000)
		v.Decision.Coverage = append(v.Decision.Coverage, c)
	}
	comment := voice.Comment(v)
	if len(comment) > 60000 || !strings.Contains(comment, "970 more files") || !strings.Contains(comment, "491 more changes") {
		t.Errorf("%d bytes:\n%s", len(comment), comment[:2000])
	}
}

func FuzzComment(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { contained(t, s, voice.Comment(evil(s))) })
}
