package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// OpenRequest opens a request, or joins the open one with the same ask, and binds
// the ID token to it. CodeRequestsFull where the repository has too many open. An ID token that was used before is answered with its own
// request, even where that has ended, and refused (CodeTokenRebound) for any other.
// A joined request keeps everything but its actors; o.Posts are only for an opened one.
func (s *Store) OpenRequest(ctx context.Context, o gate.Opening) (gate.Record, bool, error) {
	if err := checkOpening(o); err != nil {
		return gate.Record{}, false, err
	}
	var rec gate.Record
	var joined bool
	err := s.transact(ctx, "open request "+o.Request.ID, func(ctx context.Context, u *unit) error {
		row, fresh, err := s.openOrJoin(ctx, u, o)
		if err != nil {
			return err
		}
		joined = !fresh
		rec, err = record(ctx, u.q, row)
		return err
	})
	return rec, joined, err
}

func checkOpening(o gate.Opening) error {
	switch r := o.Request; {
	case r.ID == "" || r.AskHash == gate.Digest{}:
		return internal("open a request: expected an id and the ask's hash, got %q and %s", r.ID, r.AskHash)
	case len(o.Request.Actors) == 0:
		return internal("open request %s: expected who asks, got nobody", r.ID)
	}
	return checkToken(o.Token)
}

// checkToken refuses what PostgreSQL could not keep as text.
func checkToken(t gate.TokenUse) error {
	if t.Issuer != "" && t.ID != "" && storable(t.Issuer) && storable(t.ID) {
		return nil
	}
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "the ID token has no usable id",
		Expected: "claims iss and jti in printable UTF-8", Got: "one that is empty or has a NUL or broken UTF-8 in it",
		Fix: "ask with an ID token of the CI itself",
	}
}

func storable(s string) bool {
	for _, r := range s {
		if r == 0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

// openOrJoin tries until neither somebody else's ask nor a code that is taken is in
// the way.
func (s *Store) openOrJoin(ctx context.Context, u *unit, o gate.Opening) (row db.Request, fresh bool, err error) {
	if row, ok, err := u.tokenRequest(ctx, o.Token); err != nil || ok {
		if err == nil && row.AskHash != o.Request.AskHash.String() {
			err = rebound(row.ID)
		}
		return row, false, err
	}
	for range codeTries {
		row, err := u.q.OpenByAskForUpdate(ctx, o.Request.AskHash.String())
		ok, err := found(err)
		if err != nil {
			return row, false, fmt.Errorf("find the open request of ask %s: %w", o.Request.AskHash, err)
		}
		if ok {
			return u.join(ctx, row, o)
		}
		row, ok, err = s.insert(ctx, u, o.Request)
		if err != nil {
			return row, false, err
		}
		if ok {
			return row, true, u.opened(ctx, row, o)
		}
	}
	return row, false, internal("open request %s: expected a free id and code, got none in %d tries", o.Request.ID, codeTries)
}

// insert is false where the code is taken or the ask was opened by somebody else.
func (s *Store) insert(ctx context.Context, u *unit, r gate.Request) (db.Request, bool, error) {
	last, err := u.q.LastAttempt(ctx, r.AskHash.String())
	if err != nil {
		return db.Request{}, false, fmt.Errorf("count the attempts of ask %s: %w", r.AskHash, err)
	}
	if r.Code, err = s.code(); err != nil {
		return db.Request{}, false, err
	}
	r.Attempt = int(last) + 1
	doc, err := json.Marshal(r)
	if err != nil {
		return db.Request{}, false, internal("encode request %s: %w", r.ID, err)
	}
	n, err := u.q.InsertRequest(ctx, db.InsertRequestParams{
		ID: r.ID, Forge: string(r.Repository.Forge), RepositoryID: r.Repository.ID, Stream: r.Stream,
		CommitSha: r.Commit, Code: r.Code, AskHash: r.AskHash.String(), Attempt: last + 1, KeyLineage: plain(r.Key), Document: string(doc),
		DueAt: u.at, CreatedAt: u.at, UpdatedAt: u.at,
	})
	if err != nil || n == 0 {
		return db.Request{}, false, err
	}
	u.arrive(repositoryTenant(queueRequest, string(r.Repository.Forge), r.Repository.ID))
	if err := u.countAsked(ctx, r.Repository); err != nil {
		return db.Request{}, false, err
	}
	row, err := u.locked(ctx, r.ID)
	return row, true, err
}

func (u *unit) opened(ctx context.Context, row db.Request, o gate.Opening) error {
	if _, err := u.addActors(ctx, row.ID, o.Request.Actors); err != nil {
		return err
	}
	if fresh, err := u.bind(ctx, o.Token, row.ID); err != nil || !fresh {
		// Somebody used it in this very moment, for another request.
		return errors.Join(err, rebound(row.ID))
	}
	rec, err := record(ctx, u.q, row)
	if err != nil {
		return err
	}
	if err := u.record(ledger.RequestOpened, row.ID, openedDoc{V: docVersion, Request: rec.Request}); err != nil {
		return err
	}
	u.news = true
	return u.enqueue(ctx, o.Posts)
}

func (u *unit) join(ctx context.Context, row db.Request, o gate.Opening) (db.Request, bool, error) {
	fresh, err := u.bind(ctx, o.Token, row.ID)
	if err != nil || !fresh {
		return row, false, err
	}
	more, err := u.addActors(ctx, row.ID, o.Request.Actors)
	if err != nil {
		return row, false, err
	}
	if err := u.record(ledger.RequestJoined, row.ID, joinedDoc{
		V: docVersion, Request: row.ID, Workload: o.Request.Workload, Actors: o.Request.Actors, Run: o.Request.Run,
	}); err != nil {
		return row, false, err
	}
	if !more {
		return row, false, u.ring(ctx, row)
	}
	u.disturb(&row)
	return row, false, u.save(ctx, &row)
}

// addActors appends those who are not among the actors yet.
func (u *unit) addActors(ctx context.Context, request string, actors []gate.Account) (more bool, err error) {
	have, err := u.q.Actors(ctx, request)
	if err != nil {
		return false, fmt.Errorf("list the actors of request %s: %w", request, err)
	}
	position := int32(len(have))
	for _, a := range actors {
		n, err := u.q.InsertActor(ctx, db.InsertActorParams{
			RequestID: request, Position: position, Forge: string(a.ID.Forge), AccountID: a.ID.ID,
			Login: a.Login, Human: flag(a.Human),
		})
		if err != nil {
			return false, fmt.Errorf("add an actor to request %s: %w", request, err)
		}
		if n == 1 {
			position++
			more = true
		}
	}
	return more, nil
}
