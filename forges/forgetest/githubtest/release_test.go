package githubtest_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// bundleOver is a bundle as far as GitHub looks into it: a certificate, and a statement about
// one digest.
func bundleOver(digest string) string {
	payload := base64.StdEncoding.EncodeToString([]byte(`{"subject":[{"digest":{"sha256":"` + digest + `"}}]}`))
	return `{"bundle":{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",` +
		`"verificationMaterial":{"certificate":{"rawBytes":"MA=="}},"dsseEnvelope":{"payload":"` + payload + `"}}}`
}

// releaseRows are the endpoints around releases and attestations.
func (x *scenario) releaseRows() []endpointRow {
	x.SetImmutableReleases(x.repo, false)
	x.MakeRelease(x.repo, x.ana, "v1", false)
	x.MakeRelease(x.repo, x.ana, "v2", true)
	x.PutAsset(x.repo, x.ana, "v1", "app.tgz", []byte("built"))
	x.SetPermissions(publishing())
	x.token = x.InstallationToken(x.repo)
	const repo = "/repos/acme/widget"
	list := get[[]struct {
		ID    int64
		Draft bool
	}](x.team, repo+"/releases")
	digest := strings.Repeat("ab", 32)
	upload := "POST " + x.URL() + "/api/uploads" + repo + fmt.Sprintf("/releases/%d/assets?name=", list[0].ID)
	return []endpointRow{
		{request: "GET " + repo + "/releases?per_page=1"},
		{request: "GET " + repo + "/releases/tags/v1"},
		{request: "GET " + repo + "/releases/tags/v2", want: 404},
		{request: fmt.Sprintf("GET %s/releases/%d/assets", repo, list[1].ID)},
		{request: upload + "app.sig", body: "signature", want: 201, kind: "application/octet-stream"},
		{request: upload + "app.sig", body: "signature", want: 422, kind: "application/octet-stream"},
		{request: "POST " + repo + fmt.Sprintf("/releases/%d/assets?name=x", list[0].ID), body: "x", want: 404, kind: "application/octet-stream"},
		{request: "POST " + repo + "/attestations", body: bundleOver(digest), want: 201},
		{request: "POST " + repo + "/attestations", body: `{"bundle":{}}`, want: 422},
		{request: "GET " + repo + "/attestations/sha256:" + digest},
		{request: "GET " + repo + "/attestations/sha256:" + strings.Repeat("cd", 32)},
	}
}

func publishing() map[string]string {
	all := githubtest.DefaultPermissions()
	all["contents"], all["attestations"] = "write", "write"
	return all
}

func TestReleasesAsPeopleSeeThem(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	w.SetImmutableReleases(w.repo, true)
	w.MakeRelease(w.repo, w.ana, "v1", true)
	w.PutAsset(w.repo, w.ana, "v1", "the app (x64).tgz", []byte("built"))
	w.PutAsset(w.repo, w.ana, "v1", "the app (x64).tgz", []byte("built again"))
	w.Settle()
	w.equal("events", strings.Join(names(h.take()), " "), "release.created release.edited release.edited")
	if seen := get[[]any](w, "/repos/acme/widget/releases"); len(seen) != 0 {
		t.Errorf("a draft is for those who may write, got %v", seen)
	}
	w.PublishRelease(w.repo, w.ana, "v1")
	type page struct {
		Immutable bool
		Assets    []struct{ Name, Digest string }
	}
	got := get[page](w, "/repos/acme/widget/releases/tags/v1")
	if !got.Immutable || len(got.Assets) != 1 || got.Assets[0].Name != "the.app.x64..tgz" || !strings.HasPrefix(got.Assets[0].Digest, "sha256:") {
		t.Errorf("got %+v", got)
	}
	w.ForgetDigests(w.repo, "v1")
	if got := get[page](w, "/repos/acme/widget/releases/tags/v1"); got.Assets[0].Digest != "" {
		t.Errorf("an old file: got digest %q", got.Assets[0].Digest)
	}
	defer func() {
		if recover() == nil {
			t.Error("a file for an immutable release: expected a panic")
		}
	}()
	w.PutAsset(w.repo, w.ana, "v1", "more", []byte("x"))
}
