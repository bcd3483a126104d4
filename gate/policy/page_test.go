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

An administrator of the gate puts the first version in force: ` + "`countersignd policy adopt`" + `,
with the commit from which on changes count. A newer version comes into force by itself once
it is on the protected default branch, somebody who did not write it reviewed every change of
it before the merge, and the server's cool-down (` + "`policies: cooldown`" + `, one hour) passed; or an
administrator adopts it. Until then the version before it judges, and says so. A pull or
merge request that changes the file gets a check, ` + "`countersign/policy`" + `: whether it reads, and what
it would have made of the last releases; ` + "`countersignd policy replay`" + ` says the same beforehand.
` + "`countersignd policy show`" + ` prints what is in force, by whom and since when. The server serves a JSON schema for editors as ` + "`/schema/policy.v1.json`" + `:

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

## Reusable workflows

A job that signs in a reusable workflow is named by ` + "`uses`" + `, and by nothing weaker than a full
commit: who owns a tag or a branch there could change what runs after the policy was adopted.
The ID token says in which file a job runs, and at which commit; both have to be the ones
named. With ` + "`workflow`" + ` the run has to be that workflow's too. A ` + "`job`" + ` is compared with the name of
the job's check, which for a job of a reusable workflow is ` + "`caller / job`" + `; naming the last part
will do there.

## Teams

A team's members approve where the forge says that they are members now, that their
membership is active, and that they may at least read the repository. Invitations that were
not accepted count for nothing. Repositories of a person's account have no teams on GitHub: a
file that names one is refused there. In a list within braces, write ` + "`\"team:security\"`" + ` in
quotes where another YAML tool stumbles over it.

## Code owners

With ` + "`codeowners: true`" + ` every changed file that has owners needs an approval or a review by one of
them who did not write the change. The CODEOWNERS file is read as of the last signed release,
so that no change makes its own author an owner, from where the forge looks for it.
It is read as the forge reads it: on GitHub the last rule that matches a file names its owners;
on GitLab so in each section, optional sections (` + "`^[Docs]`" + `) ask for nothing, and an owner of any of
the others will do. How many approvals a section asks for (` + "`[Docs][2]`" + `), and that each section has
its own, GitLab itself enforces on merge requests (Premium). A line that cannot be read leaves releases
waiting: it never means fewer owners. An owner by e-mail address is nobody whom the forge could
tell; name accounts and teams.

## Floors

An operator holds repositories to floors, whatever their files say. A floor only tightens: it is
a file of this form, with any of these fields and no other words for them.

` + "```yaml\n%s```\n" + `
` + "`hosted`" + ` stands for github-hosted or gitlab-hosted, whichever the forge has. The server's configuration
names floors, and whose repositories they hold, by the number of the owner; everybody's where it
names none:

` + "```yaml\nfloors:\n  - {name: server, file: /etc/countersign/floor.yaml}\n  - {name: acme, file: /etc/countersign/acme.yaml, owners: [\"github:9000\"]}\n```\n" + `
What comes of a file and its floors, for every release of the file:

| Field | What is in force |
|---|---|
| ` + "`approvals`" + ` | the groups of both, with as few people as fill both: where everybody whom one group admits is admitted by the other too, one person fills a place in both; other groups are added. A right lower than all that the file names is raised to those, so that a floor lets nobody approve by a right that the file does not take. Whoever only the floor admits, by a team that the file does not name or by a right where the file names teams alone, may approve because of it |
| ` + "`separation`, `reviews_count`, `page_counts`, `codeowners`, `bind`, `branch.bypass`, `branch.push`" + ` | the floor's strict word |
| ` + "`branch.min_reviews`, `branch.settle`" + ` | the larger one |
| ` + "`expires`" + ` | the shorter one |
| ` + "`checks`, `formats`, `publish`" + ` | those of both; attestations at GitHub alone |
| ` + "`witnesses`" + ` | the larger one |
| ` + "`identity.runner`" + ` | the floor's. A file that names another class is refused: there is none that is both |
| ` + "`window`" + ` | the floor's; where the file has one in the same zone, the time that is within both. None at all, or a file's window in another zone, is refused |

A file may say something weaker; the floor holds all the same. ` + "`countersignd policy show`" + `, and
` + "`countersign policy lint` and `explain` with `--floor server=floor.yaml`" + `, print who says what: the file,
a default, or a floor. Floors are part of the policy digest, which is signed: changing one voids
the requests that are open, as adopting another version does, and they are asked for anew.

## Trying a policy

` + "`countersign policy test .countersign.yaml --cases cases.yaml`" + ` judges made-up releases as the gate would,
without a server, and compares what comes of them with what is expected: one line per case, and
where it comes out otherwise, every check that says no. The exit code is 3 then. ` + "`--floor`" + ` holds the
policy to floors here too, ` + "`--json`" + ` prints it for machines. With this policy:

` + "```yaml\n%s```\n" + `
these cases all come out as they say:

` + "```yaml\n%s```\n" + `
What a case leaves out is as the policy asks for it, so that it says only what it is about:

| Field | What it says; without it |
|---|---|
| ` + "`name`, `ref`, `expect`" + ` | must stand; ` + "`expect`" + ` is granted, waiting or denied |
| ` + "`because`" + ` | a check that has to say no: identity, ref, checks, rules, branch, protection, coverage, owners, approvals, independent, hold, window, …; any |
| ` + "`forge`" + ` | github or gitlab; each that the policy is for |
| ` + "`stream`" + ` | the release's name; the one that ref and job choose |
| ` + "`event`, `workflow`, `uses`, `job`, `runner`, `environment`" + ` | the job that asks; the one that the policy names |
| ` + "`by`, `tagger`" + ` | who started the run and made the tag; somebody who does nothing else |
| ` + "`branch`" + ` | that the commit is on, or ` + "`none`" + `; the ref's own, or the default branch |
| ` + "`protection`" + ` | ` + "`none`, `unread`, or any of `{reviews: 1, force_push: allow, deletion: allow, admins: exempt, bypass: [name], push: [name]}`" + `; as the policy asks |
| ` + "`checks`" + ` | ` + "`{build: passed, test: failed, lint: running}`" + `; those of the policy, passed |
| ` + "`changes`" + ` | each with ` + "`authors`" + `, the first of whom opened it, and any of ` + "`number`, `direct: true`" + ` (a push without review), ` + "`pushers`, `merger`, `reviewers`, `unlinked`" + ` (names of no account) and ` + "`paths`" + `; none |
| ` + "`approvals`, `denials`, `holds`" + ` | who commented that; nobody |
| ` + "`subjects`" + ` | the artifacts' names; one |
| ` + "`at`" + ` | the time, such as 2026-01-07T12:00:00Z; within the window |

Beside the cases, ` + "`people`" + ` gives rights (none, read, write, maintain, admin; bot for a machine; write for
whoever is not listed), ` + "`teams`" + ` lists their members, ` + "`codeowners`" + ` is the file from before the changes. A
policy that only audits is tried as if it were enforced.

## Not supported yet

These belong to the format. This version refuses them, because a rule that is not applied must
not look like one in force:

`

func TestPage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, intro, policy.Minimal(gate.GitHub), policy.Minimal(gate.GitLab), everything)
	b.WriteString(overview(policy.Fields()))
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
	fmt.Fprintf(&b, outro, policy.MaxRules, policy.MaxExpr, policy.MaxRuleCost, exampleFloor, triedPolicy, exampleCases)
	for _, f := range policy.Later() {
		if f.Doc == "" {
			t.Errorf("nothing is said about %s", f.Path)
		}
		fmt.Fprintf(&b, "- `%s`: %s\n", f.Path, f.Doc)
	}
	b.WriteString("\n---\n\nGenerated from the fields of package `gate/policy`: `go test ./gate/policy -run TestPage -update`.\n")
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

// overview lists all fields, each with its default and the first sentence about it.
func overview(fields []policy.Field) string {
	var b strings.Builder
	b.WriteString("\n| Field | Default | What it says |\n|---|---|---|\n")
	for _, f := range fields {
		about, _, _ := strings.Cut(f.Doc, ". ")
		standard := f.Default
		if f.Required {
			standard = "must stand"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, strings.ReplaceAll(standard, "*", `\*`), strings.TrimSuffix(about, "."))
	}
	return b.String()
}
