package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
)

// Key is a public key that the caller trusts. The zero Key verifies nothing.
type Key struct{ key attest.Key }

// ParseKey reads one PEM block PUBLIC KEY with an ECDSA P-256 key.
func ParseKey(pem []byte) (Key, error) {
	k, err := attest.ParseKeyPEM(pem)
	return Key{k}, err
}

// Hint is the key's fingerprint, as `ssh-keygen -l` prints it: "SHA256:…".
func (k Key) Hint() string { return k.key.Hint() }

// Trust is whom the caller believes. The zero Trust verifies nothing.
type Trust struct {
	// Root lists logs and authorities. Without it neither log entries nor timestamps nor
	// certificates are checked, and every result says so.
	Root *Root
	// Keys are the release keys whose signatures count. Pins are fingerprints of such, for
	// keys that the bundle or the release brings along. Where there is neither, a key counts
	// that a certificate by one of the Root's authorities is over; then [Expect.Repository]
	// has to say whose.
	Keys []Key
	Pins []string
	// AllowUnlogged takes bundles without a log entry or timestamp where there is a Root.
	// Those that are there are checked all the same.
	AllowUnlogged bool
	// Revoked are keys whose signatures do not count.
	Revoked []Revocation
	// Witnesses are those whose cosignatures on the log's checkpoint count, and MinWitnesses
	// how many of them there must be.
	Witnesses    []*ledger.WitnessKey
	MinWitnesses int

	// vouched is the key that a certificate of the same release was over, for bundles beside
	// it that name a key only by its fingerprint.
	vouched Key
}

// Revocation is a key that lost its trust. Signatures that a timestamp proves to be older
// than At stay good; where At is the zero time, none does.
type Revocation struct {
	Fingerprint string // as [Key.Hint] gives it
	At          time.Time
}

// ParseRevocation reads "SHA256:…", or "SHA256:…@2026-11-23T00:00:00Z".
func ParseRevocation(s string) (Revocation, error) {
	fingerprint, at, timed := strings.Cut(s, "@")
	r := Revocation{Fingerprint: fingerprint}
	if err := CheckFingerprint(fingerprint); err != nil {
		return Revocation{}, err
	}
	if timed {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return Revocation{}, fmt.Errorf("revoked key %s: expected a time as RFC 3339 has it, got %q", fingerprint, at)
		}
		r.At = t.UTC()
	}
	return r, nil
}

// CheckFingerprint reports whether s has the form that [Key.Hint] gives.
func CheckFingerprint(s string) error {
	const digits = 43 // base64 of 32 bytes without padding
	encoded, ok := strings.CutPrefix(s, "SHA256:")
	if !ok || len(encoded) != digits || strings.Trim(encoded, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") != "" {
		return fmt.Errorf("fingerprint: expected SHA256: and %d letters, as ssh-keygen -l prints it, got %q", digits, s)
	}
	return nil
}

// pinned reports whether the caller named keys itself.
func (t Trust) pinned() bool { return len(t.Keys)+len(t.Pins) > 0 }

// admits reports whether a key is one of those that the caller named.
func (t Trust) admits(k Key) bool {
	hint := k.Hint()
	return hint != "" && (slices.Contains(t.Pins, hint) || slices.ContainsFunc(t.Keys, func(x Key) bool { return x.Hint() == hint }))
}

// why says for people why a key counts.
func (t Trust) why(k Key) string {
	if t.admits(k) {
		return "which you trust"
	}
	return "which the certificate vouches for"
}

// named is the fingerprint of every key that the caller named, for people.
func (t Trust) named() string {
	all := slices.Clone(t.Pins)
	for _, k := range t.Keys {
		all = append(all, k.Hint())
	}
	return strings.Join(all, " or ")
}

// errUnvouched is a key that neither the caller nor a certificate names.
var errUnvouched = errors.New("nobody vouches for this key")

// knows finds the key that a bundle names by its fingerprint: among the caller's, or, where
// the caller pinned the fingerprint, in the bundle's own log entry. A fingerprint is a hash
// of the key, so the key under it can come from anywhere.
func (t Trust) knows(b bundle) (Key, error) {
	for _, k := range append(slices.Clone(t.Keys), t.vouched) {
		if k.Hint() == b.hint && b.hint != "" {
			return k, nil
		}
	}
	if !t.pinned() {
		return Key{}, fmt.Errorf("expected a key that you trust, or a certificate beside it, got a bundle by %s: %w", b.hint, errUnvouched)
	}
	if slices.Contains(t.Pins, b.hint) && b.entry != nil {
		if r, err := ledger.ParseRecord(b.entry.body); err == nil && !r.Certificate {
			if k, err := attest.ParseKey(r.Key); err == nil && k.Hint() == b.hint {
				return Key{k}, nil
			}
		}
		return Key{}, errors.New("only the key's fingerprint is known: expected the key in the bundle's log entry, or give its PEM file")
	}
	return Key{}, fmt.Errorf("expected a signature by the trusted key %s, got one by %s", t.named(), b.hint)
}

// revocation finds what is said of a key; ok is false where nothing is.
func (t Trust) revocation(k Key) (Revocation, bool) {
	var found Revocation
	ok := false
	for _, r := range t.Revoked {
		if r.Fingerprint != k.Hint() {
			continue
		}
		// The earliest counts; without a time it is the earliest of all.
		if !ok || r.At.Before(found.At) {
			found, ok = r, true
		}
	}
	return found, ok
}

// Under trusts one key and nothing else: neither log nor time is checked.
func Under(k Key) Trust { return Trust{Keys: []Key{k}} }
