package hsmtest

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/miekg/pkcs11"
)

// environment guards the process's environment and the one SoftHSM that can be loaded
// into it: the module learns from SOFTHSM2_CONF alone which tokens are its own.
var environment sync.Mutex

const confVariable = "SOFTHSM2_CONF"

// module finds SoftHSM where distributions put it.
func module() (string, error) {
	for _, path := range []string{
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("SoftHSM is not installed; install it with: apt-get install -y softhsm2")
}

// with calls f while this process sees the tokens of conf and nobody else uses them.
func with(conf string, f func() error) error {
	environment.Lock()
	defer environment.Unlock()
	before, had := os.LookupEnv(confVariable)
	if err := os.Setenv(confVariable, conf); err != nil {
		return fmt.Errorf("set %s: %w", confVariable, err)
	}
	err := f()
	if had {
		return errors.Join(err, os.Setenv(confVariable, before))
	}
	return errors.Join(err, os.Unsetenv(confVariable))
}

// loaded calls f with SoftHSM initialized.
func loaded(conf, path string, f func(m *pkcs11.Ctx) error) error {
	return with(conf, func() error {
		m := pkcs11.New(path)
		if m == nil {
			return fmt.Errorf("load %s: it is no PKCS#11 module", path)
		}
		defer m.Destroy()
		if err := m.Initialize(); err != nil {
			return fmt.Errorf("initialize %s: %w", path, err)
		}
		return errors.Join(f(m), m.Finalize())
	})
}
