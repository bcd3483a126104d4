package authority

import (
	"context"

	"github.com/countersign/countersign/gate"
)

// Sealer signs with the gate's own keys. Errors of kind Unavailable may be tried again.
type Sealer interface {
	// Seal signs a message: for ECDSA on P-256 DER over its SHA-256, for Ed25519 over the
	// message itself.
	Seal(ctx context.Context, key gate.AuthorityKey, message []byte) ([]byte, error)
	// SealDigest signs a SHA-256 digest with a P-256 key: DER.
	SealDigest(ctx context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error)
}

// Cabinet keeps what was issued, durably and for all replicas.
type Cabinet interface {
	// Certificate is that of the name which was kept last; false where there is none.
	Certificate(ctx context.Context, name string) (gate.Certificate, bool, error)
	// KeepCertificate keeps c if the last one of its name still is replaces (DER; nil for
	// none), and returns the last one afterwards.
	KeepCertificate(ctx context.Context, c gate.Certificate, replaces []byte) (gate.Certificate, error)
	// Certificates are all that were ever kept.
	Certificates(ctx context.Context) ([]gate.Certificate, error)
	// TrustedRoot is the newest version of the document; false where there is none.
	TrustedRoot(ctx context.Context) (doc []byte, version int, ok bool, err error)
	// KeepTrustedRoot keeps a version that differs from the newest, and returns its number.
	KeepTrustedRoot(ctx context.Context, doc []byte) (int, error)
}

// Annals tells the ledger's epochs, the oldest first.
type Annals interface {
	Epochs(ctx context.Context) ([]gate.Epoch, error)
}
