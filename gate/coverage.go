package gate

import (
	"fmt"
	"slices"
	"strings"
)

// weighed is a change with its authors, which are collected once.
type weighed struct {
	Change
	authors Authors
	counts  bool // it is part of the stream, or may be
	certain bool // it is known to be part of the stream
}

// weigh looks at every change once. The strict separation also wants to know who
// wrote any of them.
func (j *judge) weigh() {
	changes, _ := j.c.Evidence.Changes.Get()
	for _, c := range changes {
		w := weighed{Change: c}
		w.counts, w.certain = j.inStream(c)
		if w.counts || j.strict() {
			w.authors = AuthorsOf(c)
		}
		j.set = append(j.set, w)
		if j.strict() {
			j.everyone.join(w.authors, j.called(c))
		}
	}
}

func (j *judge) strict() bool { return j.stream.Separation != EachChange }

// inStream leaves out only what is known to touch nothing of a monorepo's stream.
func (j *judge) inStream(c Change) (counts, certain bool) {
	if len(j.stream.Paths) == 0 {
		return true, true
	}
	paths, ok := c.Paths.Get()
	if !ok {
		return true, false
	}
	for _, p := range paths {
		if matchAny(j.stream.Paths, p) || matchAny(j.stream.Shared, p) {
			return true, true
		}
	}
	return false, false
}

// cover finds, for every change of the stream, who covers it: somebody outside
// its AUTHORS who approved the release, or who reviewed the change at its final
// head before the merge (I5).
func (j *judge) cover() []Coverage {
	var out []Coverage
	for _, change := range j.set {
		if change.counts {
			out = append(out, j.coverOne(change))
		}
	}
	return out
}

func (j *judge) coverOne(change weighed) Coverage {
	authors := change.authors
	if authors.unread == "" {
		authors.unread = j.everyone.unread
	}
	cov := Coverage{
		Number: change.Number, Called: j.called(change.Change), Head: change.Head, Title: change.Title, URL: change.URL,
		Authors: authors.list(), Unlinked: authors.unlinked,
	}
	outside := func(id AccountID) bool {
		_, own := authors.Include(id)
		_, wrote := j.everyone.Include(id)
		return !own && !wrote
	}
	for _, a := range j.counted {
		if outside(a.By.ID) {
			cov.cover(a.By, a.how())
		}
	}
	if j.stream.ReviewsCount {
		for _, r := range j.reviews(change.Change) {
			if outside(r.By.ID) {
				cov.cover(r.By, "review of "+ShortCommit(r.Commit))
			}
		}
	}
	needed := 1
	if len(authors.unlinked) > 0 {
		needed = j.asked() + 1
	}
	short := needed - len(cov.By)
	alone := change.byMachine() && len(cov.By) > 0 && !second(change, cov)
	if alone {
		short = max(short, 1)
	}
	cov.Covered = authors.unread == "" && short <= 0
	cov.Unread = authors.unread != ""
	if cov.Covered {
		return cov
	}
	cov.Missing = missing(authors, short)
	if !cov.Unread {
		cov.People = short
	}
	if alone && !cov.Unread {
		cov.Missing += fmt.Sprintf(" (beside @%s, because a machine opened it)", cov.By[0].Account.Login)
	}
	return cov
}

// how names an approval by where it was made.
func (a Approval) how() string {
	if a.Page {
		return "release approval on its page"
	}
	return "release approval"
}

// byMachine reports whether a machine opened the change, or pushed it directly. Nobody can
// tell who told the machine to, so one person alone never lets its work pass (attack 89).
func (c Change) byMachine() bool {
	if opener, ok := c.Opener.Get(); ok && !c.Direct() {
		return !opener.Human
	}
	pushers, _ := c.Pushers.Get()
	return c.Direct() && slices.ContainsFunc(pushers, func(p Account) bool { return !p.Human })
}

// second reports whether two people stand for a machine's change: two who cover it, or one
// who does and another who had it merged. That one may be an author of it: what counts is
// that the forge saw two people act.
func second(change weighed, cov Coverage) bool {
	if len(cov.By) > 1 {
		return true
	}
	merger, ok := change.Merger.Get()
	return ok && merger.Human && merger.ID.numbered() && merger.ID != cov.By[0].Account.ID
}

// cover adds a person once, however many ways they cover the change (attack 55).
func (c *Coverage) cover(who Account, how string) {
	for _, x := range c.By {
		if x.Account.ID == who.ID {
			return
		}
	}
	c.By = append(c.By, CoveredBy{Account: who, How: how})
}

// asked is how many people the policy asks for.
func (j *judge) asked() int {
	n := 0
	for _, g := range j.stream.Approvals {
		n += g.Count
	}
	return max(n, 1)
}

func missing(a Authors, n int) string {
	if a.unread != "" {
		return a.unread
	}
	var names []string
	for _, h := range a.hands {
		names = append(names, "@"+h.account.Login)
	}
	who := "someone"
	if n > 1 {
		who = fmt.Sprintf("%d people", n)
	}
	if len(names) > 0 {
		who += " other than " + strings.Join(names, ", ")
	}
	if len(a.unlinked) > 0 {
		who += fmt.Sprintf(" (one more because %s belongs to no account here)", strings.Join(a.unlinked, ", "))
	}
	return who
}

// reviews are the reviews that may cover the change: approving, by a person who
// may write, at the final head (attack 56), before the merge.
func (j *judge) reviews(c Change) []Review {
	all, _ := c.Reviews.Get()
	var out []Review
	for _, r := range all {
		role, known := r.Role.Get()
		switch {
		case c.Direct(), !r.Approved, !r.By.Human, !r.By.ID.numbered(), !known, role < RoleWrite:
		case r.Commit == "" || r.Commit != c.Head:
		case c.MergedAt.IsZero() || r.At.IsZero() || r.At.After(c.MergedAt):
		default:
			out = append(out, r)
		}
	}
	return out
}

// reachesCommit reports whether the changes account for the commit that is released.
// A list without it is no list of its changes, however complete it looks; only what
// was released before has none.
func (j *judge) reachesCommit(changes []Change) bool {
	if slices.Contains(j.c.Released, j.c.Request.Commit) {
		return true
	}
	for _, ch := range changes {
		if slices.ContainsFunc(ch.Commits, func(c Commit) bool { return c.SHA == j.c.Request.Commit }) {
			return true
		}
	}
	return false
}

// older reports whether a branch is asked to be released as it was before its newest
// release: an old run that was run again (attack 16). Released lists the newest first.
func (j *judge) older() bool {
	i := slices.Index(j.c.Released, j.c.Request.Commit)
	return i > 0 && !j.c.Request.IsTag() && j.c.Released[0] != j.c.Request.Commit
}

func (j *judge) covered() Check {
	f := j.c.Evidence.Changes
	const what = "what changed since the last signed release"
	changes, ok := f.Get()
	switch {
	case !ok:
		return unread(CheckCoverage, what, f.Why())
	case j.older():
		commit := ShortCommit(j.c.Request.Commit)
		return Check{
			Name: CheckCoverage, Outcome: Denied, Ends: StateDenied, Expected: "the newest release's commit, or a later one", Got: commit,
			Reason: commit + " was released before, and later ones since",
			Fix:    "release the branch's newest commit, or make a tag for an old one",
		}
	case !j.reachesCommit(changes):
		return unread(CheckCoverage, what, ShortCommit(j.c.Request.Commit)+" is in no change, and was not released before")
	}
	var open []string
	stuck := true // waits for reading alone
	for _, c := range j.coverage {
		if c.Covered {
			continue
		}
		open = append(open, fmt.Sprintf("%s: needs %s", c.Label(), c.Missing))
		stuck = stuck && c.Unread
	}
	if len(open) > 0 {
		return Check{
			Name: CheckCoverage, Outcome: Waiting, Unread: stuck,
			Reason: fmt.Sprintf("%s not yet covered: %s", share(len(open), len(j.coverage)), strings.Join(open, "; ")),
			Fix:    "somebody who did not write it approves: " + j.wayToApprove(),
		}
	}
	switch n := len(j.coverage); n {
	case 0:
		return granted(CheckCoverage, "nothing of this stream changed since it was released last")
	case 1:
		return granted(CheckCoverage, "the one change is covered by somebody who did not write it")
	default:
		return granted(CheckCoverage, "all %d changes are covered by somebody who did not write them", n)
	}
}

// share counts some changes of all: "1 of 3 changes", "3 changes" where it is all of them.
func share(some, all int) string {
	switch {
	case some < all:
		return fmt.Sprintf("%d of %d changes", some, all)
	case all == 1:
		return "1 change"
	}
	return fmt.Sprintf("%d changes", all)
}

// Label names the change to people: "3f2c1e9 by @ana (#412)".
func (c Coverage) Label() string {
	s := ShortCommit(c.Head)
	var names []string
	for _, a := range c.Authors {
		names = append(names, "@"+a.Account.Login)
	}
	names = append(names, c.Unlinked...)
	if len(names) > 0 {
		s += " by " + strings.Join(names, ", ")
	}
	if c.Number != 0 {
		s += " (" + c.Called + ")"
	}
	return s
}

// called is a change in its forge's own spelling.
func (j *judge) called(c Change) string {
	switch {
	case c.Direct():
		return ShortCommit(c.Head)
	case j.c.Request.Workload.Kind == GitLab:
		return fmt.Sprintf("!%d", c.Number)
	}
	return fmt.Sprintf("#%d", c.Number)
}
