package authority

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
)

// Numbers of RFC 6962 and of TLS 1.2's signature algorithms (RFC 5246, 7.4.1.4.1).
const (
	sctV1        = 0
	sctTimestamp = 0 // certificate_timestamp
	sctPrecert   = 1 // precert_entry
	tlsSHA256    = 4
	tlsECDSA     = 3
)

// oidSCTList is the extension that holds a certificate's embedded timestamps.
func oidSCTList() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
}

// sctList makes the extension for a certificate that was issued without it: one signed
// certificate timestamp (RFC 6962, 3.2 and 3.3) by the newest CT key over the certificate's
// TBSCertificate, which has no poison, as a verifier that takes the list out of the final
// certificate finds it.
//
// The key is the gate's own: this makes stock verifiers accept the certificate, and is no
// transparency by somebody else.
func (a *Authority) sctList(ctx context.Context, without, issuer *x509.Certificate) (pkix.Extension, error) {
	const most = 1<<24 - 1
	tbs := without.RawTBSCertificate
	if len(tbs) > most {
		return pkix.Extension{}, errors.New("certificate timestamp: the certificate is too long")
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(a.now().UnixMilli())) //nolint:gosec // after 1970
	issuerKey := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)

	signed := append([]byte{sctV1, sctTimestamp}, at...)
	signed = binary.BigEndian.AppendUint16(signed, sctPrecert)
	signed = append(signed, issuerKey[:]...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = append(signed, 0, 0) // no extensions
	key, signature, err := a.sealDigest(ctx, gate.PurposeCT, gate.SHA256(signed))
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("certificate timestamp: %w", err)
	}

	logID := sha256.Sum256(key.SPKI)
	sct := append([]byte{sctV1}, logID[:]...)
	sct = append(sct, at...)
	sct = append(sct, 0, 0, tlsSHA256, tlsECDSA)
	sct = append(short(len(signature), sct), signature...)
	list := append(short(len(sct), nil), sct...)
	value, err := asn1.Marshal(append(short(len(list), nil), list...))
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("certificate timestamp: %w", err)
	}
	return pkix.Extension{Id: oidSCTList(), Value: value}, nil
}

// short appends a length as TLS writes it, in 16 bits: a signature has some 70 bytes, a list
// of one timestamp some 120.
func short(n int, to []byte) []byte {
	return binary.BigEndian.AppendUint16(to, uint16(n)) //nolint:gosec // see above
}

// sctLog is the id of the log whose timestamp, the only one, a certificate of ours holds.
func sctLog(c *x509.Certificate) ([]byte, bool) {
	const before = 2 + 2 + 1 // two lengths and the version
	for _, e := range c.Extensions {
		var list []byte
		if !e.Id.Equal(oidSCTList()) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &list); err != nil || len(rest) > 0 || len(list) < before+sha256.Size {
			return nil, false
		}
		return list[before : before+sha256.Size], true
	}
	return nil, false
}

// trustedSCT reports whether a certificate's timestamp is by a CT key that is configured.
func (a *Authority) trustedSCT(c *x509.Certificate) bool {
	log, ok := sctLog(c)
	if !ok {
		return false
	}
	for _, k := range a.keys[gate.PurposeCT] {
		if id := sha256.Sum256(k.SPKI); string(id[:]) == string(log) {
			return true
		}
	}
	return false
}

// ctSince is from when on CT keys are trusted: no certificate is older than the oldest issuer.
func ctSince(issuers []*x509.Certificate) time.Time {
	if len(issuers) == 0 {
		return time.Time{}
	}
	return issuers[0].NotBefore
}
