// Package canonical is the one place where things that get hashed become bytes:
// manifests (SHA256SUMS), asks, policy digests and protection snapshots. The forms
// are fixed by golden vectors in testdata; every hashed JSON document is RFC 8785
// (JCS) and carries its version as member "v".
//
// What may stand in such a document (subject names, refs, commits, stream names)
// is checked here too, so that a form that two readers could read differently
// is never hashed.
package canonical
