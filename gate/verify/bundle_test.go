package verify_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/verify"
)

func TestSealedArtifactVerifies(t *testing.T) {
	w := newWorld(t)
	for name, v := range w.variants() {
		bundle := text(t, w.message("the archive", v.certificate))
		got := verify.Artifact(bundle, v.trust, gate.SHA256([]byte("the archive")), wanted(v.certificate))
		if !got.OK() {
			t.Errorf("%s: expected a pass, got %s", name, show(t, got))
		}
		for _, s := range []string{"bundle", "timestamp", "key", "signature", "log entry", "checkpoint"} {
			if step(got, s) != verify.Passed {
				t.Errorf("%s: step %s: expected %s, got %q", name, s, verify.Passed, step(got, s))
			}
		}
	}
}
