package monitor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
)

const origin = "sign.example.org"

// gatelog is a gate's log in memory, as it is served.
type gatelog struct {
	t      testing.TB
	origin string
	key    ed25519.PrivateKey

	mu      sync.Mutex
	entries [][]byte
	hashes  []tlog.Hash
	told    map[int64]api.LedgerEntry
	keys    []api.Key
	note    []byte
	// edit changes what is answered, where it is set; ok false answers 404.
	edit func(path string, body []byte) (out []byte, ok bool)
	// down has everything but what it lets through fail.
	down  func(path string) bool
	asked map[string]int
}

func newLog(t testing.TB) *gatelog {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &gatelog{t: t, origin: origin, key: key, told: map[int64]api.LedgerEntry{}, asked: map[string]int{}}
}

// fork is the log as somebody else is shown it: the same up to size entries.
func (l *gatelog) fork(size int) *gatelog {
	out := &gatelog{t: l.t, origin: l.origin, key: l.key, told: maps.Clone(l.told), keys: l.keys, asked: map[string]int{}}
	for _, e := range l.entries[:size] {
		out.add(e)
	}
	return out
}

func (l *gatelog) logKey() *ledger.LogKey {
	l.t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(l.key.Public())
	if err != nil {
		l.t.Fatal(err)
	}
	k, err := ledger.NewLogKey(l.origin, spki)
	if err != nil {
		l.t.Fatal(err)
	}
	return k
}

func (l *gatelog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = l.hashes[index]
	}
	return out, nil
}

func (l *gatelog) add(entry []byte) int64 {
	index := int64(len(l.entries))
	more, err := tlog.StoredHashes(index, entry, l)
	if err != nil {
		l.t.Fatal(err)
	}
	l.entries, l.hashes = append(l.entries, entry), append(l.hashes, more...)
	return index
}

// commit adds a leaf over a document and tells it to whoever asks.
func (l *gatelog) commit(kind ledger.Kind, id string, document any) int64 {
	l.t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		l.t.Fatal(err)
	}
	salt := make([]byte, ledger.SaltSize)
	_, _ = rand.Read(salt)
	leaf, err := ledger.New(kind, id, salt, b).Bytes()
	if err != nil {
		l.t.Fatal(err)
	}
	index := l.add(leaf)
	l.told[index] = api.LedgerEntry{Index: index, Kind: string(kind), ID: id, Request: id, Leaf: leaf, Salt: salt, Document: b}
	return index
}

// fill adds n commitments that mean nothing.
func (l *gatelog) fill(n int) {
	for range n {
		l.commit(ledger.Published, fmt.Sprint("r", len(l.entries)), struct{}{})
	}
}

// head is the tree of the first size entries.
func (l *gatelog) head(size int) ledger.Head {
	l.t.Helper()
	h := ledger.Head{Origin: l.origin, Size: int64(size)}
	var err error
	if h.Root, err = tlog.TreeHash(h.Size, l); err != nil {
		l.t.Fatal(err)
	}
	return h
}

// publish signs all that is there.
func (l *gatelog) publish() { l.publishAt(len(l.entries)) }

func (l *gatelog) publishAt(size int) {
	l.t.Helper()
	note, err := ledger.Sign(l.head(size), l.logKey(), func(text []byte) ([]byte, error) { return ed25519.Sign(l.key, text), nil })
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note = note
}

// tile is a tile's bytes.
func (l *gatelog) tile(path string) ([]byte, bool) {
	t, err := ledger.ParseTile(path)
	if err != nil || !t.In(int64(len(l.entries))) {
		return nil, false
	}
	var out []byte
	for i := range int64(t.Width) {
		n := t.Index<<ledger.TileHeight + i
		if t.Level == ledger.EntriesLevel {
			if out, err = ledger.AppendEntry(out, l.entries[n]); err != nil {
				l.t.Error(err)
			}
			continue
		}
		h := l.hashes[tlog.StoredHashIndex(t.Level*ledger.TileHeight, n)]
		out = append(out, h[:]...)
	}
	return out, true
}

// body is what is answered at a path.
func (l *gatelog) body(path string) ([]byte, bool) {
	switch {
	case path == "/log/checkpoint":
		return l.note, l.note != nil
	case path == "/v1/keys":
		b, err := json.Marshal(l.keys)
		return b, err == nil
	case strings.HasPrefix(path, "/v1/log/entries/"):
		index, err := strconv.ParseInt(path[len("/v1/log/entries/"):], 10, 64)
		e, ok := l.told[index]
		if err != nil || !ok {
			return nil, false
		}
		b, err := json.Marshal(e)
		return b, err == nil
	}
	return l.tile(strings.TrimPrefix(path, "/log/"))
}

// with changes what the log does, while requests that a round gave up may still be served.
func (l *gatelog) with(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *gatelog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[r.URL.Path]++
	if l.down != nil && l.down(r.URL.Path) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	b, ok := l.body(r.URL.Path)
	if ok && l.edit != nil {
		b, ok = l.edit(r.URL.Path, b)
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(b)
}

// signer is a release key in memory.
type signer struct {
	private *ecdsa.PrivateKey
	version gate.KeyVersion
	hint    string
}

func newSigner(t testing.TB) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.ParseKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private, gate.KeyVersion{Lineage: gatetest.Lineage, Version: 1, SPKI: spki}, key.Hint()}
}

func (s signer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.version.SPKI}))
}

// record signs a digest and adds the record of it.
func (l *gatelog) record(s signer, digest gate.Digest, told api.LedgerEntry) int64 {
	l.t.Helper()
	sig, err := ecdsa.SignASN1(rand.Reader, s.private, digest[:])
	if err != nil {
		l.t.Fatal(err)
	}
	body, err := ledger.Record{Digest: digest, Signature: sig, Key: s.version.SPKI}.Bytes()
	if err != nil {
		l.t.Fatal(err)
	}
	index := l.add(body)
	told.Index, told.Leaf = index, body
	if told.Kind == "" {
		told.Kind, told.Document = "signature", []byte("{}")
	}
	l.told[index] = told
	return index
}

// released is one release on the log.
type released struct {
	request   string
	decision  gate.Decision
	intents   []gate.Intent
	decidedAt int64
	intendsAt int64
	signedAt  []int64
}

// plan is a release that was granted: files, a statement over them, and SHA256SUMS.
func plan(t testing.TB, s signer, n int, request string) released {
	t.Helper()
	c, at := gatetest.GrantedCase(gatetest.For(gatetest.Manifest(n)), gatetest.With(s.version), gatetest.Edit(func(c *gate.Case) {
		c.Request.ID = request
		c.Approvals[0].Request = request
	}))
	out := released{request: request, decision: gate.Decide(c, at)}
	g, ok := out.decision.Grant()
	if !ok {
		t.Fatalf("the case is %s", out.decision.Outcome)
	}
	out.intents = gatetest.Intents(g)
	subject := c.Request.Manifest.Subjects[0]
	payload := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":%q,"digest":{"sha256":%q}}],"predicate":{"verificationResult":"PASSED"}}`, subject.Name, subject.SHA256)
	sums, err := gate.SumsDigest(gate.FormatSSH, c.Request.Manifest, nil)
	if err != nil {
		t.Fatal(err)
	}
	out.intents = append(out.intents,
		gate.Intent{ID: "statement", Request: request, Attempt: 1, Kind: gate.IntentStatement, Name: gate.StatementVSA, Digest: gate.StatementDigest(payload), Payload: payload, Key: s.version},
		gate.Intent{ID: "sums", Request: request, Attempt: 1, Kind: gate.IntentSums, Name: string(gate.FormatSSH), Digest: sums, Key: s.version})
	return out
}

// write puts a release on the log as the gate does.
func (l *gatelog) write(s signer, r released) released {
	l.t.Helper()
	l.commit(ledger.RequestOpened, r.request, struct{}{})
	r.decidedAt = l.commit(ledger.Decision, r.request, map[string]any{"v": 1, "request": r.request, "decision": r.decision})
	r.intendsAt = l.commit(ledger.Intents, r.request, map[string]any{"v": 1, "request": r.request, "intents": r.intents})
	for _, i := range r.intents {
		r.signedAt = append(r.signedAt, l.record(s, i.Digest, api.LedgerEntry{
			ID: i.ID, Request: r.request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.intendsAt},
		}))
	}
	return r
}

// watch is a monitor over a served log, with what it reported.
type watch struct {
	t      testing.TB
	url    string
	config monitor.Config
	alerts []monitor.Alert
	m      *monitor.Monitor
}

func newWatch(t testing.TB, l *gatelog, edits ...func(*monitor.Config)) *watch {
	t.Helper()
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	web, err := monitor.NewWeb(server.URL+"/log", time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{t: t, url: server.URL}
	w.config = monitor.Config{
		Source: web, Shelf: monitor.File{Path: t.TempDir() + "/place.json"}, Now: time.Now, Logs: []*ledger.LogKey{l.logKey()},
		Report: func(_ context.Context, a monitor.Alert) error { w.alerts = append(w.alerts, a); return nil },
		Keys:   map[string]gate.Purpose{},
	}
	for _, edit := range edits {
		edit(&w.config)
	}
	if len(w.config.Keys) == 0 && !w.config.Pin {
		w.config.Keys[newSigner(t).hint] = gate.PurposeRelease
	}
	w.restart()
	return w
}

// trusting has keys of the inventory.
func trusting(keys ...signer) func(*monitor.Config) {
	return func(c *monitor.Config) {
		for _, k := range keys {
			c.Keys[k.hint] = gate.PurposeRelease
		}
	}
}

// restart is the process begun anew with what it kept.
func (w *watch) restart() {
	w.t.Helper()
	var err error
	if w.m, err = monitor.New(w.config); err != nil {
		w.t.Fatal(err)
	}
}

// round looks once and expects these kinds of alerts and notices, in this order.
func (w *watch) round(want ...monitor.Kind) monitor.Summary {
	w.t.Helper()
	w.alerts = nil
	sum, err := w.m.Round(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var got []monitor.Kind
	for _, a := range w.alerts {
		got = append(got, a.Kind)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("expected %v, got %+v", want, w.alerts)
	}
	return sum
}
