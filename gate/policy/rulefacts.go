package policy

import (
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/ext"

	"github.com/countersign/countersign/gate"
)

// Subject is what a rule sees of an artifact: a type of the expression language, so that a
// field that does not exist is refused when the file is read.
type Subject struct {
	Name   string `cel:"name"`
	SHA256 string `cel:"sha256"` // 64 lower-case hex digits
}

// Actor is what a rule sees of whoever started the run.
type Actor struct {
	ID    int64  `cel:"id"` // the forge's number
	Login string `cel:"login"`
}

// Sizes of the largest values, as gate/canonical and the forges bound them: what the
// cost of an expression is estimated for.
const (
	mostSubjects = 1000
	longestName  = 512
	longestText  = 1024
	hexDigits    = 64
)

// ruleEnv is the language: CEL's standard library over gate.RuleFacts. There is no
// clock in it, no network, and no randomness.
func ruleEnv() (*cel.Env, error) {
	subject, actor := reflect.TypeFor[Subject](), reflect.TypeFor[Actor]()
	return cel.NewEnv(
		cel.ParserExpressionSizeLimit(MaxExpr), cel.ExpressionNodeLimit(maxNodes), cel.ParserRecursionLimit(maxNesting),
		ext.NativeTypes(subject, actor, ext.ParseStructTags(true)),
		cel.Variable("subjects", cel.ListType(cel.ObjectType("policy.Subject"))),
		cel.Variable("actor", cel.ObjectType("policy.Actor")),
		cel.Variable("ref", cel.StringType), cel.Variable("tag", cel.StringType), cel.Variable("branch", cel.StringType),
		cel.Variable("commit", cel.StringType), cel.Variable("stream", cel.StringType),
		cel.Variable("repository", cel.StringType), cel.Variable("event", cel.StringType),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateRegexProgramSizeLimit(maxProgram), cel.ValidateHomogeneousAggregateLiterals()),
	)
}

func variables(f gate.RuleFacts) map[string]any {
	subjects := make([]Subject, 0, len(f.Subjects))
	for _, s := range f.Subjects {
		subjects = append(subjects, Subject{Name: s.Name, SHA256: s.SHA256.String()})
	}
	return map[string]any{
		"subjects": subjects, "ref": f.Ref, "tag": f.Tag, "branch": f.Branch, "commit": f.Commit,
		"stream": f.Stream, "repository": f.Repository, "event": f.Event,
		"actor": Actor{ID: f.Actor.ID.ID, Login: f.Actor.Login},
	}
}

// sizes estimates the inputs of an expression.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	path := n.Path()
	if len(path) == 0 {
		return nil
	}
	most := uint64(longestText)
	switch path[len(path)-1] {
	case "subjects":
		most = mostSubjects
	case "name":
		most = longestName
	case "sha256", "commit":
		most = hexDigits
	}
	return &cost.SizeEstimate{Max: most}
}

// EstimateCallCost implements cost.Estimator: the standard functions' own estimates hold.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
