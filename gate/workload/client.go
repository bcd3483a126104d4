package workload

import (
	"fmt"
	"io"
	"net/http"
)

// bounded returns a client like c that follows no redirect (an issuer is where the
// configuration says) and reads no endless answer.
func bounded(c *http.Client) *http.Client {
	out := http.Client{}
	if c != nil {
		out = *c
	}
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.Transport = limit{next: out.Transport}
	return &out
}

type limit struct{ next http.RoundTripper }

// RoundTrip cuts the answer's body off.
func (l limit) RoundTrip(r *http.Request) (*http.Response, error) {
	next := l.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > maxDocument {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers %d bytes, expected at most %d", r.URL.Redacted(), resp.ContentLength, maxDocument)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	return resp, nil
}
