// Package verify checks, offline, what a release gate published: Sigstore bundles
// v0.3 over artifacts and the release's SLSA verification summary, under a public
// key that the caller already trusts.
//
// It is strict where stock tools are lenient: unknown members, a second signature
// or a hint that names another key are failures. It does no I/O.
//
// Not checked by this version: transparency log entries and timestamps. A result
// says so in steps of its own, whose outcome is [NotChecked]. The key is the
// only root of trust: when a signature was made, and whether the key was revoked
// since, is not proved.
package verify
