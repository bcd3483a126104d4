package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// all are the owners of a path, of whatever section.
func all(o gate.Owners, path string) []string {
	var out []string
	for _, s := range o.Sections(path) {
		out = append(out, s...)
	}
	return dedup(out)
}

func owners(t *testing.T, content string, kind gate.ForgeKind) gate.Owners {
	t.Helper()
	o, err := policy.CompileOwners(gate.OwnersFile{Path: "CODEOWNERS", Commit: commit, Content: []byte(content)}, kind)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const githubFile = `# comment
*                  @acme/everyone

*.js               @js-owner # inline comment
/build/logs/       @ops
docs/*             docs@example.com
apps/              @octo-cat @acme/apps
/scripts/          @acme/ops ana@example.com
**/logs            @logs
/apps/github
/with\ space/      @acme/space
`

func TestOwnersOnGitHub(t *testing.T) {
	o := owners(t, githubFile, gate.GitHub)
	for path, want := range map[string]string{
		"README.md":            "@acme/everyone",
		"a/b/c.js":             "@js-owner",
		"build/logs/x.txt":     "@logs", // the last rule that matches
		"docs/index.md":        "docs@example.com",
		"docs/deep/index.md":   "@acme/everyone",
		"apps/x/y.go":          "@octo-cat @acme/apps",
		"deep/apps/y.go":       "@octo-cat @acme/apps",
		"apps/github/main.go":  "", // a rule without owners takes them away
		"scripts/deploy.sh":    "@acme/ops ana@example.com",
		"deep/scripts/x.sh":    "@acme/everyone",
		"with space/readme.md": "@acme/space",
	} {
		if got := strings.Join(all(o, path), " "); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if s := o.Sections(path); len(s) > 1 || len(s) == 1 && !slices.Equal(s[0], all(o, path)) {
			t.Errorf("%s: sections %v", path, s)
		}
	}
	if got := strings.Join(o.Teams(), " "); got != "acme/everyone acme/apps acme/ops acme/space" {
		t.Errorf("teams %s", got)
	}
}

const gitlabFile = `# comment
* @default-owner
*.rb @ruby-owner # and @ruby-friend too
\#file_with_pound.rb @owner-file-with-pound
LICENSE @legal janedoe@gitlab.com
README @group @group/with-nested/subgroup
/docs/ @all-docs
/docs/* @root-docs
/docs/**/*.md @md-docs
lib/ @lib-owner
/config/ @@maintainer
path\ with\ spaces/ @space-owner
/free/{a,b}.txt @braces
/unowned.txt
/x[0-9].txt @digit
/a**b/c @stars
/tree/** @tree

[Documentation]
ee/docs/ @docs
docs/ @docs

[Database][2] @database @dba
README.md
model/db/
config/db/setup.md @docs

^[Optional] @optional
*.go

[DOCUMENTATION]
README.md @docs2

[Ruby]
*.rb @ruby-devs
!/config/**/*.rb
!vendor/
/config/x.rb @never

^[Half] @half
half.txt
[Half]
half2.txt @half2
`

func TestOwnersOnGitLab(t *testing.T) {
	o := owners(t, gitlabFile, gate.GitLab)
	for path, want := range map[string]string{
		"a/b/c.txt":               "@default-owner",
		".hidden":                 "@default-owner",
		"app/x.rb":                "@ruby-owner @ruby-friend | @ruby-devs",
		"a/#file_with_pound.rb":   "@owner-file-with-pound | @ruby-devs",
		"LICENSE":                 "@legal janedoe@gitlab.com",
		"sub/README":              "@group @group/with-nested/subgroup",
		"docs/x.txt":              "@root-docs | @docs",
		"docs/deep/x.txt":         "@all-docs | @docs",
		"docs/deep/x.md":          "@md-docs | @docs",
		"docs/x.md":               "@md-docs | @docs",
		"a/lib/b/c":               "@lib-owner",
		"config/x.yml":            "@@maintainer",
		"deep/config/x.yml":       "@default-owner",
		"config/x.rb":             "@@maintainer", // excluded in the section Ruby, for good
		"vendor/x.rb":             "@ruby-owner @ruby-friend",
		"path with spaces/a.txt":  "@space-owner",
		"free/{a,b}.txt":          "@braces", // braces are no choice there
		"free/a.txt":              "@default-owner",
		"unowned.txt":             "",
		"x7.txt":                  "@digit",
		"xx.txt":                  "@default-owner",
		"aXXb/c":                  "@stars",
		"aX/Xb/c":                 "@default-owner",
		"tree/x":                  "@tree",
		"tree/x/y":                "@default-owner", // a ** at the end is no tree for Ruby's fnmatch
		"README.md":               "@default-owner | @docs2 | @database @dba",
		"a/model/db/x.sql":        "@default-owner | @database @dba",
		"config/db/setup.md":      "@@maintainer | @docs",
		"main.go":                 "@default-owner", // optional sections ask for nothing
		"half.txt":                "@default-owner | @half",
		"half2.txt":               "@default-owner | @half2",
		"ee/docs/a/b":             "@default-owner | @docs",
		"somewhere/docs/file.txt": "@default-owner | @docs",
	} {
		var got []string
		for _, s := range o.Sections(path) {
			got = append(got, strings.Join(s, " "))
		}
		if strings.Join(got, " | ") != want {
			t.Errorf("%s: got %q, want %q", path, strings.Join(got, " | "), want)
		}
		if every := strings.Fields(strings.ReplaceAll(want, "|", " ")); len(every) > 0 && !slices.Equal(dedup(every), all(o, path)) {
			t.Errorf("%s: of %v", path, all(o, path))
		}
	}
	for _, team := range []string{"group", "group/with-nested/subgroup", "default-owner"} {
		if !slices.Contains(o.Teams(), team) {
			t.Errorf("teams lack %s: %v", team, o.Teams())
		}
	}
	if slices.Contains(o.Teams(), "@maintainer") || slices.Contains(o.Teams(), "janedoe@gitlab.com") {
		t.Errorf("teams %v", o.Teams())
	}
}

func dedup(all []string) []string {
	var out []string
	for _, x := range all {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// What cannot be read never becomes a file with fewer owners.
func TestOwnersRefuses(t *testing.T) {
	long := strings.Repeat("x", 33<<10)
	for _, row := range []struct {
		what, file string
		kind       gate.ForgeKind
		says       string
	}{
		{"not UTF-8", "* @a \xff", gate.GitHub, "expected UTF-8"},
		{"a long line", "* @a\n/" + long + " @b", gate.GitHub, "line 2: expected at most"},
		{"too large", strings.Repeat("# x\n", 1<<20), gate.GitHub, "expected at most"},
		{"too many lines", strings.Repeat("x @a\n", 10_001), gate.GitHub, "at most 10000 lines"},
		{"no @", "* acme/docs", gate.GitHub, "line 1"},
		{"a negation", "* @a\n!docs/ @b", gate.GitHub, "line 2"},
		{"a range", "[ab]c @b", gate.GitHub, "line 1"},
		{"a section", "[Docs]\n* @a", gate.GitHub, "line 1"},
		{"a # in a pattern", "a#b @c", gate.GitHub, "without #"},
		{"a slash alone", "* @a\n/ @b", gate.GitHub, "line 2: expected a path"},
		{"three stars", "a/***/b @c", gate.GitHub, "asterisks"},
		{"no @", "* acme/docs", gate.GitLab, "line 1: expected an owner"},
		{"a heading without a name", "[] @a", gate.GitLab, "line 1: expected a section's heading"},
		{"a heading that does not close", "[Docs @a", gate.GitLab, "expected a section's heading"},
		{"a heading with a word", "[Docs][two] @a", gate.GitLab, "expected a section's heading"},
		{"a heading with a bad owner", "[Docs][2] docs", gate.GitLab, "expected an owner"},
		{"an excluded path with owners", "* @a\n!x @b", gate.GitLab, "line 2: expected nothing after"},
		{"nothing excluded", "* @a\n! @b", gate.GitLab, "expected a path"},
		{"an open bracket", "/x[0-9 @a", gate.GitLab, "closes its brackets"},
		{"many stars", "/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/* @a", gate.GitLab, "fewer stars"},
	} {
		o, err := policy.CompileOwners(gate.OwnersFile{Path: ".github/CODEOWNERS", Content: []byte(row.file)}, row.kind)
		if err == nil || o != nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), ".github/CODEOWNERS") {
			t.Errorf("%s (%s): got %v, %v; want %q", row.what, row.kind, o, err, row.says)
		}
	}
}

func TestOwnersOfAnEmptyFile(t *testing.T) {
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		o := owners(t, "\ufeff# nobody\r\n\r\n", kind)
		if len(all(o, "x")) > 0 || len(o.Teams()) > 0 || len(o.Sections("x")) > 0 {
			t.Errorf("%s: %v %v", kind, all(o, "x"), o.Teams())
		}
	}
}

// Adding a line never makes reading panic, and what is read answers for any path.
func FuzzOwners(f *testing.F) {
	f.Add([]byte(githubFile), "a/b", false)
	f.Add([]byte(gitlabFile), "docs/x.md", true)
	f.Add([]byte("[a][1] @b\n!x\n* @@dev"), "x", true)
	f.Fuzz(func(t *testing.T, content []byte, path string, onGitLab bool) {
		kind := gate.GitHub
		if onGitLab {
			kind = gate.GitLab
		}
		o, err := policy.CompileOwners(gate.OwnersFile{Content: content}, kind)
		if err != nil {
			return
		}
		for _, owner := range all(o, path) {
			if strings.TrimSpace(owner) != owner || owner == "" || !strings.Contains(owner, "@") {
				t.Errorf("owner %q of %q", owner, path)
			}
		}
	})
}
