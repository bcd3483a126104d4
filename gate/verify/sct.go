package verify

import (
	"crypto/sha256"
	"crypto/x509"
	oid "encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/countersign/countersign/gate"
)

// Numbers of RFC 6962 and, for algorithms, RFC 5246.
const (
	sctV1          = 0
	sctOfCert      = 0 // SignatureType certificate_timestamp
	sctPrecert     = 1 // LogEntryType precert_entry
	hashSHA256     = 4
	signatureECDSA = 3
)

// sct is a signed certificate timestamp (RFC 6962, 3.2).
type sct struct {
	logID      gate.Digest
	at         uint64 // milliseconds since the epoch
	extensions []byte
	signature  []byte
}

// listed checks that a key which the trusted root lists signed a promise for the
// certificate, embedded in it, and returns when.
func (r *Root) listed(leaf, issuer *x509.Certificate) (time.Time, error) {
	scts, tbs, err := embedded(leaf.RawTBSCertificate)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range scts {
		key, ok := r.cts[s.logID]
		if !ok {
			continue
		}
		if err := key.Verify(gate.SHA256(s.message(issuer, tbs)), s.signature); err != nil {
			return time.Time{}, err
		}
		return time.UnixMilli(int64(s.at)).UTC(), nil //nolint:gosec // a time; what is absurd shows
	}
	return time.Time{}, fmt.Errorf("expected one by a key that the trusted root lists, got %d by others", len(scts))
}

// message is what the log signed: the certificate as it was before the promise went in.
func (s sct) message(issuer *x509.Certificate, tbs []byte) []byte {
	var b cryptobyte.Builder
	b.AddUint8(sctV1)
	b.AddUint8(sctOfCert)
	b.AddUint64(s.at)
	b.AddUint16(sctPrecert)
	hash := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	b.AddBytes(hash[:])
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(tbs) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(s.extensions) })
	return b.BytesOrPanic()
}

// embedded takes the promises out of a TBSCertificate: it returns them, and the
// TBSCertificate without them.
func embedded(tbs []byte) ([]sct, []byte, error) {
	malformed := errors.New("the certificate's extensions do not read")
	input := cryptobyte.String(tbs)
	var fields cryptobyte.String
	if !input.ReadASN1(&fields, asn1.SEQUENCE) || !input.Empty() {
		return nil, nil, malformed
	}
	const extensionsTag = 3
	wrapper := asn1.Tag(extensionsTag).Constructed().ContextSpecific()
	var before []byte
	for !fields.Empty() && !fields.PeekASN1Tag(wrapper) {
		var field cryptobyte.String
		var tag asn1.Tag
		if !fields.ReadAnyASN1Element(&field, &tag) {
			return nil, nil, malformed
		}
		before = append(before, field...)
	}
	var wrapped, list cryptobyte.String
	if !fields.ReadASN1(&wrapped, wrapper) || !fields.Empty() || !wrapped.ReadASN1(&list, asn1.SEQUENCE) || !wrapped.Empty() {
		return nil, nil, errors.New("expected one in the certificate, got none")
	}
	kept, promises, err := split(list)
	if err != nil {
		return nil, nil, err
	}
	scts, err := readSCTs(promises)
	if err != nil {
		return nil, nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(before)
		b.AddASN1(wrapper, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(kept) })
		})
	})
	out, err := b.Bytes()
	return scts, out, err
}

// split parts the extension that holds the promises from the others.
func split(list cryptobyte.String) (kept []byte, promises cryptobyte.String, err error) {
	found := false
	for !list.Empty() {
		var whole cryptobyte.String
		if !list.ReadASN1Element(&whole, asn1.SEQUENCE) {
			return nil, nil, errors.New("the certificate's extensions do not read")
		}
		rest := whole
		var fields, value, inner cryptobyte.String
		var id oid.ObjectIdentifier
		if !rest.ReadASN1(&fields, asn1.SEQUENCE) || !fields.ReadASN1ObjectIdentifier(&id) {
			return nil, nil, errors.New("the certificate's extensions do not read")
		}
		if !id.Equal(oidSCTs) {
			kept = append(kept, whole...)
			continue
		}
		if found || !fields.SkipOptionalASN1(asn1.BOOLEAN) || !fields.ReadASN1(&value, asn1.OCTET_STRING) ||
			!value.ReadASN1(&inner, asn1.OCTET_STRING) || !value.Empty() {
			return nil, nil, errors.New("expected one list of them in the certificate")
		}
		found, promises = true, inner
	}
	if !found {
		return nil, nil, errors.New("expected one in the certificate, got none")
	}
	return kept, promises, nil
}

// readSCTs reads a SignedCertificateTimestampList (RFC 6962, 3.3).
func readSCTs(in cryptobyte.String) ([]sct, error) {
	malformed := errors.New("expected a list as RFC 6962 has it")
	var list cryptobyte.String
	if !in.ReadUint16LengthPrefixed(&list) || !in.Empty() {
		return nil, malformed
	}
	var out []sct
	for !list.Empty() {
		var one, extensions, signature cryptobyte.String
		var version, hash, algorithm uint8
		var s sct
		if !list.ReadUint16LengthPrefixed(&one) || !one.ReadUint8(&version) || version != sctV1 ||
			!one.CopyBytes(s.logID[:]) || !one.ReadUint64(&s.at) || !one.ReadUint16LengthPrefixed(&extensions) ||
			!one.ReadUint8(&hash) || !one.ReadUint8(&algorithm) || !one.ReadUint16LengthPrefixed(&signature) || !one.Empty() {
			return nil, malformed
		}
		if hash != hashSHA256 || algorithm != signatureECDSA {
			return nil, errors.New("expected signatures by ECDSA over SHA-256")
		}
		s.extensions, s.signature = extensions, signature
		out = append(out, s)
	}
	return out, nil
}
