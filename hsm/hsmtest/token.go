package hsmtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// Token is a fresh SoftHSM token with a configuration of its own.
type Token struct {
	Module     string
	TokenLabel string
	PIN        string
	PINFile    string
	// Env is what a process needs to see the token: SOFTHSM2_CONF.
	Env []string

	conf string
}

// NewToken creates a token that goes with the test. Where SoftHSM is not installed the
// test fails, and says how to install it.
func NewToken(t testing.TB) Token {
	t.Helper()
	tok, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Create creates a token in dir: softhsm2.conf, tokens/ and the file pin (0600). The
// PIN is random and shown on no command line; the security officer's is forgotten.
func Create(dir string) (Token, error) {
	path, err := module()
	if err != nil {
		return Token{}, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return Token{}, fmt.Errorf("create token in %s: %w", dir, err)
	}
	t := Token{
		Module: path, TokenLabel: "countersign", PINFile: filepath.Join(dir, "pin"),
		conf: filepath.Join(dir, "softhsm2.conf"),
	}
	t.Env = []string{confVariable + "=" + t.conf}
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return Token{}, fmt.Errorf("create token: %w", err)
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens)
	if err := os.WriteFile(t.conf, []byte(conf), 0o600); err != nil {
		return Token{}, fmt.Errorf("create token: %w", err)
	}
	return t, t.initialize()
}

// initialize makes the token itself, or one more with the same label and PIN.
func (t *Token) initialize() error {
	label := t.TokenLabel
	officer, err := pin()
	if err != nil {
		return err
	}
	if t.PIN == "" {
		if t.PIN, err = pin(); err != nil {
			return err
		}
		if err := os.WriteFile(t.PINFile, []byte(t.PIN+"\n"), 0o600); err != nil {
			return fmt.Errorf("write PIN file: %w", err)
		}
	}
	return loaded(t.conf, t.Module, func(m *pkcs11.Ctx) error {
		slots, err := m.GetSlotList(true)
		if err != nil || len(slots) == 0 {
			return errors.Join(errors.New("list slots"), err)
		}
		free := slots[len(slots)-1] // SoftHSM keeps one uninitialized token, at the end
		if err := m.InitToken(free, officer, label); err != nil {
			return fmt.Errorf("initialize token %q: %w", label, err)
		}
		return session(m, free, pkcs11.CKU_SO, officer, func(h pkcs11.SessionHandle) error {
			return m.InitPIN(h, t.PIN)
		})
	})
}

// find is the slot of the token with that label.
func find(m *pkcs11.Ctx, label string) (uint, error) {
	slots, err := m.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list slots: %w", err)
	}
	for _, slot := range slots {
		info, err := m.GetTokenInfo(slot)
		if err != nil {
			return 0, fmt.Errorf("read token in slot %d: %w", slot, err)
		}
		if info.Label == label {
			return slot, nil
		}
	}
	return 0, fmt.Errorf("no token %q", label)
}

// session calls f in a logged-in session.
func session(m *pkcs11.Ctx, slot, user uint, pin string, f func(h pkcs11.SessionHandle) error) error {
	h, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	if err := m.Login(h, user, pin); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return errors.Join(f(h), m.Logout(h), m.CloseSession(h))
}

// pin is eight random digits.
func pin() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1e8))
	if err != nil {
		return "", fmt.Errorf("draw a PIN: %w", err)
	}
	return fmt.Sprintf("%08d", n), nil
}

// GenerateKey makes a key pair as [hsm.Generate] does.
func (t Token) GenerateKey(ctx context.Context, label string) (k hsm.Key, err error) {
	err = with(t.conf, func() error {
		k, err = hsm.Generate(ctx, hsm.GenerateConfig{
			Module: t.Module, TokenLabel: t.TokenLabel, PINFile: t.PINFile, Label: label,
		})
		return err
	})
	return k, err
}

// ListKeys lists the token's keys as [hsm.List] does.
func (t Token) ListKeys(ctx context.Context) (keys []hsm.Key, err error) {
	err = with(t.conf, func() error {
		keys, err = hsm.List(ctx, hsm.TokenConfig{Module: t.Module, TokenLabel: t.TokenLabel, PINFile: t.PINFile})
		return err
	})
	return keys, err
}

// Pin makes a key pair and pins it as one version of a lineage.
func (t Token) Pin(tb testing.TB, lineage string, version int) hsm.KeyPin {
	tb.Helper()
	k, err := t.GenerateKey(tb.Context(), fmt.Sprintf("%s-v%d", lineage, version))
	if err != nil {
		tb.Fatal(err)
	}
	return hsm.KeyPin{Lineage: lineage, Version: version, Label: k.Label, ID: k.ID, Fingerprint: k.Fingerprint}
}

// Twin initializes a second token with the same label and PIN beside the first.
func (t Token) Twin(tb testing.TB) {
	tb.Helper()
	if err := t.initialize(); err != nil {
		tb.Fatal(err)
	}
}

// Do calls f in a logged-in session, for what no tool of ours does to a token.
func (t Token) Do(tb testing.TB, f func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error) {
	tb.Helper()
	err := loaded(t.conf, t.Module, func(m *pkcs11.Ctx) error {
		slot, err := find(m, t.TokenLabel)
		if err != nil {
			return err
		}
		return session(m, slot, pkcs11.CKU_USER, t.PIN, func(h pkcs11.SessionHandle) error { return f(m, h) })
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// GenerateAuthority makes the gate's own keys as [hsm.GenerateAuthority] does.
func (t Token) GenerateAuthority(ctx context.Context, prefix string) (keys []hsm.Key, err error) {
	err = with(t.conf, func() error {
		keys, err = hsm.GenerateAuthority(ctx, hsm.TokenConfig{Module: t.Module, TokenLabel: t.TokenLabel, PINFile: t.PINFile}, prefix)
		return err
	})
	return keys, err
}

// PinAuthority makes the gate's own keys and pins them: the log's is Ed25519, and each
// lineage is called as its purpose.
func (t Token) PinAuthority(tb testing.TB) []hsm.KeyPin {
	tb.Helper()
	keys, err := t.GenerateAuthority(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	var pins []hsm.KeyPin
	for _, k := range keys {
		pins = append(pins, hsm.KeyPin{
			Lineage: string(k.Purpose), Version: 1, Purpose: k.Purpose, Label: k.Label, ID: k.ID, Fingerprint: k.Fingerprint,
		})
	}
	return pins
}

// PinPurpose makes a key pair of that type and pins it as version 1 of the purpose's lineage.
func (t Token) PinPurpose(tb testing.TB, p gate.Purpose, typ hsm.KeyType) hsm.KeyPin {
	tb.Helper()
	var k hsm.Key
	err := with(t.conf, func() (err error) {
		k, err = hsm.Generate(tb.Context(), hsm.GenerateConfig{
			Module: t.Module, TokenLabel: t.TokenLabel, PINFile: t.PINFile, Label: string(p) + "-1", Purpose: p, Type: typ,
		})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return hsm.KeyPin{Lineage: string(p), Version: 1, Purpose: p, Label: k.Label, ID: k.ID, Fingerprint: k.Fingerprint}
}
