package gitlab_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

const releaseTag = "v1.0.0"

func evidenceFiles() []gate.PostFile {
	return []gate.PostFile{
		{Name: "SHA256SUMS", Content: []byte("sums")},
		{Name: "v1.0.0.vsa.sigstore.json", Content: []byte("{}")},
	}
}

func (s *stage) publish(ref string, files ...gate.PostFile) (string, error) {
	s.t.Helper()
	return s.forge.Post(context.Background(), gate.Post{
		ID: "p1", Request: "r1", Key: "r1", Repository: s.id(), Target: gate.PostAssets, Ref: ref, Files: files,
	})
}

func (s *stage) assetNames() string {
	return strings.Join(slices.Sorted(maps.Keys(s.Assets(s.repo, releaseTag))), " ")
}

func TestEvidenceGoesIntoAPackage(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	if _, err := s.publish("refs/tags/"+releaseTag, evidenceFiles()...); gate.CodeOf(err) != gate.CodeEvidencePlace || gate.KindOf(err) != gate.NotFound {
		t.Errorf("no release yet: expected one that may come, got %v", err)
	}
	s.MakeRelease(s.repo, s.ana, releaseTag, false)
	before := s.Requests()
	id, err := s.publish("refs/tags/"+releaseTag, evidenceFiles()...)
	if err != nil || id != releaseTag {
		t.Fatalf("got %q, %v", id, err)
	}
	if made := s.Requests() - before; made > 5 { // packages, files, releaseTag, two links
		t.Errorf("expected at most 5 requests, made %d", made)
	}
	if got := s.assetNames(); got != "SHA256SUMS v1.0.0.vsa.sigstore.json" {
		t.Errorf("got %s", got)
	}
	if again, err := s.publish("refs/tags/"+releaseTag, evidenceFiles()...); err != nil || again != id {
		t.Errorf("all is there: got %q, %v", again, err)
	}
	all, known := s.forge.Assets(t.Context(), s.id(), "refs/tags/"+releaseTag).Get()
	if d, ok := all[0].SHA256.Get(); !known || len(all) != 2 || !ok || d != gate.SHA256([]byte("sums")) {
		t.Errorf("got %+v", all)
	}
}

func TestEvidenceIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		ref   string
		make  func(s *stage)
		files []gate.PostFile
		says  string
	}{
		"a branch": {ref: "refs/heads/main", says: "refs/heads/main"},
		"another file": {make: func(s *stage) {
			_, _ = s.publish("refs/tags/"+releaseTag, gate.PostFile{Name: "SHA256SUMS", Content: []byte("other")})
		}, says: gate.SHA256([]byte("other")).String()},
		"another link":          {make: func(s *stage) { s.LinkAsset(s.repo, releaseTag, "SHA256SUMS", "https://elsewhere.example/x") }, says: "another place"},
		"a name for no package": {files: []gate.PostFile{{Name: "the app (x64).sig", Content: []byte("x")}}, says: "the app (x64).sig"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			s.MakeRelease(s.repo, s.ana, releaseTag, false)
			if row.make != nil {
				row.make(s)
			}
			ref, files := row.ref, row.files
			if ref == "" {
				ref = "refs/tags/" + releaseTag
			}
			if files == nil {
				files = evidenceFiles()
			}
			if _, err := s.publish(ref, files...); gate.CodeOf(err) != gate.CodeEvidencePlace || gate.KindOf(err) != gate.Conflict || !strings.Contains(err.Error(), row.says) {
				t.Errorf("expected a refusal with %q, got %v", row.says, err)
			}
		})
	}
}

func TestAttestationsHaveNoPlaceOnGitLab(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	_, err := s.forge.Post(t.Context(), gate.Post{Repository: s.id(), Target: gate.PostAttestations, Key: "r1"})
	if gate.KindOf(err) != gate.Conflict {
		t.Errorf("got %v", err)
	}
}

func TestEvidenceMeetsFaults(t *testing.T) {
	for _, row := range []struct {
		method, path string
		status       int
		body         string
		want         gate.Kind
	}{
		{"GET", "/packages", 500, "", gate.Unavailable},
		{"GET", "/packages", 403, "", gate.Refused},
		{"GET", "/packages", 200, "null", gate.Unavailable},
		{"PUT", "/packages/generic/", 403, "", gate.Refused},
		{"PUT", "/packages/generic/", 409, "", gate.Unavailable},
		{"PUT", "/packages/generic/", 0, "", gate.Unavailable},
		{"PUT", "/packages/generic/", 201, `{"id":1,"file_sha256":"` + strings.Repeat("00", 32) + `"}`, gate.Unavailable},
		{"GET", "/releases/", 500, "", gate.Unavailable},
		{"GET", "/releases/", 200, `{"tag_name":"v2"}`, gate.Unavailable},
		{"POST", "/assets/links", 422, "", gate.Internal},
		{"POST", "/assets/links", 201, `{}`, gate.Unavailable},
	} {
		t.Run(fmt.Sprintf("%s %s %d", row.method, row.path, row.status), func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			s.MakeRelease(s.repo, s.ana, releaseTag, false)
			restore := s.Fail(forgetest.Fault{Method: row.method, Path: row.path, Status: row.status, Body: row.body})
			if _, err := s.publish("refs/tags/"+releaseTag, evidenceFiles()...); err == nil || gate.KindOf(err) != row.want {
				t.Errorf("expected an error of kind %v, got %v", row.want, err)
			}
			restore()
			if _, err := s.publish("refs/tags/"+releaseTag, evidenceFiles()...); err != nil || s.assetNames() != "SHA256SUMS v1.0.0.vsa.sigstore.json" {
				t.Errorf("afterwards: got %s, %v", s.assetNames(), err)
			}
		})
	}
}

func TestAssetsOfARelease(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	read := func() gate.Fact[[]gate.Asset] { return s.forge.Assets(t.Context(), s.id(), "refs/tags/"+releaseTag) }
	if f := read(); !f.IsAbsent() {
		t.Errorf("no release: got %+v", f)
	}
	s.MakeRelease(s.repo, s.ana, releaseTag, false)
	s.PutAsset(s.repo, s.ana, releaseTag, "app.tgz", []byte("built"))
	s.PutAsset(s.repo, s.ana, releaseTag, "app.tgz", []byte("replaced"))
	s.LinkAsset(s.repo, releaseTag, "docs", "https://elsewhere.example/docs")
	s.LinkAsset(s.repo, releaseTag, "other", strings.Replace(s.APIURL(), "/api/v4", "", 1)+"/api/v4/projects/1/packages/generic/files/v1/app.tgz")
	all, known := read().Get()
	if !known || len(all) != 3 {
		t.Fatalf("got %+v", all)
	}
	if d, ok := all[0].SHA256.Get(); !ok || d != gate.SHA256([]byte("replaced")) {
		t.Errorf("expected the newest file of the name, got %+v", all[0])
	}
	if !all[1].SHA256.IsUnknown() || !all[2].SHA256.IsUnknown() {
		t.Errorf("what lies elsewhere is not known: got %+v", all)
	}
	for _, fault := range []forgetest.Fault{{Path: "/releases/", Status: 500}, {Path: "/package_files", Status: 403}, {Path: "/packages", Status: 200, Body: "null"}} {
		restore := s.Fail(fault)
		if f := read(); !f.IsUnknown() {
			t.Errorf("%+v: got %+v", fault, f)
		}
		restore()
	}
	s.SetRole(s.repo, s.BotUser(), forgetest.RoleNone)
	if f := read(); !f.IsUnknown() {
		t.Errorf("a project that is not shown: got %+v", f)
	}
}
