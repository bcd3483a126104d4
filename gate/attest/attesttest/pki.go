package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

// Object identifiers of certificates: RFC 5280, RFC 6962, and sigstore/fulcio's
// docs/oid-info.md.
func oidEKU() asn1.ObjectIdentifier          { return asn1.ObjectIdentifier{2, 5, 29, 37} }
func oidTimeStamping() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8} }
func oidSCTs() asn1.ObjectIdentifier         { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2} }
func oidFulcio(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n}
}

// Authority is a key with its certificates, from its own to the root.
type Authority struct {
	Key   Key
	Chain []*x509.Certificate
}

// newCA makes a certificate authority that signs with its root.
func newCA(organization string, from time.Time) (Authority, error) {
	key, err := GenerateKey("ca")
	if err != nil {
		return Authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{organization}, CommonName: organization + " root"},
		NotBefore:    from, NotAfter: from.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	root, err := issue(template, template, &key.Private.PublicKey, key)
	return Authority{Key: key, Chain: []*x509.Certificate{root}}, err
}

// newTSA makes a time-stamping authority under a CA.
func newTSA(ca Authority, from time.Time) (Authority, error) {
	key, err := GenerateKey("timestamp")
	if err != nil {
		return Authority{}, err
	}
	purpose, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping()})
	if err != nil {
		return Authority{}, fmt.Errorf("encode key usage: %w", err)
	}
	organization := ca.Chain[0].Subject.Organization
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: organization, CommonName: organization[0] + " time-stamps"},
		NotBefore:    from, NotAfter: from.AddDate(9, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: oidEKU(), Critical: true, Value: purpose}},
	}
	leaf, err := issue(template, ca.Chain[0], &key.Private.PublicKey, ca.Key)
	return Authority{Key: key, Chain: []*x509.Certificate{leaf, ca.Chain[0]}}, err
}

// Stamp is a TimeStampResp (RFC 3161) over a signature's bytes.
func (a Authority) Stamp(signature []byte, at time.Time) ([]byte, error) {
	imprint := sha256.Sum256(signature)
	ts := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: imprint[:], Time: at.UTC().Truncate(time.Second), Accuracy: time.Second,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true,
	}
	out, err := ts.CreateResponseWithOpts(a.Chain[0], a.Key.Private, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make time-stamp: %w", err)
	}
	return out, nil
}

// Certify is a certificate over a release key for an identity, with a certificate timestamp
// by the CT key embedded.
func (a Authority) Certify(ct, release Key, id gate.Identity, from, until time.Time) ([]byte, error) {
	san, err := url.Parse(id.PolicyURI)
	if err != nil {
		return nil, fmt.Errorf("certify: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		URIs:            []*url.URL{san},
		ExtraExtensions: []pkix.Extension{{Id: oidFulcio(1), Value: []byte(id.Issuer)}},
	}
	for _, x := range []struct {
		n     int
		value string
	}{{8, id.Issuer}, {9, id.PolicyURI}, {12, id.Repository}, {15, id.RepositoryID}, {16, id.Owner}, {17, id.OwnerID}, {18, id.PolicyURI}} {
		value, err := asn1.MarshalWithParams(x.value, "utf8")
		if err != nil {
			return nil, fmt.Errorf("encode extension %d: %w", x.n, err)
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oidFulcio(x.n), Value: value})
	}
	bare, err := issue(template, a.Chain[0], &release.Private.PublicKey, a.Key)
	if err != nil {
		return nil, err
	}
	list, err := certificateTimestamps(ct, a.Chain[0], bare, from)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oidSCTs(), Value: list})
	whole, err := issue(template, a.Chain[0], &release.Private.PublicKey, a.Key)
	if err != nil {
		return nil, err
	}
	return whole.Raw, nil
}

// certificateTimestamps is the extension's value: a list of one timestamp over the
// certificate without it (RFC 6962, 3.2 and 3.3).
func certificateTimestamps(ct Key, issuer, bare *x509.Certificate, at time.Time) ([]byte, error) {
	issuerKey := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	millis := uint64(at.UnixMilli()) //nolint:gosec // after 1970
	tbs := bare.RawTBSCertificate
	signed := binary.BigEndian.AppendUint64([]byte{0, 0}, millis) // version 1, certificate_timestamp
	signed = append(signed, 0, 1)                                 // precert_entry
	signed = append(signed, issuerKey[:]...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = append(signed, 0, 0) // no extensions
	digest := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, ct.Private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign certificate timestamp: %w", err)
	}
	id := sha256.Sum256(ct.Version.SPKI)
	sct := binary.BigEndian.AppendUint64(append([]byte{0}, id[:]...), millis)
	sct = append(sct, 0, 0, 4, 3) // no extensions; SHA-256, ECDSA
	sct = append(sct, prefixed(signature)...)
	return asn1.Marshal(prefixed(prefixed(sct)))
}

// prefixed is b after its length in two bytes.
func prefixed(b []byte) []byte {
	return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) //nolint:gosec // short
}

func issue(template, parent *x509.Certificate, public *ecdsa.PublicKey, by Key) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by.Private)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
