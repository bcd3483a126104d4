package gate_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
)

// says are rules that give one verdict, whatever they are asked about.
type says gate.Verdict

func (s says) Judge(gate.RuleFacts) gate.Verdict { return gate.Verdict(s) }
func (s says) Expressions() []gate.Expression    { return []gate.Expression{s.Broken} }
func ruled(v gate.Verdict) step                  { return stream(func(s *gate.Stream) { s.Rules = says(v) }) }
func released(steps ...step) release {
	return with(append([]step{pr(1, "ana"), approve("bo")}, steps...)...)
}
func runs(edit func(*gate.Workload)) step {
	return request(func(q *gate.Request) { edit(&q.Workload) })
}
func named(edit func(*gate.Stream)) step { return stream(edit) }
func refs(patterns ...gate.Matcher) step { return named(func(s *gate.Stream) { s.Refs = patterns }) }
func runner(policy, token string) []step {
	return []step{
		named(func(s *gate.Stream) { s.Runner = policy }), runs(func(w *gate.Workload) { w.Runner = token }),
	}
}

func TestRules(t *testing.T) {
	r := row{t}
	broken := gate.Expression{Expr: "tag ==\n  'v2'", Message: "Only v2 may be signed"}
	r.grant("no rules", released())
	r.grant("a rule that holds", released(ruled(gate.Verdict{Holds: true})))
	r.ends("a rule that does not hold", released(ruled(gate.Verdict{Broken: broken})), gate.CheckRules, gate.StateDenied, "Only v2 may be signed")
	r.ends("a rule without a message", released(ruled(gate.Verdict{Broken: gate.Expression{Expr: "false"}})), gate.CheckRules, gate.StateDenied, "false")
	r.ends("a rule that cannot be evaluated", released(ruled(gate.Verdict{Broken: broken, Err: errors.New("no such key")})),
		gate.CheckRules, gate.StateDenied, "no such key")
	r.ends("a rule that both holds and fails", released(ruled(gate.Verdict{Holds: true, Err: errors.New("cost limit")})),
		gate.CheckRules, gate.StateDenied, "cost limit")
	r.ends("rules that say nothing", released(ruled(gate.Verdict{})), gate.CheckRules, gate.StateDenied, "nothing")

	c, _ := gate.Decide(released(ruled(gate.Verdict{Broken: broken})), now).Check(gate.CheckRules)
	if c.Expected != "tag == 'v2'" || c.Got != "false" {
		t.Errorf("expected %q, got %q: want the expression in one line, and false", c.Expected, c.Got)
	}
	if _, ok := gate.Decide(released(), now).Check(gate.CheckRules); ok {
		t.Error("a check of rules without any")
	}
}

func TestFactsOf(t *testing.T) {
	q := newRelease().Request
	want := gate.RuleFacts{
		Subjects: q.Manifest.Subjects, Ref: "refs/tags/v1.4.0", Tag: "v1.4.0", Commit: head, Stream: "release",
		Repository: "acme/widget", Event: "push", Actor: who("eve"),
	}
	if diff := cmp.Diff(want, gate.FactsOf(q)); diff != "" {
		t.Errorf("of a tag (-want +got):\n%s", diff)
	}
	q.Ref = "refs/heads/v1.4.0"
	want.Ref, want.Tag, want.Branch = q.Ref, "", "v1.4.0"
	if diff := cmp.Diff(want, gate.FactsOf(q)); diff != "" {
		t.Errorf("attack 22: of a branch named like a tag (-want +got):\n%s", diff)
	}
}

func TestPinnedClaims(t *testing.T) {
	r := row{t}
	r.grant("any ref where the policy names none", released())
	r.grant("a ref that the policy names", released(refs(exactly("refs/heads/main"), starting("refs/tags/v"))))
	r.ends("attack 13: a ref that the policy does not name", released(refs(exactly("refs/heads/main"))),
		gate.CheckIdentity, gate.StateDenied, "the run's ref is refs/tags/v1.4.0, expected refs/heads/main")
	r.ends("attack 22: a tag named like the branch", released(refs(exactly("v1.4.0"))), gate.CheckIdentity, gate.StateDenied, "the run's ref")

	r.grant("any runner where the policy names none", released(runner("", "self-hosted")...))
	r.grant("the runner that the policy names", released(runner("github-hosted", "github-hosted")...))
	r.ends("attack 17: a self-hosted runner", released(runner("github-hosted", "self-hosted")...),
		gate.CheckIdentity, gate.StateDenied, "the job's runner is self-hosted, expected github-hosted")
	r.ends("attack 17: a runner that the token does not name", released(runner("github-hosted", "")...),
		gate.CheckIdentity, gate.StateDenied, "the job's runner is nothing")

	environment := named(func(s *gate.Stream) { s.Environment = "release" })
	r.grant("the environment that the policy names", released(environment, runs(func(w *gate.Workload) { w.Environment = "release" })))
	r.ends("a job without the environment", released(environment), gate.CheckIdentity, gate.StateDenied, "the job's environment is nothing, expected release")
	r.ends("a job of another environment", released(environment, runs(func(w *gate.Workload) { w.Environment = "Release" })),
		gate.CheckIdentity, gate.StateDenied, "the job's environment is Release")
}
