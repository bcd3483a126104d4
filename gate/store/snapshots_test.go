package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
)

const mainRef = "refs/heads/main"

// full is a protection with every field set; what is not known comes first.
func full() gate.Protection {
	return gate.Protection{
		Ref: mainRef, Sources: []string{"classic", "ruleset:12"}, Reviews: gate.Known(1), ForcePush: gate.Known(false),
		Deletion: gate.Absent[bool]("the forge has no such rule"), AdminsEnforced: gate.Unknown[bool]("hidden from the App"),
		Push: gate.Known([]string{"ana", "bo"}), Bypass: gate.Known([]string{}), Rules: []string{"deletion", "review"},
	}
}

func exporter(reflect.Type) bool { return true }

// seen records a decision that read these protections of main.
func (w *world) seen(rec gate.Record, snapshots ...gate.Snapshot) gate.Record {
	w.Helper()
	j := judgement(rec, gate.StateWaiting)
	j.Snapshots = snapshots
	rec, err := w.s.RecordDecision(w.ctx, j)
	w.must(err)
	return rec
}

func snapshot(at time.Time, p gate.Fact[gate.Protection]) gate.Snapshot {
	return gate.Snapshot{Repository: repository(), Ref: mainRef, At: at, Protection: p}
}

func (w *world) snapshots(since time.Time, want ...gate.Snapshot) {
	w.Helper()
	got, err := w.s.Snapshots(w.ctx, repository(), mainRef, since)
	w.must(err)
	if len(want) == 0 {
		want = []gate.Snapshot{}
	}
	if diff := cmp.Diff(want, got, cmp.Exporter(exporter)); diff != "" {
		w.Error(diff)
	}
}

func until(s gate.Snapshot, at time.Time) gate.Snapshot {
	s.Until = at
	return s
}

// Attack 25: protection that was switched off and on again stays on record, each change
// from when it was first read.
func TestAttack25ProtectionOffAndOnAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		start := time.Now().UTC().Truncate(time.Microsecond)
		at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * minute) }
		w.snapshots(time.Time{})
		on, off := gate.Known(full()), gate.Absent[gate.Protection]("branch not protected")
		rec := w.seen(w.opened("a"), snapshot(at(0), on))
		rec = w.seen(rec, snapshot(at(1), on)) // the same: nothing new
		rec = w.seen(rec, snapshot(at(2), off))
		rec = w.seen(rec, snapshot(at(3), off), snapshot(at(4), on))
		w.seen(rec)
		first, second, third := until(snapshot(at(0), on), at(2)), until(snapshot(at(2), off), at(4)), snapshot(at(4), on)
		w.snapshots(time.Time{}, first, second, third)
		w.snapshots(at(3), second, third)
		w.snapshots(at(4), second, third) // held until that very moment
		w.snapshots(at(5), third)
		elsewhere, err := w.s.Snapshots(w.ctx, repository(), "refs/heads/next", time.Time{})
		w.must(err)
		if len(elsewhere) != 0 {
			w.Errorf("expected nothing of another branch, got %v", elsewhere)
		}
	})
}

// The forge's order of lists and the wording of reasons are no change; every field is one.
func TestWhatIsAnotherProtection(t *testing.T) {
	same := map[string]func(*gate.Protection){
		"nothing":          func(*gate.Protection) {},
		"order of sources": func(p *gate.Protection) { p.Sources = []string{"ruleset:12", "classic"} },
		"order of pushers": func(p *gate.Protection) { p.Push = gate.Known([]string{"bo", "ana"}) },
		"why absent":       func(p *gate.Protection) { p.Deletion = gate.Absent[bool]("in other words") },
		"why unknown":      func(p *gate.Protection) { p.AdminsEnforced = gate.Unknown[bool]("in other words") },
	}
	other := map[string]func(*gate.Protection){
		"sources":     func(p *gate.Protection) { p.Sources = []string{"classic"} },
		"reviews":     func(p *gate.Protection) { p.Reviews = gate.Known(2) },
		"force push":  func(p *gate.Protection) { p.ForcePush = gate.Known(true) },
		"deletion":    func(p *gate.Protection) { p.Deletion = gate.Known(true) },
		"admins":      func(p *gate.Protection) { p.AdminsEnforced = gate.Known(false) },
		"push":        func(p *gate.Protection) { p.Push = gate.Unknown[[]string]("hidden") },
		"bypass":      func(p *gate.Protection) { p.Bypass = gate.Known([]string{"an app"}) },
		"rules":       func(p *gate.Protection) { p.Rules = []string{"deletion"} },
		"ref matched": func(p *gate.Protection) { p.Ref = "refs/heads/*" },
	}
	onBoth(t, func(w *world) {
		start := time.Now().UTC().Truncate(time.Microsecond)
		rec := w.seen(w.opened("a"), snapshot(start, gate.Known(full())))
		for name, change := range same {
			p := full()
			change(&p)
			rec = w.seen(rec, snapshot(start.Add(minute), gate.Known(p)))
			w.snapshots(time.Time{}, snapshot(start, gate.Known(full())))
			if w.Failed() {
				w.Fatal(name)
			}
		}
		want := 1
		for name, change := range other {
			p := full()
			change(&p)
			at := start.Add(time.Duration(want) * minute)
			rec = w.seen(rec, snapshot(at, gate.Known(p)))
			want++
			got, err := w.s.Snapshots(w.ctx, repository(), mainRef, time.Time{})
			w.must(err)
			if len(got) != want {
				w.Fatalf("%s: expected %d snapshots, got %d", name, want, len(got))
			}
			if diff := cmp.Diff(snapshot(at, gate.Known(p)), got[want-1], cmp.Exporter(exporter)); diff != "" {
				w.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// Every field of a protection that is kept comes back: none is added without being kept.
func TestEveryFieldOfAProtectionIsKept(t *testing.T) {
	v := reflect.ValueOf(full())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("expected that the tests' protection has all fields, got none for %s", v.Type().Field(i).Name)
		}
	}
}

// A slow decision that is stored after a later one still tells what it saw.
func TestSnapshotThatComesLate(t *testing.T) {
	onBoth(t, func(w *world) {
		start := time.Now().UTC().Truncate(time.Microsecond)
		at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * minute) }
		on, off := gate.Known(full()), gate.Absent[gate.Protection]("branch not protected")
		more := full()
		more.Reviews = gate.Known(2)
		a, b := w.opened("a"), w.opened("b")
		a = w.seen(a, snapshot(at(0), on))
		w.seen(a, snapshot(at(10), gate.Known(more)))
		b = w.seen(b, snapshot(at(5), off))
		want := []gate.Snapshot{
			until(snapshot(at(0), on), at(5)), until(snapshot(at(5), off), at(10)), snapshot(at(10), gate.Known(more)),
		}
		w.snapshots(time.Time{}, want...)
		b = w.seen(b, snapshot(at(9), gate.Known(more))) // that began earlier than was known
		want[1].Until, want[2].At = at(9), at(9)
		w.snapshots(time.Time{}, want...)
		b = w.seen(b, snapshot(at(-1), off)) // before everything
		want = append([]gate.Snapshot{until(snapshot(at(-1), off), at(0))}, want...)
		w.snapshots(time.Time{}, want...)
		w.seen(b, snapshot(at(9), on), snapshot(at(9), off)) // in one moment: all are kept
		got, err := w.s.Snapshots(w.ctx, repository(), mainRef, at(9))
		w.must(err)
		if len(got) != 4 || !got[3].Protection.IsAbsent() || !got[3].Until.IsZero() {
			w.Errorf("expected what held until then and three since, the last unprotected, got %+v", got)
		}
	})
}

// Requests of one repository are judged on several replicas at once.
func TestSnapshotsOfReplicas(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		start := time.Now().UTC().Truncate(time.Microsecond)
		for n := range 10 {
			p := full()
			p.Reviews = gate.Known(n)
			j := judgement(w.opened(newID()), gate.StateWaiting)
			k := judgement(w.opened(newID()), gate.StateWaiting)
			j.Snapshots = []gate.Snapshot{snapshot(start.Add(time.Duration(n)*minute), gate.Known(p))}
			k.Snapshots = j.Snapshots
			errs := make(chan error)
			go func() { _, err := w.s.RecordDecision(w.ctx, j); errs <- err }()
			go func() { _, err := other.RecordDecision(w.ctx, k); errs <- err }()
			w.must(<-errs)
			w.must(<-errs)
		}
		got, err := w.s.Snapshots(w.ctx, repository(), mainRef, time.Time{})
		w.must(err)
		if len(got) != 10 {
			w.Errorf("expected each protection once, got %d of 10", len(got))
		}
	})
}

func TestSnapshotsThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		ok := snapshot(time.Now(), gate.Known(full()))
		timeless, refless, homeless, unread := ok, ok, ok, ok
		timeless.At = time.Time{}
		refless.Ref = ""
		homeless.Repository = gate.RepositoryID{}
		unread.Protection = gate.Unknown[gate.Protection]("503")
		for name, s := range map[string]gate.Snapshot{"no time": timeless, "no ref": refless, "no repository": homeless, "unknown": unread} {
			j := judgement(rec, gate.StateWaiting)
			j.Snapshots = []gate.Snapshot{s}
			if _, err := w.s.RecordDecision(w.ctx, j); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.snapshots(time.Time{})
	})
}
