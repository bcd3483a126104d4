package keeper

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// standing is what is known of the ledger at one time.
type standing struct {
	epochs []gate.Epoch
	size   int64
	tree   *ledger.Reader

	latest    gate.Checkpoint
	published bool

	mark    Mark
	guarded bool
	// guardErr: there is a guard, and it cannot be read.
	guardErr error
}

// epoch is the newest one.
func (s standing) epoch() gate.Epoch { return s.epochs[len(s.epochs)-1] }

func (k *Keeper) standing(ctx context.Context) (s standing, err error) {
	if s.epochs, err = k.Shelf.Epochs(ctx); err != nil {
		return s, err
	}
	// What is remembered is read before the database: entries that come in between are more,
	// never fewer.
	s.mark, s.guarded, s.guardErr = k.Guard.Read()
	if s.latest, s.published, err = k.Shelf.LatestCheckpoint(ctx, k.Key.Name()); err != nil {
		return s, err
	}
	if s.size, err = k.Shelf.LedgerSize(ctx); err != nil {
		return s, err
	}
	s.tree = k.Shelf.Hashes(ctx, s.size)
	return s, nil
}

// Fit fails with CodeLedgerBehind where nothing may be signed: the database lacks entries
// that were published, as far as the guard, the database itself or a witness remembers; with
// CodeEpoch where origin or log key are not those of the ledger's epoch.
func (k *Keeper) Fit(ctx context.Context) error {
	s, err := k.standing(ctx)
	if err != nil {
		return err
	}
	return k.fit(ctx, s)
}

func (k *Keeper) fit(ctx context.Context, s standing) error {
	err := k.judge(s)
	text := ""
	if err != nil {
		text = err.Error()
	}
	k.mu.Lock()
	was := k.unfit
	k.unfit = text
	k.mu.Unlock()
	switch {
	case was == text:
	case err != nil:
		k.Log.ErrorContext(ctx, "nothing is signed: the ledger is not fit", "error", err)
	default:
		k.Log.InfoContext(ctx, "the ledger is fit again")
	}
	return err
}

func (k *Keeper) judge(s standing) error {
	if err := k.ofThisEpoch(s); err != nil {
		return err
	}
	if err := k.holdsGuard(s); err != nil {
		return err
	}
	if s.published {
		latest, err := k.verified(s.latest)
		if err != nil {
			return behind("a published checkpoint on record that verifies", err.Error())
		}
		if err := s.extends(headOf(latest), "the database itself says"); err != nil {
			return err
		}
	}
	for _, w := range k.seats {
		if err := w.objection(); err != nil {
			return err
		}
	}
	if s.published && k.waitsForWord() {
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeLedgerBehind, Text: "nothing here remembers what was published of the ledger, and no witness has confirmed yet that the database is not behind",
			Expected: "the guard's file (ledger.guard_file), or one witness's cosignature", Got: "neither",
			Fix: "wait for a witness, or put the guard's file back; see countersignd ledger status",
		}
	}
	return nil
}

func (k *Keeper) waitsForWord() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unconfirmed
}

func (k *Keeper) ofThisEpoch(s standing) error {
	if len(s.epochs) == 0 {
		if s.guarded || s.guardErr != nil {
			return behind("the ledger that the guard's file remembers", "a database in which no ledger was begun")
		}
		return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeEpoch, Text: "the ledger's first epoch has not begun", Fix: "start the server once"}
	}
	if e := s.epoch(); !sameKey(e, k.Key) {
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeEpoch, Text: "the configured origin and log key are not those of the ledger's epoch: nothing is signed",
			Expected: fmt.Sprintf("origin %s and log key %s, as epoch %d has", e.Origin, Fingerprint(e.SPKI), e.Number),
			Got:      fmt.Sprintf("origin %s and log key %s", k.Key.Name(), Fingerprint(k.Key.SPKI())),
			Fix:      "configure those again; or, to change them, have two administrators begin a new epoch: countersignd ledger epoch draft",
		}
	}
	return nil
}

// Fingerprint is how configuration and epochs name a key: SHA-256 of its SPKI.
func Fingerprint(spki []byte) string { return "SHA256:" + gate.SHA256(spki).String() }

// holdsGuard compares the database with what the guard remembers.
func (k *Keeper) holdsGuard(s standing) error {
	if s.guardErr != nil {
		e := behind("the guard's file as it was written", "one that cannot be read")
		e.Fix, e.Err = "put the guard's file back; remove it only if you know that the database is not behind", s.guardErr
		return e
	}
	if !s.guarded {
		return nil
	}
	now := s.epoch().Number
	switch {
	case s.mark.Epoch > now:
		return behind(fmt.Sprintf("epoch %d, as the guard's file says", s.mark.Epoch), fmt.Sprintf("epoch %d in the database", now))
	case s.mark.Epoch < now:
		return nil // what was lost of it, administrators have signed for
	}
	head, _, err := ledger.Open(s.mark.Note, k.Key)
	if err != nil {
		e := behind("the guard's file as it was written", "a checkpoint that this log did not sign")
		e.Fix, e.Err = "put the guard's file back; remove it only if you know that the database is not behind", err
		return e
	}
	return s.extends(head, "the guard's file says")
}
