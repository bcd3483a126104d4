// Package hsm signs with keys on PKCS#11 tokens. It is the only package of ours that
// needs cgo.
//
// A vendor's module may hang, crash, or return to its caller in a state from which it
// never recovers. So the module lives in worker processes ([RunWorker]), and the
// daemon's half ([Start]) has one answer to everything that goes wrong there: kill
// the worker, start another. A worker signs orders only: 32-byte digests, under keys
// that were pinned when it started, before a deadline. The daemon's half checks each
// signature under the pinned public key before anybody sees it.
package hsm
