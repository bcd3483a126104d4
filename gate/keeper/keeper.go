package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Config is what a Keeper works with.
type Config struct {
	Shelf     Shelf
	Notary    Notary
	Guard     Guard
	Witnesses []Witness // each name once
	// Key is the configured log key under the configured origin.
	Key *ledger.LogKey
	Now func() time.Time
	Log *slog.Logger
	// Every is the longest that entries wait for their publication when nothing wakes Work.
	Every time.Duration
	// Patience is how long Covering waits for witnesses.
	Patience time.Duration
}

// Keeper publishes the ledger. Its methods may be called concurrently; several replicas over
// one database each have their own.
type Keeper struct {
	Config

	turn  chan struct{} // holds one token: who publishes
	wake  chan struct{}
	seats []*seat

	joining sync.Mutex // one cosignature is joined to those of before at a time

	mu sync.Mutex
	// news is closed, and made anew, whenever something was published or cosigned.
	news chan struct{}
	// cosigned are the newest checkpoints with at least so many cosignatures, by number.
	cosigned []gate.Checkpoint
	// unconfirmed: nothing here remembers what was published, so a witness has to say first
	// that the database is not behind.
	unconfirmed bool
	unfit       string // what Fit said last, for the log
	// opened is what verified opened last, as it was given, and opens as.
	opened [2]gate.Checkpoint
}

// New gives a keeper; Start has to be called before it is of use.
func New(c Config) (*Keeper, error) {
	k := &Keeper{
		Config: c, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), news: make(chan struct{}),
		cosigned: make([]gate.Checkpoint, len(c.Witnesses)+1),
	}
	k.turn <- struct{}{}
	for _, w := range c.Witnesses {
		name := w.Key().Name()
		if slices.ContainsFunc(k.seats, func(s *seat) bool { return s.name == name }) || name == c.Key.Name() {
			return nil, fmt.Errorf("witness %s: expected a name that no other witness and no log has", name)
		}
		k.seats = append(k.seats, &seat{name: name, witness: w})
	}
	return k, nil
}

// Start begins the first epoch of a new ledger, and asks guard and witnesses what they
// remember of it, for at most Config.Patience. A ledger that is not fit starts too: Fit says
// what is wrong.
func (k *Keeper) Start(ctx context.Context) error {
	s, err := k.standing(ctx)
	if err != nil {
		return err
	}
	switch {
	case s.guardErr != nil || s.guarded:
		// Where it cannot be read, Fit says so for as long as it stays.
	case len(s.epochs) > 0:
		// An epoch that only just began has nothing that could have been lost.
		k.unconfirmed = len(k.seats) > 0 && (s.published || s.epoch().Number == 1)
		k.Log.WarnContext(ctx, "nothing here remembers what was published of the ledger: it is taken from the database",
			"epoch", len(s.epochs), "published", s.latest.Size, "waits_for_a_witness", k.unconfirmed)
	default:
		err := k.Shelf.BeginEpoch(ctx, gate.Epoch{Number: 1, Origin: k.Key.Name(), SPKI: k.Key.SPKI(), Begun: k.Now().UTC()})
		if err != nil && !isTransition(err) { // another replica was first
			return err
		}
	}
	k.askAll(ctx)
	if err := k.Fit(ctx); ctx.Err() != nil {
		return err
	}
	return nil
}

// askAll asks every witness once.
func (k *Keeper) askAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, k.Patience)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range k.seats {
		all.Go(func() {
			if err := k.ask(ctx, s); err != nil {
				k.Log.WarnContext(ctx, "a witness did not cosign the ledger", "witness", s.name, "error", err)
			}
		})
	}
	all.Wait()
}

// Wake has Work publish what was stored. It never blocks.
func (k *Keeper) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// latest is the newest published checkpoint of the configured origin, verified.
func (k *Keeper) latest(ctx context.Context) (gate.Checkpoint, bool, error) {
	c, ok, err := k.Shelf.LatestCheckpoint(ctx, k.Key.Name())
	if err != nil || !ok {
		return c, ok, err
	}
	c, err = k.verified(c)
	return c, err == nil, err
}

// verified opens a checkpoint that was on record: its head must be what its note says, and
// its witnesses are those whose cosignatures hold.
func (k *Keeper) verified(c gate.Checkpoint) (gate.Checkpoint, error) {
	k.mu.Lock()
	was := k.opened
	k.mu.Unlock()
	if was[0].Note != nil && bytes.Equal(was[0].Note, c.Note) && headOf(was[0]) == headOf(c) {
		c.Witnesses = was[1].Witnesses
		return c, nil
	}
	given := c
	c, err := k.open(c)
	if err == nil {
		k.mu.Lock()
		k.opened = [2]gate.Checkpoint{given, c}
		k.mu.Unlock()
	}
	return c, err
}

func (k *Keeper) open(c gate.Checkpoint) (gate.Checkpoint, error) {
	known := make([]*ledger.WitnessKey, len(k.seats))
	for i, s := range k.seats {
		known[i] = s.witness.Key()
	}
	head, by, err := ledger.Open(c.Note, k.Key, known...)
	if err != nil {
		return c, fmt.Errorf("published checkpoint of %d entries: %w", c.Size, err)
	}
	if head != headOf(c) {
		return c, fmt.Errorf("published checkpoint of %d entries: its note says %d entries with root %s", c.Size, head.Size, gate.Digest(head.Root))
	}
	c.Witnesses = nil
	for _, w := range by {
		c.Witnesses = append(c.Witnesses, w.Witness)
	}
	return c, nil
}

func headOf(c gate.Checkpoint) ledger.Head {
	return ledger.Head{Origin: c.Origin, Size: c.Size, Root: [32]byte(c.Root)}
}

// extends fails with CodeLedgerBehind where the database's tree does not begin with a head
// that was published. whose says who remembers it.
func (s standing) extends(h ledger.Head, whose string) error {
	if h.Size > s.size {
		return behind(fmt.Sprintf("%d entries, as %s", h.Size, whose), fmt.Sprintf("%d entries in the database", s.size))
	}
	root, err := s.tree.Root(h.Size)
	if err != nil {
		return fmt.Errorf("compute the root of %d entries: %w", h.Size, err)
	}
	if root != h.Root {
		return behind(fmt.Sprintf("%d entries with root %s, as %s", h.Size, gate.Digest(h.Root), whose),
			fmt.Sprintf("%d entries in the database, of which the first %d have root %s", s.size, h.Size, gate.Digest(root)))
	}
	return nil
}

// behind is the error of a database that lacks what was published.
func behind(expected, got string) *gate.Error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeLedgerBehind, Text: "the database lacks ledger entries that were published: nothing is signed",
		Expected: expected, Got: got,
		Fix: "restore the newest copy of the database; where the entries are lost for good, two administrators begin a new epoch: countersignd ledger epoch draft",
	}
}

// tell lets everybody look again who waits for a checkpoint.
func (k *Keeper) tell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.news)
	k.news = make(chan struct{})
}

func (k *Keeper) newsAhead() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.news
}

// remember keeps a verified checkpoint at hand for those who ask for cosignatures: under load
// the next one is published before the witnesses have answered, and is the one on record.
func (k *Keeper) remember(c gate.Checkpoint) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := 0; n <= len(c.Witnesses) && n < len(k.cosigned); n++ {
		if was := k.cosigned[n]; was.Size < c.Size || was.Size == c.Size && len(was.Witnesses) <= len(c.Witnesses) {
			k.cosigned[n] = c
		}
	}
}

func (k *Keeper) remembered(size int64, witnesses int) (gate.Checkpoint, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.cosigned[witnesses]
	return c, c.Note != nil && c.Size >= size
}

func sameKey(e gate.Epoch, key *ledger.LogKey) bool {
	return e.Origin == key.Name() && bytes.Equal(e.SPKI, key.SPKI())
}

// isTransition: somebody else was first.
func isTransition(err error) bool {
	var e *gate.Error
	return errors.As(err, &e) && e.Code == gate.CodeTransition
}
