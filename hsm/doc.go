// Package hsm signs with keys on PKCS#11 tokens. It is the only package of ours that
// needs cgo.
//
// A vendor's module may hang, crash, or return to its caller in a state from which it
// never recovers. So the module lives in worker processes ([RunWorker]), and the
// daemon's half ([Start]) has one answer to everything that goes wrong there: kill
// the worker, start another. A worker signs orders only: 32-byte digests, or short
// messages with an Ed25519 key, under keys that were pinned when it started, each for the
// one purpose that it was pinned with, before a deadline. The daemon's half checks each
// signature under the pinned public key before anybody sees it.
//
// Release keys sign [gate.Order] alone ([Signer.Sign]). The gate's own keys, which make
// the evidence around a release, sign what the gate says ([Signer.Seal]), and no release.
package hsm
