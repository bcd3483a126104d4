package sums_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/sums"
)

func TestPartsAreWhatTheFormatsTake(t *testing.T) {
	s, m := newSigner(t), gatetest.Manifest(2)
	for want, formats := range map[string][]gate.Format{
		"":                            {gate.FormatSigstore, gate.FormatDSSE},
		"raw":                         {gate.FormatRaw},
		"openpgp-key openpgp":         {gate.FormatOpenPGP},
		"raw ssh openpgp-key openpgp": {gate.FormatOpenPGP, gate.FormatSigstore, gate.FormatSSH, gate.FormatDSSE, gate.FormatRaw},
	} {
		var got []string
		for _, p := range s.parts(t, m, formats...) {
			got = append(got, string(p.Format))
			if digest, err := gate.SumsDigest(p.Format, m, p.Payload); err != nil || digest != p.Digest {
				t.Errorf("%s: expected the digest that follows from the manifest, got %s, %v", p.Format, p.Digest, err)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: expected parts %q, got %q", formats, want, got)
		}
	}
}

// The same release gives the same bytes, and a key's certification never depends on the time.
func TestPartsAndFilesAreDeterministic(t *testing.T) {
	s, m := newSigner(t), gatetest.Manifest(2)
	parts := s.parts(t, m, everything()...)
	if diff := cmp.Diff(parts, s.parts(t, m, everything()...)); diff != "" {
		t.Error(diff)
	}
	later, err := sums.Parts(everything(), m, s.version, user, at().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if same := cmp.Equal(p, later[i]); same != (p.Format != gate.FormatOpenPGP) {
			t.Errorf("%s a day later: the same %v", p.Format, same)
		}
	}
	signed := s.sign(t, parts)
	one, err := sums.Files(m, signed, user)
	if err != nil {
		t.Fatal(err)
	}
	two, err := sums.Files(m, signed, user)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, two); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, f := range one {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff(sums.Names(), names); diff != "" {
		t.Errorf("names (-reserved +made):\n%s", diff)
	}
}

// A key's OpenPGP fingerprint follows from the key alone. That of P-256's base point was
// computed apart from this code, as SHA-1 over 0x99, the length and the packet's body.
func TestOpenPGPFingerprint(t *testing.T) {
	spki, err := hex.DecodeString("3059301306072a8648ce3d020106082a8648ce3d03010703420004" +
		"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" + "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
	if err != nil {
		t.Fatal(err)
	}
	s := signer{version: gate.KeyVersion{Lineage: "base", Version: 1, SPKI: spki}}
	if got := s.fingerprint(t); got != fingerprint {
		t.Errorf("expected fingerprint %s, got %s", fingerprint, got)
	}
}

func TestPartsRefuse(t *testing.T) {
	s, m := newSigner(t), gatetest.Manifest(1)
	for name, row := range map[string]struct {
		formats []gate.Format
		key     gate.KeyVersion
		user    string
		want    string
	}{
		"no key":                 {everything(), gate.KeyVersion{Lineage: "x", Version: 2}, user, "key x version 2"},
		"a format of no policy":  {[]gate.Format{gate.FormatOpenPGPKey}, s.version, user, "comes with openpgp"},
		"an unknown format":      {[]gate.Format{"minisign"}, s.version, user, `got "minisign"`},
		"no user":                {everything(), s.version, "", "one principal"},
		"a user in words":        {everything(), s.version, "Acme Release", "one principal"},
		"a user in brackets":     {everything(), s.version, "acme<release@example.org>", "key@host"},
		"a user that is many":    {everything(), s.version, "*@example.org", "one principal"},
		"a user of two lines":    {everything(), s.version, "a@b\nc", "one principal"},
		"a user too long":        {everything(), s.version, strings.Repeat("x", 256), "one principal"},
		"a user beyond US-ASCII": {everything(), s.version, "größe@example.org", "one principal"},
	} {
		if parts, err := sums.Parts(row.formats, m, row.key, row.user, at()); err == nil || !strings.Contains(err.Error(), row.want) || parts != nil {
			t.Errorf("%s: expected an error with %q, got %v", name, row.want, err)
		}
	}
}

func TestFilesRefuse(t *testing.T) {
	s, other, m := newSigner(t), newSigner(t), gatetest.Manifest(2)
	parts := s.parts(t, m, everything()...)
	sign := func() []gate.SignedIntent { return s.sign(t, parts) }
	const raw, ssh, key, pgp = 0, 1, 2, 3
	for name, signed := range map[string]func() []gate.SignedIntent{
		"a signature over another manifest": func() []gate.SignedIntent {
			return s.sign(t, s.parts(t, gatetest.Manifest(3), gate.FormatRaw))
		},
		"a signature by another key": func() []gate.SignedIntent {
			x := sign()
			x[ssh].Signature.Bytes = other.sign(t, parts)[ssh].Signature.Bytes
			return x
		},
		"a changed signature": func() []gate.SignedIntent {
			x := sign()
			x[raw].Signature.Bytes[10] ^= 1
			return x
		},
		"a padded signature": func() []gate.SignedIntent {
			x := sign()
			x[raw].Signature.Bytes = append(x[raw].Signature.Bytes, 0)
			return x
		},
		"no signature": func() []gate.SignedIntent {
			x := sign()
			x[pgp].Signature.Bytes = nil
			return x
		},
		"OpenPGP without its key": func() []gate.SignedIntent { x := sign(); return append(x[:key:key], x[pgp]) },
		"a key without OpenPGP":   func() []gate.SignedIntent { x := sign(); return x[:pgp] },
		"a format twice":          func() []gate.SignedIntent { x := sign(); return append(x, x[raw]) },
		"an unknown format": func() []gate.SignedIntent {
			x := sign()
			x[raw].Intent.Name = "minisign"
			return x
		},
		"a certification by another key": func() []gate.SignedIntent {
			x := sign()
			x[key] = other.sign(t, other.parts(t, m, gate.FormatOpenPGP))[0]
			return x
		},
		"a changed certification":     func() []gate.SignedIntent { return s.resign(t, sign(), m, key, 40) },
		"a certification's length":    func() []gate.SignedIntent { return s.resign(t, sign(), m, key, 89) },
		"changed OpenPGP subpackets":  func() []gate.SignedIntent { return s.resign(t, sign(), m, pgp, 14) },
		"a document of another type":  func() []gate.SignedIntent { return s.resign(t, sign(), m, pgp, 2) },
		"a certification of nothing":  func() []gate.SignedIntent { return s.cut(t, sign(), m, key, 1) },
		"an OpenPGP payload cut off":  func() []gate.SignedIntent { return s.cut(t, sign(), m, pgp, 9) },
		"a raw signature with a tail": func() []gate.SignedIntent { x := sign(); x[raw].Intent.Payload = []byte{1}; return x },
	} {
		if files, err := sums.Files(m, signed(), user); err == nil || files != nil {
			t.Errorf("%s: expected a refusal, got %d files", name, len(files))
		}
	}
	if _, err := sums.Files(m, sign(), "no user"); err == nil {
		t.Error("a user in words: expected a refusal")
	}
	others := []gate.SignedIntent{{Intent: gate.Intent{Kind: gate.IntentStatement, Name: "raw"}}, {Intent: gate.Intent{Kind: gate.IntentSubject, Name: "ssh"}}}
	if files, err := sums.Files(m, others, user); err != nil || files != nil {
		t.Errorf("signatures over something else: expected no files, got %d, %v", len(files), err)
	}
}

// resign changes a payload and signs it anew, as a faulty signer of other bytes would.
func (s signer) resign(t *testing.T, signed []gate.SignedIntent, m gate.Manifest, i, at int) []gate.SignedIntent {
	t.Helper()
	x := &signed[i]
	x.Intent.Payload = bytes.Clone(x.Intent.Payload)
	x.Intent.Payload[at] ^= 1
	return s.over(t, signed, m, i)
}

func (s signer) cut(t *testing.T, signed []gate.SignedIntent, m gate.Manifest, i, at int) []gate.SignedIntent {
	t.Helper()
	signed[i].Intent.Payload = signed[i].Intent.Payload[:at]
	return s.over(t, signed, m, i)
}

func (s signer) over(t *testing.T, signed []gate.SignedIntent, m gate.Manifest, i int) []gate.SignedIntent {
	t.Helper()
	x := &signed[i]
	digest, err := gate.SumsDigest(gate.Format(x.Intent.Name), m, x.Intent.Payload)
	if err != nil {
		t.Fatal(err)
	}
	x.Intent.Digest = digest
	if x.Signature.Bytes, err = ecdsa.SignASN1(rand.Reader, s.private, digest[:]); err != nil {
		t.Fatal(err)
	}
	return signed
}

// The OpenPGP key of a later release verifies an earlier one's signature.
func TestAnyCopyOfTheKeyVerifiesAnyRelease(t *testing.T) {
	s, m := newSigner(t), gatetest.Manifest(1)
	early, err := sums.Files(m, s.sign(t, s.parts(t, m, gate.FormatOpenPGP)), user)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := sums.Parts([]gate.Format{gate.FormatOpenPGP}, m, s.version, user, at().Add(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	late, err := sums.Files(m, s.sign(t, parts), user)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(late[1].Content))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(m.Bytes()), bytes.NewReader(early[0].Content), nil); err != nil {
		t.Error(err)
	}
}
