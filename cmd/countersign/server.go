package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/countersign/countersign/gate/api"
)

const (
	callTimeout = 30 * time.Second // beside what a call waits on purpose
	maxAnswer   = 64 << 20         // bytes: a thousand subjects' bundles fit many times
	maxBackOff  = 15 * time.Second
)

// server is the gate.
type server struct {
	base     *url.URL
	client   *http.Client
	retryFor time.Duration
	// noticed is told each time the server could not be reached and is tried again.
	noticed func(err error, next time.Duration)
}

// newHTTPClient follows no redirect: an ID token goes to the server that was named,
// or nowhere.
func newHTTPClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// secureURL accepts https URLs, and http to this very machine.
func secureURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("not a URL with a host")
	}
	if u.User != nil {
		return nil, errors.New("a URL with a user in it")
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%s://%s", u.Scheme, u.Host)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newServer takes the gate's public URL as its operator gives it.
func newServer(raw string) (*server, error) {
	if raw == "" {
		return nil, usage("no server is named", "--server https://gate.example.com or COUNTERSIGN_SERVER", "neither",
			"ask whoever runs the gate for its URL")
	}
	u, err := secureURL(raw)
	if err != nil {
		return nil, usage("the server's URL does not fit", "https://host[:port] (http only to this machine)", err.Error(), "check --server")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usage("the server's URL does not fit", "https://host[:port] alone", "more after the host", "check --server")
	}
	return &server{
		base: &url.URL{Scheme: u.Scheme, Host: hostOf(u)}, client: newHTTPClient(),
		noticed: func(error, time.Duration) {},
	}, nil
}

// hostOf is host[:port] in lower case, without the scheme's own port.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return host
}

// call is one call to the server.
type call struct {
	method string
	path   []string
	query  url.Values
	body   any // sent as JSON where it is not nil
	into   any
	// token makes the ID token of one try; nil sends none.
	token func(ctx context.Context) (string, error)
	// waits is how long the server may take on purpose.
	waits time.Duration
	// retryFor stands in for the server's.
	retryFor time.Duration
}

// do calls the server, again and again while it cannot be reached. Every call of the
// gate may be repeated: asking twice joins one request.
func (s *server) do(ctx context.Context, c call) error {
	retryFor := s.retryFor
	if c.retryFor > 0 {
		retryFor = c.retryFor
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, s.once(ctx, c) },
		backoff.WithBackOff(patience()), backoff.WithMaxElapsedTime(retryFor), backoff.WithNotify(s.noticed))
	return err
}

func patience() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.MaxInterval = maxBackOff
	return b
}

func (s *server) once(ctx context.Context, c call) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout+c.waits)
	defer cancel()
	req, err := s.request(ctx, c)
	if err != nil {
		return backoff.Permanent(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return s.unreachable(bare(err))
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return s.unreachable(bare(err))
	case len(body) > maxAnswer:
		return backoff.Permanent(s.unexpected(fmt.Sprintf("at most %d bytes", maxAnswer), "more"))
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted:
		if err := json.Unmarshal(body, c.into); err != nil {
			return backoff.Permanent(s.unexpected("the gate's JSON", resp.Header.Get("Content-Type")))
		}
		return nil
	}
	return s.refused(resp, body)
}

func (s *server) request(ctx context.Context, c call) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if c.body != nil {
		b, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", c.body, err)
		}
		body = bytes.NewReader(b)
	}
	u := s.base.JoinPath(c.path...)
	u.RawQuery = c.query.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.method, u, err)
	}
	req.Header.Set("Accept", "application/json, "+api.MediaProblem)
	req.Header.Set("User-Agent", "countersign")
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != nil {
		idToken, err := c.token(ctx)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+idToken)
	}
	return req, nil
}

// refused makes an error of an answer that is no success: to be tried again where that
// may help, and then when the server says.
func (s *server) refused(resp *http.Response, body []byte) error {
	f := &failure{problem: api.Problem{Title: "the server answered " + resp.Status}}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p api.Problem
	if err == nil && kind == api.MediaProblem && json.Unmarshal(body, &p) == nil && p.Title != "" {
		f.problem = p
	} else if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		f.problem.Expected, f.problem.Got = "no redirect", "Location: "+resp.Header.Get("Location")
		f.problem.Fix = "give --server the URL that it redirects to, if that is your gate"
	}
	f.exit = exitOf(resp.StatusCode, f.problem.Code)
	if !unavailable(resp.StatusCode) {
		return backoff.Permanent(f)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		return errors.Join(f, backoff.RetryAfter(seconds))
	}
	return f
}

func (s *server) unreachable(got string) *failure {
	return failed(ExitRetry, "the server cannot be reached", "an answer of "+s.base.String(), got,
		"check --server and the job's network, or try again later")
}

func (s *server) unexpected(expected, got string) *failure {
	return failed(ExitFailed, "the server's answer does not read", expected, got,
		"check that --server "+s.base.String()+" is a Countersign gate")
}

// bare takes the URL off an HTTP error: it may carry a query that is nobody's business.
func bare(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
