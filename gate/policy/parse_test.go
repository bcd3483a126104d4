package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/policy"
)

const commit = "3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"

func origin(kind gate.ForgeKind) policy.Origin {
	return policy.Origin{
		Repository: gate.RepositoryID{Forge: "github", ID: 1296269}, Commit: commit, Path: policy.Path,
		DefaultBranch: "main", Kind: kind, Keys: []string{"acme-release"}, Witnesses: policy.MaxWitnesses,
	}
}

// stream is a stream with its patterns spelled out, to be compared.
type stream struct {
	Tags, NotTags, Branches, Paths, Shared, Refs string
	gate.Stream
}

func comparable(s gate.Stream) stream {
	out := stream{
		Tags: spell(s.Tags), NotTags: spell(s.NotTags), Branches: spell(s.Branches),
		Paths: spell(s.Paths), Shared: spell(s.Shared), Refs: spell(s.Refs), Stream: s,
	}
	out.Stream.Tags, out.Stream.NotTags, out.Stream.Branches = nil, nil, nil
	out.Stream.Paths, out.Stream.Shared, out.Stream.Refs = nil, nil, nil
	out.Rules, out.Window = nil, nil // have tests of their own
	return out
}

func spell(ms []gate.Matcher) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.String())
	}
	return strings.Join(out, " ")
}

func parse(t testing.TB, file string, kind gate.ForgeKind) gate.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(file), origin(kind))
	if err != nil {
		t.Fatalf("%s\n%v", file, err)
	}
	return p
}

func TestMinimalFile(t *testing.T) {
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		p := parse(t, policy.Minimal(kind), kind)
		if p.Mode != gate.Enforce || len(p.Streams) != 1 {
			t.Fatalf("%s: mode %q, %d streams", kind, p.Mode, len(p.Streams))
		}
		want := stream{Tags: "v*", Branches: "main release/*", Stream: gate.Stream{
			Name: "release", Bypass: gate.Report, Push: gate.Report, Settle: time.Hour, Bind: gate.BindRequest, Separation: gate.EachChange, ReviewsCount: true, PageCounts: true,
			Approvals: []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 1}},
			Key:       "acme-release", Expires: 168 * time.Hour,
		}}
		if kind == gate.GitHub {
			want.Workflow, want.Events = ".github/workflows/release.yml", []string{"push", "workflow_dispatch"}
		} else {
			want.Job, want.Events = "release", []string{"push", "web"}
		}
		if diff := cmp.Diff(want, comparable(p.Streams[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestSources(t *testing.T) {
	file := policy.Minimal(gate.GitHub)
	p := parse(t, file, gate.GitHub)
	want := []gate.PolicySource{{Source: "github:1296269/.countersign.yaml", Commit: commit, SHA256: gate.SHA256([]byte(file))}}
	if diff := cmp.Diff(want, p.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	digest, err := canonical.PolicyDigest(want)
	if err != nil || p.Digest != digest {
		t.Errorf("digest %s, want %s, %v", p.Digest, digest, err)
	}
}

const everything = `# yaml-language-server: $schema=https://sign.example.org/schema/policy.v1.json
version: 1
mode: audit
chatops: {aliases: ["/approve-release", /ship-it]}
releases:
  - name: stable
    description: Public downloads
    tags: ["v[0-9]*"]
    not_tags: ["*-rc*"]
    branches: [main, "release/*"]
    paths: ["server/**"]
    shared: [".github/**", "go.mod"]
    workflow: .github/workflows/release.yml
    uses: acme/ci/.github/workflows/sign.yml@3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a
    job: release
    finish: finish.yml
    from: {events: [push, release], refs: ["refs/tags/v*", refs/heads/main]}
    identity: {runner: github-hosted, environment: release}
    branch: {min_reviews: 1, force_push: deny, admins: enforced, bypass: deny, push: deny, settle: 24h}
    checks: [build, test / unit]
    codeowners: true
    separation: outsider
    reviews_count: false
    page_counts: false
    bind: commit
    approvals:
      - {from: [write], count: 2}
      - from: [admin, team:security, "team:acme/release-managers"]
    rules:
      - expr: subjects.all(s, s.name.startsWith("acme_"))
        message: Only acme_* files may be signed
      - {expr: "event == 'push'"}
    window: {days: [thu, mon, tue, wed], hours: "08:00-17:00", tz: Europe/Berlin}
    formats: [sigstore, dsse, raw, openpgp, ssh]
    witnesses: 2
    publish: [attestations, assets]
    key: acme-stable
    expires: 90m
  - name: nightly
    tags:
      - nightly-*
    workflow: nightly.yaml
`

// On GitLab the job that finishes is named as the one that asks.
func TestFinishOnGitLab(t *testing.T) {
	p := parse(t, "version: 1\nreleases:\n  - job: release\n    finish: countersign-collect\n", gate.GitLab)
	if got := p.Streams[0]; got.Finish != "countersign-collect" || got.Job != "release" {
		t.Errorf("job %q, finish %q", got.Job, got.Finish)
	}
	for _, finish := range []string{"release", `"*"`, `"two\nlines"`, `""`, "[a]"} {
		file := "version: 1\nreleases:\n  - job: release\n    finish: " + finish + "\n"
		if _, err := policy.Parse([]byte(file), origin(gate.GitLab)); gate.CodeOf(err) != gate.CodePolicyInvalid {
			t.Errorf("finish: %s: got %v", finish, err)
		}
	}
}

func TestEveryField(t *testing.T) {
	p := parse(t, everything, gate.GitHub)
	if p.Mode != gate.Audit || len(p.Streams) != 2 {
		t.Fatalf("mode %q, %d streams", p.Mode, len(p.Streams))
	}
	if diff := cmp.Diff([]string{"/approve-release", "/ship-it"}, p.Aliases); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	want := stream{
		Tags: "v[0-9]*", NotTags: "*-rc*", Branches: "main release/*", Paths: "server/**", Shared: ".github/** go.mod",
		Refs: "refs/tags/v* refs/heads/main",
		Stream: gate.Stream{
			Name: "stable", Description: "Public downloads", Workflow: ".github/workflows/release.yml", Job: "release",
			Uses: &gate.ReusableWorkflow{Path: "acme/ci/.github/workflows/sign.yml", Commit: commit}, Finish: ".github/workflows/finish.yml",
			Events: []string{"push", "release"}, Runner: "github-hosted", Environment: "release", MinReviews: 1, Bypass: gate.Deny, Separation: gate.Outsider,
			Push: gate.Deny, Settle: 24 * time.Hour, Checks: []string{"build", "test / unit"}, Owners: true, Bind: gate.BindCommit,
			Approvals: []gate.ApprovalGroup{
				{From: []gate.Role{gate.RoleWrite}, Count: 2}, {From: []gate.Role{gate.RoleAdmin}, Teams: []string{"security", "acme/release-managers"}, Count: 1},
			},
			Formats: []gate.Format{gate.FormatOpenPGP, gate.FormatSSH, gate.FormatRaw}, Witnesses: 2,
			Publish: []gate.Publication{gate.PublishAssets, gate.PublishAttestations},
			Key:     "acme-stable", Expires: 90 * time.Minute,
		},
	}
	if diff := cmp.Diff(want, comparable(p.Streams[0])); diff != "" {
		t.Errorf("stable (-want +got):\n%s", diff)
	}
	if got := p.Streams[0].Window.String(); got != "mon tue wed thu 08:00-17:00 Europe/Berlin" {
		t.Errorf("window %s", got)
	}
	wantRules := []gate.Expression{
		{Expr: `subjects.all(s, s.name.startsWith("acme_"))`, Message: "Only acme_* files may be signed"}, {Expr: "event == 'push'"},
	}
	if diff := cmp.Diff(wantRules, p.Streams[0].Rules.Expressions()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if s := p.Streams[1]; s.Formats != nil || s.Witnesses != 0 || s.Publish != nil {
		t.Errorf("nightly has formats %v, %d witnesses, publications %v of another release", s.Formats, s.Witnesses, s.Publish)
	}
	if s := p.Streams[1]; s.Rules != nil || s.Window != nil {
		t.Errorf("nightly has rules %v or window %v of another release", s.Rules, s.Window)
	}
	if s := p.Streams[1]; s.Workflow != ".github/workflows/nightly.yaml" || s.Key != "acme-release" || spell(s.Tags) != "nightly-*" {
		t.Errorf("nightly: %+v", comparable(s))
	}
}

func TestCRLFAndJSON(t *testing.T) {
	parse(t, strings.ReplaceAll(everything, "\n", "\r\n"), gate.GitHub)
	parse(t, `{"version": 1, "releases": [{"workflow": "release.yml"}]}`, gate.GitHub)
	parse(t, "---\n"+policy.Minimal(gate.GitHub), gate.GitHub)
	parse(t, "version: 1\nreleases:\n- workflow: release.yml\n  description: >\n    Public\n    downloads\n", gate.GitHub)
}

// attack 10: a pattern matches the whole name, and is never a regular expression.
func TestPatterns(t *testing.T) {
	matcher := func(pattern string) gate.Matcher {
		p := parse(t, fmt.Sprintf("version: 1\nreleases:\n  - {workflow: r.yml, tags: [%q]}\n", pattern), gate.GitHub)
		return p.Streams[0].Tags[0]
	}
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"v*", "v1.4.0", true},
		{"v*", "xv1", false},
		{"v*", "v1/evil", false},
		{"v[0-9]*", "v1.4.0", true},
		{"v[0-9]*", "vx", false},
		{"v[!0-9]*", "v1", false},
		{"v[^0-9]*", "vx", true},
		{"v1.4.0", "v1.4.0", true},
		{"v1.4.0", "v1x4x0", false},
		{"v1.4.0", "v1.4.01", false},
		{"release/*", "release/1.x", true},
		{"release/*", "release/1/x", false},
		{"release/*", "release", false},
		{"server/**", "server/a/b.go", true},
		{"server/**", "servers/a", false},
		{"{main,next}", "next", true},
		{"{main,next}", "nextmain", false},
		{"v1.0+build*", "v1.0+build5", true},
		{"?", "é", true},
	} {
		if got := matcher(row.pattern).Match(row.name); got != row.want {
			t.Errorf("%q matches %q: %t, want %t", row.pattern, row.name, got, row.want)
		}
	}
}

// A branch's own name is no pattern.
func TestDefaultBranchIsLiteral(t *testing.T) {
	where := origin(gate.GitHub)
	where.DefaultBranch = "m[a]in"
	p, err := policy.Parse([]byte(policy.Minimal(gate.GitHub)), where)
	if err != nil {
		t.Fatal(err)
	}
	m := p.Streams[0].Branches[0]
	if !m.Match("m[a]in") || m.Match("main") {
		t.Errorf("default branch %s", m)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(policy.Minimal(gate.GitHub)))
	f.Add([]byte(everything))
	f.Add([]byte("a: &b c\nd: *b"))
	f.Add([]byte("version: 1\nreleases: [{workflow: x.yml, tags: ['{a,b}']}]"))
	f.Add([]byte(entry("approvals: [{from: [team:a, 'team:b/c']}]")))
	f.Add([]byte(entry("uses: a/b/.github/workflows/c.yml@" + commit + "\n    finish: d.yml\n    branch: {push: deny, settle: 0s}")))
	f.Add([]byte("version: 1\nchatops: {aliases: [/go]}\nreleases: [{workflow: x.yml, checks: [a], codeowners: true, bind: commit}]"))
	f.Add([]byte("? [a]\n: b"))
	f.Add([]byte(rule("subjects.exists(s, s.name.matches('^a+$')) || actor.id in [1, 2]")))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := policy.Parse(file, origin(gate.GitHub))
		if err != nil {
			if gate.KindOf(err) != gate.Invalid {
				t.Errorf("%q: unclassified %v", file, err)
			}
			return
		}
		for _, s := range p.Streams {
			if s.Name == "" || s.Workflow == "" && s.Uses == nil || s.Key == "" || len(s.Tags) == 0 || len(s.Branches) == 0 || len(s.Events) == 0 ||
				len(s.Approvals) == 0 || s.Expires <= 0 || len(s.Approvals[0].From)+len(s.Approvals[0].Teams) == 0 || s.Approvals[0].Count < 1 ||
				s.Bind == "" || s.Push == "" || s.Bypass == "" || s.Settle < 0 || s.Uses != nil && len(s.Uses.Commit) != 40 {
				t.Errorf("%q: a stream without its rules: %+v", file, s)
			}
		}
	})
}

// YAML takes team:security for a text wherever it stands.
func TestTeams(t *testing.T) {
	for _, line := range []string{
		"approvals: [{from: [team:acme/security, team:b-2, write]}]", "approvals: [{from: [\"team:acme/security\", 'team:b-2', write]}]",
		"approvals:\n      - from: [team:acme/security, team:b-2, write]", "approvals:\n      - from:\n          - team:acme/security\n          - team:b-2\n          - write",
	} {
		for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
			p := parse(t, entry("job: x\n    "+line), kind)
			want := []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Teams: []string{"acme/security", "b-2"}, Count: 1}}
			if diff := cmp.Diff(want, p.Streams[0].Approvals); diff != "" {
				t.Errorf("%s (-want +got):\n%s", line, diff)
			}
		}
	}
	file := entry("approvals: [{from: [team:acme/sub/security]}]\n    job: x")
	if p := parse(t, file, gate.GitLab); p.Streams[0].Approvals[0].Teams[0] != "acme/sub/security" {
		t.Errorf("a group within a group: %v", p.Streams[0].Approvals)
	}
}
