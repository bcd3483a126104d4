package ledger_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate/ledger"
)

// The paths are those that C2SP tlog-tiles gives as examples, and their neighbours.
func TestTilePaths(t *testing.T) {
	for path, tile := range map[string]ledger.Tile{
		"tile/0/000":                     {Level: 0, Index: 0, Width: 256},
		"tile/0/x001/x234/067":           {Level: 0, Index: 1234067, Width: 256},
		"tile/0/x001/x234/067.p/1":       {Level: 0, Index: 1234067, Width: 1},
		"tile/1/999.p/255":               {Level: 1, Index: 999, Width: 255},
		"tile/1/x001/000":                {Level: 1, Index: 1000, Width: 256},
		"tile/5/000.p/17":                {Level: 5, Index: 0, Width: 17},
		"tile/entries/x001/x234/067":     {Level: ledger.EntriesLevel, Index: 1234067, Width: 256},
		"tile/entries/000.p/17":          {Level: ledger.EntriesLevel, Index: 0, Width: 17},
		"tile/entries/x001/000.p/200":    {Level: ledger.EntriesLevel, Index: 1000, Width: 200},
		"tile/0/x140/x737/x488/x355/327": {Level: 0, Index: 1<<47 - 1, Width: 256},
	} {
		if got := tile.Path(); got != path {
			t.Errorf("expected %s, got %s", path, got)
		}
		if got, err := ledger.ParseTile(path); err != nil || got != tile {
			t.Errorf("%s: expected %+v, got %+v, %v", path, tile, got, err)
		}
	}
}

func TestParseTileRefuses(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/0/0", "tile/0/00", "tile/0/0000",
		"tile/00/000", "tile/6/000", "tile/-1/000", "tile/+1/000", "tile/data/000", "tile/Entries/000",
		"tile/0/1000", "tile/0/001/000", "tile/0/x001", "tile/0/x000/001", "tile/0/x1/000", "tile/0/-01", "tile/0/+01", "tile/0/ 01",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1", "tile/0/000.p/", "tile/0/000.p", "tile/0/000.p/1/", "tile/0/000.p/1.p/1",
		"tile/0/x140/x737/x488/x355/328", "tile/0/x999/x999/x999/x999/999", "tile/0/" + strings.Repeat("x999/", 20) + "999",
		"tile/0/../000", "tile/0/000?x", "tile/0/000%2e", "tile\\0\\000",
	} {
		if got, err := ledger.ParseTile(path); err == nil {
			t.Errorf("%q: expected a refusal, got %+v", path, got)
		}
	}
}

func TestTileIsInTree(t *testing.T) {
	for _, x := range []struct {
		level int
		index int64
		width int
		size  int64
		in    bool
	}{
		{0, 0, 1, 0, false}, {0, 0, 1, 1, true}, {0, 0, 2, 1, false}, {0, 0, 256, 255, false}, {0, 0, 256, 256, true},
		{0, 1, 1, 256, false}, {0, 1, 1, 257, true}, {1, 0, 1, 255, false}, {1, 0, 1, 256, true}, {1, 0, 256, 65535, false},
		{1, 0, 256, 65536, true}, {2, 0, 1, 65535, false}, {2, 0, 1, 65536, true},
		{ledger.EntriesLevel, 0, 17, 17, true}, {ledger.EntriesLevel, 0, 18, 17, false}, {ledger.EntriesLevel, 1, 1, 257, true},
		// What no path names is in no tree, whatever its shift makes of it.
		{0, 1 << 56, 1, 1000, false}, {0, 1 << 55, 1, 1000, false}, {0, -1, 1, 1000, false}, {-2, 0, 1, 1000, false}, {9, 0, 1, 1000, false}, {0, 0, 0, 1000, false}, {0, 0, 257, 1000, false},
	} {
		tile := ledger.Tile{Level: x.level, Index: x.index, Width: x.width}
		if got := tile.In(x.size); got != x.in {
			t.Errorf("%+v in %d leaves: expected %v, got %v", tile, x.size, x.in, got)
		}
	}
}

func TestTileHashes(t *testing.T) {
	tile := ledger.Tile{Width: 2}
	data := append(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)...)
	hashes, err := tile.Hashes(data)
	if err != nil || len(hashes) != 2 || hashes[0][31] != 1 || hashes[1][0] != 2 {
		t.Errorf("got %v, %v", hashes, err)
	}
	for _, n := range []int{0, 32, 63, 65, 96} {
		if _, err := tile.Hashes(make([]byte, n)); err == nil {
			t.Errorf("%d bytes: expected a refusal", n)
		}
	}
}

func TestEntriesThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 300), 0, ledger.TileWidth).Draw(t, "entries")
		var tile []byte
		for _, e := range entries {
			var err error
			if tile, err = ledger.AppendEntry(tile, e); err != nil {
				t.Fatal(err)
			}
		}
		back, err := ledger.ParseEntries(tile, len(entries))
		if err != nil || len(back) != len(entries) {
			t.Fatalf("expected %d entries, got %d, %v", len(entries), len(back), err)
		}
		for i := range back {
			if !bytes.Equal(back[i], entries[i]) {
				t.Fatalf("entry %d: expected %x, got %x", i, entries[i], back[i])
			}
		}
		if _, err := ledger.ParseEntries(tile, len(entries)+1); err == nil {
			t.Error("one entry more: expected a refusal")
		}
	})
}

func TestEntriesRefused(t *testing.T) {
	for name, tile := range map[string][]byte{
		"half a length":  {0},
		"an empty entry": {0, 0},
		"cut off":        {0, 2, 1},
		"one too many":   {0, 1, 1, 0, 1, 1},
	} {
		if _, err := ledger.ParseEntries(tile, 1); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	for _, n := range []int{0, ledger.MaxLeaf + 1} {
		if _, err := ledger.AppendEntry(nil, make([]byte, n)); err == nil {
			t.Errorf("an entry of %d bytes: expected a refusal", n)
		}
	}
	if _, err := ledger.AppendEntry(nil, make([]byte, ledger.MaxLeaf)); err != nil {
		t.Error(err)
	}
}

func FuzzParseTile(f *testing.F) {
	f.Add("tile/0/x001/x234/067.p/17")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := ledger.ParseTile(path); err == nil && (tile.Path() != path || tile.Width < 1 || tile.Width > ledger.TileWidth || tile.Index < 0) {
			t.Errorf("%q: got %+v, which is %q", path, tile, tile.Path())
		}
	})
}

func FuzzParseEntries(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 2, 'b', 'c'}, 2)
	f.Fuzz(func(t *testing.T, tile []byte, width int) {
		entries, err := ledger.ParseEntries(tile, width)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			if again, err = ledger.AppendEntry(again, e); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, tile) {
			t.Errorf("expected %x, got %x", tile, again)
		}
	})
}
