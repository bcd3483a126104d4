package gitlabtest

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// record is one GraphQL object: its fields by name, resolved only when asked for.
type record struct {
	typ    string
	fields map[string]func(args map[string]any) any
}

// is fixes a field's value.
func is(v any) func(map[string]any) any { return func(map[string]any) any { return v } }

// graphQL answers POST /api/graphql: the queries are validated against the schema
// of schema.go and answered with the fields they ask for. Problems with a query
// are a 200 with `errors`, as graphql-ruby answers.
func (s *Server) graphQL(w http.ResponseWriter, r *http.Request) {
	c := &call{Server: s, w: w, r: r}
	var request struct {
		Query         string         `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(content, &request)
	}
	if err != nil {
		c.fail(&failure{status: http.StatusUnprocessableEntity, body: obj{"errors": []obj{{"message": "Invalid request body"}}}})
		return
	}
	s.mu.Lock()
	value, err := c.authenticated(func(c *call) (any, error) {
		return c.query(request.Query, request.OperationName, request.Variables), nil
	})
	encoded := encode(value)
	s.mu.Unlock()
	if err != nil {
		// source: app/controllers/graphql_controller.rb, invalid token
		c.fail(&failure{status: http.StatusUnauthorized, body: obj{"errors": []obj{{"message": "Invalid token"}}}})
		return
	}
	c.answer(value, encoded)
}

func (c *call) query(text, name string, variables map[string]any) obj {
	document, problems := gqlparser.LoadQueryWithRules(c.schema, text, rules.NewDefaultRules())
	if len(problems) > 0 {
		return graphQLErrors(problems)
	}
	operation := document.Operations.ForName(name)
	if operation == nil || operation.Operation != ast.Query {
		return obj{"errors": []obj{{"message": "An operation name is required, or the operation is not a query"}}}
	}
	values, err := validator.VariableValues(c.schema, operation, variables)
	if err != nil {
		return obj{"errors": []obj{{"message": err.Error()}}}
	}
	if why := tooComplex(operation.SelectionSet, values); why != "" {
		return obj{"errors": []obj{{"message": why}}}
	}
	e := &execution{variables: values}
	return obj{"data": e.object(operation.SelectionSet, c.rootRecord())}
}

func graphQLErrors(problems gqlerror.List) obj {
	rows := []obj{}
	for _, p := range problems {
		rows = append(rows, obj{
			"message": p.Message, "locations": p.Locations, "path": []string{"query"},
			"extensions": obj{"code": "undefinedField"},
		})
	}
	return obj{"errors": rows}
}

// execution answers one operation.
type execution struct{ variables map[string]any }

func (e *execution) object(set ast.SelectionSet, r *record) obj {
	out := obj{}
	for _, selection := range set {
		switch field := selection.(type) {
		case *ast.Field:
			if e.included(field.Directives) {
				out[field.Alias] = e.field(field, r)
			}
		case *ast.InlineFragment:
			if e.included(field.Directives) && (field.TypeCondition == "" || field.TypeCondition == r.typ) {
				merge(out, e.object(field.SelectionSet, r))
			}
		case *ast.FragmentSpread:
			if e.included(field.Directives) && field.Definition.TypeCondition == r.typ {
				merge(out, e.object(field.Definition.SelectionSet, r))
			}
		}
	}
	return out
}

// merge joins two selections of the same object, as fragments and repeated fields do.
func merge(into, from obj) {
	for name, value := range from {
		old, both := into[name].(obj)
		fresh, ok := value.(obj)
		if both && ok {
			merge(old, fresh)
			continue
		}
		into[name] = value
	}
}

func (e *execution) included(directives ast.DirectiveList) bool {
	if d := directives.ForName("skip"); d != nil && d.ArgumentMap(e.variables)["if"] == true {
		return false
	}
	d := directives.ForName("include")
	return d == nil || d.ArgumentMap(e.variables)["if"] == true
}

func (e *execution) field(field *ast.Field, r *record) any {
	if field.Name == "__typename" {
		return r.typ
	}
	resolve := r.fields[field.Name]
	if resolve == nil {
		return nil
	}
	return e.value(field, resolve(field.ArgumentMap(e.variables)))
}

func (e *execution) value(field *ast.Field, value any) any {
	switch v := value.(type) {
	case *record:
		if v == nil {
			return nil
		}
		return e.object(field.SelectionSet, v)
	case []*record:
		rows := []any{}
		for _, row := range v {
			rows = append(rows, e.value(field, row))
		}
		return rows
	}
	return value
}
