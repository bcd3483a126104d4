package gate

import (
	"encoding/json"
	"time"
)

// Record is a request as the store holds it.
type Record struct {
	Request Request
	State   State
	// Version counts the record's changes; every change is a compare-and-swap on it.
	Version int64
	// Thread is where the request is talked about; the zero Thread where none is known yet.
	Thread Thread
	// Decision is the effective decision's JSON (a [Decision]); nil before the first.
	Decision json.RawMessage
	// Signing is how often signing began; Orphans how many intents of it ended unknown.
	Signing int
	Orphans int
	// Sealing marks a signing request whose signatures are on record, and wait for their
	// [Seal] before they are handed out.
	Sealing bool
	// Unsealed is the code ("CS-1234") of what kept the seal away last; "" unless Sealing, and
	// before the first try.
	Unsealed string
	Updated  time.Time
}

// Opening is what opens a request or joins one.
type Opening struct {
	// Request is complete but for Code and Attempt, which the store chooses. Where an open
	// request has the same AskHash it is joined instead and its Actors grow.
	Request Request
	Token   TokenUse
	Posts   []Post
}

// TokenUse binds an ID token (issuer, jti) to the one request it is used for.
type TokenUse struct {
	Issuer  string
	ID      string
	Expires time.Time
}

// Heard is what one delivery led to; all of it is stored in one transaction with
// the delivery's end.
type Heard struct {
	Approvals []Approval
	// DueRequests and DueRepositories are looked at again at once.
	DueRequests     []string
	DueRepositories []RepositoryID
	// Deployments are remembered, each (repository, run, environment) once.
	Deployments []Deployment
	// Changes are PRs/MRs whose effect on the policy is to be looked at.
	Changes []ChangeRef
	// Releases are release pages that changed.
	Releases []ReleasePage
	Posts    []Post
}

// ChangeRef names a PR/MR.
type ChangeRef struct {
	Repository RepositoryID
	Number     int64
}

// Judged is one decision to store.
type Judged struct {
	Record   Record // as it was judged: the compare-and-swap's old side
	Decision Decision
	To       State
	Thread   Thread
	Posts    []Post
	// Unchanged marks a decision that says what the effective one says: nothing but Look
	// is stored, no decision row and no leaf.
	Unchanged bool
	// Snapshots are the protections read, kept where they differ from the newest kept one of
	// their ref.
	Snapshots []Snapshot
	// Look is when to look again without a delivery; the zero time for never.
	Look time.Time
}

// Adoption is one policy version in force for a repository.
type Adoption struct {
	ID         string       `json:"id"` // UUIDv7
	Repository RepositoryID `json:"repository"`
	// Name is owner/name when adopted; display only.
	Name     string    `json:"name"`
	Owner    AccountID `json:"owner"`
	File     []byte    `json:"file"` // .countersign.yaml
	Commit   string    `json:"commit"`
	Baseline string    `json:"baseline"`
	// DefaultBranch is the repository's default branch when adopted: what the file
	// leaves to it was read that way.
	DefaultBranch string `json:"default_branch"`
	Digest        Digest `json:"digest"` // policy digest
	By            string `json:"by"`     // administrator, as the operating system names them; or who covered it
	// Public reports that anybody might see the repository when this was adopted.
	Public bool      `json:"public,omitempty"`
	At     time.Time `json:"at"`
}

// PolicyFile is the policy file as the forge holds it now.
type PolicyFile struct {
	Repository RepositoryFacts
	Commit     string // of the default branch
	Path       string
	Content    []byte
}

// SignedIntent is an intent with its signature, as stored.
type SignedIntent struct {
	Intent    Intent
	Signature Signature
	// Entries are its places in the ledger, by key first; Timestamp its RFC 3161 response, nil
	// until the release is sealed.
	Entries   []LogEntry
	Timestamp []byte
}
