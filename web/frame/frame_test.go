package frame_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/web/frame"
)

func TestLink(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://github.com/acme/app/pull/1": true, "http://127.0.0.1:8080/a?b=c#d": true, "https://forge.example/\u202e": true,
		"": false, "javascript:alert(1)": false, "JAVASCRIPT:alert(1)": false, "data:text/html,x": false, "//evil.example": false, "/local": false,
		"https:evil": false, "https://": false, "https://u:p@evil.example/": false, "https://u@evil.example/": false, "ftp://x/": false,
		"https://a b/": false, "https://x/\x00": false, " https://x/": false, "java\nscript:x": false,
	} {
		if got := frame.Link(raw); (got != "") != want || got != "" && got != raw {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for _, raw := range []string{"/", "/releases/1", "/?repository=github%3A1&before=2", "/docs/policy#defaults", "/a%20b"} {
		if got := frame.LocalPath(raw); got != raw {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
	for _, raw := range []string{
		"", "a", "//evil.example", "///evil.example", `/\evil.example`, `\/evil.example`, "/%2fevil.example", "/%5cevil.example", "https://evil.example/",
		"/\tevil", "/ evil", "/é", "/\x7f", "?a", "#a", "/" + strings.Repeat("a", 1000), "/%zz", ":", "javascript:alert(1)",
	} {
		if got := frame.LocalPath(raw); got != "/" {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 file": frame.Count(1, "file"), "0 files": frame.Count(0, "file"), "2 people": frame.Count(2, "person", "people"), "1 person": frame.Count(1, "person", "people"),
	} {
		if got != want {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
}

// The scripts of others are those that VENDORED.md names, to the byte, and fetch nothing.
func TestVendored(t *testing.T) {
	table, err := os.ReadFile("VENDORED.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"htmx.js", "sse.js"} {
		content, err := os.ReadFile(filepath.Join("assets", name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if !strings.Contains(string(table), "| assets/"+name+" |") || !strings.Contains(string(table), hex.EncodeToString(sum[:])) {
			t.Errorf("%s is not what VENDORED.md says: its SHA-256 is %x", name, sum)
		}
		if bytes.Contains(content, []byte("sourceMappingURL")) {
			t.Errorf("%s makes browsers fetch its source map", name)
		}
	}
}

// Under its digest a file is kept for good, otherwise asked for again; nothing is listed.
func TestAsset(t *testing.T) {
	get := func(target string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		out := httptest.NewRecorder()
		if !frame.Asset(out, r, strings.TrimPrefix(r.URL.Path, "/assets/")) {
			out.Code = http.StatusNotFound
		}
		return out
	}
	path := frame.AssetPath("style.css")
	kept, asked := get(path), get("/assets/style.css?v=0000000000000000")
	if !strings.Contains(kept.Header().Get("Cache-Control"), "immutable") || asked.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("kept %v, asked %v", kept.Header(), asked.Header())
	}
	if again := get("/assets/style.css", "If-None-Match: "+asked.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("answered %d", again.Code)
	}
	if part := get("/assets/style.css", "Range: bytes=0-3"); part.Code != http.StatusOK || part.Body.Len() < 100 {
		t.Errorf("a part is answered: %d", part.Code)
	}
	for _, name := range []string{"/assets/", "/assets/nothing", "/assets/..%2fframe.html", "/assets/../frame.html"} {
		if got := get(name); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
}

// All files of a page together leave room within 100 KB for the page itself.
func TestWeight(t *testing.T) {
	entries, err := os.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "LICENSE") {
			continue
		}
		content, err := os.ReadFile(filepath.Join("assets", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, 5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		sum += out.Len()
	}
	t.Logf("%d bytes", sum)
	if sum > 40_000 {
		t.Errorf("the files weigh %d bytes compressed, expected at most 40 KB", sum)
	}
}
