package web

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// How long what was read of a right is shown by, and how it is bounded.
const (
	rightLife    = time.Minute     // a right that was read
	doubtLife    = 5 * time.Second // one that could not be
	rightWithin  = 5 * time.Second // reading one
	rightsAtOnce = 8               // reads for one page
	rightsKept   = 10_000
)

// readers remembers for a minute who may read what. It decides what is shown and nothing
// else: what somebody does is judged by a right read at that moment.
type readers struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[reading]reader
}

type reading struct {
	who  gate.AccountID
	what gate.RepositoryID
}

type reader struct {
	role  gate.Role
	known bool
	until time.Time
}

func newReaders(now func() time.Time) *readers {
	return &readers{now: now, kept: map[reading]reader{}}
}

func (c *readers) get(k reading) (r reader, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r = c.kept[k]
	return r, c.now().Before(r.until)
}

// put remembers; where too much is remembered, all of it is forgotten.
func (c *readers) put(k reading, role gate.Role, known bool) {
	life := rightLife
	if !known {
		life = doubtLife
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= rightsKept {
		clear(c.kept)
	}
	c.kept[k] = reader{role: role, known: known, until: c.now().Add(life)}
}

// mayRead reports whether somebody may see what the gate knows of a repository. A public
// one's is for everybody, a private one's for the server's administrators and for whoever
// may read it at its forge, as of a minute ago at most. Unknown is no.
func (s *server) mayRead(ctx context.Context, v visitor, r gate.RepositoryID, private bool) bool {
	switch {
	case !private, v.SignedIn && v.Administrator:
		return true
	case !v.SignedIn, v.Account.ID.Forge != r.Forge:
		return false
	}
	role, _ := s.role(ctx, v, r)
	return role >= gate.RoleRead
}

// role is what a visitor may do in a repository of their forge, as of a minute ago at most.
// It is for what is shown; see [server.rightNow] for what is done.
func (s *server) role(ctx context.Context, v visitor, r gate.RepositoryID) (role gate.Role, known bool) {
	k := reading{v.Account.ID, r}
	if kept, fresh := s.readers.get(k); fresh {
		return kept.role, kept.known
	}
	role, known = s.rightNow(ctx, r, v.Account.ID)
	if ctx.Err() == nil {
		s.readers.put(k, role, known)
	}
	return role, known
}

// mayReadAll asks mayRead of many repositories at once.
func (s *server) mayReadAll(ctx context.Context, v visitor, private map[gate.RepositoryID]bool) map[gate.RepositoryID]bool {
	var mu sync.Mutex
	out := make(map[gate.RepositoryID]bool, len(private))
	var group errgroup.Group
	group.SetLimit(rightsAtOnce)
	for r, hidden := range private {
		group.Go(func() error {
			may := s.mayRead(ctx, v, r, hidden)
			mu.Lock()
			defer mu.Unlock()
			out[r] = may
			return nil
		})
	}
	_ = group.Wait() // none fails
	return out
}

// rightNow reads an account's role at the forge. known is false where it could not be read,
// and then there is none.
func (s *server) rightNow(ctx context.Context, r gate.RepositoryID, who gate.AccountID) (role gate.Role, known bool) {
	port := s.Rights[r.Forge]
	if port == nil || who.Forge != r.Forge {
		return gate.RoleNone, false
	}
	ctx, cancel := context.WithTimeout(ctx, rightWithin)
	defer cancel()
	f := port.Right(ctx, r, who)
	m, ok := f.Get()
	if ok && m.Active && m.Account.ID == who {
		return m.Role, true
	}
	return gate.RoleNone, ok || f.IsAbsent()
}
