package attest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/countersign/countersign/gate"
)

// ReleaseType is the predicate type of in-toto's release attestation
// (in-toto/attestation, spec/predicates/release.md).
const ReleaseType = "https://in-toto.io/attestation/release/v0.1"

// ReleasePredicate binds a package URL to the digests of the subjects.
type ReleasePredicate struct {
	PURL string `json:"purl"`
	// ReleaseID is the request's: the forge's release may not be there yet.
	ReleaseID string `json:"releaseId"`
}

// release is the in-toto release of the verdict.
func (w *writer) release() ReleasePredicate {
	return ReleasePredicate{PURL: w.purl(), ReleaseID: w.Request.ID}
}

// purl is the release's package URL (package-url/purl-spec). Types "github" and "gitlab"
// stand for github.com and gitlab.com alone; what comes from elsewhere is "generic" with
// where it comes from. A branch is no version: there it is the commit.
func (w *writer) purl() string {
	version := w.Request.Commit
	if w.Request.IsTag() {
		version = w.Request.ShortRef()
	}
	u, err := url.Parse(w.repository)
	if err != nil { // newWriter parsed it
		return ""
	}
	path := strings.Trim(u.Path, "/")
	kinds := map[string]gate.ForgeKind{"github.com": gate.GitHub, "gitlab.com": gate.GitLab}
	if kind, ok := kinds[u.Host]; ok {
		if kind == gate.GitHub {
			path = strings.ToLower(path) // the type's rule: names there differ in more than case
		}
		return fmt.Sprintf("pkg:%s/%s@%s", kind, escapePath(path), escape(version))
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	from := strings.NewReplacer("%2F", "/", "%3A", ":").Replace(escape("git+" + w.repository + "@" + w.Request.Commit))
	return fmt.Sprintf("pkg:generic/%s@%s?vcs_url=%s", escape(name), escape(version), from)
}

// escape is the percent-encoding of package URLs: all but letters, digits, ".", "-", "_"
// and "~".
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = escape(p)
	}
	return strings.Join(parts, "/")
}
