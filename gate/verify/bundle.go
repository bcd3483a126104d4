package verify

import (
	"errors"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// MaxBundle is the largest bundle that is read, in bytes: a statement over a
// thousand subjects is a tenth of it.
const MaxBundle = 8 << 20

// bundle is what a parsed bundle says. Exactly one of message and envelope is set.
type bundle struct {
	hint     string
	message  *message
	envelope *envelope
	entries  int // transparency log entries
	stamps   int // timestamps
}

type message struct {
	digest    gate.Digest
	signature []byte
}

type envelope struct {
	payloadType string
	payload     []byte
	keyID       string
	signature   []byte
}

// parseBundle reads a Sigstore bundle v0.3 made with a public key. Unknown and
// doubled members, other versions, and certificates are refused.
func parseBundle(text []byte) (bundle, error) {
	if len(text) > MaxBundle {
		return bundle{}, fmt.Errorf("expected at most %d bytes, got %d", MaxBundle, len(text))
	}
	var b bundlepb.Bundle
	if err := protojson.Unmarshal(text, &b); err != nil {
		return bundle{}, fmt.Errorf("expected a Sigstore bundle in JSON: %w", err)
	}
	if b.GetMediaType() != attest.BundleType {
		return bundle{}, fmt.Errorf("expected media type %s, got %q", attest.BundleType, b.GetMediaType())
	}
	material := b.GetVerificationMaterial()
	out := bundle{
		hint:    material.GetPublicKey().GetHint(),
		entries: len(material.GetTlogEntries()),
		stamps:  len(material.GetTimestampVerificationData().GetRfc3161Timestamps()),
	}
	if material.GetPublicKey() == nil {
		return bundle{}, errors.New("expected a bundle made with a public key, got none (certificates are not supported by this version)")
	}
	switch content := b.GetContent().(type) {
	case *bundlepb.Bundle_MessageSignature:
		return out, out.readMessage(content.MessageSignature)
	case *bundlepb.Bundle_DsseEnvelope:
		return out, out.readEnvelope(content)
	default:
		return bundle{}, errors.New("expected a messageSignature or a dsseEnvelope, got neither")
	}
}

func (b *bundle) readMessage(m *commonpb.MessageSignature) error {
	digest := m.GetMessageDigest()
	b.message = &message{signature: m.GetSignature()}
	if digest.GetAlgorithm() != commonpb.HashAlgorithm_SHA2_256 || len(digest.GetDigest()) != len(b.message.digest) {
		return fmt.Errorf("expected a messageDigest of 32 bytes SHA2_256, got %d bytes %s", len(digest.GetDigest()), digest.GetAlgorithm())
	}
	copy(b.message.digest[:], digest.GetDigest())
	return nil
}

func (b *bundle) readEnvelope(content *bundlepb.Bundle_DsseEnvelope) error {
	e := content.DsseEnvelope
	if n := len(e.GetSignatures()); n != 1 {
		return fmt.Errorf("expected exactly one signature on the envelope, got %d", n)
	}
	s := e.GetSignatures()[0]
	b.envelope = &envelope{
		payloadType: e.GetPayloadType(), payload: e.GetPayload(), keyID: s.GetKeyid(), signature: s.GetSig(),
	}
	return nil
}
