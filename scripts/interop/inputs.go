package main

// inputs are the files that one verification is given, by path, and what is expected of
// the signer.
type inputs struct {
	folder   string // all of the release
	script   string // a block of the manual
	artifact string // the released file
	proof    string // bundle, envelope or signature over it
	key      string // countersign.pem, allowed signers, or OpenPGP keys
	root     string // trusted_root.json
	hint     string // what the bundle calls the key
	signer   signer
	summary  summary
	kind     string // the statement's predicate type; "" for a blob
	other    string // a bundle of the same shape over something else
	scratch  string // a folder of this verification's own
}
