package verify_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/verify"
)

// witness cosigns checkpoints as C2SP tlog-cosignature has it, written here from the
// specification.
type witness struct {
	name    string
	private ed25519.PrivateKey
}

func newWitness(t testing.TB, name string) (witness, *ledger.WitnessKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte{4}, public...)
	hash := sha256.Sum256(append([]byte(name+"\n"), key...))
	vkey := fmt.Sprintf("%s+%x+%s", name, hash[:4], base64.StdEncoding.EncodeToString(key))
	return witness{name, private}, must[*ledger.WitnessKey](t)(ledger.ParseWitnessKey(vkey))
}

// cosign adds the witness's line to a signed checkpoint.
func (w witness) cosign(checkpoint string) string {
	body, _, _ := strings.Cut(checkpoint, "\n\n")
	at := uint64(signedAt.Unix())
	key := append([]byte{4}, w.private.Public().(ed25519.PublicKey)...)
	hash := sha256.Sum256(append([]byte(w.name+"\n"), key...))
	signature := ed25519.Sign(w.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, body))
	line := append(binary.BigEndian.AppendUint64(hash[:4:4], at), signature...)
	return checkpoint + "— " + w.name + " " + base64.StdEncoding.EncodeToString(line) + "\n"
}

func TestWitnesses(t *testing.T) {
	w := newWorld(t)
	digest := gate.SHA256([]byte("the archive"))
	first, firstKey := newWitness(t, "witness.example/one")
	second, secondKey := newWitness(t, "witness.example/two")
	_, strangerKey := newWitness(t, "witness.example/one")
	row := func(want verify.Outcome, minimum int, by []witness, known ...*ledger.WitnessKey) {
		t.Helper()
		b := w.message("the archive", false)
		for _, x := range by {
			proofOf(b).Checkpoint.Envelope = x.cosign(proofOf(b).GetCheckpoint().GetEnvelope())
		}
		trust := w.byKey()
		trust.Witnesses, trust.MinWitnesses = known, minimum
		got := verify.Artifact(text(t, b), trust, digest, verify.Expect{})
		if step(got, "witnesses") != want || got.OK() != (want == verify.Passed) {
			t.Errorf("%d of %d cosignatures, %d asked: expected %s, got %s", len(by), len(known), minimum, want, show(t, got))
		}
	}
	row(verify.Passed, 2, []witness{first, second}, firstKey, secondKey)
	row(verify.Passed, 1, []witness{second}, firstKey, secondKey)
	row(verify.Passed, 0, nil, firstKey)
	row(verify.Failed, 2, []witness{first}, firstKey, secondKey)
	row(verify.Failed, 1, nil, firstKey)
	row(verify.Failed, 1, []witness{first}, secondKey)
	row(verify.Failed, 1, []witness{first}, strangerKey)
}
