package web_test

import (
	"bufio"
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/web"
)

// listened is a stream that is being read.
type listened struct {
	*http.Response

	lines chan string
	end   context.CancelFunc
}

// follow opens a stream over a real connection, as the listener has it.
func follow(t *testing.T, on *httptest.Server, path string, c *chrome) *listened {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, on.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "gzip")
	for _, cookie := range c.cookies {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	resp, err := on.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := &listened{Response: resp, lines: make(chan string, 100), end: end}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out.lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			out.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		end()
		_ = resp.Body.Close()
		<-done
	})
	return out
}

// next is the next event's name; "" where the stream ended.
func (l *listened) next() string {
	for line := range l.lines {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			return name
		}
	}
	return ""
}

// hears waits for a line that starts so.
func (l *listened) hears(t *testing.T, start string) {
	t.Helper()
	for line := range l.lines {
		if strings.HasPrefix(line, start) {
			return
		}
	}
	t.Fatalf("the stream ended before %q", start)
}

func served(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	on := httptest.NewUnstartedServer(nil)
	on.Config = web.Server(w.handler)
	// Shorter than any stream: neither limit may end one.
	on.Config.ReadTimeout, on.Config.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond
	on.Start()
	t.Cleanup(on.Close)
	return on
}

// A page learns that something changed, long after what a request may take, and that alone.
func TestEvents(t *testing.T) {
	w := newTown(t)
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	on := served(t, w.world)
	inbox, one := follow(t, on, "/events", w.chrome(t)), follow(t, on, "/events?release="+gatetest.RequestID, w.chrome(t))
	if inbox.StatusCode != http.StatusOK || inbox.Header.Get("Content-Type") != "text/event-stream" || inbox.Header.Get("Content-Encoding") != "" {
		t.Fatalf("answered %d %v", inbox.StatusCode, inbox.Header)
	}
	inbox.hears(t, ": hello")
	one.hears(t, ": hello")
	time.Sleep(time.Second) // past both of the listener's limits
	rec.Version++
	w.put(rec)
	if got := inbox.next(); got != "changed" {
		t.Errorf("the inbox hears %q", got)
	}
	if got := one.next(); got != "changed" {
		t.Errorf("the release's page hears %q", got)
	}
	// The server that stops lets nobody wait.
	if err := on.Config.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := inbox.next(); got != "" {
		t.Errorf("heard %q of a server that stopped", got)
	}
}

// What changed between a page's making and its stream's beginning is told at once.
func TestEventsMissNothing(t *testing.T) {
	w := newTown(t)
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	on := served(t, w.world)
	for _, path := range []string{"/", page} {
		c := w.chrome(t)
		live := regexp.MustCompile(`sse-connect="([^"]+)"`).FindStringSubmatch(c.open(path).Body.String())
		if live == nil {
			t.Fatalf("%s is not live", path)
		}
		rec.Version++
		w.put(rec)
		if got := follow(t, on, html.UnescapeString(live[1]), c).next(); got != "changed" {
			t.Errorf("%s hears %q", path, got)
		}
	}
}

// Nobody hears of what they may not see; what they see in between they do.
func TestEventsArePrivate(t *testing.T) {
	w := newTown(t)
	hidden := private(t)
	w.put(hidden)
	w.github.set(gatetest.Bo().ID, gate.RoleRead)
	on := served(t, w.world)
	stranger, member := follow(t, on, "/events", w.signedIn(t, eve())), follow(t, on, "/events", w.signedIn(t, gatetest.Bo()))
	anybody := follow(t, on, "/events", w.chrome(t))
	for _, l := range []*listened{stranger, member, anybody} {
		l.hears(t, ": hello")
	}
	hidden.Version++
	w.put(hidden)
	if member.next() != "changed" {
		t.Error("who may read hears nothing")
	}
	open := record(t, gate.StateWaiting)
	open.Request.ID = "0197f3a0-0000-7000-8000-0000000000aa"
	hidden.Version++
	w.put(hidden)
	time.Sleep(time.Second) // long enough for an event that must not come to be one of its own
	w.put(open)
	for name, l := range map[string]*listened{"a stranger": stranger, "somebody signed out": anybody} {
		if l.next() != "changed" {
			t.Errorf("%s hears nothing of a public release", name)
		}
		l.end()
		for line := range l.lines {
			if strings.HasPrefix(line, "event") {
				t.Errorf("%s heard of a private release", name)
			}
		}
	}
}

// One person follows four pages at once, so that their browser has connections left.
func TestEventsAreBounded(t *testing.T) {
	w := newTown(t)
	on := served(t, w.world)
	c := w.signedIn(t, gatetest.Bo())
	var open []*listened
	for range 4 {
		open = append(open, follow(t, on, "/events", c))
	}
	for _, l := range open {
		l.hears(t, ": hello")
	}
	got := c.open("/events")
	if got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "CS-1312") {
		t.Errorf("the fifth answers %d: %s", got.Code, got.Body)
	}
	follow(t, on, "/events", w.signedIn(t, eve())).hears(t, ": hello")
	open[0].end()
	for range open[0].lines { //nolint:revive // until it ended
	}
	for over := time.Now().Add(10 * time.Second); ; {
		next := follow(t, on, "/events", c)
		if next.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(over) {
			t.Fatal("a place is not given back")
		}
	}
}

// However many look, the open requests are read once for each change.
func TestEventsShareTheirLook(t *testing.T) {
	w := newTown(t)
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	on := served(t, w.world)
	var open []*listened
	for range 20 {
		l := follow(t, on, "/events", w.chrome(t))
		l.hears(t, ": hello")
		open = append(open, l)
	}
	w.mu.Lock()
	before := w.lists
	w.mu.Unlock()
	rec.Version++
	w.put(rec)
	for _, l := range open {
		if l.next() != "changed" {
			t.Fatal("somebody hears nothing")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if reads := w.lists - before; before > 5 || reads > 5 {
		t.Errorf("20 streams read %d times to begin and %d times for one change", before, reads)
	}
}

func TestEventsOfNothing(t *testing.T) {
	w := newTown(t)
	if got := w.chrome(t).send(http.MethodHead, "/events", ""); got.Code != http.StatusOK || got.Body.Len() > 0 {
		t.Errorf("HEAD: %d", got.Code)
	}
	for path, status := range map[string]int{
		"/events?release=x": 404, "/events?release=" + unsigned: 404, "/events?repository=x": 400, "/?repository=x": 400, "/?before=1": 400,
	} {
		if got := w.chrome(t).open(path); got.Code != status {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
