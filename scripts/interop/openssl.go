package main

import (
	"context"
	"os"
	"path/filepath"
)

// openSSL checks what is in a bundle by itself: the signature, and the timestamp over it.
func openSSL() verifier {
	const failure = `Verification failure|digital envelope routines|asn1 encoding`
	blob := []refusal{{changedArtifact, failure}, {changedBlobSignature, failure}}
	dsse := []refusal{{changedPayload, failure}, {changedSignature, failure}}
	other := []refusal{{otherKey, failure}}
	return verifier{name: "openssl", sums: pair{"SHA256SUMS.sig", "countersign.pem"}, cells: map[column]check{
		keyBlob:  {opensslBlob(false), join(blob, other)},
		keyDSSE:  {opensslEnvelope(false), join(dsse, other)},
		certBlob: {opensslBlob(true), blob},
		certDSSE: {opensslEnvelope(true), dsse},
		sums:     {opensslRaw, []refusal{{changedArtifact, failure}, {inFile("signature"), failure}, {otherKey, failure}}},
		stamps: {opensslTimestamp, []refusal{
			{changedBlobSignature, `message imprint mismatch`},
			{changedTimestamp, `signature failure|bad signature|verification`},
			{foreignTimestamp, `message imprint mismatch`},
		}},
	}}
}

func opensslVerify(ctx context.Context, t toolbox, in inputs) (string, error) {
	return t.run(ctx, in.scratch, "", "openssl", "dgst", "-sha256", "-verify", in.key, "-signature", in.proof, in.artifact)
}

// opensslRaw takes a signature that is a file.
func opensslRaw(ctx context.Context, t toolbox, in inputs) (string, error) {
	return opensslVerify(ctx, t, in)
}

// opensslBlob takes the signature out of a bundle.
func opensslBlob(certificate bool) func(context.Context, toolbox, inputs) (string, error) {
	return func(ctx context.Context, t toolbox, in inputs) (string, error) {
		d, err := readDocument(in.proof)
		if err != nil {
			return "", err
		}
		sig, err := d.bytes("messageSignature", "signature")
		if err != nil {
			return "", err
		}
		if in, err = unpacked(in, sig, certificate); err != nil {
			return "", err
		}
		return opensslVerify(ctx, t, in)
	}
}

// opensslEnvelope takes signature and statement out of a bundle.
func opensslEnvelope(certificate bool) func(context.Context, toolbox, inputs) (string, error) {
	return func(ctx context.Context, t toolbox, in inputs) (string, error) {
		e, err := readEnvelope(in.proof)
		if err != nil {
			return "", err
		}
		in.artifact = filepath.Join(in.scratch, "pae")
		if err := os.WriteFile(in.artifact, e.pae(), 0o600); err != nil {
			return "", err
		}
		if in, err = unpacked(in, e.signature, certificate); err != nil {
			return "", err
		}
		return opensslVerify(ctx, t, in)
	}
}

// unpacked puts the signature, and if wanted the certificate's key, into files.
func unpacked(in inputs, sig []byte, certificate bool) (inputs, error) {
	if certificate {
		in.key = filepath.Join(in.scratch, "certified.pem")
		if err := keyOf(in.proof, in.key); err != nil {
			return in, err
		}
	}
	in.proof = filepath.Join(in.scratch, "signature")
	return in, os.WriteFile(in.proof, sig, 0o600)
}

// opensslTimestamp checks the timestamp of a blob's bundle with the authority's
// certificates in the trusted root.
func opensslTimestamp(ctx context.Context, t toolbox, in inputs) (string, error) {
	b, err := readDocument(in.proof)
	if err != nil {
		return "", err
	}
	root, err := readDocument(in.root)
	if err != nil {
		return "", err
	}
	files := map[string]struct {
		from document
		at   []any
	}{
		"signature": {b, []any{"messageSignature", "signature"}},
		"token":     {b, timestampAt},
		"leaf":      {root, []any{"timestampAuthorities", 0, "certChain", "certificates", 0, "rawBytes"}},
		"ca":        {root, []any{"timestampAuthorities", 0, "certChain", "certificates", 1, "rawBytes"}},
	}
	path := func(name string) string { return filepath.Join(in.scratch, name) }
	for name, f := range files {
		content, err := f.from.bytes(f.at...)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"leaf", "ca"} {
		if said, err := t.run(ctx, in.scratch, "", "openssl", "x509", "-inform", "der", "-in", path(name), "-out", path(name+".pem")); err != nil {
			return said, err
		}
	}
	return t.run(ctx, in.scratch, "", "openssl", "ts", "-verify", "-data", path("signature"), "-in", path("token"),
		"-CAfile", path("ca.pem"), "-untrusted", path("leaf.pem"))
}
