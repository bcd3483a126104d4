// Package attest writes what a release's signatures are published as: the
// in-toto statement over all subjects, DSSE envelopes, and Sigstore bundles that
// stock tools verify. It is pure: it neither signs nor does I/O.
//
// Formats: in-toto Attestation Framework v1, SLSA Verification Summary
// Attestation v1 (specification 1.2), DSSE v1.0.2, Sigstore bundle v0.3.
//
// Not written yet: transparency log entries and timestamps. A bundle without them
// passes cosign only with --private-infrastructure.
package attest
