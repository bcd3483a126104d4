package gate

import "time"

// Change is a pull or merge request with its commits, or a direct push.
type Change struct {
	// Number is the PR's or MR's; 0 marks a direct push.
	Number int64  `json:"number"`
	Title  string `json:"title"`
	URL    string `json:"url"`
	// Head is the change's final head before the merge (for a direct push: its commit).
	Head string `json:"head"`
	// MergeCommit is what the merge made of it on the base branch: the merge or squash
	// commit, or the head itself after a fast-forward; "" for a direct push.
	MergeCommit string    `json:"merge_commit,omitempty"`
	MergedAt    time.Time `json:"merged_at"`
	// Opener opened the PR/MR; absent for a direct push.
	Opener Fact[Account] `json:"opener"`
	// Commits are all commits of the change: the range's own, and those that a
	// squash or rebase replaced.
	Commits []Commit `json:"commits"`
	// Pushers are everyone who pushed to the change's head, or, for a direct push,
	// to the base.
	Pushers Fact[[]Account] `json:"pushers"`
	// Initiators are the humans whom the forge names beside the opener of a change that a
	// machine opened: its assignees.
	Initiators []Account `json:"initiators,omitempty"`
	// Merger is who had the change merged, by a click or by switching automatic merging
	// on; absent where it never was merged or the forge, fully read, does not tell. Who
	// merges what no person wrote answers for it (attack 89).
	Merger Fact[Account] `json:"merger"`
	// Reviews are the latest verdict per reviewer.
	Reviews Fact[[]Review] `json:"reviews"`
	// Paths are the files the change touches; read only where the policy needs them.
	Paths Fact[[]string] `json:"paths"`
}

// Direct reports whether the change never was a PR/MR.
func (c Change) Direct() bool { return c.Number == 0 }

// Commit is one commit with everyone who had a hand in it.
type Commit struct {
	SHA     string   `json:"sha"`
	Parents []string `json:"parents"`
	Title   string   `json:"title"` // first line of the message
	People  []Person `json:"people"`
	// ByForge marks a merge or squash commit that the forge itself made, signed, at
	// the change's reviewed head: who clicked merge is then no author of it, and
	// People holds only those that the forge took over from the change.
	ByForge bool `json:"by_forge"`
}

// Part is what somebody did.
type Part string

// Parts, in the words shown to people.
const (
	PartOpener    Part = "opened it"
	PartAuthor    Part = "author"
	PartCommitter Part = "committer"
	PartCoAuthor  Part = "co-author"
	PartPusher    Part = "pushed to it"
	PartInitiator Part = "in charge of the machine that opened it"
)

// Person is one name on a commit.
type Person struct {
	Part Part `json:"part"`
	// Account is absent where the e-mail belongs to no account of the forge: such a
	// commit needs one more approver. Unknown where that could not be read.
	Account Fact[Account] `json:"account"`
	Name    string        `json:"name"` // as the commit spells it; display only
}

// Review is one reviewer's latest verdict on a PR/MR.
type Review struct {
	By       Account   `json:"by"`
	Approved bool      `json:"approved"` // false: changes asked for, dismissed, or only comments
	Commit   string    `json:"commit"`   // the head it was given for; "" where the forge does not say
	At       time.Time `json:"at"`
	// Role is the reviewer's right in the repository as of now.
	Role Fact[Role] `json:"role"`
}
