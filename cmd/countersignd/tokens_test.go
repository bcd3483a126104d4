package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/hsm/hsmtest"
)

// softhsm points SoftHSM at a folder of the test that holds one token, and returns that.
func softhsm(t *testing.T) hsmtest.Token {
	t.Helper()
	token := hsmtest.NewToken(t)
	for _, e := range token.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	return token
}

func TestTokensAreMadeAndListed(t *testing.T) {
	token := softhsm(t)
	pin := filepath.Join(t.TempDir(), "pin")
	if code, _, errs := run(t, "keys", "init", "--module", token.Module, "--token", "trial", "--pin-file", pin); code != 0 {
		t.Fatal(errs)
	}
	for _, path := range []string{pin, pin + ".officer"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 17 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	var found []struct{ Label, Problem string }
	code, out, errs := run(t, "keys", "tokens", "--json", "--module", token.Module)
	if err := json.Unmarshal([]byte(out), &found); code != 0 || err != nil || len(found) != 2 {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	for _, f := range found {
		if f.Problem != "" || f.Label != "trial" && f.Label != token.TokenLabel {
			t.Errorf("%+v", f)
		}
	}
	if code, _, errs := run(t, "keys", "create", "--module", token.Module, "--token", "trial", "--pin-file", pin, "--label", "release-1"); code != 0 {
		t.Errorf("a key on the new token: %s", errs)
	}
	for name, row := range map[string]struct {
		args []string
		says string
	}{
		"a label that is taken": {[]string{"init", "--module", token.Module, "--token", "trial", "--pin-file", pin}, "there is a token with the label"},
		"no module":             {[]string{"tokens", "--module", "/nowhere.so"}, "apt install softhsm2"},
		"no module at all":      {[]string{"tokens", "--module", pin}, "no PKCS#11 module that loads"},
		"nowhere to write":      {[]string{"init", "--module", token.Module, "--token", "other", "--pin-file", "/nowhere/pin"}, "cannot be made"},
	} {
		code, out, errs := run(t, append([]string{"keys"}, row.args...)...)
		if code == 0 || !strings.Contains(errs, row.says) {
			t.Errorf("%s: exit %d, expected %q in %s%s", name, code, row.says, out, errs)
		}
	}
}
