package main

import "context"

func cosign() verifier {
	return verifier{name: "cosign v3.1.3", log: true, cells: map[column]check{
		keyBlob: {cosignRun("verify-blob", withKey), append(sigstoreKey(),
			refusal{changedArtifact, `verify signature|digest`},
			refusal{changedBlobSignature, unlogged})},
		keyDSSE: {cosignRun("verify-blob-attestation", withKey), append(sigstoreKey(),
			refusal{changedArtifact, `subject|digest`},
			refusal{changedSignature, unlogged},
			refusal{changedPayload, unlogged},
			refusal{otherKind, `predicate type`})},
		certBlob: {cosignRun("verify-blob", withIdentity), append(sigstoreCert(),
			refusal{changedArtifact, `verify signature|digest`},
			refusal{changedBlobSignature, unlogged})},
		certDSSE: {cosignRun("verify-blob-attestation", withIdentity), append(sigstoreCert(),
			refusal{changedArtifact, `subject|digest`},
			refusal{changedSignature, unlogged},
			refusal{changedPayload, unlogged},
			refusal{otherKind, `predicate type`})},
	}}
}

// unlogged is what sigstore-go says of a signature, statement or key that was changed: it
// makes the log entry from them anew, whatever the bundle says, and that one is not in the
// log.
const unlogged = `verifying inclusion`

// sigstoreKey is what whoever uses sigstore-go refuses of a bundle with a bare key.
func sigstoreKey() []refusal { return append(sigstoreLog(), refusal{otherKey, unlogged}) }

// sigstoreCert is what whoever uses sigstore-go refuses of a bundle with a certificate.
func sigstoreCert() []refusal {
	return append(sigstoreLog(),
		refusal{changedTimestamp, `timestamp`}, refusal{foreignTimestamp, `timestamp`},
		refusal{noTimestamp, `timestamp`}, refusal{noTSA, `timestamp`},
		refusal{otherIdentity, `SAN`}, refusal{otherIssuer, `issuer`},
		refusal{otherCA, `leaf certificate verification failed`}, refusal{noCT, `SCT|certificate timestamp`})
}

// sigstoreLog is what whoever uses sigstore-go refuses of a log entry.
func sigstoreLog() []refusal {
	return []refusal{
		{noEntry, `log entries`},
		{foreignEntry, unlogged},
		{changedProof, unlogged},
		{changedCheckpoint, `checkpoint|note`},
		{otherLog, `not enough verified log entries`},
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
