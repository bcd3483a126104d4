package main_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// madeKey is what keys create --json and keys list --json say of a key.
type madeKey struct {
	Purpose, Type, Label, ID, Fingerprint, Problem string
	Software                                       bool
}

// keysOn runs countersignd keys on a token.
func keysOn(t *testing.T, module string, token hsmtest.Token, args ...string) (code int, out, errs string) {
	t.Helper()
	return run(t, append([]string{"keys", args[0], "--module", module, "--token", token.TokenLabel, "--pin-file", token.PINFile}, args[1:]...)...)
}

func decodeJSON(t *testing.T, code int, out, errs string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), v); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
}

func TestKeysAreMadeForOnePurpose(t *testing.T) {
	token := softhsm(t)
	for _, row := range []struct{ purpose, typ string }{
		{"release", "p256"}, {"log", "p256"}, {"log", "ed25519"}, {"timestamp", "p256"}, {"ca", "p256"}, {"ct", "p256"}, {"verdict", "p256"},
	} {
		var k madeKey
		label := row.purpose + "-of-" + row.typ
		code, out, errs := keysOn(t, token.Module, token, "create", "--json", "--label", label, "--purpose", row.purpose, "--type", row.typ)
		decodeJSON(t, code, out, errs, &k)
		if k.Purpose != row.purpose || k.Type != row.typ || k.Label != label || len(k.ID) != 32 || !strings.HasPrefix(k.Fingerprint, "SHA256:") || !k.Software {
			t.Errorf("made %+v", k)
		}
	}
	var listed []madeKey
	code, out, errs := keysOn(t, token.Module, token, "list", "--json")
	decodeJSON(t, code, out, errs, &listed)
	if len(listed) != 7 {
		t.Errorf("%d keys listed, 7 made", len(listed))
	}
	for _, k := range listed {
		if k.Purpose != "" || !strings.HasSuffix(k.Label, "-of-"+k.Type) || k.Problem != "" {
			t.Errorf("listed %+v", k)
		}
	}
	if code, out, _ = keysOn(t, token.Module, token, "list"); code != 0 || !strings.Contains(out, "log-of-ed25519\n  type  ed25519\n  id    ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// What is printed belongs into the configuration as it is.
func TestTheGatesOwnKeysAreMadeAtOnce(t *testing.T) {
	token := softhsm(t)
	code, out, errs := keysOn(t, token.Module, token, "create", "--authority")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	_, entries, _ := strings.Cut(out, "\n\n")
	var file struct {
		Keys []struct {
			Lineage, Purpose, Token, Label, ID, SPKI string
			Version                                  int
		}
	}
	if err := yaml.UnmarshalWithOptions([]byte(entries), &file, yaml.Strict()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var listed []madeKey
	code, list, errs := keysOn(t, token.Module, token, "list", "--json")
	decodeJSON(t, code, list, errs, &listed)
	held := map[string]madeKey{}
	for _, k := range listed {
		held[k.Label] = k
	}
	purposes := []string{"log", "timestamp", "ca", "ct", "verdict"}
	if len(file.Keys) != len(purposes) || len(held) != len(purposes) {
		t.Fatalf("%d printed, %d on the token", len(file.Keys), len(held))
	}
	for i, k := range file.Keys {
		h := held[purposes[i]+"-1"]
		if k.Purpose != purposes[i] || k.Lineage != purposes[i] || k.Version != 1 || k.Token != token.TokenLabel || k.Label != h.Label ||
			k.ID != h.ID || k.SPKI != h.Fingerprint || (h.Type == string(hsm.Ed25519)) != (i == 0) {
			t.Errorf("printed %+v, the token holds %+v", k, h)
		}
	}
	if !strings.Contains(out, "purpose: log            # Ed25519\n") {
		t.Errorf("it does not say of which type the log's key is:\n%s", out)
	}
}

func TestASetOfKeysIsSafeToMakeAgain(t *testing.T) {
	token := softhsm(t)
	count := func() int {
		var listed []madeKey
		code, out, errs := keysOn(t, token.Module, token, "list", "--json")
		decodeJSON(t, code, out, errs, &listed)
		return len(listed)
	}
	// The third key of the set is refused: what was made before stays, and is shown.
	fault := hsmtest.NewFault(t, token)
	for _, e := range fault.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	fault.Set(t, "C_GenerateKeyPair 3 1 ckr 0x31")
	code, out, errs := keysOn(t, fault.Path, token, "create", "--authority")
	if code != 1 || count() != 2 || !strings.Contains(out, `label: "log-1"`) || !strings.Contains(out, `label: "timestamp-1"`) || strings.Contains(out, "ca-1") ||
		!strings.Contains(errs, `only a part of the set was made: "log-1", "timestamp-1"; the ca key was not`) || !strings.Contains(errs, "CKR_DEVICE_MEMORY") {
		t.Errorf("half a set: exit %d, %d keys\n%s%s", code, count(), out, errs)
	}
	code, out, errs = keysOn(t, token.Module, token, "create", "--authority")
	if code != 1 || out != "" || count() != 2 || !strings.Contains(errs, `already holds "log-1", "timestamp-1"`) || !strings.Contains(errs, "nothing was made") ||
		!strings.Contains(errs, "--purpose ca --label ca-1, --purpose ct --label ct-1, --purpose verdict --label verdict-1") {
		t.Errorf("once more: exit %d, %d keys\n%s%s", code, count(), out, errs)
	}
	var made []madeKey
	code, out, errs = keysOn(t, token.Module, token, "create", "--authority", "--prefix", "new", "--json")
	decodeJSON(t, code, out, errs, &made)
	if len(made) != 5 || made[0].Label != "new-log-1" || made[4].Purpose != "verdict" {
		t.Errorf("another set: %+v", made)
	}
	code, _, errs = keysOn(t, token.Module, token, "create", "--authority", "--prefix", "new")
	if code != 1 || !strings.Contains(errs, "choose another --prefix") || count() != 7 {
		t.Errorf("a whole set once more: exit %d: %s", code, errs)
	}
}

func TestATokenWithoutEd25519MakesAP256LogKey(t *testing.T) {
	token := softhsm(t)
	fault := hsmtest.NewFault(t, token)
	for _, e := range fault.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	fault.Set(t, "C_GetMechanismList 1 99 lacks 0x1057")
	code, _, errs := keysOn(t, fault.Path, token, "create", "--label", "log-1", "--purpose", "log", "--type", "ed25519")
	if code != 2 || !strings.Contains(errs, "no Ed25519 signatures") || !strings.Contains(errs, "--purpose log --type p256") {
		t.Errorf("exit %d: %s", code, errs)
	}
	code, out, errs := keysOn(t, fault.Path, token, "create", "--authority")
	if code != 0 || !strings.Contains(out, "purpose: log            # P-256\n") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

func TestKeysAreNotMadeForNothing(t *testing.T) {
	token := softhsm(t)
	for name, row := range map[string]struct {
		args []string
		says string
	}{
		"no such purpose":      {[]string{"--label", "x", "--purpose", "cat"}, `expected release, log, timestamp, ca, ct, verdict, got "cat"`},
		"no such type":         {[]string{"--label", "x", "--type", "rsa"}, `got "rsa"`},
		"Ed25519 for releases": {[]string{"--label", "x", "--type", "ed25519"}, "only the log's may be"},
		"Ed25519 for the CA":   {[]string{"--label", "x", "--purpose", "ca", "--type", "ed25519"}, "only the log's may be"},
		"neither one nor all":  {nil, "[label authority]"},
		"one and all":          {[]string{"--label", "x", "--authority"}, "[authority label]"},
		"all, of one purpose":  {[]string{"--authority", "--purpose", "log"}, "[authority purpose]"},
		"a prefix for one":     {[]string{"--label", "x", "--prefix", "y"}, "[prefix label]"},
	} {
		code, out, errs := keysOn(t, token.Module, token, append([]string{"create"}, row.args...)...)
		if code != 2 || out != "" || !strings.Contains(errs, row.says) {
			t.Errorf("%s: exit %d, expected 2 and %q in %s%s", name, code, row.says, out, errs)
		}
	}
	if err := os.WriteFile(token.PINFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := keysOn(t, token.Module, token, "create", "--authority"); code == 0 || out != "" || !strings.Contains(errs, "refused the PIN") {
		t.Errorf("wrong PIN: exit %d: %s%s", code, out, errs)
	}
}
