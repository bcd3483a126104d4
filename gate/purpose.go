package gate

// Purpose is what a key is for. A key has exactly one: a release key signs what a grant
// names and nothing else, and the gate's own keys never sign a release.
type Purpose string

// Purposes. Log, timestamp, CA and CT keys make the evidence around a signature; the
// verdict key signs what was refused, so that no signature of a release key ever stands
// under a refusal that a lenient reader could take for a grant.
const (
	PurposeRelease   Purpose = "release"
	PurposeLog       Purpose = "log"       // checkpoints of the ledger
	PurposeTimestamp Purpose = "timestamp" // RFC 3161 time-stamp tokens
	PurposeCA        Purpose = "ca"        // certificates of release keys and of the time-stamp key
	PurposeCT        Purpose = "ct"        // signed certificate timestamps, RFC 6962
	PurposeVerdict   Purpose = "verdict"   // statements about requests that ended denied
)

// AuthorityPurposes are those of the gate's own keys, in the order in which they are shown.
func AuthorityPurposes() []Purpose {
	return []Purpose{PurposeLog, PurposeTimestamp, PurposeCA, PurposeCT, PurposeVerdict}
}

// AuthorityKey is one of the gate's own keys: ECDSA on P-256, or, for the log alone,
// Ed25519.
type AuthorityKey struct {
	Purpose Purpose
	KeyVersion
}
