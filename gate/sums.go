package gate

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
)

// Format is a form in which a release's signatures are handed out.
type Format string

// Formats. Sigstore bundles are always there; the others sign the release's SHA256SUMS, but
// for DSSE, which is the same statements without a bundle around them.
const (
	FormatSigstore Format = "sigstore"
	FormatDSSE     Format = "dsse"
	FormatRaw      Format = "raw"     // DER ECDSA over the file: openssl dgst -verify
	FormatSSH      Format = "ssh"     // SSHSIG: ssh-keygen -Y verify
	FormatOpenPGP  Format = "openpgp" // detached, RFC 4880: gpg --verify
)

// FormatOpenPGPKey is no format that a policy names: the release key's signature on its own
// OpenPGP user id, without which gpg does not take the key in.
const FormatOpenPGPKey Format = "openpgp-key"

// SSHNamespace is the namespace of SSHSIGs over SHA256SUMS, as ssh-keygen -n takes it.
const SSHNamespace = "file"

// MaxSumsPayload bounds what a format adds to what gets signed, in bytes.
const MaxSumsPayload = 4 << 10

// SumsDigest is the SHA-256 that a key signs for a manifest in a format.
//
//	raw          SHA256SUMS
//	ssh          "SSHSIG" namespace "" "sha512" SHA-512(SHA256SUMS)  (OpenSSH PROTOCOL.sshsig)
//	openpgp      SHA256SUMS, then payload: the signature's hashed part and trailer (RFC 4880, 5.2.4)
//	openpgp-key  payload: the key packet, the user id, the hashed part and trailer
func SumsDigest(f Format, m Manifest, payload []byte) (Digest, error) {
	if len(payload) > MaxSumsPayload {
		return Digest{}, fmt.Errorf("sign SHA256SUMS as %s: expected at most %d bytes around it, got %d", f, MaxSumsPayload, len(payload))
	}
	switch f {
	case FormatRaw:
		return SHA256(m.Bytes()), noPayload(f, payload)
	case FormatSSH:
		return SHA256(SSHPreimage(m)), noPayload(f, payload)
	case FormatOpenPGP:
		// A document signature of version 4, by type and version: no certification.
		if !bytes.HasPrefix(payload, []byte{4, 0}) {
			return Digest{}, errors.New("sign SHA256SUMS as openpgp: expected the hashed part of a version 4 signature over a document")
		}
		return SHA256(append(m.Bytes(), payload...)), nil
	case FormatOpenPGPKey:
		if !bytes.HasPrefix(payload, []byte{0x99}) {
			return Digest{}, errors.New("certify an OpenPGP key: expected a version 4 key packet first")
		}
		return SHA256(payload), nil
	case FormatSigstore, FormatDSSE:
	}
	return Digest{}, fmt.Errorf("sign SHA256SUMS: expected raw, ssh or openpgp, got %q", f)
}

func noPayload(f Format, payload []byte) error {
	if len(payload) > 0 {
		return fmt.Errorf("sign SHA256SUMS as %s: expected nothing around it, got %d bytes", f, len(payload))
	}
	return nil
}

// SSHPreimage is what an SSHSIG over the manifest's SHA256SUMS signs.
func SSHPreimage(m Manifest) []byte {
	sum := sha512.Sum512(m.Bytes())
	out := []byte("SSHSIG")
	for _, field := range [][]byte{[]byte(SSHNamespace), nil, []byte("sha512"), sum[:]} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(field))) //nolint:gosec // four short fields
		out = append(out, field...)
	}
	return out
}
