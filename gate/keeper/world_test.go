package keeper_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
)

// shelf is the ledger in memory, with the store's rules.
type shelf struct {
	mu          sync.Mutex
	leaves      []tlog.Hash
	checkpoints []gate.Checkpoint
	epochs      []gate.Epoch
	fail        error // of the next KeepCheckpoint
}

var _ keeper.Shelf = (*shelf)(nil)

func (s *shelf) add(n int, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.leaves = append(s.leaves, tlog.RecordHash(fmt.Appendf(nil, "%s %d", what, len(s.leaves))))
	}
}

// copy is a backup.
func (s *shelf) copy() *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &shelf{leaves: slices.Clone(s.leaves), checkpoints: slices.Clone(s.checkpoints), epochs: slices.Clone(s.epochs)}
}

// become is a restore below a running server.
func (s *shelf) become(o *shelf) {
	o = o.copy()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaves, s.checkpoints, s.epochs = o.leaves, o.checkpoints, o.epochs
}

func (s *shelf) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.leaves))
}

func (s *shelf) LedgerSize(context.Context) (int64, error) { return s.size(), nil }

func (s *shelf) Hashes(_ context.Context, size int64) *ledger.Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &ledger.Reader{Source: row(s.leaves[:min(size, int64(len(s.leaves)))]), Size: size}
}

// row cuts tiles from leaf hashes.
type row []tlog.Hash

func (r row) Tile(t ledger.Tile) ([]byte, error) {
	hashes := []tlog.Hash(r)
	for range ledger.TileHeight * t.Level {
		var up []tlog.Hash
		for i := 0; i+1 < len(hashes); i += 2 {
			up = append(up, tlog.NodeHash(hashes[i], hashes[i+1]))
		}
		hashes = up
	}
	from := int(t.Index) * ledger.TileWidth
	if from+t.Width > len(hashes) {
		return nil, fmt.Errorf("tile %s is not there", t.Path())
	}
	var out []byte
	for _, h := range hashes[from : from+t.Width] {
		out = append(out, h[:]...)
	}
	return out, nil
}

func (s *shelf) root(t testing.TB, size int64) tlog.Hash {
	t.Helper()
	root, err := s.Hashes(t.Context(), size).Root(size)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func (s *shelf) LatestCheckpoint(_ context.Context, origin string) (gate.Checkpoint, bool, error) {
	return s.find(origin, 0, 0)
}

func (s *shelf) CoveringCheckpoint(_ context.Context, origin string, atLeast int64, witnesses int) (gate.Checkpoint, bool, error) {
	return s.find(origin, atLeast, witnesses)
}

func (s *shelf) find(origin string, atLeast int64, witnesses int) (gate.Checkpoint, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.checkpoints) {
		if c.Origin == origin && c.Size >= atLeast && len(c.Witnesses) >= witnesses {
			return c, true, nil
		}
	}
	return gate.Checkpoint{}, false, nil
}

func (s *shelf) KeepCheckpoint(ctx context.Context, c gate.Checkpoint) error {
	if s.fail != nil {
		defer func() { s.fail = nil }()
		return s.fail
	}
	root, err := s.Hashes(ctx, c.Size).Root(c.Size)
	if err != nil || root != tlog.Hash(c.Root) {
		return &gate.Error{Code: gate.CodeLedgerBehind, Text: "not ours", Err: err}
	}
	last, ok, _ := s.LatestCheckpoint(ctx, c.Origin)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ok && last.Size > c.Size:
		return &gate.Error{Kind: gate.Conflict, Code: gate.CodeTransition, Text: "a larger one is kept"}
	case ok && last.Size == c.Size && !slices.ContainsFunc(c.Witnesses, func(w string) bool { return !slices.Contains(last.Witnesses, w) }) &&
		(len(c.Witnesses) < len(last.Witnesses) || !c.At.After(last.At)):
		return nil
	}
	s.checkpoints = append(s.checkpoints, c)
	return nil
}

func (s *shelf) Epochs(context.Context) ([]gate.Epoch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.epochs), nil
}

func (s *shelf) BeginEpoch(_ context.Context, e gate.Epoch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Number != len(s.epochs)+1 {
		return &gate.Error{Kind: gate.Conflict, Code: gate.CodeTransition, Text: "not the next"}
	}
	s.epochs = append(s.epochs, e)
	s.leaves = append(s.leaves, tlog.RecordHash(fmt.Appendf(nil, "epoch %d", e.Number)))
	return nil
}

// notary signs with a key in software, and remembers each head that it signed.
type notary struct {
	key    *ledger.LogKey
	secret ed25519.PrivateKey

	mu     sync.Mutex
	signed []ledger.Head
	twist  func(ledger.Head) ledger.Head
}

func newNotary(t testing.TB, origin string, seed byte) *notary {
	t.Helper()
	secret := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	spki, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.NewLogKey(origin, spki)
	if err != nil {
		t.Fatal(err)
	}
	return &notary{key: key, secret: secret}
}

func (n *notary) Checkpoint(_ context.Context, h ledger.Head) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.twist != nil {
		h = n.twist(h)
	}
	n.signed = append(n.signed, h)
	return ledger.Sign(h, n.key, func(text []byte) ([]byte, error) { return ed25519.Sign(n.secret, text), nil })
}

func (n *notary) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.signed)
}

// double is a witness that follows C2SP tlog-witness, in memory.
type double struct {
	key    *ledger.WitnessKey
	secret ed25519.PrivateKey
	now    func() time.Time

	mu    sync.Mutex
	heads map[string]ledger.Head // by origin
	err   error
	hang  bool
	asked int
}

func newWitness(t testing.TB, name string, seed byte) *double {
	t.Helper()
	secret := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	typed := append([]byte{4}, secret.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	key, err := ledger.ParseWitnessKey(fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed)))
	if err != nil {
		t.Fatal(err)
	}
	return &double{key: key, secret: secret, now: time.Now, heads: map[string]ledger.Head{}}
}

func (w *double) Key() *ledger.WitnessKey { return w.key }

func (w *double) Cosign(ctx context.Context, s ledger.Submission) ([]byte, error) {
	w.mu.Lock()
	w.asked++
	hang, fail := w.hang, w.err
	w.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if fail != nil {
		return nil, fail
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.heads[s.Head.Origin]
	if was.Size > s.Head.Size {
		return nil, &ledger.AheadError{Witness: w.key.Name(), Size: was.Size, Submitted: s.Head.Size}
	}
	if was.Size > 0 {
		proof, err := s.Prove(was.Size)
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckTree(proof, s.Head.Size, s.Head.Root, was.Size, was.Root); err != nil {
			return nil, fmt.Errorf("%w: %w", ledger.ErrForked, err)
		}
	}
	w.heads[s.Head.Origin] = s.Head
	at := binary.BigEndian.AppendUint64(nil, uint64(w.now().Unix())) //nolint:gosec // a time of ours
	sig := ed25519.Sign(w.secret, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", w.now().Unix(), s.Head.Text()))
	raw := bytes.Join([][]byte{binary.BigEndian.AppendUint32(nil, w.key.KeyHash()), at, sig}, nil)
	return fmt.Appendf(nil, "— %s %s\n", w.key.Name(), base64.StdEncoding.EncodeToString(raw)), nil
}

func (w *double) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// memory is a guard without a disk.
type memory struct {
	mark keeper.Mark
	kept bool
}

func (m *memory) Read() (keeper.Mark, bool, error) { return m.mark, m.kept, nil }

func (m *memory) Keep(mark keeper.Mark) error {
	m.mark, m.kept = mark, true
	return nil
}

// world is one server with what it needs.
type world struct {
	t         testing.TB
	shelf     *shelf
	notary    *notary
	guard     keeper.File
	witnesses []*double
	log       *journal
}

// journal is a log that several servers write.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

const origin = "log.example"

func newWorld(t testing.TB, witnesses int) *world {
	t.Helper()
	w := &world{t: t, shelf: &shelf{}, notary: newNotary(t, origin, 1), guard: keeper.File{Path: filepath.Join(t.TempDir(), "published")}, log: &journal{}}
	for i := range witnesses {
		w.witnesses = append(w.witnesses, newWitness(t, fmt.Sprintf("w%d.example", i+1), byte(100+i)))
	}
	return w
}

// config is a server's; each start makes its own keeper.
func (w *world) config() keeper.Config {
	c := keeper.Config{
		Shelf: w.shelf, Notary: w.notary, Guard: w.guard, Key: w.notary.key, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Every: time.Hour, Patience: 10 * time.Second,
	}
	for _, x := range w.witnesses {
		c.Witnesses = append(c.Witnesses, x)
	}
	return c
}

// start begins a server's life.
func (w *world) start() *keeper.Keeper {
	w.t.Helper()
	k, err := keeper.New(w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := k.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return k
}

// work runs a server's work until the function that it returns is called.
func (w *world) work(k *keeper.Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Work(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("work: %v", err)
		}
	}
}

// cover asks for a checkpoint, and holds it to what was asked.
func (w *world) cover(k *keeper.Keeper, size int64, witnesses int) gate.Checkpoint {
	w.t.Helper()
	c, err := k.Covering(w.t.Context(), size, witnesses)
	if err != nil {
		w.t.Fatalf("cover %d entries with %d cosignatures: %v", size, witnesses, err)
	}
	var keys []*ledger.WitnessKey
	for _, x := range w.witnesses {
		keys = append(keys, x.key)
	}
	head, by, err := ledger.Open(c.Note, w.notary.key, keys...)
	if err != nil || head.Size != c.Size || gate.Digest(head.Root) != c.Root || c.Size < size || len(by) < witnesses ||
		len(c.Witnesses) != len(by) || !bytes.Equal(c.LogID, w.notary.key.ID()) || c.Origin != origin || c.At.IsZero() {
		w.t.Fatalf("cover %d entries with %d cosignatures: got %+v, %v, %v", size, witnesses, c, by, err)
	}
	if root := w.shelf.root(w.t, c.Size); root != head.Root {
		w.t.Fatalf("expected root %v, got %v", root, head.Root)
	}
	return c
}

func isCode(err error, code gate.Code) bool {
	var e *gate.Error
	return errors.As(err, &e) && e.Code == code && e.Kind == gate.Unavailable
}
