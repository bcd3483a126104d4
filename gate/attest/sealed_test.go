package attest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/sums"
)

func TestFilesOfASealedRelease(t *testing.T) {
	of := func(base string) []string {
		return []string{base + ".sigstore.json", base + ".cert.sigstore.json"}
	}
	want := []string{"SHA256SUMS", "countersign.pem", "trusted_root.json"}
	for _, name := range []string{"app.tar.gz", "linux/app"} {
		want = append(want, append(of(name), name+".sig")...)
	}
	for _, name := range []string{"vsa", "decision", "approval-1", "release"} {
		want = append(want, append(of("v1.4.0."+name), "v1.4.0."+name+".dsse.json")...)
	}
	for _, ed25519 := range []bool{false, true} {
		r := attesttest.Sealed(t, artifacts, attesttest.Options{Ed25519: ed25519})
		var got []string
		for _, f := range r.Files {
			got = append(got, f.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		again, err := attest.Files(r.Sealed)
		if diff := cmp.Diff(r.Files, again); err != nil || diff != "" {
			t.Errorf("the same release gave other files (%v):\n%s", err, diff)
		}
	}
}

// A release of a private repository has no certificate, and so no such variant.
func TestNoCertificateNoVariant(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{NoCertificates: true})
	for _, f := range r.Files {
		if strings.HasSuffix(f.Name, attest.CertBundleSuffix) {
			t.Errorf("expected no bundle by certificate, got %s", f.Name)
		}
	}
}

// A bundle's evidence, spelled as the specification spells it.
func TestSealedBundles(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	c := r.Sealed.Seal.Checkpoint
	for name, variant := range map[string]gate.Variant{
		"app.tar.gz.sigstore.json": gate.VariantKey, "app.tar.gz.cert.sigstore.json": gate.VariantCertificate,
	} {
		var b struct {
			VerificationMaterial struct {
				PublicKey   *struct{ Hint string }
				Certificate *struct{ RawBytes []byte }
				TlogEntries []map[string]json.RawMessage
				Timestamps  struct {
					Rfc3161 []struct{ SignedTimestamp []byte } `json:"rfc3161Timestamps"`
				} `json:"timestampVerificationData"`
			}
		}
		decode(t, r.File(t, name), &b)
		m := b.VerificationMaterial
		if len(m.TlogEntries) != 1 || len(m.Timestamps.Rfc3161) != 1 {
			t.Fatalf("%s: expected one log entry and one time-stamp, got %d and %d", name, len(m.TlogEntries), len(m.Timestamps.Rfc3161))
		}
		if byKey := variant == gate.VariantKey; (m.PublicKey != nil) != byKey || (m.Certificate != nil) == byKey {
			t.Errorf("%s: expected it by %s alone", name, variant)
		}
		if got := m.Timestamps.Rfc3161[0].SignedTimestamp; !bytes.Equal(got, r.Sealed.Signed[0].Timestamp) {
			t.Errorf("%s: another time-stamp", name)
		}
		checkEntry(t, name, m.TlogEntries[0], r.Sealed.Signed[0].Entries[map[gate.Variant]int{gate.VariantCertificate: 1}[variant]], c)
	}
	envelope := r.File(t, "v1.4.0.vsa.cert.sigstore.json")
	if bytes.Contains(envelope, []byte(`"keyid"`)) {
		t.Error("a bundle by certificate names a key: cosign would look for it")
	}
}

func checkEntry(t *testing.T, name string, entry map[string]json.RawMessage, want gate.LogEntry, c gate.Checkpoint) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(entry))
	if diff := cmp.Diff([]string{"canonicalizedBody", "inclusionProof", "kindVersion", "logId", "logIndex"}, keys); diff != "" {
		t.Errorf("%s: members of the entry (-want +got):\n%s", name, diff)
	}
	var proof struct {
		LogIndex, TreeSize, RootHash string
		Checkpoint                   struct{ Envelope string }
	}
	decode(t, entry["inclusionProof"], &proof)
	var body []byte
	decode(t, entry["canonicalizedBody"], &body)
	if !bytes.Equal(body, want.Body) {
		t.Errorf("%s: body %s, expected %s", name, body, want.Body)
	}
	// protojson spells 64-bit integers as strings.
	if string(entry["logIndex"]) != `"`+proof.LogIndex+`"` || proof.Checkpoint.Envelope != string(c.Note) {
		t.Errorf("%s: expected index %d under the seal's checkpoint, got %s and %+v", name, want.Index, entry["logIndex"], proof)
	}
	if got := string(entry["kindVersion"]); got != `{"kind":"hashedrekord","version":"0.0.2"}` {
		t.Errorf("%s: kind %s", name, got)
	}
}

// clone is a release that a test may change.
func clone(r attest.Release) attest.Release {
	r.Signed = slices.Clone(r.Signed)
	for i := range r.Signed {
		r.Signed[i].Entries = slices.Clone(r.Signed[i].Entries)
	}
	r.Seal.Timestamps = maps.Clone(r.Seal.Timestamps)
	r.Proofs = maps.Clone(r.Proofs)
	return r
}

// Nothing goes out that does not verify.
func TestFilesRefuseBrokenEvidence(t *testing.T) {
	good := attesttest.Sealed(t, artifacts, attesttest.Options{})
	other := attesttest.Sealed(t, artifacts, attesttest.Options{})
	grown := attesttest.Sealed(t, artifacts, attesttest.Options{}).Gate.Log
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	}
	last := len(good.Sealed.Signed) - 1
	id := func(i int) string { return good.Sealed.Signed[i].Intent.ID }
	stamp := func(r *attest.Release, i int, response []byte) {
		r.Signed[i].Timestamp, r.Seal.Timestamps[id(i)] = response, response
	}
	for what, breakIt := range map[string]func(*attest.Release){
		"no seal":             func(r *attest.Release) { r.Seal = gate.Seal{} },
		"no trusted root":     func(r *attest.Release) { r.TrustedRoot = nil },
		"another gate's root": func(r *attest.Release) { r.TrustedRoot = other.Sealed.TrustedRoot },
		"no proof":            func(r *attest.Release) { delete(r.Proofs, r.Signed[0].Entries[0].Index) },
		"a changed proof": func(r *attest.Release) {
			i := r.Signed[0].Entries[0].Index
			r.Proofs[i] = slices.Clone(r.Proofs[i])
			r.Proofs[i][0][0] ^= 1
		},
		"another entry's proof": func(r *attest.Release) {
			r.Proofs[r.Signed[0].Entries[0].Index] = r.Proofs[r.Signed[1].Entries[0].Index]
		},
		"a proof with one hash more": func(r *attest.Release) {
			i := r.Signed[0].Entries[0].Index
			r.Proofs[i] = append(slices.Clone(r.Proofs[i]), gate.Digest{})
		},
		"another index":             func(r *attest.Release) { r.Signed[0].Entries[0].Index++ },
		"an index beyond the tree":  func(r *attest.Release) { r.Signed[0].Entries[0].Index = r.Seal.Checkpoint.Size },
		"a negative index":          func(r *attest.Release) { r.Signed[0].Entries[0].Index = -1 },
		"no entry":                  func(r *attest.Release) { r.Signed[0].Entries = nil },
		"no entry by certificate":   func(r *attest.Release) { r.Signed[0].Entries = r.Signed[0].Entries[:1] },
		"an entry twice":            func(r *attest.Release) { r.Signed[0].Entries[1] = r.Signed[0].Entries[0] },
		"another body":              func(r *attest.Release) { r.Signed[0].Entries[0].Body = r.Signed[1].Entries[0].Body },
		"bodies of swapped variant": func(r *attest.Release) { e := r.Signed[0].Entries; e[0].Body, e[1].Body = e[1].Body, e[0].Body },
		"another root":              func(r *attest.Release) { r.Seal.Checkpoint.Root[0] ^= 1 },
		"another size":              func(r *attest.Release) { r.Seal.Checkpoint.Size++ },
		"another origin":            func(r *attest.Release) { r.Seal.Checkpoint.Origin = "gate.example.net" },
		"another log id":            func(r *attest.Release) { r.Seal.Checkpoint.LogID = flip(r.Seal.Checkpoint.LogID) },
		"another log's checkpoint":  func(r *attest.Release) { r.Seal.Checkpoint = other.Sealed.Seal.Checkpoint },
		"a checkpoint by no log": func(r *attest.Release) {
			r.Seal.Checkpoint.Note = bytes.Replace(r.Seal.Checkpoint.Note, []byte("\n\n"), []byte("\n\nx"), 1)
		},
		"a forked tree's checkpoint": func(r *attest.Release) { r.Seal.Checkpoint = forked(t, good, grown) },
		"another key's certificate":  func(r *attest.Release) { r.Seal.Certificate = other.Sealed.Seal.Certificate },
		"no DER as certificate":      func(r *attest.Release) { r.Seal.Certificate = []byte("certificate") },
		"a certificate of nobody listed": func(r *attest.Release) {
			r.Seal.Certificate = certify(t, other.Gate.CA, good.Gate)
		},
		"a certificate that had run out": func(r *attest.Release) { expired(t, good.Gate, r) },
		"no time-stamp":                  func(r *attest.Release) { stamp(r, 0, nil) },
		"another's time-stamp":           func(r *attest.Release) { stamp(r, 0, r.Signed[1].Timestamp) },
		"a changed time-stamp":           func(r *attest.Release) { stamp(r, 0, flip(r.Signed[0].Timestamp)) },
		"no DER as time-stamp":           func(r *attest.Release) { stamp(r, 0, []byte("now")) },
		"a time-stamp without end":       func(r *attest.Release) { stamp(r, 0, make([]byte, attest.MaxTimestamp+1)) },
		"two time-stamps":                func(r *attest.Release) { r.Seal.Timestamps[id(0)] = r.Signed[1].Timestamp },
		"no time-stamp of the vsa":       func(r *attest.Release) { stamp(r, last, nil) },
		"no decision":                    func(r *attest.Release) { r.Signed = without(r.Signed, gate.StatementDecision) },
		"no approval":                    func(r *attest.Release) { r.Signed = without(r.Signed, "approval-1") },
		"a decision under the vsa":       func(r *attest.Release) { r.Signed[last].Intent.Name = gate.StatementDecision },
		"a statement of another name":    func(r *attest.Release) { r.Signed[last].Intent.Name = "summary" },
		"a refusal in a release":         func(r *attest.Release) { r.Signed[last-1].Intent.Name = attest.StatementRefusal },
		"a file of no format":            func(r *attest.Release) { r.Sums = []attest.File{{Name: "app.exe"}} },
		"a file over another":            func(r *attest.Release) { r.Sums = []attest.File{{Name: attest.KeyName}} },
	} {
		r := clone(good.Sealed)
		breakIt(&r)
		if files, err := attest.Files(r); err == nil {
			t.Errorf("%s: expected a refusal, got %d files", what, len(files))
		}
	}
	if _, err := attest.Files(good.Sealed); err != nil {
		t.Errorf("the release was changed by a test: %v", err)
	}
}

func without(signed []gate.SignedIntent, name string) []gate.SignedIntent {
	return slices.DeleteFunc(slices.Clone(signed), func(s gate.SignedIntent) bool { return s.Intent.Name == name })
}

// forked is a checkpoint by the release's own log key over another tree of that size.
func forked(t *testing.T, r attesttest.SealedRelease, tree *attesttest.Log) gate.Checkpoint {
	t.Helper()
	c := r.Sealed.Seal.Checkpoint
	other, err := tree.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	c.Root = other.Root
	if c.Note, err = r.Gate.Log.Sign(ledger.Head{Origin: c.Origin, Size: c.Size, Root: [32]byte(other.Root)}); err != nil {
		t.Fatal(err)
	}
	return c
}

func certify(t *testing.T, ca attesttest.Authority, g *attesttest.Gate) []byte {
	t.Helper()
	der, err := ca.Certify(g.CT, g.Release, g.Identity(), g.At.Add(-time.Hour), g.At.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// The formats of SHA256SUMS are handed through, after everything else. Their signatures are
// in the ledger, and have no bundles.
func TestSumsFilesAreHandedThrough(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{
		Formats: []gate.Format{gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP},
	})
	var got []string
	for _, f := range r.Files[len(r.Files)-len(r.Sealed.Sums):] {
		got = append(got, f.Name)
	}
	want := sums.Names()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("last files (-want +got):\n%s", diff)
	}
	for _, name := range sums.Names() {
		if !attest.IsReleaseFile(name) {
			t.Errorf("%s: no room is kept for it", name)
		}
	}
}

// expired gives the release a certificate that ended before the signatures were made, with
// all its entries in the log.
func expired(t *testing.T, g *attesttest.Gate, r *attest.Release) {
	t.Helper()
	der, err := g.CA.Certify(g.CT, g.Release, g.Identity(), g.At.Add(-2*time.Hour), g.At.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	r.Seal.Certificate = der
	if err := g.Enter(r); err != nil {
		t.Fatal(err)
	}
}
