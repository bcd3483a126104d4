package verify_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"
)

// A statement that the key did sign still has to say that the release was approved.
func TestStatementHasToSayTheRightThing(t *testing.T) {
	r := attesttest.New(t, artifacts)
	for _, row := range []struct{ what, failed, old, said string }{
		{"a failed verification", "result", `"PASSED"`, `"FAILED"`},
		{"another level", "level", attest.Level, "SLSA_BUILD_LEVEL_3"},
		{"another key", "key storage", r.Key.Public.Hint(), "SHA256:x"},
		{"an unknown storage", "key storage", `"software"`, `"somewhere"`},
		{"no statement", "statement", attest.StatementType, "x"},
		{"a subject twice", "subject app.zip", `"app.tar.gz"`, `"app.zip"`},
	} {
		i := r.Signed[len(r.Signed)-1].Intent
		i.Payload = []byte(strings.Replace(string(r.Statement), row.old, row.said, 1))
		i.Digest = gate.StatementDigest(i.Payload)
		bundle, err := attest.StatementBundle(r.Key.Sign(t, i))
		if err != nil {
			t.Fatal(err)
		}
		got := verify.Statement(bundle, verify.Under(keyOf(t, r)), verify.Expect{Subjects: r.Manifest.Subjects})
		if got.OK() || step(got, row.failed) != verify.Failed || step(got, "signature") != verify.Passed {
			t.Errorf("%s: expected step %q alone to fail, got %s", row.what, row.failed, show(t, got))
		}
	}
}
