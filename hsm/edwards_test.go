package hsm_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// generateEdwards makes an Ed25519 pair as a careless tool does.
func generateEdwards(m *pkcs11.Ctx, h pkcs11.SessionHandle, label string, id []byte) error {
	_, _, err := m.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(0x1055, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
			pkcs11.NewAttribute(pkcs11.CKA_ID, id), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, append([]byte{0x13, 0x0c}, "edwards25519"...)),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		})
	return err
}

// The private half of one and the public half of the other would sign what does not verify.
func TestStartRefusesAnEd25519KeyOfTheSameLabelAndID(t *testing.T) {
	t.Parallel()
	for _, log := range []bool{false, true} {
		tok := hsmtest.NewToken(t)
		pin := tok.Pin(t, "acme-release", 1)
		if log {
			pin = tok.PinPurpose(t, gate.PurposeLog, hsm.Ed25519)
		}
		tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
			if log {
				return generatePair(m, h, pin.Label, pin.ID, curveP256())
			}
			return generateEdwards(m, h, pin.Label, pin.ID)
		})
		mustNotStart(t, hsmtest.Config(t, tok, pin), gate.CodeKeyMismatch, "found 2 and 2")
	}
}

func TestAnEd25519KeyOfTheSameLabelOrIDIsNoMatter(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.Pin(t, "acme-release", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		if err := generateEdwards(m, h, "other", pin.ID); err != nil {
			return err
		}
		return generateEdwards(m, h, pin.Label, []byte{1})
	})
	sign(t, hsmtest.Start(t, hsmtest.Config(t, tok, pin)), 3)
}

func TestStartRefusesEd25519ForAnythingButTheLog(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	k := tok.PinPurpose(t, gate.PurposeLog, hsm.Ed25519)
	spki := func() []byte {
		found, err := tok.ListKeys(t.Context())
		if err != nil || len(found) != 1 {
			t.Fatalf("%v, %v", found, err)
		}
		return found[0].SPKI
	}()
	for _, p := range []gate.Purpose{"", gate.PurposeRelease, gate.PurposeCA, gate.PurposeCT, gate.PurposeTimestamp, gate.PurposeVerdict} {
		k.Purpose, k.SPKI = p, nil
		mustNotStart(t, hsmtest.Config(t, tok, k), gate.CodeKeyMismatch, "only the log's", "pin a P-256 key")
		k.SPKI = spki
		mustNotStart(t, hsmtest.Config(t, tok, k), gate.CodeConfig, "only the log's")
	}
}

func TestStartRefusesALostEd25519Half(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	pin := tok.PinPurpose(t, gate.PurposeLog, hsm.Ed25519)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		if err := m.FindObjectsInit(h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}); err != nil {
			return err
		}
		found, _, err := m.FindObjects(h, 1)
		if err != nil {
			return err
		}
		if err := m.FindObjectsFinal(h); err != nil {
			return err
		}
		return m.DestroyObject(h, found[0])
	})
	mustNotStart(t, hsmtest.Config(t, tok, pin), gate.CodeKeyMismatch, "found 0 and 1")
}

func TestStartSaysWhereATokenMakesNoEd25519Signatures(t *testing.T) {
	t.Parallel()
	f, c := faultyLog(t)
	f.Set(t, "C_SignInit 1 1 ckr 0x70")
	mustNotStart(t, c, gate.CodeConfig, "no Ed25519 signatures", "--purpose log --type p256")
	f.Set(t, "C_Sign 1 1 flip")
	mustNotStart(t, c, gate.CodeSignatureBad, "log version 1")
}

func TestGeneratedEd25519KeysStayOnTheToken(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	tok.PinPurpose(t, gate.PurposeLog, hsm.Ed25519)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error { return staysOnToken(t, m, h) })
	keys, err := tok.ListKeys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Type != hsm.Ed25519 || keys[0].Problem != "" || !bytes.HasPrefix(keys[0].SPKI, []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70}) {
		t.Errorf("listed %+v, %v", keys, err)
	}
}

// Modules differ in how they give Ed25519 keys.
func TestEd25519Attributes(t *testing.T) {
	t.Parallel()
	point := bytes.Repeat([]byte{9}, 32)
	name := append([]byte{0x13, 0x0c}, "edwards25519"...)
	for what, row := range map[string]struct {
		params, point []byte
		good          bool
	}{
		"SoftHSM":                  {name, append([]byte{4, 32}, point...), true},
		"RFC 8410's OID":           {[]byte{6, 3, 0x2b, 0x65, 0x70}, append([]byte{4, 32}, point...), true},
		"the draft's OID":          {[]byte{6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1}, append([]byte{4, 32}, point...), true},
		"a bare point":             {name, point, true},
		"a bit string":             {name, append([]byte{3, 33, 0}, point...), true},
		"a point of 31 bytes":      {name, point[1:], false},
		"a point and more":         {name, append([]byte{4, 32, 9}, point...), false},
		"an octet string too long": {name, append([]byte{4, 33, 9}, point...), false},
		"no point":                 {name, nil, false},
		"X25519":                   {append([]byte{0x13, 0x0a}, "curve25519"...), point, false},
		"P-256":                    {curveP256(), point, false},
		"no parameters":            {nil, point, false},
	} {
		got, err := hsm.PublicKey(0x40, row.params, row.point)
		if good := err == nil; good != row.good {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func FuzzPublicKey(f *testing.F) {
	name := append([]byte{0x13, 0x0c}, "edwards25519"...)
	f.Add(uint(0x40), name, append([]byte{4, 32}, make([]byte, 32)...))
	f.Add(uint(pkcs11.CKK_EC), curveP256(), append([]byte{4, 65, 4}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, typ uint, params, point []byte) {
		key, err := hsm.PublicKey(typ, params, point)
		if err != nil {
			return
		}
		if _, err := x509.MarshalPKIXPublicKey(key); err != nil {
			t.Error(err)
		}
	})
}

// What a worker that was taken over may say.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x15{\"signatures\":[\"AQ==\"]}"))
	f.Add([]byte("\x00\x00\x00\x29{\"ready\":{\"software\":true,\"spkis\":[\"AQ==\"]}}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = hsm.ReadReply(bytes.NewReader(b)) })
}
