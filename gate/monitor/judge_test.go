package monitor_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/monitor"
)

// A signature that nothing approved accounts for is told of, whatever the server shows.
func TestUnmatchedSignatures(t *testing.T) {
	key := newSigner(t)
	foreign := gate.SHA256([]byte("something that nobody approved"))
	retell := func(l *gatelog, index int64, edit func(*api.LedgerEntry)) {
		e := l.told[index]
		edit(&e)
		l.told[index] = e
	}
	for name, x := range map[string]struct {
		why  string
		plan func(*released)
		lie  func(l *gatelog, r released)
	}{
		"another digest than intended": {"do not name its digest and key", nil, func(l *gatelog, r released) {
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.intendsAt}})
		}},
		"no evidence": {"names no decision", nil, func(l *gatelog, r released) { l.record(key, foreign, api.LedgerEntry{Request: request}) }},
		"intents after it": {"came after it", nil, func(l *gatelog, r released) {
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: 10_000}})
		}},
		"intents of nowhere": {"has no entry -1", nil, func(l *gatelog, r released) {
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: -1, Intents: -1}})
		}},
		"itself as intents": {"came after it", nil, func(l *gatelog, r released) {
			i := int64(len(l.entries))
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: i}})
		}},
		"the decision as intents": {"expected one of kind intents", nil, func(l *gatelog, r released) {
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.decidedAt}})
		}},
		"a decision after its intents": {"is entry 7, which came after it", nil, func(l *gatelog, r released) {
			late := l.commit(ledger.Decision, request, map[string]any{"v": 1, "request": request, "decision": r.decision})
			r.intents[0].Digest = foreign
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: late, Intents: r.intendsAt}})
		}},
		"intents on record for another request": {"expected intents of request another", nil, func(l *gatelog, r released) {
			at := l.commit(ledger.Intents, "another", map[string]any{"v": 1, "request": request, "intents": r.intents})
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: at}})
		}},
		"a decision on record for another request": {"expected a decision on request", nil, func(l *gatelog, r released) {
			said := l.commit(ledger.Decision, "another", map[string]any{"v": 1, "request": request, "decision": r.decision})
			at := l.commit(ledger.Intents, request, map[string]any{"v": 1, "request": request, "intents": r.intents})
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: said, Intents: at}})
		}},
		"intents made up by the server": {"not the entry in the tree", nil, func(l *gatelog, r released) {
			made := l.fork(len(l.entries))
			r.intents[0].Digest = foreign
			at := made.commit(ledger.Intents, request, map[string]any{"v": 1, "request": request, "intents": r.intents})
			retell(l, r.intendsAt, func(e *api.LedgerEntry) { *e = made.told[at]; e.Index = r.intendsAt })
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.intendsAt}})
		}},
		"another document than committed to": {"do not open its commitment", nil, func(l *gatelog, r released) {
			retell(l, r.intendsAt, func(e *api.LedgerEntry) {
				e.Document = []byte(strings.Replace(string(e.Document), "subject", "object", 1))
			})
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.intendsAt}})
		}},
		"salt moved into the document": {"do not open its commitment", nil, func(l *gatelog, r released) {
			retell(l, r.intendsAt, func(e *api.LedgerEntry) {
				e.Salt, e.Document = e.Salt[:16], append(append([]byte{}, e.Salt[16:]...), e.Document...)
			})
			l.record(key, foreign, api.LedgerEntry{Request: request, Evidence: &api.Evidence{Decision: r.decidedAt, Intents: r.intendsAt}})
		}},
		"an answer about another entry": {"where it was asked for", nil, func(l *gatelog, r released) {
			at := l.record(key, foreign, api.LedgerEntry{Request: request})
			retell(l, at, func(e *api.LedgerEntry) { e.Index = 3 })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			r := l.write(key, plan(t, key, 2, request))
			if x.lie == nil {
				t.Fatal("no lie")
			}
			x.lie(l, r)
			l.publish()
			w := newWatch(t, l, trusting(key))
			// The release before it is opened by the same entries: it may fall with them.
			if _, err := w.m.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(w.alerts) == 0 {
				t.Fatal("nothing was told")
			}
			last := w.alerts[len(w.alerts)-1]
			if last.Kind != monitor.KindUnmatched || last.Level != monitor.LevelAlert || !strings.Contains(last.Why, x.why) ||
				*last.Index != int64(len(l.entries)-1) || *last.Digest != foreign || last.Key != key.hint {
				t.Errorf("expected %q, got %+v", x.why, last)
			}
		})
	}
}

// What was decided and intended has to be one release that people approved.
func TestContradictoryRecords(t *testing.T) {
	key, other := newSigner(t), newSigner(t)
	for name, x := range map[string]struct {
		why  string
		edit func(r *released)
	}{
		"a denied decision":    {"did not grant it", func(r *released) { r.decision.Outcome = gate.Denied }},
		"a waiting decision":   {"did not grant it", func(r *released) { r.decision.Outcome = gate.Waiting }},
		"a decision of audit":  {"did not grant it", func(r *released) { r.decision.Audit = true }},
		"a check that denies":  {"against its own check", func(r *released) { r.decision.Checks[3].Outcome = gate.Denied }},
		"no checks":            {"did not grant it", func(r *released) { r.decision.Checks = nil }},
		"of another request":   {"expected a decision on request", func(r *released) { r.decision.Request = "another" }},
		"other files approved": {"approved other files", func(r *released) { r.decision.Counted[0].ManifestDigest[0] ^= 1 }},
		"a file more": {"approved other files", func(r *released) {
			i := r.intents[0]
			i.Name, i.Digest = "more.tar.gz", gate.SHA256([]byte("more"))
			r.intents = append(r.intents[:3], i)
		}},
		"a file less":          {"approved other files", func(r *released) { r.intents = r.intents[:1] }},
		"a file twice":         {"no release", func(r *released) { r.intents = append(r.intents, r.intents[0]) }},
		"no file":              {"no release", func(r *released) { r.intents = r.intents[2:] }},
		"two keys":             {"of another request or key", func(r *released) { r.intents[1].Key.SPKI = other.version.SPKI }},
		"two requests":         {"of another request or key", func(r *released) { r.intents[1].Request = "another" }},
		"an unknown kind":      {"unknown kind", func(r *released) { r.intents[2].Kind = "blob" }},
		"a statement's digest": {"not that of its statement", func(r *released) { r.intents[2].Digest[0] ^= 1 }},
		"a statement on other files": {"not of the release", func(r *released) {
			r.intents[2].Payload = []byte(strings.Replace(string(r.intents[2].Payload), `"sha256":"`, `"sha256":"`+strings.Repeat("0", 64)+`","x":"`, 1))
			r.intents[2].Digest = gate.StatementDigest(r.intents[2].Payload)
		}},
		"a statement on nothing": {"speaks of no file", func(r *released) {
			r.intents[2].Payload = []byte("{}")
			r.intents[2].Digest = gate.StatementDigest(r.intents[2].Payload)
		}},
		"other SHA256SUMS": {"not that of SHA256SUMS", func(r *released) { r.intents[3].Digest[0] ^= 1 }},
		"another key's certification": {"certifies another key", func(r *released) {
			i := &r.intents[3]
			i.Name, i.Payload = string(gate.FormatOpenPGPKey), append([]byte{0x99}, other.version.SPKI...)
			i.Digest = gate.SHA256(i.Payload)
		}},
		"an unknown format": {"expected raw, ssh or openpgp", func(r *released) { r.intents[3].Name = "minisign" }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			r := plan(t, key, 2, request)
			x.edit(&r)
			l.write(key, r)
			l.publish()
			w := newWatch(t, l, trusting(key))
			if _, err := w.m.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(w.alerts) != len(r.intents) {
				t.Fatalf("expected %d alerts, got %+v", len(r.intents), w.alerts)
			}
			for _, a := range w.alerts {
				if a.Kind != monitor.KindUnmatched || !strings.Contains(a.Why, x.why) {
					t.Errorf("expected %q, got %+v", x.why, a)
				}
			}
		})
	}
}

// A key outside of the inventory is told of, even where everything else holds.
func TestUnknownKeys(t *testing.T) {
	l, key, other := newLog(t), newSigner(t), newSigner(t)
	l.write(other, plan(t, other, 1, request))
	l.publish()
	w := newWatch(t, l, trusting(key))
	w.round(monitor.KindKey, monitor.KindKey, monitor.KindKey)
	if a := w.alerts[0]; a.Key != other.hint || *a.Index != 3 || a.Fix == "" {
		t.Errorf("got %+v", a)
	}
}

// Keys that the server names count from the first use on, and no others after it.
func TestPinnedKeys(t *testing.T) {
	l, key, later := newLog(t), newSigner(t), newSigner(t)
	l.keys = []api.Key{
		{Lineage: "acme", Version: 1, PEM: key.pem(), Hint: "made up"},
		{Lineage: "log", Version: 1, PEM: "of a kind that signs no entry", Purpose: gate.PurposeLog},
	}
	l.write(key, plan(t, key, 1, request))
	l.publish()
	pinning := func(c *monitor.Config) { c.Pin = true }
	w := newWatch(t, l, pinning)
	if w.round(monitor.KindPinned); w.alerts[0].Level != monitor.LevelNotice || w.alerts[0].Why != key.hint {
		t.Errorf("got %+v", w.alerts[0])
	}
	l.keys = append(l.keys, api.Key{Lineage: "acme", Version: 2, PEM: later.pem()})
	l.write(later, plan(t, later, 1, request))
	l.publish()
	w.restart()
	w.round(monitor.KindKey, monitor.KindKey, monitor.KindKey)
	for _, keys := range [][]api.Key{{}, {{PEM: "none"}}, {{PEM: key.pem(), Purpose: gate.PurposeCA}}} {
		l.keys = keys
		fresh := newWatch(t, l, pinning)
		if _, err := fresh.m.Round(t.Context()); !monitor.Unreachable(err) {
			t.Errorf("%v: got %v", keys, err)
		}
	}
}

// The certification that gives gpg a release key is accounted for like the rest.
func TestOwnCertification(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	r := plan(t, key, 1, request)
	payload := append([]byte{0x99}, key.version.SPKI...)
	r.intents = append(r.intents, gate.Intent{
		ID: "certification", Request: request, Kind: gate.IntentSums, Name: string(gate.FormatOpenPGPKey), Digest: gate.SHA256(payload), Payload: payload, Key: key.version,
	})
	l.write(key, r)
	l.publish()
	newWatch(t, l, trusting(key)).round()
}

// What the server does not show cannot be told from what nobody approved.
func TestPrivateReleases(t *testing.T) {
	key := newSigner(t)
	for name, hide := range map[string]func(l *gatelog, r released){
		"the records":  func(l *gatelog, r released) { clear(l.told) },
		"the intents":  func(l *gatelog, r released) { delete(l.told, r.intendsAt) },
		"the decision": func(l *gatelog, r released) { delete(l.told, r.decidedAt) },
		"what opens it": func(l *gatelog, r released) {
			e := l.told[r.intendsAt]
			e.Salt, e.Document = nil, nil
			l.told[r.intendsAt] = e
		},
	} {
		l := newLog(t)
		r := l.write(key, plan(t, key, 1, request))
		hide(l, r)
		l.publish()
		w := newWatch(t, l, trusting(key))
		if sum := w.round(monitor.KindUnreadable, monitor.KindUnreadable, monitor.KindUnreadable); sum.Alerts != 3 {
			t.Errorf("%s: got %+v", name, sum)
		}
		w = newWatch(t, l, trusting(key), func(c *monitor.Config) { c.AllowUnreadable = true })
		if sum := w.round(monitor.KindUnreadable, monitor.KindUnreadable, monitor.KindUnreadable); sum.Alerts != 0 || sum.Notices != 3 {
			t.Errorf("%s, allowed: got %+v", name, sum)
		}
	}
}

// Published releases account for what the server does not show, and for nothing else.
func TestPublishedReleases(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	r := l.write(key, plan(t, key, 2, request))
	l.record(key, gate.SHA256([]byte("not published")), api.LedgerEntry{})
	clear(l.told)
	l.publish()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(dir, "acme", "v1", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	envelope, err := json.Marshal(map[string]any{"payloadType": gate.InTotoType, "payload": r.intents[2].Payload, "signatures": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	write("SHA256SUMS", gatetest.Manifest(2).Bytes())
	write("v1.vsa.dsse.json", envelope)
	write("app-000.tar.gz", []byte("not read"))
	published, err := monitor.ReadPublished(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if published.Len() != 5 {
		t.Errorf("%d digests are known", published.Len())
	}
	w := newWatch(t, l, trusting(key), func(c *monitor.Config) { c.Published = published })
	w.round(monitor.KindUnreadable)
	for name, content := range map[string]string{"SHA256SUMS": "no sums", "x.dsse.json": "{}", "y.dsse.json": "["} {
		write("broken/"+name, []byte(content))
		if _, err := monitor.ReadPublished(t.Context(), dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "acme/v1/broken")); err != nil {
			t.Fatal(err)
		}
	}
}

// Entries that no gate writes are told of, and the log is read on.
func TestMalformedEntries(t *testing.T) {
	l, key := newLog(t), newSigner(t)
	sig, err := ecdsa.SignASN1(rand.Reader, key.private, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	record := func(r ledger.Record) []byte {
		t.Helper()
		b, err := r.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	l.add([]byte("hello"))
	l.add([]byte(`{"apiVersion":"0.0.2"}`))
	l.add(record(ledger.Record{Signature: sig, Key: []byte("no key")}))
	l.add(record(ledger.Record{Signature: sig, Key: key.version.SPKI, Digest: gate.SHA256(nil)}))
	l.add(record(ledger.Record{Signature: append(sig, 0), Key: key.version.SPKI}))
	l.add(record(ledger.Record{Signature: sig, Key: key.version.SPKI, Certificate: true}))
	l.publish()
	w := newWatch(t, l, trusting(key))
	w.round(monitor.KindMalformed, monitor.KindMalformed, monitor.KindSignature, monitor.KindSignature, monitor.KindSignature, monitor.KindSignature)
	for i, a := range w.alerts {
		if *a.Index != int64(i) || a.Why == "" || a.Fix == "" {
			t.Errorf("alert %d: got %+v", i, a)
		}
	}
	w.round()
}

// Some entries are worth a word and no alarm.
func TestNotices(t *testing.T) {
	l := newLog(t)
	for _, kind := range []ledger.Kind{ledger.Orphaned, ledger.LateSignatureDiscarded, ledger.EpochBegun, ledger.TrustedRoot, "something-new"} {
		l.commit(kind, "x", struct{}{})
	}
	l.publish()
	w := newWatch(t, l)
	if sum := w.round(monitor.KindOrphaned, monitor.KindLate, monitor.KindEpoch, monitor.KindTrust); sum.Alerts != 0 || sum.Notices != 4 {
		t.Errorf("got %+v", sum)
	}
}

// A verdict key may refuse, and do nothing else; a release key may not be one.
func TestVerdicts(t *testing.T) {
	key := newSigner(t)
	statement := func(result string) []byte {
		return fmt.Appendf(nil, `{"subject":[{"name":"a","digest":{"sha256":"%064d"}}],"predicate":{"verificationResult":%q}}`, 1, result)
	}
	no, yes := statement("FAILED"), statement("PASSED")
	for name, x := range map[string]struct {
		purpose gate.Purpose
		payload []byte
		shown   []byte
		want    []monitor.Kind
	}{
		"a refusal":                     {gate.PurposeVerdict, no, no, nil},
		"a refusal by a release key":    {gate.PurposeRelease, no, no, []monitor.Kind{monitor.KindUnmatched}},
		"a grant":                       {gate.PurposeVerdict, yes, yes, []monitor.Kind{monitor.KindUnmatched}},
		"a grant, shown as a refusal":   {gate.PurposeVerdict, yes, no, []monitor.Kind{monitor.KindUnmatched}},
		"a refusal without a statement": {gate.PurposeVerdict, no, []byte("{}"), []monitor.Kind{monitor.KindUnmatched}},
		"a refusal without an answer":   {gate.PurposeVerdict, no, nil, []monitor.Kind{monitor.KindUnmatched}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			l.record(key, gate.StatementDigest(x.payload), api.LedgerEntry{Kind: "verdict-signature", Request: request, Document: []byte("{}"), Statement: x.shown})
			l.publish()
			newWatch(t, l, func(c *monitor.Config) { c.Keys[key.hint] = x.purpose }).round(x.want...)
		})
	}
}
