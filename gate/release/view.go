package release

import (
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// View is a record as the API and the pages show it.
func (g *Gate) View(rec gate.Record) api.Release {
	d, r := earlier(rec), rec.Request
	return api.Release{
		ID: r.ID, Code: r.Code, State: rec.State, Attempt: r.Attempt,
		Repository: r.RepositoryName, Ref: r.Ref, Commit: r.Commit, Stream: r.Stream, Key: r.Key,
		ManifestDigest: r.Manifest.Digest(), Subjects: r.Manifest.Subjects,
		Created: r.Created, Expires: r.Expires, URL: g.URL(r.ID),
		Checks: d.Checks, Coverage: d.Coverage, CanApprove: d.CanApprove, CannotApprove: d.CannotApprove,
	}
}

// ReleaseName names a release's own files: the repository's and the ref's short
// names, such as widget-v1.4.0, in characters that every file system takes.
func ReleaseName(r gate.Request) string {
	name := r.RepositoryName[strings.LastIndex(r.RepositoryName, "/")+1:] + "-" + r.ShortRef()
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("._-+", c):
			return c
		}
		return '-'
	}, name)
}
