package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gowebpki/jcs"

	"github.com/countersign/countersign/gate"
)

// Kind and version of a signature's entry, as log clients call them.
const (
	RecordKind    = "hashedrekord"
	RecordVersion = "0.0.2"
)

// keyDetails is the one kind of key that signs releases: P-256 over SHA-256.
const keyDetails = "PKIX_ECDSA_P256_SHA_256"

// Record is the entry of one signature: a hashedrekord 0.0.2 as Rekor v2 has it
// (sigstore/rekor-tiles), so that stock verifiers follow it. Unlike a [Leaf] it stands for
// itself: digest, signature and key are public.
type Record struct {
	Digest    gate.Digest // what was signed
	Signature []byte      // DER ECDSA-Sig-Value
	// Key is a DER SubjectPublicKeyInfo, or, where Certificate is set, a DER certificate.
	Key         []byte
	Certificate bool
}

type recordJSON struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Record recordSpec `json:"hashedRekordV002"`
	} `json:"spec"`
}

type recordSpec struct {
	Data struct {
		Algorithm string `json:"algorithm"`
		Digest    []byte `json:"digest"`
	} `json:"data"`
	Signature struct {
		Content  []byte `json:"content"`
		Verifier struct {
			KeyDetails  string    `json:"keyDetails"`
			PublicKey   *rawBytes `json:"publicKey,omitempty"`
			Certificate *rawBytes `json:"x509Certificate,omitempty"`
		} `json:"verifier"`
	} `json:"signature"`
}

type rawBytes struct {
	RawBytes []byte `json:"rawBytes"`
}

// Bytes is the record's canonical form (RFC 8785): the canonicalizedBody of a bundle, and
// what the leaf hash is over.
func (r Record) Bytes() ([]byte, error) {
	if len(r.Signature) == 0 || len(r.Key) == 0 {
		return nil, errors.New("ledger record: expected a signature and a key, got none")
	}
	var j recordJSON
	j.APIVersion, j.Kind = RecordVersion, RecordKind
	s := &j.Spec.Record
	s.Data.Algorithm, s.Data.Digest = "SHA2_256", r.Digest[:]
	s.Signature.Content, s.Signature.Verifier.KeyDetails = r.Signature, keyDetails
	if r.Certificate {
		s.Signature.Verifier.Certificate = &rawBytes{r.Key}
	} else {
		s.Signature.Verifier.PublicKey = &rawBytes{r.Key}
	}
	plain, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encode ledger record: %w", err)
	}
	b, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("canonicalise ledger record: %w", err)
	}
	if len(b) > MaxLeaf {
		return nil, fmt.Errorf("ledger record: expected at most %d bytes, got %d", MaxLeaf, len(b))
	}
	return b, nil
}

// ParseRecord reads a record. It accepts only the canonical form.
func ParseRecord(b []byte) (Record, error) {
	var j recordJSON
	if len(b) > MaxLeaf {
		return Record{}, fmt.Errorf("decode ledger record: expected at most %d bytes, got %d", MaxLeaf, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Record{}, fmt.Errorf("decode ledger record: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("decode ledger record: expected one JSON object, got bytes after it")
	}
	s := j.Spec.Record
	v := s.Signature.Verifier
	var r Record
	switch {
	case j.Kind != RecordKind || j.APIVersion != RecordVersion:
		return Record{}, fmt.Errorf("decode ledger record: expected %s %s, got %q %q", RecordKind, RecordVersion, j.Kind, j.APIVersion)
	case len(s.Data.Digest) != len(r.Digest):
		return Record{}, fmt.Errorf("decode ledger record: expected a digest of %d bytes, got %d", len(r.Digest), len(s.Data.Digest))
	case (v.PublicKey == nil) == (v.Certificate == nil):
		return Record{}, errors.New("decode ledger record: expected either a public key or a certificate")
	case v.Certificate != nil:
		r.Key, r.Certificate = v.Certificate.RawBytes, true
	default:
		r.Key = v.PublicKey.RawBytes
	}
	copy(r.Digest[:], s.Data.Digest)
	r.Signature = s.Signature.Content
	canonical, err := r.Bytes()
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(canonical, b) {
		return Record{}, fmt.Errorf("decode ledger record: expected the canonical form %.200s", canonical)
	}
	return r, nil
}

// Entry is one entry of the log: a salted commitment, or a signature's record. Exactly one
// of the two is set.
type Entry struct {
	Leaf   *Leaf
	Record *Record
}

// ParseEntry reads an entry of either form.
func ParseEntry(b []byte) (Entry, error) {
	var kind struct {
		APIVersion *string `json:"apiVersion"`
	}
	if len(b) > MaxLeaf {
		return Entry{}, fmt.Errorf("decode ledger entry: expected at most %d bytes, got %d", MaxLeaf, len(b))
	}
	if json.Unmarshal(b, &kind) == nil && kind.APIVersion != nil {
		r, err := ParseRecord(b)
		if err != nil {
			return Entry{}, err
		}
		return Entry{Record: &r}, nil
	}
	l, err := Parse(b)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Leaf: &l}, nil
}
