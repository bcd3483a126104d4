package gate

import "time"

// Needs says what to read for one decision. It is made from the policy, the
// request and the approvals, so that nothing is read that nobody judges.
type Needs struct {
	// Branches are the branches from whose history the stream releases.
	Branches []Matcher
	// Since are the commits of the stream's signed releases and the baseline: the
	// changes are what is reachable from the request's commit and from none of them.
	Since []string
	// Paths asks for the files of each change.
	Paths bool
	// Comments are the approvals' comments to read again.
	Comments []CommentRef
	// Accounts are those whose rights count: approvers and reviewers' are read anyway.
	Accounts []AccountID
	// Candidates asks for everyone who could approve, to name them to people.
	Candidates bool
	// Teams are those whose membership counts, as the policy spells them: GitHub
	// "organisation/team" or "team" of the owner's organisation, GitLab a group's path.
	Teams []string
	// Checks are the names of the CI checks that must have passed on the request's commit.
	Checks []string
	// Owners asks for the code owners' file as of Since[0], from before the change set
	// (attack 77).
	Owners bool
	// NoReviews spares the reviews: the policy does not count them.
	NoReviews bool
	// Thread asks for every comment made in it since ThreadSince: a delivery may have
	// been lost, a denial among them (attack 60). The zero Thread asks for none.
	Thread      Thread
	ThreadSince time.Time
}

// Evidence is everything read from the forge for one decision, as one immutable
// value. Its zero value knows nothing.
type Evidence struct {
	// ReadAt is when the reading began: everything in it is at least as young.
	ReadAt time.Time `json:"read_at"`

	Repository Fact[RepositoryFacts] `json:"repository"`
	Ref        Fact[RefFacts]        `json:"ref"`    // the request's ref
	Commit     Fact[Commit]          `json:"commit"` // the request's commit
	// Branch is the branch (of Needs.Branches) that contains the request's commit;
	// absent where none does. Where several do, a protected one.
	Branch Fact[BranchFacts] `json:"branch"`
	// TagProtection is the protection of the request's tag; absent where none
	// applies or the ref is a branch.
	TagProtection Fact[Protection] `json:"tag_protection"`
	// Changes are the change set, complete, oldest first.
	Changes Fact[[]Change] `json:"changes"`

	Comments   map[CommentRef]Fact[Comment] `json:"-"`
	Roles      map[AccountID]Fact[Member]   `json:"-"`
	Candidates Fact[[]Member]               `json:"candidates"`

	// Checks are the checks of Needs.Checks that the commit has, however they ended.
	Checks Fact[[]CommitCheck] `json:"checks"`
	// Owners is the code owners' file; absent where there is none.
	Owners Fact[OwnersFile] `json:"owners"`
	// Thread are the comments of Needs.Thread, oldest first, complete.
	Thread Fact[[]Comment] `json:"-"`
}

// CommitCheck is one CI check of a commit, in its newest run.
type CommitCheck struct {
	Name   string `json:"name"`   // check run, status context, or GitLab job or status name
	Done   bool   `json:"done"`   // it ended
	Passed bool   `json:"passed"` // it ended well; skipped and neutral are not well
	// By is the app or account that reported it; display only.
	By string `json:"by"`
}

// OwnersFile is a CODEOWNERS file as of one commit.
type OwnersFile struct {
	Path    string `json:"path"`
	Commit  string `json:"commit"`
	Content []byte `json:"content"`
}

// RepositoryFacts is the repository as it is now.
type RepositoryFacts struct {
	ID    RepositoryID `json:"id"`
	Owner AccountID    `json:"owner"`
	// OwnerIsUser is true where the owner is a person's account, which has no teams.
	OwnerIsUser   bool   `json:"owner_is_user,omitempty"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Private       bool   `json:"private"`
	URL           string `json:"url"` // web page
}

// RefFacts is where a ref points now.
type RefFacts struct {
	Ref    string `json:"ref"`
	Commit string `json:"commit"` // tags peeled
	// TagObject is the annotated tag's own SHA, "" for a lightweight tag or a branch.
	TagObject string `json:"tag_object,omitempty"`
	// Tagger is who made the tag; absent for a branch, and where the forge, fully read,
	// does not tell.
	Tagger Fact[Account] `json:"tagger"`
}

// RunFacts is the CI job as the forge's API sees it when it asks: its ID token
// may outlive it (attack 11), and does not say everyone who set it off.
type RunFacts struct {
	RunID      int64     `json:"run_id"`
	Attempt    int64     `json:"attempt"`
	Job        string    `json:"job"` // the job's name
	InProgress bool      `json:"in_progress"`
	Commit     string    `json:"commit"`
	Actors     []Account `json:"actors"` // actor, triggering actor, dispatcher
}

// BranchFacts is a branch and its protection.
type BranchFacts struct {
	Name       string           `json:"name"` // short
	Head       string           `json:"head"`
	Protection Fact[Protection] `json:"protection"` // absent: unprotected
}

// Protection is the sum of all rules in force for one ref. A fact that the forge
// hides stays unknown and is named in what is signed.
type Protection struct {
	Ref string `json:"ref"` // full ref
	// Sources name where the rules come from: "classic", "ruleset:12", "protected-branch:main".
	Sources []string `json:"sources"`
	// Reviews is how many approving reviews a merge needs.
	Reviews        Fact[int]  `json:"reviews"`
	ForcePush      Fact[bool] `json:"force_push"` // allowed
	Deletion       Fact[bool] `json:"deletion"`   // allowed
	AdminsEnforced Fact[bool] `json:"admins_enforced"`
	// Push says who may push without a PR/MR ("nobody", or names); unknown where hidden.
	Push   Fact[[]string] `json:"push"`
	Bypass Fact[[]string] `json:"bypass"`
	// Rules are the types of all rules in force, unknown types included, sorted.
	Rules []string `json:"rules"`
}

// Member is an account with its right in the repository, as of now.
type Member struct {
	Account Account `json:"account"`
	Role    Role    `json:"role"`
	// Active is false for a suspended, blocked or deleted account.
	Active bool `json:"active"`
	// Teams are those of Needs.Teams, spelled as there, of which the account is an active
	// member (attack 53). Not read where Needs names none.
	Teams Fact[[]string] `json:"teams"`
}
