package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
)

// slsaVerifier takes the VSA's envelope with no bundle around it.
func slsaVerifier() verifier {
	return verifier{name: "slsa-verifier v2.7.1", bare: true, cells: map[column]check{
		keyDSSE: {slsaRun, []refusal{
			{changedArtifact, `expected digest not found`},
			{bareSignature, `verifying envelope`},
			{barePayload, `verifying envelope`},
			{otherKey, `verifying envelope`},
			{otherVerifier, `verifier ID mismatch`},
			{otherResource, `resource URI mismatch`},
		}},
	}}
}

var (
	bareSignature = inBundle("signature", func(d document) error { return d.flip("signatures", 0, "sig") })
	barePayload   = inBundle("statement", func(d document) error { return d.reword("payload") })
)

func slsaRun(ctx context.Context, t toolbox, in inputs) (string, error) {
	b, err := os.ReadFile(in.artifact)
	if err != nil {
		return "", err
	}
	return t.run(ctx, in.scratch, "", t.slsa, "verify-vsa",
		"--subject-digest", fmt.Sprintf("sha256:%x", sha256.Sum256(b)),
		"--attestation-path", in.proof, "--verifier-id", in.summary.Verifier, "--resource-uri", in.summary.Resource,
		"--verified-level", "COUNTERSIGN_APPROVED",
		"--public-key-path", in.key, "--public-key-id", in.hint)
}
