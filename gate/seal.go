package gate

import "time"

// Variant is how a log entry, and with it a bundle, names who signed.
type Variant string

// Variants.
const (
	VariantKey         Variant = "key"         // by the bare public key
	VariantCertificate Variant = "certificate" // by a certificate over the same key
)

// LogEntry is a signature's place in the ledger: the very bytes of its leaf.
type LogEntry struct {
	Variant Variant `json:"variant"`
	Index   int64   `json:"index"` // from 0
	Body    []byte  `json:"body"`  // hashedrekord 0.0.2, RFC 8785
}

// Checkpoint is one published checkpoint of the ledger.
type Checkpoint struct {
	Origin string `json:"origin"` // the log's name: a host name
	Size   int64  `json:"size"`   // leaves
	Root   Digest `json:"root"`
	// Note is the signed note (C2SP tlog-checkpoint) with all the cosignatures it has.
	Note []byte `json:"note"`
	// LogID is what bundles call the log: 32 bytes that follow from the key.
	LogID []byte `json:"log_id"`
	// Witnesses are the names of those whose cosignatures were verified.
	Witnesses []string  `json:"witnesses,omitempty"`
	At        time.Time `json:"at"`
}

// Epoch is a span of the ledger's life under one origin and one log key. A ledger that
// lost leaves which were published goes on in a new epoch, or not at all.
type Epoch struct {
	Number int    `json:"number"` // from 1
	Origin string `json:"origin"`
	SPKI   []byte `json:"spki"` // the log key's
	// Document is what administrators signed to begin it, and their signatures; nil for the
	// first.
	Document []byte    `json:"document,omitempty"`
	Begun    time.Time `json:"begun"`
}

// Certificate is one that the gate issued, as it keeps it.
type Certificate struct {
	// Name is what it is for: "ca/<lineage>/<version>", "timestamp/…", or
	// "release/<lineage>/<version>/<identity>". The newest valid one of a name is used.
	Name      string    `json:"name"`
	DER       []byte    `json:"der"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// Identity is whom a release key's certificate names: the file that says what may be
// signed, never a workflow.
type Identity struct {
	Issuer     string // the gate's public URL
	PolicyURI  string // https://forge/owner/name/blob/…/.countersign.yaml@ref: the SAN
	Repository string // https://forge/owner/name
	Owner      string // https://forge/owner
	// RepositoryID and OwnerID are the forge's numbers, which outlive names.
	RepositoryID, OwnerID string
}

// Seal is what proves a signed release to those who look at it later. It is made once,
// after the signatures are on the ledger and before any of them is handed out.
type Seal struct {
	Request string `json:"request"`
	// Checkpoint covers every entry of the release.
	Checkpoint Checkpoint `json:"checkpoint"`
	// Timestamps are whole DER TimeStampResps (RFC 3161) over each signature's bytes, by
	// intent.
	Timestamps map[string][]byte `json:"timestamps"`
	// Certificate is the DER leaf over the release key; nil where none was issued.
	Certificate []byte    `json:"certificate,omitempty"`
	At          time.Time `json:"at"`
}

// SignedVerdict is a signed statement about a request that ended denied.
type SignedVerdict struct {
	Request   string     `json:"request"`
	Statement []byte     `json:"statement"` // in-toto, a VSA that says FAILED
	Key       KeyVersion `json:"key"`       // the verdict key
	Signature []byte     `json:"signature"` // DER, over [StatementDigest]
	// Timestamp is the whole DER TimeStampResp over the signature.
	Timestamp []byte    `json:"timestamp"`
	At        time.Time `json:"at"`
}
