package sums_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/sums"
)

const (
	user        = "acme-release@gate.example.org"
	fingerprint = "90579e8f57c997993eb52bfe079934b2d1a001cb"
)

// at is any time within whole seconds, as OpenPGP counts.
func at() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) }

func everything() []gate.Format {
	return []gate.Format{gate.FormatSigstore, gate.FormatDSSE, gate.FormatRaw, gate.FormatSSH, gate.FormatOpenPGP}
}

// signer is a release key in software.
type signer struct {
	private *ecdsa.PrivateKey
	version gate.KeyVersion
}

func newSigner(t *testing.T) signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{private: k, version: gate.KeyVersion{Lineage: "acme-release", Version: 1, SPKI: spki}}
}

// sign does with parts what the gate does: an intent each, and a DER signature over its digest.
func (s signer) sign(t *testing.T, parts []sums.Part) []gate.SignedIntent {
	t.Helper()
	var out []gate.SignedIntent
	for i, p := range parts {
		der, err := ecdsa.SignASN1(rand.Reader, s.private, p.Digest[:])
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("intent-%d", i)
		out = append(out, gate.SignedIntent{
			Intent: gate.Intent{
				ID: id, Request: "r", Attempt: 1, Kind: gate.IntentSums, Name: string(p.Format), Digest: p.Digest, Payload: p.Payload, Key: s.version,
			},
			Signature: gate.Signature{Intent: id, Bytes: der},
		})
	}
	return out
}

func (s signer) parts(t *testing.T, m gate.Manifest, formats ...gate.Format) []sums.Part {
	t.Helper()
	parts, err := sums.Parts(formats, m, s.version, user, at())
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func (s signer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.version.SPKI})
}

// folder writes what a release hands out, and SHA256SUMS with a tampered twin.
func folder(t *testing.T, s signer, m gate.Manifest) string {
	t.Helper()
	dir := t.TempDir()
	files, err := sums.Files(m, s.sign(t, s.parts(t, m, everything()...)), user)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, sums.File{Name: "SHA256SUMS", Content: m.Bytes()}, sums.File{Name: "TAMPERED", Content: append(m.Bytes(), '\n')},
		sums.File{Name: "countersign.pem", Content: s.pem()})
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func first(out string, _ error) string { return out }

// fingerprint is the issuer's that an OpenPGP signature names: a subpacket of 22 octets, of
// type 33, version 4.
func (s signer) fingerprint(t *testing.T) string {
	t.Helper()
	_, rest, ok := bytes.Cut(s.parts(t, gatetest.Manifest(1), gate.FormatOpenPGP)[1].Payload, []byte{22, 33, 4})
	if !ok || len(rest) < 20 {
		t.Fatal("expected an issuer fingerprint in what is signed")
	}
	return hex.EncodeToString(rest[:20])
}

// Everybody's own tools accept each file over SHA256SUMS, and refuse it over another.
func TestStockToolsVerify(t *testing.T) {
	s := newSigner(t)
	for _, size := range []int{1, 300} {
		dir := folder(t, s, gatetest.Manifest(size))
		home := filepath.Join(dir, "gnupg")
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		run := func(name string, args ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), name, args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "GNUPGHOME="+home)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		if out, err := run("gpg", "--batch", "--import", "countersign.asc"); err != nil {
			t.Fatalf("gpg --import: %v\n%s", err, out)
		}
		told := regexp.MustCompile("(?m)^fpr:+([0-9A-F]{40}):").FindStringSubmatch(first(run("gpg", "--batch", "--with-colons", "--list-keys")))
		if want := s.fingerprint(t); len(told) != 2 || !strings.EqualFold(told[1], want) {
			t.Errorf("expected gpg to tell fingerprint %s, got %q", want, told)
		}
		for tool, command := range map[string][]string{
			"openssl":    {"openssl", "dgst", "-sha256", "-verify", "countersign.pem", "-signature", "SHA256SUMS.sig", "FILE"},
			"ssh-keygen": {"sh", "-c", "ssh-keygen -Y verify -f countersign.allowed_signers -I " + user + " -n file -s SHA256SUMS.sshsig <FILE"},
			"gpg":        {"gpg", "--batch", "--no-auto-key-retrieve", "--verify", "SHA256SUMS.asc", "FILE"},
			"sqv":        {"sqv", "--keyring", "countersign.asc", "SHA256SUMS.asc", "FILE"},
		} {
			for file, accepted := range map[string]bool{"SHA256SUMS": true, "TAMPERED": false} {
				args := slices.Clone(command)
				args[len(args)-1] = strings.ReplaceAll(args[len(args)-1], "FILE", file)
				if out, err := run(args[0], args[1:]...); (err == nil) != accepted {
					t.Errorf("%s over %s of %d subjects: expected accepted %v, got %v\n%s", tool, file, size, accepted, err, out)
				}
			}
		}
	}
}
