package gate

import "time"

// Post is one thing to tell the forge. Posting it twice leaves the forge as
// posting it once does (I9).
type Post struct {
	ID         string       `json:"id"` // UUIDv7
	Request    string       `json:"request"`
	Repository RepositoryID `json:"repository"`
	Target     PostTarget   `json:"target"`
	// Key makes the post idempotent at the forge with Target: the check's external id,
	// the sticky comment's marker, the reaction's comment.
	Key     string     `json:"key"`
	Commit  string     `json:"commit,omitempty"`  // status and check
	Context string     `json:"context,omitempty"` // status context or check name: "countersign/<stream>"
	State   PostState  `json:"state,omitempty"`   // status and check
	Title   string     `json:"title,omitempty"`   // one line: status description (≤ 140 characters), check title
	Body    string     `json:"body,omitempty"`    // Markdown: check summary, comment
	URL     string     `json:"url,omitempty"`     // release page
	Thread  Thread     `json:"thread"`            // comment, and GitLab's deployment
	Comment CommentRef `json:"comment"`           // reaction
	// Reaction is "eyes", "rocket" or "confused".
	Reaction string `json:"reaction,omitempty"`
	// Deployment and Leave are a deployment's; Body then is at most 1,024 characters. On
	// GitLab Body is what is said in Thread where the gate may not play the job.
	Deployment Deployment `json:"deployment"`
	Leave      Leave      `json:"leave,omitempty"`
	// Ref is the full ref of the release whose evidence is posted; Files are filled in when it
	// is.
	Ref   string     `json:"ref,omitempty"`
	Files []PostFile `json:"-"`
	// Known is the forge's own id of what an earlier post with the same target and key
	// made; "" the first time.
	Known string    `json:"known,omitempty"`
	Made  time.Time `json:"made"`
}

// PostTarget is where a post goes.
type PostTarget string

// Targets. A forge without check runs (GitLab) is given none.
const (
	PostStatus   PostTarget = "status"
	PostCheck    PostTarget = "check"
	PostComment  PostTarget = "comment" // sticky: edited in place
	PostReply    PostTarget = "reply"   // a new comment, once
	PostReaction PostTarget = "reaction"
	PostThread   PostTarget = "thread" // open (or find) the release issue for a commit; answers its number
	// PostDeployment answers a job that waits for the gate. On GitLab it is played.
	PostDeployment PostTarget = "deployment"
	// PostAssets adds Files to the forge's release of Ref; PostAttestations uploads those of
	// Files that are bundles, each over Subjects.
	PostAssets       PostTarget = "assets"
	PostAttestations PostTarget = "attestations"
)

// PostFile is one file that a post carries. Files are read when it is posted, never stored
// with it.
type PostFile struct {
	Name    string
	Content []byte
}

// PostState is a status's state in neutral words.
type PostState string

// States; adapters map them to the forge's.
const (
	PostPending PostState = "pending"
	PostSuccess PostState = "success"
	PostFailure PostState = "failure"
)

// Delivery is one webhook as received and proved.
type Delivery struct {
	Forge    ForgeID   `json:"forge"`
	ID       string    `json:"id"` // stable over redelivery: deduplicates
	Event    string    `json:"event"`
	Body     []byte    `json:"body"`
	Received time.Time `json:"received"`
	// Thread orders deliveries: those with the same non-empty thread are handled one after
	// another, in the order received.
	Thread string `json:"thread"`
	// Tenant is whom it concerns, as far as it tells (a repository, or the owner of a hook):
	// tenants are served in turn, and none may have more than its share waiting. Empty for
	// the repository that Thread names.
	Tenant string `json:"tenant"`
}

// Ring is what a delivery says happened, as a hint where to look: the truth is then
// read from the forge's API.
type Ring struct {
	Repository RepositoryID
	// Comment is set where a comment was newly created.
	Comment *CommentRef
	// Commit is set where something about one commit changed; otherwise everything
	// open of the repository is looked at again.
	Commit string
	// Change is set where a PR/MR was opened or its head changed: the number.
	Change int64
	// Deployment is set where a job asks the gate's leave to use an environment.
	Deployment *Deployment
	// Released is set where the release page of a tag changed: its full ref.
	Released string
}
