package ledger_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
)

const origin = "log.example"

// logKey is a key of either kind with what signs for it.
func logKey(t testing.TB, kind string) (*ledger.LogKey, func([]byte) ([]byte, error)) {
	t.Helper()
	var public crypto.PublicKey
	var sign func([]byte) ([]byte, error)
	if kind == "Ed25519" {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
		public, sign = key.Public(), func(text []byte) ([]byte, error) { return ed25519.Sign(key, text), nil }
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, sign = key.Public(), func(text []byte) ([]byte, error) {
			digest := sha256.Sum256(text)
			return ecdsa.SignASN1(rand.Reader, key, digest[:])
		}
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ledger.NewLogKey(origin, spki)
	if err != nil {
		t.Fatal(err)
	}
	return k, sign
}

// witnessKey is a witness of the seed, and what cosigns for it.
func witnessKey(t testing.TB, name string, seed byte) (*ledger.WitnessKey, func(text string, at time.Time) []byte) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	typed := append([]byte{4}, key.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	w, err := ledger.ParseWitnessKey(fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(typed)))
	if err != nil {
		t.Fatal(err)
	}
	return w, func(text string, at time.Time) []byte {
		sig := ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text))
		raw := slicesOf(sum[:4], binary.BigEndian.AppendUint64(nil, uint64(at.Unix())), sig) //nolint:gosec // a time of ours
		return fmt.Appendf(nil, "— %s %s\n", name, base64.StdEncoding.EncodeToString(raw))
	}
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func sofa(t testing.TB) ledger.Head {
	t.Helper()
	root, err := tlog.ParseHash("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Head{Origin: origin, Size: 20852163, Root: root}
}

// The text is the example of C2SP tlog-checkpoint, but for its origin.
func TestHeadText(t *testing.T) {
	const want = "log.example\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	h := sofa(t)
	if h.Text() != want {
		t.Errorf("expected %q, got %q", want, h.Text())
	}
	if back, err := ledger.ParseHead(want); err != nil || back != h {
		t.Errorf("expected %+v, got %+v, %v", h, back, err)
	}
}

func TestParseHeadRefuses(t *testing.T) {
	const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	for name, text := range map[string]string{
		"nothing":           "",
		"two lines":         "log.example\n1\n",
		"no line feed":      "log.example\n1\n" + root,
		"an extension":      "log.example\n1\n" + root + "\nmore\n",
		"no origin":         "\n1\n" + root + "\n",
		"no size":           "log.example\n\n" + root + "\n",
		"a leading zero":    "log.example\n01\n" + root + "\n",
		"a plus":            "log.example\n+1\n" + root + "\n",
		"a negative size":   "log.example\n-1\n" + root + "\n",
		"too large a size":  "log.example\n9223372036854775808\n" + root + "\n",
		"hex":               "log.example\n0x1\n" + root + "\n",
		"a short root":      "log.example\n1\nAAAA\n",
		"loose base64":      "log.example\n1\n" + strings.Replace(root, "2I=", "2J=", 1) + "\n",
		"a carriage return": "log.example\n1\n" + root + "\r\n",
		"URL base64":        "log.example\n1\n" + strings.ReplaceAll(root, "/", "_") + "\n",
		"too long":          strings.Repeat("o", ledger.MaxCheckpoint) + "\n1\n" + root + "\n",
	} {
		if h, err := ledger.ParseHead(text); err == nil {
			t.Errorf("%s: expected a refusal, got %+v", name, h)
		}
	}
}

func TestSignAndOpen(t *testing.T) {
	for _, kind := range []string{"Ed25519", "P-256"} {
		t.Run(kind, func(t *testing.T) {
			key, sign := logKey(t, kind)
			head := sofa(t)
			signed, err := ledger.Sign(head, key, sign)
			if err != nil {
				t.Fatal(err)
			}
			w1, cosign1 := witnessKey(t, "w1.example", 1)
			w2, cosign2 := witnessKey(t, "w2.example", 2)
			at := time.Unix(1_700_000_000, 0).UTC()
			if signed, err = ledger.WithCosignatures(signed, cosign1(head.Text(), at), cosign2(head.Text(), at.Add(time.Minute))); err != nil {
				t.Fatal(err)
			}
			got, by, err := ledger.Open(signed, key, w1)
			if err != nil || got != head || len(by) != 1 || by[0] != (ledger.Cosignature{Witness: "w1.example", At: at}) {
				t.Errorf("with one witness known: got %+v, %v, %v", got, by, err)
			}
			if got, by, err = ledger.Open(signed, key, w1, w2); err != nil || got != head || len(by) != 2 {
				t.Errorf("with both: got %+v, %v, %v", got, by, err)
			}
			if _, by, err = ledger.Open(signed, key); err != nil || len(by) != 0 {
				t.Errorf("with none: got %v, %v", by, err)
			}
		})
	}
}

// Other people's code signs a checkpoint and cosigns it; ours follows both.
func TestForeignCheckpoint(t *testing.T) {
	var v struct {
		Log     string `json:"log_vkey"`
		Witness string `json:"witness_vkey"`
		Note    string `json:"note"`
	}
	b, err := os.ReadFile("testdata/cosigned.json")
	if err != nil || json.Unmarshal(b, &v) != nil {
		t.Fatal(err)
	}
	key, _ := logKey(t, "Ed25519")
	if key.String() != v.Log {
		t.Errorf("log's verifier key: expected %s, got %s", v.Log, key)
	}
	w, err := ledger.ParseWitnessKey(v.Witness)
	if err != nil {
		t.Fatal(err)
	}
	head, by, err := ledger.Open([]byte(v.Note), key, w)
	if err != nil || head != sofa(t) || len(by) != 1 || by[0].Witness != "witness.example/w1" || by[0].At.Year() < 2026 {
		t.Errorf("got %+v, %v, %v", head, by, err)
	}
}

// And the other way round: what ours signs, x/mod's note opens.
func TestCheckpointForOthers(t *testing.T) {
	key, sign := logKey(t, "Ed25519")
	signed, err := ledger.Sign(sofa(t), key, sign)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(key.String())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(signed, note.VerifierList(v)); err != nil || n.Text != sofa(t).Text() {
		t.Errorf("got %v, %v", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	key, sign := logKey(t, "Ed25519")
	other, otherSign := logKey(t, "P-256")
	head := sofa(t)
	good, err := ledger.Sign(head, key, sign)
	if err != nil {
		t.Fatal(err)
	}
	w, cosign := witnessKey(t, "w1.example", 1)
	_, forge := witnessKey(t, "w1.example", 2)
	at := time.Unix(1_700_000_000, 0)
	line := cosign(head.Text(), at)
	join := func(signed []byte, lines ...[]byte) []byte { return slicesOf(append([][]byte{signed}, lines...)...) }
	byOther, err := ledger.Sign(head, other, otherSign)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := head
	elsewhere.Origin = "other.example"
	text := []byte(elsewhere.Text())
	sig, err := sign(text)
	if err != nil {
		t.Fatal(err)
	}
	misnamed := slicesOf(text, []byte("\n— log.example "+base64.StdEncoding.EncodeToString(slicesOf(key.ID()[:4], sig))+"\n"))

	for name, signed := range map[string][]byte{
		"nothing":                   nil,
		"the text alone":            []byte(head.Text()),
		"another size":              bytes.Replace(good, []byte("20852163"), []byte("20852164"), 1),
		"another root":              bytes.Replace(good, []byte("CsUY"), []byte("CsUZ"), 1),
		"another origin":            bytes.Replace(good, []byte("log.example\n"), []byte("lag.example\n"), 1),
		"an extension":              bytes.Replace(good, []byte("=\n\n"), []byte("=\nx\n\n"), 1),
		"cut off":                   good[:len(good)-9],
		"another log key":           byOther,
		"only a witness":            join([]byte(head.Text()+"\n"), line),
		"a cosignature of another":  join(good, line[:0], bytes.Replace(line, line[len(line)-20:len(line)-10], []byte("AAAAAAAAAA"), 1)),
		"another log's, our key":    misnamed,
		"too long":                  append(bytes.Clone(good), bytes.Repeat(line, ledger.MaxCheckpoint/len(line))...),
		"a cosignature of its text": join(good, cosign(elsewhere.Text(), at)),
	} {
		if h, by, err := ledger.Open(signed, key, w); err == nil {
			t.Errorf("%s: expected a refusal, got %+v, %v", name, h, by)
		}
	}
	// A key that nobody configured is nobody's: it counts for nothing and stops nothing.
	if _, by, err := ledger.Open(join(good, forge(head.Text(), at)), key, w); err != nil || len(by) != 0 {
		t.Errorf("an unknown witness: got %v, %v", by, err)
	}
	// One witness counts once, however often it signs.
	if _, by, err := ledger.Open(join(good, line, cosign(head.Text(), at.Add(time.Hour))), key, w); err != nil || len(by) != 1 {
		t.Errorf("a witness twice: got %v, %v", by, err)
	}
}

func TestSignRefuses(t *testing.T) {
	key, sign := logKey(t, "Ed25519")
	head := sofa(t)
	head.Origin = "other.example"
	if _, err := ledger.Sign(head, key, sign); err == nil {
		t.Error("another origin: expected a refusal")
	}
	if _, err := ledger.Sign(sofa(t), key, func([]byte) ([]byte, error) { return make([]byte, 64), nil }); err == nil {
		t.Error("a signature that does not verify: expected a refusal")
	}
	if _, err := ledger.Sign(sofa(t), key, func([]byte) ([]byte, error) { return nil, os.ErrClosed }); err == nil {
		t.Error("a signer that fails: expected its error")
	}
}

func TestCosignaturesReplaceOlder(t *testing.T) {
	key, sign := logKey(t, "Ed25519")
	head := sofa(t)
	signed, err := ledger.Sign(head, key, sign)
	if err != nil {
		t.Fatal(err)
	}
	w, cosign := witnessKey(t, "w1.example", 1)
	_, namesake := witnessKey(t, "w1.example", 2)
	early, late := time.Unix(1_700_000_000, 0).UTC(), time.Unix(1_700_003_600, 0).UTC()
	both, err := ledger.WithCosignatures(signed, cosign(head.Text(), early), namesake(head.Text(), early))
	if err != nil {
		t.Fatal(err)
	}
	if both, err = ledger.WithCosignatures(both, cosign(head.Text(), late)); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(both, []byte("— ")); n != 3 {
		t.Errorf("expected the log's line, the newest and the namesake's, got %d:\n%s", n, both)
	}
	if _, by, err := ledger.Open(both, key, w); err != nil || len(by) != 1 || by[0].At != late {
		t.Errorf("got %v, %v", by, err)
	}
	for name, line := range map[string]string{
		"no line":       "w1.example AAAA\n",
		"no signature":  "— w1.example\n",
		"no line feed":  "— w1.example AAAAAAAA",
		"two lines":     "— w1.example AAAAAAAA\n— x AAAAAAAA\n",
		"a long one":    "— w1.example " + strings.Repeat("A", ledger.MaxCheckpoint) + "\n",
		"an empty line": "\n",
	} {
		if got, err := ledger.WithCosignatures(signed, []byte(line)); err == nil {
			t.Errorf("%s: expected a refusal, got %s", name, got)
		}
	}
	if _, err := ledger.WithCosignatures([]byte("text\n")); err == nil {
		t.Error("no note: expected a refusal")
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add(sofa(f).Text())
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := ledger.ParseHead(text); err == nil && h.Text() != text {
			t.Errorf("expected one spelling, got %q and %q", text, h.Text())
		}
	})
}

func FuzzOpen(f *testing.F) {
	key, sign := logKey(f, "Ed25519")
	w, cosign := witnessKey(f, "w1.example", 1)
	good, err := ledger.Sign(sofa(f), key, sign)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(good, cosign(sofa(f).Text(), time.Unix(1_700_000_000, 0))...))
	f.Fuzz(func(t *testing.T, signed []byte) {
		if h, by, err := ledger.Open(signed, key, w); err == nil && (h != sofa(t) || len(by) > 1) {
			t.Errorf("nobody signed %+v, %v", h, by)
		}
	})
}

func FuzzWithCosignatures(f *testing.F) {
	key, sign := logKey(f, "Ed25519")
	_, cosign := witnessKey(f, "w1.example", 1)
	good, err := ledger.Sign(sofa(f), key, sign)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cosign(sofa(f).Text(), time.Unix(1_700_000_000, 0)))
	f.Fuzz(func(t *testing.T, line []byte) {
		signed, err := ledger.WithCosignatures(good, line)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(signed, []byte(sofa(t).Text()+"\n")) || bytes.Count(signed, []byte("\n")) > 6 {
			t.Errorf("a line changed the text: %q", signed)
		}
	})
}
