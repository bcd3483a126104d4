package verify_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"
)

// BenchmarkArtifact verifies one bundle: signature, certificate, timestamp, log entry and
// checkpoint.
func BenchmarkArtifact(b *testing.B) {
	w := newWorld(b)
	digest := gate.SHA256([]byte("the archive"))
	for name, v := range w.variants() {
		bundle := text(b, w.message("the archive", v.certificate))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !verify.Artifact(bundle, v.trust, digest, wanted(v.certificate)).OK() {
					b.Fatal("expected a pass")
				}
			}
		})
	}
}

// BenchmarkRelease verifies a whole release of two artifacts.
func BenchmarkRelease(b *testing.B) {
	r := attesttest.Sealed(b, artifacts, attesttest.Options{})
	files, trust := handedOut(r), verify.Trust{Root: rootOf(b, r)}
	b.ReportAllocs()
	for b.Loop() {
		if !verify.Release(files, trust, fromAcme).OK() {
			b.Fatal("expected a pass")
		}
	}
}
