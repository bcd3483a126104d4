package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// evidence is what a forge would tell of the trial.
func (b *builder) evidence() gate.Evidence {
	ref := gate.RefFacts{Ref: b.Ref, Commit: b.commit, Tagger: gate.Absent[gate.Account]("a branch")}
	if strings.HasPrefix(b.Ref, "refs/tags/") {
		ref.Tagger = gate.Known(b.account(b.Tagger))
	}
	e := gate.Evidence{
		ReadAt: b.At.Add(-time.Second),
		Repository: gate.Known(gate.RepositoryFacts{
			ID: gate.RepositoryID{Forge: b.forge(), ID: 1}, Owner: gate.AccountID{Forge: b.forge(), ID: 1}, FullName: trialFullName, DefaultBranch: b.where.DefaultBranch,
		}),
		Ref: gate.Known(ref), Branch: b.branch(), TagProtection: gate.Absent[gate.Protection]("none is asked for"),
		Comments: map[gate.CommentRef]gate.Fact[gate.Comment]{}, Roles: map[gate.AccountID]gate.Fact[gate.Member]{},
		Checks: gate.Known(b.checks()), Owners: gate.Absent[gate.OwnersFile]("the cases have none"),
	}
	if b.cast.CodeOwners != "" {
		e.Owners = gate.Known(gate.OwnersFile{Path: "CODEOWNERS", Commit: commitOf("baseline"), Content: []byte(b.cast.CodeOwners)})
	}
	changes := []gate.Change{}
	release := gate.Commit{SHA: b.commit, ByForge: true, Title: "baseline"}
	for n := range b.Changes {
		changes = append(changes, b.change(n))
		commits := changes[n].Commits
		release = commits[len(commits)-1]
	}
	e.Changes, e.Commit = gate.Known(changes), gate.Known(release)
	var members []gate.Member
	for _, name := range b.people() {
		m := b.member(name)
		members = append(members, m)
		e.Roles[m.Account.ID] = gate.Known(m)
	}
	e.Candidates = gate.Known(members)
	return e
}

// people are all that the cast and the case name, in one order.
func (b *builder) people() []string {
	out := []string{b.By, b.Tagger}
	for name := range b.cast.Rights {
		out = append(out, name)
	}
	for _, team := range b.cast.Teams {
		out = append(out, team...)
	}
	for _, c := range b.Changes {
		out = append(out, slices.Concat(c.Authors, c.Pushers, c.Reviewers)...)
	}
	out = append(out, b.Approvals...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *builder) branch() gate.Fact[gate.BranchFacts] {
	if b.Off {
		return gate.Absent[gate.BranchFacts]("the case says so")
	}
	p := b.Protection
	facts := gate.BranchFacts{Name: b.Branch, Head: b.commit}
	reviews := b.stream.MinReviews
	if p.Reviews != nil {
		reviews = *p.Reviews
	}
	push := p.Push
	if len(push) == 0 {
		push = []string{"nobody"}
	}
	switch {
	case p.None:
		facts.Protection = gate.Absent[gate.Protection]("the case says so")
	case p.Unread:
		facts.Protection = gate.Unknown[gate.Protection]("the case says so")
	default:
		facts.Protection = gate.Known(gate.Protection{
			Ref: "refs/heads/" + b.Branch, Sources: []string{"the case"}, Reviews: gate.Known(reviews),
			ForcePush: gate.Known(p.ForcePush), Deletion: gate.Known(p.Deletion), AdminsEnforced: gate.Known(!p.Exempt),
			Push: gate.Known(push), Bypass: gate.Known(p.Bypass),
		})
	}
	return gate.Known(facts)
}

func (b *builder) checks() []gate.CommitCheck {
	if b.Checks != nil {
		return b.Checks
	}
	out := []gate.CommitCheck{}
	for _, name := range b.stream.Checks {
		out = append(out, gate.CommitCheck{Name: name, Done: true, Passed: true, By: "the case"})
	}
	return out
}

// change is one PR/MR that the forge merged at its head, or one direct push.
func (b *builder) change(n int) gate.Change {
	t := b.Changes[n]
	merged := b.At.Add(-3 * time.Hour)
	c := gate.Change{
		Number: t.Number, Title: fmt.Sprintf("Change %d", n+1), Head: commitOf(fmt.Sprintf("head of %d", n)), MergedAt: merged,
		Opener: gate.Absent[gate.Account]("a direct push"), Merger: gate.Absent[gate.Account]("the case does not say"),
		Pushers: gate.Known(b.accounts(slices.Concat(t.Authors, t.Pushers))), Paths: gate.Known(slices.Concat([]string{}, t.Paths)),
	}
	c.Commits = []gate.Commit{b.work(t, c.Head)}
	reviews := []gate.Review{}
	for _, r := range t.Reviewers {
		reviews = append(reviews, gate.Review{
			By: b.account(r), Approved: true, Commit: c.Head, At: merged.Add(-time.Minute), Role: gate.Known(b.role(r)),
		})
	}
	c.Reviews = gate.Known(reviews)
	if t.Merger != "" {
		c.Merger = gate.Known(b.account(t.Merger))
	}
	if t.Number != 0 {
		c.Opener = gate.Unknown[gate.Account]("the case names nobody")
		if len(t.Authors) > 0 {
			c.Opener = gate.Known(b.account(t.Authors[0]))
		}
		c.MergeCommit = commitOf(fmt.Sprintf("merge of %d", n))
		c.Commits = append(c.Commits, gate.Commit{SHA: c.MergeCommit, Parents: []string{commitOf("baseline"), c.Head}, Title: "Merge", ByForge: true})
	}
	return c
}

// work is the change's own commit, by all of its authors.
func (b *builder) work(t TrialChange, sha string) gate.Commit {
	out := gate.Commit{SHA: sha, Parents: []string{commitOf("baseline")}, Title: "Work"}
	for i, name := range t.Authors {
		part := gate.PartCoAuthor
		if i == 0 {
			part = gate.PartAuthor
		}
		out.People = append(out.People, gate.Person{Part: part, Account: gate.Known(b.account(name)), Name: name})
	}
	for _, name := range t.Unlinked {
		out.People = append(out.People, gate.Person{Part: gate.PartCoAuthor, Account: gate.Absent[gate.Account]("no account has the address"), Name: name})
	}
	return out
}
