// Package forgetest describes a forge as its people see it, so that one contract
// suite and one set of stories serve both forges. The doubles in githubtest and
// gitlabtest implement [World] behind the forge's real HTTP API: state changes
// here send the same webhooks, and answer the same reads, as they do there.
//
// Nothing in here is linked into a production binary.
package forgetest

import "time"

// A World is one forge with its people, repositories and CI. Its methods are
// what people and runners do; none fails for a reason a test would want to
// handle, so a misuse (an unknown branch, say) panics with what was expected.
// A World is safe for concurrent use.
type World interface {
	// Name says which forge this is: "github" or "gitlab".
	Name() string
	// URL is the base URL of the forge's web side, without a trailing slash. It
	// is also the issuer's base; the API lives where the forge has it.
	URL() string
	// APIURL is the base of the REST API as an operator would configure it.
	APIURL() string
	// Issuer is the exact `iss` of the ID tokens this forge's CI mints.
	Issuer() string

	// AddPerson makes a human account whose e-mail resolves to it.
	AddPerson(login string) Person
	// AddBot makes an account that the forge itself marks as a bot.
	AddBot(login string) Person
	// AddRepository makes "owner/name", with the owner (an organisation or group)
	// where it is new. The default branch is main and holds one root commit made
	// by no account of the forge. The gate is installed on it.
	AddRepository(fullName string) Repository
	// Fork copies repo into "owner/name", owned by by where the owner is new.
	Fork(repo Repository, by Person, fullName string) Repository
	// SetRole gives p a role in repo; RoleNone takes it away.
	SetRole(repo Repository, p Person, role Role)
	// Protect protects a branch or a tag pattern of repo.
	Protect(repo Repository, p Protection)
	// Unprotect takes every rule off ref (a full ref or the pattern given to Protect).
	Unprotect(repo Repository, ref string)

	// Commit makes a commit object without moving a ref, and returns its SHA. With
	// no parents given it sits on the head of the default branch.
	Commit(repo Repository, c CommitSpec) string
	// Push creates or moves ref (a full ref) to sha as by, forced or not, and
	// sends what the forge sends.
	Push(repo Repository, by Person, ref, sha string)
	// DeleteRef removes ref as by.
	DeleteRef(repo Repository, by Person, ref string)
	// Head returns the commit at ref (tags peeled), or "".
	Head(repo Repository, ref string) string

	// OpenChange opens a pull or merge request.
	OpenChange(repo Repository, by Person, c ChangeSpec) Change
	// Review approves (or, with ReviewReject, asks for changes to) the change's current head.
	Review(c Change, by Person, verdict Verdict)
	// Merge merges the change through the forge and returns the commit that is
	// then the head of the target branch.
	Merge(c Change, by Person, method MergeMethod) string

	// AddComment comments on a change (or, on GitHub, on an issue) as by.
	AddComment(c Change, by Person, body string) Comment
	// EditComment changes a comment's body as by.
	EditComment(c Comment, by Person, body string)
	// DeleteComment removes it.
	DeleteComment(c Comment, by Person)
	// Comments are the visible comments of the thread, oldest first.
	Comments(c Change) []Comment
	// Reactions are the reactions the gate's own account left on a comment: "eyes",
	// "rocket", "confused" in GitHub's words on both forges.
	Reactions(c Comment) []string
	// Statuses are the newest commit status per context and, on GitHub, the check
	// runs of sha.
	Statuses(repo Repository, sha string) []Status

	// StartJob starts a CI job that stays in progress until FinishJob.
	StartJob(repo Repository, j JobSpec) Job
	// FinishJob ends it.
	FinishJob(j Job)
	// IDToken mints the job's ID token for the audience, as the forge's CI would.
	// Overrides replace or (with a nil value) remove claims: for attacks only.
	IDToken(j Job, audience string, overrides map[string]any) string
	// JobEnv is the environment with which the forge's runner would start the job's
	// steps, as far as ID tokens and CI identity go (GitHub:
	// ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN, GITHUB_*; GitLab: CI_* and the
	// ID token for audience in COUNTERSIGN_ID_TOKEN).
	JobEnv(j Job, audience string) []string

	// DeliverTo sends every webhook from now on to url, proved with secret. Failed
	// deliveries are kept and can be sent again.
	DeliverTo(url, secret string)
	// Redeliver sends the newest n deliveries again, unchanged.
	Redeliver(n int)
	// Settle waits until every webhook so far was answered.
	Settle()

	// Fail makes matching API requests fail until the returned function is called.
	Fail(f Fault) (restore func())
	// Export writes the repository as a bare git repository in dir, for git to clone.
	Export(repo Repository, dir string) error
	// Publish makes the repository visible to everybody.
	Publish(repo Repository)
	// Requests counts the API requests answered so far.
	Requests() int
	// Close stops the server.
	Close()
}

// Person is an account.
type Person struct {
	ID    int64
	Login string
	Email string
	Bot   bool
}

// Repository is a repository or project.
type Repository struct {
	ID       int64
	OwnerID  int64
	FullName string // owner/name
}

// Role is a person's right in a repository, in the order of what it allows.
type Role int

// On GitLab they are none, reporter (20), developer (30), maintainer (40) and owner (50).
const (
	RoleNone Role = iota
	RoleRead
	RoleWrite
	RoleMaintain
	RoleAdmin
)

// Protection is the rule for one branch or tag pattern. Zero values are the safe choice.
type Protection struct {
	Ref            string // "refs/heads/main" or "refs/tags/v*"
	Reviews        int    // approving reviews required; branches only
	AllowForcePush bool
	AllowDeletion  bool
	AdminsExempt   bool // GitHub classic: enforce_admins off
	Ruleset        bool // GitHub: an active ruleset in place of classic protection
	Evaluate       bool // GitHub: that ruleset only evaluates, and so protects nothing
}

// CommitSpec says what a commit holds.
type CommitSpec struct {
	SHA       string // 40 hex to force one; computed where empty
	Parents   []string
	Author    Person
	Committer Person // Author where zero
	// Message is the full commit message, trailers included.
	Message string
	// Files are added or changed; a nil value deletes.
	Files map[string][]byte
	When  time.Time
}

// ChangeSpec says what a pull or merge request asks to merge.
type ChangeSpec struct {
	Title, Body string
	Source      string // branch name
	Target      string // branch name; the default branch where empty
	// From is the fork that holds Source; the repository itself where zero.
	From Repository
}

// Change is a pull or merge request, or a plain issue where Issue is set.
type Change struct {
	Repository Repository
	Number     int64
	Issue      bool
}

// Verdict is a review's outcome.
type Verdict int

// What a reviewer can say.
const (
	ReviewApprove Verdict = iota
	ReviewReject
	ReviewDismiss // takes one's own approval back
)

// MergeMethod is how the forge merges.
type MergeMethod int

// The forge's own three ways. GitLab's rebase is its fast-forward merge.
const (
	MergeCommit MergeMethod = iota
	Squash
	Rebase
)

// Comment is one comment as the forge holds it.
type Comment struct {
	Change  Change
	ID      int64
	Author  Person
	Body    string
	Created time.Time
	Updated time.Time
}

// Status is one commit status or check run.
type Status struct {
	Kind        string // "status" or "check"
	Context     string // or the check's name
	State       string // as the forge spells it: a status's state, a check's status or conclusion
	Description string // or the check's summary
	TargetURL   string
}

// JobSpec says what a CI job runs for.
type JobSpec struct {
	Ref      string // full ref
	SHA      string // the ref's commit where empty
	Workflow string // "release.yml" (GitHub: under .github/workflows), GitLab: job name
	Event    string // "push" where empty; a pipeline source on GitLab
	Actor    Person
	// Environment and Runner: "" and the forge's hosted runners where empty.
	Environment, Runner string
}

// Job is a started CI job.
type Job struct {
	Repository Repository
	Spec       JobSpec
	RunID, ID  int64
}

// Fault is one way for the forge's API to fail.
type Fault struct {
	Path   string // substring of the request's path; every path where empty
	Method string // every method where empty
	Status int    // answer with this status and the forge's error body; 0: drop the connection
	Body   string // answer with this body in place of the forge's
	Times  int    // how many times; 0: until restored
	Header map[string]string
}
