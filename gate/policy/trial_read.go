package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

const (
	maxCases     = 500
	minimalCases = `version: 1
cases:
  - {name: reviewed, ref: refs/tags/v1.0.0, changes: [{authors: [ana], reviewers: [bo]}], approvals: [bo], expect: granted}`
)

// ReadTrials reads a file of cases: strict YAML, with refusals as those of [Parse].
func ReadTrials(path string, file []byte) (Trials, error) {
	s, body, err := open(path, file, minimalCases)
	if err != nil {
		return Trials{}, err
	}
	r := &reader{source: s}
	top := r.fields("the file", body, nil, "version", "people", "teams", "codeowners", "cases")
	r.version(top, body)
	out := Trials{Cast: r.cast(top)}
	cases, ok := top["cases"]
	if !ok {
		r.bad(body, "the file has no cases", "a list of cases", "nothing", "start with:\n"+minimalCases)
		return Trials{}, r.err
	}
	entries := r.list(cases)
	if len(entries) > maxCases {
		r.bad(cases.value, "too many cases", fmt.Sprintf("at most %d", maxCases), fmt.Sprint(len(entries)), "split the file")
	}
	for _, n := range entries {
		if r.err != nil {
			break
		}
		t := r.trial(n)
		if slices.ContainsFunc(out.Cases, func(o Trial) bool { return o.Name == t.Name }) {
			r.bad(n, "a second case is named "+quoted(t.Name), "names that differ", quoted(t.Name), "give each its own name")
		}
		out.Cases = append(out.Cases, t)
	}
	return out, r.err
}

// cast reads who is there.
func (r *reader) cast(top map[string]field) Cast {
	c := Cast{Rights: map[string]gate.Role{}, Machines: map[string]bool{}, Teams: map[string][]string{}}
	roles := map[string]gate.Role{
		"none": gate.RoleNone, "read": gate.RoleRead, "write": gate.RoleWrite, "maintain": gate.RoleMaintain, "admin": gate.RoleAdmin, "bot": gate.RoleWrite,
	}
	if people, ok := top["people"]; ok {
		for _, f := range r.named(people) {
			right := r.word("the right of "+f.name, f.value, "none", "read", "write", "maintain", "admin", "bot")
			c.Rights[f.name] = roles[right]
			if right == "bot" {
				c.Machines[f.name] = true
			}
		}
	}
	if teams, ok := top["teams"]; ok {
		for _, f := range r.named(teams) {
			c.Teams[f.name] = r.texts(f)
		}
	}
	if owners, ok := top["codeowners"]; ok {
		c.CodeOwners = r.text("codeowners", owners.value)
	}
	return c
}

// named reads a group whose names are free, in the file's order.
func (r *reader) named(f field) []field {
	var values []*ast.MappingValueNode
	switch n := f.value.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.bad(f.value, fmt.Sprintf("%q is %s", f.name, kindOf(f.value)), "a group of names, each with a value", kindOf(f.value), "write each as name: value")
	}
	var out []field
	for _, v := range values {
		name, ok := v.Key.(ast.Node).(*ast.StringNode)
		if !ok {
			r.bad(v.Key, "a name is "+kindOf(v.Key), "a text", kindOf(v.Key), "put it in quotes")
			return nil
		}
		if slices.ContainsFunc(out, func(o field) bool { return o.name == name.Value }) {
			r.bad(v.Key, quoted(name.Value)+" stands twice", "every name once", quoted(name.Value), "keep one of them")
		}
		out = append(out, field{name: name.Value, key: v.Key, value: v.Value})
	}
	return out
}

// texts is a list of texts, or nil where there is no such field.
func (r *reader) texts(f field) []string {
	if f.value == nil {
		return nil
	}
	var out []string
	for _, n := range r.list(f) {
		out = append(out, r.text("an entry of "+f.name, n))
	}
	return out
}

// trial reads one case.
func (r *reader) trial(n ast.Node) Trial {
	f := r.fields("a case", n, nil, "name", "forge", "stream", "ref", "branch", "event", "workflow", "uses", "job", "runner", "environment",
		"by", "tagger", "at", "subjects", "protection", "checks", "changes", "approvals", "denials", "holds", "expect", "because")
	for _, name := range []string{"name", "ref", "expect"} {
		if _, ok := f[name]; !ok {
			r.bad(n, "the case has no "+name, name, "nothing", "start with:\n"+minimalCases)
		}
	}
	if r.err != nil {
		return Trial{}
	}
	t := Trial{
		Subjects: r.texts(f["subjects"]), Approvals: r.texts(f["approvals"]), Denials: r.texts(f["denials"]), Holds: r.texts(f["holds"]),
		Changes: r.trialChanges(f), Protection: r.trialProtection(f), Checks: r.trialChecks(f),
	}
	for _, x := range []struct {
		name string
		into *string
	}{
		{"name", &t.Name}, {"stream", &t.Stream}, {"ref", &t.Ref}, {"branch", &t.Branch}, {"event", &t.Event}, {"job", &t.Job},
		{"runner", &t.Runner}, {"environment", &t.Environment}, {"by", &t.By}, {"tagger", &t.Tagger},
	} {
		if v, ok := f[x.name]; ok {
			*x.into = r.text(x.name, v.value)
		}
	}
	r.trialEnds(f, &t)
	if r.err == nil && !strings.HasPrefix(t.Ref, "refs/tags/") && !strings.HasPrefix(t.Ref, "refs/heads/") {
		r.bad(f["ref"].value, "ref "+quoted(t.Ref)+" is no full ref", "refs/tags/v1.0.0 or refs/heads/main", quoted(t.Ref), "start it with refs/tags/ or refs/heads/")
	}
	if t.Branch == "none" {
		t.Branch, t.Off = "", true
	}
	return t
}

// trialEnds reads what is not a plain text, and what is expected.
func (r *reader) trialEnds(f map[string]field, t *Trial) {
	if x, ok := f["forge"]; ok {
		t.Forge = gate.ForgeKind(r.word("forge", x.value, string(gate.GitHub), string(gate.GitLab)))
	}
	if x, ok := f["workflow"]; ok {
		t.Workflow = r.workflow(x)
	}
	if x, ok := f["uses"]; ok {
		t.Uses = r.uses(x)
	}
	if x, ok := f["at"]; ok {
		text := r.text("at", x.value)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			r.bad(x.value, "at "+quoted(text)+" is no time", "such as 2026-01-07T12:00:00Z", quoted(text), "write it as RFC 3339 has it, with the zone")
		}
		t.At = at
	}
	outcomes := map[string]gate.Outcome{"granted": gate.Granted, "waiting": gate.Waiting, "denied": gate.Denied}
	t.Expect = outcomes[r.word("expect", f["expect"].value, "granted", "waiting", "denied")]
	if x, ok := f["because"]; ok {
		t.Because = gate.CheckName(r.word("because", x.value, checkNames()...))
		if t.Expect == gate.Granted {
			r.bad(x.key, "because without a no", "because with waiting or denied", "granted", "leave because out")
		}
	}
}

func checkNames() []string {
	var out []string
	for _, c := range []gate.CheckName{
		gate.CheckIdentity, gate.CheckRun, gate.CheckRepository, gate.CheckPolicy, gate.CheckRef, gate.CheckCI, gate.CheckRules, gate.CheckBranch,
		gate.CheckProtection, gate.CheckCoverage, gate.CheckOwners, gate.CheckApprovals, gate.CheckIndependent, gate.CheckHold, gate.CheckWindow,
		gate.CheckKey, gate.CheckTime, gate.CheckEvidence,
	} {
		out = append(out, string(c))
	}
	return out
}

func (r *reader) trialChanges(f map[string]field) []TrialChange {
	changes, ok := f["changes"]
	if !ok {
		return nil
	}
	var out []TrialChange
	for i, n := range r.list(changes) {
		sub := r.fields("a change", n, nil, "number", "direct", "authors", "unlinked", "pushers", "merger", "reviewers", "paths")
		if _, ok := sub["authors"]; !ok {
			r.bad(n, "the change has no authors", "authors: [ana]", "nothing", "say who wrote it; the first one opened it")
		}
		if r.err != nil {
			return nil
		}
		c := TrialChange{
			Number: int64(i + 1), Authors: r.texts(sub["authors"]), Unlinked: r.texts(sub["unlinked"]), Pushers: r.texts(sub["pushers"]),
			Reviewers: r.texts(sub["reviewers"]), Paths: r.texts(sub["paths"]),
		}
		if x, ok := sub["number"]; ok {
			c.Number = int64(r.number("number", x.value, 1, 1<<30))
		}
		if x, ok := sub["direct"]; ok && r.boolean("direct", x.value) {
			c.Number = 0
		}
		if x, ok := sub["merger"]; ok {
			c.Merger = r.text("merger", x.value)
		}
		out = append(out, c)
	}
	return out
}

func (r *reader) trialProtection(f map[string]field) TrialProtection {
	var out TrialProtection
	p, ok := f["protection"]
	if !ok {
		return out
	}
	if _, isWord := p.value.(*ast.StringNode); isWord {
		word := r.word("protection", p.value, "none", "unread")
		return TrialProtection{None: word == "none", Unread: word == "unread"}
	}
	sub := r.fields("protection", p.value, nil, "reviews", "force_push", "deletion", "admins", "bypass", "push")
	if x, ok := sub["reviews"]; ok {
		n := r.number("reviews", x.value, 0, maxReviews)
		out.Reviews = &n
	}
	if x, ok := sub["force_push"]; ok {
		out.ForcePush = r.word("force_push", x.value, "deny", "allow") == "allow"
	}
	if x, ok := sub["deletion"]; ok {
		out.Deletion = r.word("deletion", x.value, "deny", "allow") == "allow"
	}
	if x, ok := sub["admins"]; ok {
		out.Exempt = r.word("admins", x.value, "enforced", "exempt") == "exempt"
	}
	out.Bypass, out.Push = r.texts(sub["bypass"]), r.texts(sub["push"])
	return out
}

func (r *reader) trialChecks(f map[string]field) []gate.CommitCheck {
	checks, ok := f["checks"]
	if !ok {
		return nil
	}
	out := []gate.CommitCheck{}
	for _, c := range r.named(checks) {
		ended := r.word("check "+c.name, c.value, "passed", "failed", "running")
		out = append(out, gate.CommitCheck{Name: c.name, Done: ended != "running", Passed: ended == "passed", By: "the case"})
	}
	return out
}
