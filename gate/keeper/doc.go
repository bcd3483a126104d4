// Package keeper publishes the ledger: it signs checkpoints of what the database holds, has
// witnesses cosign them, and remembers outside the database what was published, so that a
// database that lost entries is found out before anything more is signed.
//
// A ledger that lost published entries for good goes on in a new epoch (another origin, another
// log key), which two administrators sign for.
package keeper
