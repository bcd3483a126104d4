package forges

import (
	"fmt"
	"net/http"
	"time"
)

// Options bounds a client. Zero values choose the defaults named at each field.
type Options struct {
	// Bases are the only URLs below which the client calls anything (attack 64). At
	// least one.
	Bases []string
	// UserAgent is sent with every request; "countersign" where empty.
	UserAgent string
	// Timeout bounds one call with all its tries; 20 seconds.
	Timeout time.Duration
	// MaxBody is the largest answer in bytes; 32 MiB. A longer one is an error, never
	// cut short in silence.
	MaxBody int64
	// Tries is how often a read is made at most; 3.
	Tries int
	// Pause is the first wait between tries, growing from there; 200 milliseconds.
	Pause time.Duration
	// MaxPause is the longest wait that a forge may ask for by Retry-After before
	// the client gives the refusal to its caller; 3 seconds.
	MaxPause time.Duration
	// Memory bounds, in bytes, the answers remembered with their ETag; 32 MiB. Below zero
	// nothing is remembered.
	Memory int64
	// Now is the clock of the rate limits. Where nil they are not kept to: the forge's
	// refusals alone then say that they are used up.
	Now func() time.Time
	// Transport carries the requests; a clone of http.DefaultTransport where nil.
	Transport http.RoundTripper
}

func (o Options) withDefaults() Options {
	if o.UserAgent == "" {
		o.UserAgent = "countersign"
	}
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 32 << 20
	}
	if o.Tries <= 0 {
		o.Tries = 3
	}
	if o.Pause <= 0 {
		o.Pause = 200 * time.Millisecond
	}
	if o.MaxPause <= 0 {
		o.MaxPause = 3 * time.Second
	}
	if o.Memory == 0 {
		o.Memory = 32 << 20
	}
	if o.Transport == nil {
		o.Transport = defaultTransport()
	}
	return o
}

func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 16
	t.ResponseHeaderTimeout = 15 * time.Second
	return t
}

// NewClient makes a client. It hands redirects to its caller unfollowed: behind one
// waits another repository, or another host (attack 73).
func NewClient(o Options) (*http.Client, error) {
	o = o.withDefaults()
	bases, err := parseBases(o.Bases)
	if err != nil {
		return nil, fmt.Errorf("make forge client: %w", err)
	}
	var rt http.RoundTripper = &bounded{next: o.Transport, max: o.MaxBody}
	if o.Memory > 0 {
		rt = newTagged(rt, o.Memory)
	}
	if o.Now != nil {
		rt = &budgeted{next: rt, now: o.Now, budgets: map[string]budget{}}
	}
	rt = &retrying{next: rt, tries: o.Tries, pause: o.Pause, maxPause: o.MaxPause}
	rt = &guarded{next: rt, bases: bases, agent: o.UserAgent}
	return &http.Client{Transport: rt, Timeout: o.Timeout, CheckRedirect: NoRedirect}, nil
}

// NoRedirect is the CheckRedirect of every client that talks to a forge.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
