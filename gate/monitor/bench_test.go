package monitor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
)

// endless is a log of any size that keeps no entry: entry n is made from n whenever it is
// asked for. Every kind of entry but signatures is a commitment; one in eight is a record.
type endless struct {
	size   int64
	record []byte // every record is the same signature
	levels [][]tlog.Hash
	note   []byte
	log    *ledger.LogKey
}

const recordEvery = 8

func (e *endless) entry(n int64) []byte {
	if n%recordEvery == recordEvery-1 {
		return e.record
	}
	return fmt.Appendf(nil, `{"commitment":"%064x","id":"0197f3a0-0000-7000-8000-%012d","kind":"published","v":1}`, n, n)
}

// newEndless hashes the whole log once, and keeps the hashes of every level that tiles
// have: 32 bytes for an entry and a little more.
func newEndless(b *testing.B, size int64, key signer) *endless {
	b.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	l := &gatelog{t: b, origin: origin, key: private}
	e := &endless{size: size, log: l.logKey()}
	digest := gate.SHA256([]byte("app"))
	sig, err := ecdsa.SignASN1(rand.Reader, key.private, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	if e.record, err = (ledger.Record{Digest: digest, Signature: sig, Key: key.version.SPKI}).Bytes(); err != nil {
		b.Fatal(err)
	}
	leaves := make([]tlog.Hash, size)
	for n := range size {
		leaves[n] = tlog.RecordHash(e.entry(n))
	}
	e.levels = [][]tlog.Hash{leaves}
	for below := leaves; len(below) >= ledger.TileWidth; below = e.levels[len(e.levels)-1] {
		above := make([]tlog.Hash, len(below)/ledger.TileWidth)
		for i := range above {
			above[i] = fullRoot(below[i*ledger.TileWidth : (i+1)*ledger.TileWidth])
		}
		e.levels = append(e.levels, above)
	}
	h := ledger.Head{Origin: origin, Size: size}
	if h.Root, err = (&ledger.Reader{Source: e, Size: size}).Root(size); err != nil {
		b.Fatal(err)
	}
	if e.note, err = ledger.Sign(h, e.log, func(text []byte) ([]byte, error) { return ed25519.Sign(private, text), nil }); err != nil {
		b.Fatal(err)
	}
	return e
}

func fullRoot(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(fullRoot(hashes[:half]), fullRoot(hashes[half:]))
}

// Tile implements ledger.Source.
func (e *endless) Tile(t ledger.Tile) ([]byte, error) {
	var out []byte
	var err error
	for i := range int64(t.Width) {
		n := t.Index<<ledger.TileHeight + i
		if t.Level != ledger.EntriesLevel {
			out = append(out, e.levels[t.Level][n][:]...)
		} else if out, err = ledger.AppendEntry(out, e.entry(n)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *endless) Log(_ context.Context, path string, _ int64) ([]byte, error) {
	if path == "checkpoint" {
		return e.note, nil
	}
	t, err := ledger.ParseTile(path)
	if err != nil || !t.In(e.size) {
		return nil, monitor.ErrAbsent
	}
	return e.Tile(t)
}

func (e *endless) Entry(context.Context, int64) ([]byte, error) { return nil, monitor.ErrAbsent }
func (e *endless) Keys(context.Context) ([]byte, error)         { return nil, monitor.ErrAbsent }

// fleeting keeps the place in memory.
type fleeting struct{ b []byte }

func (f *fleeting) Load(context.Context) (monitor.Place, bool, error) {
	if f.b == nil {
		return monitor.Place{}, false, nil
	}
	p, err := monitor.ParsePlace(f.b)
	return p, true, err
}

func (f *fleeting) Save(_ context.Context, p monitor.Place) (err error) {
	f.b, err = p.Bytes()
	return err
}

// peak follows the heap until stop is called, and returns the most that was in use.
func peak() (stop func() uint64) {
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.Store(max(most.Load(), m.HeapInuse))
	}
	go func() {
		defer close(ended)
		for {
			look()
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-ended
		return most.Load()
	}
}

// watchEndless follows a log from its first entry, and reports what that took.
func watchEndless(b *testing.B, size int64) {
	key := newSigner(b)
	e := newEndless(b, size, key)
	var most uint64
	for b.Loop() {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		unreadable := 0
		m, err := monitor.New(monitor.Config{
			Source: e, Shelf: &fleeting{}, Now: time.Now, Logs: []*ledger.LogKey{e.log}, AllowUnreadable: true,
			Keys:   map[string]gate.Purpose{key.hint: gate.PurposeRelease},
			Report: func(context.Context, monitor.Alert) error { unreadable++; return nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		stop := peak()
		sum, err := m.Round(b.Context())
		if at := stop(); at > before.HeapInuse { // beside what the log itself takes
			most = max(most, at-before.HeapInuse)
		}
		if err != nil || sum.Read != size || sum.Alerts != 0 || int64(unreadable) != size/recordEvery {
			b.Fatalf("got %+v and %d signatures, %v", sum, unreadable, err)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(most)/1e6, "peak-MB")
}

// BenchmarkMonitor1M follows a million entries, one in eight a signature. The monitor's own
// memory at its peak has to stay below 100 MB.
func BenchmarkMonitor1M(b *testing.B) { watchEndless(b, 1_000_000) }

// BenchmarkMonitor shows that throughput and memory do not depend on the log's size.
func BenchmarkMonitor(b *testing.B) {
	for _, size := range []int64{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { watchEndless(b, size) })
	}
}

// BenchmarkMonitorStep is a round over a log of 100,000 entries that grew by one release of ten
// files: what a monitor does once a minute.
func BenchmarkMonitorStep(b *testing.B) {
	l, key := newLog(b), newSigner(b)
	l.fill(100_000)
	l.publish()
	w := newWatch(b, l, trusting(key))
	w.round()
	n := 0
	for b.Loop() {
		b.StopTimer()
		l.write(key, plan(b, key, 10, fmt.Sprintf("0197f3a0-0000-7000-8000-%012d", n)))
		l.publish()
		n++
		b.StartTimer()
		w.round()
	}
}
