package store

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// BindToken binds a later use of an ID token to a request: the first use wins, over
// all replicas and for good; the same request again is no error.
func (s *Store) BindToken(ctx context.Context, t gate.TokenUse, request string) error {
	if err := checkToken(t); err != nil {
		return err
	}
	return s.transact(ctx, "bind an ID token to request "+request, func(ctx context.Context, u *unit) error {
		if _, err := u.locked(ctx, request); err != nil {
			return err
		}
		_, err := u.bind(ctx, t, request)
		return err
	})
}

// bind is fresh at the token's first use.
func (u *unit) bind(ctx context.Context, t gate.TokenUse, request string) (fresh bool, err error) {
	n, err := u.q.BindToken(ctx, db.BindTokenParams{
		Issuer: t.Issuer, TokenID: t.ID, RequestID: request, ExpiresAt: micros(t.Expires), BoundAt: u.at,
	})
	if err != nil || n == 1 {
		return n == 1, err
	}
	bound, err := u.q.TokenRequest(ctx, db.TokenRequestParams{Issuer: t.Issuer, TokenID: t.ID})
	if err != nil {
		return false, fmt.Errorf("find an ID token's request: %w", err)
	}
	if bound != request {
		return false, rebound(bound)
	}
	return false, nil
}

// tokenRequest finds the request that an ID token is bound to.
func (u *unit) tokenRequest(ctx context.Context, t gate.TokenUse) (db.Request, bool, error) {
	id, err := u.q.TokenRequest(ctx, db.TokenRequestParams{Issuer: t.Issuer, TokenID: t.ID})
	ok, err := found(err)
	if err != nil || !ok {
		return db.Request{}, false, err
	}
	row, err := u.q.Request(ctx, id)
	if err != nil {
		return db.Request{}, false, fmt.Errorf("read request %s: %w", id, err)
	}
	return row, true, nil
}

// rebound names the request only to the log: who replays a token need not learn it.
func rebound(bound string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeTokenRebound, Text: "this ID token was used for another request",
		Expected: "an ID token for each request", Got: "one that serves another",
		Fix: "ask the CI for a fresh ID token; each serves one request",
		Err: fmt.Errorf("bound to request %s", bound),
	}
}
