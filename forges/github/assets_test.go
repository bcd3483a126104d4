package github_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

const tag = "v1.0.0"

// publishing are the permissions with which an App may put evidence on releases.
func publishing() githubtest.Options {
	all := githubtest.DefaultPermissions()
	all["contents"], all["attestations"] = "write", "write"
	return githubtest.Options{Permissions: all}
}

func evidenceFiles() []gate.PostFile {
	bundle := func(digest string) []byte {
		payload := base64.StdEncoding.EncodeToString([]byte(`{"subject":[{"digest":{"sha256":"` + digest + `"}}]}`))
		return []byte(`{"verificationMaterial":{"certificate":{"rawBytes":"MA=="}},"dsseEnvelope":{"payload":"` + payload + `"}}`)
	}
	return []gate.PostFile{
		{Name: "SHA256SUMS", Content: []byte("sums")},
		{Name: "app (x64).tgz.sig", Content: []byte("signature")},
		{Name: "app.tgz.cert.sigstore.json", Content: []byte(`{"verificationMaterial":{"certificate":{}},"messageSignature":{}}`)},
		{Name: "v1.0.0.vsa.cert.sigstore.json", Content: bundle(strings.Repeat("ab", 32))},
		{Name: "v1.0.0.vsa.sigstore.json", Content: bundle(strings.Repeat("ab", 32))},
		{Name: "v1.0.0.decision.cert.sigstore.json", Content: bundle(strings.Repeat("cd", 32))},
	}
}

func (w *team) publish(target gate.PostTarget, ref string, files ...gate.PostFile) (string, error) {
	w.t.Helper()
	return w.forge.Post(context.Background(), gate.Post{
		ID: "p1", Request: "r1", Key: "r1", Repository: w.id(), Target: target, Ref: ref, Files: files,
	})
}

func (w *team) assetNames() string {
	return strings.Join(slices.Sorted(maps.Keys(w.Assets(w.repo, tag))), " ")
}

func TestAssetsGoOnADraft(t *testing.T) {
	w := newTeam(t, publishing())
	w.SetImmutableReleases(w.repo, true)
	if _, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...); gate.CodeOf(err) != gate.CodeEvidencePlace || gate.KindOf(err) != gate.NotFound {
		t.Errorf("no release yet: expected one that may come, got %v", err)
	}
	w.MakeRelease(w.repo, w.ana, tag, true)
	w.PutAsset(w.repo, w.ana, tag, "SHA256SUMS", []byte("sums"))
	before := w.Requests()
	id, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...)
	if err != nil || id == "" {
		t.Fatalf("got %q, %v", id, err)
	}
	if made := w.Requests() - before; made > 12 { // a token, the tag (its 404 confirmed), drafts, files, five uploads
		t.Errorf("expected at most 12 requests, made %d", made)
	}
	if got := w.assetNames(); got != "SHA256SUMS app.tgz.cert.sigstore.json app.x64..tgz.sig v1.0.0.decision.cert.sigstore.json v1.0.0.vsa.cert.sigstore.json v1.0.0.vsa.sigstore.json" {
		t.Errorf("got %s", got)
	}
	w.PublishRelease(w.repo, w.ana, tag)
	if again, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...); err != nil || again != id {
		t.Errorf("all is there, immutable or not: got %q, %v", again, err)
	}
	_, err = w.publish(gate.PostAssets, "refs/tags/"+tag, append(evidenceFiles(), gate.PostFile{Name: "late", Content: []byte("x")})...)
	if gate.KindOf(err) != gate.Conflict || !strings.Contains(err.Error(), "immutable") || !strings.Contains(err.Error(), "late") {
		t.Errorf("a later file: got %v", err)
	}
}

func TestAssetsOfOthersAreNeverReplaced(t *testing.T) {
	w := newTeam(t, publishing())
	w.MakeRelease(w.repo, w.ana, tag, false)
	w.PutAsset(w.repo, w.ana, tag, "app-x64-.tgz.sig", []byte("another"))
	_, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...)
	if gate.KindOf(err) != gate.Conflict || !strings.Contains(err.Error(), gate.SHA256([]byte("another")).String()) {
		t.Errorf("got %v", err)
	}
	if got := w.assetNames(); got != "app-x64-.tgz.sig" {
		t.Errorf("expected nothing added, got %s", got)
	}
	w.PutAsset(w.repo, w.ana, tag, "app-x64-.tgz.sig", []byte("signature"))
	w.ForgetDigests(w.repo, tag)
	if _, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...); gate.KindOf(err) != gate.Conflict {
		t.Errorf("a file without a digest: got %v", err)
	}
}

func TestPlacesThatTakeNoEvidence(t *testing.T) {
	for name, row := range map[string]struct {
		options githubtest.Options
		target  gate.PostTarget
		ref     string
		files   []gate.PostFile
		make    func(w *team)
		says    string
	}{
		"a branch":                    {options: publishing(), target: gate.PostAssets, ref: "refs/heads/main", says: "refs/heads/main"},
		"no permission for files":     {target: gate.PostAssets, ref: "refs/tags/" + tag, says: "may not write contents"},
		"none for attestations":       {target: gate.PostAttestations, ref: "refs/tags/" + tag, says: "may not write attestations"},
		"two drafts":                  {options: publishing(), target: gate.PostAssets, ref: "refs/tags/" + tag, make: func(w *team) { w.MakeRelease(w.repo, w.ana, tag, true); w.MakeRelease(w.repo, w.ana, tag, true) }, says: "2 drafts"},
		"no bundle by certificate":    {options: publishing(), target: gate.PostAttestations, ref: "refs/tags/" + tag, files: evidenceFiles()[:2], says: "no attestations to upload"},
		"bundles over files, no more": {options: publishing(), target: gate.PostAttestations, ref: "refs/tags/" + tag, files: evidenceFiles()[:3], says: "no attestations to upload"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, row.options)
			if row.make != nil {
				row.make(w)
			}
			files := row.files
			if files == nil {
				files = evidenceFiles()
			}
			_, err := w.publish(row.target, row.ref, files...)
			if gate.CodeOf(err) != gate.CodeEvidencePlace || gate.KindOf(err) != gate.Conflict || !strings.Contains(err.Error(), row.says) {
				t.Errorf("expected a refusal with %q, got %v", row.says, err)
			}
		})
	}
}

// What is given later counts at once: nobody waits for the next look at the installation.
func TestPermissionGivenLater(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.MakeRelease(w.repo, w.ana, tag, true)
	if _, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...); gate.KindOf(err) != gate.Conflict {
		t.Fatalf("got %v", err)
	}
	w.SetPermissions(publishing().Permissions)
	if _, err := w.publish(gate.PostAssets, "refs/tags/"+tag, evidenceFiles()...); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAttestations(t *testing.T) {
	w := newTeam(t, publishing())
	for range 2 {
		if _, err := w.publish(gate.PostAttestations, "refs/tags/"+tag, evidenceFiles()...); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Attestations(w.repo); len(got) != 2 {
		t.Errorf("expected the two statements, each once, got %d: %s", len(got), got)
	}
	_, err := w.publish(gate.PostAttestations, "refs/tags/"+tag, gate.PostFile{Name: "x.cert.sigstore.json", Content: []byte("{")})
	if err == nil {
		t.Error("a broken bundle: expected an error")
	}
}

func TestPublishingMeetsFaults(t *testing.T) {
	for _, row := range []struct {
		target gate.PostTarget
		path   string
		status int
		body   string
		want   gate.Kind
	}{
		{gate.PostAssets, "/releases/tags/", 500, "", gate.Unavailable},
		{gate.PostAssets, "/releases/tags/", 403, "", gate.Refused},
		{gate.PostAssets, "/releases/tags/", 200, `{"id":7`, gate.Unavailable},
		{gate.PostAssets, "/releases/tags/", 200, `{"id":7,"tag_name":"v2","draft":false}`, gate.Unavailable},
		{gate.PostAssets, "/assets", 404, "", gate.NotFound},
		{gate.PostAssets, "/assets", 200, `null`, gate.Unavailable},
		{gate.PostAssets, "/assets", 200, `[{"id":1`, gate.Unavailable},
		{gate.PostAssets, "/api/uploads/", 502, "", gate.Unavailable},
		{gate.PostAssets, "/api/uploads/", 403, "", gate.Refused},
		{gate.PostAssets, "/api/uploads/", 422, "", gate.Internal},
		{gate.PostAssets, "/api/uploads/", 0, "", gate.Unavailable},
		{gate.PostAssets, "/api/uploads/", 201, `{"id":1,"state":"uploaded","digest":"sha256:` + strings.Repeat("00", 32) + `"}`, gate.Unavailable},
		{gate.PostAttestations, "/attestations/", 500, "", gate.Unavailable},
		{gate.PostAttestations, "/attestations/", 200, `{"attestations":[`, gate.Unavailable},
		{gate.PostAttestations, "/attestations", 403, "", gate.Refused},
	} {
		t.Run(fmt.Sprintf("%s %s %d", row.target, row.path, row.status), func(t *testing.T) {
			w := newTeam(t, publishing())
			w.MakeRelease(w.repo, w.ana, tag, false)
			restore := w.Fail(forgetest.Fault{Path: row.path, Status: row.status, Body: row.body})
			if _, err := w.publish(row.target, "refs/tags/"+tag, evidenceFiles()...); gate.KindOf(err) != row.want || err == nil {
				t.Errorf("expected an error of kind %v, got %v", row.want, err)
			}
			restore()
			if _, err := w.publish(row.target, "refs/tags/"+tag, evidenceFiles()...); err != nil {
				t.Errorf("afterwards: got %v", err)
			}
			if row.target == gate.PostAssets && len(w.Assets(w.repo, tag)) != len(evidenceFiles()) {
				t.Errorf("afterwards: got %s", w.assetNames())
			}
		})
	}
}

func TestAssetsAsEverybodySeesThem(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	read := func() gate.Fact[[]gate.Asset] { return w.forge.Assets(t.Context(), w.id(), "refs/tags/"+tag) }
	if f := read(); !f.IsAbsent() {
		t.Errorf("no release: got %+v", f)
	}
	w.MakeRelease(w.repo, w.ana, tag, true)
	w.PutAsset(w.repo, w.ana, tag, "app.tgz", []byte("built"))
	if f := read(); !f.IsAbsent() {
		t.Errorf("a draft: got %+v", f)
	}
	w.PublishRelease(w.repo, w.ana, tag)
	all := known(t, "assets", read())
	if len(all) != 1 || all[0].Name != "app.tgz" || known(t, "digest", all[0].SHA256) != gate.SHA256([]byte("built")) {
		t.Errorf("got %+v", all)
	}
	w.ForgetDigests(w.repo, tag)
	if all := known(t, "assets", read()); !all[0].SHA256.IsUnknown() {
		t.Errorf("an old file: got %+v", all)
	}
	if f := w.forge.Assets(t.Context(), w.id(), "refs/heads/main"); !f.IsAbsent() {
		t.Errorf("a branch: got %+v", f)
	}
	for _, fault := range []forgetest.Fault{{Path: "/releases/", Status: 500}, {Path: "/assets", Status: 200, Body: "null"}, {Path: "/assets", Status: 403}} {
		restore := w.Fail(fault)
		if f := read(); !f.IsUnknown() {
			t.Errorf("%+v: got %+v", fault, f)
		}
		restore()
	}
}
