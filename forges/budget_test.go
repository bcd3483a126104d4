package forges_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// clock is a time that only moves when told.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func noon() *clock { return &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

// call reads url with a credential, as a final check or not.
func call(t *testing.T, c *http.Client, url, credential string, final bool) (int, error) {
	t.Helper()
	ctx := t.Context()
	if final {
		ctx = forges.Final(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func refusedUntil(t *testing.T, what string, err error, until time.Time, reserved bool) {
	t.Helper()
	var limit *forges.LimitError
	if !errors.As(err, &limit) || !limit.Until.Equal(until) || limit.Reserved != reserved {
		t.Errorf("%s: got %v, want a refusal until %s, reserved: %t", what, err, until, reserved)
	}
	if e := forges.Classify("read a thing", 0, err); e.Kind != gate.Unavailable || e.Code != gate.CodeForgeUnavailable {
		t.Errorf("%s: got kind %d, %s, want it tried again", what, e.Kind, e.Code)
	}
}

func TestReserveForFinalChecks(t *testing.T) {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		at := noon()
		reset := at.now().Add(20 * time.Minute)
		remaining := 102
		url, calls := forge(t, func(w http.ResponseWriter, _ *http.Request) {
			remaining = max(remaining-1, 0)
			w.Header().Set(prefix+"Limit", "2000")
			w.Header().Set(prefix+"Remaining", strconv.Itoa(remaining))
			w.Header().Set(prefix+"Reset", strconv.FormatInt(reset.Unix(), 10))
		})
		c := client(t, forges.Options{Bases: []string{url}, Now: at.now})
		for range 2 {
			if _, err := call(t, c, url, "a", false); err != nil {
				t.Fatal(err)
			}
		}
		_, err := call(t, c, url, "a", false)
		refusedUntil(t, "at the reserve (attack 71)", err, reset, true)
		if status, err := call(t, c, url+"/graphql", "a", false); err != nil || status != 200 {
			t.Errorf("another limit of the credential: got %d, %v", status, err)
		}
		if status, err := call(t, c, url, "b", false); err != nil || status != 200 {
			t.Errorf("another credential: got %d, %v", status, err)
		}
		for range 98 { // the two calls above took part of what the double counts
			if _, err := call(t, c, url, "a", true); err != nil {
				t.Fatalf("a final check within the reserve: %v", err)
			}
		}
		before := calls.Load()
		_, err = call(t, c, url, "a", true)
		refusedUntil(t, "a final check with nothing left", err, reset, false)
		if calls.Load() != before {
			t.Error("a refused call was made")
		}
		at.pass(20 * time.Minute)
		if _, err := call(t, c, url, "a", false); err != nil {
			t.Errorf("in the next window: %v", err)
		}
	}
}

func TestPauses(t *testing.T) {
	const secondary = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`
	for _, row := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		pause  time.Duration
	}{
		{"a secondary limit with its time", 403, map[string]string{"Retry-After": "90"}, secondary, 90 * time.Second},
		{"a secondary limit without", 403, nil, secondary, time.Minute},
		{"too many requests", 429, map[string]string{"Retry-After": "30"}, "", 30 * time.Second},
		{"a longer pause than any window", 429, map[string]string{"Retry-After": "86400"}, "", time.Hour},
		{"too many requests and no word until when", 429, nil, "", 0},
		{"no right", 403, nil, `{"message":"Resource not accessible by integration"}`, 0},
		{"a window used up", 403, map[string]string{
			"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(noon().now().Add(7*time.Minute).Unix(), 10),
		}, `{"message":"API rate limit exceeded"}`, 7 * time.Minute},
		{"a window that ends too late to be one", 200, map[string]string{
			"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(noon().now().Add(7*time.Hour).Unix(), 10),
		}, "", 0},
		{"nonsense", 200, map[string]string{"X-RateLimit-Limit": "x", "X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "0"}, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			at := noon()
			url, calls := forge(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range row.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body) // a closed client is the client's matter
			})
			c := client(t, forges.Options{Bases: []string{url}, Now: at.now})
			if status, body, err := send(t, c, http.MethodGet, url, ""); err != nil || status != row.status || body != row.body {
				t.Fatalf("got %d %q, %v; want the forge's own answer", status, body, err)
			}
			if row.pause == 0 {
				before := calls.Load()
				if _, _, err := send(t, c, http.MethodGet, url, ""); err != nil || calls.Load() == before {
					t.Errorf("next call: got %v, want it made", err)
				}
				return
			}
			_, _, err := send(t, c, http.MethodPost, url, "{}")
			refusedUntil(t, "next call", err, noon().now().Add(row.pause), false)
			at.pass(row.pause)
			if _, _, err := send(t, c, http.MethodGet, url, ""); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}

func TestQueriesAreRepeated(t *testing.T) {
	bodies := make(chan string, 10)
	url, calls := forge(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body) // what came of it is compared below
		bodies <- string(raw)
		w.WriteHeader(http.StatusBadGateway)
	})
	c := client(t, forges.Options{Bases: []string{url}})
	for reads, ctx := range map[bool]context.Context{true: forges.Reading(t.Context()), false: t.Context()} {
		before := calls.Load()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req = withBody(req, "query")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // nothing to read
		want := map[bool]int64{true: 3, false: 1}[reads]
		if n := calls.Load() - before; n != want {
			t.Errorf("marked as a read %t: got %d calls, want %d", reads, n, want)
		}
		for range want {
			if got := <-bodies; got != "query" {
				t.Errorf("body: got %q", got)
			}
		}
	}
}
