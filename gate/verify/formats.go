package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/sums"
)

// formats checks the other signatures over SHA256SUMS that are there: all by the key that
// signed the release, whatever key lies beside them.
func (r *releasing) formats(s *tree, text []byte) {
	for _, f := range []struct {
		name, what string
		check      func(text, signature []byte) error
	}{
		{sums.RawName, "a raw signature", func(text, sig []byte) error { return r.key.key.Verify(gate.SHA256(text), sig) }},
		{sums.SSHName, "an SSH signature", r.ssh},
		{sums.OpenPGPName, "an OpenPGP signature", r.openPGP},
	} {
		if !r.files.has(f.name) {
			continue
		}
		signature, err := r.files.read(f.name)
		if err == nil {
			err = f.check(text, signature)
		}
		s.check(f.name, err, "%s by the same key", f.what)
	}
}

func (r *releasing) ssh(text, signature []byte) error {
	public, err := r.ecdsa()
	if err != nil {
		return err
	}
	wire, err := ssh.NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("encode SSH key: %w", err)
	}
	line := fmt.Sprintf("release namespaces=%q %s %s\n", gate.SSHNamespace, wire.Type(), base64.StdEncoding.EncodeToString(wire.Marshal()))
	allowed, err := sums.ParseAllowedSigners([]byte(line))
	if err != nil {
		return err
	}
	if _, err = sums.VerifySSH(text, signature, gate.SSHNamespace, allowed, time.Time{}); err != nil {
		return err
	}
	r.files.seen[sums.AllowedSignersName] = r.files.has(sums.AllowedSignersName)
	return nil
}

// openPGP takes the key block from beside the signature: its key has to be the release's.
func (r *releasing) openPGP(text, signature []byte) error {
	public, err := r.ecdsa()
	if err != nil {
		return err
	}
	block, err := r.files.read(sums.OpenPGPKeyName)
	if err != nil {
		return err
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(block))
	if err != nil || len(ring) != 1 {
		return fmt.Errorf("%s: expected one OpenPGP key, got %d (%w)", sums.OpenPGPKeyName, len(ring), err)
	}
	point, err := public.Bytes()
	if err != nil {
		return fmt.Errorf("encode public key: %w", err)
	}
	var body bytes.Buffer
	if err := ring[0].PrimaryKey.SerializeForHash(&body); err != nil || len(ring[0].Subkeys) > 0 || !bytes.HasSuffix(body.Bytes(), point) {
		return fmt.Errorf("%s: expected the release's key %s alone, got another", sums.OpenPGPKeyName, r.key.Hint())
	}
	// When it was made the timestamps prove; here the signature's own word will do.
	var made time.Time
	if r.facts.Signed != nil {
		made = *r.facts.Signed
	} else {
		made, _ = time.Parse(time.RFC3339, r.vsa.Predicate.TimeVerified)
	}
	const skew = 24 * time.Hour
	config := &packet.Config{Time: func() time.Time { return made.Add(skew) }}
	if _, err := openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(signature), config); err != nil {
		return fmt.Errorf("it is not by the release's key over this file: %w", err)
	}
	return nil
}

func (r *releasing) ecdsa() (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(r.key.key.SPKI())
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("read public key: expected ECDSA")
	}
	return public, nil
}
