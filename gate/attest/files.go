package attest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// File is one file to put beside the artifacts.
type File struct {
	Name    string // relative, forward slashes
	Content []byte
}

// Release is a sealed release: what its files are made of.
type Release struct {
	Manifest gate.Manifest
	Name     string // as [ReleaseName] gives it
	// Signed are its signatures, those over SHA256SUMS among them, with their log entries and
	// time-stamps.
	Signed []gate.SignedIntent
	Seal   gate.Seal
	// Proofs are the inclusion proofs of the log entries in the tree of the seal's checkpoint,
	// by index.
	Proofs map[int64][]gate.Digest
	// TrustedRoot is handed out with the rest; the checkpoint and the certificate have to fit
	// it.
	TrustedRoot []byte
	// Sums are the files of SHA256SUMS's own formats, which gate/sums makes.
	Sums []File
}

// Files are all files of a sealed release: SHA256SUMS, the public key, the trusted root; for
// each subject its bundle by key, by certificate where there is one, and its raw DER
// signature; the same for each statement, with its raw DSSE envelope; and the files of
// SHA256SUMS's formats. The same release gives the same files.
//
// Nothing goes out that would not verify: every signature, log entry, inclusion proof,
// checkpoint and time-stamp is checked on the way. It wants exactly one signature per
// subject and per statement, all by one key, and a verification summary that lists the
// other statements.
func Files(r Release) ([]File, error) {
	sigs, err := sortSigned(r.Manifest, r.Name, r.Signed)
	if err != nil {
		return nil, err
	}
	if err := sigs.checkInputs(); err != nil {
		return nil, err
	}
	trust, err := ParseTrustedRoot(r.TrustedRoot)
	if err != nil {
		return nil, fmt.Errorf("release files: %w", err)
	}
	seal, err := newEvidence(r.Seal.Checkpoint, r.Proofs, r.Seal.Certificate)
	if err == nil {
		err = seal.trusted(trust)
	}
	if err != nil {
		return nil, fmt.Errorf("release files: %w", err)
	}
	prove := func(s gate.SignedIntent) (proven, error) {
		stamp := r.Seal.Timestamps[s.Intent.ID]
		if s.Timestamp != nil && stamp != nil && !slices.Equal(s.Timestamp, stamp) {
			return proven{}, fmt.Errorf("signature %s: its time-stamp is not the seal's", s.Intent.ID)
		}
		if s.Timestamp == nil {
			s.Timestamp = stamp
		}
		return seal.prove(s, sigs.key)
	}
	out := []File{{SumsName, r.Manifest.Bytes()}, {KeyName, sigs.key.PEM()}, {TrustedRootName, slices.Clone(r.TrustedRoot)}}
	signed, err := sigs.files(r.Name, prove)
	if err != nil {
		return nil, err
	}
	out = append(out, signed...)
	for _, f := range r.Sums {
		if !slices.Contains(releaseNames(), f.Name) || slices.ContainsFunc(out, func(o File) bool { return o.Name == f.Name }) {
			return nil, fmt.Errorf("release files: %q is no file of a format of SHA256SUMS", f.Name)
		}
		out = append(out, f)
	}
	return out, nil
}

// files are those of subjects and statements, in the order of the manifest and of
// [statementOrder].
func (sigs signatures) files(name string, prove func(gate.SignedIntent) (proven, error)) ([]File, error) {
	var out []File
	for _, s := range sigs.subjects {
		p, err := prove(s)
		if err != nil {
			return nil, fmt.Errorf("files of %q: %w", s.Intent.Name, err)
		}
		files, err := p.bundles(s.Intent.Name)
		if err != nil {
			return nil, fmt.Errorf("files of %q: %w", s.Intent.Name, err)
		}
		out = append(append(out, files...), File{s.Intent.Name + RawSuffix, slices.Clone(s.Signature.Bytes)})
	}
	for _, s := range sigs.statements {
		p, err := prove(s)
		if err != nil {
			return nil, fmt.Errorf("statement %s of %q: %w", s.Intent.Name, name, err)
		}
		files, err := p.statementFiles(name + "." + s.Intent.Name)
		if err != nil {
			return nil, fmt.Errorf("statement %s of %q: %w", s.Intent.Name, name, err)
		}
		out = append(out, files...)
	}
	return out, nil
}

// bundles are the bundles of each variant that the signature has.
func (p proven) bundles(base string) ([]File, error) {
	byKey, err := p.bundle(gate.VariantKey)
	if err != nil {
		return nil, err
	}
	out := []File{{base + BundleSuffix, byKey}}
	if p.certificate == nil {
		return out, nil
	}
	byCertificate, err := p.bundle(gate.VariantCertificate)
	if err != nil {
		return nil, err
	}
	return append(out, File{base + CertBundleSuffix, byCertificate}), nil
}

func (p proven) statementFiles(base string) ([]File, error) {
	out, err := p.bundles(base)
	if err != nil {
		return nil, err
	}
	raw, err := Envelope(p.SignedIntent)
	if err != nil {
		return nil, err
	}
	return append(out, File{base + EnvelopeSuffix, raw}), nil
}

// VerdictFiles are what is handed out about a request that ended denied: its statement as
// bundle and as raw DSSE envelope, under "<name>.refusal", and the verdict key. Entries,
// proofs and time-stamp are those of the verdict's signature.
func VerdictFiles(
	name string, v gate.SignedVerdict, entries []gate.LogEntry, c gate.Checkpoint, proofs map[int64][]gate.Digest, timestamp []byte,
) ([]File, error) {
	if err := checkReleaseName(name); err != nil {
		return nil, err
	}
	id := "verdict on " + v.Request
	s := gate.SignedIntent{
		Intent: gate.Intent{
			ID: id, Request: v.Request, Kind: gate.IntentStatement, Name: StatementRefusal,
			Digest: gate.StatementDigest(v.Statement), Payload: v.Statement, Key: v.Key,
		},
		Signature: gate.Signature{Intent: id, Bytes: v.Signature, At: v.At},
		Entries:   entries, Timestamp: timestamp,
	}
	key, err := signedBy(s, gate.IntentStatement)
	if err != nil {
		return nil, err
	}
	vsa, err := ParseVSA(v.Statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	if vsa.Predicate.VerificationResult == Passed || slices.Contains(vsa.Predicate.VerifiedLevels, Level) {
		return nil, fmt.Errorf("%s: its statement says that the release passed", id)
	}
	seal, err := newEvidence(c, proofs, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	p, err := seal.prove(s, key)
	if err != nil {
		return nil, err
	}
	files, err := p.statementFiles(name + "." + StatementRefusal)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return append([]File{{RefusalKeyName, key.PEM()}}, files...), nil
}

func checkReleaseName(name string) error {
	if name == "" || name != ReleaseName(name) {
		return fmt.Errorf("release files: expected a release name without slashes, got %q", name)
	}
	return nil
}

// signatures are a release's signatures by what they are over. Each of them holds.
type signatures struct {
	key        Key
	subjects   []gate.SignedIntent // in the manifest's order
	statements []gate.SignedIntent // in the order of statementOrder
}

func sortSigned(m gate.Manifest, name string, signed []gate.SignedIntent) (signatures, error) {
	if err := checkReleaseName(name); err != nil {
		return signatures{}, err
	}
	if err := CheckNames(m, name); err != nil {
		return signatures{}, err
	}
	if len(signed) == 0 {
		return signatures{}, errors.New("release files: expected signatures, got none")
	}
	key, err := ParseKey(signed[0].Intent.Key.SPKI)
	if err != nil {
		return signatures{}, fmt.Errorf("release files: %w", err)
	}
	out := signatures{key: key}
	subjects := map[string]gate.SignedIntent{}
	for _, s := range signed {
		if !slices.Equal(s.Intent.Key.SPKI, key.spki) {
			return signatures{}, fmt.Errorf("release files: intent %s: expected all signatures by one key, got a second", s.Intent.ID)
		}
		switch s.Intent.Kind {
		case gate.IntentSubject:
			if _, twice := subjects[s.Intent.Name]; twice {
				return signatures{}, fmt.Errorf("release files: expected one signature over %q, got two", s.Intent.Name)
			}
			subjects[s.Intent.Name] = s
		case gate.IntentStatement:
			out.statements = append(out.statements, s)
		case gate.IntentSums: // gate/sums makes their files
		}
	}
	if len(subjects) > len(m.Subjects) {
		return signatures{}, fmt.Errorf("release files: expected %d signatures over subjects, got %d", len(m.Subjects), len(subjects))
	}
	for _, subject := range m.Subjects {
		s, ok := subjects[subject.Name]
		if !ok || s.Intent.Digest != subject.SHA256 {
			return signatures{}, fmt.Errorf("release files: no signature over %q with digest %s", subject.Name, subject.SHA256)
		}
		if _, err := signedBy(s, gate.IntentSubject); err != nil {
			return signatures{}, err
		}
		out.subjects = append(out.subjects, s)
	}
	return out, out.checkStatements(m)
}
