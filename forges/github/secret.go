package github

import "fmt"

// Secret is a value that is never printed: not by fmt, JSON, YAML or slog. It lies behind a
// pointer because fmt looks into unexported fields of other types without asking their
// methods: it then finds an address.
type Secret struct{ value *string }

const redacted = "[redacted]"

// String never tells.
func (Secret) String() string { return redacted }

// Format never tells, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) } // nobody to tell

// MarshalText never tells.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal gives the value to whoever has to use it, "" where there is none.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}
