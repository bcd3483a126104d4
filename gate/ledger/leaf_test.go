package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// vector is one golden leaf. Its bytes and commitments were computed apart from this
// code (testdata/README.md says how): they never change.
type vector struct {
	Name       string      `json:"name"`
	Kind       ledger.Kind `json:"kind"`
	ID         string      `json:"id"`
	Salt       string      `json:"salt"` // hex
	Document   string      `json:"document"`
	Commitment string      `json:"commitment"` // hex
	Leaf       string      `json:"leaf"`
	SHA256     string      `json:"sha256"` // hex, of the leaf's bytes
}

func vectors(t *testing.T) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/leaves.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) == 0 {
		t.Fatal("testdata/leaves.json: expected vectors, got none")
	}
	return vs
}

func TestGoldenVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			salt, err := hex.DecodeString(v.Salt)
			if err != nil {
				t.Fatal(err)
			}
			l := ledger.New(v.Kind, v.ID, salt, []byte(v.Document))
			if got := l.Commitment.String(); got != v.Commitment {
				t.Errorf("commitment: expected %s, got %s", v.Commitment, got)
			}
			b, err := l.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if string(b) != v.Leaf {
				t.Errorf("leaf: expected %s, got %s", v.Leaf, b)
			}
			if got := gate.SHA256(b).String(); got != v.SHA256 {
				t.Errorf("SHA-256: expected %s, got %s", v.SHA256, got)
			}
			back, err := ledger.Parse(b)
			if err != nil || back != l {
				t.Errorf("parsed back: expected %v, got %v, %v", l, back, err)
			}
		})
	}
}

func TestRefusedLeaves(t *testing.T) {
	for name, l := range map[string]ledger.Leaf{
		"no version":      {Kind: ledger.Decision, ID: "x"},
		"another version": {V: 2, Kind: ledger.Decision, ID: "x"},
		"no kind":         {V: 1, ID: "x"},
		"no id":           {V: 1, Kind: ledger.Decision},
		"too long":        {V: 1, Kind: ledger.Decision, ID: strings.Repeat("x", ledger.MaxLeaf)},
	} {
		if b, err := l.Bytes(); err == nil {
			t.Errorf("%s: expected a refusal, got %d bytes", name, len(b))
		}
	}
}

func TestLongestLeaf(t *testing.T) {
	l := ledger.New(ledger.Decision, "x", nil, nil)
	b, err := l.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	l.ID = strings.Repeat("x", 1+ledger.MaxLeaf-len(b))
	if b, err = l.Bytes(); err != nil || len(b) != ledger.MaxLeaf {
		t.Errorf("expected %d bytes, got %d, %v", ledger.MaxLeaf, len(b), err)
	}
}

func TestParseRefuses(t *testing.T) {
	canonical, err := ledger.New(ledger.Published, "r1", make([]byte, ledger.SaltSize), []byte("{}")).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"no JSON":           []byte("leaf"),
		"another order":     []byte(`{"v":1,"kind":"published","id":"r1","commitment":"` + strings.Repeat("0", 64) + `"}`),
		"white space":       append([]byte(" "), canonical...),
		"bytes after it":    append(bytes.Clone(canonical), '{', '}'),
		"a line feed":       append(bytes.Clone(canonical), '\n'),
		"an unknown member": bytes.Replace(canonical, []byte(`"v":1`), []byte(`"v":1,"w":2`), 1),
		"another version":   bytes.Replace(canonical, []byte(`"v":1`), []byte(`"v":2`), 1),
		"upper-case hex":    bytes.Replace(canonical, []byte(`"commitment":"`), []byte(`"commitment":"A`), 1),
	} {
		if l, err := ledger.Parse(b); err == nil {
			t.Errorf("%s: expected a refusal, got %v", name, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"commitment":"` + strings.Repeat("0", 64) + `","id":"r","kind":"published","v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ledger.Parse(b)
		if err != nil {
			return
		}
		again, err := l.Bytes()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("expected one spelling, got %q and %q, %v", b, again, err)
		}
	})
}
