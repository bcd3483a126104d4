package authority_test

import (
	"encoding/json"
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

// What this authority makes passes, as a whole, for a release: with nothing but the trusted
// root and the repository's name to go by, as certificates allow.
func TestSealedRelease(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	r := sealed(t, w)
	files := fstest.MapFS{}
	for name, content := range r.Artifacts {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for _, f := range r.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Content}
	}
	_, other := stranger.trust(t)
	for name, row := range map[string]struct {
		root []byte
		want verify.Expect
		ok   bool
	}{
		"as it was released": {r.File(t, "trusted_root.json"), verify.Expect{Repository: attesttest.Repository, Server: server}, true},
		"another repository": {r.File(t, "trusted_root.json"), verify.Expect{Repository: "https://github.example/acme/other"}, false},
		"another gate":       {other, verify.Expect{Repository: attesttest.Repository}, false},
		"another server":     {r.File(t, "trusted_root.json"), verify.Expect{Repository: attesttest.Repository, Server: "https://other.example.org"}, false},
	} {
		root, err := verify.ParseRoot(row.root)
		if err != nil {
			t.Fatal(err)
		}
		report := verify.Release(files, verify.Trust{Root: root}, row.want)
		if report.OK() != row.ok {
			out, _ := json.MarshalIndent(report.Result, "", " ")
			t.Errorf("%s: expected %v, got %s", name, row.ok, out)
		}
	}
}
