package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxLines is how many webhook secrets are valid at a time: the new one, and the one whose
// place it takes.
const maxLines = 2

// checkLines refuses a webhook secret of which a line is empty: it would prove anything.
func checkLines(s Secret) error {
	lines := s.Lines()
	if len(lines) > maxLines {
		return fmt.Errorf("it has %d lines: expected one secret, or two while one takes the other's place", len(lines))
	}
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			return errors.New("one of its lines is empty: an empty secret protects nothing")
		}
	}
	return nil
}

// webhookSecret reads a webhook secret's file.
func (c *checker) webhookSecret(field, path string) Secret {
	s := c.secret(field, path)
	if err := checkLines(s); err != nil {
		c.problems = append(c.problems, fmt.Sprintf("%s: %s cannot be used: %v", field, path, err))
	}
	return s
}

// secrets are a forge's, each with the place of its new value.
func (f *Forge) secrets() []*Secret {
	return []*Secret{&f.PrivateKey, &f.Token, &f.WebhookSecret, &f.ClientSecret}
}

// SecretFiles are the files of the forge's secrets.
func (f Forge) SecretFiles() []string {
	var out []string
	for _, s := range f.secrets() {
		if s.File() != "" {
			out = append(out, s.File())
		}
	}
	return out
}

// Renewed is the forge with its secrets as their files hold them now, and whether any of
// them changed. Errors, each with every file that cannot be used: CodeConfig.
func (f Forge) Renewed() (Forge, bool, error) {
	changed := false
	var errs []error
	for _, s := range f.secrets() {
		now, err := s.Again()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changed = changed || !s.Same(now)
		*s = now
	}
	if err := checkLines(f.WebhookSecret); err != nil {
		errs = append(errs, fmt.Errorf("%s cannot be used: %w", f.WebhookSecret.File(), err))
	}
	if err := errors.Join(errs...); err != nil {
		return Forge{}, false, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: fmt.Sprintf("a secret of forge %s does not hold", f.Name),
			Fix: "mend the file; until then the old secret is used", Err: err,
		}
	}
	return f, changed, nil
}

// SameCredential reports whether both forges are called with the same credential.
func (f Forge) SameCredential(other Forge) bool {
	return f.PrivateKey.Same(other.PrivateKey) && f.Token.Same(other.Token)
}
