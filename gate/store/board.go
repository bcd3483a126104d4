package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

const (
	// newest sorts after every id, in every collation.
	newest = "zzzz"
	// listMost is how many requests one page of a list may have.
	listMost = 200
)

// List lists requests, the newest first. Errors: CodeParameter for a limit outside of 1 to
// 200, or a Before that is no id.
func (s *Store) List(ctx context.Context, q gate.ListQuery) ([]gate.Record, error) {
	if err := checkList(q); err != nil {
		return nil, err
	}
	if q.Open && q.Key != "" {
		return []gate.Record{}, nil // what a key signed is open no more
	}
	if q.Before == "" {
		q.Before = newest
	}
	return s.list(ctx, func(d *db.Queries) ([]db.Request, error) { return listed(ctx, d, q) })
}

func checkList(q gate.ListQuery) error {
	e := &gate.Error{Kind: gate.Invalid, Code: gate.CodeParameter, Text: "the list cannot be read like this"}
	switch {
	case q.Limit < 1 || q.Limit > listMost:
		e.Expected, e.Got = fmt.Sprintf("a limit of 1 to %d", listMost), fmt.Sprintf("%d", q.Limit)
		e.Fix = "ask for fewer at a time, and go on with the last one's id"
	case !storable(q.Before) || !storable(q.Key):
		e.Expected, e.Got = "the id of a request and the name of a key in UTF-8", fmt.Sprintf("%q and %q", q.Before, q.Key)
		e.Fix = "follow the links of the page"
	default:
		return nil
	}
	return e
}

// listed picks the query whose index serves the list.
func listed(ctx context.Context, d *db.Queries, q gate.ListQuery) ([]db.Request, error) {
	forge, repository, limit := string(q.Repository.Forge), q.Repository.ID, most(q.Limit)
	all := q.Repository == gate.RepositoryID{}
	switch {
	case q.Open && all:
		return d.ListUndecided(ctx, db.ListUndecidedParams{Before: q.Before, Most: limit})
	case q.Open:
		return d.ListUndecidedOfRepository(ctx, db.ListUndecidedOfRepositoryParams{
			Forge: forge, RepositoryID: repository, Before: q.Before, Most: limit,
		})
	case q.Key != "" && all:
		return d.ListSigned(ctx, db.ListSignedParams{KeyLineage: q.Key, Before: q.Before, Most: limit})
	case q.Key != "":
		return d.ListSignedOfRepository(ctx, db.ListSignedOfRepositoryParams{
			KeyLineage: q.Key, Forge: forge, RepositoryID: repository, Before: q.Before, Most: limit,
		})
	case all:
		return d.ListAll(ctx, db.ListAllParams{Before: q.Before, Most: limit})
	}
	return d.ListRepository(ctx, db.ListRepositoryParams{
		Forge: forge, RepositoryID: repository, Before: q.Before, Most: limit,
	})
}

// Enrolled lists the repositories with a policy in force, those asked for last first, at
// most limit, each with its newest request.
func (s *Store) Enrolled(ctx context.Context, limit int) ([]gate.Enrolled, error) {
	const doing = "list the enrolled repositories"
	q := s.read()
	rows, err := q.Enrolled(ctx, most(limit))
	if err != nil {
		return nil, fault(doing, err)
	}
	requests, err := q.LatestOfEnrolled(ctx, most(limit))
	if err != nil {
		return nil, fault(doing, err)
	}
	recs, err := records(ctx, q, requests)
	if err != nil {
		return nil, fault(doing, err)
	}
	latest := map[gate.RepositoryID]*gate.Record{}
	for i := range recs {
		latest[recs[i].Request.Repository] = &recs[i]
	}
	out := make([]gate.Enrolled, len(rows))
	for i, r := range rows {
		out[i] = gate.Enrolled{Open: int(r.Undecided), Signed: int(r.Signed), Last: fromMicros(r.AskedAt)}
		if err := json.Unmarshal([]byte(r.Document), &out[i].Adoption); err != nil {
			return nil, internal("decode an adopted policy: %w", err)
		}
		out[i].Latest = latest[out[i].Adoption.Repository]
	}
	return out, nil
}

// Adoptions lists the policies that were in force for a repository, the newest first, at
// most a hundred.
func (s *Store) Adoptions(ctx context.Context, r gate.RepositoryID) ([]gate.Adoption, error) {
	docs, err := s.read().Adoptions(ctx, db.AdoptionsParams{Forge: string(r.Forge), RepositoryID: r.ID, Most: pageSize})
	if err != nil {
		return nil, fault("list the policies of "+r.String(), err)
	}
	out := make([]gate.Adoption, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, internal("decode an adopted policy of %s: %w", r, err)
		}
	}
	return out, nil
}

// KeyUses tells what every key version did that signed something, or may have, in the
// order of names and versions.
func (s *Store) KeyUses(ctx context.Context) ([]gate.KeyUse, error) {
	rows, err := s.read().KeyUses(ctx)
	if err != nil {
		return nil, fault("list what the keys did", err)
	}
	out := make([]gate.KeyUse, len(rows))
	for i, r := range rows {
		out[i] = gate.KeyUse{
			Lineage: r.Lineage, Version: int(r.Version), Signatures: r.Signatures, Releases: r.Releases, Orphans: r.Orphans,
			First: fromMicros(r.FirstAt), Last: fromMicros(r.LastAt),
		}
	}
	return out, nil
}
