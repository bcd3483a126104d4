package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// Key is a public key that the caller trusts. The zero Key verifies nothing.
type Key struct{ key attest.Key }

// ParseKey reads one PEM block PUBLIC KEY with an ECDSA P-256 key.
func ParseKey(pem []byte) (Key, error) {
	k, err := attest.ParseKeyPEM(pem)
	return Key{k}, err
}

// Hint is the key's fingerprint, as `ssh-keygen -l` prints it.
func (k Key) Hint() string { return k.key.Hint() }

// Expect is what a statement must say. The zero value of a field expects nothing.
type Expect struct {
	Subjects   []gate.Subject // each must be among the statement's
	Server     string         // the gate's public URL
	Repository string         // forge:number
	Ref        string         // full ref
	Commit     string
	Policy     gate.Digest
	// Hardware asks that the key was not one in software.
	Hardware bool
}

// Artifact checks the Sigstore bundle of one artifact against its SHA-256.
func Artifact(bundle []byte, key Key, artifact gate.Digest) Result {
	t := &tree{r: Result{Name: "artifact"}}
	b, err := parseBundle(bundle)
	if err == nil && b.message == nil {
		err = errors.New("expected a signature over an artifact, got one over a statement")
	}
	if !t.check("bundle", err, "Sigstore bundle v0.3 with one message signature") {
		return t.done()
	}
	t.check("key", sameKey("the bundle's hint", b.hint, key), "%s", key.Hint())
	t.check("digest", same("SHA-256", artifact.String(), b.message.digest.String()), "SHA-256 %s", artifact)
	// The artifact's own digest, not the bundle's word for it.
	t.check("signature", key.key.Verify(artifact, b.message.signature), "ECDSA P-256 over the artifact")
	notYet(t, b)
	return t.done()
}

// Statement checks the Sigstore bundle of a release's verification summary.
func Statement(bundle []byte, key Key, want Expect) Result {
	t := &tree{r: Result{Name: "statement"}}
	b, err := parseBundle(bundle)
	if err == nil && b.envelope == nil {
		err = errors.New("expected a signature over a statement, got one over an artifact")
	}
	if !t.check("bundle", err, "Sigstore bundle v0.3 with one DSSE signature") {
		return t.done()
	}
	e := b.envelope
	t.check("key", errors.Join(sameKey("the bundle's hint", b.hint, key), sameKey("the envelope's keyid", e.keyID, key)), "%s", key.Hint())
	t.check("payload type", same("payload type", gate.InTotoType, e.payloadType), "%s", e.payloadType)
	digest := gate.SHA256(gate.PAE(e.payloadType, e.payload))
	// Nothing in the payload is read before its signature holds.
	if !t.check("signature", key.key.Verify(digest, e.signature), "ECDSA P-256 over the statement") {
		return t.done()
	}
	vsa, err := attest.ParseVSA(e.payload)
	if t.check("statement", err, "in-toto Statement v1 with a SLSA verification summary v1") {
		verdict(t, vsa, key)
		expected(t, vsa, want)
	}
	notYet(t, b)
	return t.done()
}

// verdict checks what every statement of a gate says.
func verdict(t *tree, vsa attest.VSA, key Key) {
	p := vsa.Predicate
	t.check("result", same("verificationResult", attest.Passed, p.VerificationResult), "%s at %s", p.VerificationResult, p.TimeVerified)
	var err error
	if !slices.Contains(p.VerifiedLevels, attest.Level) {
		err = fmt.Errorf("expected level %s, got %q", attest.Level, p.VerifiedLevels)
	}
	t.check("level", err, "%s", attest.Level)
	t.check("key storage", keyNote(p.Key, key), "key %s version %d lives in %s", p.Key.Lineage, p.Key.Version, p.Key.Storage)
}

func keyNote(n attest.KeyNote, key Key) error {
	if n.Storage != attest.Software && n.Storage != attest.Hardware {
		return fmt.Errorf("expected the statement to say software or hardware, got %q", n.Storage)
	}
	return sameKey("the statement's key", n.Hint, key)
}

// expected checks what the caller asks for, one step each.
func expected(t *tree, vsa attest.VSA, want Expect) {
	for _, s := range want.Subjects {
		t.check("subject "+s.Name, subject(vsa, s), "SHA-256 %s", s.SHA256)
	}
	p := vsa.Predicate
	for _, x := range []struct{ name, want, got string }{
		{"server", strings.TrimRight(want.Server, "/"), p.Verifier.ID},
		{"repository", want.Repository, p.Release.Repository},
		{"ref", want.Ref, p.Release.Ref},
		{"commit", want.Commit, p.Release.Commit},
	} {
		if x.want != "" {
			t.check(x.name, same(x.name, x.want, x.got), "%s", x.got)
		}
	}
	if want.Policy != (gate.Digest{}) {
		t.check("policy", same("policy digest", want.Policy.String(), p.Policy.Digest.SHA256.String()), "%s", want.Policy)
	}
	if want.Hardware {
		t.check("hardware", same("key storage", string(attest.Hardware), string(p.Key.Storage)), "the key lives in hardware")
	}
}

// subject wants the very name with the very digest, once.
func subject(vsa attest.VSA, want gate.Subject) error {
	var found []gate.Digest
	for _, s := range vsa.Subject {
		if s.Name == want.Name {
			found = append(found, s.Digest.SHA256)
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("%q is none of the statement's %d subjects", want.Name, len(vsa.Subject))
	case len(found) > 1:
		return fmt.Errorf("the statement names %q %d times", want.Name, len(found))
	}
	return same("SHA-256", want.SHA256.String(), found[0].String())
}

func sameKey(what, got string, key Key) error {
	if got == "" || got != key.Hint() {
		return fmt.Errorf("%s names key %q, the trusted key is %s", what, got, key.Hint())
	}
	return nil
}

func same(what, want, got string) error {
	if want != got {
		return fmt.Errorf("%s: expected %s, got %q", what, want, got)
	}
	return nil
}

// notYet says in the result what this version leaves out.
func notYet(t *tree, b bundle) {
	t.skip("log entry", fmt.Sprintf("%d in the bundle; this version does not check transparency log entries", b.entries))
	t.skip("timestamp", fmt.Sprintf("%d in the bundle; this version does not check timestamps", b.stamps))
}
