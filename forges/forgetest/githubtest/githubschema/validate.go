package githubschema

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// Validate checks every request that the server gets from now on, and every answer it
// gives, against GitHub's API description; each violation is an error of t. Faults
// that a test injects are not checked.
func Validate(t testing.TB, s *githubtest.Server) {
	t.Helper()
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	s.Observe(func(e githubtest.Exchange) {
		if err := Check(doc, e); err != nil {
			t.Errorf("%s %s: %v", e.Request.Method, e.Request.URL.Path, err)
		}
	})
}

// Load returns GitHub's description of the double's endpoints.
func Load() (*openapi3.T, error) { return load() }

// Check holds one exchange against the description.
func Check(doc *openapi3.T, e githubtest.Exchange) error {
	if _, is := exempt(e); is {
		return nil
	}
	if e.Template == "" {
		if e.Status >= http.StatusMultipleChoices {
			return nil // refused or redirected before an endpoint was found
		}
		return fmt.Errorf("answered %d without an endpoint", e.Status)
	}
	item := doc.Paths.Value(e.Template)
	if item == nil || item.GetOperation(e.Request.Method) == nil {
		return fmt.Errorf("%s %s is not in GitHub's API description", e.Request.Method, e.Template)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: e.Request.Clone(context.Background()), PathParams: e.Params,
		Route: &routers.Route{
			Spec: doc, Path: e.Template, PathItem: item, Method: e.Request.Method, Operation: item.GetOperation(e.Request.Method),
		},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	in.Options.WithCustomSchemaErrorFunc(brief)
	if path, has := e.Params["path"]; has && path == "" { // "omit the path parameter" for the root folder
		in.PathParams = maps.Clone(e.Params)
		in.PathParams["path"] = "."
	}
	if e.Status < http.StatusBadRequest { // a refused request may well be a wrong one
		if err := checkRequest(in, e); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	if err := checkAnswer(in, e); err != nil {
		return fmt.Errorf("answer %d: %w", e.Status, err)
	}
	return nil
}

// brief says where and why, without the schema and the value.
func brief(err *openapi3.SchemaError) string {
	out := "/" + strings.Join(err.JSONPointer(), "/") + ": " + err.Reason
	if err.Origin != nil {
		out += " (" + err.Origin.Error() + ")"
	}
	return out
}

// checkRequest validates against the description and, beyond it, refuses names that
// the description does not have: a misspelt parameter is silently ignored by GitHub.
func checkRequest(in *openapi3filter.RequestValidationInput, e githubtest.Exchange) error {
	in.Request.Body = io.NopCloser(bytes.NewReader(e.Sent))
	if len(e.Sent) == 0 {
		in.Request.Body = http.NoBody
	}
	operation := in.Route.Operation
	for name := range in.Request.URL.Query() {
		known := func(p *openapi3.ParameterRef) bool { return p.Value.In == "query" && p.Value.Name == name }
		if !slices.ContainsFunc(operation.Parameters, known) {
			return fmt.Errorf("query parameter %q is not described", name)
		}
	}
	if operation.RequestBody != nil && len(e.Sent) > 0 {
		if err := checkNames(operation.RequestBody.Value, e.Sent); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateRequest(context.Background(), in)
}

func checkNames(body *openapi3.RequestBody, sent []byte) error {
	media := body.Content.Get("application/json")
	if media == nil || len(media.Schema.Value.Properties) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(sent, &fields); err != nil {
		return fmt.Errorf("expected a JSON object: %w", err)
	}
	for name := range fields {
		if media.Schema.Value.Properties[name] == nil {
			return fmt.Errorf("body field %q is not described", name)
		}
	}
	return nil
}

// checkAnswer wants each success to be described; of errors GitHub describes only some,
// the others must at least have the error body.
func checkAnswer(in *openapi3filter.RequestValidationInput, e githubtest.Exchange) error {
	described := in.Route.Operation.Responses.Status(e.Status) != nil
	switch {
	case e.Status == http.StatusNotModified:
		return nil
	case !described && e.Status < http.StatusBadRequest:
		return fmt.Errorf("this status is not described for %s", e.Template)
	case !described:
		var problem struct{ Message string }
		if err := json.Unmarshal(e.Answer, &problem); err != nil || problem.Message == "" {
			return fmt.Errorf("expected an error body with a message, got %q", e.Answer)
		}
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: e.Status, Header: e.Header, Options: in.Options,
	}
	return openapi3filter.ValidateResponse(context.Background(), out.SetBodyBytes(e.Answer))
}
