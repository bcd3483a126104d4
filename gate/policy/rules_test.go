package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// facts are those of v1.4.0 of acme/widget, pushed by ana.
func facts() gate.RuleFacts {
	return gate.RuleFacts{
		Subjects: []gate.Subject{
			{Name: "acme_linux.tar.gz", SHA256: gate.SHA256([]byte("linux"))},
			{Name: "acme_mac.zip", SHA256: gate.SHA256([]byte("mac"))},
		},
		Ref: "refs/tags/v1.4.0", Tag: "v1.4.0", Commit: commit, Stream: "stable", Repository: "acme/widget", Event: "push",
		Actor: gate.Account{ID: gate.AccountID{Forge: "github", ID: 7}, Login: "ana"},
	}
}

func rules(t testing.TB, exprs ...string) gate.Rules {
	t.Helper()
	var list strings.Builder
	for n, e := range exprs {
		fmt.Fprintf(&list, "\n      - {expr: %q, message: rule %d}", e, n+1)
	}
	return parse(t, entry("rules:"+list.String()), gate.GitHub).Streams[0].Rules
}

func TestRules(t *testing.T) {
	allow := func(expr string) {
		t.Helper()
		if v := rules(t, expr).Judge(facts()); !v.Holds || v.Err != nil {
			t.Errorf("%s: expected it to hold, got %+v", expr, v)
		}
	}
	deny := func(expr string) {
		t.Helper()
		if v := rules(t, expr).Judge(facts()); v.Holds || v.Err != nil || v.Broken.Expr != expr {
			t.Errorf("%s: expected false, got %+v", expr, v)
		}
	}
	fails := func(expr, words string) {
		t.Helper()
		if v := rules(t, expr).Judge(facts()); v.Holds || v.Err == nil || !strings.Contains(v.Err.Error(), words) {
			t.Errorf("%s: expected an error that says %q, got %+v", expr, words, v)
		}
	}
	allow(`subjects.all(s, s.name.startsWith("acme_"))`)
	deny(`subjects.all(s, s.name.endsWith(".zip"))`)
	allow(`subjects.exists_one(s, s.name == "acme_mac.zip")`)
	allow(`size(subjects) == 2`)
	allow(`subjects.all(s, s.sha256.matches("^[0-9a-f]{64}$"))`)
	allow(`ref == "refs/tags/v1.4.0" && tag == "v1.4.0" && branch == ""`)
	allow(`commit == "` + commit + `"`)
	allow(`stream == "stable" && repository == "acme/widget"`)
	allow(`event in ["push", "release"]`)
	deny(`event == "schedule"`)
	allow(`actor.id == 7 && actor.login == "ana"`)
	deny(`actor.id in [1, 2, 3]`)
	allow(`tag.matches("^v[0-9]+[.][0-9]+[.][0-9]+$")`)
	deny(`tag.matches("^v[0-9]+$")`)
	deny("false")
	fails(`subjects[2].name == "x"`, "index out of bounds")
	fails(`int(tag) > 1`, "conversion")
	fails(`1 / size(branch) == 1`, "division by zero")
	fails(`tag.matches(subjects[0].name + "(")`, "missing closing")
}

// The first rule that is not true is the one that is named.
func TestRulesInOrder(t *testing.T) {
	v := rules(t, "true", "tag == 'v2'", "1 / size(branch) == 1").Judge(facts())
	if v.Holds || v.Err != nil || v.Broken.Message != "rule 2" {
		t.Errorf("expected rule 2 to be broken, got %+v", v)
	}
	v = rules(t, "true", "1 / size(branch) == 1", "tag == 'v2'").Judge(facts())
	if v.Holds || v.Err == nil || v.Broken.Message != "rule 2" {
		t.Errorf("expected rule 2 to fail, got %+v", v)
	}
}

// Whatever was cheap enough when the file was read is cheap enough for the largest release.
func TestRulesOverTheLargestRelease(t *testing.T) {
	f := facts()
	f.Subjects = nil
	for n := range canonical.MaxSubjects {
		f.Subjects = append(f.Subjects, gate.Subject{Name: fmt.Sprintf("%0*d", canonical.MaxName, n)})
	}
	if v := rules(t, `subjects.all(s, s.name.matches("^[0-9]+$"))`).Judge(f); !v.Holds {
		t.Errorf("expected it to hold, got %+v", v)
	}
}

// What is larger than any release that can be asked for ends at the limit, with an error.
func TestRulesEndAtTheirCost(t *testing.T) {
	f := facts()
	for range 400_000 {
		f.Subjects = append(f.Subjects, f.Subjects[0])
	}
	v := rules(t, `subjects.all(s, s.name.startsWith("acme_"))`).Judge(f)
	if v.Holds || v.Err == nil || !strings.Contains(v.Err.Error(), "cost limit") {
		t.Errorf("expected the cost limit, got %+v", v)
	}
}

func TestNoFactsHoldNothing(t *testing.T) {
	if v := rules(t, `tag == "v1"`).Judge(gate.RuleFacts{}); v.Holds {
		t.Error("a rule held without facts")
	}
}

func BenchmarkRules(b *testing.B) {
	r := rules(b, `subjects.all(s, s.name.startsWith("acme_"))`, `event == "push"`)
	for b.Loop() {
		r.Judge(facts())
	}
}
