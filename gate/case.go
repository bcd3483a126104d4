package gate

import "time"

// MaxEvidenceAge is the oldest evidence on which a grant may rest (I1).
const MaxEvidenceAge = 30 * time.Second

// Case is everything one judgement looks at.
type Case struct {
	Request  Request
	Policy   Policy // in force now
	Evidence Evidence
	// Released are the commits of the stream's signed releases and the baseline: what
	// Evidence.Changes was counted from.
	Released []string
	// Approvals are the approvals of this request that were not withdrawn.
	Approvals []Approval
	// Denials are the people's refusals: one ends the request.
	Denials []Approval
	// Thread is where people talk about the request; the zero Thread where that is not known
	// yet. Until it can be read, a denial in it may be missed.
	Thread Thread
	// Holds are the statements to hold and unhold it, oldest first.
	Holds []Approval
	Key   KeyFacts
	// Owners are the code owners, compiled from Evidence.Owners; nil where none were read.
	Owners Owners
	// Seen are the kept snapshots of the branch, oldest first: only what was weaker after it
	// had held is held against it.
	Seen []Snapshot
	// Newer is a newer version of the policy that is not in force yet; the zero Proposal
	// where there is none.
	Newer Proposal
}

// Outcome is what a check or a decision says.
type Outcome int

// The zero value refuses.
const (
	Denied Outcome = iota
	Waiting
	Granted
)

func (o Outcome) String() string {
	switch o {
	case Waiting:
		return "waiting"
	case Granted:
		return "granted"
	case Denied:
	}
	return "denied"
}

// MarshalText is the word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the word; every unknown word is an error and leaves Denied.
func (o *Outcome) UnmarshalText(b []byte) error {
	switch string(b) {
	case "granted":
		*o = Granted
	case "waiting":
		*o = Waiting
	default:
		*o = Denied
	}
	return nil
}

// CheckName names one condition. The names are part of what is signed.
type CheckName string

// The checks, in the order in which they are shown.
const (
	CheckIdentity    CheckName = "identity"
	CheckRun         CheckName = "run"
	CheckRepository  CheckName = "repository"
	CheckPolicy      CheckName = "policy"
	CheckRef         CheckName = "ref"
	CheckCI          CheckName = "checks" // only where the stream names CI checks
	CheckRules       CheckName = "rules"  // only where the stream has rules
	CheckBranch      CheckName = "branch"
	CheckProtection  CheckName = "protection"
	CheckCoverage    CheckName = "coverage"
	CheckOwners      CheckName = "owners" // only where the stream asks for code owners
	CheckApprovals   CheckName = "approvals"
	CheckIndependent CheckName = "independent"
	CheckHold        CheckName = "hold"
	CheckWindow      CheckName = "window" // only where the stream has a window
	CheckKey         CheckName = "key"
	CheckTime        CheckName = "time"
	CheckEvidence    CheckName = "evidence"
)

// Check is one condition of a decision.
type Check struct {
	Name     CheckName `json:"name"`
	Outcome  Outcome   `json:"outcome"`
	Reason   string    `json:"reason"`
	Fix      string    `json:"fix,omitempty"` // what to do next; set wherever Outcome is not Granted
	Expected string    `json:"expected,omitempty"`
	Got      string    `json:"got,omitempty"`
	// Unread marks a check that waits only because something could not be read:
	// reading again may be enough.
	Unread bool `json:"unread,omitempty"`
	// Ends is the state in which the request ends because of this check, if it does.
	Ends State `json:"ends,omitempty"`
}

// Decision is all checks of one case at a time.
type Decision struct {
	At       time.Time  `json:"at"`
	Request  string     `json:"request"`
	Outcome  Outcome    `json:"outcome"`
	Checks   []Check    `json:"checks"`
	Coverage []Coverage `json:"coverage"`
	// Counted are the approvals that count; Heeded the denials, holds and unholds that do;
	// Ignored are the statements that do not, with why.
	Counted []Approval `json:"counted"`
	Heeded  []Approval `json:"heeded,omitempty"`
	Ignored []Ignored  `json:"ignored"`
	// CanApprove and CannotApprove say who could help now, as far as the forge tells.
	CanApprove    []Account    `json:"can_approve"`
	CannotApprove []Ineligible `json:"cannot_approve"`
	Protection    []Protection `json:"protection"` // as read; goes into what is signed
	PolicyDigest  Digest       `json:"policy_digest"`
	// Audit marks a decision under a policy that signs nothing: it says what would be.
	Audit bool `json:"audit,omitempty"`
	// CommentsOnly marks a decision under a policy by which what is said on the page does not
	// approve.
	CommentsOnly bool `json:"comments_only,omitempty"`
	// People is how many more people it takes, at least; 0 where none, or where that is not
	// known yet.
	People int `json:"people,omitempty"`
	// Since is the commit of the stream's newest signed release, or else the baseline: what
	// the changes were counted from. "" where there is none.
	Since string `json:"since,omitempty"`
	// TagObject is the annotated tag's SHA as read: an approval binds to it.
	TagObject string `json:"tag_object,omitempty"`

	grant *Grant // only Decide sets it: a decision read from a store grants nothing
}

// Coverage is how one change is covered, or what it lacks.
type Coverage struct {
	Number  int64        `json:"number"` // 0: a direct push
	Called  string       `json:"called"` // "#412", "!412", or the commit of a direct push
	Head    string       `json:"head"`
	Title   string       `json:"title"`
	URL     string       `json:"url"`
	Authors []Authorship `json:"authors"`
	// Unlinked are the names on its commits that belong to no account.
	Unlinked []string    `json:"unlinked,omitempty"`
	Covered  bool        `json:"covered"`
	By       []CoveredBy `json:"by"`
	// Missing says what it takes, where Covered is false.
	Missing string `json:"missing,omitempty"`
	// People is how many more people it takes; 0 where Covered, or where Unread.
	People int  `json:"people,omitempty"`
	Unread bool `json:"unread,omitempty"`
}

// Authorship is one author of a change, with why.
type Authorship struct {
	Account Account `json:"account"`
	Why     string  `json:"why"` // "author of 3f2c1e9, opened it"
}

// CoveredBy is one person who covers a change.
type CoveredBy struct {
	Account Account `json:"account"`
	How     string  `json:"how"` // "release approval", "release approval on its page" or "review of 3f2c1e9"
}

// Ignored is a statement that does not count.
type Ignored struct {
	Approval Approval `json:"approval"`
	Why      string   `json:"why"`
	Unread   bool     `json:"unread,omitempty"`
}

// Ineligible is somebody who cannot help this release.
type Ineligible struct {
	Account Account `json:"account"`
	Why     string  `json:"why"`
}

// Check finds a check by name.
func (d Decision) Check(name CheckName) (Check, bool) {
	for _, c := range d.Checks {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}

// WouldSign reports whether a policy that only audits is all that stands in the way.
func (d Decision) WouldSign() bool {
	for _, c := range d.Checks {
		if c.Outcome != Granted && c.Name != CheckPolicy {
			return false
		}
	}
	return d.Audit && len(d.Checks) > 0
}

// Ends is the state in which the decision ends the request, or "".
func (d Decision) Ends() State {
	for _, c := range d.Checks {
		if c.Outcome != Granted && c.Ends != "" {
			return c.Ends
		}
	}
	return ""
}

// Unread reports whether the decision waits for something that could not be read.
func (d Decision) Unread() bool {
	for _, c := range d.Checks {
		if c.Outcome == Waiting && c.Unread {
			return true
		}
	}
	return false
}
