package attesttest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/sums"
)

// SealedRelease is a release with all its evidence.
type SealedRelease struct {
	Release

	Gate *Gate
	// Sealed is what the files were made of: change a part and make them anew.
	Sealed attest.Release
}

// Sealed releases artifacts (contents by subject name) from a fresh gate, under
// [gatetest.GrantedCase].
func Sealed(t testing.TB, artifacts map[string]string, o Options, opts ...gatetest.Option) SealedRelease {
	t.Helper()
	g, err := NewGate(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Seal(artifacts, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Seal releases artifacts (contents by subject name) under [gatetest.GrantedCase]: signed,
// entered in the log, time-stamped, and proved.
func (g *Gate) Seal(artifacts map[string]string, opts ...gatetest.Option) (SealedRelease, error) {
	r, err := g.signed(artifacts, opts...)
	if err != nil {
		return SealedRelease{}, err
	}
	out := SealedRelease{Release: r, Gate: g, Sealed: attest.Release{
		Manifest: r.Manifest, Name: attest.ReleaseName(gatetest.Ref), Signed: r.Signed,
		Seal: gate.Seal{Request: r.Decision.Request, At: g.At},
	}}
	if out.Sealed.Seal.Certificate, err = g.certify(); err != nil {
		return SealedRelease{}, err
	}
	if err := g.Enter(&out.Sealed); err != nil {
		return SealedRelease{}, err
	}
	if out.Sealed.TrustedRoot, err = attest.TrustedRoot(g.Trust); err != nil {
		return SealedRelease{}, err
	}
	files, err := sums.Files(r.Manifest, out.Sealed.Signed, g.user())
	if err != nil {
		return SealedRelease{}, err
	}
	for _, f := range files {
		out.Sealed.Sums = append(out.Sealed.Sums, attest.File(f))
	}
	out.Signed = out.Sealed.Signed
	out.Files, err = attest.Files(out.Sealed)
	return out, err
}

// certify is the certificate that the gate's releases have; nil where they have none.
func (g *Gate) certify() ([]byte, error) {
	if g.NoCertificates {
		return nil, nil
	}
	return g.CA.Certify(g.CT, g.Release, g.Identity(), g.since(), g.At.AddDate(1, 0, 0))
}

// Enter puts every signature into the log, by key and by the seal's certificate, with a
// time-stamp, and then proves each. What they had is left aside.
func (g *Gate) Enter(r *attest.Release) error {
	if _, err := g.Log.Commit(ledger.Intents, r.Seal.Request); err != nil {
		return err
	}
	r.Seal.Timestamps = map[string][]byte{}
	for i := range r.Signed {
		if err := g.enterOne(&r.Signed[i], r.Seal.Certificate); err != nil {
			return err
		}
		if r.Signed[i].Timestamp != nil {
			r.Seal.Timestamps[r.Signed[i].Intent.ID] = r.Signed[i].Timestamp
		}
	}
	return g.Prove(r)
}

func (g *Gate) enterOne(s *gate.SignedIntent, certificate []byte) error {
	records := map[gate.Variant]ledger.Record{
		gate.VariantKey: {Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: s.Intent.Key.SPKI},
	}
	bundled := s.Intent.Kind != gate.IntentSums // SHA256SUMS's formats have no place for more
	if certificate != nil && bundled {
		records[gate.VariantCertificate] = ledger.Record{
			Digest: s.Intent.Digest, Signature: s.Signature.Bytes, Key: certificate, Certificate: true,
		}
	}
	s.Entries = nil
	for _, variant := range []gate.Variant{gate.VariantKey, gate.VariantCertificate} {
		record, ok := records[variant]
		if !ok {
			continue
		}
		body, err := record.Bytes()
		if err != nil {
			return err
		}
		index, err := g.Log.Append(body)
		if err != nil {
			return err
		}
		s.Entries = append(s.Entries, gate.LogEntry{Variant: variant, Index: index, Body: body})
	}
	if !bundled {
		return nil
	}
	var err error
	s.Timestamp, err = g.TSA.Stamp(s.Signature.Bytes, g.At)
	return err
}

// Prove gives the release the log's newest checkpoint and the proofs of its entries in it.
func (g *Gate) Prove(r *attest.Release) error {
	var err error
	if r.Seal.Checkpoint, err = g.Log.Checkpoint(); err != nil {
		return err
	}
	r.Proofs = map[int64][]gate.Digest{}
	for _, s := range r.Signed {
		for _, e := range s.Entries {
			if r.Proofs[e.Index], err = g.Log.Prove(r.Seal.Checkpoint.Size, e.Index); err != nil {
				return err
			}
		}
	}
	return nil
}

// signed is a release with signatures and nothing that proves them.
func (g *Gate) signed(artifacts map[string]string, opts ...gatetest.Option) (Release, error) {
	var subjects []gate.Subject
	for _, name := range slices.Sorted(maps.Keys(artifacts)) {
		subjects = append(subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(artifacts[name]))})
	}
	m, err := canonical.NewManifest(subjects)
	if err != nil {
		return Release{}, fmt.Errorf("manifest: %w", err)
	}
	c, at := gatetest.GrantedCase(append([]gatetest.Option{
		gatetest.At(g.At), gatetest.For(m), gatetest.With(g.Release.Version),
	}, opts...)...)
	r := Release{Artifacts: artifacts, Manifest: m, Key: g.Release, Decision: gate.Decide(c, at)}
	grant, ok := r.Decision.Grant()
	if !ok {
		return Release{}, errors.New("the case is not granted")
	}
	statements, err := attest.Statements(attest.Verdict{
		Server: g.Server, Repository: g.Repository, Sources: c.Policy.Sources, Evidence: c.Evidence, Decision: r.Decision,
	})
	if err != nil {
		return Release{}, fmt.Errorf("statements: %w", err)
	}
	intents := gatetest.Intents(grant)
	for i, s := range statements {
		intents = append(intents, gate.Intent{
			ID: fmt.Sprintf("0197f3a0-0000-7000-9001-%012d", i+1), Request: r.Decision.Request, Attempt: 1,
			Kind: gate.IntentStatement, Name: s.Name, Digest: gate.StatementDigest(s.Payload), Payload: s.Payload, Key: grant.Key(),
		})
		r.Statement = s.Payload // the summary comes last
	}
	parts, err := sums.Parts(g.Formats, m, grant.Key(), g.user(), at)
	if err != nil {
		return Release{}, err
	}
	for i, p := range parts {
		intents = append(intents, gate.Intent{
			ID: fmt.Sprintf("0197f3a0-0000-7000-9002-%012d", i+1), Request: r.Decision.Request, Attempt: 1,
			Kind: gate.IntentSums, Name: string(p.Format), Digest: p.Digest, Payload: p.Payload, Key: grant.Key(),
		})
	}
	for _, i := range intents {
		s, err := g.Release.SignIntent(i)
		if err != nil {
			return Release{}, err
		}
		s.Signature.At = at.Add(time.Second)
		r.Signed = append(r.Signed, s)
	}
	return r, nil
}

// user is how formats that want a person's name call the release key.
func (g *Gate) user() string { return gatetest.Lineage + "@" + g.Log.Key.Name() }

// Write puts the artifacts and all files into a folder.
func (r SealedRelease) Write(folder string) error {
	files := slices.Clone(r.Files)
	for name, content := range r.Artifacts {
		files = append(files, attest.File{Name: name, Content: []byte(content)})
	}
	for _, f := range files {
		to := filepath.Join(folder, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // release files are public
			return fmt.Errorf("write release: %w", err)
		}
		if err := os.WriteFile(to, f.Content, 0o644); err != nil { //nolint:gosec // release files are public
			return fmt.Errorf("write release: %w", err)
		}
	}
	return nil
}

// ownerOf is the path of a repository's owner.
func ownerOf(repository string) string { return path.Dir(repository) }
