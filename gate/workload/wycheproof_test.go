package workload_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/workload"
)

// vectors are Project Wycheproof's of type JsonWebSignature.
type vectors struct {
	NumberOfTests int           `json:"numberOfTests"`
	TestGroups    []vectorGroup `json:"testGroups"`
}

type vectorGroup struct {
	Comment string         `json:"comment"`
	Public  map[string]any `json:"public"`
	Private map[string]any `json:"private"` // of an HMAC
	Tests   []vector       `json:"tests"`
}

type vector struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	JWS     string   `json:"jws"`
	Result  string   `json:"result"`
	Flags   []string `json:"flags"`
}

func wycheproof(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/wycheproof_jws.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (g vectorGroup) key() map[string]any {
	if g.Public != nil {
		return g.Public
	}
	return g.Private
}

// ours reports whether an issuer could have signed the vector: validly, with RS256.
func (v vector) ours() bool {
	header, _, _ := strings.Cut(v.JWS, ".")
	doc, _ := base64.RawURLEncoding.DecodeString(header)
	var h struct{ Alg string }
	_ = json.Unmarshal(doc, &h)
	return v.Result == "valid" && h.Alg == "RS256"
}

func keySet(t *testing.T, keys ...map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attack 8: of Wycheproof's JWS, what RS256 signed validly is accepted, and nothing
// else: no other algorithm, however valid, and no key that is meant for something else.
func TestWycheproof(t *testing.T) {
	v := wycheproof(t)
	ran, accepted := 0, 0
	for _, g := range v.TestGroups {
		set := keySet(t, g.key())
		for _, x := range g.Tests {
			ran++
			payload, err := workload.VerifyJWS(t.Context(), set, x.JWS)
			if (err == nil) != x.ours() {
				t.Errorf("%s %d %s is %s: %v", g.Comment, x.ID, x.Comment, x.Result, err)
			}
			if err == nil {
				accepted++
				if want := strings.Split(x.JWS, ".")[1]; b64(payload) != want {
					t.Errorf("%s %d %s: payload %q is not what was signed", g.Comment, x.ID, x.Comment, payload)
				}
			}
		}
	}
	if ran != v.NumberOfTests || ran != 401 || accepted != 8 {
		t.Errorf("%d of %d vectors ran, %d were accepted; expected 401 and 8", ran, v.NumberOfTests, accepted)
	}
}

// An issuer that does not say what its keys are for changes nothing about algorithms.
func TestWycheproofWithBareKeys(t *testing.T) {
	for _, g := range wycheproof(t).TestGroups {
		bare := maps.Clone(g.key())
		for _, name := range []string{"alg", "use", "key_ops"} {
			delete(bare, name)
		}
		if strings.HasSuffix(g.Comment, "encryption") {
			continue // these are invalid by what the key is for, and by nothing else
		}
		set := keySet(t, bare)
		for _, x := range g.Tests {
			if slices.Contains(x.Flags, "WrongPrimitive") {
				continue // …and these by the key's own algorithm
			}
			if _, err := workload.VerifyJWS(t.Context(), set, x.JWS); (err == nil) != x.ours() {
				t.Errorf("%s %d %s is %s: %v", g.Comment, x.ID, x.Comment, x.Result, err)
			}
		}
	}
}

// The key set is the issuer's, and still foreign bytes: none makes a key that verifies
// what the good one does not, and none is worse than no key.
func FuzzKeySet(f *testing.F) {
	good := sign([]byte(`{"alg":"RS256","kid":"k1"}`), []byte("payload"))
	key, err := json.Marshal(map[string]any{"keys": []any{jwk("k1", &theKey().PublicKey)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	for _, s := range []string{``, `{}`, `null`, `{"keys":[null,7,"x",[]]}`, `{"keys":[{"kty":"oct","kid":"k1","k":"AA"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		payload, err := workload.VerifyJWS(t.Context(), set, good)
		if (err == nil) != (string(payload) == "payload") {
			t.Errorf("%q: %q and %v", set, payload, err)
		}
		if _, err := workload.VerifyJWS(t.Context(), set, good[:len(good)-4]+"AAAA"); err == nil {
			t.Errorf("%q: accepted what nobody signed", set)
		}
	})
}
