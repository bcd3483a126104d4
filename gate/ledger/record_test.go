package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// recordVector is one golden record, made apart from this code (testdata/README.md).
type recordVector struct {
	Name        string `json:"name"`
	Digest      string `json:"digest"` // hex
	Signature   []byte `json:"signature"`
	Key         []byte `json:"key"`
	Certificate bool   `json:"certificate"`
	Body        string `json:"body"`
	LeafHash    string `json:"leaf_hash"` // hex
}

func recordVectors(t testing.TB) []recordVector {
	t.Helper()
	b, err := os.ReadFile("testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []recordVector
	if err := json.Unmarshal(b, &vs); err != nil || len(vs) != 2 {
		t.Fatalf("testdata/records.json: %d vectors, %v", len(vs), err)
	}
	return vs
}

func TestGoldenRecords(t *testing.T) {
	for _, v := range recordVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			digest, err := hex.DecodeString(v.Digest)
			if err != nil {
				t.Fatal(err)
			}
			r := ledger.Record{Digest: gate.Digest(digest), Signature: v.Signature, Key: v.Key, Certificate: v.Certificate}
			body, err := r.Bytes()
			if err != nil || string(body) != v.Body {
				t.Fatalf("expected %s, got %s, %v", v.Body, body, err)
			}
			if h := tlog.RecordHash(body); hex.EncodeToString(h[:]) != v.LeafHash {
				t.Errorf("leaf hash: expected %s, got %x", v.LeafHash, h)
			}
			back, err := ledger.ParseRecord(body)
			if err != nil || back.Digest != r.Digest || !bytes.Equal(back.Signature, r.Signature) ||
				!bytes.Equal(back.Key, r.Key) || back.Certificate != r.Certificate {
				t.Errorf("parsed back: expected %+v, got %+v, %v", r, back, err)
			}
			e, err := ledger.ParseEntry(body)
			if err != nil || e.Record == nil || e.Leaf != nil {
				t.Errorf("as an entry: got %+v, %v", e, err)
			}
		})
	}
}

func TestEntryIsALeaf(t *testing.T) {
	for _, v := range vectors(t) {
		e, err := ledger.ParseEntry([]byte(v.Leaf))
		if err != nil || e.Leaf == nil || e.Record != nil || e.Leaf.Kind != v.Kind {
			t.Errorf("%s: got %+v, %v", v.Name, e, err)
		}
	}
}

func TestParseRecordRefuses(t *testing.T) {
	good := recordVectors(t)[0].Body
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the record has no %s", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, body := range map[string]string{
		"nothing":              "",
		"no JSON":              "record",
		"cut off":              good[:len(good)-1],
		"bytes after it":       good + "{}",
		"a line feed":          good + "\n",
		"white space":          swap(":{", ": {"),
		"another version":      swap(`"0.0.2"`, `"0.0.1"`),
		"another kind":         swap("hashedrekord\"", "dsse\""),
		"an unknown member":    swap(`"data":{`, `"data":{"a":1,`),
		"a member twice":       swap(`"algorithm":"SHA2_256",`, `"algorithm":"SHA2_256","algorithm":"SHA2_256",`),
		"a member in capitals": swap(`"digest"`, `"Digest"`),
		"another algorithm":    swap("SHA2_256\",", "SHA2_512\","),
		"another key":          swap("PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"),
		"a short digest":       swap(`"LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM="`, `"LHDh"`),
		"loose base64":         swap(`"LHDhK3oGRvki`, `"LHDhK3oG\nRvki`),
		"no signature":         swap(`"MAYCAQECAQE="`, `""`),
		"neither key":          swap(`"publicKey"`, `"x"`),
		"both keys":            swap(`"publicKey"`, `"x509Certificate":{"rawBytes":"AA=="},"publicKey"`),
		"null for a key":       swap(`"publicKey":{`, `"x509Certificate":null,"publicKey":{`),
		"too long":             swap(`"MAYCAQECAQE="`, `"`+strings.Repeat("AAAA", ledger.MaxLeaf/4)+`"`),
	} {
		if r, err := ledger.ParseRecord([]byte(body)); err == nil {
			t.Errorf("%s: expected a refusal, got %+v", name, r)
		}
		if e, err := ledger.ParseEntry([]byte(body)); err == nil {
			t.Errorf("%s: expected no entry, got %+v", name, e)
		}
	}
}

func TestRefusedRecords(t *testing.T) {
	for name, r := range map[string]ledger.Record{
		"no signature": {Key: []byte{1}},
		"no key":       {Signature: []byte{1}},
		"too long":     {Signature: make([]byte, ledger.MaxLeaf), Key: []byte{1}},
	} {
		if b, err := r.Bytes(); err == nil {
			t.Errorf("%s: expected a refusal, got %d bytes", name, len(b))
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, v := range recordVectors(f) {
		f.Add([]byte(v.Body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ledger.ParseRecord(b)
		if err != nil {
			return
		}
		if again, err := r.Bytes(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("expected one spelling, got %q and %q, %v", b, again, err)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	for _, v := range recordVectors(f) {
		f.Add([]byte(v.Body))
	}
	f.Add([]byte(`{"commitment":"` + strings.Repeat("0", 64) + `","id":"r","kind":"published","v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ledger.ParseEntry(b)
		if err != nil {
			return
		}
		var again []byte
		switch {
		case e.Leaf != nil && e.Record != nil || e.Leaf == nil && e.Record == nil:
			t.Fatalf("expected one of the two, got %+v", e)
		case e.Leaf != nil:
			again, err = e.Leaf.Bytes()
		default:
			again, err = e.Record.Bytes()
		}
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("expected one spelling, got %q and %q, %v", b, again, err)
		}
	})
}
