package web_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
)

// observed is a gate's store with its keys, served, and a monitor that follows it.
type observed struct {
	*testing.T

	shelf  *store.Store
	gate   *attesttest.Gate
	m      *monitor.Monitor
	alerts []monitor.Alert
}

func newObserved(t *testing.T) *observed {
	t.Helper()
	h := &observed{T: t}
	var err error
	h.gate, err = attesttest.NewGate(attesttest.Options{})
	h.must(err)
	h.shelf, err = store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "gate.db"), Now: time.Now})
	h.must(err)
	t.Cleanup(func() {
		if err := h.shelf.Close(); err != nil {
			t.Error(err)
		}
	})
	key := h.gate.Log.Key
	h.must(h.shelf.BeginEpoch(t.Context(), gate.Epoch{Number: 1, Origin: key.Name(), SPKI: key.SPKI(), Begun: time.Now()}))
	w := newWorld(t, func(c *web.Config) { c.Shelf, c.Board, c.Ledger, c.Roots = h.shelf, h.shelf, h.shelf, h.shelf })
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	source, err := monitor.NewWeb(server.URL+"/log", time.Millisecond)
	h.must(err)
	h.m, err = monitor.New(monitor.Config{
		Source: source, Shelf: monitor.File{Path: filepath.Join(t.TempDir(), "place.json")}, Now: time.Now,
		Report: func(_ context.Context, a monitor.Alert) error { h.alerts = append(h.alerts, a); return nil },
		Logs:   []*ledger.LogKey{key}, CAs: h.gate.CA.Chain,
		Keys: map[string]gate.Purpose{h.gate.Release.Public.Hint(): gate.PurposeRelease, h.gate.Verdict.Public.Hint(): gate.PurposeVerdict},
	})
	h.must(err)
	return h
}

func (h *observed) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// publish signs what the ledger holds.
func (h *observed) publish() {
	h.Helper()
	size, err := h.shelf.LedgerSize(h.Context())
	h.must(err)
	root, err := h.shelf.Hashes(h.Context(), size).Root(size)
	h.must(err)
	head := ledger.Head{Origin: h.gate.Log.Key.Name(), Size: size, Root: root}
	note, err := h.gate.Log.Sign(head)
	h.must(err)
	h.must(h.shelf.KeepCheckpoint(h.Context(), gate.Checkpoint{
		Origin: head.Origin, Size: size, Root: gate.Digest(root), Note: note, LogID: h.gate.Log.Key.ID(), At: time.Now(),
	}))
}

// round looks once, and expects these kinds.
func (h *observed) round(want ...monitor.Kind) {
	h.Helper()
	h.publish()
	h.alerts = nil
	_, err := h.m.Round(h.Context())
	h.must(err)
	var got []monitor.Kind
	for _, a := range h.alerts {
		got = append(got, a.Kind)
	}
	if !slices.Equal(got, want) {
		h.Errorf("expected %v, got %+v", want, h.alerts)
	}
}

// judged opens a request and has it judged.
func (h *observed) judged(name string, to gate.State, edits ...func(*gate.Case)) (gate.Record, gate.Case, gate.Decision) {
	h.Helper()
	ctx, now := h.Context(), time.Now().UTC().Truncate(time.Microsecond)
	id := newUUID()
	files := gate.Manifest{Subjects: []gate.Subject{{Name: name + ".tar.gz", SHA256: gate.SHA256([]byte(name))}}}
	opts := []gatetest.Option{gatetest.At(now), gatetest.For(files), gatetest.With(h.gate.Release.Version), gatetest.Edit(func(c *gate.Case) {
		r := &c.Request
		r.ID, r.AskHash, r.Actors, r.Created, r.Expires = id, gate.SHA256([]byte(name)), []gate.Account{r.Workload.Actor}, now.Add(-time.Hour), now.Add(time.Hour)
		for i := range c.Approvals {
			c.Approvals[i].Request = id
		}
	})}
	for _, edit := range edits {
		opts = append(opts, gatetest.Edit(edit))
	}
	c, at := gatetest.GrantedCase(opts...)
	rec, _, err := h.shelf.OpenRequest(ctx, gate.Opening{Request: c.Request, Token: gate.TokenUse{Issuer: "https://ci.example", ID: id, Expires: now.Add(time.Hour)}})
	h.must(err)
	d := gate.Decide(c, at)
	rec, err = h.shelf.RecordDecision(ctx, gate.Judged{Record: rec, To: to, Decision: d})
	h.must(err)
	return rec, c, d
}

// intended begins to sign a granted request: its files, its statements, its SHA256SUMS.
func (h *observed) intended(rec gate.Record, c gate.Case, d gate.Decision, lease time.Duration) (gate.Record, []gate.Intent) {
	h.Helper()
	g, ok := d.Grant()
	if !ok {
		h.Fatalf("the case is %s", d.Outcome)
	}
	intents := gatetest.Intents(g)
	statements, err := attest.Statements(attest.Verdict{
		Server: origin, Repository: "https://github.com/acme/app", Sources: c.Policy.Sources, Evidence: c.Evidence, Decision: d,
	})
	h.must(err)
	for _, s := range statements {
		intents = append(intents, gate.Intent{Kind: gate.IntentStatement, Name: s.Name, Digest: gate.StatementDigest(s.Payload), Payload: s.Payload})
	}
	sums, err := gate.SumsDigest(gate.FormatRaw, rec.Request.Manifest, nil)
	h.must(err)
	intents = append(intents, gate.Intent{Kind: gate.IntentSums, Name: string(gate.FormatRaw), Digest: sums})
	for i := range intents {
		intents[i].ID, intents[i].Request, intents[i].Attempt, intents[i].Key = newUUID(), rec.Request.ID, rec.Signing+1, g.Key()
	}
	rec, err = h.shelf.BeginSigning(h.Context(), rec, intents, "worker", lease)
	h.must(err)
	return rec, intents
}

// sign has the signatures made and entered, by key and by certificate.
func (h *observed) sign(rec gate.Record, intents []gate.Intent) {
	h.Helper()
	var sigs []gate.Signature
	for _, i := range intents {
		s := h.gate.Release.Sign(h, i)
		s.Signature.At = time.Now()
		sigs = append(sigs, s.Signature)
	}
	now := time.Now()
	certificate, err := h.gate.CA.Certify(h.gate.CT, h.gate.Release, h.gate.Identity(), now.Add(-time.Minute), now.Add(time.Hour))
	h.must(err)
	_, err = h.shelf.KeepSignatures(h.Context(), rec, sigs, certificate, time.Minute)
	h.must(err)
}

// A monitor from outside finds nothing to tell of what the store writes about public
// releases, and cannot tell of private ones.
func TestMonitorOverTheStore(t *testing.T) {
	h := newObserved(t)
	h.round(monitor.KindEpoch)
	for n := range 3 {
		rec, c, d := h.judged(fmt.Sprint("release-", n), gate.StateGranted)
		rec, intents := h.intended(rec, c, d, time.Minute)
		h.sign(rec, intents)
	}
	h.round()

	rec, c, d := h.judged("orphaned", gate.StateGranted)
	rec, intents := h.intended(rec, c, d, 0)
	rec, err := h.shelf.OrphanSigning(t.Context(), rec)
	h.must(err)
	want := make([]monitor.Kind, len(intents))
	for i := range want {
		want[i] = monitor.KindOrphaned
	}
	h.round(want...)
	rec, intents = h.intended(rec, c, d, time.Minute) // the second attempt rests on the same decision
	h.sign(rec, intents)
	h.round()

	private := func(c *gate.Case) { c.Request.Private = true }
	rec, c, d = h.judged("private", gate.StateGranted, private)
	rec, intents = h.intended(rec, c, d, time.Minute)
	h.sign(rec, intents)
	h.publish()
	h.alerts = nil
	_, err = h.m.Round(t.Context())
	h.must(err)
	for _, a := range h.alerts {
		if a.Kind != monitor.KindUnreadable {
			t.Errorf("got %+v", a)
		}
	}
	if len(h.alerts) != 2*len(intents)-1 { // SHA256SUMS is entered by key alone
		t.Errorf("%d alerts for %d signatures", len(h.alerts), len(intents))
	}
}

// What the store enters of a refusal is one.
func TestMonitorOverRefusals(t *testing.T) {
	h := newObserved(t)
	h.round(monitor.KindEpoch)
	for _, result := range []string{"FAILED", "PASSED"} {
		rec, c, _ := h.judged(result, gate.StateDenied)
		payload := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":%q}}],"predicate":{"verificationResult":%q}}`,
			c.Request.Manifest.Subjects[0].SHA256, result)
		i := gate.Intent{ID: newUUID(), Kind: gate.IntentStatement, Digest: gate.StatementDigest(payload), Payload: payload, Key: h.gate.Verdict.Version}
		h.must(h.shelf.KeepVerdict(t.Context(), gate.SignedVerdict{
			Request: rec.Request.ID, Statement: payload, Key: h.gate.Verdict.Version, Signature: h.gate.Verdict.Sign(h, i).Signature.Bytes, At: time.Now(),
		}))
		if result == "FAILED" {
			h.round()
		} else {
			h.round(monitor.KindUnmatched)
		}
	}
}

// A certificate by another authority is told of.
func TestMonitorHoldsCertificates(t *testing.T) {
	h := newObserved(t)
	other, err := attesttest.NewGate(attesttest.Options{})
	h.must(err)
	h.m.CAs = []*x509.Certificate{other.CA.Chain[0]}
	rec, c, d := h.judged("release", gate.StateGranted)
	rec, intents := h.intended(rec, c, d, time.Minute)
	h.sign(rec, intents)
	want := []monitor.Kind{monitor.KindEpoch}
	for range len(intents) - 1 {
		want = append(want, monitor.KindSignature)
	}
	h.round(want...)
}
