package gate

import (
	"strings"
	"time"
)

// Ask is what a workload asks for. Its canonical hash (gate/canonical) is the
// idempotency key: asking again joins the same request.
type Ask struct {
	Server     string       // host of the gate's public URL
	Repository RepositoryID // numeric, never a name
	Ref        string       // full ref
	Commit     string
	Stream     string // "" lets ref and workflow choose
	Manifest   Manifest
}

// State is where a request is in its life.
type State string

// States. The transitions are one table in gate/release.
const (
	StateWaiting   State = "waiting"
	StateGranted   State = "granted"
	StateSigning   State = "signing"
	StateSigned    State = "signed"
	StatePublished State = "published"
	StateDenied    State = "denied"    // by a person, or by a claim that cannot change
	StateWithdrawn State = "withdrawn" // by its requester
	StateExpired   State = "expired"
	StateVoid      State = "void"   // the change moved under it
	StateFailed    State = "failed" // the signer failed for good
)

// Ended reports whether no transition leaves s.
func (s State) Ended() bool {
	switch s {
	case StatePublished, StateDenied, StateWithdrawn, StateExpired, StateVoid, StateFailed:
		return true
	case StateWaiting, StateGranted, StateSigning, StateSigned:
	}
	return false
}

// Request is an immutable release request: what was asked, by whom, under which policy.
type Request struct {
	ID      string `json:"id"`   // UUIDv7
	Code    string `json:"code"` // four characters, unique among the repository's open requests
	AskHash Digest `json:"ask_hash"`
	Attempt int    `json:"attempt"` // asking again after an end opens the next

	Repository     RepositoryID `json:"repository"`
	RepositoryName string       `json:"repository_name"` // owner/name when asked; display only
	Owner          AccountID    `json:"owner"`
	// Private keeps the request off pages that anybody may see.
	Private      bool     `json:"private"`
	Ref          string   `json:"ref"`
	Commit       string   `json:"commit"`
	Stream       string   `json:"stream"`
	Manifest     Manifest `json:"manifest"`
	Key          string   `json:"key"` // lineage
	PolicyDigest Digest   `json:"policy_digest"`

	// Workload is the one that opened the request; Actors are all that asked, in
	// order, each once.
	Workload Workload  `json:"workload"`
	Actors   []Account `json:"actors"`
	// Run is the job that opened it, as the forge's API saw it then.
	Run RunFacts `json:"run"`

	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// ShortRef is the tag's or branch's name.
func (r Request) ShortRef() string { return ShortRef(r.Ref) }

// IsTag reports whether the request is for a tag.
func (r Request) IsTag() bool { return strings.HasPrefix(r.Ref, "refs/tags/") }

// ShortRef strips refs/heads/ or refs/tags/.
func ShortRef(ref string) string {
	if s, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return s
	}
	return strings.TrimPrefix(ref, "refs/heads/")
}

// ShortCommit is the seven digits people compare by eye.
func ShortCommit(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}
