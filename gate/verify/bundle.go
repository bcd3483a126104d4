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

// Bounds of what a bundle carries, in bytes. What is longer is none of a gate's.
const (
	maxCertificate = 16 << 10
	maxSignature   = 256 // a DER signature on P-256 has at most 72
)

// bundle is what a parsed bundle says. Exactly one of message and envelope is set, and
// exactly one of hint and certificate.
type bundle struct {
	hint        string
	certificate []byte // DER
	message     *message
	envelope    *envelope
	entry       *entry // its place in a log; nil where the bundle has none
	stamp       []byte // DER TimeStampResp; nil where the bundle has none
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

// signature is the one that the bundle is about.
func (b bundle) signature() []byte {
	if b.message != nil {
		return b.message.signature
	}
	return b.envelope.signature
}

// parseBundle reads a Sigstore bundle v0.3 made with a public key or a certificate. Unknown
// and doubled members, other versions, and a second log entry or timestamp are refused:
// whoever reads a bundle must not pass over a part of it.
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
	var out bundle
	if err := out.readMaterial(b.GetVerificationMaterial()); err != nil {
		return bundle{}, err
	}
	var err error
	switch content := b.GetContent().(type) {
	case *bundlepb.Bundle_MessageSignature:
		err = out.readMessage(content.MessageSignature)
	case *bundlepb.Bundle_DsseEnvelope:
		err = out.readEnvelope(content)
	default:
		return bundle{}, errors.New("expected a messageSignature or a dsseEnvelope, got neither")
	}
	if err != nil {
		return bundle{}, err
	}
	if n := len(out.signature()); n == 0 || n > maxSignature {
		return bundle{}, fmt.Errorf("expected a signature of 1 to %d bytes, got %d", maxSignature, n)
	}
	return out, nil
}

func (b *bundle) readMaterial(m *bundlepb.VerificationMaterial) error {
	switch content := m.GetContent().(type) {
	case *bundlepb.VerificationMaterial_PublicKey:
		if b.hint = content.PublicKey.GetHint(); b.hint == "" {
			return errors.New("expected the bundle's public key to have a hint, got none")
		}
	case *bundlepb.VerificationMaterial_Certificate:
		b.certificate = content.Certificate.GetRawBytes()
		if n := len(b.certificate); n == 0 || n > maxCertificate {
			return fmt.Errorf("expected a certificate of 1 to %d bytes, got %d", maxCertificate, n)
		}
	default:
		return errors.New("expected verification material with a publicKey or a certificate, got neither")
	}
	switch entries := m.GetTlogEntries(); len(entries) {
	case 0:
	case 1:
		var err error
		if b.entry, err = readEntry(entries[0]); err != nil {
			return err
		}
	default:
		return fmt.Errorf("expected at most one log entry, got %d", len(entries))
	}
	switch stamps := m.GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) {
	case 0:
	case 1:
		b.stamp = stamps[0].GetSignedTimestamp()
		if n := len(b.stamp); n == 0 || n > maxStamp {
			return fmt.Errorf("expected a timestamp of 1 to %d bytes, got %d", maxStamp, n)
		}
	default:
		return fmt.Errorf("expected at most one timestamp, got %d", len(stamps))
	}
	return nil
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
