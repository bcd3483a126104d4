package monitor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/monitor"
)

const request = "0197f3a0-0000-7000-8000-000000000001"

// A log that only grows, with signatures that were granted, is nothing to tell of.
func TestQuietLog(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.publish()
	w := newWatch(t, l, trusting(key))
	w.round()
	l.fill(300)
	l.write(key, plan(t, key, 3, request))
	l.publish()
	if sum := w.round(); sum.Read != 308 || sum.Size != 308 || sum.Origin != origin {
		t.Errorf("got %+v", sum)
	}
	if sum := w.round(); sum.Read != 0 || sum.Size != 308 {
		t.Errorf("nothing new, got %+v", sum)
	}
	w.restart()
	for n := range 20 {
		l.fill(n * 37)
		l.write(key, plan(t, key, 1, request))
		l.publish()
		if sum := w.round(); sum.Read != int64(n*37+6) {
			t.Errorf("round %d: got %+v", n, sum)
		}
	}
}

// One opened attempt accounts for all of its signatures.
func TestOpeningsAreReadOnce(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	r := l.write(key, plan(t, key, 100, request))
	l.publish()
	newWatch(t, l, trusting(key)).round()
	asked := 0
	for path, n := range l.asked {
		if strings.HasPrefix(path, "/v1/log/entries/") {
			asked += n
		}
	}
	if asked != 3 {
		t.Errorf("%d entries were asked for, of a release with %d signatures", asked, len(r.signedAt))
	}
}

// What the log shows has to begin with what it showed before.
func TestForks(t *testing.T) {
	l := newLog(t)
	l.fill(600)
	l.publish()
	w := newWatch(t, l)
	w.round()
	for name, fork := range map[string]func() *gatelog{
		"another entry early":        func() *gatelog { f := l.fork(100); f.fill(600); f.publish(); return f },
		"another last entry":         func() *gatelog { f := l.fork(599); f.fill(1); f.publish(); return f },
		"another last entry, larger": func() *gatelog { f := l.fork(599); f.fill(2); f.publish(); return f },
		"nothing in common":          func() *gatelog { f := l.fork(0); f.fill(1000); f.publish(); return f },
		"rolled back":                func() *gatelog { f := l.fork(512); f.publish(); return f },
		"empty":                      func() *gatelog { f := l.fork(0); f.publish(); return f },
	} {
		t.Run(name, func(t *testing.T) {
			f := newWatch(t, fork(), func(c *monitor.Config) { c.Shelf = w.config.Shelf })
			if sum := f.round(monitor.KindFork); sum.Alerts != 1 || sum.Size != 600 {
				t.Errorf("got %+v", sum)
			}
			if notes := f.alerts[0].Notes; len(notes) != 2 || notes[0] == notes[1] || !strings.HasPrefix(notes[0], origin+"\n600\n") {
				t.Errorf("expected both checkpoints, got %q", notes)
			}
			if sum := f.round(); sum.Alerts != 1 {
				t.Errorf("a fork that stays counts in every round, and is told once: got %+v", sum)
			}
			f.restart()
			f.round(monitor.KindFork)
		})
	}
	w.round() // the log that was first seen is still good
	l.fill(10)
	l.publish()
	w.round()
}

// Nothing is believed that does not hash to the checkpoint.
func TestTamperedTiles(t *testing.T) {
	flip := func(at int) func([]byte) ([]byte, bool) {
		return func(b []byte) ([]byte, bool) { b[len(b)*at/100] ^= 1; return b, true }
	}
	for name, x := range map[string]struct {
		prefix string
		edit   func([]byte) ([]byte, bool)
	}{
		"a leaf's hash":            {"/log/tile/0/001", flip(50)},
		"the last hash":            {"/log/tile/0/002", flip(99)},
		"a subtree's hash":         {"/log/tile/1/000", flip(10)},
		"an entry":                 {"/log/tile/entries/001", flip(70)},
		"an entry's length":        {"/log/tile/entries/001", flip(0)},
		"a short tile":             {"/log/tile/0/000", func(b []byte) ([]byte, bool) { return b[32:], true }},
		"a long tile":              {"/log/tile/0/000", func(b []byte) ([]byte, bool) { return slices.Concat(b, b[:32]), true }},
		"a short tile of entries":  {"/log/tile/entries/000", func(b []byte) ([]byte, bool) { return b[:len(b)-1], true }},
		"an empty tile of entries": {"/log/tile/entries/000", func([]byte) ([]byte, bool) { return nil, true }},
		"a withheld tile":          {"/log/tile/entries/001", func([]byte) ([]byte, bool) { return nil, false }},
		"a withheld hash tile":     {"/log/tile/1/000", func([]byte) ([]byte, bool) { return nil, false }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.fill(700)
			l.publish()
			w := newWatch(t, l)
			l.edit = func(path string, b []byte) ([]byte, bool) {
				if strings.HasPrefix(path, x.prefix) {
					return x.edit(b)
				}
				return b, true
			}
			w.round(monitor.KindTiles)
			w.round()
			l.with(func() { l.edit = nil })
			w.round()
			if sum := w.round(); sum.Size != 700 || sum.Read != 0 {
				t.Errorf("it did not come to the end: %+v", sum)
			}
		})
	}
}

// A log may drop partial tiles once the full ones are there.
func TestDroppedPartialTiles(t *testing.T) {
	l := newLog(t)
	l.fill(300)
	l.publish()
	l.fill(300)
	w := newWatch(t, l)
	l.edit = func(path string, b []byte) ([]byte, bool) { return b, !strings.Contains(path, "/001.p/") }
	if sum := w.round(); sum.Read != 300 {
		t.Errorf("got %+v", sum)
	}
}

// A checkpoint by nobody who is known is no checkpoint.
func TestForeignCheckpoints(t *testing.T) {
	l, other := newLog(t), newLog(t)
	l.fill(3)
	other.fill(3)
	other.publish()
	for name, note := range map[string][]byte{
		"by another key": other.note, "nothing": {}, "no note": []byte("hello\n"),
		"another origin": []byte(strings.Replace(string(other.note), origin, "elsewhere.example", 1)),
	} {
		w := newWatch(t, l)
		l.note = note
		if w.round(monitor.KindCheckpoint); w.alerts[0].Notes[0] != string(note) {
			t.Errorf("%s: got %+v", name, w.alerts[0])
		}
	}
}

// Whoever does not answer is asked again, and the place stays.
func TestUnreachable(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.fill(256)
	l.write(key, plan(t, key, 1, request))
	l.publish()
	w := newWatch(t, l, trusting(key))
	for _, path := range []string{"/log/checkpoint", "/log/tile/0/", "/log/tile/entries/001", "/v1/log/entries/"} {
		l.with(func() { l.down = func(p string) bool { return strings.HasPrefix(p, path) } })
		if _, err := w.m.Round(t.Context()); !monitor.Unreachable(err) {
			t.Errorf("without %s: expected it to be unreachable, got %v", path, err)
		}
	}
	l.with(func() { l.down = nil })
	if sum := w.round(); sum.Read >= 256 {
		t.Errorf("what was read before was read again: %+v", sum)
	}
	clear(l.asked)
	l.with(func() { l.down = func(path string) bool { return l.asked[path] < 3 } }) // the third try gets through
	l.fill(1000)
	l.publish()
	w.round()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.m.Round(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("expected that it was cancelled, got %v", err)
	}
}

// What was reported before the process died is reported again, and nothing is lost.
func TestCrashBetweenReportAndPlace(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	for range 5 {
		l.fill(100)
		l.write(key, plan(t, key, 1, request))
	}
	l.publish()
	w := newWatch(t, l)
	died := errors.New("the process died")
	seen := map[int64]bool{}
	report := w.config.Report
	for left := range 20 {
		told := 0
		w.config.Report = func(_ context.Context, a monitor.Alert) error {
			if told == left {
				return died
			}
			told++
			seen[*a.Index] = true
			return nil
		}
		w.restart()
		if _, err := w.m.Round(t.Context()); err == nil {
			break
		} else if !errors.Is(err, died) || monitor.Unreachable(err) {
			t.Fatal(err)
		}
	}
	if len(seen) != 15 {
		t.Errorf("expected 15 signatures by an unknown key, got %d", len(seen))
	}
	w.config.Report = report
	w.restart()
	w.round()
}

type failingShelf struct{ monitor.Shelf }

var errDisk = errors.New("the disk is full")

func (failingShelf) Save(context.Context, monitor.Place) error { return errDisk }

// A place that cannot be kept ends the round: the alerts come again.
func TestPlaceNotKept(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	l.write(key, plan(t, key, 1, request))
	l.publish()
	w := newWatch(t, l)
	shelf := w.config.Shelf
	w.config.Shelf = failingShelf{shelf}
	w.restart()
	if _, err := w.m.Round(t.Context()); !errors.Is(err, errDisk) || len(w.alerts) != 3 {
		t.Errorf("got %v and %d alerts", err, len(w.alerts))
	}
	w.config.Shelf = shelf
	w.restart()
	w.round(monitor.KindKey, monitor.KindKey, monitor.KindKey)
	w.round()
}
