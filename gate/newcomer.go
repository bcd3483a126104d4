package gate

import (
	"fmt"
	"slices"
	"strings"
)

// Exactly is a [Matcher] of one name or path.
type Exactly string

// Match compares.
func (e Exactly) Match(s string) bool { return s == string(e) }

func (e Exactly) String() string { return string(e) }

// Newcomer is a newer version of a policy file, on its way to be in force.
type Newcomer struct {
	Path string
	// Request stands for the head of the default branch: its repository, owner, ref and
	// commit, and the forge's kind.
	Request Request
	// Evidence was read for it, with the changes since the version in force, their files
	// and reviews.
	Evidence Evidence
}

// Cover says who covers the newer version: for every change of the file since the version
// in force, somebody who did not write it reviewed it before the merge (attacks 75
// and 76). Where that does not hold, why says what is missing.
func (n Newcomer) Cover() (by []Account, why string) {
	j := judge{
		c: Case{Request: n.Request, Evidence: n.Evidence},
		stream: Stream{
			Branches: []Matcher{Exactly(n.Request.ShortRef())}, Paths: []Matcher{Exactly(n.Path)},
			Separation: EachChange, ReviewsCount: true, Approvals: []ApprovalGroup{{From: []Role{RoleWrite}, Count: 1}},
		},
	}
	for _, c := range []Check{j.repository(), j.branch()} {
		if c.Outcome != Granted {
			return nil, c.Reason
		}
	}
	branch, _ := n.Evidence.Branch.Get()
	if weak, bad := j.weakness(branch); bad {
		return nil, weak.Reason
	}
	changes, ok := n.Evidence.Changes.Get()
	switch {
	case !ok:
		return nil, "what changed since the version in force could not be read: " + n.Evidence.Changes.Why()
	case !j.reachesCommit(changes):
		return nil, ShortCommit(n.Request.Commit) + " is in no change since the version in force"
	}
	j.weigh()
	return j.coverFile()
}

// coverFile looks at the changes that touch the file.
func (j *judge) coverFile() (by []Account, why string) {
	var open []string
	touched := false
	for _, change := range j.set {
		switch {
		case change.counts && !change.certain:
			return nil, fmt.Sprintf("the files of %s could not be read: %s", j.called(change.Change), change.Paths.Why())
		case !change.counts:
			continue
		}
		touched = true
		cov := j.coverOne(change)
		if !cov.Covered {
			open = append(open, fmt.Sprintf("%s: needs a review before the merge by %s", cov.Label(), cov.Missing))
		}
		for _, c := range cov.By {
			if !slices.ContainsFunc(by, func(a Account) bool { return a.ID == c.Account.ID }) {
				by = append(by, c.Account)
			}
		}
	}
	switch {
	case len(open) > 0:
		return nil, strings.Join(open, "; ") + "; or an administrator adopts it"
	case !touched:
		return nil, "no change since the version in force touches the file: an administrator has to adopt it"
	}
	return by, ""
}
