package main

import (
	"context"
	"slices"
)

// npmVerify is @sigstore/verify, which npm verifies provenance with.
func npmVerify() verifier { return npm("@sigstore/verify 4.1.3", "@sigstore/verify") }

// npmSigstore is the library above it, which adds where the trusted root comes from. It is
// asked for the same, with fewer changed copies.
func npmSigstore() verifier {
	v := npm("sigstore 5.0.1 (npm)", "sigstore")
	for c, check := range v.cells {
		check.refuses = slices.DeleteFunc(check.refuses, func(r refusal) bool {
			return !slices.Contains([]string{
				changedArtifact.name, changedSignature.name, foreignEntry.name, changedTimestamp.name,
				otherKey.name, otherIdentity.name, otherLog.name,
			}, r.name)
		})
		v.cells[c] = check
	}
	return v
}

func npm(name, library string) verifier {
	common := []refusal{
		{noEntry, `TLOG_ERROR`},
		{changedProof, `TLOG_INCLUSION_PROOF_ERROR`},
		{changedCheckpoint, `TLOG_INCLUSION_PROOF_ERROR`},
		{changedBody, `TLOG_`},
		{foreignEntry, `TLOG_BODY_ERROR`},
		{otherLog, `TLOG_`},
		{changedTimestamp, `TIMESTAMP_ERROR`},
		{foreignTimestamp, `TIMESTAMP_ERROR`},
		{noTimestamp, `TIMESTAMP_ERROR`},
		{noTSA, `TIMESTAMP_ERROR`},
	}
	keyed := join(common, []refusal{{otherKey, `SIGNATURE_ERROR`}})
	certified := join(common, []refusal{
		{otherIdentity, `UNTRUSTED_SIGNER_ERROR`}, {otherIssuer, `UNTRUSTED_SIGNER_ERROR`},
		{otherCA, `CERTIFICATE_ERROR`}, {noCT, `CERTIFICATE_ERROR`},
	})
	blob := []refusal{{changedArtifact, `SIGNATURE_ERROR`}, {changedBlobSignature, `TIMESTAMP_ERROR|SIGNATURE_ERROR`}}
	dsse := []refusal{
		{changedArtifact, `SUBJECT_ERROR`}, {changedPayload, `TLOG_BODY_ERROR|SIGNATURE_ERROR`},
		{changedSignature, `TIMESTAMP_ERROR|SIGNATURE_ERROR`},
	}
	byKey := npmRun(library, func(in inputs) []string { return []string{in.key, in.hint} })
	byCert := npmRun(library, func(in inputs) []string { return []string{"", "", in.signer.Identity, in.signer.Issuer} })
	return verifier{name: name, log: true, cells: map[column]check{
		keyBlob:  {byKey, join(keyed, blob)},
		keyDSSE:  {byKey, join(keyed, dsse)},
		certBlob: {byCert, join(certified, blob)},
		certDSSE: {byCert, join(certified, dsse)},
	}}
}

func npmRun(library string, who func(inputs) []string) func(context.Context, toolbox, inputs) (string, error) {
	return func(ctx context.Context, t toolbox, in inputs) (string, error) {
		args := append([]string{t.script, library, t.npm, in.proof, in.root, in.artifact}, who(in)...)
		return t.run(ctx, in.scratch, "", "node", args...)
	}
}
