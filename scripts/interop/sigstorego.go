package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// sigstoreGo is the library by itself, asked for all that it can check.
func sigstoreGo() verifier {
	keyed := append(sigstoreKey(), refusal{changedTimestamp, `timestamp`},
		refusal{foreignTimestamp, `timestamp`}, refusal{noTimestamp, `timestamp`}, refusal{noTSA, `timestamp`})
	certified := sigstoreCert()
	blob := []refusal{{changedArtifact, `verify signature|digest`}, {changedBlobSignature, unlogged}}
	dsse := []refusal{
		{changedArtifact, `subject|digest`}, {changedSignature, unlogged},
		{changedPayload, unlogged},
	}
	return verifier{name: "sigstore-go v1.3.0", log: true, cells: map[column]check{
		keyBlob:  {byKey, join(keyed, blob)},
		keyDSSE:  {byKey, join(keyed, dsse)},
		certBlob: {byCertificate, join(certified, blob)},
		certDSSE: {byCertificate, join(certified, dsse)},
	}}
}

func join(a, b []refusal) []refusal { return append(append([]refusal{}, a...), b...) }

func byKey(_ context.Context, _ toolbox, in inputs) (string, error) {
	b, err := os.ReadFile(in.key)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return "", fmt.Errorf("%s: expected PEM", in.key)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", err
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return "", fmt.Errorf("%s: expected an ECDSA key, got %T", in.key, public)
	}
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		v, err := signature.LoadECDSAVerifier(key, crypto.SHA256)
		return always{v}, err
	})
	return sigstoreVerify(in, trusted, verify.WithKey())
}

func byCertificate(_ context.Context, _ toolbox, in inputs) (string, error) {
	id, err := verify.NewShortCertificateIdentity(in.signer.Issuer, "", in.signer.Identity, "")
	if err != nil {
		return "", err
	}
	return sigstoreVerify(in, nil, verify.WithCertificateIdentity(id), verify.WithSignedCertificateTimestamps(1))
}

// always is a key without an end.
type always struct{ signature.Verifier }

func (always) ValidAtTime(time.Time) bool { return true }

func sigstoreVerify(in inputs, keys root.TrustedMaterial, who verify.PolicyOption, more ...verify.VerifierOption) (string, error) {
	trusted, err := root.NewTrustedRootFromPath(in.root)
	if err != nil {
		return "", err
	}
	material := root.TrustedMaterialCollection{trusted}
	if keys != nil {
		material = append(material, keys)
	}
	v, err := verify.NewVerifier(material, append(more, verify.WithTransparencyLog(1), verify.WithSignedTimestamps(1))...)
	if err != nil {
		return "", err
	}
	b, err := bundle.LoadJSONFromPath(in.proof)
	if err != nil {
		return err.Error(), errRefused
	}
	artifact, err := os.Open(in.artifact)
	if err != nil {
		return "", err
	}
	defer func() { _ = artifact.Close() }()
	if _, err := v.Verify(b, verify.NewPolicy(verify.WithArtifact(artifact), who)); err != nil {
		return err.Error(), errRefused
	}
	return "verified", nil
}
