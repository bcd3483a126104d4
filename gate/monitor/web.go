package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Limits of one read over HTTP.
const (
	webTimeout = time.Minute
	webTries   = 4
	webPause   = 250 * time.Millisecond // before the first further try
)

// Web reads a log over HTTP, and what opens its entries from the server it stands on.
type Web struct {
	log    *url.URL
	server *url.URL
	client *http.Client
	pause  time.Duration
}

var _ Source = (*Web)(nil)

// NewWeb reads the log at a prefix such as https://sign.example.org/log; entries and keys are
// read beside it, under https://sign.example.org/v1. pause is how long to wait before a
// second try; 0 takes a quarter of a second.
func NewWeb(prefix string, pause time.Duration) (*Web, error) {
	u, err := url.Parse(prefix)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("log: expected a URL such as https://sign.example.org/log, got %.200q", prefix)
	}
	if pause == 0 {
		pause = webPause
	}
	server := *u
	server.Path = path.Dir("/" + u.Path)
	return &Web{log: u, server: &server, pause: pause, client: &http.Client{Timeout: webTimeout, CheckRedirect: sameHost}}, nil
}

// sameHost keeps redirects on the host that was named: which gate is watched is not the
// gate's to say.
func sameHost(r *http.Request, via []*http.Request) error {
	if first := via[0].URL; r.URL.Host != first.Host || r.URL.Scheme != first.Scheme {
		return fmt.Errorf("it redirects to another host, %s", r.URL.Host)
	}
	if len(via) > 3 {
		return errors.New("it redirects in circles")
	}
	return nil
}

// Encrypted reports whether nobody on the way can change what comes.
func (w *Web) Encrypted() bool { return w.log.Scheme == "https" }

// Log implements [Source].
func (w *Web) Log(ctx context.Context, file string, limit int64) ([]byte, error) {
	return w.read(ctx, w.log.JoinPath(file), limit)
}

// Entry implements [Source].
func (w *Web) Entry(ctx context.Context, index int64) ([]byte, error) {
	return w.read(ctx, w.server.JoinPath("v1/log/entries", strconv.FormatInt(index, 10)), maxOpening)
}

// Keys implements [Source].
func (w *Web) Keys(ctx context.Context) ([]byte, error) {
	return w.read(ctx, w.server.JoinPath("v1/keys"), maxKeys)
}

// read tries a few times, since one lost answer of ten thousand is no reason to stop.
func (w *Web) read(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval = w.pause
	return backoff.Retry(ctx, func() ([]byte, error) {
		b, err := w.once(ctx, u, limit)
		if errors.Is(err, ErrAbsent) || errors.Is(err, errTooLong) {
			return nil, backoff.Permanent(err)
		}
		return b, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(webTries))
}

var errTooLong = errors.New("it is too long")

func (w *Web) once(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u, err)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return nil, err // names method and URL
	}
	defer func() { _ = answer.Body.Close() }() // only read
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden, http.StatusUnauthorized:
		return nil, fmt.Errorf("read %s: %w", u, ErrAbsent)
	default:
		return nil, fmt.Errorf("read %s: expected status 200, got %s", u, answer.Status)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: expected at most %d bytes: %w", u, limit, errTooLong)
	}
	return b, nil
}
