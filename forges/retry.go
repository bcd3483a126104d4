package forges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

type readKey struct{}

// Reading marks the calls made with the context as reads, whatever their method: a
// GraphQL query is a POST that changes nothing, and may be repeated as a GET may.
func Reading(ctx context.Context) context.Context { return context.WithValue(ctx, readKey{}, true) }

// repeatable reports whether a request may be sent twice, and can be.
func repeatable(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Method == http.MethodGet
	}
	marked, _ := req.Context().Value(readKey{}).(bool)
	return marked && req.Method == http.MethodPost && req.GetBody != nil
}

// rewound is the request for another try, with its body from the start.
func rewound(req *http.Request) (*http.Request, error) {
	if req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("read request body again: %w", err)
	}
	req = req.Clone(req.Context())
	req.Body = body
	return req, nil
}

// retrying repeats reads that met a passing fault: no answer, a 5xx, or a rate limit
// that ends soon. Nothing else is ever sent twice.
type retrying struct {
	next     http.RoundTripper
	tries    int
	pause    time.Duration
	maxPause time.Duration
}

func (t *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	if !repeatable(req) {
		return t.next.RoundTrip(req)
	}
	grow := backoff.NewExponentialBackOff()
	grow.InitialInterval, grow.MaxInterval = t.pause, t.maxPause
	for try := 1; ; try++ {
		resp, err := t.next.RoundTrip(req)
		wait, again := t.wait(resp, err, grow)
		if !again || try >= t.tries || req.Context().Err() != nil {
			return resp, err
		}
		if resp != nil {
			_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // lets the connection be used again
			_ = resp.Body.Close()                          // the answer is thrown away
		}
		timer := time.NewTimer(wait)
		select {
		case <-req.Context().Done():
			timer.Stop()
			return nil, req.Context().Err()
		case <-timer.C:
		}
		if req, err = rewound(req); err != nil {
			return nil, err
		}
	}
}

// wait says how long to wait before trying again, and whether to.
func (t *retrying) wait(resp *http.Response, err error, grow *backoff.ExponentialBackOff) (time.Duration, bool) {
	own := grow.NextBackOff()
	var limit *LimitError
	if errors.As(err, &limit) {
		return 0, false
	}
	if err != nil {
		return own, true
	}
	asked, named := retryAfter(resp.Header)
	switch {
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented:
	case resp.StatusCode == http.StatusTooManyRequests && named:
	case resp.StatusCode == http.StatusForbidden && named: // GitHub's secondary rate limit
	default:
		return 0, false
	}
	wait := max(own, asked)
	return wait, wait <= t.maxPause
}

// retryAfter reads the header's seconds (RFC 9110, section 10.2.3). The date form is used
// by no forge, and counts as not given.
func retryAfter(h http.Header) (time.Duration, bool) {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > 24*60*60 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
