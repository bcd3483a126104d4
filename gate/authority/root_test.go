package authority_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

func (w *world) trust(t *testing.T) (attest.Trust, []byte) {
	t.Helper()
	doc, err := w.start(t).TrustedRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trust, err := attest.ParseTrustedRoot(doc)
	if err != nil {
		t.Fatal(err)
	}
	return trust, doc
}

func TestTrustedRoot(t *testing.T) {
	w := newWorld(t)
	trust, first := w.trust(t)
	if len(trust.Logs) != 1 || trust.Logs[0].Origin != origin || !bytes.Equal(trust.Logs[0].SPKI, w.key(gate.PurposeLog).SPKI) || !trust.Logs[0].Since.Equal(w.now) {
		t.Errorf("logs: got %+v", trust.Logs)
	}
	ca, leaf := w.cert(t, "ca/ca/1"), w.cert(t, "timestamp/timestamp/1")
	if len(trust.CAs) != 1 || len(trust.CAs[0].Chain) != 1 || !bytes.Equal(trust.CAs[0].Chain[0], ca.Raw) || trust.CAs[0].URI != server || !trust.CAs[0].Until.Equal(ca.NotAfter) {
		t.Errorf("certificate authorities: got %d", len(trust.CAs))
	}
	if len(trust.TSAs) != 1 || len(trust.TSAs[0].Chain) != 2 || !bytes.Equal(trust.TSAs[0].Chain[0], leaf.Raw) || !bytes.Equal(trust.TSAs[0].Chain[1], ca.Raw) {
		t.Errorf("time-stamping authorities: got %d", len(trust.TSAs))
	}
	if len(trust.CTLogs) != 1 || !bytes.Equal(trust.CTLogs[0].SPKI, w.key(gate.PurposeCT).SPKI) || trust.CTLogs[0].Origin != "gate.example.org" {
		t.Errorf("logs of certificate timestamps: got %+v", trust.CTLogs)
	}
	w.now = w.now.Add(day)
	if _, again := w.trust(t); !bytes.Equal(again, first) || len(w.roots) != 1 {
		t.Errorf("expected one version while nothing changes, got %d", len(w.roots))
	}
}

// What a release is sealed with is in the root that goes out with it.
func TestTrustedRootCoversWhatIsMade(t *testing.T) {
	w := newWorld(t)
	key := w.p256(t, "acme-release", 1)
	check := func(when string) {
		t.Helper()
		a := w.start(t)
		leaf := certify(t, a, key, identity())
		whole, _ := stamp(t, a, []byte("x"))
		trust, _ := w.trust(t)
		issued := false
		for _, ca := range trust.CAs {
			certs, err := ca.Certificates()
			if err != nil {
				t.Fatal(err)
			}
			issued = issued || leaf.CheckSignatureFrom(certs[0]) == nil
		}
		stamped := false
		for _, tsa := range trust.TSAs {
			stamped = stamped || bytes.Contains(whole, tsa.Chain[0]) // the token has its certificate
		}
		if !issued || !stamped {
			t.Errorf("%s: certificate trusted %v, time-stamp trusted %v", when, issued, stamped)
		}
	}
	check("at first")
	w.add(t, gate.PurposeCA, 2)
	check("with a new CA key")
	w.add(t, gate.PurposeTimestamp, 2)
	w.add(t, gate.PurposeCT, 2)
	check("with new time-stamp and CT keys")
	trust, _ := w.trust(t) // the first time-stamp key was certified by both CA keys
	if len(trust.CAs) != 2 || len(trust.TSAs) != 3 || len(trust.CTLogs) != 2 {
		t.Errorf("expected older versions to stay, got %d, %d, %d", len(trust.CAs), len(trust.TSAs), len(trust.CTLogs))
	}
	outside := newTSA(t, w.now, usage(true))
	w.with(t, outside)
	w.config.Outside.URL += "/path?customer=secret"
	trust, doc := w.trust(t)
	if len(trust.TSAs) != 4 || bytes.Contains(doc, []byte("secret")) {
		t.Errorf("expected the one outside beside the gate's own, without what its URL ends with, got %d", len(trust.TSAs))
	}
}

func TestTrustedRootLeavesOutRevokedKeys(t *testing.T) {
	w := newWorld(t)
	w.trust(t)
	w.add(t, gate.PurposeCA, 2)
	w.add(t, gate.PurposeTimestamp, 2)
	w.add(t, gate.PurposeCT, 2)
	w.trust(t)
	for _, p := range []gate.Purpose{gate.PurposeCA, gate.PurposeTimestamp, gate.PurposeCT} {
		w.drop(w.key(p))
	}
	trust, _ := w.trust(t)
	if len(trust.CAs) != 1 || len(trust.TSAs) != 1 || len(trust.CTLogs) != 1 {
		t.Errorf("expected the revoked keys to be gone, got %d, %d, %d", len(trust.CAs), len(trust.TSAs), len(trust.CTLogs))
	}
	if len(w.roots) != 3 {
		t.Errorf("expected three versions to be kept, got %d", len(w.roots))
	}
}

func TestTrustedRootHasEveryEpoch(t *testing.T) {
	w := newWorld(t)
	w.epochs = append(w.epochs, gate.Epoch{Number: 2, Origin: "log2.gate.example.org", SPKI: w.p256(t, "log", 2).SPKI, Begun: w.now.Add(time.Hour)})
	trust, _ := w.trust(t)
	if len(trust.Logs) != 2 || trust.Logs[1].Origin != "log2.gate.example.org" {
		t.Errorf("expected a log per epoch, got %+v", trust.Logs)
	}
	w.drop(w.key(gate.PurposeCT))
	w.config.NoCertificates = true
	if trust, _ := w.trust(t); len(trust.CTLogs) != 0 || len(trust.TSAs) != 1 {
		t.Errorf("without certificates: expected no CT key, got %+v", trust.CTLogs)
	}
	w.epochs = nil
	if _, err := w.start(t).TrustedRoot(t.Context()); gate.CodeOf(err) != gate.CodeSealing || gate.KindOf(err) != gate.Unavailable {
		t.Errorf("before the first epoch: got %v", err)
	}
}
