package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// Addresses of what is made here.
const (
	origin     = "gate.example"
	server     = "https://gate.example"
	repository = "https://github.example/acme/app"
	policyURI  = repository + "/blob/main/.countersign.yaml@refs/heads/main"
)

// signedAt is when everything here is signed.
var signedAt = time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func spki(t testing.TB, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	return must[[]byte](t)(x509.MarshalPKIXPublicKey(&k.PublicKey))
}

func signDER(t testing.TB, k *ecdsa.PrivateKey, digest gate.Digest) []byte {
	t.Helper()
	return must[[]byte](t)(ecdsa.SignASN1(rand.Reader, k, digest[:]))
}

// issuer is a certificate authority.
type issuer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIssuer(t testing.TB, name string) issuer {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"gate.example"}, CommonName: name},
		NotBefore: signedAt.AddDate(-1, 0, 0), NotAfter: signedAt.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k))
	return issuer{k, must[*x509.Certificate](t)(x509.ParseCertificate(der))}
}

func (i issuer) issue(t testing.TB, template *x509.Certificate, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, i.cert, &k.PublicKey, i.key))
}

// tsa is a time-stamping authority.
type tsa struct {
	issuer

	leafKey *ecdsa.PrivateKey
	leaf    *x509.Certificate
}

func newTSA(t testing.TB, edit func(*x509.Certificate)) tsa {
	t.Helper()
	out := tsa{issuer: newIssuer(t, "time root"), leafKey: newKey(t)}
	usage := must[[]byte](t)(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "time"},
		NotBefore: signedAt.AddDate(-1, 0, 0), NotAfter: signedAt.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	if edit != nil {
		edit(template)
	}
	out.leaf = must[*x509.Certificate](t)(x509.ParseCertificate(out.issue(t, template, out.leafKey)))
	return out
}

func (a tsa) stamp(t testing.TB, signature []byte, at time.Time) []byte {
	t.Helper()
	sum := sha256.Sum256(signature)
	stamp := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Policy: asn1.ObjectIdentifier{1, 2, 3},
		AddTSACertificate: true, Accuracy: time.Second,
	}
	return must[[]byte](t)(stamp.CreateResponseWithOpts(a.leaf, a.leafKey, crypto.SHA256))
}

func (a tsa) trusted() attest.TrustedAuthority {
	return attest.TrustedAuthority{Chain: [][]byte{a.leaf.Raw, a.cert.Raw}, URI: server, Since: signedAt.AddDate(-1, 0, 0)}
}

// leafTemplate is a release key's certificate before it is listed.
func leafTemplate(t testing.TB) *x509.Certificate {
	t.Helper()
	u := must[*url.URL](t)(url.Parse(policyURI))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), URIs: []*url.URL{u},
		NotBefore: signedAt.Add(-time.Hour), NotAfter: signedAt.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	for n, v := range map[int]string{8: server, 9: policyURI, 12: repository, 15: "1296269", 16: "https://github.example/acme"} {
		value := must[[]byte](t)(asn1.MarshalWithParams(v, "utf8"))
		template.ExtraExtensions = append(template.ExtraExtensions,
			pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n}, Value: value})
	}
	slices.SortFunc(template.ExtraExtensions, func(a, b pkix.Extension) int { return slices.Compare(a.Id, b.Id) })
	return template
}

// listed issues a certificate with a promise of ct in it, as RFC 6962 (3.1) makes one, written
// here from the RFC and with nothing of the verifier's.
func (i issuer) listed(t testing.TB, template *x509.Certificate, k, ct *ecdsa.PrivateKey) []byte {
	t.Helper()
	pre := must[*x509.Certificate](t)(x509.ParseCertificate(i.issue(t, template, k)))
	at := binary.BigEndian.AppendUint64(nil, uint64(signedAt.Add(-time.Hour).UnixMilli()))
	issuerHash := sha256.Sum256(i.cert.RawSubjectPublicKeyInfo)
	tbs := pre.RawTBSCertificate
	message := slices.Concat([]byte{0, 0}, at, []byte{0, 1}, issuerHash[:],
		[]byte{byte(len(tbs) >> 16), byte(len(tbs) >> 8), byte(len(tbs))}, tbs, []byte{0, 0})
	signature := signDER(t, ct, gate.SHA256(message))
	id := sha256.Sum256(spki(t, ct))
	one := slices.Concat([]byte{0}, id[:], at, []byte{0, 0, 4, 3}, binary.BigEndian.AppendUint16(nil, uint16(len(signature))), signature)
	list := binary.BigEndian.AppendUint16(nil, uint16(len(one)+2))
	list = append(binary.BigEndian.AppendUint16(list, uint16(len(one))), one...)
	copied := *template
	copied.ExtraExtensions = append(slices.Clone(template.ExtraExtensions), pkix.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: must[[]byte](t)(asn1.Marshal(list)),
	})
	der := i.issue(t, &copied, k)
	if bytes.Equal(der, pre.Raw) {
		t.Fatal("the promise is not in the certificate")
	}
	return der
}
