package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is PostgreSQL's notification channel between replicas.
const channel = "countersign_work"

// listenPause is how long to wait before listening again after the connection broke.
const listenPause = time.Second

// bell wakes everyone who waits for news.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next ring
}

func newBell() *bell { return &bell{next: make(chan struct{})} }

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// Wake returns a channel that is closed at the next change, of this process or
// another replica, after which there may be something to claim or to show. Take the
// channel, then look, then wait on it: a change in between closes it. It says
// nothing of what comes due with time (leases, deferrals, the next look): wait with
// a timeout too.
func (s *Store) Wake() <-chan struct{} { return s.bell.wait() }

// listen rings for the other replicas' notifications until the store is closed. They
// are hints: while the connection is broken, waiters fall back on their timeouts.
func (s *Store) listen(conf *pgx.ConnConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.stop = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = s.hear(ctx, conf) // nothing to do about it but to try again
			if pause(ctx, listenPause) != nil {
				return
			}
		}
	}()
}

// hear listens on one connection until it breaks.
func (s *Store) hear(ctx context.Context, conf *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, conf.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	s.bell.ring() // for what was missed until now
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		s.bell.ring()
	}
}

// pause waits, or returns ctx's error where it ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
