package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

// A job that starts again in its folder does not ask for signatures of its signatures.
func TestStartingAgainInTheSameFolder(t *testing.T) {
	w := newWorld(t)
	pattern := filepath.Join(w.dir, "*")
	w.expect(w.run("sign", "--poll", "1ms", "--subject-path", pattern), main.ExitOK)
	got := w.run("sign", "--poll", "1ms", "--subject-path", pattern)
	w.expect(got, main.ExitOK, "left out, as signatures of an earlier run: ")
	for _, name := range collected {
		if !strings.Contains(got.stderr, name) {
			t.Errorf("expected %s to be left out:\n%s", name, got.stderr)
		}
	}
	if string(w.bodies[0]) != string(w.bodies[1]) {
		t.Errorf("expected the same ask, got\n%s\n%s", w.bodies[0], w.bodies[1])
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	w := newWorld(t)
	w.expect(w.run("sgn"), main.ExitUsage, `there is no command "sgn"`, "did you mean countersign sign?")
	w.expect(w.run("frobnicate"), main.ExitUsage, "collect, ", "see countersign --help")
}

// What only looks like a signature is an artifact as any other.
func TestNamesThatLookLikeSignatures(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a/tool.sig", "a/SHA256SUMS.txt", "a/x.vsa.sigstore.json", "b/notes.sigstore.json"} {
		w.put(name, "content")
	}
	got := w.run("request", "--subject-path", filepath.Join(w.dir, "a", "*")+"\n"+filepath.Join(w.dir, "b", "*"))
	if strings.Contains(got.stderr, "left out") {
		t.Errorf("expected nothing to be left out:\n%s", got.stderr)
	}
}

// Whoever asks and does not wait still reads what the release waits for.
func TestRequestTellsWhatItWaitsFor(t *testing.T) {
	w := newWorld(t)
	fresh := w.at(gate.StateWaiting)
	fresh.Checks, fresh.Coverage, fresh.CanApprove = nil, nil, nil
	w.states = []api.Release{fresh, fresh, w.at(gate.StateWaiting)}
	w.expect(w.run(append([]string{"request"}, w.artifacts()...)...), main.ExitOK,
		"can approve: bo", "::notice title=countersign::Release v1.4.0: waiting for 1 person%0A", "%0ACan approve: bo")
}

// The YAML to paste stands in the job summary as a block of code.
func TestSummaryHoldsTheBlockToPaste(t *testing.T) {
	w := newWorld(t)
	w.steps()
	delete(w.env, "ACTIONS_ID_TOKEN_REQUEST_URL")
	w.expect(w.sign(), main.ExitIdentity)
	if want := "\n\n    permissions:\n      contents: read\n      id-token: write\n"; !strings.Contains(w.summary(), want) {
		t.Errorf("expected %q in\n%s", want, w.summary())
	}
}
