package sums_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/countersign/countersign/gate/sums"
)

const namespace = "epoch@countersign"

// keygen makes an SSH key with the people's own tool: its file, and the line of it that an
// allowed signers file takes.
func keygen(t *testing.T, args ...string) (file, line string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	run(t, "", "ssh-keygen", append([]string{"-q", "-N", "", "-C", "", "-f", file}, args...)...)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(public))
}

func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

func signSSH(t *testing.T, key, in, message string, more ...string) []byte {
	t.Helper()
	return []byte(run(t, message, "ssh-keygen", append([]string{"-Y", "sign", "-f", key, "-n", in}, more...)...))
}

func allow(t *testing.T, lines ...string) sums.AllowedSigners {
	t.Helper()
	a, err := sums.ParseAllowedSigners([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestVerifySSHTakesWhatPeopleSign(t *testing.T) {
	for _, kind := range [][]string{{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "rsa", "-b", "3072"}} {
		for _, hash := range []string{"sha256", "sha512"} {
			key, public := keygen(t, kind...)
			who, err := sums.VerifySSH([]byte("epoch 2\n"), signSSH(t, key, namespace, "epoch 2\n", "-O", "hashalg="+hash), namespace, allow(t, "github:7 "+public), at())
			if err != nil || who != "github:7" {
				t.Errorf("%v, %s: expected github:7, got %q, %v", kind, hash, who, err)
			}
		}
	}
}

func TestVerifySSHRefuses(t *testing.T) {
	key, public := keygen(t, "-t", "ed25519")
	_, other := keygen(t, "-t", "ed25519")
	const message = "epoch 2\n"
	good := signSSH(t, key, namespace, message)
	rows := []struct {
		name    string
		message string
		sig     []byte
		in      string
		allowed sums.AllowedSigners
		want    string
	}{
		{"another message", "epoch 3\n", good, namespace, allow(t, "a "+public), "not by the key"},
		{"another namespace", message, good, "file", allow(t, "a "+public), `namespace "file"`},
		{"no namespace", message, good, "", allow(t, "a "+public), "namespace"},
		{"a key that is not listed", message, good, namespace, allow(t, "a "+other), "not among the allowed signers"},
		{"nobody allowed", message, good, namespace, sums.AllowedSigners{}, "not among the allowed signers"},
		{"a key for other namespaces", message, good, namespace, allow(t, `a namespaces="file,git" `+public), "allowed for namespaces file, git"},
		{"a key before its time", message, good, namespace, allow(t, `a valid-after="20260203040507Z" `+public), "valid from"},
		{"a key after its time", message, good, namespace, allow(t, `a valid-before="20260203040506Z" `+public), "valid until"},
		{"no armor", message, []byte("SSHSIG"), namespace, allow(t, "a "+public), "BEGIN SSH SIGNATURE"},
		{"nothing", message, nil, namespace, allow(t, "a "+public), "BEGIN SSH SIGNATURE"},
		{"more than any signature has", message, []byte(strings.Repeat("x", sums.MaxSSHSignature+1)), namespace, allow(t, "a "+public), "at most"},
	}
	for _, r := range rows {
		if who, err := sums.VerifySSH([]byte(r.message), r.sig, r.in, r.allowed, at()); err == nil || !strings.Contains(err.Error(), r.want) || who != "" {
			t.Errorf("%s: expected an error with %q, got %q, %v", r.name, r.want, who, err)
		}
	}
	within := allow(t, `a namespaces="epoch@countersign",valid-after="20260101Z" valid-before="202701010000Z" `+public)
	if _, err := sums.VerifySSH([]byte(message), good, namespace, within, at()); err != nil {
		t.Errorf("within all bounds: %v", err)
	}
	blob := unarmor(t, good)
	for i := range blob {
		changed := append([]byte(nil), blob...)
		changed[i] ^= 1
		if _, err := sums.VerifySSH([]byte(message), rearmor(changed), namespace, allow(t, "a "+public), at()); err == nil {
			t.Fatalf("byte %d of %d changed: expected a refusal", i, len(blob))
		}
		if _, err := sums.VerifySSH([]byte(message), rearmor(blob[:i]), namespace, allow(t, "a "+public), at()); err == nil {
			t.Fatalf("cut after %d of %d bytes: expected a refusal", i, len(blob))
		}
	}
	if _, err := sums.VerifySSH([]byte(message), rearmor(append(blob, 0)), namespace, allow(t, "a "+public), at()); err == nil {
		t.Error("a byte after it: expected a refusal")
	}
}

// RSA with SHA-1 is what old programs make of an RSA key, under the name of the key's own type.
func TestVerifySSHRefusesSHA1(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	by, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha512.Sum512([]byte("m"))
	signed := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{namespace, "", "sha512", string(digest[:])})...)
	allowed := allow(t, "a "+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(by.PublicKey()))))
	for algorithm, accepted := range map[string]bool{ssh.KeyAlgoRSA: false, ssh.KeyAlgoRSASHA256: true, ssh.KeyAlgoRSASHA512: true} {
		sig, err := by.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, signed, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		blob := append([]byte("SSHSIG"), ssh.Marshal(struct {
			Version                   uint32
			Key                       []byte
			Namespace, Reserved, Hash string
			Signature                 []byte
		}{1, by.PublicKey().Marshal(), namespace, "", "sha512", ssh.Marshal(sig)})...)
		if _, err := sums.VerifySSH([]byte("m"), rearmor(blob), namespace, allowed, at()); (err == nil) != accepted {
			t.Errorf("%s: expected accepted %v, got %v", algorithm, accepted, err)
		}
	}
}

// securityKey is a FIDO key in software: it signs what a key in somebody's hand would (OpenSSH
// PROTOCOL.u2f), with any flags.
type securityKey struct {
	private ed25519.PrivateKey
	public  ssh.PublicKey
}

func newSecurityKey(t *testing.T) securityKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	blob := ssh.Marshal(struct{ Type, Key, Application string }{ssh.KeyAlgoSKED25519, string(public), "ssh:"})
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return securityKey{private, key}
}

func (k securityKey) line() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.public)))
}

func (k securityKey) sign(message string, flags byte, rest ...byte) []byte {
	digest := sha512.Sum512([]byte(message))
	signed := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{namespace, "", "sha512", string(digest[:])})...)
	application, inner := sha256.Sum256([]byte("ssh:")), sha256.Sum256(signed)
	counted := append(append(append(application[:], flags), 0, 0, 0, 7), inner[:]...)
	sig := ssh.Marshal(struct{ Format, Blob string }{ssh.KeyAlgoSKED25519, string(ed25519.Sign(k.private, counted))})
	sig = append(append(sig, flags, 0, 0, 0, 7), rest...)
	return rearmor(append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{1, k.public.Marshal(), namespace, "", "sha512", sig})...))
}

func TestVerifySSHOnSecurityKeys(t *testing.T) {
	k := newSecurityKey(t)
	allowed := allow(t, "github:7 "+k.line())
	good := k.sign("m", 1)
	if who, err := sums.VerifySSH([]byte("m"), good, namespace, allowed, at()); err != nil || who != "github:7" {
		t.Errorf("touched: got %q, %v", who, err)
	}
	// The signature is one to OpenSSH too.
	file, sig := filepath.Join(t.TempDir(), "allowed"), filepath.Join(t.TempDir(), "sig")
	for path, content := range map[string][]byte{file: []byte("github:7 " + k.line() + "\n"), sig: good} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "m", "ssh-keygen", "-Y", "verify", "-f", file, "-I", "github:7", "-n", namespace, "-s", sig)
	for name, bad := range map[string][]byte{
		"untouched": k.sign("m", 0), "verified and untouched": k.sign("m", 4), "another message": k.sign("n", 1), "more behind it": k.sign("m", 1, 0),
	} {
		if _, err := sums.VerifySSH([]byte("m"), bad, namespace, allowed, at()); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
}

func unarmor(t *testing.T, sig []byte) []byte {
	t.Helper()
	body := strings.ReplaceAll(string(sig), "\n", "")
	body = strings.TrimSuffix(strings.TrimPrefix(body, "-----BEGIN SSH SIGNATURE-----"), "-----END SSH SIGNATURE-----")
	blob, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func rearmor(blob []byte) []byte {
	return []byte("-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(blob) + "\n-----END SSH SIGNATURE-----\n")
}

func TestParseAllowedSignersRefuses(t *testing.T) {
	_, ed := keygen(t, "-t", "ed25519")
	_, rsa2048 := keygen(t, "-t", "rsa", "-b", "2048")
	curve := func(c elliptic.Curve) string {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, err := ssh.NewPublicKey(&k.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	}
	for line, want := range map[string]string{
		"a":                                           "public key",
		"a ssh-ed25519":                               "public key",
		"a ssh-ed25519 !":                             "base64",
		"a ssh-ed25519 AAAA":                          "public key",
		"a ecdsa-sha2-nistp256 " + ed[12:]:            `type "ecdsa-sha2-nistp256"`,
		"a cert-authority " + ed:                      "certificates",
		"a,b " + ed:                                   "one principal",
		"*@acme " + ed:                                "one principal",
		`"a" ` + ed:                                   "one principal",
		`a namespaces="*" ` + ed:                      "without patterns",
		`a namespaces="" ` + ed:                       "without patterns",
		`a namespaces=file ` + ed:                     "double quotes",
		`a valid-after="20260101" ` + ed:              "YYYYMMDD",
		`a valid-before="tomorrow" ` + ed:             "YYYYMMDD",
		`a no-such-option ` + ed:                      "expected namespaces",
		"a " + rsa2048:                                "RSA of 2048",
		"a " + curve(elliptic.P521()):                 "nistp521",
		"a " + ed + "\nb " + ed:                       "line 2: expected each key once",
		"a " + ed + "\n# comment\n\nb no-option":      "line 4",
		strings.Repeat("#\n", sums.MaxAllowedSigners): "at most",
	} {
		if a, err := sums.ParseAllowedSigners([]byte(line)); err == nil || !strings.Contains(err.Error(), want) || len(a.Principals()) > 0 {
			t.Errorf("%.60q: expected an error with %q, got %v", line, want, err)
		}
	}
	if got := allow(t, "# people", "", "a "+ed+" laptop", "b "+curve(elliptic.P256()), "a "+curve(elliptic.P384())).Principals(); strings.Join(got, " ") != "a b" {
		t.Errorf("expected a and b, got %q", got)
	}
}

func FuzzParseAllowedSigners(f *testing.F) {
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public())
	if err != nil {
		f.Fatal(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	f.Add([]byte("a " + line + "\n"))
	f.Add([]byte(`a namespaces="file",valid-after="20260101Z" ` + line))
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := sums.ParseAllowedSigners(file)
		if err != nil && len(a.Principals()) > 0 {
			t.Error("expected nobody to be allowed by a file that does not read")
		}
	})
}

func FuzzVerifySSH(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		f.Fatal(err)
	}
	allowed, err := sums.ParseAllowedSigners(append([]byte("a "), ssh.MarshalAuthorizedKey(key)...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, sig []byte) {
		if _, err := sums.VerifySSH([]byte("m"), sig, namespace, allowed, time.Time{}); err == nil {
			t.Error("expected a refusal: nobody signed this")
		}
	})
}
