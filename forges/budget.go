package forges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

type finalKey struct{}

// Final marks the calls made with the context as those of a final check: they may use
// the part of a rate limit that is reserved for them (attack 71). It gives no right.
func Final(ctx context.Context) context.Context { return context.WithValue(ctx, finalKey{}, true) }

func isFinal(ctx context.Context) bool {
	is, _ := ctx.Value(finalKey{}).(bool)
	return is
}

// LimitError says that a call was not made because the forge's rate limit, or what of
// it is not reserved, is used up. It comes inside a *gate.Error of kind Unavailable.
type LimitError struct {
	Until    time.Time // when the forge takes calls again
	Reserved bool      // final checks are still made
}

func (e *LimitError) Error() string { return "not called before " + e.clock() }

func (e *LimitError) clock() string { return e.Until.UTC().Format("15:04:05 MST") }

func limited(until time.Time, reserved bool) error {
	e := &LimitError{Until: until, Reserved: reserved}
	text := "the forge's rate limit is used up until " + e.clock()
	if reserved {
		text = "what is left of the forge's rate limit is kept for final checks until " + e.clock()
	}
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeForgeUnavailable, Text: text, Fix: "nothing to do: it is tried again then", Err: e,
	}
}

const (
	// reservedPart is the part of a credential's rate limit that only final checks use.
	reservedPart = 20
	// unnamedPause is GitHub's advice where a secondary limit names no time (docs, "Rate
	// limits for the REST API").
	unnamedPause = time.Minute
	// longestPause bounds what a header may ask for: no forge's window is longer than an hour.
	longestPause = time.Hour
	// maxBudgets bounds how many credentials are kept in mind.
	maxBudgets = 4096
)

// budgeted keeps, per credential, to what the forge says of its rate limits: those that
// count calls per window (GitHub's X-RateLimit-*, GitLab's RateLimit-*), and those that
// ask to pause (Retry-After). It never waits: a call that may not be made is an error
// with the time from which it may.
type budgeted struct {
	next http.RoundTripper
	now  func() time.Time

	mu      sync.Mutex // guards budgets
	budgets map[string]budget
}

// budget is what is known of one limit of one credential.
type budget struct {
	limit, remaining int
	reset            time.Time // zero where nothing is known
	pause            time.Time // no calls before
}

func (b *budgeted) RoundTrip(req *http.Request) (*http.Response, error) {
	key := b.key(req)
	if err := b.admit(key, isFinal(req.Context())); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // nothing was sent
		}
		return nil, err
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	b.learn(key, resp)
	return resp, nil
}

// key is the credential and the limit: GitHub counts GraphQL by itself.
func (b *budgeted) key(req *http.Request) string {
	resource := "core"
	if strings.HasSuffix(req.URL.Path, "/graphql") {
		resource = "graphql"
	}
	return credentialOf(req) + " " + req.URL.Host + " " + resource
}

func (b *budgeted) admit(key string, final bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, now := b.budgets[key], b.now()
	switch {
	case now.Before(x.pause):
		return limited(x.pause, false)
	case !now.Before(x.reset):
	case x.remaining <= 0:
		return limited(x.reset, false)
	case !final && x.remaining <= x.limit/reservedPart:
		return limited(x.reset, true)
	}
	return nil
}

// learn takes what an answer says. Answers may overtake each other: within one window the
// smallest remainder is the last.
func (b *budgeted) learn(key string, resp *http.Response) {
	now := b.now()
	limit, remaining, reset, told := window(resp.Header)
	until, paused := pauseOf(resp, now, told && remaining == 0)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.budgets) >= maxBudgets {
		clear(b.budgets)
	}
	x := b.budgets[key]
	if told && reset.Before(now.Add(longestPause+time.Minute)) {
		if reset.Equal(x.reset) {
			remaining = min(remaining, x.remaining)
		}
		if !reset.Before(x.reset) {
			x.limit, x.remaining, x.reset = limit, remaining, reset
		}
	}
	if paused && until.After(x.pause) {
		x.pause = until
	}
	b.budgets[key] = x
}

// window reads the headers of a limit that counts calls.
func window(h http.Header) (limit, remaining int, reset time.Time, told bool) {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		limit, err1 := strconv.Atoi(h.Get(prefix + "Limit"))
		remaining, err2 := strconv.Atoi(h.Get(prefix + "Remaining"))
		seconds, err3 := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		if errors.Join(err1, err2, err3) == nil && limit >= 0 && remaining >= 0 && seconds > 0 {
			return limit, remaining, time.Unix(seconds, 0), true
		}
	}
	return 0, 0, time.Time{}, false
}

// pauseOf is until when an answer asks to pause, if it does. A 403 without Retry-After
// is a secondary limit only by its words.
func pauseOf(resp *http.Response, now time.Time, exhausted bool) (time.Time, bool) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return time.Time{}, false
	}
	if asked, named := retryAfter(resp.Header); named {
		return now.Add(min(asked, longestPause)), asked > 0
	}
	if !exhausted && strings.Contains(peek(resp), "secondary rate limit") {
		return now.Add(unnamedPause), true
	}
	return time.Time{}, false
}

// peek reads the beginning of an error's body and leaves the body as it was.
func peek(resp *http.Response) string {
	const most = 4 << 10
	head, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = &rejoined{head: head, err: err, rest: resp.Body}
	return strings.ToLower(string(head))
}

// rejoined reads what was peeked at, then the rest.
type rejoined struct {
	head []byte
	err  error // of the peek
	rest io.ReadCloser
}

func (r *rejoined) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	if r.err != nil {
		return 0, fmt.Errorf("read answer: %w", r.err)
	}
	return r.rest.Read(p)
}

func (r *rejoined) Close() error { return r.rest.Close() }
