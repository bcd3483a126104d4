package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/policy"
)

func floor(t testing.TB, name, asks string) policy.Floor {
	t.Helper()
	f, err := policy.ParseFloor(name, name+".yaml", []byte("version: 1\nfloor:\n  "+asks+"\n"))
	if err != nil {
		t.Fatalf("%s\n%v", asks, err)
	}
	return f
}

func held(t testing.TB, file string, kind gate.ForgeKind, floors ...policy.Floor) (gate.Policy, error) {
	t.Helper()
	where := origin(kind)
	where.Floors = floors
	return policy.Parse([]byte(file), where)
}

// exampleFloor stands in the manual.
const exampleFloor = `version: 1
floor:
  approvals: [{from: [maintain, team:release-managers], count: 1}]
  separation: outsider
  reviews_count: false
  branch: {min_reviews: 1, bypass: deny, push: deny, settle: 24h}
  identity: {runner: hosted}
  checks: [build]
  codeowners: true
  bind: request
  window: {days: [mon, tue, wed, thu], hours: "08:00-17:00", tz: Europe/Berlin}
  formats: [openpgp]
  witnesses: 1
  publish: [assets]
  expires: 72h
`

// Each row is one weak line of a file, and what a floor makes of it.
func TestFloors(t *testing.T) {
	for _, row := range []struct {
		what, line, asks string
		field            string
		value, source    string
	}{
		{"more than the default", "key: a", "branch: {min_reviews: 2}", "branch.min_reviews", "2", "floor server"},
		{"more than the file", "branch: {min_reviews: 1}", "branch: {min_reviews: 2}", "branch.min_reviews", "2", "floor server"},
		{"less than the file", "branch: {min_reviews: 3}", "branch: {min_reviews: 2}", "branch.min_reviews", "3", "file"},
		{"as much as the file", "branch: {min_reviews: 2}", "branch: {min_reviews: 2}", "branch.min_reviews", "2", "file"},
		{"bypass said to be reported", "branch: {bypass: report}", "branch: {bypass: deny}", "branch.bypass", "deny", "floor server"},
		{"push said to be reported", "branch: {push: report}", "branch: {push: deny}", "branch.push", "deny", "floor server"},
		{"settles later", "branch: {settle: 0s}", "branch: {settle: 30m}", "branch.settle", "30m", "floor server"},
		{"settles later than the default", "key: a", "branch: {settle: 24h}", "branch.settle", "24h", "floor server"},
		{"settles later in the file", "branch: {settle: 48h}", "branch: {settle: 24h}", "branch.settle", "48h", "file"},
		{"reviews said to count", "reviews_count: true", "reviews_count: false", "reviews_count", "false", "floor server"},
		{"the page said to count", "page_counts: true", "page_counts: false", "page_counts", "false", "floor server"},
		{"the page never said to count", "page_counts: false", "page_counts: false", "page_counts", "false", "file"},
		{"separation said to be each-change", "separation: each-change", "separation: outsider", "separation", "outsider", "floor server"},
		{"separation strict already", "separation: outsider", "separation: outsider", "separation", "outsider", "file"},
		{"code owners said not to matter", "codeowners: false", "codeowners: true", "codeowners", "true", "floor server"},
		{"bound to commits", "bind: commit", "bind: request", "bind", "request", "floor server"},
		{"bound to requests by default", "key: a", "bind: request", "bind", "request", "default"},
		{"longer than the floor", "expires: 168h", "expires: 72h", "expires", "72h", "floor server"},
		{"shorter than the floor", "expires: 1h", "expires: 72h", "expires", "1h", "file"},
		{"checks of both", "checks: [test, build]", "checks: [build, lint]", "checks", "test, build, lint", "file, floor server"},
		{"formats of both", "formats: [raw]", "formats: [openpgp, raw]", "formats", "sigstore, dsse, raw, openpgp", "file, floor server"},
		{"formats of the floor", "key: a", "formats: [openpgp]", "formats", "sigstore, dsse, openpgp", "floor server"},
		{"formats that are always made", "key: a", "formats: [sigstore, dsse]", "formats", "sigstore, dsse", "default"},
		{"more witnesses", "witnesses: 1", "witnesses: 2", "witnesses", "2", "floor server"},
		{"fewer witnesses", "witnesses: 3", "witnesses: 2", "witnesses", "3", "file"},
		{"published at more places", "publish: [attestations]", "publish: [assets]", "publish", "attestations, assets", "file, floor server"},
		{"published at all", "key: a", "publish: [assets, attestations]", "publish", "assets, attestations", "floor server"},
		{"checks of the floor", "key: a", "checks: [build]", "checks", "build", "floor server"},
		{"any runner", "key: a", "identity: {runner: self-hosted}", "identity.runner", "self-hosted", "floor server"},
		{"the forge's runner", "key: a", "identity: {runner: hosted}", "identity.runner", "github-hosted", "floor server"},
		{"the same runner", "identity: {runner: github-hosted}", "identity: {runner: hosted}", "identity.runner", "github-hosted", "file"},
		{"no window", "key: a", "window: {days: [mon], tz: UTC}", "window", "mon 00:00-24:00 UTC", "floor server"},
		{"a wider window", "window: {days: [mon, fri], hours: \"06:00-18:00\", tz: UTC}", "window: {days: [mon, tue], hours: \"08:00-20:00\", tz: UTC}", "window", "mon 08:00-18:00 UTC", "file, floor server"},
		{"a narrower window", "window: {days: [mon], hours: \"09:00-10:00\", tz: UTC}", "window: {hours: \"08:00-20:00\", tz: UTC}", "window", "mon 09:00-10:00 UTC", "file"},
		{"a fork of streams", "name: stable", "approvals: [{from: [write], count: 2}]", "approvals", "2 with write", "default, floor server"},
	} {
		where := origin(gate.GitHub)
		where.Floors = []policy.Floor{floor(t, "server", row.asks)}
		_, streams, err := policy.Explain([]byte(entry(row.line)), where)
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
			continue
		}
		for _, v := range streams[0].Values {
			if v.Field == row.field && (v.Value != row.value || v.Source != row.source) {
				t.Errorf("%s: got %s (%s), want %s (%s)", row.what, v.Value, v.Source, row.value, row.source)
			}
		}
	}
}

// What a floor asks for and the server has not is for the operator to settle.
func TestFloorOfMissingWitnesses(t *testing.T) {
	where := origin(gate.GitHub)
	where.Witnesses = 2
	where.Floors = []policy.Floor{floor(t, "server", "witnesses: 3")}
	_, err := policy.Parse([]byte(entry("witnesses: 1")), where)
	if gate.CodeOf(err) != gate.CodePolicyInvalid || !strings.Contains(err.Error(), "floor server asks for witnesses: 3, and the server has 2") {
		t.Errorf("got %v", err)
	}
	where.Witnesses = 3
	if p, err := policy.Parse([]byte(entry("witnesses: 1")), where); err != nil || p.Streams[0].Witnesses != 3 {
		t.Errorf("with as many: got %v", err)
	}
}

// Attestations are GitHub's alone: a floor for both forges asks GitLab for the rest.
func TestFloorOfTheOtherForgesPublications(t *testing.T) {
	p, err := held(t, "version: 1\nreleases:\n  - job: release\n", gate.GitLab, floor(t, "server", "publish: [attestations, assets]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Streams[0].Publish; len(got) != 1 || got[0] != gate.PublishAssets {
		t.Errorf("got %v", got)
	}
}

// The groups of file and floor, joined.
func TestFloorApprovals(t *testing.T) {
	for _, row := range []struct{ what, file, floor, want string }{
		{"the same", "[{from: [write]}]", "[{from: [write]}]", "1 with write"},
		{"more people", "[{from: [write]}]", "[{from: [write], count: 3}]", "3 with write"},
		{"fewer people", "[{from: [write], count: 3}]", "[{from: [write]}]", "3 with write"},
		{"a higher right", "[{from: [write]}]", "[{from: [admin]}]", "1 with admin"},
		{"a lower right is raised to the file's", "[{from: [admin]}]", "[{from: [write], count: 2}]", "2 with admin"},
		{"a lower right that is there", "[{from: [admin]}, {from: [write]}]", "[{from: [write], count: 2}]", "1 with admin; 1 with write"},
		{"a higher right among more people", "[{from: [write], count: 2}]", "[{from: [maintain]}]", "1 with maintain; 1 with write"},
		{"two groups need two people", "[{from: [write]}]", "[{from: [write]}, {from: [maintain]}]", "1 with write; 1 with maintain"},
		{"a team beside a right", "[{from: [write]}]", "[{from: ['team:a']}]", "1 with write; 1 with team:a"},
		{"the same team", "[{from: ['team:a']}]", "[{from: ['team:a']}]", "1 with team:a"},
		{"one of the floor's teams", "[{from: ['team:a']}]", "[{from: ['team:a', 'team:b']}]", "1 with team:a"},
		{"a team among rights", "[{from: [write, 'team:a']}]", "[{from: ['team:a']}]", "1 with team:a"},
		{"a right beside a team", "[{from: ['team:a']}]", "[{from: [write]}]", "1 with team:a; 1 with write"},
		{"words in another order", "[{from: [admin, write]}]", "[{from: [write]}]", "1 with write"},
	} {
		p, err := held(t, entry("approvals: "+row.file), gate.GitHub, floor(t, "server", "approvals: "+row.floor))
		if err != nil {
			t.Fatalf("%s: %v", row.what, err)
		}
		if got := spelledGroups(p.Streams[0].Approvals); got != row.want {
			t.Errorf("%s: got %s, want %s", row.what, got, row.want)
		}
	}
}

func spelledGroups(groups []gate.ApprovalGroup) string {
	var out []string
	for _, g := range groups {
		var from []string
		for _, r := range g.From {
			from = append(from, r.String())
		}
		for _, team := range g.Teams {
			from = append(from, "team:"+team)
		}
		out = append(out, fmt.Sprintf("%d with %s", g.Count, strings.Join(from, " or ")))
	}
	return strings.Join(out, "; ")
}

// Every stream is held, and several floors are all held to, in whatever order they come.
func TestSeveralFloors(t *testing.T) {
	server := floor(t, "server", "{approvals: [{from: [write], count: 2}], checks: [build], expires: 48h, branch: {min_reviews: 1}}")
	acme := floor(t, "acme", "{approvals: [{from: ['team:security']}], checks: [lint], expires: 24h, branch: {min_reviews: 2}}")
	for _, floors := range [][]policy.Floor{{server, acme}, {acme, server}} {
		p, err := held(t, monorepo, gate.GitHub, floors...)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Streams {
			if got := spelledGroups(s.Approvals); got != "2 with write; 1 with team:security" && got != "1 with write; 1 with team:security; 1 with write" {
				t.Errorf("%s: approvals %s", s.Name, got)
			}
			if got := strings.Join(s.Checks, " "); got != "lint build" || s.Expires != 24*time.Hour || s.MinReviews != 2 {
				t.Errorf("%s: checks %s, expires %s, %d reviews", s.Name, got, s.Expires, s.MinReviews)
			}
		}
		var names []string
		for _, s := range p.Sources {
			names = append(names, s.Source)
		}
		if diff := cmp.Diff([]string{"floor:acme", "floor:server", "github:1296269/.countersign.yaml"}, names); diff != "" {
			t.Errorf("sources (-want +got):\n%s", diff)
		}
		want, err := canonical.PolicyDigest(p.Sources)
		if err != nil || p.Digest != want {
			t.Errorf("digest %s, want %s, %v", p.Digest, want, err)
		}
	}
}

// A floor's bytes are part of the policy digest: another floor is another policy.
func TestFloorChangesTheDigest(t *testing.T) {
	seen := map[gate.Digest]string{}
	for what, floors := range map[string][]policy.Floor{
		"none": nil, "one": {floor(t, "server", "codeowners: true")}, "another": {floor(t, "server", "codeowners: true # yes")},
		"of another name": {floor(t, "acme", "codeowners: true")},
	} {
		p, err := held(t, policy.Minimal(gate.GitHub), gate.GitHub, floors...)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[p.Digest]; twice {
			t.Errorf("%s and %s have one digest", what, other)
		}
		seen[p.Digest] = what
	}
}

func TestExampleFloor(t *testing.T) {
	f, err := policy.ParseFloor("server", "floor.yaml", []byte(exampleFloor))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		p, err := held(t, policy.Minimal(kind), kind, f)
		if err != nil {
			t.Fatal(err)
		}
		s := p.Streams[0]
		if s.Window == nil || s.Separation != gate.Outsider || s.ReviewsCount || !s.Owners || s.Runner != string(kind)+"-hosted" || s.Push != gate.Deny {
			t.Errorf("%s: %+v", kind, s)
		}
	}
}

// What floors and files refuse, as people read it, stands in testdata/floors.golden.
func TestFloorsRefused(t *testing.T) {
	var all strings.Builder
	note := func(what string, err error) {
		var e *gate.Error
		if !errors.As(err, &e) || e.Kind != gate.Invalid || e.Code != gate.CodePolicyInvalid || e.Expected == "" || e.Got == "" || e.Fix == "" {
			t.Errorf("%s: got %v, want a whole refusal", what, err)
			return
		}
		fmt.Fprintf(&all, "## %s\n%s\nexpected: %s\ngot: %s\nfix: %s\n\n", what, e.Text, e.Expected, e.Got, e.Fix)
	}
	for _, row := range []struct{ what, file string }{
		{"empty", ""},
		{"no version", "floor: {codeowners: true}\n"},
		{"no floor", "version: 1\n"},
		{"a floor that asks for nothing", "version: 1\nfloor: {}\n"},
		{"a policy file", policy.Minimal(gate.GitHub)},
		{"a field that cannot be tightened", "version: 1\nfloor: {tags: [v*]}\n"},
		{"mode", "version: 1\nfloor: {mode: enforce}\n"},
		{"separation loosened", "version: 1\nfloor: {separation: each-change}\n"},
		{"pages that count", "version: 1\nfloor: {page_counts: true}\n"},
		{"reviews that count", "version: 1\nfloor: {reviews_count: true}\n"},
		{"code owners that do not", "version: 1\nfloor: {codeowners: false}\n"},
		{"bypass reported", "version: 1\nfloor: {branch: {bypass: report}}\n"},
		{"push reported", "version: 1\nfloor: {branch: {push: report}}\n"},
		{"no reviews", "version: 1\nfloor: {branch: {min_reviews: 0}}\n"},
		{"nothing of the branch", "version: 1\nfloor: {branch: {}}\n"},
		{"bind to commits", "version: 1\nfloor: {bind: commit}\n"},
		{"identity without a runner", "version: 1\nfloor: {identity: {}}\n"},
		{"an environment", "version: 1\nfloor: {identity: {runner: hosted, environment: release}}\n"},
		{"an unknown runner", "version: 1\nfloor: {identity: {runner: any}}\n"},
		{"approvals by nobody", "version: 1\nfloor: {approvals: []}\n"},
		{"settle for no time", "version: 1\nfloor: {branch: {settle: 0s}}\n"},
		{"expires never", "version: 1\nfloor: {expires: 0s}\n"},
		{"an anchor", "version: 1\nfloor: &a {codeowners: true}\n"},
		{"codeowners twice", "version: 1\nfloor: {codeowners: true, codeowners: true}\n"},
	} {
		_, err := policy.ParseFloor("server", "floor.yaml", []byte(row.file))
		note(row.what, err)
	}
	for _, name := range []string{"", "Server", "a b", "-a", strings.Repeat("a", 64)} {
		_, err := policy.ParseFloor(name, "floor.yaml", []byte(exampleFloor))
		note("named "+name, err)
	}
	for _, row := range []struct {
		what, line, asks string
		with             func(*policy.Origin)
	}{
		{"another runner", "identity: {runner: github-hosted}", "identity: {runner: self-hosted}", nil},
		{"a runner of the other forge", "key: a", "identity: {runner: gitlab-hosted}", nil},
		{"a window of another zone", "window: {days: [mon], tz: Europe/Berlin}", "window: {days: [mon], tz: UTC}", nil},
		{"a window on other days", "window: {days: [mon], tz: UTC}", "window: {days: [tue], tz: UTC}", nil},
		{"a window at other hours", "window: {hours: \"08:00-09:00\", tz: UTC}", "window: {hours: \"09:00-10:00\", tz: UTC}", nil},
		{"a team on a person's account", "key: a", "approvals: [{from: ['team:security']}]", func(o *policy.Origin) { o.OwnerIsUser = true }},
		{"a team that this forge cannot have", "key: a", "approvals: [{from: ['team:acme/sub/security']}]", nil},
	} {
		where := origin(gate.GitHub)
		where.Floors = []policy.Floor{floor(t, "server", row.asks)}
		if row.with != nil {
			row.with(&where)
		}
		_, err := policy.Parse([]byte(entry(row.line)), where)
		note(row.what, err)
	}
	_, err := held(t, policy.Minimal(gate.GitHub), gate.GitHub, floor(t, "a", "identity: {runner: hosted}"), floor(t, "b", "identity: {runner: self-hosted}"))
	note("two floors that contradict each other", err)
	golden(t, "floors.golden", all.String())
}

func FuzzFloor(f *testing.F) {
	f.Add([]byte(exampleFloor))
	f.Add([]byte("version: 1\nfloor: {approvals: [{from: [team:a]}], window: {days: [mon], tz: UTC}}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		fl, err := policy.ParseFloor("server", "floor.yaml", file)
		if err != nil {
			if gate.KindOf(err) != gate.Invalid {
				t.Errorf("%q: unclassified %v", file, err)
			}
			return
		}
		where := origin(gate.GitHub)
		where.Floors = []policy.Floor{fl}
		if _, err := policy.Parse([]byte(everything), where); err != nil && gate.KindOf(err) != gate.Invalid {
			t.Errorf("%q: unclassified %v", file, err)
		}
	})
}
