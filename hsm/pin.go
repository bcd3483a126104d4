package hsm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// KeyPin says which key pair of a token is one version of a lineage. Label, ID and
// public key must all fit, and exactly one private and one public key may fit.
type KeyPin struct {
	Lineage string `json:"lineage"`
	Version int    `json:"version"` // from 1
	// Purpose is the one thing that the key is for; "" means release.
	Purpose gate.Purpose `json:"purpose,omitempty"`
	Label   string       `json:"label"` // CKA_LABEL
	ID      []byte       `json:"id"`    // CKA_ID
	// SPKI is the public key, DER SubjectPublicKeyInfo (RFC 5280); where it is nil,
	// Fingerprint stands for it. Where both are given they must agree.
	SPKI []byte `json:"spki,omitempty"`
	// Fingerprint is that of [Fingerprint].
	Fingerprint string `json:"fingerprint,omitempty"`
}

const fingerprintPrefix = "SHA256:"

// Fingerprint names a public key: "SHA256:" and the 64 lower-case hex digits of the
// SHA-256 of its DER SubjectPublicKeyInfo.
func Fingerprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return fingerprintPrefix + hex.EncodeToString(sum[:])
}

// name is how messages call the pinned key.
func (p KeyPin) name() string { return fmt.Sprintf("%s version %d", p.Lineage, p.Version) }

// place is where the pin says that the key is.
func (p KeyPin) place() string { return fmt.Sprintf("label %q, id %x", p.Label, p.ID) }

// fingerprint is the pinned one, however it was spelled.
func (p KeyPin) fingerprint() string {
	if len(p.SPKI) > 0 {
		return Fingerprint(p.SPKI)
	}
	return p.Fingerprint
}

// purpose is what the key is for.
func (p KeyPin) purpose() gate.Purpose { return cmp.Or(p.Purpose, gate.PurposeRelease) }

// public reads the public key of a pin; only the log's may be Ed25519.
func (p KeyPin) public(spki []byte) (public, error) {
	k, err := parseSPKI(spki)
	if err != nil {
		return nil, err
	}
	return k, suits(p.purpose(), k.kind())
}

// matches reports whether spki is the pinned public key.
func (p KeyPin) matches(spki []byte) bool {
	got := Fingerprint(spki)
	return got == p.fingerprint() && (p.Fingerprint == "" || got == p.Fingerprint)
}

func (p KeyPin) check() error {
	switch {
	case p.purpose() != gate.PurposeRelease && !slices.Contains(gate.AuthorityPurposes(), p.purpose()):
		return fmt.Errorf("expected purpose release, log, timestamp, ca, ct or verdict, got %q", p.Purpose)
	case p.Lineage == "" || p.Version < 1:
		return errors.New("expected a lineage and a version from 1")
	case p.Label == "" || len(p.ID) == 0:
		return errors.New("expected both the label and the id of the key on its token")
	case len(p.SPKI) == 0 && p.Fingerprint == "":
		return errors.New("expected its public key or its fingerprint")
	}
	if len(p.SPKI) > 0 {
		if _, err := p.public(p.SPKI); err != nil {
			return err
		}
		if p.Fingerprint != "" && p.Fingerprint != Fingerprint(p.SPKI) {
			return fmt.Errorf("its public key has fingerprint %s, the pin says %s", Fingerprint(p.SPKI), p.Fingerprint)
		}
		return nil
	}
	digits, ok := strings.CutPrefix(p.Fingerprint, fingerprintPrefix)
	var d gate.Digest
	if err := d.UnmarshalText([]byte(digits)); !ok || err != nil {
		return fmt.Errorf("expected fingerprint SHA256: and 64 lower-case hex digits, got %q", p.Fingerprint)
	}
	return nil
}

func checkPins(pins []KeyPin) error {
	if len(pins) == 0 {
		return configFault("no key is configured", "give the token at least one key")
	}
	names, publics := map[string]bool{}, map[string]string{}
	for _, p := range pins {
		if err := p.check(); err != nil {
			return configFault(fmt.Sprintf("key %s: %s", p.name(), err), "countersignd keys list prints what belongs there")
		}
		if names[p.name()] {
			return configFault("key "+p.name()+" is configured twice", "give each version its own number")
		}
		if other, twice := publics[p.fingerprint()]; twice {
			return configFault(fmt.Sprintf("keys %s and %s are the same key pair", other, p.name()), "one key pair is one version of one lineage")
		}
		names[p.name()], publics[p.fingerprint()] = true, p.name()
	}
	return nil
}
