package release

import (
	"cmp"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/voice"
)

// View is a record as the API, the pages and the client show it.
func (g *Gate) View(rec gate.Record) api.Release {
	d, r := earlier(rec), rec.Request
	port := g.Forges[r.Repository.Forge] // one that is no longer configured has no pages
	v := g.viewOf(rec, d, rec.State, gate.Case{})
	return api.Release{
		ID: r.ID, Code: r.Code, State: rec.State, Attempt: r.Attempt,
		Headline: voice.Headline(v), Standing: voice.Standing(v), Ending: ending(v), Audit: d.Audit, People: d.People,
		RepositoryID: r.Repository, Repository: r.RepositoryName, Ref: r.Ref, Commit: r.Commit, Stream: r.Stream, Key: r.Key,
		ManifestDigest: r.Manifest.Digest(), Subjects: r.Manifest.Subjects, Created: r.Created, Expires: r.Expires,
		URL: g.URL(r.ID), ThreadURL: port.threadURL(r.RepositoryName, rec.Thread), CompareURL: v.CompareURL,
		Checks: titled(d.Checks), Coverage: d.Coverage, Statements: statements(d),
		CanApprove: d.CanApprove, CannotApprove: d.CannotApprove,
	}
}

func ending(v voice.View) *api.Ending {
	reason, fix := voice.Ending(v)
	if reason == "" {
		return nil
	}
	return &api.Ending{Reason: reason, Fix: fix}
}

func titled(checks []gate.Check) []api.Check {
	var out []api.Check
	for _, c := range checks {
		out = append(out, api.Check{Check: c, Title: voice.CheckTitle(c.Name)})
	}
	return out
}

// statements are what people said, the oldest first, each with whether it counts.
func statements(d gate.Decision) []api.Statement {
	var out []api.Statement
	for _, a := range slices.Concat(d.Counted, d.Heeded) {
		out = append(out, statement(a, true, ""))
	}
	for _, i := range d.Ignored {
		out = append(out, statement(i.Approval, false, i.Why))
	}
	slices.SortStableFunc(out, func(a, b api.Statement) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By.ID.ID, b.By.ID.ID))
	})
	return out
}

func statement(a gate.Approval, counts bool, why string) api.Statement {
	return api.Statement{Verb: a.Verb, By: a.By, At: a.Created, Page: a.Page, Reason: a.Reason, Counts: counts, Why: why}
}
