package transcript

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

const (
	// maxBody is how much of one answer is kept, in bytes; maxAll how much of all.
	maxBody = 4 << 20
	maxAll  = 64 << 20
)

// Recorder is a transport that keeps what passes. It is safe for concurrent use.
type Recorder struct {
	next http.RoundTripper

	mu          sync.Mutex // guards everything below
	exchanges   []*exchange
	size        int
	credentials map[string]bool
}

// NewRecorder records what goes through next.
func NewRecorder(next http.RoundTripper) *Recorder {
	return &Recorder{next: next, credentials: map[string]bool{}}
}

// Calls is how many calls were made so far.
func (r *Recorder) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.exchanges)
}

// RoundTrip passes a call on and keeps it with its answer.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{conditional: req.Header.Get("If-None-Match") != ""}
	if req.Body != nil && req.Body != http.NoBody {
		sent, err := io.ReadAll(req.Body)
		_ = req.Body.Close() // read to its end
		if err != nil {
			return nil, fmt.Errorf("read request body: %w", err)
		}
		x.sent = sent
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	x.request = &http.Request{Method: req.Method, URL: req.URL}
	r.keep(x, req.Header)
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	rest := resp.Body
	resp.Body = &joined{Reader: io.MultiReader(bytes.NewReader(body), failing{readErr}, rest), Closer: rest}
	r.answered(x, resp, body)
	return resp, nil
}

// joined is a body of which a part was read already.
type joined struct {
	io.Reader
	io.Closer
}

// failing gives an error of reading to who reads after what came before it.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// keep notes a call, and its credential as something that must never be shown.
func (r *Recorder) keep(x *exchange, h http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, x)
	for _, name := range []string{"Authorization", "Private-Token", "Job-Token"} {
		for _, v := range h.Values(name) {
			if _, value, two := strings.Cut(v, " "); two {
				v = value
			}
			r.credentials[v] = true
		}
	}
}

func (r *Recorder) answered(x *exchange, resp *http.Response, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.status, x.header = resp.StatusCode, resp.Header.Clone()
	if len(body) > maxBody || r.size+len(body) > maxAll {
		x.cut = true
		return
	}
	x.body = body
	r.size += len(body)
}

// taken is what was kept so far.
func (r *Recorder) taken() (exchanges []*exchange, credentials []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.exchanges {
		y := *x
		exchanges = append(exchanges, &y)
	}
	for c := range r.credentials {
		credentials = append(credentials, c)
	}
	return exchanges, credentials
}
