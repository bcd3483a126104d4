package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader reads nodes of a document and keeps the first fault, so that a reader of a
// field says only what it wants.
type reader struct {
	*source
	err error
}

func (r *reader) bad(n ast.Node, what, expected, got, fix string) {
	if r.err == nil {
		r.err = r.fault(start(n), what, expected, got, fix)
	}
}

// start is where a node begins; the parser places a mapping at its first colon.
func start(n ast.Node) place {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return start(m.Values[0])
		}
	case *ast.MappingValueNode:
		return placeOf(m.Key.GetToken())
	}
	return placeOf(n.GetToken())
}

// span is a range of numbers in words.
func span(low, high int) string {
	if low == high {
		return fmt.Sprintf("the number %d", low)
	}
	return fmt.Sprintf("a number from %d to %d", low, high)
}

// field is one member of a mapping.
type field struct {
	name  string
	key   ast.Node
	value ast.Node
}

// later are fields that the format has and this version does not read yet: an
// unread rule must not look like one in force.
type later []string

// fields reads a mapping whose members are among known; those of soon are refused by
// what they are, everything else as unknown.
func (r *reader) fields(what string, n ast.Node, soon later, known ...string) map[string]field {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.bad(n, what+" is "+kindOf(n), "fields: "+strings.Join(known, ", "), kindOf(n), "write its fields under it, each as name: value")
		return nil
	}
	out := map[string]field{}
	for _, v := range values {
		name, ok := v.Key.(ast.Node).(*ast.StringNode)
		if !ok {
			r.bad(v.Key, "a field's name is "+kindOf(v.Key), "one of "+strings.Join(known, ", "), kindOf(v.Key), "write the name as a plain word")
			return nil
		}
		f := field{name: name.Value, key: v.Key, value: v.Value}
		_, twice := out[f.name]
		switch {
		case twice:
			r.bad(f.key, fmt.Sprintf("field %q stands twice", f.name), "every field once", "a second one", "keep one of them")
		case slices.Contains(soon, f.name):
			r.bad(f.key, fmt.Sprintf("field %q is not supported by this version yet", f.name), "one of "+strings.Join(known, ", "), quoted(f.name),
				"leave it out: a rule that is not applied must not look like one in force")
		case !slices.Contains(known, f.name):
			r.bad(f.key, fmt.Sprintf("unknown field %s in %s", quoted(f.name), what), "one of "+strings.Join(known, ", "), quoted(f.name), nearest(f.name, known))
		}
		out[f.name] = f
	}
	return out
}

func nearest(name string, known []string) string {
	for _, k := range known {
		a, b := strings.ToLower(strings.ReplaceAll(name, "-", "_")), k
		if a == b || strings.TrimSuffix(a, "s") == strings.TrimSuffix(b, "s") {
			return fmt.Sprintf("did you mean %q?", k)
		}
	}
	return "remove it, or see the manual's page on the policy file"
}

func (r *reader) list(f field) []ast.Node {
	seq, ok := f.value.(*ast.SequenceNode)
	if !ok {
		r.bad(f.value, fmt.Sprintf("%q is %s", f.name, kindOf(f.value)), "a list", kindOf(f.value), fmt.Sprintf("write %s: [one, two], or one line with - for each", f.name))
		return nil
	}
	if len(seq.Values) == 0 {
		r.bad(f.value, fmt.Sprintf("%q is an empty list", f.name), "at least one entry", "none", "leave the field out to have the default")
	}
	return seq.Values
}

// text is a value that is a non-empty text.
func (r *reader) text(what string, n ast.Node) string {
	s, ok := n.(*ast.StringNode)
	if lit, isLiteral := n.(*ast.LiteralNode); isLiteral && lit.Value != nil {
		s, ok = lit.Value, true
	}
	switch {
	case !ok:
		r.bad(n, what+" is "+kindOf(n), "a text", kindOf(n), "put it in quotes")
		return ""
	case strings.TrimSpace(s.Value) == "":
		r.bad(n, what+" is empty", "a text", "nothing", "leave the field out, or say something")
	}
	return strings.TrimSpace(s.Value)
}

// word is a text that is one of a few.
func (r *reader) word(what string, n ast.Node, of ...string) string {
	s := r.text(what, n)
	if r.err == nil && !slices.Contains(of, s) {
		fix := "use one of these words"
		if len(of) == 1 {
			fix = "write " + of[0] + ": the gate asks for no less"
		}
		r.bad(n, fmt.Sprintf("%s is %s", what, quoted(s)), strings.Join(of, " or "), quoted(s), fix)
	}
	return s
}

func (r *reader) number(what string, n ast.Node, low, high int) int {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		r.bad(n, what+" is "+kindOf(n), span(low, high), kindOf(n), "write it in plain digits")
		return 0
	}
	// The reader takes 0x10, 0o7 and 1_000 for numbers too; only digits are told by eye.
	value, plain := i.Value.(uint64)
	if written := i.GetToken().Value; !plain || written != fmt.Sprint(value) || value < uint64(low) || value > uint64(high) {
		r.bad(n, fmt.Sprintf("%s is %s", what, quoted(i.GetToken().Value)), span(low, high),
			quoted(i.GetToken().Value), "write it in plain digits, within these bounds")
		return 0
	}
	return int(value)
}

func (r *reader) boolean(what string, n ast.Node) bool {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		r.bad(n, what+" is "+kindOf(n), "true or false", kindOf(n), "write true or false")
		return false
	}
	return b.Value
}

// kindOf names a node in words.
func kindOf(n ast.Node) string {
	if n == nil {
		return "nothing"
	}
	switch n.Type() {
	case ast.NullType:
		return "nothing"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.StringType, ast.LiteralType:
		return "a text"
	case ast.SequenceType:
		return "a list"
	case ast.MappingType, ast.MappingValueType:
		return "a group of fields"
	default:
		return "something else"
	}
}
