package attest_test

import (
	"encoding/json"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
)

// Package URLs of what is released: of the two public forges by their own types, of all
// others with where they come from.
func TestPackageURLs(t *testing.T) {
	branch := func(c *gate.Case) {
		const main = "refs/heads/main"
		c.Request.Ref, c.Request.Workload.Ref = main, main
		c.Evidence.Ref = gate.Known(gate.RefFacts{Ref: main, Commit: c.Request.Commit, Tagger: gate.Absent[gate.Account]("no tag")})
	}
	tag := func(name string) func(*gate.Case) {
		return func(c *gate.Case) {
			ref := "refs/tags/" + name
			c.Request.Ref, c.Request.Workload.Ref = ref, ref
			c.Policy.Streams[0].Tags = append(c.Policy.Streams[0].Tags, gatetest.Glob("*/*"), gatetest.Glob("*"))
			c.Evidence.Ref = gate.Known(gate.RefFacts{Ref: ref, Commit: c.Request.Commit, Tagger: gate.Absent[gate.Account]("lightweight tag")})
		}
	}
	for _, row := range []struct {
		repository, want string
		edit             func(*gate.Case)
	}{
		{"https://github.com/acme/app", "pkg:github/acme/app@v1.4.0", nil},
		{"https://github.com/Acme/App/", "pkg:github/acme/app@v1.4.0", nil},
		{"https://gitlab.com/acme/tools/App", "pkg:gitlab/acme/tools/App@v1.4.0", nil},
		{"https://github.com/acme/app", "pkg:github/acme/app@" + gatetest.Commit, branch},
		{"https://github.com/acme/app", "pkg:github/acme/app@app%2Fv1.0%2B2%401", tag("app/v1.0+2@1")},
		{
			"https://git.example:8443/acme/app",
			"pkg:generic/app@v1.4.0?vcs_url=git%2Bhttps://git.example:8443/acme/app%40" + gatetest.Commit, nil,
		},
	} {
		var opts []gatetest.Option
		if row.edit != nil {
			opts = append(opts, gatetest.Edit(row.edit))
		}
		v := verdict(t, opts...)
		v.Repository = row.repository
		var got struct {
			PredicateType string
			Predicate     attest.ReleasePredicate
		}
		if err := json.Unmarshal(statements(t, v)[gate.StatementRelease], &got); err != nil {
			t.Fatal(err)
		}
		if got.PredicateType != attest.ReleaseType || got.Predicate.PURL != row.want || got.Predicate.ReleaseID != gatetest.RequestID {
			t.Errorf("%s: expected %s, got %+v", row.repository, row.want, got)
		}
	}
}
