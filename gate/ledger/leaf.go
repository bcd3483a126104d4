// Package ledger is the form of what the ledger keeps. A leaf is public and says
// nothing but that something of a kind happened: what happened is a document in the
// database, to which the leaf is bound by a salted commitment.
package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gowebpki/jcs"

	"github.com/countersign/countersign/gate"
)

// Version is the version of the leaf's form.
const Version = 1

// MaxLeaf is the longest leaf in bytes: C2SP tlog-tiles frames entries with 16 bits.
const MaxLeaf = 1<<16 - 1

// SaltSize is the length of a commitment's salt in bytes.
const SaltSize = 32

// Kind is what a leaf attests.
type Kind string

// Kinds. They are public forever: never renamed, never reused. The kinds of signatures are
// those of rows alone where their entry is a [Record], which stands for itself.
const (
	RequestOpened          Kind = "request-opened"
	RequestJoined          Kind = "request-joined"
	Approval               Kind = "approval" // a denial too: the document says which
	Hold                   Kind = "hold"
	Unhold                 Kind = "unhold"
	Withdrawal             Kind = "withdrawal"
	Decision               Kind = "decision"
	Intents                Kind = "intents"   // all of one signing attempt
	Signature              Kind = "signature" // by key
	CertificateSignature   Kind = "certificate-signature"
	VerdictSignature       Kind = "verdict-signature"
	Orphaned               Kind = "orphaned" // the HSM may have signed, and nothing came back
	LateSignatureDiscarded Kind = "late-signature-discarded"
	Failed                 Kind = "failed"
	PolicyAdopted          Kind = "policy-adopted"
	Published              Kind = "published"
	Administrators         Kind = "administrators" // who administers the server from then on
	ServerMode             Kind = "server-mode"    // whether it signs, or only audits
	EpochBegun             Kind = "epoch"          // from then on this origin and log key speak for the ledger
	CertificateIssued      Kind = "certificate"
	TrustedRoot            Kind = "trusted-root"   // what verifiers are told to trust from then on
	AssetMismatch          Kind = "asset-mismatch" // a file at the forge is not the one of that name that was signed
)

// Leaf is one entry, in the order of its canonical members.
type Leaf struct {
	V    int  `json:"v"`
	Kind Kind `json:"kind"`
	// ID is that of the request, approval, intent or adoption it is about; "server" for what
	// concerns the server as a whole.
	ID string `json:"id"`
	// Commitment is [Commit] of the document.
	Commitment gate.Digest `json:"commitment"`
}

// Commit is SHA-256(salt ‖ document). The salt has SaltSize random bytes: without
// it, a document of few possibilities could be guessed from its public leaf.
func Commit(salt, document []byte) gate.Digest {
	h := sha256.New()
	h.Write(salt)
	h.Write(document)
	return gate.Digest(h.Sum(nil))
}

// New is the leaf of a document, in the current version.
func New(kind Kind, id string, salt, document []byte) Leaf {
	return Leaf{V: Version, Kind: kind, ID: id, Commitment: Commit(salt, document)}
}

// Bytes is the leaf's canonical form (RFC 8785): what is hashed and served. It
// refuses a leaf that is incomplete or longer than MaxLeaf.
func (l Leaf) Bytes() ([]byte, error) {
	switch {
	case l.V != Version:
		return nil, fmt.Errorf("ledger leaf %s %q: expected version %d, got %d", l.Kind, l.ID, Version, l.V)
	case l.Kind == "" || l.ID == "":
		return nil, fmt.Errorf("ledger leaf: expected a kind and an id, got %q and %q", l.Kind, l.ID)
	}
	plain, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode ledger leaf %s %q: %w", l.Kind, l.ID, err)
	}
	b, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("canonicalise ledger leaf %s %q: %w", l.Kind, l.ID, err)
	}
	if len(b) > MaxLeaf {
		return nil, fmt.Errorf("ledger leaf %s: expected at most %d bytes, got %d", l.Kind, MaxLeaf, len(b))
	}
	return b, nil
}

// Parse reads a leaf. It accepts only the canonical form, so that a leaf has one
// spelling and one hash.
func Parse(b []byte) (Leaf, error) {
	var l Leaf
	if len(b) > MaxLeaf {
		return Leaf{}, fmt.Errorf("decode ledger leaf: expected at most %d bytes, got %d", MaxLeaf, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Leaf{}, fmt.Errorf("decode ledger leaf: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Leaf{}, errors.New("decode ledger leaf: expected one JSON object, got bytes after it")
	}
	canonical, err := l.Bytes()
	if err != nil {
		return Leaf{}, err
	}
	if !bytes.Equal(canonical, b) {
		return Leaf{}, fmt.Errorf("decode ledger leaf: expected the canonical form %s", canonical)
	}
	return l, nil
}
