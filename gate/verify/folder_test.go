package verify_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/sums"
	"github.com/countersign/countersign/gate/verify"
)

// drop removes every file of a base name.
func drop(files fstest.MapFS, base string) {
	for name := range files {
		if strings.HasPrefix(name, base+".") {
			delete(files, name)
		}
	}
}

// swap puts the files of one base name from another release in place of its own.
func swap(files, other fstest.MapFS, base string) {
	drop(files, base)
	for name, f := range other {
		if strings.HasPrefix(name, base+".") {
			files[name] = f
		}
	}
}

// Rows are what somebody may do to a release's folder on its way to a consumer, with what
// the same gate signed for another release, or what another gate did, at hand.
func TestReleaseDeniesWhatWasPutIntoItsFolder(t *testing.T) {
	g := must[*attesttest.Gate](t)(attesttest.NewGate(attesttest.Options{}))
	seal := func(g *attesttest.Gate, archive string) attesttest.SealedRelease {
		return must[attesttest.SealedRelease](t)(g.Seal(map[string]string{"app.tar.gz": archive, "app.zip": "the other archive"}))
	}
	r, second := seal(g, "the archive"), seal(g, "another archive")
	foreign := seal(must[*attesttest.Gate](t)(attesttest.NewGate(attesttest.Options{})), "the archive")
	mine, other, strange := handedOut(r), handedOut(second), handedOut(foreign)
	root := rootOf(t, r)
	for _, row := range []struct {
		what string
		at   []string
		edit func(fstest.MapFS)
	}{
		{"a changed artifact", []string{"artifact app.tar.gz", "file"}, func(f fstest.MapFS) { f["app.tar.gz"] = &fstest.MapFile{Data: []byte("evil")} }},
		{"an artifact of another release with its bundles", []string{"artifact app.tar.gz", "file"}, func(f fstest.MapFS) {
			swap(f, other, "app.tar.gz")
			f["app.tar.gz"] = other["app.tar.gz"]
		}},
		{"an artifact that is not there", []string{"artifact app.zip", "file"}, func(f fstest.MapFS) { delete(f, "app.zip") }},
		{"an artifact that is a folder", []string{"artifact app.zip", "file"}, func(f fstest.MapFS) {
			delete(f, "app.zip")
			f["app.zip/x"] = &fstest.MapFile{}
		}},
		{"another artifact's bundles", []string{"artifact app.tar.gz", "app.tar.gz.cert.sigstore.json", "digest"}, func(f fstest.MapFS) {
			for _, s := range []string{".sigstore.json", ".cert.sigstore.json"} {
				f["app.tar.gz"+s] = f["app.zip"+s]
			}
		}},
		{"an artifact without signatures", []string{"artifact app.tar.gz", "bundle"}, func(f fstest.MapFS) { drop(f, "app.tar.gz") }},
		{"one bundle of two that is bad", []string{"artifact app.tar.gz", "app.tar.gz.sigstore.json", "bundle"}, func(f fstest.MapFS) {
			f["app.tar.gz.sigstore.json"] = &fstest.MapFile{Data: []byte("{}")}
		}},
		{"a bundle by another gate's key", []string{"artifact app.tar.gz", "app.tar.gz.sigstore.json", "timestamp"}, func(f fstest.MapFS) {
			f["app.tar.gz.sigstore.json"] = strange["app.tar.gz.sigstore.json"]
		}},
		{"another artifact's raw signature", []string{"artifact app.tar.gz", "app.tar.gz.sig"}, func(f fstest.MapFS) { f["app.tar.gz.sig"] = f["app.zip.sig"] }},
		{"no decision", []string{"statement decision", "bundle"}, func(f fstest.MapFS) { drop(f, "v1.4.0.decision") }},
		{"no approval", []string{"statement approval-1", "bundle"}, func(f fstest.MapFS) { drop(f, "v1.4.0.approval-1") }},
		{"the decision of another release", []string{"statement decision", "listed"}, func(f fstest.MapFS) { swap(f, other, "v1.4.0.decision") }},
		{"the approval of another release", []string{"statement approval-1", "listed"}, func(f fstest.MapFS) { swap(f, other, "v1.4.0.approval-1") }},
		{"the summary of another release", []string{"statement decision", "listed"}, func(f fstest.MapFS) { swap(f, other, "v1.4.0.vsa") }},
		{"the in-toto release of another release", []string{"statement release", "artifacts"}, func(f fstest.MapFS) { swap(f, other, "v1.4.0.release") }},
		{"another gate's summary", []string{"statement vsa", "v1.4.0.vsa.cert.sigstore.json", "timestamp"}, func(f fstest.MapFS) { swap(f, strange, "v1.4.0.vsa") }},
		{"bundles of two summaries", []string{"statement vsa", "v1.4.0.vsa.sigstore.json", "payload"}, func(f fstest.MapFS) {
			f["v1.4.0.vsa.sigstore.json"] = other["v1.4.0.vsa.sigstore.json"]
		}},
		{"an approval in place of the summary", []string{"statement vsa", "statement"}, func(f fstest.MapFS) {
			for _, s := range []string{".sigstore.json", ".cert.sigstore.json", ".dsse.json"} {
				f["v1.4.0.vsa"+s] = f["v1.4.0.approval-1"+s]
			}
		}},
		{"an artifact's bundle in place of the summary", []string{"statement vsa", "v1.4.0.vsa.cert.sigstore.json", "bundle"}, func(f fstest.MapFS) {
			f["v1.4.0.vsa.cert.sigstore.json"] = f["app.zip.cert.sigstore.json"]
		}},
		{"another statement's raw envelope", []string{"statement vsa", "v1.4.0.vsa.dsse.json", "envelope"}, func(f fstest.MapFS) {
			f["v1.4.0.vsa.dsse.json"] = f["v1.4.0.decision.dsse.json"]
		}},
		{"a raw envelope with a second signature", []string{"statement decision", "v1.4.0.decision.dsse.json", "envelope"}, func(f fstest.MapFS) {
			text := bytes.Replace(f["v1.4.0.decision.dsse.json"].Data, []byte(`"signatures":[`), []byte(`"signatures":[{"sig":"AA=="},`), 1)
			f["v1.4.0.decision.dsse.json"] = &fstest.MapFile{Data: text}
		}},
		{"SHA256SUMS of another release", []string{"SHA256SUMS", "manifest"}, func(f fstest.MapFS) { f["SHA256SUMS"] = other["SHA256SUMS"] }},
		{"SHA256SUMS with a line more", []string{"SHA256SUMS", "manifest"}, func(f fstest.MapFS) {
			more := append(bytes.Clone(f["SHA256SUMS"].Data), []byte(gate.SHA256(nil).String()+"  evil\n")...)
			f["SHA256SUMS"] = &fstest.MapFile{Data: more}
		}},
		{"no statement", []string{"files"}, func(f fstest.MapFS) { drop(f, "v1.4.0.vsa") }},
		{"a second release", []string{"files"}, func(f fstest.MapFS) { f["v1.5.0.vsa.sigstore.json"] = f["v1.4.0.vsa.sigstore.json"] }},
		{"files under another release's name", []string{"files"}, func(f fstest.MapFS) {
			for name, x := range maps.Clone(f) {
				if rest, ok := strings.CutPrefix(name, "v1.4.0."); ok {
					f["v9.9.9."+rest] = x
					delete(f, name)
				}
			}
		}},
		{"a bundle that is too large", []string{"statement vsa", "v1.4.0.vsa.sigstore.json", "file"}, func(f fstest.MapFS) {
			f["v1.4.0.vsa.sigstore.json"] = &fstest.MapFile{Data: bytes.Repeat([]byte(" "), verify.MaxBundle+1)}
		}},
	} {
		t.Run(row.what, func(t *testing.T) {
			files := maps.Clone(mine)
			row.edit(files)
			got := verify.Release(files, verify.Trust{Root: root}, fromAcme)
			if at := failedPath(got.Result); got.OK() || got.Release != nil || !slices.Equal(at, row.at) {
				t.Errorf("expected step %q to fail, got %q:\n%s", row.at, at, show(t, got.Result))
			}
		})
	}
}

// What a verdict key signed about a request that ended denied is no release, also under a
// name that is one's.
func TestRefusalIsNoRelease(t *testing.T) {
	e := newEvil(t)
	files := e.handOut()
	v := e.statements[gate.StatementVSA].object("predicate")
	v["verificationResult"], v["verifiedLevels"] = attest.Failed, []any{attest.Failed}
	e.gate.Release, e.gate.Verdict = e.gate.Verdict, e.gate.Release
	payload := e.payload(gate.StatementVSA)
	s := e.gate.Release.Sign(t, gate.Intent{
		ID: "x", Kind: gate.IntentStatement, Name: gate.StatementVSA, Digest: gate.StatementDigest(payload), Payload: payload, Key: e.gate.Release.Version,
	})
	envelope := must[[]byte](t)(attest.Envelope(s))
	bundle := `{"mediaType":"` + attest.BundleType + `","verificationMaterial":{"publicKey":{"hint":"` + e.gate.Release.Public.Hint() + `"}},"dsseEnvelope":` + string(envelope) + `}`
	drop(files, "v1.4.0.vsa")
	files["v1.4.0.vsa.sigstore.json"] = &fstest.MapFile{Data: []byte(bundle)}
	key := must[verify.Key](t)(verify.ParseKey(e.gate.Verdict.Public.PEM())) // the release's
	got := verify.Release(files, verify.Under(key), verify.Expect{})
	if at := failedPath(got.Result); got.OK() || !slices.Equal(at, []string{"statement vsa", "v1.4.0.vsa.sigstore.json", "key"}) {
		t.Errorf("expected the verdict key to be refused, got %q: %s", at, show(t, got.Result))
	}
}

func TestReleaseWithOneOfItsArtifacts(t *testing.T) {
	r := attesttest.Sealed(t, map[string]string{"linux/app": "for Linux", "darwin/app": "for macOS", "linux/tool": "a tool"}, attesttest.Options{})
	files := handedOut(r)
	files["tool"] = files["linux/tool"] // as a forge serves it, without its folder
	files["tool.sigstore.json"] = files["linux/tool.sigstore.json"]
	trust := verify.Trust{Root: rootOf(t, r)}
	row := func(want bool, names ...string) {
		t.Helper()
		if got := verify.Release(files, trust, fromAcme, names...); got.OK() != want {
			t.Errorf("%q: expected %v, got %s", names, want, show(t, got.Result))
		}
	}
	row(true, "linux/app")
	row(true, "linux/app", "darwin/app")
	row(true, "tool")
	files["elsewhere/tool"] = &fstest.MapFile{Data: []byte("evil")}
	row(false, "elsewhere/tool") // the named file is looked at, not the one in its place
	files["elsewhere/tool"] = files["tool"]
	row(true, "elsewhere/tool")
	row(false, "app")
	row(false, "windows/app")
	row(false, "../linux/app")
	row(false, "SHA256SUMS")
}

// What the release says nothing of is named, and is no failure: it may be the consumer's.
func TestOtherFilesAreNamed(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	files := handedOut(r)
	files["evil.sh"] = &fstest.MapFile{}
	files["v1.4.0.approval-2.sigstore.json"] = files["v1.4.0.approval-1.sigstore.json"]
	got := verify.Release(files, verify.Trust{Root: rootOf(t, r)}, fromAcme)
	last := got.Result.Steps[len(got.Result.Steps)-1]
	if !got.OK() || last.Outcome != verify.NotChecked || !strings.Contains(last.Detail, "evil.sh, v1.4.0.approval-2.sigstore.json") {
		t.Errorf("expected a pass that names the others, got %s", show(t, got.Result))
	}
}

// A release without certificates, as of a private repository, under its key.
func TestReleaseWithoutCertificates(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{NoCertificates: true, Ed25519: true})
	trust := verify.Trust{Root: rootOf(t, r), Pins: []string{r.Key.Public.Hint()}}
	if got := verify.Release(handedOut(r), trust, verify.Expect{}); !got.OK() || got.Release.Signed == nil || got.Release.Log == "" {
		t.Errorf("expected a pass, got %s", show(t, got.Result))
	}
	got := verify.Release(handedOut(r), verify.Trust{Root: rootOf(t, r)}, fromAcme)
	if at := failedPath(got.Result); got.OK() || at[len(at)-1] != "key" {
		t.Errorf("nobody vouches for the key: expected step key to fail, got %q", at)
	}
}

// The other signatures over SHA256SUMS have to be by the release's key, whatever key lies
// beside them.
func TestFormatsOfSums(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	trust := verify.Trust{Root: rootOf(t, r)}
	good := signedSums(t, r, r.Key)
	other := signedSums(t, r, attesttest.NewKey(t))
	for name, f := range good {
		files := handedOut(r)
		maps.Copy(files, good)
		if got := verify.Release(files, trust, fromAcme); !got.OK() {
			t.Fatalf("expected a pass, got %s", show(t, got.Result))
		}
		if name == sums.AllowedSignersName {
			continue // not asked: the key is known
		}
		files[name] = other[name]
		got := verify.Release(files, trust, fromAcme)
		if at := failedPath(got.Result); got.OK() || at[0] != "SHA256SUMS" {
			t.Errorf("%s by another key: expected it to fail, got %q", name, at)
		}
		maps.Copy(files, other)
		if got := verify.Release(files, trust, fromAcme); got.OK() {
			t.Errorf("all by another key: expected a refusal")
		}
		if f == nil {
			t.Errorf("%s is not there", name)
		}
	}
}

func signedSums(t *testing.T, r attesttest.SealedRelease, k attesttest.Key) fstest.MapFS {
	t.Helper()
	const user = "acme-release@gate.example"
	formats := []gate.Format{gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP}
	var signed []gate.SignedIntent
	for i, p := range must[[]sums.Part](t)(sums.Parts(formats, r.Manifest, k.Version, user, r.Gate.At.Add(time.Second))) {
		signed = append(signed, k.Sign(t, gate.Intent{
			ID: string(rune('a' + i)), Kind: gate.IntentSums, Name: string(p.Format), Digest: p.Digest, Payload: p.Payload, Key: k.Version,
		}))
	}
	out := fstest.MapFS{}
	for _, f := range must[[]sums.File](t)(sums.Files(r.Manifest, signed, user)) {
		out[f.Name] = &fstest.MapFile{Data: f.Content}
	}
	return out
}
