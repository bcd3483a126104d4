package store

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// sweptAtOnce is how many expired sessions go with one that is saved.
const sweptAtOnce = 20

// Sessions keeps the sessions of people who signed in: it is a CtxStore of
// github.com/alexedwards/scs/v2. What it calls a token is what it is given, which is to be
// a token's hash (SessionManager.HashTokenInStore). Tokens appear in no error. Errors are
// *gate.Error: CodeStoreUnavailable where the database does not answer.
type Sessions struct{ s *Store }

// Sessions is the part of the store that keeps sessions.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// FindCtx reads a session's data; ok is false where there is none, or it has expired.
func (n Sessions) FindCtx(ctx context.Context, token string) (data []byte, ok bool, err error) {
	if !storable(token) {
		return nil, false, nil
	}
	data, err = n.s.read().Session(ctx, db.SessionParams{Token: token, Now: n.s.now().UnixMicro()})
	ok, err = found(err)
	return data, ok, fault("read a session", err)
}

// CommitCtx saves a session's data, in place of what there was, and sweeps some of the
// sessions that have expired. It is durable when CommitCtx returns.
func (n Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if token == "" || !storable(token) {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "the session's token cannot be stored",
			Expected: "printable text", Got: "something else", Fix: "sign in again",
		}
	}
	return n.s.transact(ctx, "save a session", func(ctx context.Context, u *unit) error {
		if err := u.sweepSessions(ctx, n.s.now()); err != nil {
			return err
		}
		return u.q.SaveSession(ctx, db.SaveSessionParams{
			Token: token, Data: append([]byte{}, data...), ExpiresAt: expiry.UnixMicro(),
		})
	})
}

func (u *unit) sweepSessions(ctx context.Context, now time.Time) error {
	tokens, err := u.q.ExpiredSessionsSkipLocked(ctx, db.ExpiredSessionsSkipLockedParams{
		Now: now.UnixMicro(), Most: sweptAtOnce,
	})
	if err != nil {
		return fmt.Errorf("look for sessions that have expired: %w", err)
	}
	for _, token := range tokens {
		if err := u.q.EndSession(ctx, token); err != nil {
			return fmt.Errorf("end a session that has expired: %w", err)
		}
	}
	return nil
}

// DeleteCtx ends a session, if there is one.
func (n Sessions) DeleteCtx(ctx context.Context, token string) error {
	if !storable(token) {
		return nil
	}
	return n.s.transact(ctx, "end a session", func(ctx context.Context, u *unit) error {
		return u.q.EndSession(ctx, token)
	})
}

// Find is FindCtx for a caller without a context.
func (n Sessions) Find(token string) ([]byte, bool, error) {
	return n.FindCtx(context.Background(), token)
}

// Commit is CommitCtx for a caller without a context.
func (n Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return n.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx for a caller without a context.
func (n Sessions) Delete(token string) error { return n.DeleteCtx(context.Background(), token) }
