package gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256 digest. Its text form is 64 lower-case hex digits.
type Digest [sha256.Size]byte

// SHA256 is the digest of b.
func SHA256(b []byte) Digest { return sha256.Sum256(b) }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText is the hex form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText accepts only the canonical hex form: 64 lower-case digits.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) || !bytes.Equal(text, bytes.ToLower(text)) {
		return fmt.Errorf("SHA-256 digest: expected 64 lower-case hex digits, got %q", text)
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("SHA-256 digest: expected 64 lower-case hex digits, got %q", text)
	}
	return nil
}

// Subject is one artifact: its name and the digest of its bytes.
type Subject struct {
	Name   string `json:"name"`
	SHA256 Digest `json:"sha256"`
}

// Manifest is the canonical list of a release's subjects. Build one only with
// gate/canonical, which checks and sorts it; two manifests with the same
// subjects then have the same bytes.
type Manifest struct {
	Subjects []Subject `json:"subjects"`
}

// Bytes is the SHA256SUMS file of the manifest, as `sha256sum -c` reads it.
func (m Manifest) Bytes() []byte {
	var b bytes.Buffer
	for _, s := range m.Subjects {
		fmt.Fprintf(&b, "%s  %s\n", s.SHA256, s.Name)
	}
	return b.Bytes()
}

// Digest is the SHA-256 of [Manifest.Bytes].
func (m Manifest) Digest() Digest { return SHA256(m.Bytes()) }
