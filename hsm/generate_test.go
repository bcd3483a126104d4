package hsm_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

func TestGenerateAndList(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	var made []hsm.Key
	for _, label := range []string{"acme-release-v1", "acme-release-v2"} {
		k, err := tok.GenerateKey(t.Context(), label)
		if err != nil {
			t.Fatal(err)
		}
		if k.Label != label || len(k.ID) != 16 || k.Fingerprint != hsm.Fingerprint(k.SPKI) || !k.Software || k.Problem != "" {
			t.Errorf("made %+v", k)
		}
		made = append(made, k)
	}
	if bytes.Equal(made[0].ID, made[1].ID) {
		t.Error("two keys have one id")
	}
	keys, err := tok.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != len(made) {
		t.Fatalf("%d keys listed, %d made", len(keys), len(made))
	}
	for i, k := range keys {
		if k.Label != made[i].Label || !bytes.Equal(k.ID, made[i].ID) || k.Fingerprint != made[i].Fingerprint || k.Problem != "" {
			t.Errorf("listed %+v, made %+v", k, made[i])
		}
	}
}

func TestGeneratedKeysStayOnTheToken(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	tok.Pin(t, "acme-release", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error { return staysOnToken(t, m, h) })
}

// staysOnToken looks at the attributes of the token's one private key.
func staysOnToken(t *testing.T, m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
	t.Helper()
	want := map[uint]byte{
		pkcs11.CKA_TOKEN: 1, pkcs11.CKA_PRIVATE: 1, pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_ALWAYS_SENSITIVE: 1,
		pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_NEVER_EXTRACTABLE: 1, pkcs11.CKA_SIGN: 1,
		pkcs11.CKA_DECRYPT: 0, pkcs11.CKA_UNWRAP: 0, pkcs11.CKA_DERIVE: 0,
	}
	if err := m.FindObjectsInit(h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}); err != nil {
		return err
	}
	found, _, err := m.FindObjects(h, 2)
	if err != nil || len(found) != 1 {
		t.Errorf("%d private keys, %v", len(found), err)
		return err
	}
	for attribute, value := range want {
		got, err := m.GetAttributeValue(h, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
		if err != nil || len(got[0].Value) != 1 || got[0].Value[0] != value {
			t.Errorf("attribute %#x is %v (%v), expected %d", attribute, got, err, value)
		}
	}
	return m.FindObjectsFinal(h)
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	if _, err := tok.GenerateKey(t.Context(), "taken"); err != nil {
		t.Fatal(err)
	}
	_, err := tok.GenerateKey(t.Context(), "taken")
	if gate.KindOf(err) != gate.Conflict || !strings.Contains(err.Error(), `"taken"`) {
		t.Errorf("a label in use: %v", err)
	}
	if _, err = tok.GenerateKey(t.Context(), ""); gate.CodeOf(err) != gate.CodeConfig {
		t.Errorf("no label: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = tok.GenerateKey(cancelled, "late"); gate.KindOf(err) != gate.Unavailable {
		t.Errorf("given up: %v", err)
	}
	if _, err = tok.ListKeys(cancelled); gate.KindOf(err) != gate.Unavailable {
		t.Errorf("list, given up: %v", err)
	}
	if err := os.WriteFile(tok.PINFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = tok.GenerateKey(t.Context(), "new"); gate.CodeOf(err) != gate.CodePIN {
		t.Errorf("wrong PIN: %v", err)
	}
	if _, err = tok.ListKeys(t.Context()); gate.CodeOf(err) != gate.CodePIN {
		t.Errorf("list with a wrong PIN: %v", err)
	}
}

// What List calls a problem is what Start refuses.
func TestListNamesProblems(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	tok.Pin(t, "good", 1)
	tok.Do(t, func(m *pkcs11.Ctx, h pkcs11.SessionHandle) error {
		for range 2 {
			if err := generatePair(m, h, "twins", []byte{1}, curveP256()); err != nil {
				return err
			}
		}
		if err := generatePair(m, h, "", []byte{2}, curveP256()); err != nil {
			return err
		}
		return generatePair(m, h, "other curve", []byte{3}, curveP384())
	})
	keys, err := tok.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range keys {
		got[k.Label] = k.Problem
	}
	if len(keys) != 4 || got["good-v1"] != "" || !strings.Contains(got["twins"], "2 private") || !strings.Contains(got[""], "no label") {
		t.Errorf("listed %q, expected one good key, twins twice, and one without a label", got)
	}
}
