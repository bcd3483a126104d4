package canonical_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

const commit = "3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"

func golden(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sum is what coreutils' sha256sum said of a vector.
func sum(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(string(golden(t, "SHA256SUMS"))) {
		if digest, of, _ := strings.Cut(strings.TrimSpace(line), "  "); of == name {
			return digest
		}
	}
	t.Fatalf("SHA256SUMS has no line for %s", name)
	return ""
}

// sorted is a second, independent canonicalisation, right for documents of ASCII
// member names, strings and small integers: Go sorts the keys of maps.
func sorted(t *testing.T, doc []byte) []byte {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func same(t *testing.T, name string, got []byte) {
	t.Helper()
	want := golden(t, name)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if digest := gate.SHA256(got).String(); digest != sum(t, name) {
		t.Errorf("%s: SHA-256 %s, sha256sum said %s", name, digest, sum(t, name))
	}
	if strings.HasSuffix(name, ".json") {
		if diff := cmp.Diff(string(sorted(t, got)), string(got)); diff != "" {
			t.Errorf("%s: second canonicalisation differs (-second +got):\n%s", name, diff)
		}
	}
}

func subjects() []gate.Subject {
	return []gate.Subject{
		{Name: "Übersicht.txt", SHA256: gate.SHA256([]byte("hallo\n"))},
		{Name: "app_linux_amd64.tar.gz", SHA256: gate.SHA256([]byte("linux\n"))},
		{Name: "SBOM/app.spdx.json", SHA256: gate.SHA256([]byte("{}\n"))},
		{Name: "app_darwin_arm64.tar.gz", SHA256: gate.SHA256([]byte("darwin\n"))},
	}
}

func manifest(t *testing.T) gate.Manifest {
	t.Helper()
	m, err := canonical.NewManifest(subjects())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ask(t *testing.T) gate.Ask {
	t.Helper()
	return gate.Ask{
		Server: "sign.example.org", Repository: gate.RepositoryID{Forge: "github", ID: 1296269},
		Ref: "refs/tags/v1.4.0", Commit: commit, Stream: "stable", Manifest: manifest(t),
	}
}

func TestManifestVector(t *testing.T) {
	m := manifest(t)
	same(t, "manifest.sha256sums", m.Bytes())
	back, err := canonical.ParseManifest(m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, back); diff != "" {
		t.Errorf("parsed manifest differs (-want +got):\n%s", diff)
	}
}

func TestAskVector(t *testing.T) {
	b, err := canonical.AskBytes(ask(t))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "ask.json", b)
	hash, err := canonical.AskHash(ask(t))
	if err != nil || hash.String() != sum(t, "ask.json") {
		t.Errorf("ask hash %s, %v; want %s", hash, err, sum(t, "ask.json"))
	}
	if got, want := canonical.AskAudience("sign.example.org", hash), "countersign:sign.example.org:ask:"+sum(t, "ask.json"); got != want {
		t.Errorf("audience %q, want %q", got, want)
	}
	if got, want := canonical.RequestAudience("sign.example.org", "0197"), "countersign:sign.example.org:request:0197"; got != want {
		t.Errorf("audience %q, want %q", got, want)
	}
}

func sources() []gate.PolicySource {
	return []gate.PolicySource{
		{Source: "floor:server", SHA256: gate.SHA256([]byte("floor\n"))},
		{Source: "github:1296269/.countersign.yaml", Commit: commit, SHA256: gate.SHA256([]byte("version: 1\n"))},
	}
}

func TestPolicyVector(t *testing.T) {
	d, err := canonical.PolicyDigest(sources())
	if err != nil || d.String() != sum(t, "policy.json") {
		t.Errorf("policy digest %s, %v; want %s", d, err, sum(t, "policy.json"))
	}
	same(t, "policy.json", sorted(t, golden(t, "policy.json")))
}

func TestProtectionVector(t *testing.T) {
	b, err := canonical.ProtectionSnapshot([]gate.Protection{
		{Ref: "refs/tags/v1.4.0"},
		{
			Ref: "refs/heads/main", Sources: []string{"ruleset:12", "classic"}, Reviews: gate.Known(1),
			ForcePush: gate.Known(false), Deletion: gate.Known(false),
			AdminsEnforced: gate.Absent[bool]("no classic protection"),
			Push:           gate.Known([]string{"bo", "acme/release"}),
			Bypass:         gate.Unknown[[]string]("needs ruleset write"),
			Rules:          []string{"required_signatures", "pull_request"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "protection.json", b)
}

func TestRFC8785Vectors(t *testing.T) {
	for _, name := range []string{"arrays", "french", "structures", "unicode", "weird"} {
		in, want := golden(t, "rfc8785/"+name+".in.json"), golden(t, "rfc8785/"+name+".out.json")
		got, err := canonical.JSON(json.RawMessage(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
