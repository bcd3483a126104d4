package gate

import "time"

// PolicyChange is a PR/MR, and what it would make of the policy file.
type PolicyChange struct {
	Number int64  `json:"number"`
	Head   string `json:"head"`
	// Touches is false where the change leaves the policy file as it is: nothing else is
	// then read.
	Touches bool `json:"touches"`
	// Deleted is true where it takes the file away.
	Deleted bool   `json:"deleted"`
	Content []byte `json:"content"` // at Head
	// Fork is true where Head lies in another repository: some forges take no status there.
	Fork bool `json:"fork"`
	Open bool `json:"open"`
}

// Proposal is a newer version of a repository's policy than the one in force, and why it
// is not in force yet.
type Proposal struct {
	Repository RepositoryID `json:"repository"`
	Commit     string       `json:"commit"` // of the default branch, when read
	Digest     Digest       `json:"digest"` // SHA-256 of the file
	Seen       time.Time    `json:"seen"`   // when this content was first read
	// Covered is when it was first found to be covered by somebody who did not write it;
	// the zero time while it is not. The cool-down counts from then.
	Covered time.Time `json:"covered"`
	By      []Account `json:"by"` // who covered it
	// Gone is true where the default branch holds no policy file any more: nothing is then
	// asked for.
	Gone bool `json:"gone,omitempty"`
	// Why says to people what it waits for, or why it never can be adopted.
	Why string `json:"why"`
}

// Watched is a repository whose policy is due to be looked at.
type Watched struct {
	Adoption Adoption
	Proposal Proposal // the zero Proposal where none is known
}

// Replayed is one past release, judged again under another policy.
type Replayed struct {
	Request string  `json:"request"`
	Ref     string  `json:"ref"`
	Commit  string  `json:"commit"`
	Stream  string  `json:"stream"`
	Outcome Outcome `json:"outcome"`
	// Check and Why are the first condition that does not hold.
	Check CheckName `json:"check,omitempty"`
	Why   string    `json:"why,omitempty"`
}
