package config

import (
	"crypto/subtle"
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
type Secret struct {
	value *string
	file  string
}

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
	return Secret{value: &value, file: path}, nil
}

// File is where the secret was read; "" for none.
func (s Secret) File() string { return s.file }

// Again reads the secret's file as it is now. The secret of no file stays none.
func (s Secret) Again() (Secret, error) {
	if s.file == "" {
		return s, nil
	}
	now, err := ReadSecret(s.file)
	if err != nil {
		return Secret{}, fmt.Errorf("%s cannot be used: %w", s.file, err)
	}
	return now, nil
}

// Same reports whether two secrets are equal, in a time that tells nothing of them.
func (s Secret) Same(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Lines are the secret's lines: two while one takes the other's place.
func (s Secret) Lines() []string {
	var out []string
	for line := range strings.Lines(s.Reveal()) {
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
	return out
}

// Line is one of the secret's lines, from 0, as a secret of its own; none where there is
// no such line.
func (s Secret) Line(n int) Secret {
	lines := s.Lines()
	if n >= len(lines) {
		return Secret{}
	}
	return Secret{value: &lines[n], file: s.file}
}
