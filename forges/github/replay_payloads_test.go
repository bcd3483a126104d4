package github_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// replayed is one payload from outside: an example of npm @octokit/webhooks-examples, or
// one made from a schema of npm @octokit/openapi-webhooks.
type replayed struct {
	name, event string
	body        []byte
}

// fetchedPath is where scripts/fetch-payloads.sh put a file: in the user's cache.
func fetchedPath(t testing.TB, name string) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME") // as the script has it, on macOS too
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	path := filepath.Join(cache, "countersign", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run scripts/fetch-payloads.sh once", err)
	}
	return path
}

func fetched(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(fetchedPath(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// examples are GitHub's own example payloads, as they were once sent.
func examples(t testing.TB) []replayed {
	t.Helper()
	var all []struct {
		Name     string
		Examples []json.RawMessage
	}
	fetched(t, "payloads-7.6.1/examples.json", &all)
	var out []replayed
	for _, event := range all {
		for i, body := range event.Examples {
			out = append(out, replayed{fmt.Sprintf("%s example %d", event.Name, i), event.Name, body})
		}
	}
	return out
}

// heardEvents are those that the App is told of and the gate looks into.
func heardEvents() map[string]bool {
	heard := map[string]bool{}
	for _, event := range []string{
		"deployment_protection_rule", "repository_ruleset", "branch_protection_rule", "branch_protection_configuration",
		"issue_comment", "pull_request", "pull_request_review", "push", "create", "delete", "installation",
		"installation_repositories", "check_run", "workflow_run", "workflow_job", "member", "membership", "team", "repository",
	} {
		heard[event] = true
	}
	return heard
}

// described are payloads made from the schemas of the events that the gate hears, each
// with everything in it and with only what has to be.
func described(t testing.TB) []replayed {
	t.Helper()
	var doc schemaDoc
	fetched(t, "webhooks-12.1.0/api.github.com.json", &doc)
	heard := heardEvents()
	var out []replayed
	for _, name := range slices.Sorted(maps.Keys(doc.Webhooks)) {
		hook := doc.Webhooks[name]
		event := hook.Post.XGitHub.Subcategory
		if !heard[event] {
			continue
		}
		for _, kind := range []string{"full", "bare"} {
			g := generator{doc: &doc, full: kind == "full"}
			body, err := json.Marshal(g.value(hook.Post.RequestBody.Content["application/json"].Schema))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, replayed{name + " " + kind, event, body})
		}
	}
	for event := range doc.unseen(heard) {
		t.Errorf("event %s: expected it among GitHub's webhooks", event)
	}
	return out
}

// schemaDoc is the part of an OpenAPI 3.1 description that payloads are made from.
type schemaDoc struct {
	Webhooks map[string]struct {
		Post struct {
			RequestBody struct {
				Content map[string]struct{ Schema *schema }
			}
			XGitHub struct{ Subcategory string } `json:"x-github"`
		}
	}
	Components struct{ Schemas map[string]*schema }
}

// unseen are the events of a set that the description does not have.
func (d *schemaDoc) unseen(events map[string]bool) map[string]bool {
	out := map[string]bool{}
	for event := range events {
		out[event] = true
	}
	for _, hook := range d.Webhooks {
		delete(out, hook.Post.XGitHub.Subcategory)
	}
	return out
}

// schema is a JSON schema, in part.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       schemaType         `json:"type"`
	Enum       []any              `json:"enum"`
	Format     string             `json:"format"`
	Examples   []any              `json:"examples"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	AllOf      []*schema          `json:"allOf"`
	AnyOf      []*schema          `json:"anyOf"`
	OneOf      []*schema          `json:"oneOf"`
}

// schemaType is one type or a list of them.
type schemaType []string

func (s *schemaType) UnmarshalJSON(raw []byte) error {
	if strings.HasPrefix(string(raw), "[") {
		return json.Unmarshal(raw, (*[]string)(s))
	}
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*s = schemaType{one}
	return nil
}

// generator makes one value of a schema: full has every property and the first
// alternative, otherwise only what is required, and null where that is allowed.
type generator struct {
	doc   *schemaDoc
	full  bool
	depth int
}

// deepest bounds schemas that contain themselves.
const deepest = 12

func (g *generator) value(s *schema) any {
	if s == nil {
		return "anything"
	}
	if s.Ref != "" {
		return g.value(g.doc.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")])
	}
	if g.depth > deepest {
		return nil
	}
	g.depth++
	defer func() { g.depth-- }()
	switch {
	case len(s.AllOf) > 0:
		return g.merged(s.AllOf)
	case len(s.AnyOf) > 0:
		return g.choose(s.AnyOf)
	case len(s.OneOf) > 0:
		return g.choose(s.OneOf)
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	return g.typed(s)
}

func (g *generator) merged(parts []*schema) any {
	out := map[string]any{}
	for _, part := range parts {
		fields, is := g.value(part).(map[string]any)
		if !is {
			return g.value(parts[0])
		}
		for name, v := range fields {
			out[name] = v
		}
	}
	return out
}

func (g *generator) choose(alternatives []*schema) any {
	for _, a := range alternatives {
		if null := len(a.Type) == 1 && a.Type[0] == "null"; null != g.full {
			return g.value(a)
		}
	}
	return g.value(alternatives[0])
}

func (g *generator) typed(s *schema) any {
	kind := "object"
	for _, one := range s.Type {
		if one == "null" && !g.full {
			return nil
		}
		if one != "null" {
			kind = one
			break
		}
	}
	switch kind {
	case "array":
		if !g.full {
			return []any{}
		}
		return []any{g.value(s.Items)}
	case "boolean":
		return g.full
	case "integer", "number":
		return 4_000_000_000
	case "string":
		return text(s)
	}
	out := map[string]any{}
	for name, property := range s.Properties {
		if g.full || required(s, name) {
			out[name] = g.value(property)
		}
	}
	return out
}

func text(s *schema) string {
	switch s.Format {
	case "date-time":
		return "2026-11-22T20:00:00Z"
	case "uri":
		return "https://api.github.com/repos/o/r/actions/runs/42/deployment_protection_rule"
	}
	for _, example := range s.Examples {
		if e, is := example.(string); is {
			return e
		}
	}
	return strings.Repeat("a", 40)
}

func required(s *schema, name string) bool {
	for _, r := range s.Required {
		if r == name {
			return true
		}
	}
	return false
}
