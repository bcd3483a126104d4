package verify_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// world is a gate's keys and log in memory, each part of which a test may have otherwise.
type world struct {
	t       testing.TB
	release *ecdsa.PrivateKey
	log     *ecdsa.PrivateKey
	ct      *ecdsa.PrivateKey
	ca      issuer
	tsa     tsa
	leaves  [][]byte
	cert    []byte // the release key's
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, release: newKey(t), log: newKey(t), ct: newKey(t), ca: newIssuer(t, "release root"), tsa: newTSA(t, nil)}
	w.cert = w.ca.listed(t, leafTemplate(t), w.release, w.ct)
	w.fill(5)
	return w
}

// fill puts other entries into the log.
func (w *world) fill(n int) {
	for range n {
		k := newKey(w.t)
		d := gate.SHA256(spki(w.t, k))
		w.leaves = append(w.leaves, w.body(ledger.Record{Digest: d, Signature: signDER(w.t, k, d), Key: spki(w.t, k)}))
	}
}

func (w *world) body(r ledger.Record) []byte {
	w.t.Helper()
	return must[[]byte](w.t)(r.Bytes())
}

// root is the trusted root of the world as it is.
func (w *world) root() *verify.Root {
	w.t.Helper()
	return must[*verify.Root](w.t)(verify.ParseRoot(w.rootJSON()))
}

func (w *world) rootJSON() []byte {
	w.t.Helper()
	since := signedAt.AddDate(-1, 0, 0)
	return must[[]byte](w.t)(attest.TrustedRoot(attest.Trust{
		Logs:   []attest.TrustedLog{{Origin: origin, SPKI: spki(w.t, w.log), Since: since}},
		CAs:    []attest.TrustedAuthority{{Chain: [][]byte{w.ca.cert.Raw}, URI: server, Since: since}},
		CTLogs: []attest.TrustedCT{{Origin: origin, SPKI: spki(w.t, w.ct), Since: since}},
		TSAs:   []attest.TrustedAuthority{w.tsa.trusted()},
	}))
}

func (w *world) key() verify.Key {
	w.t.Helper()
	return must[verify.Key](w.t)(verify.ParseKey(must[attest.Key](w.t)(attest.ParseKey(spki(w.t, w.release))).PEM()))
}

// byKey and byCertificate are what a consumer trusts who looks at either variant.
func (w *world) byKey() verify.Trust {
	return verify.Trust{Root: w.root(), Keys: []verify.Key{w.key()}}
}

func (w *world) byCertificate() verify.Trust { return verify.Trust{Root: w.root()} }

// variants are both ways to make a bundle, and to trust it.
func (w *world) variants() map[string]struct {
	certificate bool
	trust       verify.Trust
} {
	return map[string]struct {
		certificate bool
		trust       verify.Trust
	}{"key": {false, w.byKey()}, "certificate": {true, w.byCertificate()}}
}

var ours = verify.Expect{Repository: repository} //nolint:gochecknoglobals // a constant

// wanted is what to expect of a bundle of either variant over an artifact.
func wanted(certificate bool) verify.Expect {
	if certificate {
		return ours
	}
	return verify.Expect{}
}

// message is the bundle over an artifact.
func (w *world) message(artifact string, certificate bool) *bundlepb.Bundle {
	w.t.Helper()
	digest := gate.SHA256([]byte(artifact))
	signature := signDER(w.t, w.release, digest)
	b := w.material(digest, signature, certificate)
	b.Content = &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
		MessageDigest: &commonpb.HashOutput{Algorithm: commonpb.HashAlgorithm_SHA2_256, Digest: digest[:]},
		Signature:     signature,
	}}
	return b
}

// statement is the bundle over an in-toto statement.
func (w *world) statement(payload []byte, certificate bool) *bundlepb.Bundle {
	w.t.Helper()
	digest := gate.StatementDigest(payload)
	signature := signDER(w.t, w.release, digest)
	b := w.material(digest, signature, certificate)
	s := &dssepb.Signature{Sig: signature}
	if !certificate {
		s.Keyid = w.key().Hint()
	}
	b.Content = &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
		Payload: payload, PayloadType: gate.InTotoType, Signatures: []*dssepb.Signature{s},
	}}
	return b
}

// material enters a signature in the log, stamps it, and writes down both.
func (w *world) material(digest gate.Digest, signature []byte, certificate bool) *bundlepb.Bundle {
	w.t.Helper()
	record := ledger.Record{Digest: digest, Signature: signature, Key: spki(w.t, w.release)}
	m := &bundlepb.VerificationMaterial{}
	if certificate {
		record.Key, record.Certificate = w.cert, true
		m.Content = &bundlepb.VerificationMaterial_Certificate{Certificate: &commonpb.X509Certificate{RawBytes: w.cert}}
	} else {
		m.Content = &bundlepb.VerificationMaterial_PublicKey{PublicKey: &commonpb.PublicKeyIdentifier{Hint: w.key().Hint()}}
	}
	w.leaves = append(w.leaves, w.body(record))
	index := int64(len(w.leaves) - 1)
	w.fill(2)
	m.TlogEntries = []*rekorpb.TransparencyLogEntry{w.entry(index)}
	m.TimestampVerificationData = &bundlepb.TimestampVerificationData{
		Rfc3161Timestamps: []*commonpb.RFC3161SignedTimestamp{{SignedTimestamp: w.tsa.stamp(w.t, signature, signedAt)}},
	}
	return &bundlepb.Bundle{MediaType: attest.BundleType, VerificationMaterial: m}
}

// entry is a leaf's entry in the log as it is now.
func (w *world) entry(index int64) *rekorpb.TransparencyLogEntry {
	w.t.Helper()
	hashes, size := w.hashes(), int64(len(w.leaves))
	root := must[tlog.Hash](w.t)(tlog.TreeHash(size, hashes))
	proof := &rekorpb.InclusionProof{LogIndex: index, RootHash: root[:], TreeSize: size, Checkpoint: &rekorpb.Checkpoint{
		Envelope: string(w.checkpoint(ledger.Head{Origin: origin, Size: size, Root: root})),
	}}
	for _, h := range must[tlog.RecordProof](w.t)(tlog.ProveRecord(size, index, hashes)) {
		proof.Hashes = append(proof.Hashes, slices.Clone(h[:]))
	}
	return &rekorpb.TransparencyLogEntry{
		LogIndex: index, LogId: &commonpb.LogId{KeyId: w.logKey(origin).ID()},
		KindVersion:    &rekorpb.KindVersion{Kind: ledger.RecordKind, Version: ledger.RecordVersion},
		InclusionProof: proof, CanonicalizedBody: w.leaves[index],
	}
}

func (w *world) logKey(origin string) *ledger.LogKey {
	w.t.Helper()
	return must[*ledger.LogKey](w.t)(ledger.NewLogKey(origin, spki(w.t, w.log)))
}

func (w *world) checkpoint(h ledger.Head) []byte {
	w.t.Helper()
	return must[[]byte](w.t)(ledger.Sign(h, w.logKey(h.Origin), func(text []byte) ([]byte, error) {
		return signDER(w.t, w.log, gate.SHA256(text)), nil
	}))
}

// hashes is the whole tree.
func (w *world) hashes() tlog.HashReaderFunc {
	w.t.Helper()
	var all []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = all[x]
		}
		return out, nil
	})
	for i, leaf := range w.leaves {
		all = append(all, must[[]tlog.Hash](w.t)(tlog.StoredHashes(int64(i), leaf, read))...)
	}
	return read
}

func text(t testing.TB, b *bundlepb.Bundle) []byte {
	t.Helper()
	return must[[]byte](t)(protojson.Marshal(b))
}

// expire makes the release key's certificate one that ran out an hour before it signed.
func (w *world) expire() {
	template := leafTemplate(w.t)
	template.NotBefore, template.NotAfter = signedAt.Add(-2*time.Hour), signedAt.Add(-time.Hour)
	w.cert = w.ca.listed(w.t, template, w.release, w.ct)
}

// issue issues the release key's certificate again, otherwise.
func (w *world) issue(edit func(*x509.Certificate)) {
	template := leafTemplate(w.t)
	edit(template)
	w.cert = w.ca.listed(w.t, template, w.release, w.ct)
}
