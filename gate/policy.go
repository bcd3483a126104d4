package gate

import "time"

// Matcher tells whether a ref's short name or a path fits. Compiled by gate/policy.
type Matcher interface {
	Match(s string) bool
	// String is the pattern as the policy file spells it.
	String() string
}

// PolicySource is one file that a policy was made of.
type PolicySource struct {
	Source string `json:"source"` // "floor:server", or "github:1296269/.countersign.yaml"
	Commit string `json:"commit"` // "" for a floor
	SHA256 Digest `json:"sha256"`
}

// Policy is an adopted policy, compiled.
type Policy struct {
	Mode    Mode
	Streams []Stream
	// Digest is the policy digest of gate/canonical over Sources.
	Digest  Digest
	Sources []PolicySource
	// Baseline is the commit adopted with the first version: the first release covers
	// what came after it.
	Baseline string
	// Aliases are other spellings of "/countersign approve", such as "/approve-release".
	Aliases []string
}

// Owners tells who owns a file. Compiled by gate/policy from an [OwnersFile].
type Owners interface {
	// Sections lists a path's owners as the file spells them, "@login", "@organisation/team":
	// one of each list has to agree. GitHub has one list, GitLab one for each section.
	Sections(path string) [][]string
	// Teams lists every team that the file names.
	Teams() []string
}

// Mode says whether a grant leads to signatures.
type Mode string

// Modes.
const (
	Enforce Mode = "enforce"
	Audit   Mode = "audit" // judge and report, sign nothing
	// ServerAudit is that of every policy while the server itself only audits.
	ServerAudit Mode = "server-audit"
)

// Stream is one `releases:` entry: what may be released, by which workflow, with whose approval.
type Stream struct {
	Name        string
	Description string
	Tags        []Matcher // short tag names
	NotTags     []Matcher
	Branches    []Matcher // short branch names from whose history releases come
	Paths       []Matcher // monorepo stream: only changes that touch these; all where empty
	Shared      []Matcher // …or these
	// Workflow is GitHub's workflow path from the repository's root
	// (.github/workflows/release.yml); Job is GitLab's job name.
	Workflow string
	// Job on GitHub narrows to one job of the workflow; "" for any there (attack 18).
	Job string
	// Uses is the reusable workflow in which the asking job has to run; nil for none.
	Uses *ReusableWorkflow
	// Finish is, on GitHub, the workflow, from the repository's root, that may collect what
	// Workflow asked for; "" for Workflow alone. On GitLab it is the manual job of the same
	// pipeline that collects, which the gate plays; "" for none.
	Finish string
	Events []string // allowed events or pipeline sources
	// Refs are the full refs from which a run may ask; any where empty (attack 13).
	Refs []Matcher
	// Runner and Environment are those that the job must have; "" for any (attack 17).
	Runner      string // as in [Workload]
	Environment string

	MinReviews int // approving reviews that the branch protection must ask for
	Bypass     Rule
	Push       Rule // how accounts that may push without a review count (attack 29)
	// Settle is how long a branch's protection has to have held after it was seen weaker
	// (attack 25).
	Settle time.Duration
	// Checks are the CI checks that must have passed on the commit.
	Checks []string
	// Owners asks for an approval or review by an owner of every file that has owners.
	Owners bool
	// Bind says what an approval may be bound to.
	Bind         Bind
	Separation   Separation
	ReviewsCount bool // forge reviews at the final head, before the merge, cover a change
	// PageCounts lets approvals count that were said on the release's page. In a comment one
	// can be read again at the forge; on the page it counts on the server's word.
	PageCounts bool
	Approvals  []ApprovalGroup
	Rules      Rules   // nil for none
	Window     *Window // nil for any time
	Key        string  // lineage
	// Formats are those in which SHA256SUMS is signed too; Sigstore bundles and DSSE envelopes
	// are always made.
	Formats []Format
	// Witnesses is how many witnesses have to have cosigned the ledger before signatures are
	// handed out.
	Witnesses int
	// Publish is where the gate itself puts the evidence, beside handing it to the job.
	Publish []Publication
	Expires time.Duration
}

// Publication is a place at the forge for a release's evidence.
type Publication string

// Publications.
const (
	// PublishAssets adds files to the forge's release: on GitHub while that is a draft, on
	// GitLab as a generic package with release links.
	PublishAssets Publication = "assets"
	// PublishAttestations uploads bundles to GitHub's attestations API.
	PublishAttestations Publication = "attestations"
)

// Rule is how a finding counts.
type Rule string

// Rules.
const (
	Report Rule = "report"
	Deny   Rule = "deny"
)

// Separation is who counts as independent.
type Separation string

// Separations.
const (
	EachChange Separation = "each-change" // nobody covers their own change
	Outsider   Separation = "outsider"    // the approver wrote nothing of the whole set
)

// ReusableWorkflow is a workflow of any repository, at one commit.
type ReusableWorkflow struct {
	Path   string // owner/name/.github/workflows/sign.yml
	Commit string
}

// Bind is what an approval may be bound to.
type Bind string

// Binds.
const (
	BindRequest Bind = "request" // the release request; the default
	// BindCommit also counts an approving review of the release's own PR/MR at its final
	// head (attack 54).
	BindCommit Bind = "commit"
)

// ApprovalGroup asks for Count people, each with one of the rights From or in one of
// Teams.
type ApprovalGroup struct {
	From  []Role
	Teams []string
	Count int
}

// Role is a right in a repository, mapped from the forge's own words by the adapter.
type Role int

// In order; GitLab's developer is RoleWrite, its owner RoleAdmin. The zero value has no right.
const (
	RoleNone Role = iota
	RoleRead
	RoleWrite
	RoleMaintain
	RoleAdmin
)

func (r Role) String() string {
	switch r {
	case RoleRead:
		return "read"
	case RoleWrite:
		return "write"
	case RoleMaintain:
		return "maintain"
	case RoleAdmin:
		return "admin"
	case RoleNone:
	}
	return "none"
}

// StreamByName finds a stream.
func (p Policy) StreamByName(name string) (Stream, bool) {
	for _, s := range p.Streams {
		if s.Name == name {
			return s, true
		}
	}
	return Stream{}, false
}

func matchAny(ms []Matcher, s string) bool {
	for _, m := range ms {
		if m.Match(s) {
			return true
		}
	}
	return false
}
