package main

import (
	"context"
	"strings"
)

const github = "https://github.com/"

// gh takes bundles with a certificate alone, and of repositories on github.com. Of a bundle
// that does not verify it says no more than whose it is.
func gh() verifier {
	const unverified = `verifying with issuer`
	return verifier{name: "gh 2.95.0", log: true, github: true, cells: map[column]check{
		certDSSE: {ghRun, []refusal{
			{changedArtifact, unverified}, {changedSignature, unverified}, {changedPayload, unverified},
			{noEntry, unverified}, {changedProof, unverified}, {changedCheckpoint, unverified},
			{foreignEntry, unverified}, {otherLog, unverified},
			{changedTimestamp, unverified}, {foreignTimestamp, unverified}, {noTimestamp, unverified}, {noTSA, unverified},
			{otherCA, `no custom verifier found|` + unverified},
			{otherIdentity, unverified}, {otherIssuer, `expected Issuer to be`},
			{otherRepository, `expected SourceRepositoryURI to be`}, {otherKind, `predicate type|no attestations`},
		}},
	}}
}

func ghRun(ctx context.Context, t toolbox, in inputs) (string, error) {
	return t.run(ctx, in.scratch, "", t.gh, "attestation", "verify", in.artifact,
		"--bundle", in.proof, "--custom-trusted-root", in.root, "--predicate-type", in.kind,
		"--repo", strings.TrimPrefix(in.signer.Repository, github),
		"--cert-identity", in.signer.Identity, "--cert-oidc-issuer", in.signer.Issuer)
}
