package hsm

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// maxSealed is the largest message that [Signer.Seal] hashes, in bytes.
const maxSealed = 64 << 10

// maxSealTime is how long a signature by one of the gate's own keys may take: what a
// worker accepts as a deadline.
const maxSealTime = gate.GrantLifetime

// AuthorityKeys are the gate's own keys of this token, in the order configured.
func (s *Signer) AuthorityKeys() []gate.AuthorityKey {
	var out []gate.AuthorityKey
	for _, k := range s.inOrder() {
		if p := k.pin.purpose(); p != gate.PurposeRelease {
			out = append(out, gate.AuthorityKey{Purpose: p, KeyVersion: k.version})
		}
	}
	return out
}

// Seal signs a message with one of the gate's own keys: with P-256 in DER over its SHA-256
// (at most 64 KiB), with Ed25519 over the message itself (at most 4 KiB; raw, 64 bytes).
// The signature was checked under the key. ctx bounds it, and 30 s do. Errors as those of
// [Signer.Sign]: CodeOrderRefused for a release key, for a key with another purpose, and
// for a message that is empty or too large.
func (s *Signer) Seal(ctx context.Context, key gate.AuthorityKey, message []byte) ([]byte, error) {
	k, err := s.own(key)
	if err != nil {
		return nil, err
	}
	if len(message) == 0 || len(message) > maxSealed {
		return nil, refused("what is to be signed is empty or too large", fmt.Sprintf("1 to %d bytes", maxSealed), fmt.Sprintf("%d", len(message)))
	}
	if k.public.kind() == Ed25519 {
		return s.seal(ctx, k, order{Message: message})
	}
	digest := sha256.Sum256(message)
	return s.seal(ctx, k, order{Digest: digest[:]})
}

// SealDigest signs a SHA-256 digest with one of the gate's own P-256 keys, for what hands
// digests to a signer: X.509 and RFC 3161. The log's key signs no digest, for nobody could
// say what stands behind it. The rest is as with [Signer.Seal].
func (s *Signer) SealDigest(ctx context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error) {
	k, err := s.own(key)
	if err != nil {
		return nil, err
	}
	if p := k.pin.purpose(); p == gate.PurposeLog {
		return nil, refused("the log's key signs whole messages alone", "a message", "a digest")
	}
	return s.seal(ctx, k, order{Digest: digest[:]})
}

// own finds one of the gate's own keys. Purpose, lineage, version and public key must all
// be those of one pin.
func (s *Signer) own(key gate.AuthorityKey) (pinned, error) {
	k, ok := s.keys[string(key.SPKI)]
	switch {
	case !ok:
		return pinned{}, unknown(key.Lineage)
	case k.pin.purpose() == gate.PurposeRelease || key.Purpose == gate.PurposeRelease || key.Purpose == "":
		return pinned{}, refused("a release key signs what a grant names and nothing else", "one of the gate's own keys", k.pin.name())
	case k.pin.purpose() != key.Purpose:
		return pinned{}, refused("the key has another purpose", string(k.pin.purpose()), fmt.Sprintf("%q", key.Purpose))
	case !k.named(key.KeyVersion):
		return pinned{}, misnamed(k, key.KeyVersion, "take the key from the signer's own list")
	}
	return k, nil
}

// seal has o signed: key, purpose and mechanism are k's, and the deadline is ctx's.
func (s *Signer) seal(ctx context.Context, k pinned, o order) ([]byte, error) {
	now := s.config.Now()
	o.Deadline = now.Add(maxSealTime)
	if d, ok := ctx.Deadline(); ok && d.Before(o.Deadline) {
		o.Deadline = d
	}
	if !now.Before(o.Deadline) {
		return nil, tooLate(o.Deadline)
	}
	o.Key, o.Purpose, o.Mechanism = k.pin.fingerprint(), k.pin.purpose(), k.public.mechanism()
	if expected, got := k.public.fits(o); expected != "" {
		return nil, refused("what is to be signed does not suit the key", expected, got)
	}
	sigs, err := s.submit(ctx, newJob([]order{o}, []pinned{k}))
	if err != nil {
		return nil, err
	}
	return sigs[0], nil
}
