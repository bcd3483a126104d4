package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

// Explained is one stream of a policy with everything that is in force in it.
type Explained struct {
	Name string `json:"name"`
	// Line is where the stream's entry begins in the file, counted from 1.
	Line   int     `json:"line"`
	Values []Value `json:"values"`
}

// Value is one field of a stream: what it says, and who says so.
type Value struct {
	Field   string `json:"field"` // as in the file: "branch.min_reviews"
	Value   string `json:"value"`
	Written bool   `json:"written"`        // whether the file says something of it
	Line    int    `json:"line,omitempty"` // of the file, counted from 1; 0 where it says nothing
	// Source is "file", "default" or "floor NAME", or several of them, with commas, where
	// the value is made of them all.
	Source string `json:"source"`
}

// Where a value comes from.
const (
	FromFile    = "file"
	FromDefault = "default"
	fromFloor   = "floor "
)

// Explain reads a policy file and says what each stream comes to. Its errors are those
// of [Parse].
func Explain(file []byte, where Origin) (gate.Policy, []Explained, error) {
	p, m, err := read(file, where)
	if err != nil {
		return gate.Policy{}, nil, err
	}
	var out []Explained
	for n, s := range p.Streams {
		e := Explained{Name: s.Name, Line: start(m.entries[n]).line}
		for _, v := range inForce(s, where.Kind) {
			v.Line = lineOf(m.entries[n], v.Field)
			v.Written = v.Line > 0
			v.Source = sourceOf(v, m.raised[n][v.Field])
			e.Values = append(e.Values, v)
		}
		out = append(out, e)
	}
	return p, out, nil
}

// sourceOf names who a value comes from. What floors add to still is the file's too.
func sourceOf(v Value, floors []string) string {
	own := FromDefault
	if v.Written {
		own = FromFile
	}
	if len(floors) == 0 {
		return own
	}
	from := fromFloor + strings.Join(floors, ", "+fromFloor)
	adds := v.Field == "approvals" || v.Written && slices.Contains([]string{"checks", "window", "formats", "publish"}, v.Field)
	if adds {
		return own + ", " + from
	}
	return fromFloor + floors[len(floors)-1]
}

// inForce are the values of a stream, in the order of [Fields].
func inForce(s gate.Stream, kind gate.ForgeKind) []Value {
	by := []Value{{Field: "job", Value: s.Job}}
	if kind == gate.GitHub {
		by = []Value{
			{Field: "workflow", Value: orElse(s.Workflow, "any of the repository")}, {Field: "uses", Value: spelledUses(s.Uses)},
			{Field: "job", Value: orElse(s.Job, "any")}, {Field: "finish", Value: orElse(s.Finish, "none")},
		}
	}
	return slices.Concat([]Value{{Field: "name", Value: s.Name}, {Field: "description", Value: orElse(s.Description, "none")}}, by, []Value{
		{Field: "tags", Value: listed(s.Tags, "none")}, {Field: "not_tags", Value: listed(s.NotTags, "none")},
		{Field: "branches", Value: listed(s.Branches, "none")},
		{Field: "paths", Value: listed(s.Paths, "all files")}, {Field: "shared", Value: listed(s.Shared, "none")},
		{Field: "from.events", Value: strings.Join(s.Events, ", ")}, {Field: "from.refs", Value: listed(s.Refs, "any")},
		{Field: "identity.runner", Value: orElse(s.Runner, "any")}, {Field: "identity.environment", Value: orElse(s.Environment, "any")},
		{Field: "branch.min_reviews", Value: strconv.Itoa(s.MinReviews)},
		{Field: "branch.force_push", Value: "deny"}, {Field: "branch.admins", Value: "enforced"}, {Field: "branch.bypass", Value: string(s.Bypass)},
		{Field: "branch.push", Value: string(s.Push)}, {Field: "branch.settle", Value: spelledTime(s.Settle)},
		{Field: "checks", Value: orElse(strings.Join(s.Checks, ", "), "none")}, {Field: "codeowners", Value: strconv.FormatBool(s.Owners)},
		{Field: "separation", Value: string(s.Separation)}, {Field: "reviews_count", Value: strconv.FormatBool(s.ReviewsCount)},
		{Field: "page_counts", Value: strconv.FormatBool(s.PageCounts)},
		{Field: "bind", Value: string(s.Bind)},
		{Field: "approvals", Value: groups(s.Approvals)}, {Field: "rules", Value: spelledRules(s.Rules)},
		{Field: "window", Value: spelledWindow(s.Window)},
		{Field: "formats", Value: spelledFormats(s.Formats)}, {Field: "witnesses", Value: strconv.Itoa(s.Witnesses)},
		{Field: "publish", Value: spelledPublish(s.Publish)},
		{Field: "key", Value: s.Key}, {Field: "expires", Value: spelledTime(s.Expires)},
	})
}

func spelledUses(u *gate.ReusableWorkflow) string {
	if u == nil {
		return "none"
	}
	return u.Path + "@" + u.Commit
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func listed(ms []gate.Matcher, none string) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.String())
	}
	return orElse(strings.Join(out, ", "), none)
}

func groups(gs []gate.ApprovalGroup) string {
	var out []string
	for _, g := range gs {
		var from []string
		for _, r := range g.From {
			from = append(from, r.String())
		}
		for _, t := range g.Teams {
			from = append(from, teamPrefix+t)
		}
		out = append(out, fmt.Sprintf("%d with %s", g.Count, strings.Join(from, " or ")))
	}
	return strings.Join(out, "; ")
}

func spelledRules(rs gate.Rules) string {
	if rs == nil {
		return "none"
	}
	var out []string
	for _, e := range rs.Expressions() {
		out = append(out, strings.Join(strings.Fields(e.Expr), " "))
	}
	return strings.Join(out, "; ")
}

func spelledWindow(w *gate.Window) string {
	if w == nil {
		return "any time"
	}
	return w.String()
}

// spelledTime is a duration without its zeros: 168h, not 168h0m0s.
func spelledTime(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// lineOf is where the file has a field, by its dotted name; 0 where it has it not.
func lineOf(n ast.Node, field string) int {
	line := 0
	for name := range strings.SplitSeq(field, ".") {
		m := entry(n, name)
		if m == nil {
			return 0
		}
		line, n = placeOf(m.Key.GetToken()).line, m.Value
	}
	return line
}

// member is the value of a field, or nil.
func member(n ast.Node, name string) ast.Node {
	if m := entry(n, name); m != nil {
		return m.Value
	}
	return nil
}

// entry is a field of a mapping, or nil.
func entry(n ast.Node, name string) *ast.MappingValueNode {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil
	}
	for _, v := range values {
		if key, ok := v.Key.(ast.Node).(*ast.StringNode); ok && key.Value == name {
			return v
		}
	}
	return nil
}
