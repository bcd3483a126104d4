package api

import "time"

// LedgerEntry is what GET /v1/log/entries/{index} tells of one entry of the ledger to those
// who may read what it is about.
type LedgerEntry struct {
	Index int64     `json:"index"` // from 0
	Kind  string    `json:"kind"`  // the leaf's, or what a signature's record is: gate.LedgerEntry
	ID    string    `json:"id"`    // what it is about
	At    time.Time `json:"at"`
	// Request is the request that it belongs to; "" for what concerns a policy or the server.
	Request string `json:"request,omitempty"`
	// Leaf is the entry's very bytes: the leaf's hash in the tree is SHA-256(0x00 ‖ Leaf).
	Leaf []byte `json:"leaf"`
	// Salt and Document open a leaf's commitment, which is SHA-256(Salt ‖ Document). Nothing
	// commits to the document of a signature's record, which has no salt. Both are left out
	// where the document tells of a person what only readers of the repository may see.
	Salt     []byte `json:"salt,omitempty"`
	Document []byte `json:"document,omitempty"`
	// Statement is what a verdict key signed: an in-toto statement that refuses.
	Statement []byte `json:"statement,omitempty"`
	// Evidence are earlier entries that say why there may be a signature; nil where there are
	// none to name.
	Evidence *Evidence `json:"evidence,omitempty"`
}

// Evidence are the indexes of the entries that a signature rests on: the decision that granted
// it, and the intents that were on record before the key was used.
type Evidence struct {
	Decision int64 `json:"decision"`
	Intents  int64 `json:"intents"`
}
