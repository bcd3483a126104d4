package web

import (
	"context"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// How the open requests are kept for streams.
const (
	openingsWithin = 5 * time.Second // reading them
	openingsKept   = 1000            // lists, one per repository that somebody follows
)

// openings are the open requests as all streams look at them: read once whenever something
// was stored, however many look.
type openings struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[gate.RepositoryID]opening
}

type opening struct {
	recs  []gate.Record // without their decisions
	woken <-chan struct{}
	at    time.Time
}

func newOpenings(now func() time.Time) *openings {
	return &openings{now: now, kept: map[gate.RepositoryID]opening{}}
}

// fresh reports whether nothing was stored here since o was read, nor, soon enough, elsewhere.
func (o opening) fresh(now time.Time) bool {
	select {
	case <-o.woken:
		return false
	default:
		return o.woken != nil && now.Sub(o.at) < streamPoll
	}
}

// openRequests lists the open requests that q asks for, newest first, at most as many as
// [server.visible] looks at.
func (s *server) openRequests(ctx context.Context, q gate.ListQuery) ([]gate.Record, error) {
	o := s.openings
	o.mu.Lock()
	defer o.mu.Unlock()
	if kept := o.kept[q.Repository]; kept.fresh(o.now()) {
		return kept.recs, nil
	}
	// Whoever leaves meanwhile does not spoil it for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openingsWithin)
	defer cancel()
	read := opening{woken: s.Wake(), at: o.now()}
	q.Open, q.Before, q.Limit = true, "", listBatch
	for range listRounds {
		batch, err := s.Board.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range batch {
			rec.Decision = nil
			read.recs = append(read.recs, rec)
		}
		if len(batch) < q.Limit {
			break
		}
		q.Before = batch[len(batch)-1].Request.ID
	}
	if len(o.kept) >= openingsKept {
		clear(o.kept)
	}
	o.kept[q.Repository] = read
	return read.recs, nil
}

// openSight is the sight of the open requests that somebody may see.
func (s *server) openSight(ctx context.Context, v visitor, q gate.ListQuery) (uint64, error) {
	all, err := s.openRequests(ctx, q)
	if err != nil {
		return 0, err
	}
	private := map[gate.RepositoryID]bool{}
	for _, rec := range all {
		if rec.Request.Private {
			private[rec.Request.Repository] = true
		}
	}
	may := s.mayReadAll(ctx, v, private)
	var seen []gate.Record
	for _, rec := range all {
		if (!rec.Request.Private || may[rec.Request.Repository]) && len(seen) < inboxOpen {
			seen = append(seen, rec)
		}
	}
	return sight(seen...), nil
}
