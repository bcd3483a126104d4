package forges

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// credentialOf names a request's credential without holding it: "" where it has none.
func credentialOf(req *http.Request) string {
	h := sha256.New()
	some := false
	for _, name := range []string{"Authorization", "Private-Token", "Job-Token"} {
		for _, v := range req.Header.Values(name) {
			some = true
			_, _ = io.WriteString(h, name+"\x00"+v+"\x00") // a hash takes everything
		}
	}
	if !some {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tagged remembers answers that came with an ETag and asks whether they still hold
// (RFC 9110, section 13.1.2): GitHub does not count a 304. Every answer is confirmed by
// the forge before it is used again, and none is ever given to another credential.
type tagged struct {
	next http.RoundTripper
	max  int64 // bytes

	mu    sync.Mutex // guards what follows
	size  int64
	items map[string]*list.Element
	order *list.List // of *answer, the last used first
}

// answer is one remembered answer.
type answer struct {
	key    string
	etag   string
	header http.Header
	body   []byte
}

func (a *answer) cost() int64 { return int64(len(a.key)+len(a.body)) + 1024 }

// largest part of the memory that one answer may take.
const answerPart = 8

func newTagged(next http.RoundTripper, most int64) *tagged {
	return &tagged{next: next, max: most, items: map[string]*list.Element{}, order: list.New()}
}

func (t *tagged) RoundTrip(req *http.Request) (*http.Response, error) {
	key, ok := keyOf(req)
	if !ok {
		return t.next.RoundTrip(req)
	}
	known := t.find(key)
	if known != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", known.etag)
	}
	resp, err := t.next.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotModified && known != nil:
		return known.again(resp), nil
	case resp.StatusCode == http.StatusOK:
		t.take(key, resp)
	}
	return resp, nil
}

// keyOf is what an answer depends on. Only plain reads with a credential have one, unless
// they say that nobody keeps the answer (RFC 9111, section 5.2.1.5).
func keyOf(req *http.Request) (string, bool) {
	who := credentialOf(req)
	plain := req.Method == http.MethodGet && (req.Body == nil || req.Body == http.NoBody) &&
		!strings.Contains(req.Header.Get("Cache-Control"), "no-store")
	for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match"} {
		plain = plain && req.Header.Get(name) == ""
	}
	plain = plain && !strings.Contains(req.Header.Get("Cache-Control"), "no-store") // RFC 9111, section 5.2.1.5
	parts := []string{
		who, req.URL.String(), strings.Join(req.Header.Values("Accept"), ","), req.Header.Get("X-GitHub-Api-Version"),
	}
	return strings.Join(parts, "\n"), plain && who != ""
}

func (t *tagged) find(key string) *answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, has := t.items[key]
	if !has {
		return nil
	}
	t.order.MoveToFront(e)
	return e.Value.(*answer)
}

// again is the remembered answer under what the 304 says of itself (RFC 9111, section
// 3.2: the newer header fields win).
func (a *answer) again(resp *http.Response) *http.Response {
	_ = resp.Body.Close() // a 304 has none
	out := *resp
	out.Status, out.StatusCode = "200 OK", http.StatusOK
	out.Header = a.header.Clone()
	for name, values := range resp.Header {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Content-Type" {
			out.Header[name] = values
		}
	}
	out.Body = io.NopCloser(bytes.NewReader(a.body))
	out.ContentLength, out.TransferEncoding, out.Uncompressed = int64(len(a.body)), nil, true
	return &out
}

// take remembers an answer with an ETag; an answer without one ends what was remembered.
// A body that does not end well is given on as it came.
func (t *tagged) take(key string, resp *http.Response) {
	etag := resp.Header.Get("ETag")
	if etag == "" || strings.Contains(resp.Header.Get("Cache-Control"), "no-store") {
		t.forget(key)
		return
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.max/answerPart))
	if err == nil {
		// Whether that was all of it, only another read tells.
		var more [1]byte
		n, end := io.ReadFull(resp.Body, more[:])
		if n == 0 && errors.Is(end, io.EOF) {
			_ = resp.Body.Close() // read to its end
			resp.Body = io.NopCloser(bytes.NewReader(body))
			t.remember(&answer{key: key, etag: etag, header: resp.Header.Clone(), body: body})
			return
		}
		body = append(body, more[:n]...)
		if n == 0 {
			err = end
		}
	}
	t.forget(key)
	resp.Body = &rejoined{head: body, err: err, rest: resp.Body}
}

func (t *tagged) remember(a *answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(a.key)
	t.items[a.key] = t.order.PushFront(a)
	t.size += a.cost()
	for t.size > t.max && t.order.Len() > 0 {
		t.drop(t.order.Back().Value.(*answer).key)
	}
}

func (t *tagged) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(key)
}

// drop is called with the lock held.
func (t *tagged) drop(key string) {
	if e, has := t.items[key]; has {
		t.size -= e.Value.(*answer).cost()
		t.order.Remove(e)
		delete(t.items, key)
	}
}
