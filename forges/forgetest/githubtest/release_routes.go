package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// uploadPrefix is where GitHub Enterprise Server takes files: uploads.github.com elsewhere.
const uploadPrefix = "/api/uploads"

func releaseRoutes() []route {
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}/releases", needs: "contents:read", handle: listReleases},
		{method: "GET", path: "/repos/{owner}/{repo}/releases/tags/{tag}", needs: "contents:read", handle: releaseByTag},
		{method: "GET", path: "/repos/{owner}/{repo}/releases/{release_id}/assets", needs: "contents:read", handle: listAssets},
		{method: "POST", path: "/repos/{owner}/{repo}/releases/{release_id}/assets", needs: "contents:write", uploads: true, handle: uploadAsset},
		{method: "POST", path: "/repos/{owner}/{repo}/attestations", needs: "attestations:write", handle: createAttestation},
		{method: "GET", path: "/repos/{owner}/{repo}/attestations/{subject_digest}", needs: "attestations:read", handle: listAttestations},
	}
}

// visible reports whether the call sees a release: "Only users with push access will receive
// listings for draft releases" (API description).
func (c *call) visible(x *releasePage) bool {
	return !x.draft || c.token.allows("contents:write")
}

// listReleases is newest first.
func listReleases(c *call) reply {
	all := slices.DeleteFunc(slices.Clone(c.repo.releases), func(x *releasePage) bool { return !c.visible(x) })
	slices.Reverse(all)
	return paged(c, all, func(x *releasePage) obj { return c.releaseJSON(c.repo, x) })
}

func releaseByTag(c *call) reply {
	for _, x := range c.repo.releases {
		if x.tag == c.params["tag"] && !x.draft {
			return ok(c.releaseJSON(c.repo, x))
		}
	}
	return notFound()
}

func (c *call) releasePage() *releasePage {
	for _, x := range c.repo.releases {
		if x.id == c.number("release_id") && c.visible(x) {
			return x
		}
	}
	return nil
}

func listAssets(c *call) reply {
	x := c.releasePage()
	if x == nil {
		return notFound()
	}
	return paged(c, x.assets, func(a *asset) obj { return c.assetJSON(c.repo, x, a) })
}

// uploadAsset takes a file. What an immutable release answers is not described; 422 is how
// GitHub refuses what is not valid.
func uploadAsset(c *call) reply {
	x := c.releasePage()
	name := c.query.Get("name")
	switch {
	case x == nil:
		return notFound()
	case name == "":
		return invalid("ReleaseAsset", "name", "missing_field", "name is required")
	case c.r.Header.Get("Content-Type") == "" || c.r.ContentLength < 0:
		return problem(http.StatusBadRequest, "Bad Content-Length")
	case len(c.body) == 0:
		return problem(http.StatusBadRequest, "Bad Content-Length")
	case x.immutable:
		return problem(http.StatusUnprocessableEntity, "Cannot upload assets to an immutable release.")
	}
	if slices.ContainsFunc(x.assets, func(a *asset) bool { return a.name == assetName(name) }) {
		return invalid("ReleaseAsset", "name", "already_exists", "")
	}
	a := c.addAsset(x, c.bot().id, name, c.r.Header.Get("Content-Type"), c.body)
	c.emitRelease(c.repo, "edited", c.bot(), x)
	return created(c.assetJSON(c.repo, x, a))
}

// attestation is a bundle as it was given, with the digests of its statement's subjects.
type attestation struct {
	id       int64
	bundle   json.RawMessage
	subjects []string
}

// createAttestation takes a bundle with a certificate over an in-toto statement. What else
// GitHub asks of it is not described.
func createAttestation(c *call) reply {
	var ask struct {
		Bundle json.RawMessage `json:"bundle"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	subjects, certified := subjectsOf(ask.Bundle)
	if len(subjects) == 0 || !certified {
		return invalid("Attestation", "bundle", "invalid", "expected a bundle with a certificate over a statement with subjects")
	}
	a := &attestation{id: c.next("attestation"), bundle: ask.Bundle, subjects: subjects}
	c.repo.attestations = append(c.repo.attestations, a)
	return created(obj{"id": a.id})
}

// subjectsOf are the digests in the statement of a bundle, and whether it has a certificate.
func subjectsOf(raw []byte) (digests []string, certified bool) {
	var bundle struct {
		Material struct {
			Certificate *struct{} `json:"certificate"`
		} `json:"verificationMaterial"`
		Envelope struct {
			Payload string `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if json.Unmarshal(raw, &bundle) != nil {
		return nil, false
	}
	payload, err := base64.StdEncoding.DecodeString(bundle.Envelope.Payload)
	if err != nil || json.Unmarshal(payload, &statement) != nil {
		return nil, false
	}
	for _, s := range statement.Subject {
		for kind, hex := range s.Digest {
			digests = append(digests, kind+":"+hex)
		}
	}
	return digests, bundle.Material.Certificate != nil
}

// listAttestations is newest first.
func listAttestations(c *call) reply {
	all := slices.DeleteFunc(slices.Clone(c.repo.attestations), func(a *attestation) bool {
		return !slices.Contains(a.subjects, strings.ToLower(c.params["subject_digest"]))
	})
	slices.Reverse(all)
	out := []obj{}
	for _, a := range all {
		out = append(out, obj{"bundle": a.bundle, "repository_id": c.repo.id, "bundle_url": ""})
	}
	return ok(obj{"attestations": out})
}
