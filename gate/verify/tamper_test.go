package verify_test

import (
	"crypto/x509"
	"testing"
	"time"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// onlyKey and onlyCertificate say which variant a row is about; the others are about both.
const (
	both = iota
	onlyKey
	onlyCertificate
)

// tampering is one way to deceive a verifier, and the step that must see it.
type tampering struct {
	what    string
	failed  string
	variant int
	// world changes the gate before it signs, bundle what it handed out, and trust what the
	// consumer believes.
	world  func(*world)
	bundle func(*world, *bundlepb.Bundle)
	trust  func(*world, *verify.Trust)
}

func entryOf(b *bundlepb.Bundle) *rekorpb.TransparencyLogEntry {
	return b.GetVerificationMaterial().GetTlogEntries()[0]
}

func proofOf(b *bundlepb.Bundle) *rekorpb.InclusionProof { return entryOf(b).GetInclusionProof() }

func flip(b []byte, i int) { b[(i+len(b))%len(b)] ^= 1 }

func setSignature(b *bundlepb.Bundle, f func([]byte) []byte) {
	m := b.GetMessageSignature()
	m.Signature = f(m.GetSignature())
}

func setStamp(b *bundlepb.Bundle, der []byte) {
	b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()[0].SignedTimestamp = der
}

// proofTampering is about the signature and its place in the log.
func proofTampering() []tampering {
	return []tampering{
		{what: "a flipped bit of the signature", failed: "timestamp", bundle: func(_ *world, b *bundlepb.Bundle) {
			setSignature(b, func(s []byte) []byte { flip(s, -1); return s })
		}},
		{what: "a truncated signature", failed: "timestamp", bundle: func(_ *world, b *bundlepb.Bundle) {
			setSignature(b, func(s []byte) []byte { return s[:len(s)-1] })
		}},
		{what: "a padded signature", failed: "timestamp", bundle: func(_ *world, b *bundlepb.Bundle) {
			setSignature(b, func(s []byte) []byte { return append(s, 0) })
		}},
		{what: "a truncated signature, stamped anew", failed: "signature", variant: onlyKey, bundle: func(w *world, b *bundlepb.Bundle) {
			setSignature(b, func(s []byte) []byte { return s[:len(s)-1] })
			setStamp(b, w.tsa.stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt))
		}},
		{what: "a padded signature, stamped anew", failed: "signature", variant: onlyKey, bundle: func(w *world, b *bundlepb.Bundle) {
			setSignature(b, func(s []byte) []byte { return append(s, 0) })
			setStamp(b, w.tsa.stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt))
		}},
		{what: "another signature of the same key, which is not on record", failed: "log entry", bundle: func(w *world, b *bundlepb.Bundle) {
			digest := gate.Digest(b.GetMessageSignature().GetMessageDigest().GetDigest())
			setSignature(b, func([]byte) []byte { return signDER(w.t, w.release, digest) })
			setStamp(b, w.tsa.stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt))
		}},
		{what: "no log entry", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) { b.GetVerificationMaterial().TlogEntries = nil }},
		{what: "a changed body", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) { flip(entryOf(b).GetCanonicalizedBody(), 60) }},
		{what: "a body in another spelling", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) {
			entryOf(b).CanonicalizedBody = append([]byte(" "), entryOf(b).GetCanonicalizedBody()...)
		}},
		{what: "the proof of another entry", failed: "log entry", bundle: func(w *world, b *bundlepb.Bundle) {
			entryOf(b).InclusionProof = w.entry(1).GetInclusionProof()
			entryOf(b).LogIndex = 1
		}},
		{what: "another entry altogether", failed: "log entry", bundle: func(w *world, b *bundlepb.Bundle) {
			b.GetVerificationMaterial().TlogEntries[0] = w.entry(1)
		}},
		{what: "a changed hash of the proof", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) { flip(proofOf(b).GetHashes()[0], 3) }},
		{what: "a hash too many", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) {
			proofOf(b).Hashes = append(proofOf(b).GetHashes(), make([]byte, tlog.HashSize))
		}},
		{what: "a hash too few", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) {
			proofOf(b).Hashes = proofOf(b).GetHashes()[1:]
		}},
		{what: "a changed root", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) { flip(proofOf(b).GetRootHash(), 0) }},
		{what: "a negative index", failed: "log entry", bundle: func(_ *world, b *bundlepb.Bundle) { entryOf(b).LogIndex, proofOf(b).LogIndex = -1, -1 }},
		{what: "indexes that differ", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) { entryOf(b).LogIndex++ }},
		{what: "two log entries", failed: "bundle", bundle: func(w *world, b *bundlepb.Bundle) {
			m := b.GetVerificationMaterial()
			m.TlogEntries = append(m.GetTlogEntries(), w.entry(1))
		}},
		{what: "another kind of entry", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) { entryOf(b).KindVersion.Kind = "dsse" }},
		{what: "a time that the log says", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) { entryOf(b).IntegratedTime = signedAt.Unix() }},
		{what: "no inclusion proof", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) { entryOf(b).InclusionProof = nil }},
	}
}

// checkpointTampering is about who says that the log is as it is.
func checkpointTampering() []tampering {
	return []tampering{
		{what: "no checkpoint", failed: "checkpoint", bundle: func(_ *world, b *bundlepb.Bundle) { proofOf(b).Checkpoint = nil }},
		{what: "a changed checkpoint", failed: "checkpoint", bundle: func(_ *world, b *bundlepb.Bundle) {
			text := []byte(proofOf(b).GetCheckpoint().GetEnvelope())
			text[len(origin)+1] ^= 1
			proofOf(b).Checkpoint.Envelope = string(text)
		}},
		{what: "a fork: the log's own checkpoint of another tree", failed: "checkpoint", bundle: func(w *world, b *bundlepb.Bundle) {
			head := ledger.Head{Origin: origin, Size: proofOf(b).GetTreeSize(), Root: tlog.Hash{1}}
			proofOf(b).Checkpoint.Envelope = string(w.checkpoint(head))
		}},
		{what: "a checkpoint of another size", failed: "checkpoint", bundle: func(w *world, b *bundlepb.Bundle) {
			w.fill(1)
			proofOf(b).Checkpoint = w.entry(1).GetInclusionProof().GetCheckpoint()
		}},
		{what: "a checkpoint under another origin", failed: "checkpoint", bundle: func(w *world, b *bundlepb.Bundle) {
			head := ledger.Head{Origin: "other.example", Size: proofOf(b).GetTreeSize(), Root: tlog.Hash(proofOf(b).GetRootHash())}
			proofOf(b).Checkpoint.Envelope = string(w.checkpoint(head))
		}},
		{what: "a log that the root does not list", failed: "checkpoint", trust: func(w *world, t *verify.Trust) {
			w.log = newKey(w.t)
			t.Root = w.root()
		}},
		{what: "another log's id", failed: "checkpoint", bundle: func(_ *world, b *bundlepb.Bundle) { flip(entryOf(b).GetLogId().GetKeyId(), 0) }},
		{what: "too few witnesses", failed: "witnesses", trust: func(_ *world, t *verify.Trust) { t.MinWitnesses = 1 }},
	}
}

// stampTampering is about the time.
func stampTampering() []tampering {
	return []tampering{
		{what: "no timestamp", failed: "timestamp", bundle: func(_ *world, b *bundlepb.Bundle) {
			b.GetVerificationMaterial().TimestampVerificationData = nil
		}},
		{what: "a changed timestamp", failed: "timestamp", bundle: func(_ *world, b *bundlepb.Bundle) {
			flip(b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()[0].GetSignedTimestamp(), -1)
		}},
		{what: "a timestamp over another signature", failed: "timestamp", bundle: func(w *world, b *bundlepb.Bundle) {
			setStamp(b, w.tsa.stamp(w.t, []byte("another"), signedAt))
		}},
		{what: "a timestamp by an authority that the root does not list", failed: "timestamp", bundle: func(w *world, b *bundlepb.Bundle) {
			setStamp(b, newTSA(w.t, nil).stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt))
		}},
		{what: "a timestamp from before its authority counts", failed: "timestamp", bundle: func(w *world, b *bundlepb.Bundle) {
			setStamp(b, w.tsa.stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt.AddDate(-2, 0, 0)))
		}},
		{what: "a timestamp from after its certificate's end", failed: "timestamp", bundle: func(w *world, b *bundlepb.Bundle) {
			setStamp(b, w.tsa.stamp(w.t, b.GetMessageSignature().GetSignature(), signedAt.AddDate(6, 0, 0)))
		}},
		{what: "two timestamps", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) {
			d := b.GetVerificationMaterial().GetTimestampVerificationData()
			d.Rfc3161Timestamps = append(d.GetRfc3161Timestamps(), d.GetRfc3161Timestamps()...)
		}},
		{what: "an empty timestamp", failed: "bundle", bundle: func(_ *world, b *bundlepb.Bundle) { setStamp(b, nil) }},
		{what: "no timestamp is a proof of time", failed: "certificate", variant: onlyCertificate,
			bundle: func(_ *world, b *bundlepb.Bundle) { b.GetVerificationMaterial().TimestampVerificationData = nil },
			trust:  func(_ *world, t *verify.Trust) { t.AllowUnlogged = true }},
	}
}

// keyTampering is about who signed.
func keyTampering() []tampering {
	return []tampering{
		{what: "a pinned key that is another", failed: "key", trust: func(w *world, t *verify.Trust) {
			w.release = newKey(w.t)
			t.Keys = []verify.Key{w.key()}
		}},
		{what: "a key that nobody vouches for", failed: "key", variant: onlyKey, trust: func(_ *world, t *verify.Trust) { t.Keys = nil }},
		{what: "a changed certificate", failed: "certificate", variant: onlyCertificate, bundle: func(_ *world, b *bundlepb.Bundle) {
			flip(b.GetVerificationMaterial().GetCertificate().GetRawBytes(), -1)
		}},
		{what: "a certificate by another authority", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.cert = newIssuer(w.t, "release root").listed(w.t, leafTemplate(w.t), w.release, w.ct)
		}},
		{what: "a certificate that another key listed", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.cert = w.ca.listed(w.t, leafTemplate(w.t), w.release, newKey(w.t))
		}},
		{what: "a certificate that nobody listed", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.cert = w.ca.issue(w.t, leafTemplate(w.t), w.release)
		}},
		{what: "a certificate that ran out before the timestamp", failed: "certificate", variant: onlyCertificate, world: (*world).expire},
		{what: "a certificate for another purpose", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		}},
		{what: "a certificate for more than one purpose", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.issue(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) })
		}},
		{what: "a certificate of an authority", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.issue(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
		}},
		{what: "a certificate that names nobody", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.issue(func(c *x509.Certificate) { c.ExtraExtensions = nil })
		}},
		{what: "a certificate with a second name", failed: "certificate", variant: onlyCertificate, world: func(w *world) {
			w.issue(func(c *x509.Certificate) { c.DNSNames = []string{"gate.example"} })
		}},
		{what: "the authority's own certificate", failed: "certificate", variant: onlyCertificate, bundle: func(w *world, b *bundlepb.Bundle) {
			b.GetVerificationMaterial().GetCertificate().RawBytes = w.ca.cert.Raw
		}},
		{what: "both hint and certificate of another release", failed: "log entry", variant: onlyCertificate, bundle: func(w *world, b *bundlepb.Bundle) {
			w.issue(func(c *x509.Certificate) { c.SerialNumber.SetInt64(99) })
			b.GetVerificationMaterial().GetCertificate().RawBytes = w.cert
		}},
		{what: "a chain instead of one certificate", failed: "bundle", bundle: func(w *world, b *bundlepb.Bundle) {
			b.GetVerificationMaterial().Content = &bundlepb.VerificationMaterial_X509CertificateChain{
				X509CertificateChain: &commonpb.X509CertificateChain{Certificates: []*commonpb.X509Certificate{{RawBytes: w.cert}}},
			}
		}},
		{what: "a revoked key", failed: "revocation", trust: func(w *world, t *verify.Trust) {
			t.Revoked = []verify.Revocation{{Fingerprint: w.key().Hint()}}
		}},
		{what: "a key revoked before it signed", failed: "revocation", trust: func(w *world, t *verify.Trust) {
			t.Revoked = []verify.Revocation{{Fingerprint: w.key().Hint(), At: signedAt}, {Fingerprint: w.key().Hint(), At: signedAt.AddDate(1, 0, 0)}}
		}},
	}
}

func TestTampering(t *testing.T) {
	rows := append(proofTampering(), checkpointTampering()...)
	rows = append(append(rows, stampTampering()...), keyTampering()...)
	digest := gate.SHA256([]byte("the archive"))
	for _, row := range rows {
		for name, certificate := range map[string]bool{"key": false, "certificate": true} {
			if row.variant == onlyKey && certificate || row.variant == onlyCertificate && !certificate {
				continue
			}
			t.Run(row.what+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				if row.world != nil {
					row.world(w)
				}
				v := w.variants()[name]
				b := w.message("the archive", certificate)
				if row.bundle != nil {
					row.bundle(w, b)
				}
				if row.trust != nil {
					row.trust(w, &v.trust)
				}
				got := verify.Artifact(text(t, b), v.trust, digest, wanted(certificate))
				if got.OK() || got.Outcome != verify.Failed || step(got, row.failed) != verify.Failed {
					t.Errorf("expected step %q to fail, got %s", row.failed, show(t, got))
				}
			})
		}
	}
}

// An expired certificate is good for what a timestamp proves it signed in time.
func TestExpiredCertificateWithTimestamp(t *testing.T) {
	w := newWorld(t)
	bundle := text(t, w.message("the archive", true))
	// Nothing here asks what time it is now: the certificate ends an hour after signedAt.
	if got := verify.Artifact(bundle, w.byCertificate(), gate.SHA256([]byte("the archive")), ours); !got.OK() {
		t.Errorf("expected a pass, got %s", show(t, got))
	}
}

func TestRevokedKeyThatSignedBefore(t *testing.T) {
	w := newWorld(t)
	for name, v := range w.variants() {
		v.trust.Revoked = []verify.Revocation{{Fingerprint: w.key().Hint(), At: signedAt.Add(time.Second)}}
		got := verify.Artifact(text(t, w.message("the archive", v.certificate)), v.trust, gate.SHA256([]byte("the archive")), wanted(v.certificate))
		if !got.OK() || step(got, "revocation") != verify.Passed {
			t.Errorf("%s: expected a pass, got %s", name, show(t, got))
		}
	}
}

// A certificate vouches for a key of some repository; which one, the consumer has to say.
func TestCertificateNeedsARepository(t *testing.T) {
	w := newWorld(t)
	bundle := text(t, w.message("the archive", true))
	digest := gate.SHA256([]byte("the archive"))
	for _, want := range []verify.Expect{{}, {Repository: "https://github.example/acme/other"}, {Repository: "github:1296269"}} {
		if got := verify.Artifact(bundle, w.byCertificate(), digest, want); got.OK() || step(got, "repository") != verify.Failed {
			t.Errorf("%+v: expected step repository to fail, got %s", want, show(t, got))
		}
	}
	pinned := w.byCertificate()
	pinned.Pins = []string{w.key().Hint()}
	if got := verify.Artifact(bundle, pinned, digest, verify.Expect{}); !got.OK() {
		t.Errorf("a pinned key: expected a pass, got %s", show(t, got))
	}
}

// A fingerprint is enough to trust a key that the log entry brings along.
func TestPinnedFingerprint(t *testing.T) {
	w := newWorld(t)
	b := w.message("the archive", false)
	digest := gate.SHA256([]byte("the archive"))
	trust := verify.Trust{Root: w.root(), Pins: []string{w.key().Hint()}}
	if got := verify.Artifact(text(t, b), trust, digest, verify.Expect{}); !got.OK() {
		t.Errorf("expected a pass, got %s", show(t, got))
	}
	k := must[attest.Key](t)(attest.ParseKey(spki(t, newKey(t))))
	trust.Pins = []string{k.Hint()}
	if got := verify.Artifact(text(t, b), trust, digest, verify.Expect{}); got.OK() || step(got, "key") != verify.Failed {
		t.Errorf("another fingerprint: expected step key to fail, got %s", show(t, got))
	}
}

func TestTimesAreHeldAgainstTheTimestamp(t *testing.T) {
	w := newWorld(t)
	bundle, digest := text(t, w.message("the archive", false)), gate.SHA256([]byte("the archive"))
	row := func(want verify.Outcome, e verify.Expect, trust verify.Trust) {
		t.Helper()
		if got := verify.Artifact(bundle, trust, digest, e); step(got, "time") != want {
			t.Errorf("%+v: expected step time %s, got %s", e, want, show(t, got))
		}
	}
	row(verify.Passed, verify.Expect{NotBefore: signedAt, NotAfter: signedAt}, w.byKey())
	row(verify.Failed, verify.Expect{NotBefore: signedAt.Add(time.Second)}, w.byKey())
	row(verify.Failed, verify.Expect{NotAfter: signedAt.Add(-time.Second)}, w.byKey())
	row(verify.Failed, verify.Expect{NotAfter: signedAt}, verify.Under(w.key()))
}
