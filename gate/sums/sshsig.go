package sums

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// MaxSSHSignature bounds an armored SSHSIG, in bytes: one by an RSA key of 16,384 bits has
// about 6,000.
const MaxSSHSignature = 16 << 10

const (
	sshMagic   = "SSHSIG"
	sshVersion = 1
	sshBegin   = "-----BEGIN SSH SIGNATURE-----"
	sshEnd     = "-----END SSH SIGNATURE-----"
	sshColumns = 70 // as ssh-keygen breaks lines
)

// envelope is an SSHSIG's blob after its magic (OpenSSH PROTOCOL.sshsig).
type envelope struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// signedSSH is what the key signs, after the magic.
type signedSSH struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// VerifySSH checks an armored SSHSIG over a message, made for the namespace at the time at,
// and says who of those allowed made it. It reads what `ssh-keygen -Y sign` writes.
//
// A key that is not listed, not for this namespace, or not valid at that time is refused,
// and so are RSA signatures with SHA-1.
func VerifySSH(message, sig []byte, namespace string, allowed AllowedSigners, at time.Time) (principal string, err error) {
	e, err := parseSSH(sig)
	if err != nil {
		return "", err
	}
	if e.Namespace != namespace || namespace == "" {
		return "", fmt.Errorf("verify SSH signature: expected one made for namespace %q, got %q", namespace, clip(e.Namespace))
	}
	var digest []byte
	switch e.Hash {
	case "sha256":
		sum := sha256.Sum256(message)
		digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(message)
		digest = sum[:]
	default:
		return "", fmt.Errorf("verify SSH signature: expected hash sha256 or sha512, got %q", clip(e.Hash))
	}
	by, err := allowed.find(e.PublicKey, namespace, at)
	if err != nil {
		return "", err
	}
	var s ssh.Signature
	if err := ssh.Unmarshal(e.Signature, &s); err != nil {
		return "", errors.New("verify SSH signature: expected an algorithm and a signature in it, got something else")
	}
	if err := checkRest(by.key, s.Rest); err != nil {
		return "", err
	}
	if !slices.Contains(algorithms(by.key), s.Format) {
		return "", fmt.Errorf("verify SSH signature: expected one by %s, got %q", strings.Join(algorithms(by.key), " or "), clip(s.Format))
	}
	signed := append([]byte(sshMagic), ssh.Marshal(signedSSH{Namespace: e.Namespace, Hash: e.Hash, Digest: digest})...)
	if err := by.key.Verify(signed, &s); err != nil {
		return "", fmt.Errorf("verify SSH signature: it is not by the key %s of %s over this message", ssh.FingerprintSHA256(by.key), by.principal)
	}
	return by.principal, nil
}

// checkRest looks at what stands behind a signature: nothing, but for security keys, whose
// flags and counter (OpenSSH PROTOCOL.u2f) have to say that somebody touched the key.
func checkRest(key ssh.PublicKey, rest []byte) error {
	const flagsAndCounter, touched = 1 + 4, 1
	switch {
	case !securityKey(key) && len(rest) > 0, securityKey(key) && len(rest) != flagsAndCounter:
		return errors.New("verify SSH signature: expected an algorithm and a signature in it, got more or less")
	case securityKey(key) && rest[0]&touched == 0:
		return errors.New("verify SSH signature: expected that somebody touched the security key, and nobody did")
	}
	return nil
}

func securityKey(key ssh.PublicKey) bool {
	return key.Type() == ssh.KeyAlgoSKED25519 || key.Type() == ssh.KeyAlgoSKECDSA256
}

// algorithms are those by which a key may have signed.
func algorithms(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	}
	return []string{key.Type()}
}

func (a AllowedSigners) find(blob []byte, namespace string, at time.Time) (signer, error) {
	i := slices.IndexFunc(a.signers, func(s signer) bool { return bytes.Equal(s.key.Marshal(), blob) })
	if i < 0 {
		sum := sha256.Sum256(blob)
		return signer{}, fmt.Errorf("verify SSH signature: key SHA256:%s is not among the allowed signers", base64.RawStdEncoding.EncodeToString(sum[:]))
	}
	s := a.signers[i]
	switch {
	case s.namespaces != nil && !slices.Contains(s.namespaces, namespace):
		return signer{}, fmt.Errorf("verify SSH signature: the key of %s is allowed for namespaces %s, not for %q", s.principal, strings.Join(s.namespaces, ", "), namespace)
	case !s.after.IsZero() && at.Before(s.after):
		return signer{}, fmt.Errorf("verify SSH signature: the key of %s is valid from %s", s.principal, s.after.Format(time.RFC3339))
	case !s.before.IsZero() && !at.Before(s.before):
		return signer{}, fmt.Errorf("verify SSH signature: the key of %s was valid until %s", s.principal, s.before.Format(time.RFC3339))
	}
	return s, nil
}

// parseSSH reads the armor and the envelope within.
func parseSSH(armored []byte) (envelope, error) {
	if len(armored) > MaxSSHSignature {
		return envelope{}, fmt.Errorf("read SSH signature: expected at most %d bytes, got %d", MaxSSHSignature, len(armored))
	}
	text := strings.TrimSpace(string(armored))
	body, begins := strings.CutPrefix(text, sshBegin)
	body, ends := strings.CutSuffix(body, sshEnd)
	if !begins || !ends {
		return envelope{}, fmt.Errorf("read SSH signature: expected %s … %s", sshBegin, sshEnd)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return envelope{}, fmt.Errorf("read SSH signature: expected base64: %w", err)
	}
	rest, ok := bytes.CutPrefix(blob, []byte(sshMagic))
	if !ok {
		return envelope{}, fmt.Errorf("read SSH signature: expected it to begin with %s", sshMagic)
	}
	var e envelope
	if err := ssh.Unmarshal(rest, &e); err != nil {
		return envelope{}, fmt.Errorf("read SSH signature: %w", err)
	}
	if e.Version != sshVersion {
		return envelope{}, fmt.Errorf("read SSH signature: expected version %d, got %d", sshVersion, e.Version)
	}
	return e, nil
}

// armorSSH writes an envelope as ssh-keygen does.
func armorSSH(e envelope) []byte {
	text := base64.StdEncoding.EncodeToString(append([]byte(sshMagic), ssh.Marshal(e)...))
	var b bytes.Buffer
	b.WriteString(sshBegin + "\n")
	for chunk := range slices.Chunk([]byte(text), sshColumns) {
		b.Write(chunk)
		b.WriteByte('\n')
	}
	b.WriteString(sshEnd + "\n")
	return b.Bytes()
}
