package attest_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/ledger"
)

// refused is a sealed refusal.
type refused struct {
	verdict    gate.SignedVerdict
	entries    []gate.LogEntry
	checkpoint gate.Checkpoint
	proofs     map[int64][]gate.Digest
	timestamp  []byte
}

func (r refused) files() ([]attest.File, error) {
	return attest.VerdictFiles("v1.4.0", r.verdict, r.entries, r.checkpoint, r.proofs, r.timestamp)
}

// refusing seals a statement with the verdict key of a fresh gate.
func refusing(t *testing.T, statement []byte) refused {
	t.Helper()
	g, err := attesttest.NewGate(attesttest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := g.Verdict.Sign(t, gate.Intent{ID: "verdict", Digest: gate.StatementDigest(statement)})
	r := refused{verdict: gate.SignedVerdict{
		Request: "0197f3a0-0000-7000-8000-000000000001", Statement: statement, Key: g.Verdict.Version,
		Signature: s.Signature.Bytes, At: g.At,
	}}
	body, err := ledger.Record{Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: g.Verdict.Version.SPKI}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	index, err := g.Log.Append(body)
	if err != nil {
		t.Fatal(err)
	}
	if r.checkpoint, err = g.Log.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	proof, err := g.Log.Prove(r.checkpoint.Size, index)
	if err != nil {
		t.Fatal(err)
	}
	if r.timestamp, err = g.TSA.Stamp(s.Signature.Bytes, g.At); err != nil {
		t.Fatal(err)
	}
	r.entries, r.proofs = []gate.LogEntry{{Variant: gate.VariantKey, Index: index, Body: body}}, map[int64][]gate.Digest{index: proof}
	return r
}

func TestVerdictFiles(t *testing.T) {
	statement, err := attest.Refusal(denied(t))
	if err != nil {
		t.Fatal(err)
	}
	good := refusing(t, statement)
	files, err := good.files()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	want := []string{"countersign-verdict.pem", "v1.4.0.refusal.sigstore.json", "v1.4.0.refusal.dsse.json"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for what, breakIt := range map[string]func(*refused){
		"a changed signature": func(r *refused) {
			r.verdict.Signature = bytes.Clone(r.verdict.Signature)
			r.verdict.Signature[9] ^= 1
		},
		"another statement": func(r *refused) { r.verdict.Statement = append(bytes.Clone(statement), ' ') },
		"another key":       func(r *refused) { r.verdict.Key = attesttest.NewKey(t).Version },
		"no entry":          func(r *refused) { r.entries = nil },
		"no proof":          func(r *refused) { r.proofs = nil },
		"no time-stamp":     func(r *refused) { r.timestamp = nil },
		"another root":      func(r *refused) { r.checkpoint.Root[0] ^= 1 },
	} {
		r := good
		r.entries, r.proofs = slices.Clone(good.entries), maps.Clone(good.proofs)
		breakIt(&r)
		if _, err := r.files(); err == nil {
			t.Errorf("%s: expected a refusal", what)
		}
	}
}

// A verdict key never speaks for a release.
func TestNoVerdictFilesOfAGrant(t *testing.T) {
	passed := refusing(t, statements(t, verdict(t))[gate.StatementVSA])
	if _, err := passed.files(); err == nil {
		t.Error("a summary that says PASSED: expected a refusal")
	}
	decision := refusing(t, statements(t, verdict(t))[gate.StatementDecision])
	if _, err := decision.files(); err == nil {
		t.Error("no summary: expected a refusal")
	}
}
