package web_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web"
	"github.com/countersign/countersign/web/clients"
)

func TestClients(t *testing.T) {
	folder := fstest.MapFS{
		"linux-amd64/countersign":       {Data: []byte("an ELF file")},
		"windows-amd64/countersign.exe": {Data: []byte("a PE file")},
		"linux-amd64/countersign.old":   {Data: []byte("none")},
		"README":                        {Data: []byte("none")},
	}
	set, err := clients.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *web.Config) { c.Clients = set })
	sum := gate.SHA256([]byte("an ELF file"))
	sums := w.call(t, http.MethodGet, "/client/SHA256SUMS", "").Body.String()
	if want := sum.String() + "  linux-amd64/countersign\n"; !strings.HasPrefix(sums, want) || strings.Count(sums, "\n") != 2 {
		t.Errorf("SHA256SUMS is %q", sums)
	}
	got := w.call(t, http.MethodGet, "/client/linux-amd64/countersign", "")
	if got.Code != http.StatusOK || got.Body.String() != "an ELF file" {
		t.Errorf("answered %d: %q", got.Code, got.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Length": "11", "ETag": `"` + sum.String() + `"`,
		"Repr-Digest":         "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
		"Content-Disposition": `attachment; filename="countersign"`,
	} {
		if have := got.Header().Get(name); have != want {
			t.Errorf("%s is %q, expected %q", name, have, want)
		}
	}
	if again := w.call(t, http.MethodGet, "/client/linux-amd64/countersign", "", "If-None-Match: "+got.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("what is known was answered with %d", again.Code)
	}
	for _, path := range []string{"plan9-amd64/countersign", "linux-amd64/countersign.old", "linux-amd64/countersign.exe", "..%2f..%2fetc/passwd", "README/countersign"} {
		p := refuses(t, w.call(t, http.MethodGet, "/client/"+path, ""), http.StatusNotFound, gate.CodePathUnknown)
		if !strings.Contains(p.Expected, "linux-amd64, windows-amd64") {
			t.Errorf("%s: the answer does not name the platforms: %q", path, p.Expected)
		}
	}
	folder["linux-amd64/countersign"].Data = []byte("another ELF file")
	refuses(t, w.call(t, http.MethodGet, "/client/linux-amd64/countersign", ""), http.StatusInternalServerError, gate.CodeInternal)
}

func TestNoClients(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/client/SHA256SUMS", "/client/linux-amd64/countersign"} {
		p := refuses(t, w.call(t, http.MethodGet, path, ""), http.StatusNotFound, gate.CodePathUnknown)
		if !strings.Contains(p.Expected, "server.clients") {
			t.Errorf("the answer does not say what the operator does: %+v", p)
		}
	}
	if _, err := clients.Read(fstest.MapFS{"README": {}}); err == nil {
		t.Error("a folder without clients was taken")
	}
}
