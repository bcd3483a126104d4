package hsm

import (
	"fmt"
	"os"
	"time"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"
)

// token is one token, logged in. crypto11 signs; what it cannot say (which objects
// match a label and id, and how many) the module answers itself, in a session of
// our own: the login is the process's.
type token struct {
	label   string
	slot    slot
	crypto  *crypto11.Context
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
}

// openToken logs in. It tries a PIN once. No two tokens may be open in one process:
// crypto11 then checks no PIN, and finalizes the module under the other one where
// the second does not open.
func openToken(module, label, pinFile string) (*token, error) {
	if module == "" || label == "" {
		return nil, configFault("a token needs the path of its PKCS#11 module and its label", "set both")
	}
	if _, err := os.Stat(module); err != nil {
		return nil, tokenFault(fmt.Sprintf("PKCS#11 module %s of token %q cannot be read", module, label),
			"install the device's module (SoftHSM: apt install softhsm2) or correct its path", err)
	}
	pin, err := readPIN(label, pinFile)
	if err != nil {
		return nil, err
	}
	if err := preflight(module, label); err != nil {
		return nil, err
	}
	t := &token{label: label}
	if t.crypto, err = login(module, label, pin, pinFile); err != nil {
		return nil, err
	}
	if err := t.openSession(module); err != nil {
		_ = t.crypto.Close() // what opening met is what counts
		return nil, err
	}
	return t, nil
}

// preflight finds the token before crypto11 does, and lets go of the module again.
func preflight(module, label string) error {
	m := pkcs11.New(module)
	if m == nil {
		return tokenFault(fmt.Sprintf("%s is no PKCS#11 module that loads here, for token %q", module, label), "correct its path", nil)
	}
	defer m.Destroy()
	if err := m.Initialize(); err != nil {
		return tokenFault(fmt.Sprintf("PKCS#11 module %s of token %q does not start", module, label), "check the module's own configuration", err)
	}
	_, err := findSlot(m, label)
	if end := m.Finalize(); err == nil && end != nil {
		return fmt.Errorf("finalize %s: %w", module, end)
	}
	return err
}

// raceDelay is how long the other process of two that start together may need.
const raceDelay = 200 * time.Millisecond

// login opens crypto11's context. Two SoftHSM processes that start together can see
// CKR_USER_PIN_NOT_INITIALIZED once; that is no attempt at a PIN.
func login(module, label, pin, pinFile string) (*crypto11.Context, error) {
	configure := func() (*crypto11.Context, error) {
		// One session to stay logged in and one to sign: a worker does one thing at a time.
		return crypto11.Configure(&crypto11.Config{Path: module, TokenLabel: label, Pin: pin, MaxSessions: 2})
	}
	c, err := configure()
	if isCode(err, pkcs11.CKR_USER_PIN_NOT_INITIALIZED) {
		time.Sleep(raceDelay)
		c, err = configure()
	}
	switch {
	case err == nil:
		return c, nil
	case pinRefused(err):
		return nil, pinFault(fmt.Sprintf("token %q refused the PIN in %s; it is not tried again", label, pinFile),
			"correct the file, then start again", err)
	case isCode(err, pkcs11.CKR_USER_PIN_NOT_INITIALIZED):
		return nil, pinFault(fmt.Sprintf("token %q has no user PIN yet", label), "set one (pkcs11-tool --init-pin)", err)
	}
	return nil, tokenFault(fmt.Sprintf("token %q does not open", label), "check the device", err)
}

func (t *token) openSession(module string) error {
	if t.module = pkcs11.New(module); t.module == nil {
		return tokenFault(fmt.Sprintf("%s does not load twice", module), "check the module", nil)
	}
	var err error
	if t.slot, err = findSlot(t.module, t.label); err == nil {
		t.session, err = t.module.OpenSession(t.slot.id, pkcs11.CKF_SERIAL_SESSION)
	}
	if err != nil {
		t.module.Destroy()
		return fmt.Errorf("open session on token %q: %w", t.label, err)
	}
	return nil
}

// Close logs out and finalizes the module: one that a process leaves without that may
// leak what it holds in the device.
func (t *token) Close() error {
	err := t.module.CloseSession(t.session)
	t.module.Destroy()
	if end := t.crypto.Close(); end != nil {
		return fmt.Errorf("close token %q: %w", t.label, end)
	}
	if err != nil {
		return fmt.Errorf("close session on token %q: %w", t.label, err)
	}
	return nil
}
