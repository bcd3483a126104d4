package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"

	main "github.com/countersign/countersign/cmd/countersign"
)

const casesHead = "version: 1\ncases:\n  - {name: reviewed, ref: refs/tags/v1.0.0, changes: [{authors: [ana], reviewers: [bo]}], approvals: [bo], expect: granted}\n"

// onCases runs countersign policy test.
func onCases(t *testing.T, file, cases string, flags ...string) (main.Exit, string, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cases.yaml")
	if err := os.WriteFile(path, []byte(cases), 0o600); err != nil {
		t.Fatal(err)
	}
	return onPolicy(t, file, "test", append([]string{"--cases", path}, flags...)...)
}

func TestPolicyTest(t *testing.T) {
	const wrong = "  - {name: alone, ref: refs/tags/v1.0.0, changes: [{authors: [ana]}], approvals: [ana], expect: granted}\n"
	for _, row := range []struct {
		what, file, cases string
		exit              main.Exit
		says              []string
	}{
		{"all as expected", policy.Minimal(gate.GitHub), casesHead, main.ExitOK, []string{"ok    reviewed (github): granted\n"}},
		{"on both forges", bothForges, casesHead, main.ExitOK, []string{"ok    reviewed (github): granted\n", "ok    reviewed (gitlab): granted\n"}},
		{
			"a case that comes out otherwise", policy.Minimal(gate.GitHub), casesHead + wrong, main.ExitPolicy,
			[]string{
				"ok    reviewed (github): granted\nFAIL  alone (github)\n      - granted\n      + waiting\n", "      + waiting coverage: 1 change not yet covered",
				"1 of 2 cases come out otherwise",
			},
		},
		{"another reason", policy.Minimal(gate.GitHub), strings.Replace(casesHead, "expect: granted", "by: bo, expect: waiting, because: hold", 1), main.ExitPolicy, []string{"- waiting, because of hold\n", "+ waiting independent"}},
		{"the reason", policy.Minimal(gate.GitHub), strings.Replace(casesHead, "expect: granted", "by: bo, expect: waiting, because: independent", 1), main.ExitOK, []string{"waiting, because of independent\n"}},
		{"cases that do not read", policy.Minimal(gate.GitHub), "version: 1\ncases: [{name: a}]\n", main.ExitUsage, []string{"cases.yaml:2:", "the case has no ref", "^"}},
		{"a policy that does not read", "version: 2\n", casesHead, main.ExitUsage, []string{".countersign.yaml:1:10"}},
		{"cases of the other forge", policy.Minimal(gate.GitHub), strings.Replace(casesHead, "{name", "{forge: gitlab, name", 1), main.ExitUsage, []string{"no case is for a forge"}},
		{"code owners that do not read", policy.Minimal(gate.GitHub), "version: 1\ncodeowners: \"* nobody\"\n" + strings.TrimPrefix(casesHead, "version: 1\n"), main.ExitUsage, []string{"code owners do not read"}},
	} {
		exit, out, errs := onCases(t, row.file, row.cases)
		for _, want := range row.says {
			if exit != row.exit || !strings.Contains(out+errs, want) {
				t.Errorf("%s: expected exit %d and %q, got %d\n%s%s", row.what, row.exit, want, exit, out, errs)
			}
		}
	}
	if exit, _, errs := onPolicy(t, policy.Minimal(gate.GitHub), "test"); exit != main.ExitUsage || !strings.Contains(errs, "cases") {
		t.Errorf("without cases: exit %d, %s", exit, errs)
	}
}

// What a server's floors make of a policy is tried too.
func TestPolicyTestFloors(t *testing.T) {
	floor := filepath.Join(t.TempDir(), "floor.yaml")
	if err := os.WriteFile(floor, []byte("version: 1\nfloor: {approvals: [{from: [write], count: 2}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out, _ := onCases(t, policy.Minimal(gate.GitHub), casesHead, "--floor", "server="+floor)
	if exit != main.ExitPolicy || !strings.Contains(out, "+ waiting approvals: 1 of 2") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestPolicyTestJSON(t *testing.T) {
	exit, out, _ := onCases(t, policy.Minimal(gate.GitHub), strings.Replace(casesHead, "expect: granted", "expect: denied", 1), "--json")
	var got struct {
		OK    bool
		Cases []policy.Verdict
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || exit != main.ExitPolicy || got.OK || len(got.Cases) != 1 ||
		got.Cases[0].Got != gate.Granted || got.Cases[0].Expected != gate.Denied {
		t.Errorf("exit %d, %v:\n%s", exit, err, out)
	}
}
