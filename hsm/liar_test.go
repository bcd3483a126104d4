package hsm_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

const liarArg = "hsm-liar"

// runIfLiar makes this process a worker that was taken over. It says that it holds every
// pinned key, and answers a batch with the lie that its second argument names.
func runIfLiar() {
	if len(os.Args) != 3 || os.Args[1] != liarArg {
		return
	}
	var first struct{ Keys []hsm.KeyPin }
	hear(&first)
	spkis := [][]byte{}
	for _, k := range first.Keys {
		spkis = append(spkis, k.SPKI)
	}
	switch os.Args[2] {
	case "another key":
		spkis[0] = publicOf(newKey())
	case "no keys":
		spkis = nil
	case "no P-256 key":
		spkis[0] = []byte("nothing")
	case "signatures at once":
		say(map[string]any{"signatures": [][]byte{{1}}})
	}
	say(map[string]any{"ready": map[string]any{"software": true, "spkis": spkis}})
	for {
		var batch struct{ Orders []struct{ Digest []byte } }
		hear(&batch)
		own := newKey()
		var sigs [][]byte
		for _, o := range batch.Orders {
			sig, err := ecdsa.SignASN1(rand.Reader, own, o.Digest)
			if err != nil {
				panic(err)
			}
			sigs = append(sigs, sig)
		}
		lie(sigs)
	}
}

func lie(sigs [][]byte) {
	switch os.Args[2] {
	case "one signature too few":
		say(map[string]any{"signatures": sigs[1:]})
	case "one signature too many":
		say(map[string]any{"signatures": append(sigs, sigs[0])})
	case "empty signatures":
		say(map[string]any{"signatures": make([][]byte, len(sigs))})
	case "nothing at all":
		say(map[string]any{})
	case "an unknown field":
		say(map[string]any{"signatures": sigs, "also": true})
	case "no JSON":
		_, _ = os.Stdout.Write([]byte{0, 0, 0, 2, 'h', 'i'})
	case "a frame of 4 GB":
		_, _ = os.Stdout.Write([]byte{0xff, 0xff, 0xff, 0xff})
	default:
		say(map[string]any{"signatures": sigs})
	}
}

func hear(v any) {
	var head [4]byte
	if _, err := io.ReadFull(os.Stdin, head[:]); err != nil {
		os.Exit(0)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(os.Stdin, b); err != nil {
		os.Exit(0)
	}
	if err := json.Unmarshal(b, v); err != nil {
		panic(err)
	}
}

func say(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

func newKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func publicOf(k *ecdsa.PrivateKey) []byte {
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		panic(err)
	}
	return spki
}

// lying is a signer's configuration with a worker that tells one lie.
func lying(t *testing.T, what string) hsm.Config {
	t.Helper()
	command := append(hsmtest.WorkerCommand(t)[:1], liarArg, what)
	return hsm.Config{
		Module: "/any", TokenLabel: "any", PINFile: "/any", Command: command, Now: time.Now,
		Keys: []hsm.KeyPin{{Lineage: "acme-release", Version: 1, Label: "l", ID: []byte{1}, SPKI: publicOf(newKey())}},
	}
}

func TestALyingWorkerDoesNotStart(t *testing.T) {
	t.Parallel()
	for what, code := range map[string]gate.Code{
		"another key":        gate.CodeKeyMismatch,
		"no keys":            gate.CodeKeyUnavailable,
		"no P-256 key":       gate.CodeKeyMismatch,
		"signatures at once": gate.CodeKeyUnavailable,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			mustNotStart(t, lying(t, what), code)
		})
	}
}

func TestALyingWorkerSealsNothing(t *testing.T) {
	t.Parallel()
	c := lying(t, "signatures by its own key")
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	c.Keys = append(c.Keys,
		hsm.KeyPin{Lineage: "log", Version: 1, Purpose: gate.PurposeLog, Label: "log", ID: []byte{2}, SPKI: spki},
		hsm.KeyPin{Lineage: "ca", Version: 1, Purpose: gate.PurposeCA, Label: "ca", ID: []byte{3}, SPKI: publicOf(newKey())})
	s := hsmtest.Start(t, c)
	for _, k := range s.AuthorityKeys() {
		if sig, err := s.Seal(t.Context(), k, []byte("message")); sig != nil || gate.CodeOf(err) != gate.CodeSignatureBad {
			t.Errorf("%s: %x, %v", k.Purpose, sig, err)
		}
	}
}

func TestALyingWorkerIsNotBelieved(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]struct {
		kind gate.Kind
		code gate.Code
	}{
		"signatures by its own key": {gate.Internal, gate.CodeSignatureBad},
		"empty signatures":          {gate.Internal, gate.CodeSignatureBad},
		"one signature too few":     {gate.Unavailable, gate.CodeKeyUnavailable},
		"one signature too many":    {gate.Unavailable, gate.CodeKeyUnavailable},
		"nothing at all":            {gate.Unavailable, gate.CodeKeyUnavailable},
		"an unknown field":          {gate.Unavailable, gate.CodeKeyUnavailable},
		"no JSON":                   {gate.Unavailable, gate.CodeKeyUnavailable},
		"a frame of 4 GB":           {gate.Unavailable, gate.CodeKeyUnavailable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := hsmtest.Start(t, lying(t, what))
			mustFail(t, s, want.kind, want.code)
		})
	}
}
