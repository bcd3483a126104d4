package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones where the host has none, such as in a container

	"github.com/countersign/countersign/gate"
)

// weekdays are the days of a window, in the order in which they are shown.
func weekdays() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// window reads when releases may be signed.
func (r *reader) window(f field) *gate.Window {
	sub := r.fields("window", f.value, nil, "days", "hours", "tz")
	w := &gate.Window{From: 0, To: 24 * 60}
	if _, ok := sub["tz"]; !ok {
		r.bad(f.value, "the window names no time zone", "tz: Europe/Berlin", "nothing", "name the zone by whose clocks the hours are meant, or UTC")
	}
	if len(sub) == 1 {
		r.bad(f.value, "the window names neither days nor hours", `days: [mon, tue], or hours: "08:00-17:00"`, "neither", "name them, or leave window out")
	}
	if r.err != nil {
		return nil
	}
	w.Zone = r.zone(sub["tz"])
	w.Days = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}
	if d, ok := sub["days"]; ok {
		w.Days = r.days(d)
	}
	if h, ok := sub["hours"]; ok {
		w.From, w.To = r.hours(h)
	}
	return w
}

func (r *reader) days(f field) []time.Weekday {
	var out []time.Weekday
	for _, n := range r.list(f) {
		word := r.word("a day", n, weekdays()...)
		day := time.Weekday((slices.Index(weekdays(), word) + 1) % 7)
		if slices.Contains(out, day) {
			r.bad(n, quoted(word)+" stands twice", "every day once", quoted(word), "keep one of them")
		}
		out = append(out, day)
	}
	slices.SortFunc(out, func(a, b time.Weekday) int { return int((a+6)%7) - int((b+6)%7) })
	return out
}

// hours: a window that crossed midnight would leave open to which of its two days the
// list of days applies.
func (r *reader) hours(f field) (from, to int) {
	text := r.text("hours", f.value)
	a, b, _ := strings.Cut(text, "-")
	from, okFrom := clock(a)
	to, okTo := clock(b)
	switch {
	case r.err != nil:
	case !okFrom || !okTo:
		r.bad(f.value, "hours "+quoted(text)+" are no span of a day", `such as "08:00-17:00", from 00:00 to 24:00`, quoted(text), "write two times of four digits with a hyphen between them, in quotes")
	case from >= to:
		r.bad(f.value, "hours "+quoted(text)+" end before they begin", "a span within one day", quoted(text), "a window does not cross midnight: choose hours of one day")
	}
	return from, to
}

// clock is minutes after midnight of exactly HH:MM, up to 24:00.
func clock(s string) (int, bool) {
	var h, m int
	if n, err := fmt.Sscanf(s, "%02d:%02d", &h, &m); n != 2 || err != nil || fmt.Sprintf("%02d:%02d", h, m) != s {
		return 0, false
	}
	return h*60 + m, h >= 0 && m >= 0 && m < 60 && h*60+m <= 24*60
}

// zone: "Local" and the empty name would mean whatever the server's host is set to.
func (r *reader) zone(f field) *time.Location {
	name := r.text("tz", f.value)
	if r.err != nil {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || len(name) > maxText || (name != "UTC" && !strings.Contains(name, "/")) {
		r.bad(f.value, "time zone "+quoted(name)+" is not known", "a name of the IANA time zone database, such as Europe/Berlin, or UTC", quoted(name), "abbreviations such as CET do not follow daylight saving: name a city")
		return nil
	}
	return zone
}
