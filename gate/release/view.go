package release

import (
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// View is a record as the API and the pages show it.
func (g *Gate) View(rec gate.Record) api.Release {
	d, r := earlier(rec), rec.Request
	port := g.Forges[r.Repository.Forge] // one that is no longer configured has no pages
	return api.Release{
		ID: r.ID, Code: r.Code, State: rec.State, Attempt: r.Attempt,
		Repository: r.RepositoryName, Ref: r.Ref, Commit: r.Commit, Stream: r.Stream, Key: r.Key,
		ManifestDigest: r.Manifest.Digest(), Subjects: r.Manifest.Subjects,
		Created: r.Created, Expires: r.Expires, URL: g.URL(r.ID),
		ThreadURL: port.threadURL(r.RepositoryName, rec.Thread),
		Checks:    d.Checks, Coverage: d.Coverage, CanApprove: d.CanApprove, CannotApprove: d.CannotApprove,
	}
}
