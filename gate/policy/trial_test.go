package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// triedPolicy and exampleCases stand in the manual.
const triedPolicy = `version: 1
releases:
  - workflow: release.yml
    identity: {environment: release}
    branch: {push: deny}
    checks: [build]
    codeowners: true
    approvals:
      - {from: [write]}
      - {from: [team:security]}
`

const exampleCases = `version: 1
people: {cy: read, renovate: bot}     # everybody else may write
teams: {security: [sec, dee]}
codeowners: |
  /payment/ @pat
cases:
  - name: reviewed, and approved by the team
    ref: refs/tags/v1.4.0
    changes: [{authors: [ana], reviewers: [bo]}]
    approvals: [bo, sec]
    expect: granted
  - name: nobody of the team
    ref: refs/tags/v1.4.0
    changes: [{authors: [ana], reviewers: [bo]}]
    approvals: [bo, eve]
    expect: waiting
    because: approvals
  - name: two authors cannot cover their common change
    ref: refs/tags/v1.4.0
    changes: [{authors: [ana, sec]}, {authors: [bo]}]
    approvals: [ana, sec]
    expect: waiting
    because: coverage
  - name: a machine's change needs two people
    ref: refs/tags/v1.4.0
    changes: [{authors: [renovate], reviewers: [bo]}]
    approvals: [bo, sec]
    expect: granted
  - name: the build failed
    ref: refs/tags/v1.4.0
    checks: {build: failed}
    changes: [{authors: [ana], reviewers: [bo]}]
    approvals: [bo, sec]
    expect: waiting
    because: checks
  - name: a file whose owner said nothing
    ref: refs/tags/v1.4.0
    changes: [{authors: [ana], reviewers: [bo], paths: [payment/card.go]}]
    approvals: [bo, sec]
    expect: waiting
    because: owners
  - name: somebody may push past review
    ref: refs/tags/v1.4.0
    protection: {push: [deploy-bot]}
    changes: [{authors: [ana], reviewers: [bo]}]
    approvals: [bo, sec]
    expect: waiting
    because: protection
  - name: from a pull request
    ref: refs/tags/v1.4.0
    event: pull_request
    expect: denied
    because: identity
`

func tried(t *testing.T, file, cases string, kind gate.ForgeKind) []policy.Verdict {
	t.Helper()
	ts, err := policy.ReadTrials("cases.yaml", []byte(cases))
	if err != nil {
		t.Fatal(err)
	}
	out, err := ts.Try(parse(t, file, kind), origin(kind))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func said(v policy.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: expected %s %s, got %s\n", v.Name, v.Expected, v.Because, v.Got)
	for _, c := range v.Checks {
		fmt.Fprintf(&b, "  %s %s: %s\n", c.Outcome, c.Name, c.Reason)
	}
	return b.String()
}

func TestExampleCases(t *testing.T) {
	out := tried(t, triedPolicy, exampleCases, gate.GitHub)
	if len(out) != 8 {
		t.Errorf("%d cases", len(out))
	}
	for _, v := range out {
		if !v.OK {
			t.Error(said(v))
		}
	}
}

// oneCase is a file with one case that is granted under the minimal policy, but for lines.
func oneCase(lines ...string) string {
	return "version: 1\ncases:\n  - name: one\n    ref: refs/tags/v1\n    changes: [{authors: [ana], reviewers: [bo]}]\n    approvals: [cy]\n    " +
		strings.Join(lines, "\n    ") + "\n"
}

// Each row is what one line of a case does to a release that is otherwise granted.
func TestTrials(t *testing.T) {
	minimal := policy.Minimal(gate.GitHub)
	for _, row := range []struct {
		what, file, line string
		want             gate.Outcome
		because          gate.CheckName
	}{
		{"nothing", minimal, "", gate.Granted, ""},
		{"the default branch", minimal, "branch: main", gate.Granted, ""},
		{"another branch", minimal, "branch: wip", gate.Waiting, gate.CheckBranch},
		{"on no branch", minimal, "branch: none", gate.Waiting, gate.CheckBranch},
		{"no protection", minimal, "protection: none", gate.Waiting, gate.CheckProtection},
		{"unread protection", minimal, "protection: unread", gate.Waiting, gate.CheckProtection},
		{"force pushes", minimal, "protection: {force_push: allow}", gate.Waiting, gate.CheckProtection},
		{"deletion", minimal, "protection: {deletion: allow}", gate.Waiting, gate.CheckProtection},
		{"exempt administrators", minimal, "protection: {admins: exempt}", gate.Waiting, gate.CheckProtection},
		{"bypass, reported", minimal, "protection: {bypass: [root]}", gate.Granted, ""},
		{"bypass, denied", entry("branch: {bypass: deny}"), "protection: {bypass: [root]}", gate.Waiting, gate.CheckProtection},
		{"too few reviews", entry("branch: {min_reviews: 2}"), "protection: {reviews: 1}", gate.Waiting, gate.CheckProtection},
		{"enough reviews", entry("branch: {min_reviews: 2}"), "", gate.Granted, ""},
		{"approved by who asked and tagged", minimal, "by: cy", gate.Waiting, gate.CheckIndependent},
		{"approved by the tagger", minimal, "tagger: cy", gate.Waiting, gate.CheckIndependent},
		{"denied", minimal, "denials: [dee]", gate.Denied, gate.CheckHold},
		{"held", minimal, "holds: [dee]", gate.Waiting, gate.CheckHold},
		{"another workflow", minimal, "workflow: other.yml", gate.Denied, gate.CheckIdentity},
		{"a reusable workflow", minimal, "uses: a/b/.github/workflows/c.yml@" + commit, gate.Denied, gate.CheckIdentity},
		{"another job", entry("job: sign"), "job: build", gate.Denied, gate.CheckIdentity},
		{"the job", entry("job: sign"), "job: sign", gate.Granted, ""},
		{"another runner", entry("identity: {runner: github-hosted}"), "runner: self-hosted", gate.Denied, gate.CheckIdentity},
		{"another environment", entry("identity: {environment: release}"), "environment: test", gate.Denied, gate.CheckIdentity},
		{"the pinned workflow", entry("uses: a/b/.github/workflows/c.yml@" + commit), "", gate.Granted, ""},
		{"outside the window", entry("window: {days: [mon], tz: UTC}"), "at: 2026-01-07T12:00:00Z", gate.Waiting, gate.CheckWindow},
		{"within the window", entry("window: {days: [mon], tz: UTC}"), "", gate.Granted, ""},
		{"a rule that holds", rule(`subjects.all(s, s.name.startsWith("acme_"))`), "subjects: [acme_a, acme_b]", gate.Granted, ""},
		{"a rule that does not", rule(`subjects.all(s, s.name.startsWith("acme_"))`), "subjects: [acme_a, b]", gate.Denied, gate.CheckRules},
		{"a check that runs", entry("checks: [build]"), "checks: {build: running}", gate.Waiting, gate.CheckCI},
		{"a check that is not there", entry("checks: [build]"), "checks: {test: passed}", gate.Waiting, gate.CheckCI},
		{"checks passed", entry("checks: [build]"), "", gate.Granted, ""},
		{"a tag that no stream names", entry("tags: [x*]"), "", gate.Denied, gate.CheckIdentity},
		{"the page for nothing", entry("page_counts: false"), "", gate.Granted, ""},
		{"reviews for nothing", entry("reviews_count: false"), "", gate.Granted, ""},
	} {
		cases := oneCase("expect: "+row.want.String(), row.line)
		if row.because != "" {
			cases += "    because: " + string(row.because) + "\n"
		}
		for _, v := range tried(t, row.file, cases, gate.GitHub) {
			if !v.OK {
				t.Errorf("%s: %s", row.what, said(v))
			}
		}
	}
}

func TestTrialsOfChanges(t *testing.T) {
	for _, row := range []struct {
		what, lines string
		want        gate.Outcome
		because     gate.CheckName
	}{
		{"nothing changed", "approvals: [bo]", gate.Granted, ""},
		{"nobody approved", "changes: [{authors: [ana], reviewers: [bo]}]", gate.Waiting, gate.CheckApprovals},
		{"its author approves", "changes: [{authors: [ana]}]\n    approvals: [ana]", gate.Waiting, gate.CheckCoverage},
		{"a direct push", "changes: [{authors: [ana], direct: true}]\n    approvals: [bo]", gate.Granted, ""},
		{"a direct push by the approver", "changes: [{authors: [ana], direct: true, pushers: [bo]}]\n    approvals: [bo]", gate.Waiting, gate.CheckCoverage},
		{"a name without an account", "changes: [{authors: [ana], unlinked: [N. N.]}]\n    approvals: [bo]", gate.Waiting, gate.CheckCoverage},
		{"a reader's approval", "changes: [{authors: [ana]}]\n    approvals: [reader]", gate.Waiting, gate.CheckApprovals},
		{"a machine's approval", "changes: [{authors: [ana]}]\n    approvals: [robot]", gate.Waiting, gate.CheckApprovals},
		{"a machine's change, one approver", "changes: [{authors: [robot]}]\n    approvals: [bo]", gate.Waiting, gate.CheckCoverage},
		{"a machine's change, merged by another", "changes: [{authors: [robot], merger: ana}]\n    approvals: [bo]", gate.Granted, ""},
	} {
		cases := "version: 1\npeople: {reader: read, robot: bot}\ncases:\n  - name: one\n    ref: refs/tags/v1\n    expect: " + row.want.String() + "\n    " + row.lines + "\n"
		if row.because != "" {
			cases += "    because: " + string(row.because) + "\n"
		}
		for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
			for _, v := range tried(t, policy.Minimal(kind), cases, kind) {
				if !v.OK {
					t.Errorf("%s on %s: %s", row.what, kind, said(v))
				}
			}
		}
	}
}

// A case may be of one forge alone, and one whose expectation is wrong says so.
func TestTrialsThatFail(t *testing.T) {
	if out := tried(t, policy.Minimal(gate.GitHub), oneCase("expect: granted", "forge: gitlab"), gate.GitHub); len(out) != 0 {
		t.Errorf("a case of GitLab was tried on GitHub: %v", out)
	}
	for _, lines := range [][]string{{"expect: waiting"}, {"expect: waiting", "because: hold", "by: cy"}} {
		out := tried(t, policy.Minimal(gate.GitHub), oneCase(lines...), gate.GitHub)
		if len(out) != 1 || out[0].OK {
			t.Errorf("%v: %+v", lines, out)
		}
	}
	ts, err := policy.ReadTrials("cases.yaml", []byte("codeowners: nobody\n"+oneCase("expect: granted")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ts.Try(parse(t, policy.Minimal(gate.GitHub), gate.GitHub), origin(gate.GitHub)); err != nil {
		t.Error(err) // a pattern without owners reads
	}
	ts.Cast.CodeOwners = "* nobody"
	if _, err := ts.Try(parse(t, policy.Minimal(gate.GitHub), gate.GitHub), origin(gate.GitHub)); err == nil {
		t.Error("expected the code owners' refusal")
	}
}

// A change that nobody wrote is one of which that could not be read.
func TestTrialOfNobody(t *testing.T) {
	ts := policy.Trials{Cases: []policy.Trial{{
		Name: "x", Ref: "refs/heads/main", Changes: []policy.TrialChange{{Number: 1}}, Approvals: []string{"bo"}, Expect: gate.Waiting, Because: gate.CheckCoverage,
	}}}
	out, err := ts.Try(parse(t, policy.Minimal(gate.GitHub), gate.GitHub), origin(gate.GitHub))
	if err != nil || len(out) != 1 || !out[0].OK {
		t.Errorf("%v %+v", err, out)
	}
}

func FuzzTrials(f *testing.F) {
	f.Add([]byte(exampleCases), true)
	f.Add([]byte(oneCase("expect: waiting", "protection: {reviews: 1, push: [x]}", "at: 2026-01-07T12:00:00Z")), false)
	f.Fuzz(func(t *testing.T, cases []byte, onGitLab bool) {
		ts, err := policy.ReadTrials("cases.yaml", cases)
		if err != nil {
			if gate.KindOf(err) != gate.Invalid {
				t.Errorf("%q: unclassified %v", cases, err)
			}
			return
		}
		kind, file := gate.GitHub, triedPolicy
		if onGitLab {
			kind, file = gate.GitLab, policy.Minimal(gate.GitLab)
		}
		out, err := ts.Try(parse(t, file, kind), origin(kind))
		for _, v := range out {
			if err == nil && v.Got != gate.Granted && len(v.Checks) == 0 {
				t.Errorf("%q: %s is %s, and nothing says why", cases, v.Name, v.Got)
			}
		}
	})
}

func TestTrialsRefused(t *testing.T) {
	for _, row := range []struct{ what, file, says string }{
		{"empty", "", "the file is empty"},
		{"no version", "cases: []\n", "no version"},
		{"no cases", "version: 1\n", "no cases"},
		{"no name", "version: 1\ncases: [{ref: refs/tags/v1, expect: granted}]\n", "the case has no name"},
		{"no ref", "version: 1\ncases: [{name: a, expect: granted}]\n", "the case has no ref"},
		{"no expectation", "version: 1\ncases: [{name: a, ref: refs/tags/v1}]\n", "the case has no expect"},
		{"a name twice", "version: 1\ncases: [{name: a, ref: refs/tags/v1, expect: denied}, {name: a, ref: refs/tags/v1, expect: denied}]\n", "a second case"},
		{"a short ref", "version: 1\ncases: [{name: a, ref: v1, expect: denied}]\n", "no full ref"},
		{"unknown field", oneCase("expect: granted", "reviewers: [bo]"), "unknown field"},
		{"unknown outcome", oneCase("expect: maybe"), "expect is"},
		{"unknown check", oneCase("expect: denied", "because: luck"), "because is"},
		{"because of a grant", oneCase("expect: granted", "because: hold"), "because without a no"},
		{"unknown right", "version: 1\npeople: {ana: owner}\n", "the right of ana"},
		{"somebody twice", "version: 1\npeople: {ana: read, ana: write}\n", "stands twice"},
		{"people a list", "version: 1\npeople: [ana]\n", "a group of names"},
		{"a change without authors", oneCase("expect: granted")[:len("version: 1\ncases:\n  - name: one\n")] + "    ref: refs/tags/v1\n    expect: denied\n    changes: [{reviewers: [bo]}]\n", "no authors"},
		{"a time without a zone", oneCase("expect: granted", "at: 2026-01-07T12:00:00"), "is no time"},
		{"an unknown end of a check", oneCase("expect: granted", "checks: {build: green}"), "check build is"},
		{"an unknown protection", oneCase("expect: granted", "protection: weak"), "protection is"},
	} {
		_, err := policy.ReadTrials("cases.yaml", []byte(row.file))
		var e *gate.Error
		if !errors.As(err, &e) || e.Code != gate.CodePolicyInvalid || !strings.Contains(e.Text+e.Expected, row.says) || e.Fix == "" {
			t.Errorf("%s: got %v, want %q", row.what, err, row.says)
		}
	}
}
