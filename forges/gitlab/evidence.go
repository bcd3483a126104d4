package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// Evidence reads everything that needs asks for, once.
func (f *Forge) Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence {
	ev := gate.Evidence{
		ReadAt: f.now(), Comments: map[gate.CommentRef]gate.Fact[gate.Comment]{},
		Roles: map[gate.AccountID]gate.Fact[gate.Member]{},
	}
	if r.Repository.Forge != f.forge {
		return unread(ev, needs, fmt.Errorf("repository %s at forge %s: %w", r.Repository, f.forge, errUnexpected))
	}
	if len(needs.Comments) > 0 {
		ctx = forges.Final(ctx) // there are approvals: a signature may follow from this reading
	}
	s := f.session(r.Repository)
	s.look, s.noReviews = &look{sent: make(chan struct{})}, needs.NoReviews
	s.teams.wanted, s.teams.whole, s.everybody = needs.Teams, needs.Candidates, needs.Candidates
	ev.Candidates = gate.Unknown[[]gate.Member]("nobody asked for them")
	ev.Checks = gate.Unknown[[]gate.CommitCheck]("the policy names none")
	ev.Owners = gate.Unknown[gate.OwnersFile]("the policy does not ask for it")
	ev.Thread = gate.Unknown[[]gate.Comment]("nobody asked for it")
	var wg sync.WaitGroup
	wg.Go(func() { ev.Ref = s.readRef(ctx, r.Ref) })
	wg.Go(func() { ev.TagProtection = s.readTagProtection(ctx, r.Ref) })
	wg.Go(func() {
		s.readOrigin(ctx, r, needs, &ev)
		s.readVoices(ctx, needs, &ev) // most of whom the origin's reading named
	})
	if len(needs.Checks) > 0 {
		wg.Go(func() { ev.Checks = s.readChecks(ctx, r.Commit, needs.Checks) })
	}
	if needs.Owners {
		wg.Go(func() { ev.Owners = s.readOwners(ctx, needs.Since) })
	}
	if needs.Candidates {
		wg.Go(func() { ev.Candidates = s.readCandidates(ctx) })
	}
	wg.Wait()
	p, err := s.readProject(ctx)
	if err != nil {
		return unread(ev, needs, err)
	}
	ev.Repository = gate.Known(s.facts(p))
	s.keepTier(ctx)
	return ev
}

// unread is evidence of a project that could not be read at all.
func unread(ev gate.Evidence, needs gate.Needs, err error) gate.Evidence {
	cause := "the project could not be read: " + why(err)
	ev = gate.Evidence{
		ReadAt: ev.ReadAt, Comments: map[gate.CommentRef]gate.Fact[gate.Comment]{}, Roles: map[gate.AccountID]gate.Fact[gate.Member]{},
	}
	ev.Repository = gate.Unknown[gate.RepositoryFacts](cause)
	ev.Ref = gate.Unknown[gate.RefFacts](cause)
	ev.Commit = gate.Unknown[gate.Commit](cause)
	ev.Branch = gate.Unknown[gate.BranchFacts](cause)
	ev.TagProtection = gate.Unknown[gate.Protection](cause)
	ev.Changes = gate.Unknown[[]gate.Change](cause)
	ev.Candidates = gate.Unknown[[]gate.Member](cause)
	ev.Checks = gate.Unknown[[]gate.CommitCheck](cause)
	ev.Owners = gate.Unknown[gate.OwnersFile](cause)
	ev.Thread = gate.Unknown[[]gate.Comment](cause)
	for _, ref := range needs.Comments {
		ev.Comments[ref] = gate.Unknown[gate.Comment](cause)
	}
	for _, id := range needs.Accounts {
		ev.Roles[id] = gate.Unknown[gate.Member](cause)
	}
	return ev
}

// readOrigin reads where the commit comes from: its branch, the changes, itself.
func (s *session) readOrigin(ctx context.Context, r gate.Request, needs gate.Needs, ev *gate.Evidence) {
	h, lost := s.readHistory(ctx, r.Commit, needs.Since)
	s.send(ctx, s.foresee(ctx, r, needs, h, lost))
	p, err := s.readProject(ctx)
	if err != nil { // then nothing of the project counts
		return
	}
	ev.Branch = s.readBranchOf(ctx, r, needs.Branches, p)
	b, _ := ev.Branch.Get()
	var commits map[string]gate.Commit
	if lost != nil {
		ev.Changes = unknown[[]gate.Change](lost)
	} else {
		ev.Changes, commits = s.readChanges(ctx, h, needs, b.Name)
	}
	if c, ok := commits[r.Commit]; ok {
		ev.Commit = gate.Known(c)
		return
	}
	ev.Commit = s.readRelease(ctx, r.Commit, needs.Branches, b.Name)
}

// foresee says what a reading will need, as far as that is known before: the rest is read
// when it is needed.
func (s *session) foresee(ctx context.Context, r gate.Request, needs gate.Needs, h history, lost error) asks {
	a := asks{thread: needs.Thread}
	for _, ref := range needs.Comments {
		if ref.Thread != needs.Thread && ref.Repository == s.repo && ref.ID > 0 {
			a.comments = append(a.comments, ref)
		}
	}
	if own, ok := strings.CutPrefix(r.Ref, "refs/heads/"); ok && !strings.Contains(own, "..") && matches(needs.Branches, own) {
		a.branch = own
	}
	if lost != nil {
		return a
	}
	branch := a.branch
	if branch == "" {
		branch = s.likely(h, needs.Branches)
		a.branch = branch
	}
	commits := h.commits()
	if all, ok := s.memory.owned.get(line{s.repo.ID, h.since, h.head, branch}); ok {
		for _, m := range all {
			a.plain, commits = append(a.plain, m.IID), append(commits, m.final...)
			a.guess(m.mergeRequest, r)
		}
	} else if listed(h, branch) {
		rows, _ := s.landedOn(ctx, h, branch) // what fails is told when it is needed
		for _, m := range rows {
			a.guess(m, r)
			if _, in := h.commit[m.SHA]; in {
				a.plain = append(a.plain, m.IID)
			} else {
				a.squashed = append(a.squashed, m.IID)
			}
		}
	}
	a.authors, _ = s.unlearned(commits)
	return a
}

// likely is the branch where a tag's release was found before, or else the default one as
// it was last seen.
func (s *session) likely(h history, wanted []gate.Matcher) string {
	branch, ok := s.memory.home.get(span{s.repo.ID, h.since, h.head})
	if !ok {
		branch, _ = s.memory.mains.get(s.repo.ID)
	}
	if branch == "" || strings.Contains(branch, "..") || !matches(wanted, branch) {
		return ""
	}
	return branch
}

// readRelease is the release's commit where it belongs to none of the changes, as
// when an earlier release is signed again.
func (s *session) readRelease(ctx context.Context, sha string, wanted []gate.Matcher, branch string) gate.Fact[gate.Commit] {
	row, err := s.readCommit(ctx, sha)
	if err != nil {
		return unknown[gate.Commit](err)
	}
	o := &owners{of: map[string]bool{}, found: map[int64]*merged{}}
	if err := s.findOwner(ctx, row, wanted, branch, o); err != nil {
		return unknown[gate.Commit](err)
	}
	s.learnAuthors(ctx, []commit{row})
	var m mergeRequest
	if found := o.index()[sha]; found != nil {
		m = found.mergeRequest
	}
	return gate.Known(s.toCommit(ctx, row, m))
}

// readVoices reads the approvals' comments again, and the rights of those who
// wrote them.
func (s *session) readVoices(ctx context.Context, needs gate.Needs, ev *gate.Evidence) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	ids := slices.Clone(needs.Accounts)
	thread := map[gate.CommentRef]gate.Comment{}
	if needs.Thread.Number == 0 {
		s.glance(ctx)
	} else {
		ev.Thread = s.readThread(ctx, needs.Thread, needs.ThreadSince)
		all, _ := ev.Thread.Get()
		for _, c := range all {
			thread[c.Ref] = c
		}
	}
	for _, ref := range needs.Comments {
		wg.Go(func() {
			c, read := thread[ref]
			fact := gate.Known(c)
			if !read {
				fact = s.readComment(ctx, ref)
			}
			mu.Lock()
			defer mu.Unlock()
			ev.Comments[ref] = fact
			if c, ok := fact.Get(); ok && !slices.Contains(ids, c.Author.ID) {
				ids = append(ids, c.Author.ID)
			}
		})
	}
	wg.Wait()
	ev.Roles = s.readRoles(ctx, ids)
}
