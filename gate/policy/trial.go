package policy

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// Trials are made-up releases, judged without a forge to see what a policy does.
type Trials struct {
	Cast  Cast
	Cases []Trial
}

// Cast is who and what is there in all of the cases.
type Cast struct {
	// Rights are people's rights in the repository; who is not listed may write.
	Rights map[string]gate.Role
	// Machines are the bots and apps among them.
	Machines map[string]bool
	// Teams lists the people of each team, spelled as in the policy.
	Teams map[string][]string
	// CodeOwners is the code owners' file from before the changes; "" for none.
	CodeOwners string
}

// Trial is one made-up release, and what is expected of it. What it leaves out is as the
// policy asks for it, so that a case says only what it is about.
type Trial struct {
	Name string
	// Forge is the kind it is for; "" for any that the policy is for.
	Forge gate.ForgeKind

	Stream string // by name; "" for the one that ref and job choose
	Ref    string // full ref
	Branch string // that holds the commit; "" for the ref itself, or the default branch
	Event  string

	Workflow    string // GitHub: path of the file
	Uses        *gate.ReusableWorkflow
	Job         string
	Runner      string
	Environment string
	By          string // who started the run; "" for somebody else
	Tagger      string // who made the tag; "" for By
	At          time.Time
	Subjects    []string

	// Off is true where the commit is on none of the branches.
	Off        bool
	Protection TrialProtection
	Checks     []gate.CommitCheck // nil: those of the policy, passed
	Changes    []TrialChange
	Approvals  []string
	Denials    []string
	Holds      []string

	Expect gate.Outcome
	// Because is the check that says no; "" for whichever does.
	Because gate.CheckName
}

// TrialProtection is how the branch is protected. The zero value is as the policy asks.
type TrialProtection struct {
	None, Unread        bool
	Reviews             *int // nil: as many as the policy asks for
	ForcePush, Deletion bool // allowed
	Exempt              bool // administrators
	Bypass, Push        []string
}

// TrialChange is a PR/MR or, without a number, a direct push.
type TrialChange struct {
	Number    int64
	Authors   []string // the first opened it, or pushed it
	Unlinked  []string // names on its commits that belong to no account
	Pushers   []string // beside the authors
	Merger    string
	Reviewers []string // who approved its final head before the merge
	Paths     []string
}

// Verdict is what came of a trial.
type Verdict struct {
	Name     string          `json:"name"`
	Forge    gate.ForgeKind  `json:"forge"`
	OK       bool            `json:"ok"`
	Expected gate.Outcome    `json:"expected"`
	Because  gate.CheckName  `json:"because,omitempty"`
	Got      gate.Outcome    `json:"got"`
	Checks   []gate.Check    `json:"checks"` // those that do not grant
	Coverage []gate.Coverage `json:"-"`
}

// Try judges the cases that are for the origin's forge, under a policy that was parsed for
// it. A policy that only audits is tried as if it were enforced. Errors are of a code
// owners' file that does not read.
func (ts Trials) Try(p gate.Policy, where Origin) ([]Verdict, error) {
	p.Mode = gate.Enforce
	var out []Verdict
	for _, t := range ts.Cases {
		if t.Forge != "" && t.Forge != where.Kind {
			continue
		}
		c, at, refused, err := ts.Cast.Case(t, p, where)
		if err != nil {
			return nil, err
		}
		v := Verdict{Name: t.Name, Forge: where.Kind, Expected: t.Expect, Because: t.Because}
		if refused != nil {
			v.Got, v.Checks = gate.Denied, []gate.Check{*refused}
		} else {
			d := gate.Decide(c, at)
			v.Got, v.Coverage = d.Outcome, d.Coverage
			for _, check := range d.Checks {
				if check.Outcome != gate.Granted {
					v.Checks = append(v.Checks, check)
				}
			}
		}
		v.OK = v.Got == t.Expect && (t.Because == "" || v.says(t.Because))
		out = append(out, v)
	}
	return out, nil
}

func (v Verdict) says(name gate.CheckName) bool {
	for _, c := range v.Checks {
		if c.Name == name {
			return true
		}
	}
	return false
}
