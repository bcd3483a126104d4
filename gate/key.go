package gate

// KeyVersion is one key pair of a lineage, pinned by its public key.
type KeyVersion struct {
	Lineage string `json:"lineage"`
	Version int    `json:"version"`
	SPKI    []byte `json:"spki"` // DER SubjectPublicKeyInfo, RFC 5280
	// Software is true where the token holds keys in software: said in what is signed.
	Software bool `json:"software"`
}

// KeyFacts is what the configuration says of the key that a case would use.
type KeyFacts struct {
	Version KeyVersion
	// Bound reports whether the lineage may be used for the request's repository or owner.
	Bound bool
	// Unfit says why no key of the server may sign now; "" where they may.
	Unfit string
}
