package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/web"
)

const logOrigin = "sign.example.org"

// Tiles are served as they lie, up to the newest checkpoint and not beyond.
func TestLog(t *testing.T) {
	a := newAnnals()
	w := newWorld(t, a.serve)
	refuses(t, w.call(t, http.MethodGet, "/log/checkpoint", ""), http.StatusNotFound, gate.CodeLogRange)
	refuses(t, w.call(t, http.MethodGet, "/log/tile/0/000.p/1", ""), http.StatusNotFound, gate.CodeLogRange)
	for n := range 300 {
		a.add(t, gate.LedgerEntry{Kind: "published", ID: fmt.Sprint("r", n)})
		if n == 279 {
			a.publish(t, logOrigin)
		}
	}
	got := w.call(t, http.MethodGet, "/log/checkpoint", "")
	if !bytes.Equal(got.Body.Bytes(), a.checkpoints[logOrigin].Note) || got.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("answered %d, %s: %s", got.Code, got.Header(), got.Body)
	}
	for path, want := range map[string]string{
		"tile/0/000": "immutable", "tile/0/001.p/24": "max-age=60", "tile/0/000.p/17": "max-age=60", "tile/1/000.p/1": "max-age=60",
		"tile/entries/000": "immutable", "tile/entries/001.p/24": "max-age=60",
	} {
		got := w.call(t, http.MethodGet, "/log/"+path, "")
		tile, err := ledger.ParseTile(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := a.Tile(t.Context(), tile)
		if err != nil {
			t.Fatal(err)
		}
		if got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), data) || got.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: answered %d, %s", path, got.Code, got.Header())
		}
		if keep := got.Header().Get("Cache-Control"); !strings.Contains(keep, want) || !strings.Contains(keep, "public") {
			t.Errorf("%s: Cache-Control %q, expected %s", path, keep, want)
		}
	}
	for _, path := range []string{
		"tile/0/001", "tile/0/001.p/25", "tile/0/002.p/1", "tile/1/000.p/2", "tile/1/000", "tile/2/000.p/1", "tile/entries/001.p/25",
		"tile/0/1", "tile/0/000.p/256", "tile/0/000.p/0", "tile/-1/000", "tile/8/000", "tile/x/000", "tile/0/../0/000", "tile/",
		"epochs/0/checkpoint", "epochs/2/checkpoint", "epochs/x/checkpoint", "epochs/01/checkpoint",
	} {
		refuses(t, w.call(t, http.MethodGet, "/log/"+path, ""), http.StatusNotFound, gate.CodeLogRange)
	}
}

// The checkpoint is the newest epoch's, and each epoch's last one stays to be had.
func TestEpochCheckpoints(t *testing.T) {
	a := newAnnals()
	w := newWorld(t, a.serve)
	a.add(t, gate.LedgerEntry{Kind: "published", ID: "r1"})
	first := a.publish(t, logOrigin)
	a.add(t, gate.LedgerEntry{Kind: "epoch", ID: "2", Document: []byte(`{"v":1}`)})
	second := a.publish(t, "second.example.org")
	for path, want := range map[string]gate.Checkpoint{"checkpoint": second, "epochs/1/checkpoint": first, "epochs/2/checkpoint": second} {
		if got := w.call(t, http.MethodGet, "/log/"+path, ""); got.Body.String() != string(want.Note) {
			t.Errorf("%s: answered %d: %s", path, got.Code, got.Body)
		}
	}
}

// A ledger that is not there, or does not answer, is said to be so.
func TestNoLog(t *testing.T) {
	w := newWorld(t)
	refuses(t, w.call(t, http.MethodGet, "/log/checkpoint", ""), http.StatusNotFound, gate.CodePathUnknown)
	a := newAnnals()
	w = newWorld(t, a.serve)
	a.fail = unavailable()
	for _, path := range []string{"/log/checkpoint", "/log/tile/0/000", "/log/epochs/1/checkpoint", "/v1/log/entries/0", "/v1/trusted_root.json"} {
		refuses(t, w.call(t, http.MethodGet, path, ""), http.StatusServiceUnavailable, gate.CodeStoreUnavailable)
	}
}

func unavailable() error {
	return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the database does not answer", Fix: "try again"}
}

// entry asks for one, and holds what is shown against the tree.
func entry(t *testing.T, a *annals, body []byte) api.LedgerEntry {
	t.Helper()
	var e api.LedgerEntry
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if tlog.RecordHash(e.Leaf) != a.hashes[tlog.StoredHashIndex(0, e.Index)] {
		t.Errorf("entry %d is shown with another leaf", e.Index)
	}
	if len(e.Salt) > 0 {
		l, err := ledger.Parse(e.Leaf)
		if err != nil || ledger.Commit(e.Salt, e.Document) != l.Commitment {
			t.Errorf("entry %d does not open, %v", e.Index, err)
		}
	}
	return e
}

// Anybody may open what was committed to about public repositories, and learns what a
// signature rests on.
func TestLogEntries(t *testing.T) {
	var a *annals
	w := newWorld(t, func(c *web.Config) { a = chronicle(t, c.Shelf.(*world), record(t, gate.StateSigned)); a.serve(c) })
	a.publish(t, logOrigin)
	for index, want := range []struct {
		kind            string
		opens, evidence bool
	}{
		{"request-opened", false, false}, // an ID token's claims are not for everybody
		{"decision", true, false}, {"intents", true, true}, {"signature", false, true}, {"certificate-signature", false, true},
	} {
		got := w.call(t, http.MethodGet, fmt.Sprint("/v1/log/entries/", index), "")
		e := entry(t, a, got.Body.Bytes())
		if e.Kind != want.kind || (len(e.Salt) > 0) != want.opens || (e.Evidence != nil) != want.evidence || got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("entry %d: got %s, %s", index, got.Header(), got.Body)
		}
		if want.evidence && *e.Evidence != (api.Evidence{Decision: 1, Intents: 2}) {
			t.Errorf("entry %d rests on %+v", index, *e.Evidence)
		}
	}
	for _, index := range []string{"5", "-1", "01", "x", "9999999999999999999", ""} {
		if got := w.call(t, http.MethodGet, "/v1/log/entries/"+index, ""); got.Code != http.StatusNotFound {
			t.Errorf("entry %q: answered %d: %s", index, got.Code, got.Body)
		}
	}
}

// What a verdict key signed is shown with its entry.
func TestVerdictEntries(t *testing.T) {
	rec := record(t, gate.StateDenied)
	a := newAnnals()
	a.verdicts = map[string]gate.SignedVerdict{rec.Request.ID: {Statement: []byte(`{"refused":true}`)}}
	a.add(t, gate.LedgerEntry{Kind: "verdict-signature", ID: rec.Request.ID, Request: rec.Request.ID, Repository: rec.Request.Repository, Bytes: []byte("{}")})
	a.publish(t, logOrigin)
	w := newWorld(t, a.serve)
	w.put(rec)
	if e := entry(t, a, w.call(t, http.MethodGet, "/v1/log/entries/0", "").Body.Bytes()); string(e.Statement) != `{"refused":true}` {
		t.Errorf("got %+v", e)
	}
}

// Entries of private repositories are there for who may read these, and for nobody else:
// not even that they are about a request.
func TestPrivateLogEntries(t *testing.T) {
	rec := record(t, gate.StateSigned)
	rec.Request.Private = true
	var a *annals
	w := newTown(t, func(c *web.Config) { a = chronicle(t, c.Shelf.(*world), rec); a.serve(c) })
	a.add(t, gate.LedgerEntry{Kind: "administrators", ID: "server", Document: []byte(`{"v":1}`)})
	a.add(t, gate.LedgerEntry{Kind: "trusted-root", ID: "1", Document: []byte(`{"v":1}`)})
	a.add(t, gate.LedgerEntry{Kind: "policy-adopted", ID: "p", Repository: rec.Request.Repository, Document: []byte(`{"v":1}`)})
	a.publish(t, logOrigin)
	bo := gate.Account{ID: gate.AccountID{Forge: "github", ID: 903}, Login: "bo", Human: true}
	w.github.set(bo.ID, gate.RoleRead)
	anybody, reader, stranger, admin := w.chrome(t), w.signedIn(t, bo), w.signedIn(t, eve()), w.signedIn(t, root())
	nothing := w.call(t, http.MethodGet, "/v1/log/entries/99", "").Body.String()
	for index, who := range []struct{ anybody, stranger, reader, admin bool }{
		{false, false, true, true}, {false, false, true, true}, {false, false, true, true}, {false, false, true, true}, {false, false, true, true},
		{false, false, false, true}, {true, true, true, true}, {false, false, false, true},
	} {
		for name, x := range map[string]struct {
			c   *chrome
			may bool
		}{"anybody": {anybody, who.anybody}, "stranger": {stranger, who.stranger}, "reader": {reader, who.reader}, "administrator": {admin, who.admin}} {
			got := x.c.send(http.MethodGet, fmt.Sprint("/v1/log/entries/", index), "")
			switch {
			case x.may && got.Code == http.StatusOK:
				entry(t, a, got.Body.Bytes())
			case x.may || got.Code != http.StatusNotFound || got.Body.String() != nothing:
				t.Errorf("entry %d: %s got %d: %s", index, name, got.Code, got.Body)
			}
		}
	}
}

// The trusted root is the newest, and each version stays.
func TestTrustedRoot(t *testing.T) {
	a := newAnnals()
	w := newWorld(t, a.serve)
	refuses(t, w.call(t, http.MethodGet, "/v1/trusted_root.json", ""), http.StatusNotFound, gate.CodeLogRange)
	a.roots = [][]byte{[]byte("{\"v\":1}\n"), []byte("{\"v\":2}\n")}
	newest := w.call(t, http.MethodGet, "/v1/trusted_root.json", "")
	if newest.Body.String() != string(a.roots[1]) || newest.Header().Get("Content-Location") != "/v1/trusted_root/2.json" ||
		newest.Header().Get("Content-Type") != "application/vnd.dev.sigstore.trustedroot+json;version=0.1" {
		t.Errorf("answered %d, %s: %s", newest.Code, newest.Header(), newest.Body)
	}
	again := w.call(t, http.MethodGet, "/v1/trusted_root.json", "", "If-None-Match: "+newest.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("asked with its ETag it answered %d: %s", again.Code, again.Body)
	}
	first := w.call(t, http.MethodGet, "/v1/trusted_root/1.json", "")
	if first.Body.String() != string(a.roots[0]) || !strings.Contains(first.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("answered %d, %s: %s", first.Code, first.Header(), first.Body)
	}
	for _, file := range []string{"0.json", "3.json", "01.json", "1", "x.json", "-1.json"} {
		refuses(t, w.call(t, http.MethodGet, "/v1/trusted_root/"+file, ""), http.StatusNotFound, gate.CodeLogRange)
	}
}
