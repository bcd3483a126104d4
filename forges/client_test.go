package forges_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// forge answers with handle and counts the calls.
func forge(t *testing.T, handle http.HandlerFunc) (url string, calls *atomic.Int64) {
	t.Helper()
	calls = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

func client(t *testing.T, o forges.Options) *http.Client {
	t.Helper()
	if o.Pause == 0 {
		o.Pause = time.Millisecond
	}
	if o.MaxPause == 0 {
		o.MaxPause = 50 * time.Millisecond
	}
	c, err := forges.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c *http.Client, method, url, body string) (int, string, error) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func TestOnlyConfiguredURLs(t *testing.T) {
	url, calls := forge(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "countersign" {
			t.Errorf("user agent: got %q", r.UserAgent())
		}
		w.WriteHeader(http.StatusNoContent)
	})
	other, otherCalls := forge(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, forges.Options{Bases: []string{url + "/api/v3"}})
	for _, allowed := range []string{"/api/v3", "/api/v3/repos/a%2Fb", "/api/v3/x?y=z"} {
		if status, _, err := send(t, c, http.MethodGet, url+allowed, ""); err != nil || status != http.StatusNoContent {
			t.Errorf("%s: got %d, %v; want it called", allowed, status, err)
		}
	}
	before := calls.Load()
	for _, refused := range []string{
		other + "/api/v3/x", url + "/", url + "/api/v3x", url + "/api/v3/../secret", url + "/api/v3/%2e%2e/secret",
		strings.Replace(url, "http://", "http://user:hunter2@", 1) + "/api/v3/x", "https" + strings.TrimPrefix(url, "http") + "/api/v3/x",
	} {
		_, _, err := send(t, c, http.MethodPost, refused, "{}")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s (attack 64): got %v, want a refusal without secrets", refused, err)
		}
	}
	if calls.Load() != before || otherCalls.Load() != 0 {
		t.Errorf("refused calls: %d and %d were made", calls.Load()-before, otherCalls.Load())
	}
}

func TestBasesRefused(t *testing.T) {
	for _, bases := range [][]string{
		nil, {""}, {"ftp://x"}, {"https://"}, {"https://u:hunter2@x"}, {"https://x?y"}, {"https://x#y"}, {"://"},
	} {
		if _, err := forges.NewClient(forges.Options{Bases: bases}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("bases %q: got %v, want an error without secrets", bases, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	url, calls := forge(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	c := client(t, forges.Options{Bases: []string{url}})
	status, _, err := send(t, c, http.MethodGet, url+"/repos/a/b", "")
	if err != nil || status != http.StatusMovedPermanently || calls.Load() != 1 {
		t.Errorf("redirect (attack 73): got %d, %v after %d calls, want the 301 itself", status, err, calls.Load())
	}
}

func TestLongAnswersAreErrors(t *testing.T) {
	url, _ := forge(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path))) // a closed client is the client's matter
	})
	c := client(t, forges.Options{Bases: []string{url}, MaxBody: 10})
	if _, body, err := send(t, c, http.MethodGet, url+"/345678910"[:10], ""); err != nil || len(body) != 10 {
		t.Errorf("as long as allowed: got %d bytes, %v", len(body), err)
	}
	_, _, err := send(t, c, http.MethodGet, url+"/34567891011", "")
	var tooLong *http.MaxBytesError
	if !errors.As(err, &tooLong) {
		t.Errorf("longer: got %v, want an error", err)
	}
}

func TestRetries(t *testing.T) {
	for _, row := range []struct {
		name   string
		method string
		status int
		header string // Retry-After
		calls  int64
	}{
		{"a read that meets a 502 is tried again", http.MethodGet, 502, "", 3},
		{"a read that meets a 500 is tried again", http.MethodGet, 500, "", 3},
		{"a rate limit that ends at once is waited for", http.MethodGet, 429, "0", 3},
		{"a secondary rate limit that ends at once is waited for", http.MethodGet, 403, "0", 3},
		{"a rate limit that lasts is not", http.MethodGet, 429, "60", 1},
		{"a rate limit without an end is not", http.MethodGet, 429, "", 1},
		{"a refusal is final", http.MethodGet, 403, "", 1},
		{"no such thing is final", http.MethodGet, 404, "", 1},
		{"what the forge does not do is final", http.MethodGet, 501, "", 1},
		{"a write is never sent twice", http.MethodPost, 502, "", 1},
		{"a change is never sent twice", http.MethodPatch, 500, "0", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			url, calls := forge(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.header != "" {
					w.Header().Set("Retry-After", row.header)
				}
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, "why") // a closed client is the client's matter
			})
			c := client(t, forges.Options{Bases: []string{url}})
			body := ""
			if row.method != http.MethodGet {
				body = "{}"
			}
			status, answer, err := send(t, c, row.method, url, body)
			if err != nil || status != row.status || answer != "why" || calls.Load() != row.calls {
				t.Errorf("got %d %q, %v after %d calls; want the forge's answer after %d", status, answer, err, calls.Load(), row.calls)
			}
		})
	}
}

func TestRetryGetsThrough(t *testing.T) {
	var n atomic.Int64
	url, _ := forge(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			panic(http.ErrAbortHandler) // no answer at all
		}
		_, _ = io.WriteString(w, "ok") // a closed client is the client's matter
	})
	status, body, err := send(t, client(t, forges.Options{Bases: []string{url}}), http.MethodGet, url, "")
	if err != nil || status != http.StatusOK || body != "ok" {
		t.Errorf("got %d %q, %v; want the third answer", status, body, err)
	}
}

func TestRetryStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, calls := forge(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	c := client(t, forges.Options{Bases: []string{url}, MaxPause: time.Minute})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err == nil {
		_ = resp.Body.Close() // nothing to read
	}
	if calls.Load() != 1 {
		t.Errorf("calls: got %d, %v; want no further try once nobody waits", calls.Load(), err)
	}
}

func TestClassify(t *testing.T) {
	cause := errors.New("cause")
	for _, row := range []struct {
		name   string
		status int
		err    error
		kind   gate.Kind
		code   gate.Code
	}{
		{"no answer", 0, cause, gate.Unavailable, gate.CodeForgeUnavailable},
		{"too late", 0, context.DeadlineExceeded, gate.Unavailable, gate.CodeForgeUnavailable},
		{"cancelled after an answer began", 200, context.Canceled, gate.Unavailable, gate.CodeForgeUnavailable},
		{"rate limit", 429, cause, gate.Unavailable, gate.CodeForgeUnavailable},
		{"fault", 503, cause, gate.Unavailable, gate.CodeForgeUnavailable},
		{"bad credential", 401, cause, gate.Refused, gate.CodeForgeRefused},
		{"no right", 403, cause, gate.Refused, gate.CodeForgeRefused},
		{"no such thing", 404, cause, gate.NotFound, gate.CodeForgeUnexpected},
		{"no longer", 410, cause, gate.NotFound, gate.CodeForgeUnexpected},
		{"half an answer", 200, cause, gate.Unavailable, gate.CodeForgeUnexpected},
		{"moved", 301, cause, gate.Unavailable, gate.CodeForgeUnexpected},
		{"our fault", 422, cause, gate.Internal, gate.CodeForgeUnexpected},
		{"classified before", 0, &gate.Error{Kind: gate.Refused, Code: gate.CodeTokenClaims}, gate.Refused, gate.CodeTokenClaims},
	} {
		e := forges.Classify("read a thing", row.status, row.err)
		if e.Kind != row.kind || e.Code != row.code || !errors.Is(e, row.err) {
			t.Errorf("%s: got kind %d, %s, %v; want %d, %s and the cause kept", row.name, e.Kind, e.Code, e, row.kind, row.code)
		}
	}
}
