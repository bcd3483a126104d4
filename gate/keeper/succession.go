package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Succession drafts and begins new epochs.
type Succession struct {
	Shelf Shelf
	Guard Guard
	Now   func() time.Time
}

// Proposal is what an operator says of a new epoch.
type Proposal struct {
	Origin string
	LogKey string // fingerprint, as EpochDocument has it
	Reason string
	// Published is a checkpoint of the former epoch that somebody kept, a monitor or a witness,
	// where guard and database may have forgotten; nil for none.
	Published []byte
}

// ended is the former epoch as far as anybody here remembers.
type ended struct {
	epoch  gate.Epoch
	all    []gate.Epoch
	last   ledger.Head // the largest that was published; its Size is 0 where none was
	note   []byte
	record ledger.Head // the largest on record in the database
}

func (s Succession) ended(ctx context.Context, kept []byte) (e ended, err error) {
	if e.all, err = s.Shelf.Epochs(ctx); err != nil {
		return e, err
	}
	if len(e.all) == 0 {
		return e, wrongEpoch("there is no epoch to end", "a ledger that was begun", "none", "start the server once")
	}
	e.epoch = e.all[len(e.all)-1]
	key, err := ledger.NewLogKey(e.epoch.Origin, e.epoch.SPKI)
	if err != nil {
		return e, err
	}
	e.last, e.record = ledger.Head{Origin: e.epoch.Origin}, ledger.Head{Origin: e.epoch.Origin}
	consider := func(note []byte) (ledger.Head, error) {
		head, _, err := ledger.Open(note, key)
		if err == nil && head.Size > e.last.Size {
			e.last, e.note = head, note
		}
		return head, err
	}
	if kept != nil {
		if _, err := consider(kept); err != nil {
			return e, wrongEpoch("the checkpoint that was kept is none of the epoch that ends", "one signed by "+key.String(), err.Error(), "give another one, or none")
		}
	}
	mark, ok, err := s.Guard.Read()
	if err != nil {
		return e, err
	}
	if ok && mark.Epoch == e.epoch.Number {
		if _, err := consider(mark.Note); err != nil {
			return e, fmt.Errorf("the guard's checkpoint: %w", err)
		}
	}
	c, ok, err := s.Shelf.LatestCheckpoint(ctx, e.epoch.Origin)
	if err != nil {
		return e, err
	}
	if ok {
		if e.record, err = consider(c.Note); err != nil {
			return e, fmt.Errorf("the checkpoint on record: %w", err)
		}
	}
	return e, nil
}

// Draft makes the document of the next epoch, for administrators to read and sign.
func (s Succession) Draft(ctx context.Context, p Proposal) ([]byte, EpochDocument, error) {
	none := EpochDocument{}
	p.Reason = strings.TrimSpace(p.Reason)
	if p.Reason == "" || len(p.Reason) > MaxEpochReason {
		return nil, none, wrongEpoch("an epoch needs a reason", fmt.Sprintf("1 to %d bytes", MaxEpochReason), fmt.Sprintf("%d bytes", len(p.Reason)), "say what happened to the ledger, for those who read it later")
	}
	e, err := s.ended(ctx, p.Published)
	if err != nil {
		return nil, none, err
	}
	if err := isNew(e.all, p.Origin, p.LogKey); err != nil {
		return nil, none, err
	}
	size, err := s.Shelf.LedgerSize(ctx)
	if err != nil {
		return nil, none, err
	}
	tree := s.Shelf.Hashes(ctx, size)
	root, err := tree.Root(size)
	if err != nil {
		return nil, none, fmt.Errorf("compute the root of %d entries: %w", size, err)
	}
	lost, err := lostOf(e, size, tree)
	if err != nil {
		return nil, none, err
	}
	d := EpochDocument{
		V: 1, Number: e.epoch.Number + 1, Origin: p.Origin, LogKey: p.LogKey,
		Previous: PreviousEpoch{Number: e.epoch.Number, Origin: e.epoch.Origin, TreeHead: headDoc(e.last), Checkpoint: string(e.note)},
		Database: TreeHead{Size: size, Root: gate.Digest(root)}, Lost: lost, Reason: p.Reason, Made: s.Now().UTC().Truncate(time.Second),
	}
	b, err := d.Bytes()
	return b, d, err
}

func headDoc(h ledger.Head) TreeHead { return TreeHead{Size: h.Size, Root: gate.Digest(h.Root)} }

// lostOf says which published entries the database lacks. What it holds beyond the largest
// checkpoint on record may be what was published, or not: nothing proves it.
func lostOf(e ended, size int64, tree *ledger.Reader) (Span, error) {
	if e.last.Size <= size {
		root, err := tree.Root(e.last.Size)
		if err != nil {
			return Span{}, fmt.Errorf("compute the root of %d entries: %w", e.last.Size, err)
		}
		if e.last.Size == 0 || root == e.last.Root {
			return Span{From: e.last.Size, To: e.last.Size}, nil
		}
	}
	return Span{From: min(e.record.Size, size), To: e.last.Size}, nil
}

// isNew refuses an origin or a log key that an epoch had: who follows the log by either
// would see a fork.
func isNew(all []gate.Epoch, origin, logKey string) error {
	for _, e := range all {
		if e.Origin == origin {
			return wrongEpoch("the new epoch's origin is not new", "a host name that no epoch had", fmt.Sprintf("%q, as epoch %d", origin, e.Number),
				"configure another ledger.origin")
		}
		if Fingerprint(e.SPKI) == logKey {
			return wrongEpoch("the new epoch's log key is not new", "a key that no epoch had", fmt.Sprintf("%s, as epoch %d", logKey, e.Number),
				"make and configure another key with purpose: log")
		}
	}
	if origin == "" || logKey == "" {
		return wrongEpoch("an epoch needs an origin and a log key", "both", fmt.Sprintf("%q and %q", origin, logKey), "configure them")
	}
	return nil
}

// Beginning is a signed document with what it is held to.
type Beginning struct {
	Document   []byte
	Signatures [][]byte // armored SSHSIGs
	// Key is the configured log key under the configured origin.
	Key    *ledger.LogKey
	Voters Voters
}

// Begin begins the epoch that the document describes, where it describes the ledger as it is
// and two administrators signed it. CodeEpoch where it does not hold.
func (s Succession) Begin(ctx context.Context, b Beginning) (gate.Epoch, error) {
	d, err := ParseEpochDocument(b.Document)
	if err != nil {
		return gate.Epoch{}, wrongEpoch("the epoch's document does not read", "the file that was drafted", err.Error(), "draft it anew, and have it signed")
	}
	signed, err := b.Voters.verify(b.Document, b.Signatures, s.Now())
	if err != nil {
		return gate.Epoch{}, err
	}
	if err := s.holds(ctx, d, b.Key); err != nil {
		return gate.Epoch{}, err
	}
	record, err := json.Marshal(EpochRecord{V: 1, Document: string(b.Document), Signatures: signed})
	if err != nil {
		return gate.Epoch{}, fmt.Errorf("encode the epoch's record: %w", err)
	}
	e := gate.Epoch{Number: d.Number, Origin: d.Origin, SPKI: b.Key.SPKI(), Document: record, Begun: s.Now().UTC()}
	return e, s.Shelf.BeginEpoch(ctx, e)
}

// holds compares a document with the ledger as it is.
func (s Succession) holds(ctx context.Context, d EpochDocument, key *ledger.LogKey) error {
	again := "draft it anew, and have two administrators sign that very file"
	var kept []byte
	if d.Previous.Checkpoint != "" {
		kept = []byte(d.Previous.Checkpoint)
	}
	e, err := s.ended(ctx, kept)
	if err != nil {
		return err
	}
	now := s.Now()
	switch {
	case d.Number != e.epoch.Number+1 || d.Previous.Number != e.epoch.Number || d.Previous.Origin != e.epoch.Origin:
		return wrongEpoch("the document is of another epoch", fmt.Sprintf("epoch %d after epoch %d of %s", e.epoch.Number+1, e.epoch.Number, e.epoch.Origin),
			fmt.Sprintf("epoch %d after epoch %d of %s", d.Number, d.Previous.Number, d.Previous.Origin), again)
	case d.Origin != key.Name() || d.LogKey != Fingerprint(key.SPKI()):
		return wrongEpoch("the document is not of what is configured", fmt.Sprintf("origin %s with log key %s", key.Name(), Fingerprint(key.SPKI())),
			fmt.Sprintf("origin %s with log key %s", d.Origin, d.LogKey), "configure what the document says, or draft it anew")
	case d.Made.After(now.Add(5*time.Minute)) || now.Sub(d.Made) > maxEpochAge:
		return wrongEpoch("the document is too old, or of the future", fmt.Sprintf("one drafted within %d days", int(maxEpochAge.Hours()/24)), d.Made.Format(time.RFC3339), again)
	case d.Previous.TreeHead != headDoc(e.last):
		return wrongEpoch("more was published than the document says", fmt.Sprintf("%d entries with root %s", e.last.Size, gate.Digest(e.last.Root)),
			fmt.Sprintf("%d entries with root %s", d.Previous.Size, d.Previous.Root), again)
	}
	if err := isNew(e.all, d.Origin, d.LogKey); err != nil {
		return err
	}
	return s.goesOn(ctx, d, e, again)
}

// goesOn checks that the database is the one that was drafted from, or one that grew from it.
func (s Succession) goesOn(ctx context.Context, d EpochDocument, e ended, again string) error {
	size, err := s.Shelf.LedgerSize(ctx)
	if err != nil {
		return err
	}
	got := fmt.Sprintf("%d entries", size)
	if d.Database.Size >= 0 && d.Database.Size <= size {
		root, err := s.Shelf.Hashes(ctx, size).Root(d.Database.Size)
		if err != nil {
			return fmt.Errorf("compute the root of %d entries: %w", d.Database.Size, err)
		}
		if root == tlog.Hash(d.Database.Root) {
			want, err := lostOf(e, d.Database.Size, s.Shelf.Hashes(ctx, d.Database.Size))
			if err != nil {
				return err
			}
			if d.Lost == want {
				return nil
			}
			return wrongEpoch("the document names other entries as lost", fmt.Sprint(want), fmt.Sprint(d.Lost), again)
		}
		got = "root " + gate.Digest(root).String()
	}
	return wrongEpoch("the database is not the one of the document", fmt.Sprintf("%d entries with root %s", d.Database.Size, d.Database.Root), got, again)
}

func wrongEpoch(text, expected, got, fix string) *gate.Error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeEpoch, Text: text, Expected: expected, Got: got, Fix: fix}
}
