package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// A server that only audits judges and signs nothing, whoever approves; told to enforce, it
// signs the same release.
func TestServerAudits(t *testing.T) {
	w := newWorld(t)
	c := w.gate.Config
	c.Audit = true
	w.gate = release.New(c)
	rec := w.opened(1)
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	rec = w.record(rec.Request.ID)
	d := w.decision(rec)
	check, _ := d.Check(gate.CheckPolicy)
	if rec.State != gate.StateWaiting || !d.WouldSign() || len(w.signer.Signed()) > 0 {
		t.Fatalf("expected a release that waits and would be signed, got %s\n%s", rec.State, w.checks(rec))
	}
	if !strings.Contains(check.Reason, "the server only audits") || !strings.Contains(check.Fix, "policies.mode: enforce") {
		t.Errorf("expected words about the server and its fix, got %q, %q", check.Reason, check.Fix)
	}
	c.Audit = false
	w.gate = release.New(c)
	w.clock.pass(6 * time.Minute)
	w.settle()
	w.in(rec.Request.ID, gate.StatePublished)
}
