package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// A transaction counts a repository after it has locked its requests and before it takes
// turns, and keys in the order of their names: so nobody waits in a circle.

// countAsked counts a request that was opened.
func (u *unit) countAsked(ctx context.Context, r gate.RepositoryID) error {
	if err := u.q.CountAsked(ctx, db.CountAskedParams{
		Forge: string(r.Forge), RepositoryID: r.ID, AskedAt: u.at,
	}); err != nil {
		return fmt.Errorf("count a request of %s: %w", r, err)
	}
	return nil
}

// countDecided counts a request that nobody's word changes any more; signed is 1 where
// that is because it is signed.
func (u *unit) countDecided(ctx context.Context, row db.Request, signed int64) error {
	if err := u.q.CountDecided(ctx, db.CountDecidedParams{
		Forge: row.Forge, RepositoryID: row.RepositoryID, Signed: signed,
	}); err != nil {
		return fmt.Errorf("count request %s as decided: %w", row.ID, err)
	}
	return nil
}

// countAdopted remembers which adoption of a repository is in force.
func (u *unit) countAdopted(ctx context.Context, r gate.RepositoryID, adoption int64) error {
	if err := u.q.CountAdopted(ctx, db.CountAdoptedParams{
		Forge: string(r.Forge), RepositoryID: r.ID, Adoption: adoption,
	}); err != nil {
		return fmt.Errorf("remember the adoption of %s: %w", r, err)
	}
	return nil
}

// countSigned counts a release and its signatures, of which all were just made, for the
// keys that made them.
func (u *unit) countSigned(ctx context.Context, intents []db.Intent) error {
	return eachKey(intents, func(k keyName, n int64) error {
		if err := u.q.CountSigned(ctx, db.CountSignedParams{
			Lineage: k.lineage, Version: k.version, Signatures: n, SignedAt: u.at,
		}); err != nil {
			return fmt.Errorf("count a release of key %s version %d: %w", k.lineage, k.version, err)
		}
		return nil
	})
}

// countOrphaned counts the intents that were open until now.
func (u *unit) countOrphaned(ctx context.Context, intents []db.Intent) error {
	open := slices.DeleteFunc(slices.Clone(intents), func(i db.Intent) bool { return i.State != intentOpen })
	return eachKey(open, func(k keyName, n int64) error {
		if err := u.q.CountOrphaned(ctx, db.CountOrphanedParams{
			Lineage: k.lineage, Version: k.version, Orphans: n,
		}); err != nil {
			return fmt.Errorf("count the orphans of key %s version %d: %w", k.lineage, k.version, err)
		}
		return nil
	})
}

type keyName struct {
	lineage string
	version int32
}

// eachKey counts intents by key version, in one order of keys.
func eachKey(intents []db.Intent, count func(keyName, int64) error) error {
	byKey := map[keyName]int64{}
	for _, i := range intents {
		byKey[keyName{i.KeyLineage, i.KeyVersion}]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(byKey), func(a, b keyName) int {
		return cmp.Or(cmp.Compare(a.lineage, b.lineage), cmp.Compare(a.version, b.version))
	}) {
		if err := count(k, byKey[k]); err != nil {
			return err
		}
	}
	return nil
}
