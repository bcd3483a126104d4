package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.v1.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("policy.v1.json")
}

func validate(t *testing.T, s *jsonschema.Schema, file string) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s.Validate(doc)
}

func TestSchemaFile(t *testing.T) { golden(t, "policy.v1.json", string(policy.Schema())) }

// Whatever the reader accepts the schema accepts too.
func TestSchemaAccepts(t *testing.T) {
	s := schema(t)
	for _, file := range []string{policy.Minimal(gate.GitHub), policy.Minimal(gate.GitLab), everything, monorepo} {
		if err := validate(t, s, file); err != nil {
			t.Errorf("%s\n%v", file, err)
		}
	}
	for _, f := range policy.Fields() {
		if !strings.HasPrefix(f.Path, "releases[].") || f.Example == "" {
			continue
		}
		file := entry(f.Example)
		switch f.Path {
		case "releases[].workflow", "releases[].uses":
			file = "version: 1\nreleases:\n  - " + f.Example + "\n"
		case "releases[].shared":
			file = entry(`paths: ["server/**"]` + "\n    " + f.Example)
		}
		parse(t, file, gate.GitHub)
		if err := validate(t, s, file); err != nil {
			t.Errorf("%s\n%v", file, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	for _, line := range []string{
		"tag: [v*]", "tags: v*", "tags: []", "name: Stable", "formats: [minisign]", "formats: []", "witnesses: 17", "publish: [npm]", "uses: a/b/.github/workflows/c.yml@v1", "bind: tag", "branch: {push: allow}", "checks: []", "approvals: [{from: [readers]}]", "approvals: [{count: 2}]", "approvals: [{from: [read]}]",
		"branch: {force_push: allow}", "branch: {min_reviews: 11}", "identity: {runner: ubuntu}", "from: {refs: [main]}", "from: {events: [pull_request]}",
		"rules: [{message: x}]", "window: {days: [mon]}", "window: {days: [monday], tz: UTC}", `window: {hours: "8:00-9:00", tz: UTC}`, "key: a/2", "from: {}",
	} {
		if validate(t, s, entry(line)) == nil {
			t.Errorf("the schema accepts %s", line)
		}
	}
	if validate(t, s, "version: 1\nchatops: {aliases: [lgtm]}\nreleases:\n  - workflow: x.yml\n") == nil {
		t.Error("the schema accepts an alias that is no command")
	}
	if validate(t, s, "version: 1\nreleases:\n  - name: x\n") == nil {
		t.Error("the schema accepts a release that nobody may ask for")
	}
}

// The schema has the very fields that the reader knows: an unknown one is answered with
// all of them.
func TestSchemaHasTheReadersFields(t *testing.T) {
	for at, file := range map[string]string{
		"":                        "zzz: 1\n",
		"chatops.":                "version: 1\nchatops: {zzz: 1}\n",
		"releases[].":             entry("zzz: 1"),
		"releases[].from.":        entry("from: {zzz: 1}"),
		"releases[].identity.":    entry("identity: {zzz: 1}"),
		"releases[].branch.":      entry("branch: {zzz: 1}"),
		"releases[].approvals[].": entry("approvals: [{zzz: 1}]"),
		"releases[].rules[].":     entry("rules: [{zzz: 1}]"),
		"releases[].window.":      entry("window: {zzz: 1}"),
	} {
		_, err := policy.Parse([]byte(file), origin(gate.GitHub))
		var e *gate.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", file, err)
		}
		want := strings.Split(strings.TrimPrefix(e.Expected, "one of "), ", ")
		var got []string
		for _, f := range policy.Fields() {
			if name, ok := strings.CutPrefix(f.Path, at); ok && regexp.MustCompile(`^\w+$`).MatchString(name) {
				got = append(got, name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: the schema has %v, the reader %v", at, got, want)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	if !json.Valid(policy.Schema()) {
		t.Error("the schema is no JSON")
	}
}
