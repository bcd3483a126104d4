package gate

import "time"

// CommentRef is where a comment can be read again.
type CommentRef struct {
	Repository RepositoryID `json:"repository"`
	Thread     Thread       `json:"thread"`
	ID         int64        `json:"id"`
}

// Thread is a PR, MR or issue.
type Thread struct {
	Number int64 `json:"number"`
	Issue  bool  `json:"issue"` // a plain issue, not a PR/MR
}

// Comment is a comment as the forge shows it now.
type Comment struct {
	Ref     CommentRef `json:"ref"`
	Author  Account    `json:"author"`
	Body    string     `json:"body"`
	Created time.Time  `json:"created"`
	// Edited is true where the forge says that the body changed after creation.
	Edited bool `json:"edited"`
	// Hidden is true for a minimised, system, internal or confidential comment.
	Hidden bool `json:"hidden"`
	// ByMachine is true where an app or an e-mail made it for the account.
	ByMachine bool `json:"by_machine"`
}

// Verb is what a command says.
type Verb string

// The verbs of the grammar.
const (
	VerbApprove  Verb = "approve"
	VerbDeny     Verb = "deny"
	VerbHold     Verb = "hold"
	VerbUnhold   Verb = "unhold"
	VerbWithdraw Verb = "withdraw"
	VerbRetry    Verb = "retry"
	VerbStatus   Verb = "status"
	VerbHelp     Verb = "help"
)

// Approval is an account's statement, bound to one immutable request.
type Approval struct {
	ID             string     `json:"id"` // UUIDv7
	Request        string     `json:"request"`
	Verb           Verb       `json:"verb"` // approve, deny, hold, unhold or withdraw
	By             Account    `json:"by"`
	Source         CommentRef `json:"source"`
	BodyHash       Digest     `json:"body_hash"` // SHA-256 of the comment's body as read
	Created        time.Time  `json:"created"`   // of the comment, by the forge's clock
	Commit         string     `json:"commit"`
	TagObject      string     `json:"tag_object,omitempty"`
	ManifestDigest Digest     `json:"manifest_digest"`
	PolicyDigest   Digest     `json:"policy_digest"`
	Reason         string     `json:"reason,omitempty"` // of a denial
	// Page marks a statement made on the release's page by a signed-in person. It names no
	// comment, and so nothing of it is read again but its maker's right.
	Page bool `json:"page,omitempty"`
}
