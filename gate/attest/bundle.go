package attest

import (
	"encoding/json"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// BundleType is the media type of Sigstore bundles v0.3.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// MessageBundle is the Sigstore bundle of one signed artifact, with a final line
// feed. The same signature always gives the same bytes.
func MessageBundle(s gate.SignedIntent) ([]byte, error) {
	key, err := signedBy(s, gate.IntentSubject)
	if err != nil {
		return nil, err
	}
	b := newBundle(key)
	b.Content = &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
		MessageDigest: &commonpb.HashOutput{
			Algorithm: commonpb.HashAlgorithm_SHA2_256,
			Digest:    s.Intent.Digest[:],
		},
		Signature: s.Signature.Bytes,
	}}
	return encodeBundle(b)
}

// StatementBundle is the Sigstore bundle of a signed statement, with a final line
// feed. The same signature always gives the same bytes.
func StatementBundle(s gate.SignedIntent) ([]byte, error) {
	key, err := signedBy(s, gate.IntentStatement)
	if err != nil {
		return nil, err
	}
	b := newBundle(key)
	b.Content = &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
		Payload:     s.Intent.Payload,
		PayloadType: gate.InTotoType,
		Signatures:  []*dssepb.Signature{{Sig: s.Signature.Bytes, Keyid: key.Hint()}},
	}}
	return encodeBundle(b)
}

func newBundle(key Key) *bundlepb.Bundle {
	return &bundlepb.Bundle{
		MediaType: BundleType,
		VerificationMaterial: &bundlepb.VerificationMaterial{
			Content: &bundlepb.VerificationMaterial_PublicKey{
				PublicKey: &commonpb.PublicKeyIdentifier{Hint: key.Hint()},
			},
		},
	}
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
