package ledger

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of C2SP signed-note.
const (
	typeEd25519     = 0x01
	typeECDSA       = 0x02
	typeCosignature = 0x04 // tlog-cosignature v1
)

// LogKey is the public half of a log's key under the log's name. It is a note.Verifier.
//
// Its hash and the log's id follow Sigstore's rules, which stock verifiers apply: for P-256
// they are those of the SubjectPublicKeyInfo, for Ed25519 those of name and key (C2SP
// signed-note).
type LogKey struct {
	origin string
	spki   []byte
	typed  []byte // type and key, as verifier keys hold them
	id     [sha256.Size]byte
	verify func(msg, sig []byte) bool
}

var _ note.Verifier = (*LogKey)(nil)

// NewLogKey reads a DER SubjectPublicKeyInfo, ECDSA on P-256 or Ed25519, as the key of the
// log of that origin.
func NewLogKey(origin string, spki []byte) (*LogKey, error) {
	if origin == "" || strings.Contains(origin, "+") || strings.ContainsFunc(origin, unicode.IsSpace) || !utf8.ValidString(origin) {
		return nil, fmt.Errorf("log key: expected an origin without spaces or +, got %q", origin)
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("log key of %s: expected a DER SubjectPublicKeyInfo: %w", origin, err)
	}
	k := &LogKey{origin: origin, spki: bytes.Clone(spki)}
	switch public := parsed.(type) {
	case ed25519.PublicKey:
		k.id = sha256.Sum256(append([]byte(origin+"\n\x01"), public...))
		k.typed = append([]byte{typeEd25519}, public...)
		k.verify = func(msg, sig []byte) bool { return ed25519.Verify(public, msg, sig) }
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return nil, fmt.Errorf("log key of %s: expected P-256 or Ed25519, got %s", origin, public.Curve.Params().Name)
		}
		k.id = sha256.Sum256(spki)
		k.typed = append([]byte{typeECDSA}, spki...)
		k.verify = func(msg, sig []byte) bool {
			digest := sha256.Sum256(msg)
			return ecdsa.VerifyASN1(public, digest[:], sig)
		}
	default:
		return nil, fmt.Errorf("log key of %s: expected P-256 or Ed25519, got %T", origin, parsed)
	}
	return k, nil
}

// Name is the log's origin.
func (k *LogKey) Name() string { return k.origin }

// KeyHash is the first four bytes of the log's id.
func (k *LogKey) KeyHash() uint32 { return binary.BigEndian.Uint32(k.id[:4]) }

// ID is what bundles and trusted roots call the log.
func (k *LogKey) ID() []byte { return append([]byte(nil), k.id[:]...) }

// SPKI is the key's DER SubjectPublicKeyInfo.
func (k *LogKey) SPKI() []byte { return append([]byte(nil), k.spki...) }

// Ed25519 reports whether it is one. C2SP witnesses take no other.
func (k *LogKey) Ed25519() bool { return k.typed[0] == typeEd25519 }

// String is the verifier key, "name+hash+base64" as C2SP signed-note spells it, by which
// witnesses and monitors are told of the log.
func (k *LogKey) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.origin, k.KeyHash(), base64.StdEncoding.EncodeToString(k.typed))
}

// Verify checks a signature over a note's text.
func (k *LogKey) Verify(msg, sig []byte) bool { return k.verify(msg, sig) }

// WitnessKey is a witness's key for cosignatures, type 0x04 of C2SP tlog-cosignature. It is
// a note.Verifier.
type WitnessKey struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

var _ note.Verifier = (*WitnessKey)(nil)

// ParseWitnessKey reads a witness's verifier key, "name+hash+base64" as C2SP signed-note
// spells it.
func ParseWitnessKey(vkey string) (*WitnessKey, error) {
	vkey = strings.TrimSpace(vkey)
	name, rest, _ := strings.Cut(vkey, "+")
	hash, encoded, ok := strings.Cut(rest, "+")
	if !ok || name == "" || strings.ContainsFunc(vkey, unicode.IsSpace) || !utf8.ValidString(name) {
		return nil, fmt.Errorf("witness key: expected name+hash+key, got %q", vkey)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != typeCosignature {
		return nil, fmt.Errorf("witness key %s: expected an Ed25519 key for cosignatures (type 0x04) in base64", name)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	w := &WitnessKey{name: name, hash: binary.BigEndian.Uint32(sum[:4]), public: key[1:]}
	if want, err := strconv.ParseUint(hash, 16, 32); err != nil || len(hash) != 8 || uint32(want) != w.hash {
		return nil, fmt.Errorf("witness key %s: expected hash %08x, got %q", name, w.hash, hash)
	}
	return w, nil
}

// Name is the witness's name.
func (w *WitnessKey) Name() string { return w.name }

// KeyHash is that of C2SP signed-note.
func (w *WitnessKey) KeyHash() uint32 { return w.hash }

// Verify checks a cosignature over a checkpoint's text.
func (w *WitnessKey) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig[:8])
	return ed25519.Verify(w.public, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, msg), sig[8:])
}

// Cosignature says that a witness saw a checkpoint, consistent with all that it saw before
// of that log.
type Cosignature struct {
	Witness string
	At      time.Time // as the witness says, whole seconds
}

// cosignatureOf reads the time of a cosignature that was verified.
func cosignatureOf(s note.Signature) (Cosignature, error) {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 12 {
		return Cosignature{}, errors.New("read cosignature: it is too short")
	}
	at := binary.BigEndian.Uint64(raw[4:12])
	return Cosignature{Witness: s.Name, At: time.Unix(int64(at), 0).UTC()}, nil //nolint:gosec // a time; what is absurd shows
}
