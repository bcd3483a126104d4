package web_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/web"
)

// annals is a ledger in memory, with the versions of a trusted root.
type annals struct {
	entries     []gate.LedgerEntry
	hashes      []tlog.Hash
	epochs      []gate.Epoch
	checkpoints map[string]gate.Checkpoint
	roots       [][]byte
	verdicts    map[string]gate.SignedVerdict
	key         ed25519.PrivateKey
	fail        error
}

func newAnnals() *annals {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	return &annals{key: key, checkpoints: map[string]gate.Checkpoint{}}
}

// serve is the edit that has a world serve them.
func (a *annals) serve(c *web.Config) { c.Ledger, c.Roots, c.Book = a, a, a }

// add enters something at the end.
func (a *annals) add(t *testing.T, e gate.LedgerEntry) int64 {
	t.Helper()
	e.Index, e.At = int64(len(a.entries)), noon()
	if e.Bytes == nil {
		var err error
		if e.Bytes, err = ledger.New(ledger.Kind(e.Kind), e.ID, e.Salt, e.Document).Bytes(); err != nil {
			t.Fatal(err)
		}
	}
	more, err := tlog.StoredHashes(e.Index, e.Bytes, a)
	if err != nil {
		t.Fatal(err)
	}
	a.entries, a.hashes = append(a.entries, e), append(a.hashes, more...)
	return e.Index
}

func (a *annals) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = a.hashes[index]
	}
	return out, nil
}

// publish signs what is there under an origin, in a new epoch where the origin is new.
func (a *annals) publish(t *testing.T, origin string) gate.Checkpoint {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.epochs); n == 0 || a.epochs[n-1].Origin != origin {
		a.epochs = append(a.epochs, gate.Epoch{Number: n + 1, Origin: origin, SPKI: spki, Begun: noon()})
	}
	key, err := ledger.NewLogKey(origin, spki)
	if err != nil {
		t.Fatal(err)
	}
	h := ledger.Head{Origin: origin, Size: int64(len(a.entries))}
	if h.Root, err = tlog.TreeHash(h.Size, a); err != nil {
		t.Fatal(err)
	}
	note, err := ledger.Sign(h, key, func(text []byte) ([]byte, error) { return ed25519.Sign(a.key, text), nil })
	if err != nil {
		t.Fatal(err)
	}
	c := gate.Checkpoint{Origin: origin, Size: h.Size, Root: gate.Digest(h.Root), Note: note, LogID: key.ID(), At: noon()}
	a.checkpoints[origin] = c
	return c
}

func (a *annals) Tile(_ context.Context, t ledger.Tile) ([]byte, error) {
	if !t.In(int64(len(a.entries))) {
		return nil, &gate.Error{Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "no such tile", Fix: "look elsewhere"}
	}
	var out []byte
	for i := range int64(t.Width) {
		n := t.Index<<ledger.TileHeight + i
		if t.Level != ledger.EntriesLevel {
			h := a.hashes[tlog.StoredHashIndex(t.Level*ledger.TileHeight, n)]
			out = append(out, h[:]...)
			continue
		}
		var err error
		if out, err = ledger.AppendEntry(out, a.entries[n].Bytes); err != nil {
			return nil, err
		}
	}
	return out, a.fail
}

func (a *annals) LatestCheckpoint(_ context.Context, origin string) (gate.Checkpoint, bool, error) {
	c, ok := a.checkpoints[origin]
	return c, ok, a.fail
}

func (a *annals) Epochs(context.Context) ([]gate.Epoch, error) { return a.epochs, a.fail }

func (a *annals) LedgerEntry(_ context.Context, index int64) (gate.LedgerEntry, error) {
	if index < 0 || index >= int64(len(a.entries)) {
		return gate.LedgerEntry{}, &gate.Error{Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "no such entry", Fix: "look elsewhere"}
	}
	return a.entries[index], a.fail
}

func (a *annals) LedgerEntries(_ context.Context, before int64, limit int) ([]gate.LedgerEntry, error) {
	if n := int64(len(a.entries)); before <= 0 || before > n {
		before = n
	}
	var out []gate.LedgerEntry
	for i := before - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, a.entries[i])
	}
	return out, a.fail
}

func (a *annals) FindLedger(ctx context.Context, text string, limit int) ([]gate.LedgerEntry, error) {
	all, err := a.LedgerEntries(ctx, 0, len(a.entries))
	return slices.DeleteFunc(all, func(e gate.LedgerEntry) bool {
		r, _ := ledger.ParseRecord(e.Bytes)
		return !slices.Contains([]string{fmt.Sprint(e.Index), e.ID, e.Request, r.Digest.String(), gate.Digest(tlog.RecordHash(e.Bytes)).String()}, text)
	}), err
}

func (a *annals) Hashes(_ context.Context, size int64) *ledger.Reader {
	return &ledger.Reader{Source: tiles{a}, Size: size}
}

// tiles are those of a ledger in memory.
type tiles struct{ of *annals }

func (s tiles) Tile(t ledger.Tile) ([]byte, error) { return s.of.Tile(context.Background(), t) }

func (a *annals) TrustedRoot(context.Context) ([]byte, int, bool, error) {
	if len(a.roots) == 0 {
		return nil, 0, false, a.fail
	}
	return a.roots[len(a.roots)-1], len(a.roots), true, a.fail
}

func (a *annals) TrustedRootVersion(_ context.Context, version int) ([]byte, bool, error) {
	if version < 1 || version > len(a.roots) {
		return nil, false, a.fail
	}
	return a.roots[version-1], true, a.fail
}

func (a *annals) Verdict(_ context.Context, request string) (gate.SignedVerdict, []gate.LogEntry, bool, error) {
	v, ok := a.verdicts[request]
	return v, nil, ok, a.fail
}

// leaf is an entry of a kind about a request.
func leaf(kind ledger.Kind, rec gate.Record) gate.LedgerEntry {
	return gate.LedgerEntry{
		Kind: string(kind), ID: rec.Request.ID, Request: rec.Request.ID, Repository: rec.Request.Repository,
		Salt: []byte(strings.Repeat("s", ledger.SaltSize)), Document: fmt.Appendf(nil, `{"v":1,"kind":%q}`, kind),
	}
}

// chronicle is the ledger of one signed release, with its history: opened, judged, intents,
// and two records of a signature.
func chronicle(t *testing.T, w *world, rec gate.Record) *annals {
	t.Helper()
	a := newAnnals()
	for _, kind := range []ledger.Kind{ledger.RequestOpened, ledger.Decision, ledger.Intents} {
		a.add(t, leaf(kind, rec))
	}
	body, err := ledger.Record{Digest: gate.SHA256([]byte("app")), Signature: []byte("sig"), Key: []byte("key")}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"signature", "certificate-signature"} {
		a.add(t, gate.LedgerEntry{Kind: kind, ID: "i1", Bytes: body, Request: rec.Request.ID, Repository: rec.Request.Repository, Document: []byte("{}")})
	}
	w.put(rec)
	w.history = map[string][]gate.Happening{rec.Request.ID: {
		{What: gate.HappenedAsked, Leaf: 0}, {What: gate.HappenedJudged, Leaf: 1, Outcome: gate.Granted},
		{What: gate.HappenedSigning, Leaf: 2, Attempt: 1}, {What: gate.HappenedSigned, Leaf: 3, Attempt: 1},
	}}
	return a
}
