package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

// Bounds of a stream's rules. A unit of cost is about one comparison; the estimate is
// for the largest release that may be asked for, so that whether a rule is cheap enough
// is known when the file is read, not when somebody releases.
const (
	MaxRules    = 20
	MaxExpr     = 1000      // bytes
	MaxRuleCost = 2_000_000 // of all rules of a stream together, estimated
	maxNodes    = 1000
	maxNesting  = 50
	maxProgram  = 1000 // instructions of one regular expression
)

// rules reads a list of expressions and compiles them.
func (r *reader) rules(f field) gate.Rules {
	entries := r.list(f)
	if len(entries) > MaxRules {
		r.bad(f.value, "too many rules", fmt.Sprintf("at most %d", MaxRules), fmt.Sprint(len(entries)), "join some of them with &&")
	}
	if r.err != nil {
		return nil
	}
	env, err := ruleEnv()
	if err != nil {
		r.err = fmt.Errorf("set up the language of rules: %w", err)
		return nil
	}
	out := &ruleSet{}
	var spent uint64
	for _, n := range entries {
		one, cost := r.rule(env, n)
		if r.err != nil {
			return nil
		}
		if spent += cost; cost > MaxRuleCost || spent > MaxRuleCost {
			r.bad(n, "the rules up to here may cost too much to evaluate", fmt.Sprintf("at most %d units of cost", MaxRuleCost), fmt.Sprint(spent),
				"go over the subjects once: not within one another, and with short regular expressions")
			return nil
		}
		out.all = append(out.all, one)
	}
	return out
}

func (r *reader) rule(env *cel.Env, n ast.Node) (rule, uint64) {
	sub := r.fields("a rule", n, nil, "expr", "message")
	expr, ok := sub["expr"]
	if !ok {
		r.bad(n, "the rule has no expression", "expr: an expression that is true or false", "nothing", `write expr: subjects.all(s, s.name.startsWith("acme_"))`)
		return rule{}, 0
	}
	out := rule{said: gate.Expression{Expr: r.text("expr", expr.value)}}
	if len(out.said.Expr) > MaxExpr {
		r.bad(expr.value, "the expression is too long", fmt.Sprintf("at most %d bytes", MaxExpr), fmt.Sprintf("%d bytes", len(out.said.Expr)), "split it into several rules")
	}
	if m, ok := sub["message"]; ok {
		out.said.Message = r.text("message", m.value)
		if len(out.said.Message) > maxText || strings.Contains(out.said.Message, "\n") {
			r.bad(m.value, "the message is no short line", fmt.Sprintf("one line of at most %d bytes", maxText), quoted(out.said.Message), "say it in one line")
		}
	}
	if r.err != nil {
		return rule{}, 0
	}
	var cost uint64
	var err error
	if out.program, cost, err = compile(env, out.said.Expr); err != nil {
		r.bad(expr.value, "the expression is refused: "+err.Error(), "an expression in CEL that is true or false", quoted(out.said.Expr),
			"compare it with the manual's page on the policy file, which lists what a rule can look at")
	}
	return out, cost
}

// compile makes a program of an expression, and estimates its cost.
func compile(env *cel.Env, expr string) (cel.Program, uint64, error) {
	tree, issues := env.Compile(expr)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		where := ""
		if first.Location.Line() > 0 {
			where = fmt.Sprintf(" (line %d, character %d of it)", first.Location.Line(), first.Location.Column()+1)
		}
		return nil, 0, errors.New(printable(first.Message) + where)
	}
	if !tree.OutputType().IsExactType(types.BoolType) {
		return nil, 0, fmt.Errorf("it is of type %s, not bool", tree.OutputType())
	}
	cost, err := env.EstimateCost(tree, sizes{})
	if err != nil {
		return nil, 0, fmt.Errorf("its cost cannot be estimated: %w", err)
	}
	program, err := env.Program(tree, cel.CostLimit(MaxRuleCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, 0, err
	}
	return program, cost.Max, nil
}

// rule is one compiled expression.
type rule struct {
	said    gate.Expression
	program cel.Program
}

// ruleSet implements gate.Rules. It is not changed once made.
type ruleSet struct{ all []rule }

// Expressions implements gate.Rules.
func (s *ruleSet) Expressions() []gate.Expression {
	var out []gate.Expression
	for _, r := range s.all {
		out = append(out, r.said)
	}
	return out
}

// Judge implements gate.Rules.
func (s *ruleSet) Judge(f gate.RuleFacts) gate.Verdict {
	given := variables(f)
	for _, r := range s.all {
		holds, err := r.eval(given)
		if err != nil || !holds {
			return gate.Verdict{Broken: r.said, Err: err}
		}
	}
	return gate.Verdict{Holds: len(s.all) > 0}
}

func (r rule) eval(given map[string]any) (bool, error) {
	out, _, err := r.program.Eval(given)
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, errors.New("it came out as neither true nor false")
	}
	return holds, nil
}
