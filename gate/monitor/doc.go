// Package monitor follows a gate's ledger from the outside and says what does not hold. It
// believes nothing that does not hash to a checkpoint signed by the log's key: that the log
// only grew, that each signature verifies under a known key, and that each was on record as
// intended and granted before it was made.
//
// Formats: C2SP tlog-tiles, tlog-checkpoint and tlog-cosignature; RFC 6962 hashes;
// hashedrekord 0.0.2; the entries of GET /v1/log/entries/{index}.
package monitor
