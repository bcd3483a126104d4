// Package witness asks C2SP witnesses (tlog-witness) to cosign the ledger's checkpoints. A
// witness remembers the newest tree that it saw of a log, and cosigns only what extends it:
// who trusts a cosignature knows that the log was not rewritten before it.
package witness
