package attest

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
)

// Constants of in-toto Statement v1 and SLSA Verification Summary Attestation v1.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://slsa.dev/verification_summary/v1"
	// Level is the one level that the gate verifies. It is no SLSA level: an approved
	// release says nothing of how it was built, nor of any source track.
	Level  = "COUNTERSIGN_APPROVED"
	Passed = "PASSED"
	// Failed is the result of a refusal, and its one level (SLSA 1.2, "SlsaResult").
	Failed = "FAILED"

	slsaVersion = "1.2"
)

// VSA is the in-toto statement of one release, with a SLSA verification summary.
type VSA struct {
	Head

	Predicate Summary `json:"predicate"`
}

// Subject is one released file.
type Subject struct {
	Name   string    `json:"name"`
	Digest DigestSet `json:"digest"`
}

// DigestSet is in-toto's map of digests; the gate knows SHA-256 alone.
type DigestSet struct {
	SHA256 gate.Digest `json:"sha256"`
}

// Resource is in-toto's ResourceDescriptor, as far as the gate uses it.
type Resource struct {
	URI    string    `json:"uri"`
	Digest DigestSet `json:"digest"`
}

// Summary is the VSA predicate. The members countersign_… are extension fields as
// the in-toto parsing rules allow them on every object: consumers must ignore what
// they do not know (cosign decodes the predicate as a free structure, slsa-verifier
// with encoding/json; both do), and a policy that reads them can only refuse more.
type Summary struct {
	Verifier           Verifier `json:"verifier"`
	TimeVerified       string   `json:"timeVerified"` // RFC 3339, UTC, whole seconds
	ResourceURI        string   `json:"resourceUri"`
	Policy             Resource `json:"policy"`
	VerificationResult string   `json:"verificationResult"`
	VerifiedLevels     []string `json:"verifiedLevels"`
	SLSAVersion        string   `json:"slsaVersion"`
	// InputAttestations are the decision and each approval, by the SHA-256 of their payloads;
	// none in a refusal.
	InputAttestations []Resource `json:"inputAttestations,omitempty"`

	// Protection is the digest of the protection snapshot that was judged.
	Protection Protection `json:"countersign_protection"`
	Release    Released   `json:"countersign_release"`
	// Key is the release key; the zero KeyNote in a refusal, which is no release.
	Key KeyNote `json:"countersign_key,omitzero"`
	// Refused are the checks that denied a release.
	Refused []Refused `json:"countersign_refused,omitempty"`
}

// Refused is a check that denied, with its reason.
type Refused struct {
	Check  gate.CheckName `json:"check"`
	Reason string         `json:"reason"`
}

// Verifier is who judged.
type Verifier struct {
	ID string `json:"id"` // the gate's public URL
}

// Protection names the protection snapshot of gate/canonical: the rules of the forge
// that were in force for the release's branch and tag, as they were read.
type Protection struct {
	Digest DigestSet `json:"digest"`
}

// Released names what was judged by what never changes: numbers and digests.
type Released struct {
	Request    string    `json:"request"`    // UUIDv7 of the request
	Repository string    `json:"repository"` // forge:number
	Ref        string    `json:"ref"`        // full ref
	Commit     string    `json:"commit"`
	TagObject  string    `json:"tagObject,omitempty"` // of an annotated tag
	Stream     string    `json:"stream"`
	Manifest   DigestSet `json:"manifest"` // of the release's SHA256SUMS
}

// KeyNote says which key signed, and where it lives.
type KeyNote struct {
	Lineage string  `json:"lineage"`
	Version int     `json:"version"`
	Hint    string  `json:"hint"` // as [Key.Hint] gives it
	Storage Storage `json:"storage"`
}

// Storage is where a key lives.
type Storage string

// Storages. Software is no hardware security module, whatever its interface says.
const (
	Software Storage = "software"
	Hardware Storage = "hardware"
)

// ParseVSA reads a statement's payload. As in-toto asks, it ignores members
// that it does not know; everything it knows must be there and whole.
func ParseVSA(payload []byte) (VSA, error) {
	var s VSA
	if err := parseStatement(payload, PredicateType, &s); err != nil {
		return VSA{}, err
	}
	if _, err := time.Parse(time.RFC3339, s.Predicate.TimeVerified); err != nil {
		return VSA{}, fmt.Errorf("read statement: timeVerified: %w", err)
	}
	return s, nil
}
