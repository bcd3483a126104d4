package hsm_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// refuse is one way in which a signer must not start.
type refuse struct {
	name string
	edit func(t *testing.T, tok hsmtest.Token, c *hsm.Config)
	code gate.Code
	says []string // in text or fix
}

func startFaults() []refuse {
	type token = hsmtest.Token
	pinFile := func(content string, mode os.FileMode) func(*testing.T, token, *hsm.Config) {
		return func(t *testing.T, _ token, c *hsm.Config) {
			c.PINFile = filepath.Join(t.TempDir(), "pin")
			if err := os.WriteFile(c.PINFile, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(c.PINFile, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := func(f func(c *hsm.Config)) func(*testing.T, token, *hsm.Config) {
		return func(_ *testing.T, _ token, c *hsm.Config) { f(c) }
	}
	return []refuse{
		{"missing PIN file", set(func(c *hsm.Config) { c.PINFile = "/nonexistent/pin" }), gate.CodePIN,
			[]string{"/nonexistent/pin", "does not exist", "chmod 0600"}},
		{"no PIN file", set(func(c *hsm.Config) { c.PINFile = "" }), gate.CodePIN, []string{"countersign", "pin_file"}},
		{"PIN file is a folder", set(func(c *hsm.Config) { c.PINFile = "/" }), gate.CodePIN, []string{"no regular file"}},
		{"empty PIN", pinFile("\n", 0o600), gate.CodePIN, []string{"is empty"}},
		{"endless PIN", pinFile(strings.Repeat("7", 4096), 0o600), gate.CodePIN, []string{"longer than 256 bytes"}},
		{"PIN that the group reads", pinFile("12345678", 0o640), gate.CodePIN, []string{"mode 0640", "chmod 0600"}},
		{"wrong PIN", pinFile("wrong-and-secret", 0o600), gate.CodePIN, []string{"refused the PIN", "not tried again"}},
		{"missing module", set(func(c *hsm.Config) { c.Module = "/nonexistent.so" }), gate.CodeKeyUnavailable,
			[]string{"/nonexistent.so", "apt install softhsm2"}},
		{"module that is none", set(func(c *hsm.Config) { c.Module = "/etc/passwd" }), gate.CodeKeyUnavailable,
			[]string{"/etc/passwd", "no PKCS#11 module"}},
		{"unknown token", set(func(c *hsm.Config) { c.TokenLabel = "other" }), gate.CodeKeyUnavailable,
			[]string{`"other"`, `"countersign"`}},
		{"no token at all", func(t *testing.T, _ token, c *hsm.Config) {
			c.Env = []string{"SOFTHSM2_CONF=" + filepath.Join(t.TempDir(), "none")}
		}, gate.CodeKeyUnavailable, []string{"countersign"}},
		{"two tokens of one label", func(t *testing.T, tok token, _ *hsm.Config) { tok.Twin(t) }, gate.CodeKeyUnavailable,
			[]string{"2 tokens"}},
		{"no key", set(func(c *hsm.Config) { c.Keys = nil }), gate.CodeConfig, []string{"no key"}},
		{"one version twice", set(func(c *hsm.Config) { c.Keys = append(c.Keys, c.Keys[0]) }), gate.CodeConfig,
			[]string{"acme-release version 1", "twice"}},
		{"one pair twice", set(func(c *hsm.Config) {
			k := c.Keys[0]
			k.Version = 2
			c.Keys = append(c.Keys, k)
		}), gate.CodeConfig, []string{"same key pair"}},
		{"pin without id", set(func(c *hsm.Config) { c.Keys[0].ID = nil }), gate.CodeConfig, []string{"id", "keys list"}},
		{"pin without public key", set(func(c *hsm.Config) { c.Keys[0].Fingerprint = "" }), gate.CodeConfig, []string{"fingerprint"}},
		{"malformed fingerprint", set(func(c *hsm.Config) { c.Keys[0].Fingerprint = "SHA256:AB" }), gate.CodeConfig,
			[]string{"64 lower-case"}},
		{"unknown label", set(func(c *hsm.Config) { c.Keys[0].Label = "nothing" }), gate.CodeKeyUnknown,
			[]string{`"nothing"`, "no such key", "keys list"}},
		{"unknown id", set(func(c *hsm.Config) { c.Keys[0].ID = []byte{1, 2} }), gate.CodeKeyUnknown, []string{"id 0102"}},
		{"another public key", set(func(c *hsm.Config) { c.Keys[0].Fingerprint = hsm.Fingerprint(nil) }), gate.CodeKeyMismatch,
			[]string{hsm.Fingerprint(nil), "who replaced"}},
		{"a purpose that nobody knows", set(func(c *hsm.Config) { c.Keys[0].Purpose = "checkpoint" }), gate.CodeConfig,
			[]string{`got "checkpoint"`, "verdict"}},
		{"one pair for two purposes", set(func(c *hsm.Config) {
			k := c.Keys[0]
			k.Lineage, k.Purpose = "ca", gate.PurposeCA
			c.Keys = append(c.Keys, k)
		}), gate.CodeConfig, []string{"same key pair"}},
		{"no worker", set(func(c *hsm.Config) { c.Command = nil }), gate.CodeConfig, []string{"Command"}},
		{"worker that does not start", set(func(c *hsm.Config) { c.Command = []string{"/nonexistent"} }), gate.CodeKeyUnavailable,
			[]string{"cannot be started"}},
		{"worker that ends at once", set(func(c *hsm.Config) { c.Command = []string{"/bin/true"} }), gate.CodeKeyUnavailable,
			[]string{"did not get ready"}},
		{"worker that speaks otherwise", set(func(c *hsm.Config) { c.Command = []string{"/bin/echo", "hello there"} }),
			gate.CodeKeyUnavailable, []string{"did not get ready"}},
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range startFaults() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			tok := hsmtest.NewToken(t)
			c := hsmtest.Config(t, tok, tok.Pin(t, "acme-release", 1))
			c.Workers = 2
			row.edit(t, tok, &c)
			mustNotStart(t, c, row.code, row.says...)
		})
	}
}

// mustNotStart wants one clear line of this code that holds says, and never the PIN.
func mustNotStart(t *testing.T, c hsm.Config, code gate.Code, says ...string) {
	t.Helper()
	s, err := hsm.Start(t.Context(), c)
	if err == nil {
		s.Close()
		t.Fatal("it started")
	}
	var line string
	if e, ok := err.(*gate.Error); ok { //nolint:errorlint // this very type is promised
		line = e.Error() + "; " + e.Fix
	}
	if gate.CodeOf(err) != code || strings.Contains(line, "\n") {
		t.Errorf("got %v, expected one line with %s", err, code)
	}
	for _, s := range says {
		if !strings.Contains(line, s) {
			t.Errorf("%q does not say %q", line, s)
		}
	}
	if pin, err := os.ReadFile(c.PINFile); err == nil && len(pin) > 6 && strings.Contains(line, strings.TrimSpace(string(pin))) {
		t.Errorf("%q tells the PIN", line)
	}
}

func TestStartNeedsAClock(t *testing.T) {
	t.Parallel()
	mustNotStart(t, hsm.Config{Command: []string{"x"}}, gate.CodeConfig, "clock")
}

// generatePair makes what a careless tool makes: any curve, any id, any number of pairs.
func generatePair(m *pkcs11.Ctx, h pkcs11.SessionHandle, label string, id, curve []byte) error {
	_, _, err := m.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
			pkcs11.NewAttribute(pkcs11.CKA_ID, id), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		})
	return err
}

func curveP256() []byte { return []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} }
func curveP384() []byte { return []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22} }

// crypto11 would sign with the private key of one pair and show the public key of the other.
func TestStartRefusesTwoPairsOfOneLabelAndID(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.Pin(t, "acme-release", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		return generatePair(m, h, pin.Label, pin.ID, curveP256())
	})
	mustNotStart(t, hsmtest.Config(t, tok, pin), gate.CodeKeyMismatch, "found 2 and 2")
}

func TestStartRefusesALostPrivateHalf(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.Pin(t, "acme-release", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		if err := m.FindObjectsInit(h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}); err != nil {
			return err
		}
		found, _, err := m.FindObjects(h, 1)
		if err != nil {
			return err
		}
		if err := m.FindObjectsFinal(h); err != nil {
			return err
		}
		return m.DestroyObject(h, found[0])
	})
	mustNotStart(t, hsmtest.Config(t, tok, pin), gate.CodeKeyMismatch, "found 0 and 1")
}

func TestStartRefusesAnotherCurve(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		return generatePair(m, h, "big", []byte{9}, curveP384())
	})
	pin := hsm.KeyPin{Lineage: "acme-release", Version: 1, Label: "big", ID: []byte{9}, Fingerprint: hsm.Fingerprint(nil)}
	mustNotStart(t, hsmtest.Config(t, tok, pin), gate.CodeKeyMismatch, "neither a P-256 key")
}

func TestAPairOfTheSameIDUnderAnotherLabelIsNoMatter(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.Pin(t, "acme-release", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		return generatePair(m, h, "other", pin.ID, curveP256())
	})
	sign(t, hsmtest.Start(t, hsmtest.Config(t, tok, pin)), 3)
}

func TestPINFileMayEndInCRLF(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.Pin(t, "acme-release", 1)
	if err := os.WriteFile(tok.PINFile, []byte(tok.PIN+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tok.PINFile, 0o400); err != nil {
		t.Fatal(err)
	}
	sign(t, hsmtest.Start(t, hsmtest.Config(t, tok, pin)), 1)
}

// faulty is a token behind the fault module, with one key.
func faulty(t *testing.T) (*hsmtest.Fault, hsm.Config) {
	t.Helper()
	tok := hsmtest.NewToken(t)
	f := hsmtest.NewFault(t, tok)
	return f, f.Wrap(hsmtest.Config(t, tok, tok.Pin(t, "acme-release", 1)))
}

func TestStartRefusesWhatTheModuleBreaks(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		rule string
		code gate.Code
		says string
	}{
		"module does not start":           {"C_Initialize 1 9 ckr 0x30", gate.CodeKeyUnavailable, "does not start"},
		"module does not list":            {"C_GetTokenInfo 1 9 ckr 0x30", gate.CodeKeyUnavailable, "CKR_DEVICE_ERROR"},
		"no session":                      {"C_OpenSession 1 9 ckr 0xB1", gate.CodeKeyUnavailable, "CKR_SESSION_COUNT"},
		"PIN locked":                      {"C_Login 1 9 ckr 0xA4", gate.CodePIN, "refused the PIN"},
		"PIN expired":                     {"C_Login 1 9 ckr 0xA3", gate.CodePIN, "refused the PIN"},
		"no PIN was ever set":             {"C_Login 1 9 ckr 0x102", gate.CodePIN, "no user PIN yet"},
		"token says that it is locked":    {"C_GetTokenInfo 1 99 flags 0x40000", gate.CodePIN, "is locked"},
		"one more try would lock it":      {"C_GetTokenInfo 1 99 flags 0x20000", gate.CodePIN, "none is tried"},
		"self-test does not sign":         {"C_Sign 1 1 ckr 0x30", gate.CodeKeyUnavailable, "CKR_DEVICE_ERROR"},
		"self-test signs something else":  {"C_Sign 1 1 flip", gate.CodeSignatureBad, "does not verify"},
		"module crashes while it logs in": {"C_Login 1 1 crash", gate.CodeKeyUnavailable, "did not get ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := faulty(t)
			f.Set(t, row.rule)
			mustNotStart(t, c, row.code, row.says)
		})
	}
}

func TestStartGivesUpOnAHang(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	f.Set(t, "C_Initialize 1 1 hang")
	c.StartLimit = 300 * time.Millisecond
	mustNotStart(t, c, gate.CodeKeyUnavailable, "did not answer within 300ms")
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	f.Set(t, "C_Initialize 1 1 hang")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, func() bool { return f.Calls(t, "C_Initialize") > 0 })
		cancel()
	}()
	if s, err := hsm.Start(ctx, c); err == nil {
		s.Close()
		t.Error("it started")
	}
}

// What is started does not end with the start's context.
func TestSignerOutlivesTheContextOfItsStart(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := hsm.Start(ctx, hsmtest.Config(t, tok, tok.Pin(t, "acme-release", 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel()
	sign(t, s, 1)
}

// Two SoftHSM processes that start together see this once.
func TestStartRetriesWhatIsNoAttemptAtAPIN(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	f.Set(t, "C_Login 1 1 ckr 0x102")
	sign(t, hsmtest.Start(t, c), 1)
}

func TestStartTriesAWrongPINOnce(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Workers = 4
	c.PINFile = filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(c.PINFile, []byte("not the PIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustNotStart(t, c, gate.CodePIN, "refused the PIN", c.PINFile)
	if n := f.Calls(t, "C_Login"); n != 1 {
		t.Errorf("%d attempts at the PIN, expected 1", n)
	}
}

func TestOrderlyEndFinalizesTheModule(t *testing.T) {
	t.Parallel()
	f, c := faulty(t)
	c.Workers = 2
	s := hsmtest.Start(t, c)
	sign(t, s, 1)
	s.Close()
	if begun, ended := f.Calls(t, "C_Initialize"), f.Calls(t, "C_Finalize"); begun != 4 || ended != begun {
		t.Errorf("%d calls of C_Initialize, %d of C_Finalize; expected 4 of each (two per worker)", begun, ended)
	}
}
