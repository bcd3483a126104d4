package transcript

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// shownHeaders are the only headers that are kept, of answers only.
func shownHeaders() []string {
	return []string{
		"Content-Type", "Date", "Etag", "Link", "Location", "Retry-After",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Used", "X-Ratelimit-Resource",
		"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset", "Ratelimit-Observed",
		"X-Next-Page", "X-Page", "X-Per-Page", "X-Prev-Page", "X-Total", "X-Total-Pages",
		"X-Github-Api-Version-Selected", "X-Github-Enterprise-Version",
	}
}

var (
	plainHeader = regexp.MustCompile(`^[A-Za-z0-9 ,:;=/.+_()-]*$`)
	linked      = regexp.MustCompile(`<([^>]*)>`)
)

func (r *redactor) headers(h http.Header) map[string]string {
	out := map[string]string{}
	for _, name := range shownHeaders() {
		v := h.Get(name)
		switch {
		case v == "":
		case name == "Etag":
			out[name] = `"` + r.names.standIn("name", v) + `"`
		case name == "Location":
			out[name] = r.url(v)
		case name == "Link":
			out[name] = linked.ReplaceAllStringFunc(v, func(u string) string { return "<" + r.url(strings.Trim(u, "<>")) + ">" })
		case plainHeader.MatchString(v) && !r.holdsSecret(v):
			out[name] = v
		}
	}
	return out
}

func (r *redactor) entry(x *exchange) Entry {
	failure := x.status >= 400
	e := Entry{
		Method: x.request.Method, Target: r.target(x.request.URL), Conditional: x.conditional, Request: r.body(x.sent, false, true),
		Status: x.status, Header: r.headers(x.header),
	}
	switch {
	case x.cut:
		e.Body = quoted("[too long to keep]")
	default:
		e.Body = r.body(x.body, failure, false)
	}
	return e
}

// Write writes what was recorded, redacted. About is put into the first line, redacted
// as the answers are. Nothing is written that holds one of the secrets: a line that
// would, is an error.
func (r *Recorder) Write(w io.Writer, t Terms, about map[string]string) error {
	exchanges, credentials := r.taken()
	t.Secrets = append(slices.Clone(t.Secrets), credentials...)
	red := newRedactor(t)
	for _, x := range exchanges { // to learn every name, before any text is kept but for the names in it
		red.entry(x)
	}
	var out bytes.Buffer
	lines := []any{red.header(t, about)}
	for _, x := range exchanges {
		lines = append(lines, red.entry(x))
	}
	for i, line := range lines {
		raw, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("encode line %d of the transcript: %w", i+1, err)
		}
		if red.holdsSecret(string(raw)) {
			return fmt.Errorf("line %d of the transcript would tell a secret: nothing is written", i+1)
		}
		out.Write(append(raw, '\n'))
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write the transcript: %w", err)
	}
	return nil
}

func (r *redactor) header(t Terms, about map[string]string) Header {
	h := Header{Format: Format, About: map[string]string{}, URL: r.base(t.URL), API: r.base(t.API)}
	for _, key := range slices.SortedFunc(maps.Keys(about), cmp.Compare) {
		h.About[key] = r.text(field{key: key}, about[key])
	}
	return h
}

// base is a configured base URL's stand-in.
func (r *redactor) base(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || r.hosts[u.Host] == "" {
		return standURL
	}
	return "https://" + r.hosts[u.Host] + strings.TrimRight(r.names.escaped(u.EscapedPath()), "/")
}
