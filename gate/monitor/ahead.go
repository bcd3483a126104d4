package monitor

import (
	"context"

	"github.com/countersign/countersign/gate/ledger"
)

// tilesAhead is how many tiles are on their way while one is read: enough to hide the way
// to the server, few enough that the largest ones fit in memory.
const tilesAhead = 4

// aheadTile is a tile of entries with the tile of their hashes, as they came.
type aheadTile struct {
	entries, hashes keptTile
	err             error
}

// readAhead reads the tiles of entries of a tree from an entry on, several at a time, and
// hands them over in order. It ends with the first error, or with the context.
func readAhead(ctx context.Context, from Source, next, size int64) func(yield func(aheadTile) bool) {
	return func(yield func(aheadTile) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var underway []chan aheadTile
		defer func() {
			cancel()
			for _, c := range underway {
				<-c
			}
		}()
		for index := next >> ledger.TileHeight; ; {
			for ; len(underway) < tilesAhead && index<<ledger.TileHeight < size; index++ {
				c, n := make(chan aheadTile, 1), index
				underway = append(underway, c)
				go func() { c <- fetchAhead(ctx, from, n, size) }()
			}
			if len(underway) == 0 {
				return
			}
			t := <-underway[0]
			underway = underway[1:]
			if !yield(t) || t.err != nil {
				return
			}
		}
	}
}

func fetchAhead(ctx context.Context, from Source, index, size int64) aheadTile {
	width := int(min(ledger.TileWidth, size-index<<ledger.TileHeight))
	out := aheadTile{
		entries: keptTile{tile: ledger.Tile{Level: ledger.EntriesLevel, Index: index, Width: width}},
		hashes:  keptTile{tile: ledger.Tile{Level: 0, Index: index, Width: width}},
	}
	read := reading(ctx, from)
	if out.entries.data, out.err = read(out.entries.tile); out.err == nil {
		out.hashes.data, out.err = read(out.hashes.tile)
	}
	return out
}
