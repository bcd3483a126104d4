package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxSecret bounds a secret's file, in bytes.
const maxSecret = 64 << 10

// Secret is a value that is never printed: not by fmt, JSON, YAML or slog. It lies
// behind a pointer because fmt looks into unexported fields of other types without
// asking their methods: it then finds an address.
type Secret struct{ value *string }

const redacted = "[redacted]"

// String never tells.
func (Secret) String() string { return redacted }

// Format never tells, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText never tells.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal gives the value to whoever has to use it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// ReadSecret reads a secret from a file that only its owner may read, and drops one
// trailing line end.
func ReadSecret(path string) (Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Secret{}, reason(err)
	}
	if !info.Mode().IsRegular() {
		return Secret{}, errors.New("it is no regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Secret{}, fmt.Errorf("others may read it (mode %04o): chmod 600 %s", mode, path)
	}
	b, err := read(path, maxSecret)
	if err != nil {
		return Secret{}, err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if strings.TrimSpace(value) == "" {
		return Secret{}, errors.New("it is empty: an empty secret protects nothing")
	}
	return Secret{value: &value}, nil
}
