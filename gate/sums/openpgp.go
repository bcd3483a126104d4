package sums

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// keyMade is when every OpenPGP key of a gate says it was made. A fingerprint covers that
// time (RFC 4880, 12.2): one time for all makes it follow from the key alone, whoever builds
// the packet and whenever. The key's certification has it too, so that any copy of the key
// verifies any release, older ones as well.
const keyMade = 1704067200 // 2024-01-01T00:00:00Z

// Pieces of OpenPGP packets, RFC 4880 and RFC 6637.
const (
	pgpVersion   = 4
	pgpNewFormat = 0xc0                               // packet tag, new format
	pgpKeyTag    = 6                                  // public key packet
	pgpKeyPrefix = 0x99                               // before a key where it is hashed (5.2.4)
	pgpUserID    = 0xb4                               // before a user id where it is hashed
	pgpP256      = "\x2a\x86\x48\xce\x3d\x03\x01\x07" // 1.2.840.10045.3.1.7
	pgpPointBits = 515                                // of 0x04‖x‖y, as an MPI counts
)

// pgpKeyBody is the key packet's body, version 4, ECDSA on P-256: the same for a key always.
func (p public) pgpKeyBody() ([]byte, error) {
	point, err := p.point()
	if err != nil {
		return nil, err
	}
	body := []byte{pgpVersion}
	body = binary.BigEndian.AppendUint32(body, keyMade)
	body = append(body, byte(packet.PubKeyAlgoECDSA), byte(len(pgpP256)))
	body = append(body, pgpP256...)
	body = binary.BigEndian.AppendUint16(body, pgpPointBits)
	return append(body, point...), nil
}

// pgpKey is the key as the library holds it.
func (p public) pgpKey() (*packet.PublicKey, error) {
	body, err := p.pgpKeyBody()
	if err != nil {
		return nil, err
	}
	// The body has 82 bytes: its length is one octet.
	read, err := packet.Read(bytes.NewReader(append([]byte{pgpNewFormat | pgpKeyTag, byte(len(body))}, body...)))
	if err != nil {
		return nil, fmt.Errorf("build OpenPGP key: %w", err)
	}
	key, ok := read.(*packet.PublicKey)
	if !ok {
		return nil, fmt.Errorf("build OpenPGP key: expected a public key, got %T", read)
	}
	return key, nil
}

// certification is the payload of the key's signature on its own user id.
func (p public) certification(user string) ([]byte, error) {
	body, err := p.pgpKeyBody()
	if err != nil {
		return nil, err
	}
	_, hashed, err := p.pgpSignature(certifies(), nil, nil)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16([]byte{pgpKeyPrefix}, uint16(len(body))) //nolint:gosec // 82 bytes
	out = append(out, body...)
	out = binary.BigEndian.AppendUint32(append(out, pgpUserID), uint32(len(user))) //nolint:gosec // at most 255 bytes
	out = append(out, user...)
	return append(out, hashed...), nil
}

// document is the payload of a signature over SHA256SUMS: its hashed part and trailer.
func (p public) document(at time.Time) ([]byte, error) {
	_, hashed, err := p.pgpSignature(signs(at), nil, nil)
	return hashed, err
}

// certifies is the form of a key's certification of itself: it may certify, as a primary key
// has to, and sign.
func certifies() *packet.Signature {
	primary := true
	return &packet.Signature{
		SigType: packet.SigTypePositiveCert, CreationTime: time.Unix(keyMade, 0).UTC(),
		FlagsValid: true, FlagCertify: true, FlagSign: true, IsPrimaryId: &primary,
	}
}

// signs is the form of a signature over a file.
func signs(at time.Time) *packet.Signature {
	return &packet.Signature{SigType: packet.SigTypeBinary, CreationTime: at}
}

// pgpSignature completes a signature of that form over a message with the DER signature that
// the key made, and also returns its hashed part with the trailer, which the message is
// followed by when it is hashed. Without der only the hashed part means anything.
func (p public) pgpSignature(s *packet.Signature, message, der []byte) (pgp, hashed []byte, err error) {
	key, err := p.pgpKey()
	if err != nil {
		return nil, nil, err
	}
	s.Version, s.PubKeyAlgo, s.Hash, s.IssuerKeyId = pgpVersion, packet.PubKeyAlgoECDSA, crypto.SHA256, &key.KeyId
	h := crypto.SHA256.New()
	h.Write(message)
	signer := &packet.PrivateKey{PublicKey: *key, PrivateKey: made{public: p, der: der}}
	// The library would add random notations to hide faults of the signer; these bytes have to
	// come out the same each time.
	plain := false
	if err := s.Sign(h, signer, &packet.Config{NonDeterministicSignaturesViaNotation: &plain}); err != nil {
		return nil, nil, fmt.Errorf("build OpenPGP signature: %w", err)
	}
	var out bytes.Buffer
	if err := s.Serialize(&out); err != nil {
		return nil, nil, fmt.Errorf("build OpenPGP signature: %w", err)
	}
	return out.Bytes(), s.HashSuffix, nil
}

// made is a crypto.Signer whose one signature was made before, elsewhere.
type made struct {
	public
	der []byte
}

var _ crypto.Signer = made{}

func (m made) Public() crypto.PublicKey { return m.key }

// Sign hands out the signature, whatever is asked for: who calls verifies. Before there is one
// it gives a placeholder.
func (m made) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if m.der == nil {
		return []byte{0x30, 6, 2, 1, 1, 2, 1, 1}, nil
	}
	return m.der, nil
}

// splitCertification finds the user id in the payload of a certification, and what of it the
// hashed part follows. It refuses what [public.certification] does not make.
func (p public) splitCertification(payload []byte) (user string, message []byte, err error) {
	bad := errors.New("build OpenPGP key: what was signed is not this key's certification of itself")
	body, err := p.pgpKeyBody()
	if err != nil {
		return "", nil, err
	}
	const keyHead, userHead = 3, 5
	from := keyHead + len(body) + userHead
	if len(payload) < from {
		return "", nil, bad
	}
	length := binary.BigEndian.Uint32(payload[from-4 : from])
	if uint64(length) > uint64(len(payload)-from) {
		return "", nil, bad
	}
	message = payload[:from+int(length)]
	user = string(payload[from : from+int(length)])
	if err := checkUser(user); err != nil {
		return "", nil, err
	}
	again, err := p.certification(user)
	if err != nil {
		return "", nil, err
	}
	if !bytes.Equal(again, payload) {
		return "", nil, bad
	}
	return user, message, nil
}

// documentTime finds the time in the hashed part of a signature over SHA256SUMS, and refuses
// what [public.document] does not make.
func (p public) documentTime(payload []byte) (time.Time, error) {
	// Version, type, algorithm, hash, length (2); then the time: length 5, type 2, 4 octets.
	const at = 8
	if len(payload) < at+4 {
		return time.Time{}, errors.New("build OpenPGP signature: what was signed is too short")
	}
	t := time.Unix(int64(binary.BigEndian.Uint32(payload[at:at+4])), 0).UTC()
	again, err := p.document(t)
	if err != nil {
		return time.Time{}, err
	}
	if !bytes.Equal(again, payload) {
		return time.Time{}, errors.New("build OpenPGP signature: what was signed is no signature by this key over a file")
	}
	return t, nil
}

// armored wraps packets in ASCII armor, with the checksum that older programs want.
func armored(kind string, packets ...[]byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&out, kind, nil, true)
	if err != nil {
		return nil, fmt.Errorf("armor OpenPGP packets: %w", err)
	}
	for _, p := range packets {
		if _, err := w.Write(p); err != nil {
			return nil, fmt.Errorf("armor OpenPGP packets: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("armor OpenPGP packets: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
