package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// draws makes files, floors and releases; most of what it draws is in order.
type draws struct{ *rapid.T }

func (d draws) seldom(what string) bool { return rapid.IntRange(0, 9).Draw(d.T, what) == 7 }

func (d draws) of(what string, of ...string) string { return rapid.SampledFrom(of).Draw(d.T, what) }

// some draws each of the lines or leaves it out.
func (d draws) some(oneIn int, lines ...string) []string {
	var out []string
	for _, l := range lines {
		if rapid.IntRange(1, oneIn).Draw(d.T, l) == 1 {
			out = append(out, l)
		}
	}
	return out
}

func (d draws) groups(what string, least int) string {
	var out []string
	for range rapid.IntRange(least, 2).Draw(d.T, what) {
		// People of the team are administrators here: they are nobody new wherever rights
		// admit somebody.
		from := d.of("from", "write", "write", "maintain", "admin", "'team:security', write", "'team:security', admin")
		out = append(out, fmt.Sprintf("{from: [%s], count: %d}", from, rapid.IntRange(1, 2).Draw(d.T, "count")))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (d draws) file() string {
	lines := d.some(3,
		"reviews_count: "+d.of("counts", "true", "false"), "separation: "+d.of("separation", "each-change", "outsider"),
		"page_counts: "+d.of("page", "true", "false"), "bind: "+d.of("bind", "request", "commit"), "checks: [build]", "codeowners: "+d.of("owners", "true", "false"),
		"branch: {bypass: "+d.of("bypass", "report", "deny")+", push: "+d.of("push", "report", "deny")+", min_reviews: "+d.of("reviews", "0", "1", "2")+", settle: "+d.of("settle", "0s", "24h")+"}",
		"approvals: "+d.groups("file's groups", 1), "window: {days: ["+d.of("day", "tue, wed", "wed", "wed, thu")+"], tz: UTC}", "expires: "+d.of("expires", "1h", "300h"),
		"formats: ["+d.of("formats", "raw", "ssh, openpgp")+"]", "witnesses: "+d.of("witnesses", "0", "2"), "publish: ["+d.of("publish", "assets", "attestations")+"]",
		"identity: {runner: "+d.of("runner", "github-hosted", "self-hosted")+"}", "paths: [\"server/**\"]",
	)
	return entry(strings.Join(append(lines, "key: a"), "\n    "))
}

func (d draws) floor() string {
	lines := d.some(3,
		"reviews_count: false", "page_counts: false", "separation: outsider", "bind: request", "codeowners: true", "expires: "+d.of("at most", "2h", "100h"),
		"checks: ["+d.of("more checks", "build", "lint", "build, lint")+"]",
		"branch: {"+d.of("branch", "bypass: deny", "push: deny", "min_reviews: 1", "settle: 2h", "bypass: deny, min_reviews: 2, settle: 100h")+"}",
		"approvals: "+d.groups("floor's groups", 1), "window: {days: ["+d.of("days", "tue", "wed, thu", "mon, tue, wed")+"], tz: UTC}",
		"formats: ["+d.of("more formats", "raw", "openpgp")+"]", "witnesses: "+d.of("at least", "1", "3"), "publish: ["+d.of("also", "assets", "attestations")+"]",
		"identity: {runner: "+d.of("class", "hosted", "github-hosted", "self-hosted")+"}",
	)
	if len(lines) == 0 {
		lines = []string{"codeowners: true"}
	}
	return "version: 1\nfloor:\n  " + strings.Join(lines, "\n  ") + "\n"
}

// release is one made-up release with everything about it said.
func (d draws) release() (policy.Cast, policy.Trial) {
	people := []string{"ana", "bo", "cy", "sec", "dee"}
	who := func(what string, most int) []string {
		return slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom(people), 0, most).Draw(d.T, what))))
	}
	cast := policy.Cast{
		Rights:     map[string]gate.Role{"cy": gate.RoleMaintain, "dee": gate.RoleAdmin, "sec": gate.RoleAdmin},
		Machines:   map[string]bool{},
		Teams:      map[string][]string{"security": {"sec", "dee"}},
		CodeOwners: "/server/ @bo @cy\n",
	}
	reviews := rapid.IntRange(0, 2).Draw(d.T, "reviews asked")
	t := policy.Trial{
		Name: "drawn", Ref: "refs/tags/v1", By: d.of("by", "ana", "somebody"), Runner: d.of("on", "github-hosted", "github-hosted", "github-hosted", "self-hosted"),
		At: time.Date(2026, time.January, 7, 12, 0, 0, 0, time.UTC), Approvals: who("approvals", 5),
		Protection: policy.TrialProtection{Reviews: &reviews},
		Checks:     []gate.CommitCheck{{Name: "build", Done: true, Passed: !d.seldom("failed")}, {Name: "lint", Done: true, Passed: !d.seldom("failed too")}},
	}
	if d.seldom("bypassed") {
		t.Protection.Bypass = []string{"root"}
	}
	if d.seldom("pushed past") {
		t.Protection.Push = []string{"root"}
	}
	if d.seldom("held") {
		t.Holds = []string{"ana"}
	}
	for n := range rapid.IntRange(0, 2).Draw(d.T, "changes") {
		t.Changes = append(t.Changes, policy.TrialChange{
			Number: int64(n + 1), Authors: append([]string{d.of("author", people...)}, who("co-authors", 1)...), Reviewers: who("reviewers", 2),
			Paths: []string{d.of("path", "server/a.go", "docs/a.md")},
		})
	}
	return cast, t
}

// under is the case judged by another policy of the same streams.
func under(c gate.Case, p gate.Policy) gate.Case {
	c.Policy, c.Request.PolicyDigest = p, p.Digest
	c.Approvals = slices.Clone(c.Approvals)
	for i := range c.Approvals {
		c.Approvals[i].PolicyDigest = p.Digest
	}
	return c
}

// drawn is a release under a file alone, and under the file and a floor; false where the
// floor contradicts the file, which then is refused.
func drawn(t *rapid.T) (alone, floored gate.Case, at time.Time, what string, ok bool) {
	d := draws{t}
	file, asks := d.file(), d.floor()
	where := origin(gate.GitHub)
	p, err := policy.Parse([]byte(file), where)
	if err != nil {
		t.Fatalf("%s\n%v", file, err)
	}
	f, err := policy.ParseFloor("server", "floor.yaml", []byte(asks))
	if err != nil {
		t.Fatalf("%s\n%v", asks, err)
	}
	cast, trial := d.release()
	alone, at, refused, err := cast.Case(trial, p, where)
	if err != nil || refused != nil {
		t.Fatalf("%v %v", err, refused)
	}
	where.Floors = []policy.Floor{f}
	tight, err := policy.Parse([]byte(file), where)
	if err != nil {
		return alone, alone, at, file, false
	}
	return alone, under(alone, tight), at, file + asks, true
}

// forAll holds a property against five rounds of drawn values; to look harder, run the test
// with -rapid.checks=10000.
func forAll(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for i := range 5 {
		t.Run(fmt.Sprintf("round %d", i), func(t *testing.T) { rapid.Check(t, property) })
	}
}

// Attack 75: whatever a floor asks for, it never lets through what the file alone does not.
func TestFloorsNeverGrant(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		alone, floored, at, what, ok := drawn(t)
		if !ok {
			return
		}
		before, after := gate.Decide(alone, at), gate.Decide(floored, at)
		if before.Outcome != gate.Granted && after.Outcome == gate.Granted {
			t.Fatalf("granted under the floor alone:\n%s%s", what, unmet(before))
		}
	})
}

// Holding a policy to a floor that it is held to already changes nothing but its name.
func TestFloorsHoldOnce(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		d := draws{t}
		file, asks := d.file(), d.floor()
		f, err := policy.ParseFloor("a", "floor.yaml", []byte(asks))
		if err != nil {
			t.Fatal(err)
		}
		again, err := policy.ParseFloor("b", "floor.yaml", []byte(asks))
		if err != nil {
			t.Fatal(err)
		}
		once, twice := origin(gate.GitHub), origin(gate.GitHub)
		once.Floors, twice.Floors = []policy.Floor{f}, []policy.Floor{f, again}
		_, x, err := policy.Explain([]byte(file), once)
		if err != nil {
			return
		}
		_, y, err := policy.Explain([]byte(file), twice)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range x[0].Values {
			if y[0].Values[i].Value != v.Value {
				t.Fatalf("%s is %s, then %s:\n%s%s", v.Field, v.Value, y[0].Values[i].Value, file, asks)
			}
		}
	})
}

// The properties mean something only while what is drawn is of all kinds.
func TestDrawnReleasesAreOfAllKinds(t *testing.T) {
	seen := map[string]int{}
	gen := rapid.Custom(func(t *rapid.T) string {
		alone, floored, at, _, ok := drawn(t)
		if !ok {
			return "contradicts"
		}
		return gate.Decide(alone, at).Outcome.String() + " then " + gate.Decide(floored, at).Outcome.String()
	})
	const n = 600
	for seed := range n {
		seen[gen.Example(seed)]++
	}
	t.Log(seen)
	for _, kind := range []string{"granted then granted", "granted then waiting", "waiting then waiting", "contradicts"} {
		if seen[kind] < n/50 {
			t.Errorf("too few of %q: %v", kind, seen)
		}
	}
}

func unmet(d gate.Decision) string {
	var b strings.Builder
	for _, c := range d.Checks {
		if c.Outcome != gate.Granted {
			fmt.Fprintf(&b, "%s %s: %s\n", c.Outcome, c.Name, c.Reason)
		}
	}
	return b.String()
}
