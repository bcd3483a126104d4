package githubtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var graphQLSchema string

// graphQL is the schema with a resolver per field, by "Type.field".
type graphQL struct {
	schema    *ast.Schema
	resolvers map[string]resolver
}

// resolver computes one field of an object. It returns nil, a scalar, a node, a list of
// any, or an error, which makes the field null and goes into the answer's errors.
type resolver func(c *call, of any, args map[string]any) any

// node is a GraphQL object: its type's name, and what it is made of.
type node struct {
	kind string
	of   any
}

// fieldError is an error of one field as GitHub gives it.
type fieldError struct{ kind, message string }

func (e fieldError) Error() string { return e.message }

func newGraphQL() graphQL {
	g := graphQL{
		schema:    gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: graphQLSchema}),
		resolvers: map[string]resolver{},
	}
	for _, part := range []map[string]resolver{rootFields(), codeFields(), fileFields(), pullFields(), talkFields(), listFields(), ruleFields(), inForceFields(), peopleFields()} {
		for name, f := range part {
			g.resolvers[name] = f
		}
	}
	for _, kind := range g.schema.Types {
		for _, field := range kind.Fields {
			if name := kind.Name + "." + field.Name; kind.Kind == ast.Object && !strings.HasPrefix(name, "__") &&
				!strings.HasPrefix(field.Name, "__") && g.resolvers[name] == nil {
				panic("GraphQL schema of the GitHub double: expected a resolver of " + name)
			}
		}
	}
	return g
}

// answerGraphQL parses and validates the query against the schema, and walks it. A
// query that does not fit answers 200 with errors, as GitHub does.
func (c *call) answerGraphQL() reply {
	if rep, bad := c.refuseClient(); bad {
		return rep
	}
	if rep, bad := c.authenticate(); bad {
		return rep
	}
	if c.token.app {
		return problem(http.StatusUnauthorized, "This endpoint requires you to be authenticated.")
	}
	var ask struct {
		Query         string         `json:"query"`
		Variables     map[string]any `json:"variables"`
		OperationName string         `json:"operationName"`
	}
	if err := json.Unmarshal(c.body, &ask); err != nil || c.r.Method != http.MethodPost {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	doc, errs := gqlparser.LoadQueryWithRules(c.graph.schema, ask.Query, rules.NewDefaultRules())
	if len(errs) > 0 {
		return ok(obj{"errors": errs})
	}
	operation := doc.Operations.ForName(ask.OperationName)
	if operation == nil || operation.Operation != ast.Query {
		return ok(obj{"errors": []obj{{"message": "An operation name is required, and only queries are served"}}})
	}
	variables, err := validator.VariableValues(c.graph.schema, operation, ask.Variables)
	if err != nil {
		return ok(obj{"errors": []obj{{"message": err.Error()}}})
	}
	price := priceOf(operation.SelectionSet, variables)
	if price.nodes > maxNodes {
		return ok(obj{"errors": []obj{{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": fmt.Sprintf(
			"This query requests up to %d possible nodes which exceeds the maximum limit of 500,000.", price.nodes)}}})
	}
	c.points += price.points()
	w := &walk{call: c, variables: variables}
	out := obj{"data": w.object(node{kind: "Query"}, operation.SelectionSet, nil)}
	if len(w.errors) > 0 {
		out["errors"] = w.errors
	}
	return ok(out)
}

// walk is one execution of a query.
type walk struct {
	*call
	variables map[string]any
	errors    []obj
}

// object resolves what the selection asks of n, and nothing else.
func (w *walk) object(n node, selection ast.SelectionSet, path []any) obj {
	out := obj{}
	for _, field := range w.collect(n.kind, selection) {
		name := field.Alias
		at := append(slices.Clone(path), name)
		if field.Name == "__typename" {
			out[name] = n.kind
			continue
		}
		value := w.graph.resolvers[n.kind+"."+field.Name](w.call, n.of, field.ArgumentMap(w.variables))
		merged := w.value(value, field, at)
		if before, has := out[name].(obj); has {
			if more, also := merged.(obj); also {
				for k, v := range more {
					before[k] = v
				}
				continue
			}
		}
		out[name] = merged
	}
	return out
}

// collect flattens fragments that apply to a type, leaving out what @skip and @include say.
func (w *walk) collect(kind string, selection ast.SelectionSet) []*ast.Field {
	var out []*ast.Field
	for _, s := range selection {
		switch x := s.(type) {
		case *ast.Field:
			if w.included(x.Directives) {
				out = append(out, x)
			}
		case *ast.InlineFragment:
			if w.included(x.Directives) && (x.TypeCondition == "" || w.is(kind, x.TypeCondition)) {
				out = append(out, w.collect(kind, x.SelectionSet)...)
			}
		case *ast.FragmentSpread:
			if w.included(x.Directives) && w.is(kind, x.Definition.TypeCondition) {
				out = append(out, w.collect(kind, x.Definition.SelectionSet)...)
			}
		}
	}
	return out
}

func (w *walk) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		on, _ := d.ArgumentMap(w.variables)["if"].(bool)
		if (d.Name == "skip" && on) || (d.Name == "include" && !on) {
			return false
		}
	}
	return true
}

// is reports whether a type is, or implements, another.
func (w *walk) is(kind, condition string) bool {
	return slices.ContainsFunc(w.graph.schema.PossibleTypes[condition], func(d *ast.Definition) bool { return d.Name == kind })
}

func (w *walk) value(v any, field *ast.Field, path []any) any {
	switch x := v.(type) {
	case node:
		return w.object(x, field.SelectionSet, path)
	case []any:
		list := []any{}
		for i, item := range x {
			list = append(list, w.value(item, field, append(slices.Clone(path), i)))
		}
		return list
	case fieldError:
		w.errors = append(w.errors, obj{
			"type": x.kind, "path": path, "message": x.message,
			"locations": []obj{{"line": field.Position.Line, "column": field.Position.Column}},
		})
		return nil
	}
	return v
}

// connection is one page of a list with GitHub's rules for bounds: first or last is
// required, at most 100 (docs, "Using pagination in the GraphQL API"; "Rate limits and
// query limits for the GraphQL API").
type connection struct {
	nodes []any
	total int
	from  int
}

func connect(kind, name string, all []any, args map[string]any) any {
	first, hasFirst := number(args["first"])
	last, hasLast := number(args["last"])
	if !hasFirst && !hasLast {
		return fieldError{"MISSING_PAGINATION_BOUNDARIES", fmt.Sprintf(
			"You must provide a `first` or `last` value to properly paginate the `%s` connection.", name)}
	}
	if first > 100 || last > 100 {
		return fieldError{"EXCESSIVE_PAGINATION", fmt.Sprintf(
			"Requesting %d records on the `%s` connection exceeds the `first` limit of 100 records.", max(first, last), name)}
	}
	from, to := 0, len(all)
	if after, given := args["after"].(string); given {
		from = min(cursorAt(after)+1, len(all))
	}
	if before, given := args["before"].(string); given {
		to = max(min(cursorAt(before), len(all)), from)
	}
	if hasFirst {
		to = min(from+first, to)
	}
	if hasLast {
		from = max(to-last, from)
	}
	return node{kind, connection{nodes: all[from:to], total: len(all), from: from}}
}

// number reads an Int argument, which comes as int64 out of a query and as a JSON
// number or int out of variables.
func number(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), true
	case int:
		return n, true
	case float64:
		return int(n), true
	case json.Number:
		i, err := n.Int64()
		return int(i), err == nil
	}
	return 0, false
}

// cursorOf and cursorAt are opaque to clients: a position in the list.
func cursorOf(position int) string { return fmt.Sprintf("Y3Vyc29yOnYyO%d", position) }

func cursorAt(cursor string) int {
	var at int
	if _, err := fmt.Sscanf(strings.TrimPrefix(cursor, "Y3Vyc29yOnYyO"), "%d", &at); err != nil {
		return -1
	}
	return at
}
