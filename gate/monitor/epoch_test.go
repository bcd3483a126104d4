package monitor_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
)

// begun is the log in a new epoch, from what it holds up to size entries.
func (l *gatelog) begun(t *testing.T, size int) *gatelog {
	t.Helper()
	out := l.fork(size)
	next := newLog(t)
	out.origin, out.key = "second.example.org", next.key
	out.commit(ledger.EpochBegun, "server", struct{}{})
	return out
}

// A new epoch with all that was there before is a notice, and the log is read on.
func TestNewEpoch(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.fill(300)
	l.publish()
	first := newWatch(t, l, trusting(key))
	first.round()
	next := l.begun(t, 300)
	next.write(key, plan(t, key, 1, request))
	next.publish()
	both := func(c *monitor.Config) {
		c.Shelf = first.config.Shelf
		c.Logs = []*ledger.LogKey{l.logKey(), next.logKey()}
	}
	untold := newWatch(t, next, trusting(key), func(c *monitor.Config) { c.Shelf, c.Logs = first.config.Shelf, first.config.Logs })
	untold.round(monitor.KindCheckpoint) // until the new trusted root is there
	w := newWatch(t, next, trusting(key), both)
	if sum := w.round(monitor.KindEpoch, monitor.KindEpoch); sum.Alerts != 0 || sum.Origin != "second.example.org" || sum.Read != 7 {
		t.Errorf("got %+v", sum)
	}
	w.round()
	// The earlier epoch's log does not come back, whatever its key signs.
	l.fill(1000)
	l.publish()
	back := newWatch(t, l, trusting(key), both)
	if back.round(monitor.KindFork); !strings.Contains(back.alerts[0].Why, "goes back") {
		t.Errorf("got %+v", back.alerts[0])
	}
	w.round()
}

// A new epoch without what was published says so, and is read again from where both agree.
func TestLostEntries(t *testing.T) {
	for _, x := range []struct{ had, kept, grown int }{
		{700, 650, 200}, {700, 650, 10}, {700, 100, 0}, {700, 512, 700}, {256, 0, 3}, {1000, 999, 1}, {1, 0, 0},
	} {
		t.Run(fmt.Sprint(x), func(t *testing.T) {
			l, key := newLog(t), newSigner(t)
			l.fill(x.had)
			l.publish()
			first := newWatch(t, l, trusting(key))
			first.round()
			next := l.begun(t, x.kept)
			next.fill(x.grown)
			next.write(key, plan(t, key, 1, request))
			next.publish()
			w := newWatch(t, next, trusting(key), func(c *monitor.Config) {
				c.Shelf, c.Logs = first.config.Shelf, []*ledger.LogKey{l.logKey(), next.logKey()}
			})
			sum := w.round(monitor.KindLost, monitor.KindEpoch)
			from := int64(len(next.entries)) - sum.Read
			if from > int64(x.kept) || x.kept >= 512 && from < 512 || len(w.alerts[0].Notes) != 2 {
				t.Errorf("read again from %d: %+v", from, w.alerts[0])
			}
			w.restart()
			w.round()
			next.fill(10)
			next.publish()
			w.round()
		})
	}
}

// What was accounted for in a tree that is no more accounts for nothing in the next one.
func TestLostIntents(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	r := l.write(key, plan(t, key, 1, request))
	l.publish()
	w := newWatch(t, l, trusting(key))
	w.round()
	next := l.begun(t, 1)
	next.told = map[int64]api.LedgerEntry{}
	next.record(key, r.intents[0].Digest, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: 0, Intents: 1}})
	next.publish()
	w.m.Logs = append(w.m.Logs, next.logKey())
	w.m.Source = newWatch(t, next).config.Source
	w.round(monitor.KindLost, monitor.KindEpoch, monitor.KindUnreadable)
}

// What was not read before a new epoch began is read in it.
func TestUnreadBeforeTheEpoch(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.fill(10)
	l.write(newSigner(t), plan(t, key, 1, request))
	l.fill(500)
	l.publish()
	w := newWatch(t, l, trusting(key))
	l.with(func() { l.down = func(path string) bool { return strings.HasPrefix(path, "/log/tile/entries/") } })
	if _, err := w.m.Round(t.Context()); !monitor.Unreachable(err) {
		t.Fatal(err)
	}
	next := l.begun(t, 513)
	next.publish()
	w.m.Logs = append(w.m.Logs, next.logKey())
	w.m.Source = newWatch(t, next).config.Source
	w.round(monitor.KindLost, monitor.KindKey, monitor.KindKey, monitor.KindKey, monitor.KindEpoch)
}

// witness is one of C2SP tlog-cosignature.
type witness struct {
	name string
	key  ed25519.PrivateKey
}

func newWitness(t *testing.T, name string) witness {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return witness{name, key}
}

func (w witness) encoded() []byte {
	return append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)
}

func (w witness) hash() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n"), w.encoded()...))
	return sum[:4]
}

func (w witness) verifier(t *testing.T) *ledger.WitnessKey {
	t.Helper()
	k, err := ledger.ParseWitnessKey(fmt.Sprintf("%s+%x+%s", w.name, w.hash(), base64.StdEncoding.EncodeToString(w.encoded())))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// cosign adds the witness's line to a note.
func (w witness) cosign(note []byte) []byte {
	text, _, _ := strings.Cut(string(note), "\n\n")
	sig := ed25519.Sign(w.key, []byte("cosignature/v1\ntime 1700000000\n"+text+"\n"))
	raw := binary.BigEndian.AppendUint64(w.hash(), 1_700_000_000)
	return fmt.Appendf(note, "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(append(raw, sig...)))
}

// A checkpoint without the cosignatures that were asked for is told of, and read all the
// same.
func TestWitnesses(t *testing.T) {
	l := newLog(t)
	l.fill(5)
	l.publish()
	a, b, c := newWitness(t, "a.example"), newWitness(t, "b.example"), newWitness(t, "c.example")
	bare := l.note
	for name, x := range map[string]struct {
		note   []byte
		quorum int
		want   []monitor.Kind
	}{
		"none asked for":    {bare, 0, nil},
		"none":              {bare, 1, []monitor.Kind{monitor.KindWitnesses}},
		"one of two":        {a.cosign(bare), 2, []monitor.Kind{monitor.KindWitnesses}},
		"the same twice":    {a.cosign(a.cosign(bare)), 2, []monitor.Kind{monitor.KindWitnesses}},
		"somebody else too": {c.cosign(a.cosign(bare)), 2, []monitor.Kind{monitor.KindWitnesses}},
		"both":              {b.cosign(a.cosign(bare)), 2, nil},
		"one is enough":     {b.cosign(bare), 1, nil},
	} {
		l.note = x.note
		w := newWatch(t, l, func(cfg *monitor.Config) {
			cfg.Witnesses, cfg.Quorum = []*ledger.WitnessKey{a.verifier(t), b.verifier(t)}, x.quorum
		})
		if sum := w.round(x.want...); sum.Read != 5 {
			t.Errorf("%s: got %+v", name, sum)
		}
	}
}

func TestMonitorsThatCannotBegin(t *testing.T) {
	l := newLog(t)
	good := monitor.Config{Logs: []*ledger.LogKey{l.logKey()}, Keys: map[string]gate.Purpose{"SHA256:x": gate.PurposeRelease}}
	if _, err := monitor.New(good); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*monitor.Config){
		"no log": func(c *monitor.Config) { c.Logs = nil }, "no key": func(c *monitor.Config) { c.Keys = nil },
		"more witnesses than there are": func(c *monitor.Config) { c.Quorum = 1 }, "fewer than none": func(c *monitor.Config) { c.Quorum = -1 },
	} {
		c := good
		edit(&c)
		if _, err := monitor.New(c); err == nil {
			t.Errorf("%s: it began", name)
		}
	}
}
