package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"

	main "github.com/countersign/countersign/cmd/countersign"
)

// annals is a small ledger, served, with the folder in which somebody watches it.
type annals struct {
	t       *testing.T
	key     ed25519.PrivateKey
	log     *ledger.LogKey
	entries [][]byte
	note    []byte
	server  *httptest.Server
	dir     string

	mu   sync.Mutex
	down bool
}

func newAnnals(t *testing.T) *annals {
	t.Helper()
	a := &annals{t: t, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), dir: t.TempDir()}
	spki, err := x509.MarshalPKIXPublicKey(a.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if a.log, err = ledger.NewLogKey("sign.example.org", spki); err != nil {
		t.Fatal(err)
	}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	root, err := attest.TrustedRoot(attest.Trust{Logs: []attest.TrustedLog{{Origin: a.log.Name(), SPKI: spki, Since: time.Unix(1, 0)}}})
	if err != nil {
		t.Fatal(err)
	}
	a.file("trusted_root.json", root)
	a.leaf(ledger.RequestOpened)
	return a
}

func (a *annals) file(name string, content []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), content, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *annals) vkey() string {
	return fmt.Sprintf("%s+%08x+%s", a.log.Name(), a.log.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, a.key.Public().(ed25519.PublicKey)...)))
}

func (a *annals) leaf(kind ledger.Kind) {
	a.t.Helper()
	b, err := ledger.New(kind, "r1", make([]byte, ledger.SaltSize), []byte("{}")).Bytes()
	if err != nil {
		a.t.Fatal(err)
	}
	a.publish(b)
}

// publish adds an entry and signs the tree.
func (a *annals) publish(entry []byte) {
	a.t.Helper()
	a.entries = append(a.entries, entry)
	h := ledger.Head{Origin: a.log.Name(), Size: int64(len(a.entries))}
	var hashes []tlog.Hash
	stored := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, 0, len(indexes))
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, e := range a.entries {
		more, err := tlog.StoredHashes(int64(i), e, stored)
		if err != nil {
			a.t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	var err error
	if h.Root, err = tlog.TreeHash(h.Size, stored); err != nil {
		a.t.Fatal(err)
	}
	if a.note, err = ledger.Sign(h, a.log, func(text []byte) ([]byte, error) { return ed25519.Sign(a.key, text), nil }); err != nil {
		a.t.Fatal(err)
	}
}

func (a *annals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/log/")
	if path == "checkpoint" {
		_, _ = w.Write(a.note)
		return
	}
	t, err := ledger.ParseTile(path)
	if err != nil || !t.In(int64(len(a.entries))) {
		http.NotFound(w, r)
		return
	}
	var out []byte
	for _, e := range a.entries[:t.Width] {
		if t.Level == ledger.EntriesLevel {
			out, _ = ledger.AppendEntry(out, e)
			continue
		}
		h := tlog.RecordHash(e)
		out = append(out, h[:]...)
	}
	_, _ = w.Write(out)
}

// watch runs countersign monitor and expects an exit code.
func (a *annals) watch(want main.Exit, args ...string) (stdout, stderr string) {
	a.t.Helper()
	all := append([]string{"monitor", "--log", a.server.URL + "/log", "--state", filepath.Join(a.dir, "place.json"), "--once"}, args...)
	var out, errs bytes.Buffer
	if got := main.Run(a.t.Context(), all, nil, &out, &errs); got != int(want) {
		a.t.Errorf("%q: expected exit %d, got %d\n%s%s", args, want, got, &out, &errs)
	}
	return out.String(), errs.String()
}

func (a *annals) trusting() []string {
	return []string{"--trusted-root", filepath.Join(a.dir, "trusted_root.json"), "--key", "SHA256:" + strings.Repeat("A", 43)}
}

func TestMonitor(t *testing.T) {
	a := newAnnals(t)
	if out, errs := a.watch(main.ExitOK, a.trusting()...); out != "" || !strings.Contains(errs, "sign.example.org: 1 entry in all, 1 read now, nothing to tell") {
		t.Errorf("got %q, %q", out, errs)
	}
	a.leaf(ledger.Orphaned)
	if out, _ := a.watch(main.ExitOK, a.trusting()...); !strings.HasPrefix(out, "NOTICE orphaned: ") || !strings.Contains(out, "entry 1 of sign.example.org") {
		t.Errorf("got %q", out)
	}
	k := attesttest.NewKey(t)
	s := k.Sign(t, gate.Intent{ID: "i1", Digest: gate.SHA256([]byte("app")), Kind: gate.IntentSubject, Key: k.Version})
	b, err := ledger.Record{Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: k.Version.SPKI}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	a.publish(b)
	place, err := os.ReadFile(filepath.Join(a.dir, "place.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, _ := a.watch(main.ExitFailed, a.trusting()...)
	for _, want := range []string{"ALERT key: a key outside of the inventory signed", "entry 2 of sign.example.org", k.Public.Hint(), s.Intent.Digest.String(), "do:"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in %s", want, out)
		}
	}
	a.watch(main.ExitOK, a.trusting()...) // it was told
	a.file("place.json", place)
	out, _ = a.watch(main.ExitFailed, append(a.trusting(), "--json")...)
	var x monitor.Alert
	if err := json.Unmarshal([]byte(out), &x); err != nil || strings.Count(out, "\n") != 1 || x.Kind != monitor.KindKey || *x.Index != 2 {
		t.Errorf("got %q, %v", out, err)
	}
	// The key is one of the inventory, and what it signed is published.
	a.file("place.json", place)
	a.file("key.pem", k.Public.PEM())
	m := gate.Manifest{Subjects: []gate.Subject{{Name: "app", SHA256: s.Intent.Digest}}}
	if err := os.Mkdir(filepath.Join(a.dir, "releases"), 0o755); err != nil {
		t.Fatal(err)
	}
	a.file("releases/SHA256SUMS", m.Bytes())
	known := append(a.trusting(), "--key", filepath.Join(a.dir, "key.pem"))
	if out, _ := a.watch(main.ExitFailed, known...); !strings.Contains(out, "ALERT unreadable") {
		t.Errorf("got %s", out)
	}
	a.file("place.json", place)
	a.watch(main.ExitOK, append(known, "--releases", filepath.Join(a.dir, "releases"))...)
	a.file("place.json", place)
	a.watch(main.ExitOK, append(known, "--allow-unreadable")...)
}

func TestMonitorFork(t *testing.T) {
	a := newAnnals(t)
	a.watch(main.ExitOK, a.trusting()...)
	a.entries = nil
	a.leaf(ledger.Decision)
	for range 2 {
		if out, _ := a.watch(main.ExitFailed, a.trusting()...); !strings.Contains(out, "ALERT fork") || strings.Count(out, "checkpoint:") != 2 {
			t.Errorf("got %s", out)
		}
	}
}

func TestMonitorUnreachable(t *testing.T) {
	a := newAnnals(t)
	a.server.Close()
	if _, errs := a.watch(main.ExitRetry, a.trusting()...); !strings.Contains(errs, "the ledger cannot be read") {
		t.Errorf("got %s", errs)
	}
}

// Without --once it goes on until it is stopped, whatever happens on the way.
func TestMonitorGoesOn(t *testing.T) {
	a := newAnnals(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	heard := &listener{heard: make(chan string, 64)}
	ended := make(chan int, 1)
	go func() {
		args := append(a.trusting(), "--log", a.server.URL+"/log", "--state", filepath.Join(a.dir, "place.json"), "--every", "1s")
		ended <- main.Run(ctx, append([]string{"monitor"}, args...), nil, heard, heard)
	}()
	heard.wait(t, "1 entry in all")
	a.mu.Lock()
	a.down = true
	a.mu.Unlock()
	heard.wait(t, "the ledger cannot be read now, trying again in 1s")
	a.mu.Lock()
	a.down = false
	a.leaf(ledger.Orphaned)
	a.mu.Unlock()
	heard.wait(t, "NOTICE orphaned")
	heard.wait(t, "2 entries in all, 1 read now, 0 alerts, 1 notice")
	stop()
	if code := <-ended; code != int(main.ExitOK) {
		t.Errorf("stopped, it ended with %d", code)
	}
}

// listener is an output that is listened to.
type listener struct{ heard chan string }

func (l *listener) Write(b []byte) (int, error) {
	l.heard <- string(b)
	return len(b), nil
}

func (l *listener) wait(t *testing.T, text string) {
	t.Helper()
	for {
		select {
		case got := <-l.heard:
			if strings.Contains(got, text) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("never heard %q", text)
		}
	}
}

func TestMonitorUsage(t *testing.T) {
	a := newAnnals(t)
	root, fp := a.trusting()[:2], a.trusting()[2:]
	for _, args := range [][]string{
		{}, root, fp, append(a.trusting(), "--log-key", a.vkey()), append(a.trusting(), "--log", ""), append(a.trusting(), "--state", ""),
		append(a.trusting(), "--log", "ftp://x"), append(a.trusting(), "--log", "file://host/x"), append(a.trusting(), "--every", "1ms"),
		append(a.trusting(), "--witness", "x"), append(a.trusting(), "--witnesses", "1"), append(root, "--key", "SHA256:x"), append(root, "--key", a.dir+"/none.pem"),
		append(fp, "--trusted-root", a.dir+"/none.json"), append(fp, "--log-key", "x"), append(root, "--pin-keys", "--log", "http://sign.example.org/log"),
		append(a.trusting(), "more"),
	} {
		a.watch(main.ExitUsage, args...)
	}
	a.watch(main.ExitOK, append(fp, "--log-key", a.vkey())...)
	a.file("place.json", []byte("{}"))
	a.watch(main.ExitFailed, a.trusting()...)
	a.watch(main.ExitFailed, append(a.trusting(), "--log", "file://"+a.dir+"/none/log")...)
	a.watch(main.ExitFailed, append(a.trusting(), "--releases", a.dir+"/none")...)
}
