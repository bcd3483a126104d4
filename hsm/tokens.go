package hsm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
)

// TokenInfo is a token as it shows itself to anybody, without a PIN.
type TokenInfo struct {
	Label        string `json:"label"`
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	// Software is true where the token keeps its keys in files.
	Software bool `json:"software"`
	// Problem says why releases cannot be signed with it; "" where they can.
	Problem string `json:"problem,omitempty"`
}

// Tokens lists the initialized tokens of a module. Like [Generate] it loads the module into
// this process. Errors: CodeKeyUnavailable where the module cannot be used.
func Tokens(ctx context.Context, module string) ([]TokenInfo, error) {
	out := []TokenInfo{}
	err := withModule(ctx, module, func(m *pkcs11.Ctx) error {
		ids, err := m.GetSlotList(true)
		if err != nil {
			return fmt.Errorf("list slots: %w", err)
		}
		for _, id := range ids {
			info, err := m.GetTokenInfo(id)
			if err != nil {
				return fmt.Errorf("read token in slot %d: %w", id, err)
			}
			if info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
				continue
			}
			s := slot{id: id, info: info}
			t := TokenInfo{Label: info.Label, Manufacturer: info.ManufacturerID, Model: info.Model, Software: s.software()}
			if t.Problem, err = unfit(m, s); err != nil {
				return err
			}
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

// unfit says what a token lacks to make and use P-256 keys.
func unfit(m *pkcs11.Ctx, s slot) (string, error) {
	list, err := m.GetMechanismList(s.id)
	if err != nil {
		return "", fmt.Errorf("list mechanisms of token %q: %w", s.info.Label, err)
	}
	for _, need := range []struct {
		mechanism uint
		name      string
	}{{pkcs11.CKM_ECDSA, "CKM_ECDSA"}, {pkcs11.CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"}} {
		if !slices.ContainsFunc(list, func(h *pkcs11.Mechanism) bool { return h.Mechanism == need.mechanism }) {
			return "it has no " + need.name, nil
		}
	}
	if s.info.Flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0 {
		return "it has no user PIN", nil
	}
	if locked := checkFlags(s); locked != nil {
		return locked.Error(), nil //nolint:nilerr // that it is locked is what is told
	}
	return "", nil
}

// InitSoftHSM makes a token of a SoftHSM module, with PINs of its own: the user's in
// PINFile, the security officer's beside it, both 0600 and used as they are where they exist.
// It refuses every other module: a device is initialized with its vendor's tools. Errors:
// CodeConfig of kind Conflict where the label is taken.
func InitSoftHSM(ctx context.Context, c TokenConfig) error {
	if c.TokenLabel == "" || c.PINFile == "" {
		return configFault("a new token needs a label and a PIN file", "set both")
	}
	return withModule(ctx, c.Module, func(m *pkcs11.Ctx) error {
		info, err := m.GetInfo()
		if err != nil {
			return fmt.Errorf("read module %s: %w", c.Module, err)
		}
		if !strings.Contains(strings.ToLower(info.ManufacturerID), "softhsm") {
			return configFault(fmt.Sprintf("%s is no SoftHSM but of %q", c.Module, info.ManufacturerID), "initialize the device with its vendor's tools")
		}
		free, err := freeSlot(m, c.TokenLabel)
		if err != nil {
			return err
		}
		officer, err := ownPIN(c.TokenLabel, c.PINFile+officerSuffix)
		if err != nil {
			return err
		}
		user, err := ownPIN(c.TokenLabel, c.PINFile)
		if err != nil {
			return err
		}
		return initToken(m, free, c.TokenLabel, officer, user)
	})
}

// officerSuffix is what the file with the security officer's PIN has behind its name. It is
// needed to unlock the token, never by the server.
const officerSuffix = ".officer"

func freeSlot(m *pkcs11.Ctx, label string) (uint, error) {
	ids, err := m.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list slots: %w", err)
	}
	var free []uint
	for _, id := range ids {
		info, err := m.GetTokenInfo(id)
		if err != nil {
			return 0, fmt.Errorf("read token in slot %d: %w", id, err)
		}
		switch {
		case info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0:
			free = append(free, id)
		case info.Label == label:
			return 0, &gate.Error{
				Kind: gate.Conflict, Code: gate.CodeConfig, Text: fmt.Sprintf("there is a token with the label %q already", label),
				Fix: "use it, or choose another label",
			}
		}
	}
	if len(free) == 0 {
		return 0, tokenFault("the module has no free slot", "check SoftHSM's own configuration", nil)
	}
	return free[len(free)-1], nil
}

// ownPIN is the PIN in a file, which is made with a new one where there is none.
func ownPIN(label, path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return readPIN(label, path)
	}
	if err != nil {
		return "", pinFault(fmt.Sprintf("PIN file %s of token %q cannot be made", path, label), "let this account write there", err)
	}
	const digits = 16
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return "", errors.Join(fmt.Errorf("draw a PIN: %w", err), f.Close())
	}
	pin := fmt.Sprintf("%0*d", digits, n)
	if _, err := fmt.Fprintln(f, pin); err != nil {
		return "", errors.Join(fmt.Errorf("write PIN file %s: %w", path, err), f.Close())
	}
	return pin, f.Close()
}

func initToken(m *pkcs11.Ctx, id uint, label, officer, user string) error {
	const fix = "let this account write where SoftHSM keeps its tokens (directories.tokendir), or set SOFTHSM2_CONF"
	if err := m.InitToken(id, officer, label); err != nil {
		return tokenFault(fmt.Sprintf("token %q cannot be made", label), fix, err)
	}
	h, err := m.OpenSession(id, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return tokenFault(fmt.Sprintf("token %q does not open", label), fix, err)
	}
	defer func() { _ = m.CloseSession(h) }() // the module is finalized next
	if err := m.Login(h, pkcs11.CKU_SO, officer); err != nil {
		return tokenFault(fmt.Sprintf("token %q does not open for its security officer", label), fix, err)
	}
	if err := m.InitPIN(h, user); err != nil {
		return tokenFault(fmt.Sprintf("the PIN of token %q cannot be set", label), fix, err)
	}
	return nil
}

// withModule calls f with a module that is initialized.
func withModule(ctx context.Context, path string, f func(m *pkcs11.Ctx) error) error {
	if err := context.Cause(ctx); err != nil {
		return unavailable("given up before the module was loaded", err)
	}
	if _, err := os.Stat(path); err != nil {
		return tokenFault(fmt.Sprintf("PKCS#11 module %s cannot be read", path), "install the device's module (SoftHSM: apt install softhsm2) or correct its path", err)
	}
	m := pkcs11.New(path)
	if m == nil {
		return tokenFault(path+" is no PKCS#11 module that loads here", "correct its path", nil)
	}
	defer m.Destroy()
	if err := m.Initialize(); err != nil {
		return tokenFault("PKCS#11 module "+path+" does not start", "check the module's own configuration", err)
	}
	err := f(m)
	if end := m.Finalize(); err == nil && end != nil {
		return fmt.Errorf("finalize %s: %w", path, end)
	}
	return err
}
