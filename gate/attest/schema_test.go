package attest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
)

const predicates = "../../docs/predicates/"

// schemaOf compiles a published schema. Consumers must leave unknown members aside, and so
// does the schema; what the gate itself writes has none, and so this one closes every object
// that names its members.
func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(predicates + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	walk(doc, func(o map[string]any) {
		if _, names := o["properties"].(map[string]any); names && o["type"] == "object" {
			o["additionalProperties"] = false
		}
	})
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func walk(node any, visit func(map[string]any)) {
	switch node := node.(type) {
	case []any:
		for _, x := range node {
			walk(x, visit)
		}
	case map[string]any:
		visit(node)
		for _, x := range node {
			walk(x, visit)
		}
	}
}

// cases are releases that between them write every member.
func cases() map[string][]gatetest.Option {
	edit := func(f func(*gate.Case)) []gatetest.Option { return []gatetest.Option{gatetest.Edit(f)} }
	return map[string][]gatetest.Option{
		"plain": nil,
		"approved on the page": edit(func(c *gate.Case) {
			c.Approvals[0].Page, c.Approvals[0].Source, c.Approvals[0].BodyHash = true, gate.CommentRef{}, gate.Digest{}
		}),
		"approved by review": edit(func(c *gate.Case) {
			c.Approvals, c.Policy.Streams[0].Bind = nil, gate.BindCommit
		}),
		"an annotated tag, after another release": edit(func(c *gate.Case) {
			ref, _ := c.Evidence.Ref.Get()
			ref.TagObject = strings.Repeat("4", 40)
			c.Evidence.Ref, c.Approvals[0].TagObject = gate.Known(ref), ref.TagObject
			c.Released = []string{gatetest.Baseline}
		}),
		"a forge without that rule": edit(func(c *gate.Case) {
			branch, _ := c.Evidence.Branch.Get()
			p, _ := branch.Protection.Get()
			p.AdminsEnforced = gate.Absent[bool]("the forge knows no such exemption")
			branch.Protection = gate.Known(p)
			c.Evidence.Branch = gate.Known(branch)
		}),
		"held, and one who may not approve": edit(func(c *gate.Case) {
			by := func(verb gate.Verb, who gate.Account) gate.Approval {
				a := c.Approvals[0]
				a.Verb, a.By, a.Source.ID = verb, who, a.Source.ID+1
				return a
			}
			hold, lift := by(gate.VerbHold, gatetest.Ana()), by(gate.VerbUnhold, gatetest.Ana())
			lift.Page, lift.Source = true, gate.CommentRef{}
			c.Holds = []gate.Approval{hold, lift}
			c.Approvals = append(c.Approvals, by(gate.VerbApprove, gatetest.Ana()))
		}),
		"on GitLab": edit(func(c *gate.Case) {
			c.Request.Workload.Kind, c.Request.Workload.Environment = gate.GitLab, "production"
			c.Request.Run.Job, c.Policy.Streams[0].Job = "sign", "sign"
		}),
		"a name without an account": edit(func(c *gate.Case) {
			changes, _ := c.Evidence.Changes.Get()
			changes[0].Commits[0].People = append(changes[0].Commits[0].People, gate.Person{
				Part: gate.PartCoAuthor, Name: "Cy", Account: gate.Absent[gate.Account]("no account has the address"),
			})
			dee := gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: 104}, Login: "dee", Human: true}
			c.Evidence.Roles[dee.ID] = gate.Known(gate.Member{Account: dee, Role: gate.RoleWrite, Active: true})
			a := c.Approvals[0]
			a.ID, a.By, a.Source.ID = "0197f3a0-0000-7000-8000-000000000003", dee, 5002
			comment, _ := c.Evidence.Comments[c.Approvals[0].Source].Get()
			comment.Ref, comment.Author = a.Source, dee
			c.Evidence.Comments[a.Source] = gate.Known(comment)
			c.Approvals = append(c.Approvals, a)
		}),
	}
}

// Every statement fits its published schema, and between them they use all of it.
func TestStatementsFitTheirSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{"decision": schemaOf(t, "decision-v1"), "approval": schemaOf(t, "approval-v1")}
	seen := map[string]map[string]bool{"decision": {}, "approval": {}}
	for name, opts := range cases() {
		t.Run(name, func(t *testing.T) {
			for statement, payload := range statements(t, verdict(t, opts...)) {
				kind, _, _ := strings.Cut(statement, "-")
				schema, ok := schemas[kind]
				if !ok {
					continue
				}
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(doc); err != nil {
					t.Errorf("%s: %v", statement, err)
				}
				walk(doc, func(o map[string]any) {
					for member := range o {
						seen[kind][member] = true
					}
				})
				parse := readers()[map[string]string{"decision": gate.StatementDecision, "approval": "approval-1"}[kind]]
				if err := parse(payload); err != nil {
					t.Errorf("%s: %v", statement, err)
				}
			}
		})
	}
	for kind := range seen {
		for _, member := range members(t, kind) {
			if !seen[kind][member] {
				t.Errorf("no %s has a member %q: the schema names it", kind, member)
			}
		}
	}
}

// members are all that a schema names.
func members(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile(predicates + kind + "-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var out []string
	walk(doc, func(o map[string]any) {
		named, ok := o["properties"].(map[string]any)
		if !ok || o["type"] != "object" {
			return
		}
		for member := range named {
			out = append(out, member)
		}
	})
	return out
}

// Every member is told of on the page, and so is the predicate's type.
func TestPredicatePages(t *testing.T) {
	for kind, predicateType := range map[string]string{"decision": attest.DecisionType, "approval": attest.ApprovalType} {
		page, err := os.ReadFile(predicates + kind + "-v1.md")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(page, []byte("`"+predicateType+"`")) {
			t.Errorf("the page of %s does not name %s", kind, predicateType)
		}
		for _, member := range members(t, kind) {
			if member[0] == '_' || member == "subject" || member == "predicate" || member == "predicateType" ||
				member == "sha256" || member == "name" || member == "account" || member == "digest" {
				continue // in-toto's own, and what needs no word
			}
			if !bytes.Contains(page, []byte("`"+member+"`")) {
				t.Errorf("the page of %s does not tell of %s", kind, member)
			}
		}
	}
}

// The summary's members are told of on its page, those of a refusal too.
func TestSummaryPage(t *testing.T) {
	page, err := os.ReadFile(predicates + "summary.md")
	if err != nil {
		t.Fatal(err)
	}
	refusal, err := attest.Refusal(denied(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range [][]byte{statements(t, verdict(t))[gate.StatementVSA], statements(t, verdict(t))[gate.StatementRelease], refusal} {
		var s struct{ Predicate map[string]json.RawMessage }
		if err := json.Unmarshal(payload, &s); err != nil {
			t.Fatal(err)
		}
		for member := range s.Predicate {
			if !bytes.Contains(page, []byte("`"+member+"`")) {
				t.Errorf("the page does not tell of %s", member)
			}
		}
	}
	for _, word := range []string{attest.PredicateType, attest.ReleaseType, attest.Level, attest.Failed, attest.RefusalKeyName} {
		if !bytes.Contains(page, []byte("`"+word+"`")) {
			t.Errorf("the page does not name %s", word)
		}
	}
}

// A schema that takes anything would hold nothing.
func TestSchemasRefuse(t *testing.T) {
	all := statements(t, verdict(t))
	for _, row := range []struct{ schema, statement, what, old, new string }{
		{"decision-v1", gate.StatementDecision, "an author by name", `"id":"github:101"`, `"id":"ana"`},
		{"decision-v1", gate.StatementDecision, "another outcome", `"outcome":"granted"`, `"outcome":"waiting"`},
		{"decision-v1", gate.StatementDecision, "no policy", `"policy":{`, `"policies":{`},
		{"decision-v1", gate.StatementDecision, "a short digest", `"sha256":"`, `"sha256":"0`},
		{"decision-v1", gate.StatementDecision, "two facts in one", `{"known":1}`, `{"known":1,"unknown":"x"}`},
		{"approval-v1", "approval-1", "no approver", `"approver":{`, `"approved":{`},
		{"approval-v1", "approval-1", "another kind of source", `"kind":"comment"`, `"kind":"letter"`},
		{"approval-v1", "approval-1", "local time", `05Z"`, `05+01:00"`},
	} {
		good := string(all[row.statement])
		if !strings.Contains(good, row.old) {
			t.Errorf("%s: the statement has no %s", row.what, row.old)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, row.old, row.new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if schemaOf(t, row.schema).Validate(doc) == nil {
			t.Errorf("%s: expected the schema to refuse it", row.what)
		}
	}
}
