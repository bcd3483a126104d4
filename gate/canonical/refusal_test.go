package canonical_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

var digest = gate.SHA256([]byte("x"))

func subject(name string) gate.Subject { return gate.Subject{Name: name, SHA256: digest} }

// refused asserts the stable code, the kind, and that people are told what was
// expected, what came and what to do.
func refused(t *testing.T, what string, err error, code gate.Code, says string) {
	t.Helper()
	var e *gate.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v, want a refusal", what, err)
		return
	}
	if e.Code != code || e.Kind != gate.Invalid || e.Expected == "" || e.Got == "" || e.Fix == "" {
		t.Errorf("%s: incomplete refusal %+v", what, e)
	}
	if !strings.Contains(e.Error(), says) {
		t.Errorf("%s: %q does not say %q", what, e.Error(), says)
	}
	for _, r := range e.Error() {
		if r < ' ' || r == '\u202e' {
			t.Errorf("%s: refusal repeats a control character: %q", what, e.Error())
		}
	}
}

// attack 66: names that two systems read as different files, or that leave the folder.
func TestSubjectNames(t *testing.T) {
	for _, row := range []struct{ name, says string }{
		{"", "is empty"},
		{"../etc/passwd", "plain relative path"},
		{"a/../../b", "plain relative path"},
		{"/etc/passwd", "plain relative path"},
		{"a//b", "plain relative path"},
		{"a/", "plain relative path"},
		{"./a", "plain relative path"},
		{"..", "plain relative path"},
		{`..\a`, "backslash"},
		{"-rf", "hyphen"},
		{" a", "space"},
		{"a ", "space"},
		{"a\nb", "U+000A"},
		{"a\x00b", "U+0000"},
		{"a\x1b[2Jb", "U+001B"},
		{"a\u202egz.exe", "U+202E"},
		{"a\u2066b", "U+2066"},
		{"a\u200bb", "U+200B"},
		{"a\u00a0b", "U+00A0"},
		{"a\u2028b", "U+2028"},
		{"a\xffb", "not UTF-8"},
		{"U\u0308ber", "normal form C"},
		{strings.Repeat("a", 513), "too long"},
	} {
		_, err := canonical.NewManifest([]gate.Subject{subject(row.name)})
		refused(t, fmt.Sprintf("%q", row.name), err, gate.CodeSubjects, row.says)
	}
	for _, name := range []string{"a", "dist/app-1.0+build.2.tar.gz", "Übersicht.txt", "日本.zip", "a b.txt", "..a", "a..b", "v1~rc1", "@scope/x.tgz", "🔏.txt"} {
		if _, err := canonical.NewManifest([]gate.Subject{subject(name)}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// attack 66: duplicate names, weak or missing digests.
func TestSubjectLists(t *testing.T) {
	many := make([]gate.Subject, 1001)
	for i := range many {
		many[i] = subject(fmt.Sprintf("f%04d", i))
	}
	if _, err := canonical.NewManifest(many[:1000]); err != nil {
		t.Errorf("1000 subjects: %v", err)
	}
	for _, row := range []struct {
		what string
		list []gate.Subject
		says string
	}{
		{"nothing", nil, "1 to 1000"},
		{"too many", many, "1001"},
		{"same name", []gate.Subject{subject("a"), subject("a")}, "one name"},
		{"same but for case", []gate.Subject{subject("App.zip"), subject("APP.zip")}, "one name"},
		{"same under full folding", []gate.Subject{subject("straße"), subject("STRASSE")}, "one name"},
		{"same but for Greek sigma", []gate.Subject{subject("ς"), subject("Σ")}, "one name"},
		{"no digest", []gate.Subject{{Name: "a"}}, "no digest"},
	} {
		_, err := canonical.NewManifest(row.list)
		refused(t, row.what, err, gate.CodeSubjects, row.says)
	}
}

func TestNewManifestKeepsItsInput(t *testing.T) {
	in := []gate.Subject{subject("b"), subject("a")}
	if _, err := canonical.NewManifest(in); err != nil || in[0].Name != "b" {
		t.Errorf("input changed to %v, %v", in, err)
	}
}

func TestParseManifestRefuses(t *testing.T) {
	line := digest.String() + "  a\n"
	for _, row := range []struct{ what, in, says string }{
		{"nothing", "", "last line"},
		{"empty line", "\n", "line 1"},
		{"no end", strings.TrimSuffix(line, "\n"), "last line"},
		{"CRLF", digest.String() + "  a\r\n", "U+000D"},
		{"upper-case hex", strings.ToUpper(digest.String()) + "  a\n", "line 1"},
		{"short digest", digest.String()[1:] + "  a\n", "line 1"},
		{"SHA-1", digest.String()[:40] + "  a\n", "line 1"},
		{"one space", digest.String() + " a\n", "line 1"},
		{"binary mark", digest.String() + " *a\n", "line 1"},
		{"escaped name", `\` + digest.String() + `  a\nb` + "\n", "line 1"},
		{"unsorted", digest.String() + "  b\n" + line, "not sorted"},
		{"twice", line + line, "one name"},
		{"trailing line", line + "\n", "line 2"},
		{"too many", strings.Repeat(line, 1001), "1 to 1000"},
	} {
		_, err := canonical.ParseManifest([]byte(row.in))
		refused(t, row.what, err, gate.CodeSubjects, row.says)
	}
}

// attack 21 and attack 22: what changes the meaning of an API path, and what could
// be a branch as well as a tag.
func TestRefs(t *testing.T) {
	for _, ref := range []string{
		"refs/tags/v1.4.0", "refs/heads/main", "refs/heads/release/1.x", "refs/tags/v1.0.0+build.5",
		"refs/tags/@scope/pkg@1.2.3", "refs/heads/a=b,c", "refs/tags/v1-rc_1", "refs/tags/refs/heads/x",
	} {
		if err := canonical.CheckRef(ref); err != nil {
			t.Errorf("%q: %v", ref, err)
		}
	}
	for _, ref := range []string{
		"", "main", "v1.4.0", "heads/main", "tags/v1", "refs/pull/1/merge", "refs/merge-requests/1/head", "refs/",
		"refs/tags/", "refs/heads/", "REFS/tags/v1", "refs/tags/@", "refs/tags/-v1",
		"refs/heads/main#x", "refs/heads/main%23", "refs/heads/%2e%2e", "refs/heads/a?b", "refs/heads/a&b",
		"refs/heads/../main", "refs/heads/a/..", "refs/heads/a..b", "refs/heads/./a", "refs/heads/.a",
		"refs/heads//a", "refs/heads/a/", "refs/heads/a//b", "refs/heads/a.", "refs/heads/a.lock", "refs/heads/a.lock/b",
		"refs/heads/a b", "refs/heads/a\tb", "refs/heads/a\nb", "refs/heads/a\x00", "refs/heads/a\x7f",
		"refs/heads/a\u202eb", "refs/heads/a\u200b", "refs/heads/m\u0430in", "refs/heads/ü", "refs/heads/\xff",
		"refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a*", "refs/heads/a[b", `refs/heads/a\b`,
		"refs/heads/a@{1}", "refs/tags/" + strings.Repeat("a", 300),
	} {
		refused(t, fmt.Sprintf("%q", ref), canonical.CheckRef(ref), gate.CodeBodyMalformed, "ref ")
	}
}

func TestCommits(t *testing.T) {
	for _, ok := range []string{commit, strings.Repeat("0a", 32)} {
		if err := canonical.CheckCommit(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "main", "HEAD", commit[:7], commit[:39], commit + "0", strings.ToUpper(commit), commit[:39] + "g", commit[:39] + "\n"} {
		refused(t, fmt.Sprintf("%q", bad), canonical.CheckCommit(bad), gate.CodeBodyMalformed, "commit ")
	}
}

func TestStreams(t *testing.T) {
	for _, ok := range []string{"release", "stable", "v1.x", "2", "a_b-c"} {
		if err := canonical.CheckStream(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "Stable", "a/b", "a b", "ü", strings.Repeat("a", 64)} {
		refused(t, fmt.Sprintf("%q", bad), canonical.CheckStream(bad), gate.CodeBodyMalformed, "stream name ")
	}
}

func TestAsksRefused(t *testing.T) {
	for _, row := range []struct {
		what string
		with func(*gate.Ask)
		code gate.Code
		says string
	}{
		{"no server", func(a *gate.Ask) { a.Server = "" }, gate.CodeBodyMalformed, "server"},
		{"upper-case server", func(a *gate.Ask) { a.Server = "Sign.example.org" }, gate.CodeBodyMalformed, "server"},
		{"server with a path", func(a *gate.Ask) { a.Server = "sign.example.org/x" }, gate.CodeBodyMalformed, "server"},
		{"no forge", func(a *gate.Ask) { a.Repository.Forge = "" }, gate.CodeBodyMalformed, "repository"},
		{"no number", func(a *gate.Ask) { a.Repository.ID = 0 }, gate.CodeBodyMalformed, "repository"},
		{"number beyond 2^53", func(a *gate.Ask) { a.Repository.ID = math.MaxInt64 }, gate.CodeBodyMalformed, "repository"},
		{"short ref", func(a *gate.Ask) { a.Ref = "main" }, gate.CodeBodyMalformed, "full ref"},
		{"short commit", func(a *gate.Ask) { a.Commit = a.Commit[:7] }, gate.CodeBodyMalformed, "full object name"},
		{"odd stream", func(a *gate.Ask) { a.Stream = "a b" }, gate.CodeBodyMalformed, "stream"},
		{"no subjects", func(a *gate.Ask) { a.Manifest = gate.Manifest{} }, gate.CodeSubjects, "subjects"},
		{"unsorted subjects", func(a *gate.Ask) { a.Manifest.Subjects = subjects() }, gate.CodeSubjects, "sorted"},
	} {
		a := ask(t)
		row.with(&a)
		_, err := canonical.AskHash(a)
		refused(t, row.what, err, row.code, row.says)
	}
	a := ask(t)
	a.Stream = ""
	if _, err := canonical.AskHash(a); err != nil {
		t.Errorf("ask without a stream: %v", err)
	}
}

func TestPolicyDigestRefuses(t *testing.T) {
	s := sources()
	for _, row := range []struct {
		what string
		list []gate.PolicySource
	}{
		{"nothing", nil},
		{"floor after file", []gate.PolicySource{s[1], s[0]}},
		{"file without commit", []gate.PolicySource{{Source: "github:1/.countersign.yaml"}}},
		{"floor with commit", []gate.PolicySource{{Source: "floor:server", Commit: commit}}},
		{"no name", []gate.PolicySource{{Commit: commit}}},
		{"short commit", []gate.PolicySource{{Source: "github:1/x", Commit: commit[:7]}}},
	} {
		if _, err := canonical.PolicyDigest(row.list); err == nil {
			t.Errorf("%s: accepted", row.what)
		}
	}
}

func TestJSONRefusesWhatItWouldChange(t *testing.T) {
	for what, v := range map[string]any{
		"integer beyond 2^53": map[string]int64{"n": 1 << 53},
		"not UTF-8":           map[string]string{"s": "a\xff"},
		"not UTF-8 after \\":  map[string]string{"s": "\\\xff"},
		"no JSON":             map[string]any{"f": func() {}},
	} {
		if b, err := canonical.JSON(v); err == nil {
			t.Errorf("%s: accepted as %s", what, b)
		}
	}
	for what, v := range map[string]any{
		"2^53-1":                map[string]int64{"n": 1<<53 - 1},
		"replacement character": map[string]string{"s": "\ufffd"},
		"text of an escape":     map[string]string{"s": `\ufffd`},
		"HTML":                  map[string]string{"s": "<&>\u2028"},
	} {
		if _, err := canonical.JSON(v); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzSubjects(f *testing.F) {
	for _, s := range []string{"a", "Übersicht.txt", "a/../b", "a\u202e", "STRASSE\nstraße"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, names string) {
		var list []gate.Subject
		for name := range strings.SplitSeq(names, "\n") {
			list = append(list, subject(name))
		}
		m, err := canonical.NewManifest(list)
		if err != nil {
			return
		}
		back, err := canonical.ParseManifest(m.Bytes())
		if err != nil || back.Digest() != m.Digest() || len(back.Subjects) != len(list) {
			t.Errorf("%q does not survive its own form: %v", names, err)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(digest.String() + "  a\n"))
	f.Add([]byte(digest.String() + "  a\n" + digest.String() + "  b c\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := canonical.ParseManifest(in)
		if err == nil && string(m.Bytes()) != string(in) {
			t.Errorf("accepted %q, writes %q", in, m.Bytes())
		}
	})
}
