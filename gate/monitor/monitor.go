package monitor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Config is what a monitor is made of.
type Config struct {
	Source Source
	Shelf  Shelf
	// Report tells one alert. The place moves on only after it returned: what was reported
	// just before the process died is reported again, and nothing is lost.
	Report func(ctx context.Context, a Alert) error
	Now    func() time.Time

	// Logs are the keys of the log, one for each epoch that is trusted.
	Logs []*ledger.LogKey
	// Witnesses are those whose cosignatures count, and Quorum is how many there have to be.
	Witnesses []*ledger.WitnessKey
	Quorum    int
	// CAs are the roots of certificates over release keys; without any, certificates are not
	// checked beyond their key.
	CAs []*x509.Certificate

	// Keys are the fingerprints of keys that may sign, with what for: gate.PurposeRelease or
	// gate.PurposeVerdict. Pin takes in addition those that the server names when the log is
	// first followed.
	Keys map[string]gate.Purpose
	Pin  bool
	// Published holds what is known to be released otherwise; it may be nil.
	Published *Published
	// AllowUnreadable makes signatures of which the server does not show what they are for
	// notices, as those of private repositories are to anybody from outside.
	AllowUnreadable bool
}

// Summary is what one round came to.
type Summary struct {
	Origin  string
	Size    int64 // of the newest checkpoint that holds
	Read    int64 // entries
	Alerts  int
	Notices int
}

// Monitor follows one log. It is not concurrent.
type Monitor struct {
	Config

	sum    Summary
	recent recent
	// standing are alerts about the log as it stands, which are not repeated in every round.
	standing map[string]bool
}

// New is a monitor that has not looked yet.
func New(c Config) (*Monitor, error) {
	switch {
	case len(c.Logs) == 0:
		return nil, errors.New("monitor: expected the key of a log, got none")
	case len(c.Keys) == 0 && !c.Pin:
		return nil, errors.New("monitor: expected keys that may sign, got none")
	case c.Quorum < 0 || c.Quorum > len(c.Witnesses):
		return nil, fmt.Errorf("monitor: expected a quorum of up to %d witnesses, got %d", len(c.Witnesses), c.Quorum)
	}
	return &Monitor{Config: c, standing: map[string]bool{}}, nil
}

// errStop ends a round after an alert about the log as a whole: there is nothing to read on.
var errStop = errors.New("the round is over")

// Round looks once: it reads the newest checkpoint, checks that the log only grew, and reads
// the entries that are new. What does not hold is reported, not returned: an error says that
// the round could not be finished, see [Unreachable].
func (m *Monitor) Round(ctx context.Context) (Summary, error) {
	m.sum = Summary{}
	err := m.round(ctx)
	if errors.Is(err, errStop) {
		err = nil
	} else if err == nil {
		clear(m.standing)
	}
	return m.sum, err
}

func (m *Monitor) round(ctx context.Context) error {
	place, known, err := m.Shelf.Load(ctx)
	if err != nil {
		return err
	}
	m.sum.Origin, m.sum.Size = place.Head.Origin, place.Head.Size
	note, head, err := m.checkpoint(ctx)
	if err != nil {
		return err
	}
	if m.Pin && place.Pinned == nil {
		if place.Pinned, err = m.pin(ctx, head); err != nil {
			return err
		}
	}
	t := newTree(head, reading(ctx, m.Source))
	if place, err = m.moved(ctx, place, known, t, note); err != nil {
		return err
	}
	m.sum.Origin, m.sum.Size = head.Origin, head.Size
	return m.readOn(ctx, place, t)
}

// pin takes the keys that the server names when the log is first followed.
func (m *Monitor) pin(ctx context.Context, head ledger.Head) (map[string]gate.Purpose, error) {
	b, err := m.Source.Keys(ctx)
	if err != nil {
		return nil, unreachableError{fmt.Errorf("pin the server's keys: %w", err)}
	}
	pinned, err := parseKeys(b)
	if err != nil {
		return nil, unreachableError{fmt.Errorf("pin the server's keys: %w", err)}
	}
	names := slices.Sorted(maps.Keys(pinned))
	return pinned, m.report(ctx, head, notice(KindPinned,
		"the keys that the server names now are taken for its own, and none that it names later", strings.Join(names, " ")))
}

// checkpoint reads the newest checkpoint and who signed it.
func (m *Monitor) checkpoint(ctx context.Context) ([]byte, ledger.Head, error) {
	var none ledger.Head
	note, err := m.Source.Log(ctx, "checkpoint", ledger.MaxCheckpoint)
	if err != nil {
		return nil, none, unreachableError{err}
	}
	head, by, err := m.open(note)
	if err != nil {
		a := alert(KindCheckpoint, "the log's checkpoint is signed by no log that is trusted here", err.Error(),
			"compare the trusted root with the operator's; after a new epoch of the ledger take the new one from them")
		a.Notes = []string{string(note)}
		return nil, none, m.stop(ctx, head, a)
	}
	seen := map[string]bool{}
	for _, c := range by {
		seen[c.Witness] = true
	}
	if len(seen) < m.Quorum {
		a := alert(KindWitnesses, "fewer witnesses than asked for cosigned the log's checkpoint",
			fmt.Sprintf("%d of the %d that are needed", len(seen), m.Quorum),
			"if it stays, ask witnesses and operator what they see: the log may be shown differently to others")
		if err := m.stand(ctx, head, a); err != nil {
			return nil, none, err
		}
	}
	return note, head, nil
}

// open finds the log that signed a checkpoint.
func (m *Monitor) open(note []byte) (ledger.Head, []ledger.Cosignature, error) {
	var first error
	for _, key := range m.Logs {
		head, by, err := ledger.Open(note, key, m.Witnesses...)
		if err == nil {
			return head, by, nil
		}
		if first == nil || strings.HasPrefix(string(note), key.Name()+"\n") {
			first = err
		}
	}
	return ledger.Head{}, nil, first
}

// report tells one alert about a tree.
func (m *Monitor) report(ctx context.Context, head ledger.Head, a Alert) error {
	a.At, a.Log, a.Size = m.Now().UTC(), head.Origin, head.Size
	if a.Log == "" {
		a.Log = m.Logs[0].Name()
	}
	if err := m.Report(ctx, a); err != nil {
		return fmt.Errorf("report an alert: %w", err)
	}
	if a.Level == LevelAlert {
		m.sum.Alerts++
	} else {
		m.sum.Notices++
	}
	return nil
}

// stand reports what is wrong with the log as a whole, once as long as it stays so.
func (m *Monitor) stand(ctx context.Context, head ledger.Head, a Alert) error {
	id := string(a.Kind) + "\n" + a.Why + "\n" + strings.Join(a.Notes, "\n")
	if m.standing[id] {
		m.sum.Alerts++
		return nil
	}
	m.standing[id] = true
	return m.report(ctx, head, a)
}

// stop is stand where nothing can be read on.
func (m *Monitor) stop(ctx context.Context, head ledger.Head, a Alert) error {
	if err := m.stand(ctx, head, a); err != nil {
		return err
	}
	return errStop
}

// stopAt is stop for what a tree's tiles do not bear out; other errors are the caller's.
func (m *Monitor) stopAt(ctx context.Context, t *tree, err error) error {
	var bad tilesError
	if !errors.As(err, &bad) || ctx.Err() != nil {
		return err
	}
	return m.stop(ctx, t.head, alert(KindTiles, "the log withholds a tile, or shows one that does not hash to its checkpoint", err.Error(),
		"if it stays, keep what was shown and ask the operator: what the checkpoint commits to cannot be checked"))
}
