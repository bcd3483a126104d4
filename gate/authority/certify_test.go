package authority_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
)

const day = 24 * time.Hour

func certify(t *testing.T, a *authority.Authority, key gate.KeyVersion, id gate.Identity) *x509.Certificate {
	t.Helper()
	der, err := a.Certificate(t.Context(), key, id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) cert(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	kept, ok := w.newest(name)
	if !ok {
		t.Fatalf("expected a kept certificate %s, got none", name)
	}
	c, err := x509.ParseCertificate(kept.DER)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func extension(c *x509.Certificate, oid ...int) ([]byte, bool, bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}

func TestCertificateAuthority(t *testing.T) {
	w := newWorld(t)
	certify(t, w.start(t), w.p256(t, "acme-release", 1), identity())
	ca := w.cert(t, "ca/ca/1")
	if !ca.IsCA || !ca.BasicConstraintsValid || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("expected an authority that issues leaves alone, got %+v", ca.KeyUsage)
	}
	if got := ca.Subject.Organization; len(got) != 1 || got[0] != "gate.example.org" {
		t.Errorf("expected the host as the organization, got %q", got)
	}
	if _, critical, ok := extension(ca, 2, 5, 29, 19); !ok || !critical {
		t.Error("expected critical basic constraints")
	}
	if got := ca.NotAfter.Sub(ca.NotBefore); got < 3600*day {
		t.Errorf("expected ten years, got %s", got)
	}
	w.now = w.now.Add(400 * day)
	certify(t, w.start(t), w.p256(t, "other", 1), identity())
	if again := w.cert(t, "ca/ca/1"); !bytes.Equal(again.Raw, ca.Raw) {
		t.Error("expected the same certificate a year later, got another")
	}
	w.now = ca.NotAfter.Add(-700 * day)
	certify(t, w.start(t), w.p256(t, "later", 1), identity())
	if again := w.cert(t, "ca/ca/1"); bytes.Equal(again.Raw, ca.Raw) || !bytes.Equal(again.RawSubjectPublicKeyInfo, ca.RawSubjectPublicKeyInfo) {
		t.Error("expected a new certificate over the same key before the old one ends")
	}
}

func TestReleaseCertificate(t *testing.T) {
	w := newWorld(t)
	key := w.p256(t, "acme-release", 3)
	c := certify(t, w.start(t), key, identity())
	if !bytes.Equal(c.RawSubjectPublicKeyInfo, key.SPKI) {
		t.Error("expected it to be over the release key")
	}
	if c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageCodeSigning || c.IsCA {
		t.Errorf("expected digital signatures for code signing, got %v, %v", c.KeyUsage, c.ExtKeyUsage)
	}
	if !bytes.Equal(c.RawSubject, []byte{0x30, 0}) {
		t.Errorf("expected an empty subject, got %s", c.Subject)
	}
	if _, critical, ok := extension(c, 2, 5, 29, 17); !ok || !critical || len(c.URIs) != 1 || c.URIs[0].String() != identity().PolicyURI {
		t.Errorf("expected the policy file as the one, critical name, got %v", c.URIs)
	}
	if got := c.NotAfter.Sub(c.NotBefore); got != 365*day || !c.NotBefore.Before(w.now) {
		t.Errorf("expected a year from a little before now, got %s from %s", got, c.NotBefore)
	}
	id := identity()
	if got, _, _ := extension(c, 1, 3, 6, 1, 4, 1, 57264, 1, 1); string(got) != id.Issuer {
		t.Errorf("issuer: expected raw bytes %q, got %q", id.Issuer, got)
	}
	for number, want := range map[int]string{
		8: id.Issuer, 9: id.PolicyURI, 12: id.Repository, 15: id.RepositoryID, 16: id.Owner, 17: id.OwnerID, 18: id.PolicyURI,
	} {
		value, _, ok := extension(c, 1, 3, 6, 1, 4, 1, 57264, 1, number)
		var got string
		if rest, err := asn1.UnmarshalWithParams(value, &got, "utf8"); !ok || err != nil || len(rest) > 0 || got != want || value[0] != asn1.TagUTF8String {
			t.Errorf("extension %d: expected UTF8String %q, got %q", number, want, value)
		}
	}
	for _, left := range []int{2, 3, 4, 5, 6, 7, 10, 11, 13, 14, 19, 20, 21, 22} {
		if _, _, ok := extension(c, 1, 3, 6, 1, 4, 1, 57264, 1, left); ok {
			t.Errorf("extension %d: expected none: it would say that a workflow signed", left)
		}
	}
}

// The timestamp is over the certificate without it, as RFC 6962, 3.2 has verifiers rebuild it.
func TestCertificateTimestamp(t *testing.T) {
	w := newWorld(t)
	c := certify(t, w.start(t), w.p256(t, "acme-release", 1), identity())
	value, _, ok := extension(c, 1, 3, 6, 1, 4, 1, 11129, 2, 4, 2)
	var list []byte
	if _, err := asn1.Unmarshal(value, &list); !ok || err != nil {
		t.Fatalf("expected a list of timestamps, got %x, %v", value, err)
	}
	if int(binary.BigEndian.Uint16(list)) != len(list)-2 || int(binary.BigEndian.Uint16(list[2:])) != len(list)-4 {
		t.Fatalf("expected a list of one, got %x", list)
	}
	sct := list[4:]
	spki := w.key(gate.PurposeCT).SPKI
	if id := sha256.Sum256(spki); sct[0] != 0 || !bytes.Equal(sct[1:33], id[:]) {
		t.Errorf("expected version 1 of the log with the CT key's id, got %x", sct[:33])
	}
	if at := time.UnixMilli(int64(binary.BigEndian.Uint64(sct[33:41]))); !at.Equal(w.now) {
		t.Errorf("expected the time now, got %s", at)
	}
	if !bytes.Equal(sct[41:45], []byte{0, 0, 4, 3}) || int(binary.BigEndian.Uint16(sct[45:])) != len(sct)-47 {
		t.Errorf("expected no extensions, SHA-256 with ECDSA and a signature, got %x", sct[41:47])
	}
	issuer := sha256.Sum256(w.key(gate.PurposeCA).SPKI)
	tbs := withoutTimestamp(t, c)
	entry := append([]byte{0, 0}, sct[33:41]...)
	entry = append(append(entry, 0, 1), issuer[:]...)
	entry = append(append(entry, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs))), tbs...)
	digest := sha256.Sum256(append(entry, 0, 0))
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], sct[47:]) {
		t.Error("expected the CT key's signature over the certificate without its timestamp")
	}
}

func withoutTimestamp(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	var tbs struct {
		Version      int `asn1:"optional,explicit,default:0,tag:0"`
		SerialNumber *big.Int
		Signature    pkix.AlgorithmIdentifier
		Issuer       asn1.RawValue
		Validity     struct{ NotBefore, NotAfter time.Time }
		Subject      asn1.RawValue
		PublicKey    asn1.RawValue
		Extensions   []pkix.Extension `asn1:"optional,explicit,tag:3"`
	}
	if _, err := asn1.Unmarshal(c.RawTBSCertificate, &tbs); err != nil {
		t.Fatal(err)
	}
	var kept []pkix.Extension
	for _, e := range tbs.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}) {
			kept = append(kept, e)
		}
	}
	tbs.Extensions = kept
	out, err := asn1.Marshal(tbs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCertificateIsUsedAgain(t *testing.T) {
	w := newWorld(t)
	key := w.p256(t, "acme-release", 1)
	first := certify(t, w.start(t), key, identity())
	same := func(why string, want bool) {
		t.Helper()
		got := certify(t, w.start(t), key, identity())
		if bytes.Equal(got.Raw, first.Raw) != want {
			t.Errorf("%s: expected used again %v, got a certificate of %s", why, want, got.NotBefore)
		}
		first = got
	}
	same("at once", true)
	w.now = w.now.Add(300 * day)
	same("after 300 days", true)
	w.add(t, gate.PurposeCA, 2)
	w.add(t, gate.PurposeCT, 2)
	same("with newer keys beside the old ones", true)
	w.now = w.now.Add(36 * day)
	same("less than 30 days before its end", false)
	if issuer := w.cert(t, "ca/ca/2"); first.CheckSignatureFrom(issuer) != nil {
		t.Error("expected the newest CA key to sign")
	}
	w.drop(w.config.Keys[len(w.config.Keys)-1])
	same("with its CT key revoked", false)
	w.drop(w.config.Keys[len(w.config.Keys)-1])
	same("with its CA key revoked", false)
	other := identity()
	other.PolicyURI = "https://github.com/acme/app/blob/next/.countersign.yaml@refs/heads/next"
	if got := certify(t, w.start(t), key, other); bytes.Equal(got.Raw, first.Raw) {
		t.Error("expected another identity to have a certificate of its own")
	}
}

// Two replicas that certify at once hand out one certificate, under one CA.
func TestReplicasAgree(t *testing.T) {
	w := newWorld(t)
	key := w.p256(t, "acme-release", 1)
	one, two := w.start(t), w.start(t)
	var second *x509.Certificate
	w.before = func() { second = certify(t, two, key, identity()) }
	first := certify(t, one, key, identity())
	if !bytes.Equal(first.Raw, second.Raw) || len(w.certs) != 2 {
		t.Errorf("expected one CA and one certificate, got %d", len(w.certs))
	}
}

func TestCertificateRefuses(t *testing.T) {
	w := newWorld(t)
	key := w.p256(t, "acme-release", 1)
	change := func(f func(*gate.Identity)) gate.Identity { id := identity(); f(&id); return id }
	for name, row := range map[string]struct {
		key  gate.KeyVersion
		id   gate.Identity
		want string
	}{
		"one of the gate's own keys": {w.key(gate.PurposeVerdict).KeyVersion, identity(), "one of the gate's own"},
		"no key":                     {gate.KeyVersion{Lineage: "x"}, identity(), "SubjectPublicKeyInfo"},
		"no identity":                {key, gate.Identity{}, "expected a URL"},
		"no owner":                   {key, change(func(i *gate.Identity) { i.Owner = "" }), "owner"},
		"no repository id":           {key, change(func(i *gate.Identity) { i.RepositoryID = "" }), "numbers"},
		"no URL":                     {key, change(func(i *gate.Identity) { i.PolicyURI = "acme/app" }), "policy"},
		"a URL not in its plain form": {key, change(func(i *gate.Identity) {
			i.PolicyURI = "HTTPS://github.com/acme/app/blob/main/.countersign.yaml"
		}), "plain form"},
	} {
		if der, err := w.start(t).Certificate(t.Context(), row.key, row.id); err == nil || !strings.Contains(err.Error(), row.want) || der != nil {
			t.Errorf("%s: expected an error with %q, got %v", name, row.want, err)
		}
	}
	w.config.NoCertificates = true
	if _, err := w.start(t).Certificate(t.Context(), key, identity()); err == nil || !strings.Contains(err.Error(), "no certificates") {
		t.Errorf("where there are none: got %v", err)
	}
	w.config.NoCertificates = false
	w.bend = func(sig []byte) []byte { return append(sig[:len(sig)-1:len(sig)-1], sig[len(sig)-1]^1) }
	if _, err := w.start(t).Certificate(t.Context(), key, identity()); gate.CodeOf(err) != gate.CodeSignatureBad {
		t.Errorf("a signature that does not verify: expected %s, got %v", gate.CodeSignatureBad, err)
	}
	if len(w.certs) > 0 {
		t.Errorf("expected nothing to be kept, got %d certificates", len(w.certs))
	}
}

func writePEM(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range certs {
		b.Write(pemOf(c))
	}
	return write(t, b.Bytes())
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	return string(out), err
}

func TestOpenSSLVerifiesCertificates(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	leaf := certify(t, a, w.p256(t, "acme-release", 1), identity())
	other := newWorld(t)
	certify(t, other.start(t), other.p256(t, "acme-release", 1), identity())
	if out, err := openssl(t, "verify", "-x509_strict", "-purpose", "any", "-CAfile", writePEM(t, w.cert(t, "ca/ca/1")), writePEM(t, leaf)); err != nil {
		t.Errorf("openssl verify: %v\n%s", err, out)
	}
	if _, err := openssl(t, "verify", "-purpose", "any", "-CAfile", writePEM(t, other.cert(t, "ca/ca/1")), writePEM(t, leaf)); err == nil {
		t.Error("openssl verify: expected another gate's authority to vouch for nothing here")
	}
}
