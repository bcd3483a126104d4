package verify_test

import (
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"
)

// FuzzSealed: no bundle passes for what was never signed, whatever it carries.
func FuzzSealed(f *testing.F) {
	w := newWorld(f)
	for _, certificate := range []bool{false, true} {
		f.Add(text(f, w.message("the archive", certificate)))
		f.Add(text(f, w.statement([]byte(`{"_type":"https://in-toto.io/Statement/v1"}`), certificate)))
	}
	forged := gate.SHA256([]byte("never signed"))
	byKey, byCertificate := w.byKey(), w.byCertificate()
	unlogged := byCertificate
	unlogged.AllowUnlogged = true
	f.Fuzz(func(t *testing.T, bundle []byte) {
		for _, trust := range []verify.Trust{byKey, byCertificate, unlogged} {
			if verify.Artifact(bundle, trust, forged, ours).OK() {
				t.Errorf("a bundle passed for an artifact that was never signed: %q", bundle)
			}
			if verify.Statement(bundle, trust, ours).OK() {
				t.Errorf("a bundle passed for a summary that was never signed: %q", bundle)
			}
		}
	})
}

// FuzzRoot: a trusted root that reads can be used, and one that was not written by the gate
// verifies nothing of it.
func FuzzRoot(f *testing.F) {
	w := newWorld(f)
	bundle, digest := text(f, w.message("the archive", true)), gate.SHA256([]byte("the archive"))
	stranger := newWorld(f)
	f.Add(stranger.rootJSON())
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		root, err := verify.ParseRoot(text)
		if err != nil {
			return
		}
		if verify.Artifact(bundle, verify.Trust{Root: root}, digest, ours).OK() {
			t.Errorf("a root that lists nothing of the gate verifies its bundle: %q", text)
		}
	})
}

// FuzzRelease: nothing that is put in place of a statement, of SHA256SUMS or of a raw
// envelope makes a release of what was not released.
func FuzzRelease(f *testing.F) {
	r := attesttest.Sealed(f, artifacts, attesttest.Options{})
	trust := verify.Trust{Root: rootOf(f, r)}
	whole := handedOut(r)
	names := []string{"v1.4.0.vsa.cert.sigstore.json", "v1.4.0.decision.sigstore.json", "v1.4.0.vsa.dsse.json", "SHA256SUMS", "app.zip.sigstore.json"}
	for i, name := range names {
		f.Add(uint8(i), whole[name].Data)
	}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		files := fstest.MapFS{}
		for name, x := range whole {
			files[name] = x
		}
		files[names[int(which)%len(names)]] = &fstest.MapFile{Data: content}
		files["app.zip"] = &fstest.MapFile{Data: []byte("never released")}
		if verify.Release(files, trust, fromAcme).OK() {
			t.Errorf("%s: a release passed with an artifact that is none of it", names[int(which)%len(names)])
		}
	})
}

// FuzzParseRevocation: what people paste as fingerprints and times.
func FuzzParseRevocation(f *testing.F) {
	f.Add("SHA256:FrTfLqNRLbVpH3Y3ZPNGXt+Ro6RFxSqJg4cvhsQOfv0@2026-11-23T00:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := verify.ParseRevocation(s); err == nil && verify.CheckFingerprint(r.Fingerprint) != nil {
			t.Errorf("%q: expected a fingerprint, got %q", s, r.Fingerprint)
		}
	})
}
