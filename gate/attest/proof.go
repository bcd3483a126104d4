package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// evidence is what proves the signatures of one release, or of one refusal.
type evidence struct {
	checkpoint  gate.Checkpoint
	proofs      map[int64][]gate.Digest // of inclusion in the checkpoint's tree, by index
	certificate []byte                  // DER; nil for none
}

// newEvidence checks that a checkpoint says what its note says.
func newEvidence(c gate.Checkpoint, proofs map[int64][]gate.Digest, certificate []byte) (evidence, error) {
	text, _, ok := strings.Cut(string(c.Note), "\n\n")
	if !ok || len(c.Note) > ledger.MaxCheckpoint {
		return evidence{}, fmt.Errorf("checkpoint of %s: expected a signed note", c.Origin)
	}
	head, err := ledger.ParseHead(text + "\n")
	if err != nil {
		return evidence{}, err
	}
	if head.Origin != c.Origin || head.Size != c.Size || head.Root != tlog.Hash(c.Root) {
		return evidence{}, fmt.Errorf("checkpoint of %s at %d: its note is of %s at %d", c.Origin, c.Size, head.Origin, head.Size)
	}
	return evidence{checkpoint: c, proofs: proofs, certificate: certificate}, nil
}

// trusted holds the evidence against the trusted root that goes out with it.
func (e evidence) trusted(t Trust) error {
	log, err := t.find(e.checkpoint.Origin, e.checkpoint.LogID)
	if err != nil {
		return err
	}
	if _, _, err := ledger.Open(e.checkpoint.Note, log); err != nil {
		return err
	}
	if e.certificate == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(e.certificate)
	if err != nil {
		return fmt.Errorf("certificate over the release key: expected DER: %w", err)
	}
	for _, a := range t.CAs {
		certs, err := a.Certificates()
		if err != nil {
			return err
		}
		if leaf.CheckSignatureFrom(certs[0]) == nil {
			return nil
		}
	}
	return errors.New("certificate over the release key: the trusted root lists no authority that issued it")
}

// prove joins a signature with its places in the ledger and its time-stamp.
func (e evidence) prove(s gate.SignedIntent, key Key) (proven, error) {
	p := proven{SignedIntent: s, key: key, timestamp: s.Timestamp, entries: map[gate.Variant]*rekorpb.TransparencyLogEntry{}}
	at, err := checkTimestamp(s.Timestamp, s.Signature.Bytes)
	if err != nil {
		return proven{}, fmt.Errorf("signature %s: %w", s.Intent.ID, err)
	}
	want := map[gate.Variant]ledger.Record{
		gate.VariantKey: {Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: key.spki},
	}
	if e.certificate != nil {
		if err := certifies(e.certificate, key, at); err != nil {
			return proven{}, fmt.Errorf("signature %s: %w", s.Intent.ID, err)
		}
		p.certificate = e.certificate
		want[gate.VariantCertificate] = ledger.Record{
			Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: e.certificate, Certificate: true,
		}
	}
	for variant, record := range want {
		entry, err := e.entry(s.Entries, variant, record)
		if err != nil {
			return proven{}, fmt.Errorf("signature %s: %w", s.Intent.ID, err)
		}
		p.entries[variant] = entry
	}
	return p, nil
}

// entry finds the one entry of a variant, and checks that it is in the checkpoint's tree.
func (e evidence) entry(all []gate.LogEntry, variant gate.Variant, record ledger.Record) (*rekorpb.TransparencyLogEntry, error) {
	var found *gate.LogEntry
	for i, x := range all {
		if x.Variant == variant && found != nil {
			return nil, fmt.Errorf("expected one log entry by %s, got two", variant)
		}
		if x.Variant == variant {
			found = &all[i]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("expected a log entry by %s, got none", variant)
	}
	body, err := record.Bytes()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, found.Body) {
		return nil, fmt.Errorf("log entry %d: it is not of this signature", found.Index)
	}
	proof := make(tlog.RecordProof, 0, len(e.proofs[found.Index]))
	hashes := make([][]byte, 0, cap(proof))
	for _, h := range e.proofs[found.Index] {
		proof = append(proof, tlog.Hash(h))
		hashes = append(hashes, h[:])
	}
	root := tlog.Hash(e.checkpoint.Root)
	if found.Index < 0 || found.Index >= e.checkpoint.Size {
		return nil, fmt.Errorf("log entry %d: the checkpoint covers %d entries", found.Index, e.checkpoint.Size)
	}
	if err := tlog.CheckRecord(proof, e.checkpoint.Size, root, found.Index, tlog.RecordHash(body)); err != nil {
		return nil, fmt.Errorf("log entry %d: its inclusion is not proved: %w", found.Index, err)
	}
	return &rekorpb.TransparencyLogEntry{
		LogIndex:          found.Index,
		LogId:             &commonpb.LogId{KeyId: e.checkpoint.LogID},
		KindVersion:       &rekorpb.KindVersion{Kind: ledger.RecordKind, Version: ledger.RecordVersion},
		CanonicalizedBody: body,
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex: found.Index, TreeSize: e.checkpoint.Size, RootHash: e.checkpoint.Root[:], Hashes: hashes,
			Checkpoint: &rekorpb.Checkpoint{Envelope: string(e.checkpoint.Note)},
		},
	}, nil
}

// certifies checks that a certificate is over the very key, and was valid when the signature
// was time-stamped.
func certifies(der []byte, key Key, at time.Time) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("certificate: expected DER: %w", err)
	}
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || !public.Equal(key.public) {
		return fmt.Errorf("certificate: it is not over key %s", key.Hint())
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return fmt.Errorf("certificate: it is valid from %s to %s, the signature's time is %s",
			c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return nil
}
