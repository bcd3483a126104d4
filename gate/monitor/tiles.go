package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
)

// tilesKept is how many hash tiles are remembered: those of the tree's right edge and of the
// way up from where entries are read.
const tilesKept = 48

// entryTileMax is the longest that a tile of entries can be, in bytes.
const entryTileMax = ledger.TileWidth * (2 + ledger.MaxLeaf)

// tiles reads tiles for [tlog.TileHashReader], which checks them. It is not concurrent.
type tiles struct {
	read func(t ledger.Tile) ([]byte, error)
	kept []keptTile // the one used last at the end
	// ahead is the tile that was read before it was asked for.
	ahead keptTile
}

type keptTile struct {
	tile ledger.Tile
	data []byte
}

var _ tlog.TileReader = (*tiles)(nil)

// Height implements [tlog.TileReader].
func (*tiles) Height() int { return ledger.TileHeight }

// SaveTiles implements [tlog.TileReader]: what comes here was checked.
func (r *tiles) SaveTiles(of []tlog.Tile, data [][]byte) {
	for i, t := range of {
		tile := ledger.Tile{Level: t.L, Index: t.N, Width: t.W}
		if _, ok := r.find(tile); ok {
			continue
		}
		if len(r.kept) == tilesKept {
			r.kept = slices.Delete(r.kept, 0, 1)
		}
		r.kept = append(r.kept, keptTile{tile, data[i]})
	}
}

// find also makes the tile the one used last.
func (r *tiles) find(t ledger.Tile) ([]byte, bool) {
	i := slices.IndexFunc(r.kept, func(k keptTile) bool { return k.tile == t })
	if i < 0 {
		return nil, false
	}
	k := r.kept[i]
	r.kept = append(slices.Delete(r.kept, i, i+1), k)
	return k.data, true
}

// ReadTiles implements [tlog.TileReader].
func (r *tiles) ReadTiles(of []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(of))
	for i, t := range of {
		tile := ledger.Tile{Level: t.L, Index: t.N, Width: t.W}
		data, ok := r.find(tile)
		if !ok && r.ahead.tile == tile {
			data, ok = r.ahead.data, true
		}
		if !ok {
			var err error
			if data, err = r.read(tile); err != nil {
				return nil, err
			}
		}
		out[i] = data
	}
	return out, nil
}

// reading returns a function that reads tiles of exactly the asked width. Logs may drop a
// partial tile once the full one is there (C2SP tlog-tiles): its beginning is the same.
func reading(ctx context.Context, from Source) func(t ledger.Tile) ([]byte, error) {
	return func(t ledger.Tile) ([]byte, error) {
		data, err := fetchTile(ctx, from, t)
		if t.Width == ledger.TileWidth || !errors.Is(err, ErrAbsent) {
			return data, err
		}
		full := t
		full.Width = ledger.TileWidth
		if data, err = fetchTile(ctx, from, full); err != nil {
			return nil, err
		}
		return narrowed(t, data)
	}
}

func fetchTile(ctx context.Context, from Source, t ledger.Tile) ([]byte, error) {
	limit := int64(t.Width * tlog.HashSize)
	if t.Level == ledger.EntriesLevel {
		limit = entryTileMax
	}
	data, err := from.Log(ctx, t.Path(), limit)
	switch {
	case errors.Is(err, ErrAbsent), errors.Is(err, errTooLong):
		return nil, err
	case err != nil:
		return nil, unreachableError{err}
	case t.Level != ledger.EntriesLevel && int64(len(data)) != limit:
		return nil, fmt.Errorf("tile %s: expected %d bytes, got %d", t.Path(), limit, len(data))
	}
	return data, nil
}

// narrowed is the beginning of a full tile.
func narrowed(t ledger.Tile, full []byte) ([]byte, error) {
	if t.Level != ledger.EntriesLevel {
		return full[:t.Width*tlog.HashSize], nil
	}
	entries, err := ledger.ParseEntries(full, ledger.TileWidth)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, e := range entries[:t.Width] {
		if out, err = ledger.AppendEntry(out, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}
