package gate

import (
	"fmt"
	"strings"
)

// Rules are a stream's `rules:`, compiled by gate/policy. Implementations do no I/O,
// read no clock, bound their cost, and are safe for concurrent use.
type Rules interface {
	// Judge evaluates the expressions in order, up to the first that is not true.
	Judge(f RuleFacts) Verdict
	// Expressions are the rules as the policy file spells them.
	Expressions() []Expression
}

// Expression is one rule: what must be true, and what people read where it is not.
type Expression struct {
	Expr    string
	Message string // "" where the file gives none
}

// Verdict is what rules say of a release. The zero value refuses.
type Verdict struct {
	Holds bool
	// Broken is the rule that does not hold.
	Broken Expression
	// Err is set where the rule could not be evaluated: that never grants.
	Err error
}

// RuleFacts is all that an expression may look at. Nothing in it can change during the
// life of a request, so neither can a verdict.
type RuleFacts struct {
	Subjects   []Subject
	Ref        string // full ref
	Tag        string // short name; "" for a branch
	Branch     string // short name; "" for a tag
	Commit     string
	Stream     string
	Repository string // owner/name as the ID token says; names are recycled
	Event      string
	Actor      Account
}

// FactsOf is what the rules see of a request.
func FactsOf(r Request) RuleFacts {
	f := RuleFacts{
		Subjects: r.Manifest.Subjects, Ref: r.Ref, Commit: r.Commit, Stream: r.Stream,
		Repository: r.Workload.RepositoryName, Event: r.Workload.Event, Actor: r.Workload.Actor,
	}
	switch {
	case r.IsTag():
		f.Tag = r.ShortRef()
	case strings.HasPrefix(r.Ref, "refs/heads/"):
		f.Branch = r.ShortRef()
	}
	return f
}

// rules is no check at all where the stream has none.
func (j *judge) rules() []Check {
	if j.stream.Rules == nil {
		return nil
	}
	v := j.stream.Rules.Judge(FactsOf(j.c.Request))
	expr := strings.Join(strings.Fields(v.Broken.Expr), " ")
	c := Check{Name: CheckRules, Outcome: Denied, Ends: StateDenied, Expected: orNone(expr)}
	switch {
	case v.Err != nil:
		c.Reason = fmt.Sprintf("the rule %s could not be evaluated: %v", orNone(expr), v.Err)
		c.Got = "an error"
		c.Fix = "mend the rule in the policy file, have it adopted, then ask again"
	case !v.Holds:
		c.Reason = v.Broken.Message
		if c.Reason == "" {
			c.Reason = "a rule of the policy does not hold: " + orNone(expr)
		}
		c.Got = "false"
		c.Fix = "ask again for what the rule allows; whoever wants another rule changes the policy file and has it adopted"
	default:
		c = granted(CheckRules, "%s", rulesHold(len(j.stream.Rules.Expressions())))
	}
	return []Check{c}
}

func rulesHold(n int) string {
	if n == 1 {
		return "the policy's rule holds"
	}
	return fmt.Sprintf("all %d rules of the policy hold", n)
}
