package main_test

import (
	"testing"

	main "github.com/countersign/countersign/cmd/countersign"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// While the server, or the policy, only audits, a job neither waits for signatures that never
// come nor fails for want of them.
func TestAudit(t *testing.T) {
	w := newWorld(t)
	audit := w.at(gate.StateWaiting)
	audit.Audit, audit.Standing = true, "The server only audits: releases are judged and reported, nothing is signed."
	for _, mode := range []string{"auto", "wait", "resume"} {
		w := newWorld(t)
		w.steps()
		w.states = []api.Release{w.at(gate.StateWaiting), audit}
		w.expect(w.sign("--mode", mode), main.ExitOK)
		if len(w.holds()) != 0 {
			t.Errorf("%s: expected no files, got %v", mode, w.holds())
		}
		if mode != "resume" {
			w.hands(map[string]string{"status": "audit", "bundle-path": ""})
		}
	}
	w.states = []api.Release{audit}
	w.expect(w.sign(), main.ExitOK, "::notice title=countersign::nothing is signed: The server only audits")
}
