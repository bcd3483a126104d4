package attest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/sums"
)

var artifacts = map[string]string{"app.tar.gz": "the archive", "linux/app": "the binary"}

// A bundle's members, spelled as the specification spells them.
func TestBundlesAreOfVersion03(t *testing.T) {
	r := attesttest.New(t, artifacts)
	hint := r.Key.Public.Hint()
	var message struct {
		MediaType            string
		VerificationMaterial struct{ PublicKey struct{ Hint string } }
		MessageSignature     struct {
			MessageDigest struct {
				Algorithm string
				Digest    []byte
			}
			Signature []byte
		}
	}
	decode(t, r.File(t, "app.tar.gz.sigstore.json"), &message)
	sum := sha256.Sum256([]byte(artifacts["app.tar.gz"]))
	switch {
	case message.MediaType != "application/vnd.dev.sigstore.bundle.v0.3+json":
		t.Errorf("mediaType %q", message.MediaType)
	case message.VerificationMaterial.PublicKey.Hint != hint:
		t.Errorf("hint: expected %s, got %v", hint, message.VerificationMaterial)
	case message.MessageSignature.MessageDigest.Algorithm != "SHA2_256" ||
		!bytes.Equal(message.MessageSignature.MessageDigest.Digest, sum[:]):
		t.Errorf("digest: expected SHA2_256 %x, got %+v", sum, message.MessageSignature.MessageDigest)
	case !bytes.Equal(message.MessageSignature.Signature, r.File(t, "app.tar.gz.sig")):
		t.Error("the raw signature is another than the bundle's")
	}

	var statement struct {
		DSSEEnvelope json.RawMessage `json:"dsseEnvelope"`
	}
	decode(t, r.File(t, "v1.4.0.vsa.sigstore.json"), &statement)
	raw := bytes.TrimSuffix(r.File(t, "v1.4.0.vsa.dsse.json"), []byte("\n"))
	if !bytes.Equal(raw, statement.DSSEEnvelope) {
		t.Errorf("raw envelope: expected the bundle's\n%s\ngot\n%s", statement.DSSEEnvelope, raw)
	}
	if !bytes.Contains(raw, []byte(`"keyid":"`+hint+`"`)) {
		t.Errorf("keyid: expected %s in %s", hint, raw)
	}
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// The vector of the DSSE specification (protocol.md, "Test vectors").
func TestPAEIsDSSEs(t *testing.T) {
	got := gate.PAE("http://example.com/HelloWorld", []byte("hello world"))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; string(got) != want {
		t.Errorf("PAE: expected %q, got %q", want, got)
	}
	if got := string(gate.PAE("", nil)); got != "DSSEv1 0  0 " {
		t.Errorf("empty PAE: got %q", got)
	}
}

func TestFilesRefuseWhatDoesNotFitTogether(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	other := attesttest.Sealed(t, map[string]string{"app.tar.gz": "another archive", "linux/app": "the binary"}, attesttest.Options{})
	last := len(r.Signed) - 1
	refuse := func(what string, signed []gate.SignedIntent) {
		t.Helper()
		sealed := clone(r.Sealed)
		sealed.Signed = signed
		if _, err := attest.Files(sealed); err == nil {
			t.Errorf("%s: expected a refusal", what)
		}
	}
	with := func(i int, edit func(*gate.SignedIntent)) []gate.SignedIntent {
		signed := slices.Clone(r.Signed)
		edit(&signed[i])
		return signed
	}
	refuse("nothing", nil)
	refuse("no statement", r.Signed[:last])
	refuse("a signature twice", append(slices.Clone(r.Signed), r.Signed[0]))
	refuse("another release's", other.Signed)
	refuse("a subject signed twice instead of the other", with(1, func(s *gate.SignedIntent) { *s = r.Signed[0] }))
	refuse("a second key", with(0, func(s *gate.SignedIntent) { *s = other.Key.Sign(t, intentBy(r.Signed[0].Intent, other.Key)) }))
	refuse("another digest", with(0, func(s *gate.SignedIntent) { s.Intent.Digest[0] ^= 1 }))
	refuse("a flipped bit", with(0, func(s *gate.SignedIntent) {
		s.Signature.Bytes = bytes.Clone(s.Signature.Bytes)
		s.Signature.Bytes[len(s.Signature.Bytes)-1] ^= 1
	}))
	refuse("a signature of another intent", with(0, func(s *gate.SignedIntent) { s.Signature.Intent = "x" }))
	refuse("another statement under the digest", with(last, func(s *gate.SignedIntent) {
		s.Intent.Payload = append(bytes.Clone(s.Intent.Payload), ' ')
	}))
	refuse("a statement over other subjects", with(last, func(s *gate.SignedIntent) {
		i := s.Intent
		i.Payload = other.Statement
		i.Digest = gate.StatementDigest(i.Payload)
		*s = r.Key.Sign(t, i)
	}))
	refuse("no key", with(0, func(s *gate.SignedIntent) { s.Intent.Key.SPKI = nil }))
	for _, name := range []string{"", "release/1.4"} {
		sealed := clone(r.Sealed)
		sealed.Name = name
		if _, err := attest.Files(sealed); err == nil {
			t.Errorf("release name %q: expected a refusal", name)
		}
	}
}

func intentBy(i gate.Intent, k attesttest.Key) gate.Intent {
	i.Key = k.Version
	return i
}

func TestBundlesRefuseTheOtherKind(t *testing.T) {
	r := attesttest.New(t, artifacts)
	subject := r.Signed[0]
	if _, err := attest.StatementBundle(subject); err == nil {
		t.Error("statement bundle of a subject: expected a refusal")
	}
	if _, err := attest.Envelope(subject); err == nil {
		t.Error("envelope of a subject: expected a refusal")
	}
}

func TestCheckNames(t *testing.T) {
	check := func(names ...string) error {
		var subjects []gate.Subject
		for _, name := range names {
			subjects = append(subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(name))})
		}
		m, err := canonical.NewManifest(subjects)
		if err != nil {
			t.Fatal(err)
		}
		return attest.CheckNames(m, "v1")
	}
	for _, names := range [][]string{
		{"app", "app.txt", "dist/SHA256SUMS"},
		{"v1", "v1.txt", "v1.sbom.sigstore.json"},
		{"v2.vsa.sigstore.json"}, // of another release
		{"v1.approval-0.dsse.json", "v1.approval-x.dsse.json"},
	} {
		if err := check(names...); err != nil {
			t.Errorf("%q: %v", names, err)
		}
	}
	clashes := [][]string{
		{"sha256sums"},
		{"COUNTERSIGN.PEM"},
		{"v1.vsa.dsse.json"},
		{"v1.vsa"},
		{"v1.decision"},
		{"V1.Release"},
		{"v1.refusal.sigstore.json"},
		{"v1.approval-1"},
		{"v1.approval-27.cert.sigstore.json"},
		{"countersign-verdict.pem"},
		{"SHA256SUMS.sshsig"},
		{"app", "app.sig"},
		{"app", "APP.sigstore.json"},
		{"app", "app.cert"},
	}
	for _, name := range append(sums.Names(), "SHA256SUMS", "countersign.pem", "trusted_root.json") {
		clashes = append(clashes, []string{name})
	}
	for _, names := range clashes {
		err := check(names...)
		if gate.CodeOf(err) != gate.CodeSubjects || gate.KindOf(err) != gate.Invalid {
			t.Errorf("%v: expected %s, got %v", names, gate.CodeSubjects, err)
		}
	}
}

// What a release hands out is known by its name, and nothing else is.
func TestReleaseFilesAreKnownByName(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{Formats: []gate.Format{gate.FormatOpenPGP}})
	for _, f := range r.Files {
		_, ofSubject := artifacts[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(f.Name, ".sig"), ".sigstore.json"), ".cert")]
		if attest.IsReleaseFile(f.Name) == ofSubject {
			t.Errorf("%s: of the release: %v", f.Name, !ofSubject)
		}
	}
	for _, name := range []string{
		"", "app", "app.sigstore.json", ".vsa.sigstore.json", "../v1.vsa.sigstore.json", "a/v1.vsa.dsse.json", `a\v1.vsa.dsse.json`,
		".hidden.vsa.dsse.json", "v1.approval-.dsse.json", "v1.approval-01.dsse.json", "v1.sbom.dsse.json", "v1.vsa.json",
	} {
		if attest.IsReleaseFile(name) {
			t.Errorf("%q: expected that it is none", name)
		}
	}
}

func TestReleaseNameIsAFileName(t *testing.T) {
	for ref, want := range map[string]string{
		"refs/tags/v1.4.0":       "v1.4.0",
		"refs/heads/release/1.4": "release-1.4",
	} {
		if got := attest.ReleaseName(ref); got != want {
			t.Errorf("%s: expected %s, got %s", ref, want, got)
		}
	}
}

// SHA256SUMS is what sha256sum writes.
func TestSumsAreSHA256Sums(t *testing.T) {
	r := attesttest.New(t, artifacts)
	var want strings.Builder
	for _, name := range []string{"app.tar.gz", "linux/app"} {
		sum := sha256.Sum256([]byte(artifacts[name]))
		fmt.Fprintf(&want, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	if got := string(r.File(t, "SHA256SUMS")); got != want.String() {
		t.Errorf("SHA256SUMS: expected\n%s\ngot\n%s", want.String(), got)
	}
}
