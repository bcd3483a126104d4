package transcript

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// maxLine bounds one line of a transcript that is read, in bytes.
const maxLine = 16 << 20

// Replay is a transport that answers from a transcript. Each call gets the answer to the
// same call; where it was made several times, the answers in their order, the last one
// for ever. It is safe for concurrent use.
type Replay struct {
	header Header

	mu     sync.Mutex // guards what follows
	red    *redactor  // names asked for are stand-ins already; the asker's own texts are not
	exact  map[string]*queue
	alike  map[string]*queue // where only the bodies differ
	strays []string
}

type queue struct {
	entries []Entry
	next    int
}

func (q *queue) take() Entry {
	e := q.entries[min(q.next, len(q.entries)-1)]
	q.next++
	return e
}

// Read reads a transcript. Own are the asker's own texts, as in [Terms].
func Read(from io.Reader, own []string) (*Replay, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	r := &Replay{exact: map[string]*queue{}, alike: map[string]*queue{}}
	n := 0
	for lines.Scan() {
		n++
		into := any(&r.header)
		var e Entry
		if n > 1 {
			into = &e
		}
		if err := strictly(lines.Bytes(), into); err != nil {
			return nil, fmt.Errorf("line %d of the transcript: %w", n, err)
		}
		if n > 1 {
			add(r.exact, e.key(true), e)
			add(r.alike, e.key(false), e)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the transcript: %w", err)
	}
	if r.header.Format != Format {
		return nil, fmt.Errorf("line 1 of the transcript: expected format %d, got %d", Format, r.header.Format)
	}
	r.red = newRedactor(Terms{Own: own, URL: r.header.URL, API: r.header.API})
	return r, nil
}

func strictly(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func add(to map[string]*queue, key string, e Entry) {
	if to[key] == nil {
		to[key] = &queue{}
	}
	to[key].entries = append(to[key].entries, e)
}

func (e Entry) key(body bool) string {
	key := fmt.Sprintf("%s %s %t", e.Method, e.Target, e.Conditional)
	if body {
		key += " " + unordered(e.Request)
	}
	return key
}

// unordered is a body whose lists of texts or numbers are sorted: the adapters ask for
// sets.
func unordered(body json.RawMessage) string {
	var v any
	if len(body) == 0 || json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	out, err := json.Marshal(sortLists(v))
	if err != nil {
		return string(body)
	}
	return string(out)
}

func sortLists(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = sortLists(v[key])
		}
	case []any:
		slices.SortStableFunc(v, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return v
}

// Header is the transcript's first line.
func (r *Replay) Header() Header { return r.header }

// Strays are the calls that the transcript has no answer to.
func (r *Replay) Strays() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.strays...)
}

// RoundTrip answers a call. One that was never recorded is answered 501.
func (r *Replay) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		sent, err = io.ReadAll(req.Body)
		_ = req.Body.Close() // read to its end
		if err != nil {
			return nil, fmt.Errorf("read request body: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := Entry{
		Method: req.Method, Target: r.red.target(req.URL), Conditional: req.Header.Get("If-None-Match") != "",
		Request: r.red.body(sent, false, true),
	}
	q := r.exact[asked.key(true)]
	if q == nil {
		q = r.alike[asked.key(false)]
	}
	if q == nil {
		r.strays = append(r.strays, asked.Method+" "+asked.Target)
		return Entry{Status: http.StatusNotImplemented, Body: quoted("the transcript has no such call")}.response(req), nil
	}
	e := q.take()
	if e.Status == 0 {
		return nil, fmt.Errorf("%s %s: no answer came when it was recorded", e.Method, e.Target)
	}
	return e.response(req), nil
}

func (e Entry) response(req *http.Request) *http.Response {
	h := http.Header{}
	for name, v := range e.Header {
		h.Set(name, v)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)), StatusCode: e.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(bytes.NewReader(e.Body)), ContentLength: int64(len(e.Body)), Request: req,
	}
}

// ServeHTTP answers as [Replay.RoundTrip] does, for whoever wants a server.
func (r *Replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	resp, err := r.RoundTrip(req)
	if err != nil {
		panic(http.ErrAbortHandler) // no answer came then, and none comes now
	}
	defer func() { _ = resp.Body.Close() }() // it is in memory
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the client may be gone
}
