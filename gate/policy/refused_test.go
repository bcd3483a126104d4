package policy_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

var update = flag.Bool("update", false, "write testdata anew")

// entry is a file with one release on GitHub that has one more line.
func entry(line string) string {
	return "version: 1\nreleases:\n  - workflow: release.yml\n    " + line + "\n"
}

// rule is a file with one rule.
func rule(expr string) string { return entry("rules: [{expr: '" + expr + "'}]") }

// refusals are files that are refused; what people then read stands in
// testdata/refused.golden.
var refusals = []struct {
	what string
	file string
	with func(*policy.Origin)
}{
	{what: "empty", file: ""},
	{what: "comment only", file: "# nothing yet\n"},
	{what: "no YAML", file: "version: 1\nreleases: [\n"},
	{what: "tab", file: "version: 1\nreleases:\n\t- workflow: release.yml\n"},
	{what: "a list", file: "- version: 1\n"},
	{what: "a text", file: "hello\n"},
	{what: "no version", file: "releases:\n  - workflow: release.yml\n"},
	{what: "version 2", file: "version: 2\nreleases:\n  - workflow: release.yml\n"},
	{what: "version in quotes", file: "version: \"1\"\nreleases:\n  - workflow: release.yml\n"},
	{what: "version in hex", file: "version: 0x1\nreleases:\n  - workflow: release.yml\n"},
	{what: "no releases", file: "version: 1\n"},
	{what: "releases without a value", file: "version: 1\nreleases:\n"},
	{what: "empty releases", file: "version: 1\nreleases: []\n"},
	{what: "releases no list", file: "version: 1\nreleases:\n  workflow: release.yml\n"},
	{what: "unknown mode", file: "version: 1\nmode: off\nreleases:\n  - workflow: release.yml\n"},
	{what: "attack 78: unknown field", file: entry("tag: [v*]")},
	{what: "attack 78: unknown top field", file: "version: 1\nrelease:\n  - workflow: release.yml\n"},
	{what: "attack 78: duplicate field", file: entry("key: a\n    key: b")},
	{what: "attack 78: duplicate field, quoted", file: entry("key: a\n    \"key\": b")},
	{what: "attack 78: anchor", file: "version: 1\nreleases:\n  - &a\n    workflow: release.yml\n"},
	{what: "attack 78: alias", file: "version: 1\nreleases:\n  - workflow: release.yml\n    key: *a\n"},
	{what: "attack 78: tag", file: entry("key: !!str a")},
	{what: "attack 78: merge key", file: entry("<<: {key: a}")},
	{what: "attack 78: directive", file: "%YAML 1.1\n---\nversion: 1\n"},
	{what: "attack 78: two documents", file: "version: 1\nreleases:\n  - workflow: release.yml\n---\nversion: 1\n"},
	{what: "explicit key", file: "? version\n: 1\n"},
	{what: "not UTF-8", file: "version: 1 # \xff\n"},
	{what: "byte order mark", file: "\ufeffversion: 1\n"},
	{what: "bidi control", file: entry("key: a # \u202e b")},
	{what: "NUL", file: "version: 1\x00\n"},
	{what: "next line character", file: "version: 1\u0085releases: []\n"},
	{what: "too large", file: "# " + strings.Repeat("x\n# ", policy.MaxFile/4)},
	{what: "too many lines", file: strings.Repeat("a:\n", 5001)},
	{what: "long line", file: "# " + strings.Repeat("x", 2000)},
	{what: "deep brackets", file: "version: " + strings.Repeat("[\n", 20000)},
	{what: "formats a text", file: entry("formats: openpgp")},
	{what: "formats empty", file: entry("formats: []")},
	{what: "format unknown", file: entry("formats: [sigstore, minisign]")},
	{what: "format of nobody's choosing", file: entry("formats: [openpgp-key]")},
	{what: "format twice", file: entry("formats: [ssh, ssh]")},
	{what: "witnesses a text", file: entry("witnesses: two")},
	{what: "witnesses negative", file: entry("witnesses: -1")},
	{what: "too many witnesses", file: entry("witnesses: 17")},
	{what: "more witnesses than there are", file: entry("witnesses: 2"), with: func(o *policy.Origin) { o.Witnesses = 1 }},
	{what: "a witness where there is none", file: entry("witnesses: 1"), with: func(o *policy.Origin) { o.Witnesses = 0 }},
	{what: "publish unknown", file: entry("publish: [assets, npm]")},
	{what: "publish twice", file: entry("publish: [assets, assets]")},
	{what: "publish a group", file: entry("publish: {assets: true}")},
	{what: "attestations on GitLab", file: "version: 1\nreleases:\n  - job: release\n    publish: [assets, attestations]\n", with: func(o *policy.Origin) { o.Kind = gate.GitLab }},
	{what: "not supported: break_glass", file: "version: 1\nbreak_glass: {}\nreleases:\n  - workflow: release.yml\n"},
	{what: "attack 18: uses a tag", file: entry("uses: acme/ci/.github/workflows/sign.yml@v1")},
	{what: "attack 18: uses a branch", file: entry("uses: acme/ci/.github/workflows/sign.yml@refs/heads/main")},
	{what: "attack 18: uses a short commit", file: entry("uses: acme/ci/.github/workflows/sign.yml@" + commit[:7])},
	{what: "attack 18: uses nothing in particular", file: entry("uses: acme/ci/.github/workflows/sign.yml")},
	{what: "uses a file of this repository", file: entry("uses: ./.github/workflows/sign.yml")},
	{what: "uses an action", file: entry("uses: acme/ci@" + commit)},
	{what: "uses in upper case", file: entry("uses: acme/ci/.github/workflows/sign.yml@" + strings.ToUpper(commit))},
	{what: "uses a folder above", file: entry("uses: acme/ci/.github/workflows/../sign.yml@" + commit)},
	{what: "finish elsewhere", file: entry("finish: ci/finish.yml")},
	{what: "finish with a ref", file: entry("finish: finish.yml@main")},
	{what: "checks a text", file: entry("checks: build")},
	{what: "checks empty", file: entry("checks: []")},
	{what: "check twice", file: entry("checks: [build, build]")},
	{what: "the gate's own check", file: entry("checks: [countersign/release]")},
	{what: "check of two lines", file: entry("checks: [\"a\\nb\"]")},
	{what: "check too long", file: entry("checks: [" + strings.Repeat("x", 201) + "]")},
	{what: "too many checks", file: entry("checks: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u]")},
	{what: "codeowners a list", file: entry("codeowners: [bo]")},
	{what: "bind unknown", file: entry("bind: tag")},
	{what: "push unknown", file: entry("branch: {push: allow}")},
	{what: "settle a number", file: entry("branch: {settle: 0}")},
	{what: "settle too long", file: entry("branch: {settle: 169h}")},
	{what: "settle negative", file: entry("branch: {settle: -1h}")},
	{what: "chatops without anything", file: "version: 1\nchatops: {}\nreleases:\n  - workflow: release.yml\n"},
	{what: "aliases empty", file: "version: 1\nchatops: {aliases: []}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias without a slash", file: "version: 1\nchatops: {aliases: [lgtm]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias in upper case", file: "version: 1\nchatops: {aliases: [/LGTM]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias of two words", file: "version: 1\nchatops: {aliases: [/ship it]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias that is the command", file: "version: 1\nchatops: {aliases: [/countersign]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias twice", file: "version: 1\nchatops: {aliases: [/go, /go]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "alias too short", file: "version: 1\nchatops: {aliases: [/y]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "too many aliases", file: "version: 1\nchatops: {aliases: [/aa, /bb, /cc, /dd, /ee, /ff]}\nreleases:\n  - workflow: release.yml\n"},
	{what: "team with a space", file: entry("approvals: [{from: [team: security]}]")},
	{what: "team with a space, in a block", file: entry("approvals:\n      - from:\n          - team: security")},
	{what: "team in braces", file: entry("approvals: [{from: [{team: security}]}]")},
	{what: "team in quotes after the colon", file: entry("approvals: [{from: [team:\"a b\"]}]")},
	{what: "team without a name", file: entry("approvals: [{from: [\"team:\"]}]")},
	{what: "team in upper case", file: entry("approvals: [{from: [team:Security]}]")},
	{what: "team as a mention", file: entry("approvals: [{from: [\"team:@acme/security\"]}]")},
	{what: "team of a team", file: entry("approvals: [{from: [team:acme/security/red]}]")},
	{what: "team with a way up", file: entry("approvals: [{from: [\"team:../x\"]}]")},
	{what: "team twice", file: entry("approvals: [{from: [team:a, team:a]}]")},
	{what: "team on a person's account", file: entry("approvals: [{from: [team:security]}]"), with: func(o *policy.Origin) { o.OwnerIsUser = true }},
	{what: "far along a line", file: entry("from: {events: [" + strings.Repeat("push, ", 30) + "]}")},
	{what: "no workflow on GitHub", file: "version: 1\nreleases:\n  - job: release\n"},
	{what: "no job on GitLab", file: policy.Minimal(gate.GitHub), with: func(o *policy.Origin) { o.Kind = gate.GitLab }},
	{what: "workflow elsewhere", file: "version: 1\nreleases:\n  - workflow: ci/release.yml\n"},
	{what: "workflow outside the folder", file: "version: 1\nreleases:\n  - workflow: .github/workflows/../x.yml\n"},
	{what: "workflow with a ref", file: "version: 1\nreleases:\n  - workflow: release.yml@refs/heads/main\n"},
	{what: "workflow as a pattern", file: "version: 1\nreleases:\n  - workflow: \"*.yml\"\n"},
	{what: "workflow without suffix", file: "version: 1\nreleases:\n  - workflow: release\n"},
	{what: "name in upper case", file: entry("name: Stable")},
	{what: "two releases of one name", file: "version: 1\nreleases:\n  - workflow: a.yml\n  - workflow: b.yml\n"},
	{what: "long description", file: entry("description: " + strings.Repeat("x", 300))},
	{what: "tags a text", file: entry("tags: v*")},
	{what: "tags empty", file: entry("tags: []")},
	{what: "tags without a value", file: entry("tags:")},
	{what: "tag a number", file: entry("tags: [1.0]")},
	{what: "empty pattern", file: entry("tags: [\"\"]")},
	{what: "attack 10: regular expression", file: entry("tags: [\"^v1|v2$\"]")},
	{what: "attack 10: alternation", file: entry("branches: [\"main|next\"]")},
	{what: "attack 22: full ref", file: entry("tags: [\"refs/tags/v*\"]")},
	{what: "open bracket", file: entry("tags: [\"v[0-9\"]")},
	{what: "negation", file: entry("tags: [\"!v1\"]")},
	{what: "complicated pattern", file: entry("tags: [\"" + strings.Repeat("**/", 9) + "x\"]")},
	{what: "absolute path", file: entry("paths: [\"/server/**\"]")},
	{what: "shared without paths", file: entry("shared: [go.mod]")},
	{what: "attack 12: event of forks", file: entry("from: {events: [push, pull_request_target]}")},
	{what: "event twice", file: entry("from: {events: [push, push]}")},
	{what: "from without events and refs", file: entry("from: {}")},
	{what: "from.refs empty", file: entry("from: {refs: []}")},
	{what: "attack 22: a short name under refs", file: entry("from: {refs: [main]}")},
	{what: "another kind of ref", file: entry("from: {refs: [\"refs/pull/*\"]}")},
	{what: "a ref without a name", file: entry("from: {refs: [refs/tags/]}")},
	{what: "attack 10: a regular expression of refs", file: entry("from: {refs: [\"refs/heads/main|refs/heads/x\"]}")},
	{what: "identity without anything", file: entry("identity: {}")},
	{what: "runner unknown", file: entry("identity: {runner: ubuntu-latest}")},
	{what: "runner of the other forge", file: entry("identity: {runner: gitlab-hosted}")},
	{what: "environment as a pattern", file: entry("identity: {environment: \"rel*\"}")},
	{what: "environment empty", file: entry("identity: {environment: \"\"}")},
	{what: "from a list", file: entry("from: [push]")},
	{what: "min_reviews a text", file: entry("branch: {min_reviews: many}")},
	{what: "min_reviews negative", file: entry("branch: {min_reviews: -1}")},
	{what: "force pushes allowed", file: entry("branch: {force_push: allow}")},
	{what: "force pushes reported", file: entry("branch: {force_push: report}")},
	{what: "administrators exempt", file: entry("branch: {admins: exempt}")},
	{what: "administrators a flag", file: entry("branch: {admins: false}")},
	{what: "bypass unknown", file: entry("branch: {bypass: allow}")},
	{what: "separation unknown", file: entry("separation: none")},
	{what: "page_counts yes", file: entry("page_counts: yes")},
	{what: "reviews_count yes", file: entry("reviews_count: yes")},
	{what: "approvals empty", file: entry("approvals: []")},
	{what: "approvals without from", file: entry("approvals: [{count: 2}]")},
	{what: "approvals by readers", file: entry("approvals: [{from: [read]}]")},
	{what: "approvals from a person", file: entry("approvals: [{from: [\"@ana\"]}]")},
	{what: "no approvals needed", file: entry("approvals: [{from: [write], count: 0}]")},
	{what: "right twice", file: entry("approvals: [{from: [write, write]}]")},
	{what: "rules empty", file: entry("rules: []")},
	{what: "rule a text", file: entry("rules: [\"true\"]")},
	{what: "rule without expression", file: entry("rules: [{message: no}]")},
	{what: "rule with another field", file: entry("rules: [{expr: \"true\", then: deny}]")},
	{what: "rule a boolean of YAML", file: entry("rules: [{expr: true}]")},
	{what: "rule not boolean", file: rule("size(subjects)")},
	{what: "rule of no fixed type", file: rule("dyn(true)")},
	{what: "rule that does not parse", file: rule("tag ==")},
	{what: "rule about what is not there", file: rule("approvers.size() > 0")},
	{what: "rule about a field that is not there", file: rule("subjects.all(s, s.nmae != \"\")")},
	{what: "rule that compares types", file: rule("actor.id == \"7\"")},
	{what: "rule by the clock", file: rule("now() > timestamp(0)")},
	{what: "rule with a broken regular expression", file: rule("tag.matches(\"v(\")")},
	{what: "rule with a huge regular expression", file: rule("tag.matches(\"(a{500}){2}\")")},
	{what: "rule too long", file: rule("tag == \"" + strings.Repeat("x", 1000) + "\"")},
	{what: "rule too deep", file: rule(strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100))},
	{what: "rule too costly", file: rule("subjects.all(a, subjects.all(b, a.name + b.name != tag))")},
	{what: "rules too costly together", file: entry("rules: [" + strings.Repeat("{expr: 'subjects.all(s, s.name.matches(\"^([a-z]+-)*[a-z]+[.]tar[.]gz$\"))'}, ", 19) + "]")},
	{what: "too many rules", file: entry("rules: [" + strings.Repeat("{expr: \"true\"}, ", 21) + "]")},
	{what: "message of two lines", file: entry("rules:\n      - expr: tag != \"v1\"\n        message: |\n          one\n          two")},
	{what: "window without anything", file: entry("window: {}")},
	{what: "window without a zone", file: entry("window: {days: [mon]}")},
	{what: "window of all times", file: entry("window: {tz: UTC}")},
	{what: "day in full", file: entry("window: {days: [monday], tz: UTC}")},
	{what: "day twice", file: entry("window: {days: [mon, mon], tz: UTC}")},
	{what: "no days", file: entry("window: {days: [], tz: UTC}")},
	{what: "hours of one digit", file: entry("window: {hours: \"8:00-17:00\", tz: UTC}")},
	{what: "hours beyond the day", file: entry("window: {hours: \"08:00-24:01\", tz: UTC}")},
	{what: "hours with seconds", file: entry("window: {hours: \"08:00:00-17:00\", tz: UTC}")},
	{what: "hours with a sign", file: entry("window: {hours: \"-8:00-17:00\", tz: UTC}")},
	{what: "hours across midnight", file: entry("window: {hours: \"22:00-06:00\", tz: UTC}")},
	{what: "hours of no length", file: entry("window: {hours: \"08:00-08:00\", tz: UTC}")},
	{what: "an hour without an end", file: entry("window: {hours: \"08:00\", tz: UTC}")},
	{what: "zone abbreviated", file: entry("window: {days: [mon], tz: CET}")},
	{what: "zone of the host", file: entry("window: {days: [mon], tz: Local}")},
	{what: "zone unknown", file: entry("window: {days: [mon], tz: Europe/Atlantis}")},
	{what: "zone out of the database", file: entry("window: {days: [mon], tz: ../../etc/passwd}")},
	{what: "key with a version", file: entry("key: acme/2")},
	{what: "no key bound", file: policy.Minimal(gate.GitHub), with: func(o *policy.Origin) { o.Keys = nil }},
	{what: "several keys bound", file: policy.Minimal(gate.GitHub), with: func(o *policy.Origin) { o.Keys = []string{"acme-beta", "acme-release"} }},
	{what: "no default branch", file: policy.Minimal(gate.GitHub), with: func(o *policy.Origin) { o.DefaultBranch = "" }},
	{what: "expires in days", file: entry("expires: 7d")},
	{what: "expires never", file: entry("expires: 0s")},
	{what: "expires a number", file: entry("expires: 168")},
}

func TestRefused(t *testing.T) {
	var all strings.Builder
	for _, r := range refusals {
		where := origin(gate.GitHub)
		if r.with != nil {
			r.with(&where)
		}
		_, err := policy.Parse([]byte(r.file), where)
		var e *gate.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want a refusal", r.what, err)
			continue
		}
		if e.Kind != gate.Invalid || e.Code != gate.CodePolicyInvalid || e.Expected == "" || e.Got == "" || e.Fix == "" {
			t.Errorf("%s: incomplete: %+v", r.what, e)
		}
		fmt.Fprintf(&all, "## %s\n%s\nexpected: %s\ngot: %s\nfix: %s\n\n", r.what, e.Text, e.Expected, e.Got, e.Fix)
	}
	golden(t, "refused.golden", all.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", name, diff)
	}
}
