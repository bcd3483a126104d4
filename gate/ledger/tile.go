package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles of C2SP tlog-tiles: TileWidth hashes each, TileHeight levels of the tree.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// EntriesLevel is the level of a tile that holds entries instead of hashes.
const EntriesLevel = -1

// maxLevel and maxIndex bound what C2SP tlog-tiles names: a tree of 2^48 leaves and more is
// no log's.
const (
	maxLevel = 5
	maxIndex = 1<<47 - 1
)

// Tile names one tile: its level (EntriesLevel for entries), its index on that level, and
// how many hashes or entries it holds, 1 to TileWidth.
type Tile struct {
	Level int
	Index int64
	Width int
}

// Path is the tile's path below the log's prefix: "tile/0/x001/x234/067",
// "tile/entries/000.p/17".
func (t Tile) Path() string {
	level := "entries"
	if t.Level != EntriesLevel {
		level = strconv.Itoa(t.Level)
	}
	n := fmt.Sprintf("%03d", t.Index%1000)
	for rest := t.Index / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	p := "tile/" + level + "/" + n
	if t.Width != TileWidth {
		p += fmt.Sprintf(".p/%d", t.Width)
	}
	return p
}

// ParseTile reads a path of [Tile.Path]. A tile has one spelling.
func ParseTile(path string) (Tile, error) {
	bad := fmt.Errorf("tile path: expected tile/<level or entries>/<index>[.p/<width>] as C2SP tlog-tiles spells it, got %q", path)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		return Tile{}, bad
	}
	t := Tile{Width: TileWidth, Level: EntriesLevel}
	var err error
	if level != "entries" {
		if t.Level, err = strconv.Atoi(level); err != nil || t.Level < 0 || t.Level > maxLevel {
			return Tile{}, bad
		}
	}
	if before, width, partial := strings.Cut(rest, ".p/"); partial {
		rest = before
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= TileWidth {
			return Tile{}, bad
		}
	}
	for part := range strings.SplitSeq(rest, "/") {
		n, err := strconv.Atoi(strings.TrimPrefix(part, "x"))
		if err != nil || n < 0 || n > 999 || t.Index > maxIndex/1000 {
			return Tile{}, bad
		}
		t.Index = t.Index*1000 + int64(n)
	}
	if t.Index > maxIndex || t.Path() != path {
		return Tile{}, bad
	}
	return t, nil
}

// In reports whether a tree of size leaves has the whole tile.
func (t Tile) In(size int64) bool {
	level := max(t.Level, 0)
	if t.Level < EntriesLevel || t.Level > maxLevel || t.Index < 0 || t.Index > maxIndex || t.Width < 1 || t.Width > TileWidth {
		return false
	}
	return t.Index<<TileHeight+int64(t.Width) <= size>>(TileHeight*level)
}

// Hashes splits a hash tile's bytes.
func (t Tile) Hashes(data []byte) ([]tlog.Hash, error) {
	if len(data) != t.Width*tlog.HashSize {
		return nil, fmt.Errorf("tile %s: expected %d bytes, got %d", t.Path(), t.Width*tlog.HashSize, len(data))
	}
	out := make([]tlog.Hash, t.Width)
	for i := range out {
		out[i] = tlog.Hash(data[i*tlog.HashSize:])
	}
	return out, nil
}

// AppendEntry adds one entry to an entry tile: its length in 16 bits, big-endian, then its
// bytes.
func AppendEntry(tile, entry []byte) ([]byte, error) {
	if len(entry) == 0 || len(entry) > MaxLeaf {
		return nil, fmt.Errorf("entry tile: expected an entry of 1 to %d bytes, got %d", MaxLeaf, len(entry))
	}
	tile = binary.BigEndian.AppendUint16(tile, uint16(len(entry))) //nolint:gosec // checked above
	return append(tile, entry...), nil
}

// ParseEntries reads an entry tile of exactly width entries.
func ParseEntries(tile []byte, width int) ([][]byte, error) {
	var out [][]byte
	for len(tile) > 0 {
		if len(tile) < 2 {
			return nil, errors.New("entry tile: it ends within a length")
		}
		n := int(binary.BigEndian.Uint16(tile))
		tile = tile[2:]
		if n == 0 || n > len(tile) {
			return nil, fmt.Errorf("entry tile: entry %d: expected %d bytes, got %d", len(out), n, len(tile))
		}
		out = append(out, tile[:n:n])
		tile = tile[n:]
	}
	if len(out) != width {
		return nil, fmt.Errorf("entry tile: expected %d entries, got %d", width, len(out))
	}
	return out, nil
}
