package monitor

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
)

// saveEvery is after how many tiles without an alert the place is kept.
const saveEvery = 64

// readOn reads the entries from the place on, tile by tile, and moves the place behind them.
func (m *Monitor) readOn(ctx context.Context, place Place, t *tree) error {
	if place.Next == t.head.Size {
		return m.Shelf.Save(ctx, place)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unsaved := 0
	for read := range readAhead(ctx, m.Source, place.Next, t.head.Size) {
		told := m.sum.Alerts + m.sum.Notices
		next, err := m.readTile(ctx, place, t, read)
		m.sum.Read += next - place.Next
		place.Next = next
		if err != nil {
			return m.stopAfter(ctx, place, t, err)
		}
		if unsaved++; unsaved < saveEvery && told == m.sum.Alerts+m.sum.Notices && next < t.head.Size {
			continue
		}
		unsaved = 0
		if err := m.Shelf.Save(ctx, place); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stopAfter keeps how far the log was read before something stopped it.
func (m *Monitor) stopAfter(ctx context.Context, place Place, t *tree, err error) error {
	if serr := m.Shelf.Save(context.WithoutCancel(ctx), place); serr != nil {
		return serr
	}
	return m.stopAt(ctx, t, err)
}

// readTile judges the entries of one tile that were not read yet. It returns the index after
// those that it got through.
func (m *Monitor) readTile(ctx context.Context, place Place, t *tree, read aheadTile) (int64, error) {
	if read.err != nil {
		return place.Next, inTiles(read.err)
	}
	first := read.entries.tile.Index << ledger.TileHeight
	entries, err := ledger.ParseEntries(read.entries.data, read.entries.tile.Width)
	if err != nil {
		return place.Next, inTiles(fmt.Errorf("%s: %w", read.entries.tile.Path(), err))
	}
	t.tiles.ahead = read.hashes
	hashes, err := t.leaves(first, len(entries))
	if err != nil {
		return place.Next, err
	}
	for i, entry := range entries {
		if tlog.RecordHash(entry) != hashes[i] {
			return place.Next, inTiles(fmt.Errorf("%s: entry %d is not the one in the tree", read.entries.tile.Path(), first+int64(i)))
		}
	}
	end := first + int64(len(entries))
	from := place.Next
	for n, x := range m.examine(entries[from-first:]) {
		i := from + int64(n)
		alerts, err := m.judge(ctx, place, t, i, x)
		if err != nil {
			return i, err
		}
		for _, a := range alerts {
			a.Index = &i
			if err := m.report(ctx, t.head, a); err != nil {
				return i, err
			}
		}
	}
	return end, nil
}
