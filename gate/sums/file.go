package sums

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"github.com/countersign/countersign/gate"
)

// Names of the files.
const (
	RawName            = "SHA256SUMS.sig"    // DER: openssl dgst -sha256 -verify
	SSHName            = "SHA256SUMS.sshsig" // ssh-keygen -Y verify -n file
	AllowedSignersName = "countersign.allowed_signers"
	OpenPGPName        = "SHA256SUMS.asc"  // gpg --verify
	OpenPGPKeyName     = "countersign.asc" // gpg --import
)

// File is one file to put beside SHA256SUMS.
type File struct {
	Name    string
	Content []byte
}

// Names are all names that a release may have of this package: none of its subjects may have
// one.
func Names() []string {
	return []string{RawName, SSHName, AllowedSignersName, OpenPGPName, OpenPGPKeyName}
}

// Files makes files of what a key signed for [Parts]: those of the intents over SHA256SUMS;
// others are left aside. Each signature is verified, over the bytes that follow from the
// manifest. An OpenPGP signature and the key's certification come together or not at all.
func Files(m gate.Manifest, signed []gate.SignedIntent, user string) ([]File, error) {
	by := map[gate.Format]gate.SignedIntent{}
	for _, s := range signed {
		if s.Intent.Kind != gate.IntentSums {
			continue
		}
		if _, twice := by[gate.Format(s.Intent.Name)]; twice {
			return nil, fmt.Errorf("files of SHA256SUMS: expected one signature as %s, got a second", clip(s.Intent.Name))
		}
		by[gate.Format(s.Intent.Name)] = s
	}
	if len(by) == 0 {
		return nil, nil
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	var out []File
	for _, f := range []gate.Format{gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP} {
		s, ok := by[f]
		if !ok {
			continue
		}
		files, err := filesAs(f, m, s, by[gate.FormatOpenPGPKey], user)
		if err != nil {
			return nil, fmt.Errorf("files of SHA256SUMS: %s: %w", f, err)
		}
		out = append(out, files...)
		delete(by, f)
		if f == gate.FormatOpenPGP {
			delete(by, gate.FormatOpenPGPKey)
		}
	}
	for f := range by {
		return nil, fmt.Errorf("files of SHA256SUMS: expected raw, ssh, or openpgp with its key, got %q alone", clip(string(f)))
	}
	return out, nil
}

func filesAs(f gate.Format, m gate.Manifest, s, certified gate.SignedIntent, user string) ([]File, error) {
	p, err := newPublic(s.Intent.Key)
	if err != nil {
		return nil, err
	}
	r, sv, err := p.signedOver(m, s)
	if err != nil {
		return nil, err
	}
	switch f {
	case gate.FormatSSH:
		return p.sshFiles(m, r, sv, user)
	case gate.FormatOpenPGP:
		if !slices.Equal(certified.Intent.Key.SPKI, s.Intent.Key.SPKI) {
			return nil, fmt.Errorf("expected the certification of key %s version %d with it", s.Intent.Key.Lineage, s.Intent.Key.Version)
		}
		return p.pgpFiles(m, s, certified)
	default:
		return []File{{RawName, slices.Clone(s.Signature.Bytes)}}, nil
	}
}

// signedOver checks an intent's signature over what the manifest makes of it.
func (p public) signedOver(m gate.Manifest, s gate.SignedIntent) (r, sv *big.Int, err error) {
	digest, err := gate.SumsDigest(gate.Format(s.Intent.Name), m, s.Intent.Payload)
	if err != nil {
		return nil, nil, err
	}
	if digest != s.Intent.Digest {
		return nil, nil, fmt.Errorf("intent %s is over digest %s, SHA256SUMS gives %s", s.Intent.ID, s.Intent.Digest, digest)
	}
	return p.verify(digest, s.Signature.Bytes)
}

func (p public) sshFiles(m gate.Manifest, r, s *big.Int, user string) ([]File, error) {
	blob := ssh.Marshal(struct{ R, S *big.Int }{r, s}) // RFC 5656, 3.1.2
	sig := armorSSH(envelope{
		Version: sshVersion, PublicKey: p.ssh.Marshal(), Namespace: gate.SSHNamespace, Hash: "sha512",
		Signature: ssh.Marshal(ssh.Signature{Format: ssh.KeyAlgoECDSA256, Blob: blob}),
	})
	allowed := fmt.Appendf(nil, "%s namespaces=%q %s %s\n", user, gate.SSHNamespace, p.ssh.Type(), base64.StdEncoding.EncodeToString(p.ssh.Marshal()))
	// What leaves the gate verifies, with the very file that goes out beside it.
	signers, err := ParseAllowedSigners(allowed)
	if err != nil {
		return nil, err
	}
	if _, err := VerifySSH(m.Bytes(), sig, gate.SSHNamespace, signers, time.Time{}); err != nil {
		return nil, err
	}
	return []File{{SSHName, sig}, {AllowedSignersName, allowed}}, nil
}

func (p public) pgpFiles(m gate.Manifest, s, certified gate.SignedIntent) ([]File, error) {
	if _, _, err := p.signedOver(m, certified); err != nil {
		return nil, err
	}
	named, message, err := p.splitCertification(certified.Intent.Payload)
	if err != nil {
		return nil, err
	}
	at, err := p.documentTime(s.Intent.Payload)
	if err != nil {
		return nil, err
	}
	certification, _, err := p.pgpSignature(certifies(), message, certified.Signature.Bytes)
	if err != nil {
		return nil, err
	}
	signature, _, err := p.pgpSignature(signs(at), m.Bytes(), s.Signature.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := p.pgpKey()
	if err != nil {
		return nil, err
	}
	var packets bytes.Buffer
	if err := errors.Join(key.Serialize(&packets), packet.NewUserId(named, "", "").Serialize(&packets)); err != nil {
		return nil, fmt.Errorf("write OpenPGP key: %w", err)
	}
	packets.Write(certification)
	sig, err := armored("PGP SIGNATURE", signature)
	if err != nil {
		return nil, err
	}
	pub, err := armored("PGP PUBLIC KEY BLOCK", packets.Bytes())
	if err != nil {
		return nil, err
	}
	// What leaves the gate verifies, with the very key that goes out beside it.
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(pub))
	if err != nil {
		return nil, fmt.Errorf("read OpenPGP key again: %w", err)
	}
	config := &packet.Config{Time: func() time.Time { return at }}
	if _, err := openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(m.Bytes()), bytes.NewReader(sig), config); err != nil {
		return nil, fmt.Errorf("verify OpenPGP signature again: %w", err)
	}
	return []File{{OpenPGPName, sig}, {OpenPGPKeyName, pub}}, nil
}
