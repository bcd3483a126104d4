package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

const page = "../../docs/policy.md"

const intro = `# The policy file

Generated from the fields of package ` + "`gate/policy`: `go test ./gate/policy -run TestPage -update`." + `

A repository says in ` + "`.countersign.yaml`" + `, at the root of its default branch, what may be
released and whose approval that takes. The file is the same on GitHub and GitLab. The
smallest one that works:

` + "```yaml\n%s```\n\nor, on GitLab:\n\n```yaml\n%s```\n" + `
With all that this version reads:

` + "```yaml\n%s```\n" + `
The file is read strictly: what is unknown, repeated, or not plain YAML (anchors, aliases,
tags, several documents) is refused, with its line, its column, and what to do. Patterns are
globs over the whole name, never regular expressions: ` + "`*`" + ` is anything but ` + "`/`, `**`" + ` any
folders, ` + "`{a,b}`" + ` a choice.

An administrator of the gate puts a version in force: ` + "`countersignd policy adopt`" + `; until
then, the version before it judges. ` + "`countersignd policy show`" + ` prints what is in force, by
whom and since when. The server serves a JSON schema for editors as ` + "`/schema/policy.v1.json`" + `:

` + "```yaml\n# yaml-language-server: $schema=https://sign.example.org/schema/policy.v1.json\n```\n" + `
## Fields
`

const outro = `
## Rules

A rule is an expression in [CEL](https://cel.dev), with its standard functions and macros. It
looks at what was asked for and at the ID token that asked, and at nothing else:

| Name | What it is |
|---|---|
| ` + "`subjects`" + ` | list of the artifacts; each has ` + "`name` and `sha256`" + ` (64 lower-case hex digits) |
| ` + "`ref`" + ` | full ref, such as ` + "`refs/tags/v1.4.0`" + ` |
| ` + "`tag`, `branch`" + ` | its short name; the other one is the empty text |
| ` + "`commit`" + ` | full SHA |
| ` + "`stream`" + ` | name of the stream |
| ` + "`repository`" + ` | owner/name, as the ID token says |
| ` + "`event`" + ` | what set the run off, as under ` + "`from.events`" + ` |
| ` + "`actor`" + ` | who set it off: ` + "`id`, the forge's number, and `login`" + `; logins are recycled, numbers are not |

None of this can change while a request is open, so a rule that is not true denies the
request for good, with the message; one that cannot be evaluated (a list without such an
entry, a text that is no number) denies it too, with the error. What can be known when the
file is read is refused then: unknown names, comparisons of different types, expressions
that are not true or false, regular expressions that do not compile.

` + "`matches`" + ` looks for its regular expression anywhere in the text: write ` + "`^(…)$`" + ` around it.

Rules are bounded: %d of them, each of at most %d bytes, and together at most %d units of
cost, estimated for a release of 1,000 artifacts with names of 512 bytes when the file is
read, and held to when they run. Going over the subjects once is cheap; within one another
it is refused.

## The window

Outside the window a release that has everything else waits, is told when the window opens,
and goes on by itself within minutes; approvals count before that too. The window is by the clocks on the
walls of its zone. Where they go forward, the minutes left out do not exist: a window within
them stays shut that day, one that reaches beyond them opens where the clocks land. Where they
go back, the repeated hour is in the window twice. A window does not cross midnight, for it
would be open to doubt which of its two days must be listed. One until 17:00 is open up to
16:59:59; what was granted by then may be signed in the seconds after.

## Not supported yet

These belong to the format. This version refuses them, because a rule that is not applied must
not look like one in force:

`

func TestPage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, intro, policy.Minimal(gate.GitHub), policy.Minimal(gate.GitLab), everything)
	for _, f := range policy.Fields() {
		fmt.Fprintf(&b, "\n### `%s`\n\n", f.Path)
		about := []string{strings.ToUpper(f.Type[:1]) + f.Type[1:]}
		if f.Required {
			about = append(about, "must stand")
		}
		if f.Default != "" {
			about = append(about, "default: "+f.Default)
		}
		if len(f.Values) > 0 {
			about = append(about, "one of "+strings.Join(f.Values, ", "))
		}
		fmt.Fprintf(&b, "%s.\n", strings.Join(about, "; "))
		if f.Doc != "" {
			fmt.Fprintf(&b, "\n%s\n", f.Doc)
		}
		if f.Example != "" {
			fmt.Fprintf(&b, "\n```yaml\n%s\n```\n", f.Example)
		}
	}
	fmt.Fprintf(&b, outro, policy.MaxRules, policy.MaxExpr, policy.MaxRuleCost)
	for _, f := range policy.Later() {
		if f.Doc == "" {
			t.Errorf("nothing is said about %s", f.Path)
		}
		fmt.Fprintf(&b, "- `%s`: %s\n", f.Path, f.Doc)
	}
	b.WriteString("\nNor does this version adopt a new version of the file by an approval in its pull or merge\n" +
		"request, or replay past releases against it.\n")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/policy.md is stale; run: go test ./gate/policy -run TestPage -update")
	}
}
