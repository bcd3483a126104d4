package verify_test

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"
)

// A bundle with any one bit flipped is refused, or says exactly what it said before: its key,
// time, place in the log and everything else. What is not signed, such as the spelling of its
// JSON, may change; what it means may not.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	digest := gate.SHA256([]byte("the archive"))
	for name, v := range w.variants() {
		good := text(t, w.message("the archive", v.certificate))
		want := verify.Artifact(good, v.trust, digest, wanted(v.certificate))
		if !want.OK() {
			t.Fatalf("%s: expected a pass, got %s", name, show(t, want))
		}
		passed := 0
		for i := 0; i < len(good); i += 3 { // every third: base64 has four letters to three bytes
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i * 5 % 8)
			got := verify.Artifact(bad, v.trust, digest, wanted(v.certificate))
			if got.OK() {
				passed++
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: byte %d: expected a refusal or the same, got %s", name, i, show(t, got))
				}
			}
		}
		// Only what nobody signs: padding of base64 and the token's own copy of certificates.
		t.Logf("%s: %d flips in %d bytes changed nothing that counts", name, passed, len(good))
	}
}

// The same below the JSON: in the parts that are DER, proofs and signatures.
func TestFlippedBitsOfParts(t *testing.T) {
	w := newWorld(t)
	digest := gate.SHA256([]byte("the archive"))
	b := w.message("the archive", true)
	trust := w.byCertificate()
	want := verify.Artifact(text(t, b), trust, digest, ours)
	m := b.GetVerificationMaterial()
	parts := map[string][]byte{
		"certificate": m.GetCertificate().GetRawBytes(),
		"timestamp":   m.GetTimestampVerificationData().GetRfc3161Timestamps()[0].GetSignedTimestamp(),
		"signature":   b.GetMessageSignature().GetSignature(),
		"body":        entryOf(b).GetCanonicalizedBody(),
		"root":        proofOf(b).GetRootHash(),
		"log id":      entryOf(b).GetLogId().GetKeyId(),
	}
	unsigned := map[string]bool{"timestamp": true} // it has parts that nobody signs
	for name, part := range parts {
		for i := 0; i < len(part); i += 3 {
			bit := byte(1) << (i * 3 % 8)
			part[i] ^= bit
			got := verify.Artifact(text(t, b), trust, digest, ours)
			part[i] ^= bit
			if got.OK() && (!unsigned[name] || !reflect.DeepEqual(got, want)) {
				t.Errorf("%s, byte %d: expected a refusal, got %s", name, i, show(t, got))
			}
		}
	}
}

// The same of statements: whatever is flipped, the payload that is read is the signed one.
func TestFlippedBitsOfAStatement(t *testing.T) {
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	trust := verify.Trust{Root: rootOf(t, r)}
	good := r.File(t, "v1.4.0.vsa.cert.sigstore.json")
	want := verify.Statement(good, trust, fromAcme)
	if !want.OK() {
		t.Fatalf("expected a pass, got %s", show(t, want))
	}
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(good)
		bad[rapid.IntRange(0, len(bad)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got := verify.Statement(bad, trust, fromAcme); got.OK() && !reflect.DeepEqual(got, want) {
			t.Errorf("expected a refusal or the same, got %+v", got)
		}
	})
}
