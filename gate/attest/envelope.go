package attest

import (
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// envelope is a DSSE envelope with one signature, in its JSON form.
type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     []byte              `json:"payload"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// Envelope is the raw DSSE envelope of a signed statement, as slsa-verifier takes
// it, with a final line feed.
func Envelope(s gate.SignedIntent) ([]byte, error) {
	key, err := signedBy(s, gate.IntentStatement)
	if err != nil {
		return nil, err
	}
	out, err := canonical.JSON(envelope{
		PayloadType: gate.InTotoType,
		Payload:     s.Intent.Payload,
		Signatures:  []envelopeSignature{{KeyID: key.Hint(), Sig: s.Signature.Bytes}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return append(out, '\n'), nil
}

// signedBy checks that s is a whole signature of the given kind before anything is
// written about it, and returns its key. What leaves the gate verifies.
func signedBy(s gate.SignedIntent, kind gate.IntentKind) (Key, error) {
	i := s.Intent
	switch {
	case i.Kind != kind:
		return Key{}, fmt.Errorf("signature %s: expected one over a %s, got %q", i.ID, kind, i.Kind)
	case s.Signature.Intent != i.ID:
		return Key{}, fmt.Errorf("signature %s: it belongs to intent %s", i.ID, s.Signature.Intent)
	case kind == gate.IntentStatement && gate.StatementDigest(i.Payload) != i.Digest:
		return Key{}, fmt.Errorf("signature %s: digest %s is not that of its statement", i.ID, i.Digest)
	}
	key, err := ParseKey(i.Key.SPKI)
	if err != nil {
		return Key{}, fmt.Errorf("signature %s: key %s version %d: %w", i.ID, i.Key.Lineage, i.Key.Version, err)
	}
	if err := key.Verify(i.Digest, s.Signature.Bytes); err != nil {
		return Key{}, fmt.Errorf("signature %s: %w", i.ID, err)
	}
	return key, nil
}
