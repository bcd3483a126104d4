package workload_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign/countersign/gate"
)

// onlyGood asserts that of all texts the issuer's own is accepted alone.
func (i *issuer) onlyGood(good, what, raw string) {
	i.t.Helper()
	if w, err := i.verify(raw); err == nil && raw != good {
		i.t.Errorf("%s: accepted %q as the ID token of %s", what, raw, w.RepositoryName)
	}
}

// attack 8: every byte of an ID token counts, and of its header every bit.
func TestEveryByteCounts(t *testing.T) { onBoth(t, everyByteCounts) }

func everyByteCounts(t *testing.T, i *issuer) {
	good := i.mint(nil)
	parts := strings.Split(good, ".")
	for part, name := range []string{"header", "claim set", "signature"} {
		doc, err := base64.RawURLEncoding.DecodeString(parts[part])
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(doc) * 8 {
			if name != "header" && bit%8 != (bit/8)%8 {
				continue // one bit of each byte: there are a thousand
			}
			doc[bit/8] ^= 1 << (bit % 8)
			changed := append([]string{}, parts...)
			changed[part] = b64(doc)
			i.onlyGood(good, fmt.Sprintf("bit %d of the %s", bit, name), strings.Join(changed, "."))
			doc[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// One ID token has one spelling: every other text that a lax decoder would take for it
// is refused, so that nothing that is kept by its text can be had twice.
func TestOneSpelling(t *testing.T) { onBoth(t, oneSpelling) }

func oneSpelling(t *testing.T, i *issuer) {
	good := i.mint(nil)
	for at := range len(good) {
		i.onlyGood(good, fmt.Sprintf("letter %d changed", at), good[:at]+neighbour(good[at])+good[at+1:])
	}
	parts := strings.Split(good, ".")
	for _, extra := range []string{" ", "\t", "\n", "\r\n", "\v", "\x00", "=", "==", "%3D", "\u00a0", "\ufeff", "A", "."} {
		for part := range parts {
			for where, with := range map[string]string{
				"before": extra + parts[part], "after": parts[part] + extra, "within": parts[part][:20] + extra + parts[part][20:],
			} {
				changed := append([]string{}, parts...)
				changed[part] = with
				i.onlyGood(good, fmt.Sprintf("%q %s part %d", extra, where, part+1), strings.Join(changed, "."))
			}
		}
	}
	for what, raw := range map[string]string{
		"in quotes": `"` + good + `"`, "with its scheme": "Bearer " + good, "twice": good + "." + good, "two of them": good + "," + good,
		"standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(good) + "=", "as a URL writes it": strings.ReplaceAll(good, ".", "%2E"),
		"as JSON":         fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
		"as general JSON": fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2]),
		"detached":        parts[0] + ".." + parts[2],
	} {
		_, err := i.verify(raw)
		refused(t, what, raw, err, gate.CodeTokenMalformed)
	}
}

// neighbour is the base64 letter that differs in the last bit, which carries nothing at
// the end of a part.
func neighbour(letter byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if at := strings.IndexByte(letters, letter); at >= 0 {
		return string(letters[at^1])
	}
	return "-"
}

// keyed is an HMAC'd token under one of the secrets an attacker knows: the public key.
func keyed(alg string, h func() hash.Hash, payload, secret []byte) string {
	input := b64([]byte(`{"alg":"`+alg+`","kid":"k1"}`)) + "." + b64(payload)
	mac := hmac.New(h, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// attack 8: whatever algorithm the header names, RS256 by the issuer's key is asked for.
func TestAlgorithmConfusion(t *testing.T) { onBoth(t, algorithmConfusion) }

func algorithmConfusion(t *testing.T, i *issuer) {
	payload := i.json(i.claims(nil))
	pub := &theKey().PublicKey
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"modulus": pub.N.Bytes(), "SPKI": spki, "PKCS #1": x509.MarshalPKCS1PublicKey(pub), "JWK": i.json(jwk("k1", pub)), "nothing": {},
		"PEM":         pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
		"PKCS #1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(pub)}),
	}
	for name, secret := range secrets {
		for alg, h := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New, "RS256": sha256.New} {
			raw := keyed(alg, h, payload, secret)
			_, err := i.verify(raw)
			refused(t, alg+" keyed with the "+name, raw, err, gate.CodeTokenSignature)
		}
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "RSA", "HS256", "dir", "RS256\x00"} {
		raw := b64(i.json(map[string]any{"alg": alg, "kid": "k1"})) + "." + b64(payload) + "." + b64([]byte("x"))
		_, err := i.verify(raw)
		refused(t, fmt.Sprintf("unsigned, alg %q", alg), raw, err, gate.CodeTokenSignature)
	}
	// Well signed by the issuer's own key, and still not as it signs.
	for _, alg := range []jose.SignatureAlgorithm{jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: theKey(), KeyID: "k1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		_, err = i.verify(raw)
		refused(t, string(alg)+" by the issuer's key", raw, err, gate.CodeTokenSignature)
	}
}

// Signatures that are numbers around the right one, or another digest's.
func TestForgedSignatures(t *testing.T) { onBoth(t, forgedSignatures) }

func forgedSignatures(t *testing.T, i *issuer) {
	good := i.mint(nil)
	parts := strings.Split(good, ".")
	sig, _ := base64.RawURLEncoding.DecodeString(parts[2])
	pub := &theKey().PublicKey
	s := new(big.Int).SetBytes(sig)
	sum := sha512.Sum512([]byte(parts[0] + "." + parts[1]))
	other, err := rsa.SignPKCS1v15(rand.Reader, theKey(), crypto.SHA512, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw256, err := rsa.SignPKCS1v15(rand.Reader, theKey(), 0, sum[:32])
	if err != nil {
		t.Fatal(err)
	}
	for what, forged := range map[string][]byte{
		"zero": make([]byte, 256), "one": big.NewInt(1).FillBytes(make([]byte, 256)), "the modulus": pub.N.Bytes(),
		"the modulus less one": new(big.Int).Sub(pub.N, big.NewInt(1)).Bytes(), "s + n": new(big.Int).Add(s, pub.N).Bytes(),
		"n - s": new(big.Int).Sub(pub.N, s).FillBytes(make([]byte, 256)), "a zero before it": append([]byte{0}, sig...),
		"a zero after it": append(append([]byte{}, sig...), 0), "cut": sig[:255], "its first byte gone": sig[1:], "one byte": {1},
		"over SHA-512": other, "without DigestInfo": raw256, "twice as long": append(append([]byte{}, sig...), sig...),
	} {
		raw := parts[0] + "." + parts[1] + "." + b64(forged)
		_, err := i.verify(raw)
		refused(t, "signature "+what, raw, err, gate.CodeTokenSignature)
	}
	stolen := strings.Split(i.mint(is("jti", "another")), ".")
	raw := parts[0] + "." + parts[1] + "." + stolen[2]
	_, err = i.verify(raw)
	refused(t, "another token's signature", raw, err, gate.CodeTokenSignature)
}

// Headers of a size or a shape that no forge sends, each well signed: a known key
// signed it, and still it is refused, or says nothing.
func TestOddHeaders(t *testing.T) { onBoth(t, oddHeaders) }

func oddHeaders(t *testing.T, i *issuer) {
	p := i.json(i.claims(nil))
	inner := sign(i.json(i.header()), p)
	for what, raw := range map[string]string{
		"a header of a megabyte":     sign(i.json(map[string]any{"alg": "RS256", "kid": "k1", "x": strings.Repeat("A", 1<<20)}), p),
		"a kid of 20,000 letters":    i.mintHeader(is("kid", strings.Repeat("k", 20000))),
		"a JWS in a JWS":             sign([]byte(`{"alg":"RS256","kid":"k1","cty":"JWT"}`), []byte(inner)),
		"a JWS as a JSON text":       sign([]byte(`{"alg":"RS256","kid":"k1","cty":"JWT"}`), i.json(inner)),
		"alg twice, one escaped":     sign([]byte(`{"alg":"RS256","\u0061lg":"none","kid":"k1"}`), p),
		"kid twice":                  sign([]byte(`{"alg":"RS256","kid":"k1","kid":"k1"}`), p),
		"an object within, twice":    sign([]byte(`{"alg":"RS256","kid":"k1","x":{"a":1,"a":1}}`), p),
		"two headers":                sign([]byte(`{"alg":"RS256","kid":"k1"}{"alg":"none"}`), p),
		"a header in UTF-16":         sign([]byte("\xff\xfe{\x00}\x00"), p),
		"a byte order mark":          sign([]byte("\ufeff"+`{"alg":"RS256","kid":"k1"}`), p),
		"a header that is a text":    sign([]byte(`"RS256"`), p),
		"nothing at all":             sign(nil, p),
		"nested a thousand deep":     sign([]byte(`{"alg":"RS256","kid":"k1","x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}`), p),
		"claims twice, one escaped":  sign(i.json(i.header()), []byte(`{"\u0061ud":"sigstore",`+string(p[1:]))),
		"a claim set that is a list": sign(i.json(i.header()), []byte("["+string(p)+"]")),
		"no claim set":               sign(i.json(i.header()), nil),
	} {
		_, err := i.verify(raw)
		refused(t, what, raw, err, gate.CodeTokenMalformed)
	}
	for what, header := range map[string]string{
		"Alg, not alg": `{"Alg":"RS256","kid":"k1"}`, "alg is a list": `{"alg":["RS256"],"kid":"k1"}`, "alg is null": `{"alg":null,"kid":"k1"}`,
		"kid is a number": `{"alg":"RS256","kid":1}`, "KID, not kid": `{"alg":"RS256","KID":"k1"}`, "b64 is true": `{"alg":"RS256","kid":"k1","b64":true}`,
		"crit is empty": `{"alg":"RS256","kid":"k1","crit":[]}`, "jwk is null": `{"alg":"RS256","kid":"k1","jwk":null}`,
	} {
		raw := sign([]byte(header), p)
		_, err := i.verify(raw)
		refused(t, what, raw, err, gate.CodeTokenSignature)
	}
}

// attack 8: a kid is compared, and never becomes part of a path, a query or a URL.
func TestKeyIDIsOnlyCompared(t *testing.T) { onBoth(t, keyIDIsOnlyCompared) }

func keyIDIsOnlyCompared(t *testing.T, i *issuer) {
	var asked []string
	answer := i.Config.Handler
	i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		answer.ServeHTTP(w, r)
	})
	for _, kid := range []string{
		"../../../../dev/null", "/etc/passwd", "..%2f..%2fjwks", "k1' OR '1'='1", "k1'; DROP TABLE requests; --", `k1" UNION SELECT`, "k1\x00", "K1", " k1",
		"k1 ", "k1/../k1", "https://evil.example.org/jwks", "//evil.example.org", "k1#", "k1?x", "{{k1}}", "$(id)", "`id`", "| id", "\u202ek1", "ｋ1",
	} {
		raw := i.mintHeader(is("kid", kid))
		_, err := i.verify(raw)
		refused(t, fmt.Sprintf("kid %q", kid), raw, err, gate.CodeTokenSignature)
	}
	for _, url := range asked {
		if url != "/.well-known/openid-configuration" && url != "/jwks" {
			t.Errorf("a kid made the verifier ask for %s", url)
		}
	}
}

// Keys of other kinds under the very kid: they verify nothing, and hide no good key.
func TestKeysOfOtherKinds(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]map[string]any{
		"EC":          {"kty": "EC", "crv": "P-256", "kid": "k1", "x": b64(point[1:33]), "y": b64(point[33:])},
		"oct":         {"kty": "oct", "kid": "k1", "k": b64(theKey().N.Bytes())},
		"OKP":         {"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": b64(make([]byte, 32))},
		"RSA of 1024": jwk("k1", &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}),
		"RSA of 2047": jwk("k1", &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2046, 1), E: 65537}),
		"exponent 1":  {"kty": "RSA", "kid": "k1", "n": b64(theKey().N.Bytes()), "e": b64([]byte{1})},
		"exponent 2":  {"kty": "RSA", "kid": "k1", "n": b64(theKey().N.Bytes()), "e": b64([]byte{2})},
		"exponent 0":  {"kty": "RSA", "kid": "k1", "n": b64(theKey().N.Bytes()), "e": b64([]byte{0})},
		"a huge one":  {"kty": "RSA", "kid": "k1", "n": b64(theKey().N.Bytes()), "e": b64([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1})},
	}
	for what, key := range bad {
		i := newIssuer(t, gate.GitHub)
		good := i.keys[0]
		forged := []string{
			keyed("HS256", sha256.New, i.json(i.claims(nil)), theKey().N.Bytes()),
			ecSigned(t, ec, i.json(i.claims(nil))), bareSigned(i.json(i.header()), i.json(i.claims(nil))),
		}
		i.keys = []map[string]any{key, good}
		if _, err := i.verify(i.mint(nil)); err != nil {
			t.Errorf("a key %s hides a good one: %v", what, err)
		}
		for _, raw := range forged {
			_, err := i.verify(raw)
			refused(t, "beside a good key, "+what, raw, err, gate.CodeTokenSignature)
		}
		alone := newIssuer(t, gate.GitHub)
		alone.keys = []map[string]any{key}
		for _, raw := range []string{alone.mint(nil), bareSigned(alone.json(alone.header()), alone.json(alone.claims(nil))),
			keyed("HS256", sha256.New, alone.json(alone.claims(nil)), theKey().N.Bytes()), ecSigned(t, ec, alone.json(alone.claims(nil)))} {
			if w, err := alone.verify(raw); err == nil {
				t.Errorf("key %s alone: accepted as %s", what, w.RepositoryName)
			}
		}
	}
}

func ecSigned(t *testing.T, key *ecdsa.PrivateKey, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// bareSigned needs no private key: under exponent 1 the padded digest is its own signature.
func bareSigned(header, payload []byte) string {
	input := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(input))
	info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, sum[:]...)
	em := append([]byte{0, 1}, []byte(strings.Repeat("\xff", 256-3-len(info)))...)
	return input + "." + b64(append(append(em, 0), info...))
}
