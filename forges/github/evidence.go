package github

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// Evidence reads everything that needs asks for. What could not be read is unknown,
// with the reason; if the repository itself cannot, everything is.
func (f *Forge) Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence {
	e := gate.Evidence{ReadAt: f.cfg.Now()}
	if len(needs.Comments) > 0 {
		ctx = forges.Final(ctx) // there are approvals: a signature may follow from this reading
	}
	rd := &reading{request: r, needs: needs, members: map[int64]func() gate.Fact[gate.Member]{}}
	if err := rd.begin(ctx, f); err != nil {
		return blind(e, needs, err)
	}
	e.Repository = gate.Known(rd.facts)
	if !isSHA(r.Commit) {
		const odd = "the request's commit is no full SHA"
		e.Commit, e.Branch, e.Changes = gate.Unknown[gate.Commit](odd), gate.Unknown[gate.BranchFacts](odd), gate.Unknown[[]gate.Change](odd)
		return e
	}
	var all sync.WaitGroup
	all.Go(func() { e.Ref = rd.ref(ctx) })
	all.Go(func() { e.TagProtection = rd.tagProtection(ctx) })
	all.Go(func() { e.Candidates = rd.candidates(ctx) })
	all.Go(func() { e.Checks = rd.checks(ctx) })
	all.Go(func() { e.Owners = rd.owners(ctx) })
	all.Go(func() {
		said := rd.readThread(ctx)
		e.Thread = said.fact
		e.Comments, e.Roles = rd.commentsAndRoles(ctx, said)
	})
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
	// snap is nil where it could not be taken, for snapErr.
	snap    *snapshot
	snapErr error

	logOnce sync.Once
	log     wholeLog

	mu      sync.Mutex // guards what follows
	members map[int64]func() gate.Fact[gate.Member]
	shown   map[string]func() error // teams
}

// begin finds the repository and takes the snapshot. Where the repository's name is known
// from before, the snapshot itself tells whether it still is that of the number.
func (rd *reading) begin(ctx context.Context, f *Forge) error {
	if repo, ok := f.reachable(ctx, rd.request.Repository); ok && isSHA(rd.request.Commit) {
		rd.repository = repo
		if rd.take(ctx) == nil {
			return nil
		}
	}
	repo, err := f.open(ctx, rd.request.Repository, rd.request.RepositoryName)
	if err != nil {
		return err
	}
	rd.repository = repo
	if isSHA(rd.request.Commit) {
		rd.snapErr = rd.take(ctx)
	}
	return nil
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
	e.Checks, e.Owners = gate.Unknown[[]gate.CommitCheck](reason), gate.Unknown[gate.OwnersFile](reason)
	e.Thread = gate.Unknown[[]gate.Comment](reason)
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
func (rd *reading) commentsAndRoles(ctx context.Context, said talk) (map[gate.CommentRef]gate.Fact[gate.Comment], map[gate.AccountID]gate.Fact[gate.Member]) {
	var mu sync.Mutex
	comments := map[gate.CommentRef]gate.Fact[gate.Comment]{}
	roles := map[gate.AccountID]gate.Fact[gate.Member]{}
	role := func(who gate.Account) {
		m := rd.withTeams(ctx, rd.member(ctx, who))
		mu.Lock()
		defer mu.Unlock()
		roles[who.ID] = m
	}
	var all sync.WaitGroup
	for _, ref := range rd.needs.Comments {
		all.Go(func() {
			c := rd.readComment(ctx, ref, said)
			mu.Lock()
			comments[ref] = c
			mu.Unlock()
			if known, ok := c.Get(); ok && known.Author.ID.ID > 0 {
				role(known.Author)
			}
		})
	}
	all.Wait() // most accounts asked for are those of the comments, with a name by now
	for _, id := range rd.needs.Accounts {
		all.Go(func() { role(gate.Account{ID: id}) })
	}
	all.Wait()
	return maps.Clone(comments), maps.Clone(roles)
}

// readComment reads a comment again, out of the thread or the snapshot where they have it.
func (rd *reading) readComment(ctx context.Context, ref gate.CommentRef, said talk) gate.Fact[gate.Comment] {
	if ref.Thread == rd.needs.Thread && ref.Repository == rd.facts.ID && said.fact.IsKnown() {
		if c, has := said.all[ref.ID]; has {
			return gate.Known(c)
		}
		if said.whole {
			return gate.Absent[gate.Comment]("the comment was deleted")
		}
	}
	read := func() (gate.Fact[gate.Comment], error) { return rd.comment(ctx, ref) }
	if rd.snap != nil && rd.snap.comments[ref.ID].node != nil {
		read = func() (gate.Fact[gate.Comment], error) {
			x := rd.snap.comments[ref.ID]
			return rd.again(ref, x.node, x.kept)
		}
	}
	c, err := read()
	if err != nil {
		return gate.Unknown[gate.Comment](why(err))
	}
	return c
}
