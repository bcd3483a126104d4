package forges_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/forges"
)

func withBody(req *http.Request, body string) *http.Request {
	out, err := http.NewRequestWithContext(req.Context(), req.Method, req.URL.String(), bytes.NewReader([]byte(body)))
	if err != nil {
		panic(err)
	}
	return out
}

// library answers each path with its own text under an ETag, and counts the whole answers.
type library struct {
	whole   atomic.Int64
	edition atomic.Int64
	bare    atomic.Bool // without ETag
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Path + " for " + r.Header.Get("Authorization") + r.Header.Get("Private-Token") + " as " + r.Header.Get("Accept") +
		strings.Repeat("!", int(l.edition.Load()))
	etag := `W/"` + text + `"`
	w.Header().Set("X-Answer", "new")
	if !l.bare.Load() {
		w.Header().Set("ETag", etag)
	}
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	l.whole.Add(1)
	_, _ = io.WriteString(w, text) // a closed client is the client's matter
}

func borrow(t *testing.T, c *http.Client, method, url string, header map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("X-Answer") != "new" {
		t.Fatalf("%s: got %d, %v", url, resp.StatusCode, err)
	}
	return string(raw)
}

func TestTags(t *testing.T) {
	lib := &library{}
	url, _ := forge(t, lib.ServeHTTP)
	ana := map[string]string{"Authorization": "Bearer ana"}
	for _, row := range []struct {
		name   string
		first  map[string]string
		then   map[string]string
		path   string
		method string
		whole  int64
	}{
		{"asked again, unchanged: not sent again", ana, ana, "", http.MethodGet, 1},
		{"never across credentials", ana, map[string]string{"Authorization": "Bearer bo"}, "", http.MethodGet, 2},
		{"never across kinds of credential", ana, map[string]string{"Private-Token": "Bearer ana"}, "", http.MethodGet, 2},
		{"never without a credential", nil, nil, "", http.MethodGet, 2},
		{"another form", ana, map[string]string{"Authorization": "Bearer ana", "Accept": "raw"}, "", http.MethodGet, 2},
		{"an answer that nobody may keep", map[string]string{"Authorization": "Bearer ana", "Cache-Control": "no-store"}, ana, "", http.MethodGet, 2},
		{"another URL", ana, ana, "?page=2", http.MethodGet, 2},
		{"no read", ana, ana, "", http.MethodPost, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := client(t, forges.Options{Bases: []string{url}})
			before := lib.whole.Load()
			borrow(t, c, row.method, url+"/a", row.first)
			got := borrow(t, c, row.method, url+"/a"+row.path, row.then)
			if want := "/a for " + row.then["Authorization"] + row.then["Private-Token"] + " as " + row.then["Accept"]; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if n := lib.whole.Load() - before; n != row.whole {
				t.Errorf("whole answers: got %d, want %d", n, row.whole)
			}
		})
	}
}

func TestTagsFollowChanges(t *testing.T) {
	lib := &library{}
	url, _ := forge(t, lib.ServeHTTP)
	ana := map[string]string{"Authorization": "Bearer ana"}
	c := client(t, forges.Options{Bases: []string{url}})
	for range 2 {
		for _, bare := range []bool{false, false, true, true} {
			lib.bare.Store(bare)
			lib.edition.Add(1)
			want := "/a for Bearer ana as " + strings.Repeat("!", int(lib.edition.Load()))
			if got := borrow(t, c, http.MethodGet, url+"/a", ana); got != want {
				t.Errorf("without a tag %t: got %q, want %q", bare, got, want)
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	lib := &library{}
	url, _ := forge(t, lib.ServeHTTP)
	ana := map[string]string{"Authorization": "Bearer ana"}
	c := client(t, forges.Options{Bases: []string{url}, Memory: 16 << 10})
	long := "/" + strings.Repeat("x", 3<<10) // more than an eighth of the memory
	borrow(t, c, http.MethodGet, url+long, ana)
	if got := borrow(t, c, http.MethodGet, url+long, ana); got != long+" for Bearer ana as " || lib.whole.Load() != 2 {
		t.Errorf("an answer too long to remember: got %d bytes, %d whole answers", len(got), lib.whole.Load())
	}
	for i := range 40 {
		borrow(t, c, http.MethodGet, url+"/"+strings.Repeat("y", i+1), ana)
	}
	before := lib.whole.Load()
	borrow(t, c, http.MethodGet, url+"/"+strings.Repeat("y", 40), ana) // the last one
	borrow(t, c, http.MethodGet, url+"/y", ana)                        // the first one
	if n := lib.whole.Load() - before; n != 1 {
		t.Errorf("whole answers: got %d, want the oldest one forgotten alone", n)
	}
	none := client(t, forges.Options{Bases: []string{url}, Memory: -1})
	before = lib.whole.Load()
	borrow(t, none, http.MethodGet, url+"/a", ana)
	borrow(t, none, http.MethodGet, url+"/a", ana)
	if n := lib.whole.Load() - before; n != 2 {
		t.Errorf("without memory: got %d whole answers, want 2", n)
	}
}

func TestCutAnswersAreNotRemembered(t *testing.T) {
	var n atomic.Int64
	url, _ := forge(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		if n.Add(1) == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half") // the rest never comes
			return
		}
		_, _ = io.WriteString(w, "all of it") // a closed client is the client's matter
	})
	c := client(t, forges.Options{Bases: []string{url}})
	ana := map[string]string{"Authorization": "Bearer ana"}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", ana["Authorization"])
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read
	if string(raw) != "half" || err == nil {
		t.Errorf("cut answer (attack 70): got %q, %v; want what came, and an error", raw, err)
	}
	if status, body, err := send(t, c, http.MethodGet, url, ""); err != nil || status != 200 || body != "all of it" {
		t.Errorf("asked again: got %d %q, %v", status, body, err)
	}
}

// what a caller asks not to be stored is not: an answer about the holder of a user's token
func TestNotStored(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match"))
		w.Header().Set("ETag", `"v1"`)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	client, err := forges.NewClient(forges.Options{Bases: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer of a user")
		req.Header.Set("Cache-Control", "no-store")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if len(asked) != 2 || asked[1] != "" {
		t.Errorf("asked with %q", asked)
	}
}
