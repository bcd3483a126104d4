package main

import "context"

func cosign() verifier {
	return verifier{name: "cosign v3.1.3", cells: map[column]check{
		keyBlob: {cosignRun("verify-blob", withKey), append(sigstoreKey(),
			refusal{changedArtifact, `verify signature|digest`},
			refusal{changedBlobSignature, `verify signature`})},
		keyDSSE: {cosignRun("verify-blob-attestation", withKey), append(sigstoreKey(),
			refusal{changedArtifact, `subject|digest`},
			refusal{changedSignature, `verify signature|envelope`},
			refusal{changedPayload, `verify signature|envelope`},
			refusal{otherKind, `predicate type`})},
		certBlob: {cosignRun("verify-blob", withIdentity), append(sigstoreCert(),
			refusal{changedArtifact, `verify signature|digest`},
			refusal{changedBlobSignature, `verify signature`})},
		certDSSE: {cosignRun("verify-blob-attestation", withIdentity), append(sigstoreCert(),
			refusal{changedArtifact, `subject|digest`},
			refusal{changedSignature, `verify signature|envelope`},
			refusal{changedPayload, `verify signature|envelope`},
			refusal{otherKind, `predicate type`})},
	}}
}

// sigstoreKey is what whoever uses sigstore-go refuses of a bundle with a bare key.
func sigstoreKey() []refusal {
	return append(sigstoreLog(), refusal{otherPK, `verify signature|envelope`})
}

// sigstoreCert is what whoever uses sigstore-go refuses of a bundle with a certificate.
func sigstoreCert() []refusal {
	return append(sigstoreLog(),
		refusal{changedTimestamp, `timestamp`}, refusal{foreignTimestamp, `timestamp`},
		refusal{noTimestamp, `timestamp`}, refusal{noTSA, `timestamp`},
		refusal{otherIdentity, `SAN`}, refusal{otherIssuer, `issuer`},
		refusal{otherCA, `certificate`}, refusal{noCT, `SCT|certificate timestamp`})
}

// sigstoreLog is what whoever uses sigstore-go refuses of a log entry.
func sigstoreLog() []refusal {
	return []refusal{
		{noEntry, `log entries`},
		{changedProof, `inclusion`},
		{changedCheckpoint, `checkpoint|note|signature`},
		{changedBody, `entry|inclusion|body`},
		{otherLog, `checkpoint|key|log`},
	}
}

func withKey(in inputs) []string { return []string{"--key", in.key} }

func withIdentity(in inputs) []string {
	return []string{"--certificate-identity", in.signer.Identity, "--certificate-oidc-issuer", in.signer.Issuer}
}

func cosignRun(command string, who func(inputs) []string) func(context.Context, toolbox, inputs) (string, error) {
	return func(ctx context.Context, t toolbox, in inputs) (string, error) {
		args := append([]string{command, "--bundle", in.proof, "--trusted-root", in.root}, who(in)...)
		if in.kind != "" {
			args = append(args, "--type", in.kind)
		}
		return t.run(ctx, in.scratch, "", t.cosign, append(args, in.artifact)...)
	}
}
