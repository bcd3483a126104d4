package github

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/countersign/countersign/gate"
)

// Evidence reads everything that needs asks for. What could not be read is unknown,
// with the reason; if the repository itself cannot, everything is.
func (f *Forge) Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence {
	e := gate.Evidence{ReadAt: f.cfg.Now()}
	repo, err := f.open(ctx, r.Repository, r.RepositoryName)
	if err != nil {
		return blind(e, needs, err)
	}
	e.Repository = gate.Known(repo.facts)
	if !isSHA(r.Commit) {
		const odd = "the request's commit is no full SHA"
		e.Commit, e.Branch, e.Changes = gate.Unknown[gate.Commit](odd), gate.Unknown[gate.BranchFacts](odd), gate.Unknown[[]gate.Change](odd)
		return e
	}
	rd := &reading{repository: repo, request: r, needs: needs, members: map[int64]func() gate.Fact[gate.Member]{}}
	var all sync.WaitGroup
	all.Go(func() { e.Ref = rd.ref(ctx) })
	all.Go(func() { e.TagProtection = rd.tagProtection(ctx) })
	all.Go(func() { e.Candidates = rd.candidates(ctx) })
	all.Go(func() { e.Comments, e.Roles = rd.commentsAndRoles(ctx) })
	all.Go(func() {
		e.Branch = rd.branchFacts(ctx)
		e.Commit, e.Changes = rd.changes(ctx, e.Branch)
	})
	all.Wait()
	return e
}

// reading is one reading of evidence.
type reading struct {
	*repository
	request gate.Request
	needs   gate.Needs

	mu      sync.Mutex // guards members
	members map[int64]func() gate.Fact[gate.Member]
}

// blind is the evidence of a repository that cannot be opened.
func blind(e gate.Evidence, needs gate.Needs, err error) gate.Evidence {
	reason := "the repository could not be read: " + why(err)
	e.Repository = gate.Unknown[gate.RepositoryFacts](why(err))
	if errors.Is(err, errNotInstalled) {
		e.Repository = gate.Absent[gate.RepositoryFacts](why(err))
	}
	e.Ref = gate.Unknown[gate.RefFacts](reason)
	e.Commit = gate.Unknown[gate.Commit](reason)
	e.Branch = gate.Unknown[gate.BranchFacts](reason)
	e.TagProtection = gate.Unknown[gate.Protection](reason)
	e.Changes = gate.Unknown[[]gate.Change](reason)
	e.Candidates = gate.Unknown[[]gate.Member](reason)
	e.Comments = map[gate.CommentRef]gate.Fact[gate.Comment]{}
	for _, ref := range needs.Comments {
		e.Comments[ref] = gate.Unknown[gate.Comment](reason)
	}
	e.Roles = map[gate.AccountID]gate.Fact[gate.Member]{}
	for _, id := range needs.Accounts {
		e.Roles[id] = gate.Unknown[gate.Member](reason)
	}
	return e
}

// commentsAndRoles reads the comments again, and the rights of everyone whose right
// counts: those asked for, and the comments' authors.
func (rd *reading) commentsAndRoles(ctx context.Context) (map[gate.CommentRef]gate.Fact[gate.Comment], map[gate.AccountID]gate.Fact[gate.Member]) {
	var mu sync.Mutex
	comments := map[gate.CommentRef]gate.Fact[gate.Comment]{}
	roles := map[gate.AccountID]gate.Fact[gate.Member]{}
	role := func(id gate.AccountID) {
		m := rd.member(ctx, id)
		mu.Lock()
		defer mu.Unlock()
		roles[id] = m
	}
	var all sync.WaitGroup
	for _, ref := range rd.needs.Comments {
		all.Go(func() {
			c := rd.comment(ctx, ref)
			mu.Lock()
			comments[ref] = c
			mu.Unlock()
			if known, ok := c.Get(); ok && known.Author.ID.ID > 0 {
				role(known.Author.ID)
			}
		})
	}
	for _, id := range rd.needs.Accounts {
		all.Go(func() { role(id) })
	}
	all.Wait()
	return maps.Clone(comments), maps.Clone(roles)
}
