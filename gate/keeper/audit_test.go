package keeper_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
)

// archive is a ledger with its entries and documents, in memory.
type archive struct {
	entries     []gate.LedgerEntry
	checkpoints []gate.Checkpoint
	epochs      []gate.Epoch
	spoilt      map[ledger.Tile]bool
}

func (a *archive) Entries(_ context.Context, from int64, limit int) ([]gate.LedgerEntry, error) {
	from = min(from, int64(len(a.entries)))
	return a.entries[from:min(from+int64(limit), int64(len(a.entries)))], nil
}

func (a *archive) row() (r row) {
	for _, e := range a.entries {
		r = append(r, tlog.RecordHash(e.Bytes))
	}
	return r
}

func (a *archive) Tile(_ context.Context, t ledger.Tile) ([]byte, error) {
	b, err := a.row().Tile(t)
	if a.spoilt[t] {
		b[0]++
	}
	return b, err
}

func (a *archive) CheckpointOf(_ context.Context, origin string, atLeast int64) (gate.Checkpoint, bool, error) {
	for _, c := range a.checkpoints {
		if c.Origin == origin && c.Size >= atLeast {
			return c, true, nil
		}
	}
	return gate.Checkpoint{}, false, nil
}

func (a *archive) Epochs(context.Context) ([]gate.Epoch, error) { return a.epochs, nil }

func (a *archive) publish(t testing.TB, n *notary) {
	t.Helper()
	size := int64(len(a.entries))
	root, err := (&ledger.Reader{Source: a.row(), Size: size}).Root(size)
	if err != nil {
		t.Fatal(err)
	}
	note, err := n.Checkpoint(t.Context(), ledger.Head{Origin: n.key.Name(), Size: size, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	a.checkpoints = append(a.checkpoints, gate.Checkpoint{Origin: n.key.Name(), Size: size, Root: gate.Digest(root), Note: note})
}

// filled is an archive of so many entries, every tenth a signature, published every hundred.
func filled(t testing.TB, size int) (*archive, *notary) {
	t.Helper()
	n := newNotary(t, origin, 1)
	a := &archive{epochs: []gate.Epoch{{Number: 1, Origin: origin, SPKI: n.key.SPKI()}}, spoilt: map[ledger.Tile]bool{}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for i := range size {
		if i%100 == 0 {
			a.publish(t, n)
		}
		e := gate.LedgerEntry{Index: int64(i), Kind: "decision", ID: fmt.Sprint(i), Salt: bytes.Repeat([]byte{byte(i)}, ledger.SaltSize), Document: fmt.Appendf(nil, `{"n":%d}`, i)}
		if i%10 == 5 {
			digest := gate.SHA256(e.Document)
			sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			e.Kind, e.Salt = "signature", nil
			if e.Bytes, err = (ledger.Record{Digest: digest, Signature: sig, Key: spki}).Bytes(); err != nil {
				t.Fatal(err)
			}
		} else if e.Bytes, err = ledger.New(ledger.Kind(e.Kind), e.ID, e.Salt, e.Document).Bytes(); err != nil {
			t.Fatal(err)
		}
		a.entries = append(a.entries, e)
	}
	a.publish(t, n)
	return a, n
}

func TestAuditOfSoundLedgers(t *testing.T) {
	a, _ := filled(t, 1300)
	for _, size := range []int{0, 1, 2, 3, 255, 256, 257, 700, 1024, 1300} {
		x := *a
		x.entries = a.entries[:size]
		x.checkpoints = nil
		for _, c := range a.checkpoints {
			if c.Size <= int64(size) {
				x.checkpoints = append(x.checkpoints, c)
			}
		}
		audit := keeper.Audit{Archive: &x}
		f, err := audit.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		root, err := (&ledger.Reader{Source: x.row(), Size: int64(size)}).Root(int64(size))
		if err != nil {
			t.Fatal(err)
		}
		if f.Wrong != 0 || len(f.Problems) != 0 || f.Entries != int64(size) || f.Root != gate.Digest(root) ||
			f.Commitments+f.Signatures != int64(size) || f.Signatures != int64(size+4)/10 || f.Tiles != int64(size/256) ||
			f.Checkpoints != int64(len(x.checkpoints)) || f.Epochs != 1 {
			t.Errorf("%d entries: got %+v", size, f)
		}
	}
}

// A tree of three levels.
func TestAuditOfALargeLedger(t *testing.T) {
	a := &archive{}
	for i := range 65_800 {
		b, err := ledger.New("decision", "x", nil, fmt.Append(nil, i)).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		a.entries = append(a.entries, gate.LedgerEntry{Index: int64(i), Kind: "decision", ID: "x", Document: fmt.Append(nil, i), Bytes: b})
	}
	cut := &cutArchive{archive: a, row: a.row()}
	f, err := (&keeper.Audit{Archive: cut}).Run(t.Context())
	root, err2 := (&ledger.Reader{Source: cut.row, Size: 65_800}).Root(65_800)
	if err != nil || err2 != nil || f.Wrong != 0 || f.Root != gate.Digest(root) || f.Tiles != 257+1 {
		t.Errorf("got %+v, %v, %v", f, err, err2)
	}
}

// cutArchive makes tiles of level 0 from their own leaves alone.
type cutArchive struct {
	*archive

	row row
}

func (a *cutArchive) Tile(_ context.Context, t ledger.Tile) ([]byte, error) {
	if t.Level > 0 {
		return a.row.Tile(t)
	}
	return a.row[t.Index*ledger.TileWidth:][:t.Width].Tile(ledger.Tile{Width: t.Width})
}

func TestAuditFinds(t *testing.T) {
	for name, x := range map[string]struct {
		change func(a *archive, n *notary)
		want   string
	}{
		"a changed document":    {func(a *archive, _ *notary) { a.entries[3].Document = []byte(`{"n":4}`) }, "entry 3 (decision 3): its document does not open"},
		"a changed salt":        {func(a *archive, _ *notary) { a.entries[3].Salt = make([]byte, 32) }, "does not open"},
		"a lost document":       {func(a *archive, _ *notary) { a.entries[3].Document = nil }, "does not open"},
		"a row of another kind": {func(a *archive, _ *notary) { a.entries[3].Kind = "hold" }, "entry 3 (hold 3)"},
		"a row of another id":   {func(a *archive, _ *notary) { a.entries[3].ID = "x" }, "entry 3"},
		"a signature of another": {func(a *archive, _ *notary) {
			a.entries[5].Bytes = swapSignature(t, a.entries[5].Bytes, a.entries[15].Bytes)
		}, "does not verify"},
		"no entry":              {func(a *archive, _ *notary) { a.entries[7].Bytes = []byte("{}") }, "entry 7"},
		"a changed entry":       {func(a *archive, _ *notary) { a.entries[3] = with(t, a.entries[3], "changed") }, "the entries make"},
		"a tile":                {func(a *archive, _ *notary) { a.spoilt[ledger.Tile{Index: 1, Width: 256}] = true }, "tile tile/0/001"},
		"a lost tail":           {func(a *archive, _ *notary) { a.entries = a.entries[:650] }, "the database has only 650"},
		"a note of another":     {func(a *archive, _ *notary) { a.checkpoints[2].Note = a.checkpoints[3].Note }, "its note says 300 entries"},
		"a note that is spoilt": {func(a *archive, _ *notary) { a.checkpoints[2].Note = a.checkpoints[2].Note[:80] }, "checkpoint of 200 entries"},
		"another log key":       {func(a *archive, _ *notary) { a.epochs[0].SPKI = newNotary(t, origin, 2).key.SPKI() }, "checkpoint of 0 entries"},
		"no log key":            {func(a *archive, _ *notary) { a.epochs[0].SPKI = nil }, "epoch 1"},
		"an epoch nobody signed": {func(a *archive, _ *notary) {
			a.epochs = append(a.epochs, gate.Epoch{Number: 2, Origin: "log2.example", SPKI: a.epochs[0].SPKI})
		}, "epoch 2"},
	} {
		t.Run(name, func(t *testing.T) {
			a, n := filled(t, 700)
			x.change(a, n)
			f, err := (&keeper.Audit{Archive: a, Voters: &keeper.Voters{}}).Run(t.Context())
			if err != nil || f.Wrong == 0 || !strings.Contains(strings.Join(f.Problems, "\n"), x.want) || len(f.Problems) > keeper.MaxProblems {
				t.Errorf("expected %q, got %+v, %v", x.want, f, err)
			}
		})
	}
}

// Many problems are counted, and the first of them named.
func TestAuditBoundsItsWords(t *testing.T) {
	a, _ := filled(t, 300)
	for i := range a.entries {
		a.entries[i].Document, a.entries[i].ID = nil, "x"
	}
	f, err := (&keeper.Audit{Archive: a}).Run(t.Context())
	if err != nil || f.Wrong != 270 || len(f.Problems) != keeper.MaxProblems {
		t.Errorf("got %d problems, %d named, %v", f.Wrong, len(f.Problems), err)
	}
}

// A gap is no reading.
func TestAuditOfAGap(t *testing.T) {
	a, _ := filled(t, 20)
	a.entries = append(a.entries[:7], a.entries[8:]...)
	if f, err := (&keeper.Audit{Archive: a}).Run(t.Context()); err == nil {
		t.Errorf("got %+v", f)
	}
}

func TestAuditCountsCosignatures(t *testing.T) {
	a, n := filled(t, 100)
	w := newWitness(t, "w1.example", 7)
	last := &a.checkpoints[len(a.checkpoints)-1]
	line, err := w.Cosign(t.Context(), ledger.Submission{Head: n.signed[len(n.signed)-1]})
	if err != nil {
		t.Fatal(err)
	}
	if last.Note, err = ledger.WithCosignatures(last.Note, line); err != nil {
		t.Fatal(err)
	}
	f, err := (&keeper.Audit{Archive: a, Witnesses: []*ledger.WitnessKey{w.key}}).Run(t.Context())
	if err != nil || f.Cosignatures != 1 || f.Wrong != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func swapSignature(t *testing.T, of, from []byte) []byte {
	t.Helper()
	r, err := ledger.ParseRecord(of)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ledger.ParseRecord(from)
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = o.Signature
	b, err := r.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with is an entry that opens, in place of another.
func with(t *testing.T, e gate.LedgerEntry, document string) gate.LedgerEntry {
	t.Helper()
	e.Document = []byte(document)
	b, err := ledger.New(ledger.Kind(e.Kind), e.ID, e.Salt, e.Document).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e.Bytes = b
	return e
}
