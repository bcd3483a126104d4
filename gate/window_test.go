package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// hours makes a window of every day.
func hours(z *time.Location, from, to int) gate.Window {
	return gate.Window{
		Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday},
		From: from, To: to, Zone: z,
	}
}

func TestWindow(t *testing.T) {
	berlin, lordHowe := zone(t, "Europe/Berlin"), zone(t, "Australia/Lord_Howe")
	office := gate.Window{Days: []time.Weekday{time.Monday, time.Thursday}, From: 8 * 60, To: 17 * 60, Zone: berlin}
	allow := func(what string, w gate.Window, at string) {
		t.Helper()
		if !w.Open(moment(t, at)) {
			t.Errorf("%s: %s is closed at %s", what, w, at)
		}
	}
	deny := func(what string, w gate.Window, at, next string) {
		t.Helper()
		got, ok := w.Next(moment(t, at))
		if w.Open(moment(t, at)) || !ok || got.Format(time.RFC3339) != next || !w.Open(got) || w.Open(got.Add(-time.Minute)) {
			t.Errorf("%s: %s at %s: expected closed and to open %s, got %s, %t", what, w, at, next, got.Format(time.RFC3339), ok)
		}
	}
	allow("at noon", office, "2026-03-02T12:00:00Z") // a Monday
	allow("the first second", office, "2026-03-02T07:00:00Z")
	deny("the second before", office, "2026-03-02T06:59:59Z", "2026-03-02T08:00:00+01:00")
	allow("the last second", office, "2026-03-02T15:59:59Z")
	deny("the end itself", office, "2026-03-02T16:00:00Z", "2026-03-05T08:00:00+01:00")
	deny("another day", office, "2026-03-03T12:00:00Z", "2026-03-05T08:00:00+01:00")
	deny("over the weekend", office, "2026-03-05T16:00:01Z", "2026-03-09T08:00:00+01:00")
	allow("the day is that of the zone, not of UTC", hours(zone(t, "Pacific/Auckland"), 0, 60), "2026-03-01T11:30:00Z")
	allow("all day", hours(berlin, 0, 24*60), "2026-03-02T22:59:59Z")

	// Clocks go from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October.
	allow("after the clocks went forward", office, "2026-03-30T06:00:00Z")
	deny("before the clocks go forward, it opens after", office, "2026-03-26T16:00:00Z", "2026-03-30T08:00:00+02:00")
	deny("after the clocks went back", office, "2026-10-26T06:59:00Z", "2026-10-26T08:00:00+01:00")
	skipped := hours(berlin, 2*60, 3*60)
	deny("an hour that is skipped does not open on that day", skipped, "2026-03-29T00:59:59Z", "2026-03-30T02:00:00+02:00")
	half := hours(berlin, 2*60+30, 4*60)
	deny("half skipped, it opens where the clocks land", half, "2026-03-29T00:59:59Z", "2026-03-29T03:00:00+02:00")
	allow("a repeated hour, the first time", skipped, "2026-10-25T00:30:00Z")
	allow("a repeated hour, the second time", skipped, "2026-10-25T01:30:00Z")
	deny("closed between the two times", hours(berlin, 2*60, 2*60+30), "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+01:00")
	deny("clocks that move by half an hour", hours(lordHowe, 2*60, 2*60+30), "2026-10-03T15:30:00Z", "2026-10-05T02:00:00+11:00")

	none := hours(nil, 0, 24*60)
	if _, ok := none.Next(now); ok || none.Open(now) {
		t.Error("a window without a zone is open")
	}
	if _, ok := hours(berlin, 0, 0).Next(now); ok {
		t.Error("a window without a minute opens")
	}
}

func TestOutsideTheWindow(t *testing.T) {
	r := row{t}
	within := func(from, to int) step {
		w := hours(time.UTC, from, to)
		return stream(func(s *gate.Stream) { s.Window = &w })
	}
	r.grant("within the window", released(within(12*60, 13*60)))
	r.waits("before the window", released(within(12*60+1, 13*60)), gate.CheckWindow, "it opens Mon 2 Mar 12:01 UTC")
	r.waits("after the window", released(within(11*60, 12*60)), gate.CheckWindow, "it opens Tue 3 Mar 11:00 UTC")
	r.waits("a window that never opens", released(within(0, 0)), gate.CheckWindow, "signed only")
	d := gate.Decide(released(within(11*60, 12*60)), now)
	if c, _ := d.Check(gate.CheckWindow); !strings.Contains(c.Fix, "2026-03-03T11:00:00Z") || c.Unread || d.Ends() != "" {
		t.Errorf("expected the opening in the fix, and a request that stays open: %+v", c)
	}
	if d := gate.Decide(released(within(12*60, 13*60)), now); len(d.Counted) != 1 {
		t.Error("an approval from before the window does not count")
	}
	if _, ok := gate.Decide(released(), now).Check(gate.CheckWindow); ok {
		t.Error("a check of a window without any")
	}
}

func BenchmarkNextOpening(b *testing.B) {
	w := gate.Window{Days: []time.Weekday{time.Monday}, From: 12 * 60, To: 12*60 + 1, Zone: time.UTC}
	for b.Loop() {
		w.Next(now.Add(time.Minute))
	}
}
