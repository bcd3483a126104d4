package web

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// eventsPath is where pages follow what they show.
const eventsPath = "/events"

// How streams of events live.
const (
	streamLife  = 10 * time.Minute // then the browser comes again, and is looked at anew
	streamBeat  = 20 * time.Second // proxies cut what is silent for longer
	streamWrite = 10 * time.Second // a reader that takes longer is gone
	// streamPause lets what belongs together be one event; streamPoll finds what another
	// replica stored, of which nobody here is woken.
	streamPause = 300 * time.Millisecond
	streamPoll  = 5 * time.Second
	// How many streams are open at once: in all, of all that are signed out together, and
	// of one session. A browser keeps six connections to a server where it speaks HTTP/1.1,
	// and needs some for pages.
	streamsAll, streamsAnybody, streamsEach = 2000, 1000, 4
)

// streams counts those that are open.
type streams struct {
	mu   sync.Mutex
	all  int
	each map[string]int // by session; "" for everybody signed out
}

func newStreams() *streams { return &streams{each: map[string]int{}} }

// enter takes a place, if there is one.
func (s *streams) enter(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := streamsEach
	if who == "" {
		limit = streamsAnybody
	}
	if s.all >= streamsAll || s.each[who] >= limit {
		return false
	}
	s.all++
	s.each[who]++
	return true
}

func (s *streams) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.each[who]--; s.each[who] == 0 {
		delete(s.each, who)
	}
}

// events tells a page when what it shows to this visitor changed: with ?release= one
// release, else the inbox, with ?repository= that of one; ?seen= is what the page was made
// of. An event says that and no more;
// the page then reads itself again, with whatever rights there are by then.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	look, err := s.looker(r, v)
	if err != nil {
		return err
	}
	woken := s.Wake() // before looking: what changes after is not missed
	shown, err := look(r.Context())
	if err != nil {
		return err
	}
	began := shown
	if seen, err := strconv.ParseUint(r.URL.Query().Get("seen"), 16, 64); err == nil {
		began = seen
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	browser := s.sessions.Key(r.Context())
	if !s.streams.enter(browser) {
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeStreams, Text: "too many pages are followed live at once",
			Fix: "close some; pages that are not followed live show the newest when they are loaded again",
		}
	}
	defer s.streams.leave(browser)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	out := stream{w: w, to: http.NewResponseController(w), now: s.Now}
	// Neither the server's limit for a request nor that for an answer is meant for this.
	if err := out.to.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("open a stream: %w", err)
	}
	if !out.say(": hello\n\n") {
		return nil
	}
	if began != shown && !out.say(changed) {
		return nil // it changed between the page's making and now
	}
	s.follow(r.Context(), out, woken, shown, look)
	return nil
}

// follow writes an event whenever what look finds is another than before, until the reader,
// the server or the stream's life ends.
func (s *server) follow(ctx context.Context, out stream, woken <-chan struct{}, shown uint64, look func(context.Context) (uint64, error)) {
	over, beat, poll := time.NewTimer(streamLife), time.NewTicker(streamBeat), time.NewTicker(streamPoll)
	defer over.Stop()
	defer beat.Stop()
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-drained(ctx):
			return
		case <-over.C:
			return
		case <-beat.C:
			if !out.say(": still here\n\n") {
				return
			}
			continue
		case <-poll.C:
		case <-woken:
			if !pause(ctx, streamPause) {
				return
			}
		}
		woken = s.Wake()
		now, err := look(ctx)
		if err != nil {
			return // whoever reads comes again, and is told why
		}
		if now != shown && !out.say(changed) {
			return
		}
		shown = now
	}
}

// pause waits; false where the context ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// changed is the one event.
const changed = "event: changed\ndata: 1\n\n"

// liveAt is the path of a page's events. It carries what the page was made of, so that
// nothing is missed between its making and the stream's beginning.
func liveAt(about url.Values, recs ...gate.Record) string {
	about.Set("seen", strconv.FormatUint(sight(recs...), 16))
	return eventsPath + "?" + about.Encode()
}

// stream is the writing end of one.
type stream struct {
	w   http.ResponseWriter
	to  *http.ResponseController
	now func() time.Time
}

// say writes and flushes; false where nobody reads any more.
func (s stream) say(text string) bool {
	if err := s.to.SetWriteDeadline(s.now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.to.Flush() == nil
}

// looker makes what tells one sight of a page from another, for one visitor: what they may
// not see changes nothing in it.
func (s *server) looker(r *http.Request, v visitor) (func(context.Context) (uint64, error), error) {
	if id := r.URL.Query().Get("release"); id != "" {
		return func(ctx context.Context) (uint64, error) {
			rec, err := s.readable(ctx, v, id)
			if err != nil {
				return 0, err
			}
			return sight(rec), nil
		}, nil
	}
	q, err := inboxQuery(r)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (uint64, error) {
		return s.openSight(ctx, v, q)
	}, nil
}

// sight is a number that differs where records do.
func sight(recs ...gate.Record) uint64 {
	h := fnv.New64a()
	for _, rec := range recs {
		fmt.Fprintf(h, "%s %d %s\n", rec.Request.ID, rec.Version, rec.State)
	}
	return h.Sum64()
}
