package authority_test

import (
	"crypto/x509"
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// sealed is a whole release whose certificate, time-stamps and trusted root are this
// authority's.
func sealed(t *testing.T, w *world) attesttest.SealedRelease {
	t.Helper()
	g, err := attesttest.NewGate(attesttest.Options{Server: server, At: w.now})
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Seal(map[string]string{"app.tar.gz": "the app", "app.zip": "the app, zipped"})
	if err != nil {
		t.Fatal(err)
	}
	w.epochs = epochs{{Number: 1, Origin: g.Log.Key.Name(), SPKI: g.Log.Key.SPKI(), Begun: w.now}}
	a := w.start(t)
	r.Sealed.Seal.Certificate = certify(t, a, g.Release.Version, g.Identity()).Raw
	for i := range r.Sealed.Signed {
		s := &r.Sealed.Signed[i]
		for n := range s.Entries {
			e := &s.Entries[n]
			record := ledger.Record{Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: s.Intent.Key.SPKI}
			if e.Variant == gate.VariantCertificate {
				record.Key, record.Certificate = r.Sealed.Seal.Certificate, true
			}
			if e.Body, err = record.Bytes(); err != nil {
				t.Fatal(err)
			}
			if e.Index, err = g.Log.Append(e.Body); err != nil {
				t.Fatal(err)
			}
		}
		s.Timestamp, _ = stamp(t, a, s.Signature.Bytes)
		r.Sealed.Seal.Timestamps[s.Intent.ID] = s.Timestamp
	}
	if err := g.Prove(&r.Sealed); err != nil {
		t.Fatal(err)
	}
	if r.Sealed.TrustedRoot, err = a.TrustedRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Files, err = attest.Files(r.Sealed); err != nil {
		t.Fatal(err)
	}
	return r
}

// What this authority makes passes, as a whole, for what a release hands out: attest verifies
// every signature, time-stamp, entry and proof on the way.
func TestSealedRelease(t *testing.T) {
	w := newWorld(t)
	r := sealed(t, w)
	trust, err := attest.ParseTrustedRoot(r.File(t, "trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := trust.CAs[0].Certificates()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(r.Sealed.Seal.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.CheckSignatureFrom(certs[0]); err != nil {
		t.Errorf("expected the release's own trusted root to vouch for its certificate: %v", err)
	}
	verified(t, r)
}

// verified holds the release against the verifier that consumers run.
func verified(t *testing.T, r attesttest.SealedRelease) {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range r.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Content}
	}
	for name, content := range r.Artifacts {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	root, err := verify.ParseRoot(r.File(t, "trusted_root.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := verify.Release(files, verify.Trust{Root: root}, verify.Expect{Repository: attesttest.Repository}); !got.OK() {
		t.Errorf("expected the release to verify by certificate, got %+v", got.Result)
	}
}
