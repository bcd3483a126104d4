// Package attest writes what a release's signatures are published as: in-toto
// statements over all subjects, DSSE envelopes, Sigstore bundles with their log entries,
// proofs and time-stamps, and the trusted root, all as stock tools verify them. It is
// pure: it neither signs nor does I/O.
//
// Formats: in-toto Attestation Framework v1, SLSA Verification Summary
// Attestation v1 (specification 1.2), DSSE v1.0.2, Sigstore bundle v0.3 and trusted root
// v0.1 (sigstore/protobuf-specs), Rekor v2 log entries, RFC 3161 time-stamps.
package attest
