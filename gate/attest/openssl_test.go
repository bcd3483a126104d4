package attest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
)

// openssl is the verifier that everybody has: it accepts each raw signature, over
// the artifact and over the statement's PAE, and refuses a changed one.
func TestOpenSSLVerifiesWhatIsPublished(t *testing.T) {
	r := attesttest.New(t, artifacts)
	dir := t.TempDir()
	put := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := put(attest.KeyName, r.File(t, attest.KeyName))
	verify := func(signature, signed string) error {
		return exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, signed).Run()
	}
	check := func(what, signature, name string, content []byte) {
		t.Helper()
		if err := verify(signature, put(name, content)); err != nil {
			t.Errorf("%s: expected openssl to accept it: %v", what, err)
		}
		if err := verify(signature, put(name, append(content, '!'))); err == nil {
			t.Errorf("%s, changed: expected openssl to refuse it", what)
		}
	}
	for name, content := range artifacts {
		check(name, put(name+attest.RawSuffix, r.File(t, name+attest.RawSuffix)), name, []byte(content))
	}
	var raw struct {
		PayloadType string
		Payload     []byte
		Signatures  []struct{ Sig []byte }
	}
	if err := json.Unmarshal(r.File(t, "v1.4.0.vsa.dsse.json"), &raw); err != nil {
		t.Fatal(err)
	}
	check("statement", put("vsa.sig", raw.Signatures[0].Sig), "vsa.pae", gate.PAE(raw.PayloadType, raw.Payload))
}
