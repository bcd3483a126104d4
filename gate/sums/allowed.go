package sums

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Bounds of an allowed signers file.
const (
	MaxAllowedSigners = 256 << 10 // bytes
	minRSA            = 3072      // bits
)

// AllowedSigners says whose SSH keys count: an OpenSSH allowed signers file (ssh-keygen(1),
// ALLOWED SIGNERS), read by [ParseAllowedSigners]. The zero value allows nobody.
//
// It is stricter than OpenSSH's: a line names one person and no pattern, a key stands in one
// line only, and times are in UTC. So a key is never two people, which counting people needs.
type AllowedSigners struct {
	signers []signer
}

type signer struct {
	principal  string
	key        ssh.PublicKey
	namespaces []string // any where nil
	after      time.Time
	before     time.Time // the zero time where there is none
}

// ParseAllowedSigners reads lines of
//
//	principal [namespaces="a,b"] [valid-after="20060102Z"] [valid-before="20060102150405Z"] key
//
// The keys are Ed25519, ECDSA on P-256 or P-384, either of them on a security key, or RSA of at
// least 3,072 bits. Certificate authorities are refused. Errors name the line.
func ParseAllowedSigners(file []byte) (AllowedSigners, error) {
	if len(file) > MaxAllowedSigners {
		return AllowedSigners{}, fmt.Errorf("read allowed signers: expected at most %d bytes, got %d", MaxAllowedSigners, len(file))
	}
	var out AllowedSigners
	number := 0
	for line := range strings.Lines(string(file)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseSigner(line)
		if err == nil && slices.ContainsFunc(out.signers, func(o signer) bool { return bytes.Equal(o.key.Marshal(), s.key.Marshal()) }) {
			err = errors.New("expected each key once, got one that another line has")
		}
		if err != nil {
			return AllowedSigners{}, fmt.Errorf("read allowed signers: line %d: %w", number, err)
		}
		out.signers = append(out.signers, s)
	}
	return out, nil
}

// Principals are the people named, each once, as the file orders them.
func (a AllowedSigners) Principals() []string {
	var out []string
	for _, s := range a.signers {
		if !slices.Contains(out, s.principal) {
			out = append(out, s.principal)
		}
	}
	return out
}

func parseSigner(line string) (signer, error) {
	principal, rest, _ := strings.Cut(line, " ")
	if err := checkPrincipal(principal); err != nil {
		return signer{}, err
	}
	s := signer{principal: principal}
	rest = strings.TrimLeft(rest, " \t")
	for !startsKey(rest) {
		option, after, err := cutOption(rest)
		if err != nil {
			return signer{}, err
		}
		if err := s.set(option); err != nil {
			return signer{}, err
		}
		rest = after
	}
	var err error
	s.key, err = parseKey(rest)
	return s, err
}

// checkPrincipal: a pattern, or a list, could be several people, or the same one twice.
func checkPrincipal(p string) error {
	if p == "" || len(p) > 255 || strings.ContainsAny(p, "*?!,\"\\") || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("expected one principal without patterns, quotes or commas, got %q", p)
	}
	return nil
}

// startsKey: key types hold hyphens and digits, as no option without a value does.
func startsKey(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	return word == "" || strings.HasPrefix(word, "ssh-") || strings.HasPrefix(word, "ecdsa-") || strings.HasPrefix(word, "sk-")
}

// cutOption takes the options before the next blank, which are joined by commas; values
// stand in double quotes.
func cutOption(s string) (option, rest string, err error) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted:
		case s[i] == ' ', s[i] == '\t':
			return s[:i], strings.TrimLeft(s[i:], " \t"), nil
		case s[i] == ',':
			return s[:i], s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("expected an SSH public key, got %q", clip(s))
}

func (s *signer) set(option string) error {
	name, value, has := strings.Cut(option, "=")
	if has && (len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"') {
		return fmt.Errorf("option %s: expected a value in double quotes, got %q", clip(name), clip(value))
	}
	value = strings.Trim(value, `"`)
	var err error
	switch strings.ToLower(name) {
	case "namespaces":
		s.namespaces = strings.Split(value, ",")
		if slices.ContainsFunc(s.namespaces, func(n string) bool { return n == "" || strings.ContainsAny(n, "*?! ") }) {
			err = fmt.Errorf("option namespaces: expected names without patterns, got %q", clip(value))
		}
	case "valid-after":
		s.after, err = parseTime(name, value)
	case "valid-before":
		s.before, err = parseTime(name, value)
	case "cert-authority":
		err = errors.New("option cert-authority: expected the people's own keys: certificates are not taken")
	default:
		err = fmt.Errorf("expected namespaces, valid-after, valid-before or a key, got %q", clip(name))
	}
	return err
}

// parseTime wants the Z: without it OpenSSH reads the local zone of whoever verifies.
func parseTime(name, value string) (time.Time, error) {
	for _, layout := range []string{"20060102Z", "200601021504Z", "20060102150405Z"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("option %s: expected YYYYMMDD[HHMM[SS]]Z, got %q", name, clip(value))
}

func parseKey(text string) (ssh.PublicKey, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return nil, fmt.Errorf("expected an SSH public key, got %q", clip(text))
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil {
		return nil, fmt.Errorf("expected an SSH public key in base64: %w", err)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return nil, fmt.Errorf("expected an SSH public key: %w", err)
	}
	if key.Type() != fields[0] {
		return nil, fmt.Errorf("expected a key of type %q, got %q", clip(fields[0]), key.Type())
	}
	return key, checkKey(key)
}

// checkKey takes the kinds of key that VerifySSH knows how to hold to.
func checkKey(key ssh.PublicKey) error {
	const expected = "expected Ed25519, ECDSA on P-256 or P-384, or RSA of at least 3072 bits"
	held, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return fmt.Errorf("%s, got %s", expected, key.Type())
	}
	switch public := held.CryptoPublicKey().(type) {
	case ed25519.PublicKey:
		if key.Type() == ssh.KeyAlgoED25519 || key.Type() == ssh.KeyAlgoSKED25519 {
			return nil
		}
	case *ecdsa.PublicKey:
		if key.Type() == ssh.KeyAlgoECDSA256 || key.Type() == ssh.KeyAlgoECDSA384 || key.Type() == ssh.KeyAlgoSKECDSA256 {
			return nil
		}
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSA {
			return fmt.Errorf("%s, got RSA of %d", expected, bits)
		}
		if key.Type() == ssh.KeyAlgoRSA {
			return nil
		}
	}
	return fmt.Errorf("%s, got %s", expected, key.Type())
}

// clip keeps foreign text in errors short.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
