package gate

import "time"

// ListQuery narrows a list of requests. The zero query asks for nothing: Limit is needed.
type ListQuery struct {
	// Repository narrows to one; the zero RepositoryID takes all.
	Repository RepositoryID
	// Open leaves out what nobody's word changes any more: signed and ended requests.
	Open bool
	// Key narrows to requests signed by a lineage; "" takes all.
	Key string
	// Before is the id of the request before which the list goes on; "" starts at the newest.
	Before string
	Limit  int // 1 to 200
}

// HappeningKind is what happened to a request.
type HappeningKind string

// What happens to a request, as its page tells it.
const (
	HappenedAsked     HappeningKind = "asked"     // opened, or joined by another run
	HappenedJudged    HappeningKind = "judged"    // a decision that says something new
	HappenedSaid      HappeningKind = "said"      // somebody's statement
	HappenedSigning   HappeningKind = "signing"   // intents are durable; the HSM is asked next
	HappenedSigned    HappeningKind = "signed"    // signatures are durable
	HappenedOrphaned  HappeningKind = "orphaned"  // the HSM may have signed, and nothing came back
	HappenedLate      HappeningKind = "late"      // signatures came too late, and were thrown away
	HappenedFailed    HappeningKind = "failed"    // the signer failed for good
	HappenedPublished HappeningKind = "published" // the forge was told everything
)

// Happening is one entry of a request's history, each with a leaf of the ledger.
type Happening struct {
	At   time.Time
	What HappeningKind
	Leaf int64 // index in the ledger
	// By is who asked or said it; the zero Account elsewhere.
	By Account
	// Statement is set for HappenedSaid.
	Statement *Approval
	// Outcome, State and Why say how it was judged, and what stood in the way first.
	Outcome Outcome
	State   State
	Why     string
	// Count is how many signatures were to be made, were made, may exist, or were thrown
	// away: one for each file, and one for the release's statement. Attempt is which
	// signing it was.
	Count   int
	Attempt int
	Key     KeyVersion // of signing and signed, without its SPKI
}

// Enrolled is a repository with a policy in force.
type Enrolled struct {
	Adoption Adoption
	Open     int       // open requests
	Signed   int       // signed ones
	Last     time.Time // when one was last asked for; the zero time where never
	Latest   *Record   // the newest request; nil where there is none
}

// KeyUse is what a key version did.
type KeyUse struct {
	Lineage    string
	Version    int
	Signatures int64 // one for each file of a release, and one for its statement
	Releases   int64 // requests signed
	Orphans    int64 // signatures that may exist and nobody has
	First      time.Time
	Last       time.Time
}

// Queued is one queue of work.
type Queued struct {
	Name   string // "deliveries", "requests", "posts", "policy checks"
	Open   int
	Oldest time.Time // of what is open; the zero time where nothing is
}

// Received is one delivery as operators see it, without its body.
type Received struct {
	Seq      int64 // position in the inbox
	Forge    ForgeID
	ID       string // the forge's
	Event    string
	Received time.Time
	Done     time.Time // the zero time while it is open
	Tries    int
	Why      string // what it waits for, or why it was put off last
}

// LedgerEntry is one entry of the ledger with what is known of it here.
type LedgerEntry struct {
	Index int64
	// Kind is the leaf's (gate/ledger), "signature" or "certificate-signature" for a record of
	// a signature; ID what it is about.
	Kind, ID string
	Bytes    []byte
	At       time.Time
	// Request is the request that it belongs to; "" for what concerns a policy or the server.
	// Repository is the zero ID for the server.
	Request    string
	Repository RepositoryID
	// Salt and Document open a commitment. A record of a signature has no salt, and a document
	// that nothing commits to: it tells what the signature is for.
	Salt, Document []byte
}
