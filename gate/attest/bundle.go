package attest

import (
	"encoding/json"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// BundleType is the media type of Sigstore bundles v0.3.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// StatementBundle is the Sigstore bundle of a signed statement, by key and without proof of
// anything but the signature, with a final line feed. What is handed out of a release has
// more in it: see [Files].
func StatementBundle(s gate.SignedIntent) ([]byte, error) {
	key, err := signedBy(s, gate.IntentStatement)
	if err != nil {
		return nil, err
	}
	return proven{SignedIntent: s, key: key}.bundle(gate.VariantKey)
}

// proven is a signature with all that proves it. All of it was checked.
type proven struct {
	gate.SignedIntent

	key         Key
	certificate []byte // DER; nil where there is no certificate variant
	timestamp   []byte // nil only for what was never sealed
	entries     map[gate.Variant]*rekorpb.TransparencyLogEntry
}

// bundle is the signature's Sigstore bundle in one variant, with a final line feed. The same
// evidence always gives the same bytes.
func (p proven) bundle(variant gate.Variant) ([]byte, error) {
	b := &bundlepb.Bundle{MediaType: BundleType, VerificationMaterial: p.material(variant)}
	if p.Intent.Kind == gate.IntentStatement {
		keyID := p.key.Hint()
		if variant == gate.VariantCertificate {
			keyID = "" // cosign would look for a key of that name
		}
		b.Content = &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
			Payload:     p.Intent.Payload,
			PayloadType: gate.InTotoType,
			Signatures:  []*dssepb.Signature{{Sig: p.Signature.Bytes, Keyid: keyID}},
		}}
	} else {
		b.Content = &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
			MessageDigest: &commonpb.HashOutput{Algorithm: commonpb.HashAlgorithm_SHA2_256, Digest: p.Intent.Digest[:]},
			Signature:     p.Signature.Bytes,
		}}
	}
	return encodeBundle(b)
}

func (p proven) material(variant gate.Variant) *bundlepb.VerificationMaterial {
	m := &bundlepb.VerificationMaterial{
		Content: &bundlepb.VerificationMaterial_PublicKey{PublicKey: &commonpb.PublicKeyIdentifier{Hint: p.key.Hint()}},
	}
	if variant == gate.VariantCertificate {
		m.Content = &bundlepb.VerificationMaterial_Certificate{Certificate: &commonpb.X509Certificate{RawBytes: p.certificate}}
	}
	if entry := p.entries[variant]; entry != nil {
		m.TlogEntries = []*rekorpb.TransparencyLogEntry{entry}
	}
	if p.timestamp != nil {
		m.TimestampVerificationData = &bundlepb.TimestampVerificationData{
			Rfc3161Timestamps: []*commonpb.RFC3161SignedTimestamp{{SignedTimestamp: p.timestamp}},
		}
	}
	return m
}

// encodeBundle goes through RFC 8785, because protojson varies its white space on
// purpose from build to build.
func encodeBundle(b *bundlepb.Bundle) ([]byte, error) {
	loose, err := protojson.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	out, err := canonical.JSON(json.RawMessage(loose))
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return append(out, '\n'), nil
}
