package attest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Names of the files beside the artifacts.
const (
	SumsName      = "SHA256SUMS"
	KeyName       = "countersign.pem"
	BundleSuffix  = ".sigstore.json"     // one per artifact
	RawSuffix     = ".sig"               // one per artifact: the DER signature alone
	VSASuffix     = ".vsa.sigstore.json" // of the release
	VSADSSESuffix = ".vsa.dsse.json"     // of the release
)

// File is one file to put beside the artifacts.
type File struct {
	Name    string // relative, forward slashes
	Content []byte
}

// ReleaseName is the base name of a release's own files: the tag or branch, with
// the slashes that a file name cannot hold as hyphens.
func ReleaseName(ref string) string { return strings.ReplaceAll(gate.ShortRef(ref), "/", "-") }

// Files are all files of a signed release: for each subject its bundle and its raw
// DER signature; for the release the VSA as bundle and as raw DSSE envelope,
// SHA256SUMS, and the public key. Every signature is verified on the way.
//
// It wants exactly one signature per subject and one over the statement, all by
// one key. Name is what [ReleaseName] makes of the ref.
func Files(m gate.Manifest, name string, signed []gate.SignedIntent) ([]File, error) {
	if name == "" || name != ReleaseName(name) {
		return nil, fmt.Errorf("release files: expected a release name without slashes, got %q", name)
	}
	if err := CheckNames(m, name); err != nil {
		return nil, err
	}
	sigs, err := sortSigned(m, signed)
	if err != nil {
		return nil, err
	}
	out := []File{{SumsName, m.Bytes()}, {KeyName, sigs.key.PEM()}}
	for _, s := range m.Subjects {
		bundle, err := MessageBundle(sigs.subjects[s.Name])
		if err != nil {
			return nil, fmt.Errorf("files of %q: %w", s.Name, err)
		}
		out = append(out, File{s.Name + BundleSuffix, bundle},
			File{s.Name + RawSuffix, slices.Clone(sigs.subjects[s.Name].Signature.Bytes)})
	}
	bundle, err := StatementBundle(sigs.statement)
	if err != nil {
		return nil, fmt.Errorf("statement of %q: %w", name, err)
	}
	raw, err := Envelope(sigs.statement)
	if err != nil {
		return nil, fmt.Errorf("statement of %q: %w", name, err)
	}
	return append(out, File{name + VSASuffix, bundle}, File{name + VSADSSESuffix, raw}), nil
}

// signatures are a release's signatures by what they are over.
type signatures struct {
	key       Key
	statement gate.SignedIntent
	subjects  map[string]gate.SignedIntent
}

func sortSigned(m gate.Manifest, signed []gate.SignedIntent) (signatures, error) {
	if want := len(m.Subjects) + 1; len(signed) != want {
		return signatures{}, fmt.Errorf("release files: expected %d signatures, one per subject and one over the statement, got %d",
			want, len(signed))
	}
	out := signatures{subjects: make(map[string]gate.SignedIntent, len(m.Subjects))}
	var err error
	if out.key, err = ParseKey(signed[0].Intent.Key.SPKI); err != nil {
		return signatures{}, fmt.Errorf("release files: %w", err)
	}
	for _, s := range signed {
		if !slices.Equal(s.Intent.Key.SPKI, out.key.spki) {
			return signatures{}, fmt.Errorf("release files: intent %s: expected all signatures by one key, got a second", s.Intent.ID)
		}
		if s.Intent.Kind == gate.IntentStatement {
			out.statement = s
			continue
		}
		out.subjects[s.Intent.Name] = s
	}
	for _, s := range m.Subjects {
		got, ok := out.subjects[s.Name]
		if !ok || got.Intent.Digest != s.SHA256 {
			return signatures{}, fmt.Errorf("release files: no signature over %q with digest %s", s.Name, s.SHA256)
		}
	}
	return out, sameSubjects(m, out.statement)
}

// sameSubjects holds the statement against the manifest that it goes out with.
func sameSubjects(m gate.Manifest, statement gate.SignedIntent) error {
	v, err := ParseVSA(statement.Intent.Payload)
	if err != nil {
		return fmt.Errorf("release files: %w", err)
	}
	if !slices.Equal(v.Subject, subjects(m)) {
		return fmt.Errorf("release files: the statement's subjects are not those of manifest %s", m.Digest())
	}
	return nil
}

// CheckNames refuses a manifest some of whose files would overwrite another file of
// the release, such as a subject "SHA256SUMS", or "app" beside "app.sig". Names
// that differ only in case are one file on some systems. Call it when a release is
// asked for: after the signatures it is too late to rename.
func CheckNames(m gate.Manifest, name string) error {
	taken := map[string]string{}
	claim := func(file, of string) error {
		key := strings.ToLower(file)
		if other, clash := taken[key]; clash {
			return &gate.Error{
				Kind: gate.Invalid, Code: gate.CodeSubjects,
				Text:     fmt.Sprintf("file %q of %s is also %s", file, of, other),
				Expected: "names that leave room for " + BundleSuffix + ", " + RawSuffix + ", " + SumsName + " and " + KeyName,
				Got:      fmt.Sprintf("%q", file), Fix: "rename the subject, or leave it out",
			}
		}
		taken[key] = of
		return nil
	}
	for _, s := range m.Subjects {
		of := fmt.Sprintf("subject %q", s.Name)
		for _, file := range []string{s.Name, s.Name + BundleSuffix, s.Name + RawSuffix} {
			if err := claim(file, of); err != nil {
				return err
			}
		}
	}
	for _, file := range []string{SumsName, KeyName, name + VSASuffix, name + VSADSSESuffix} {
		if err := claim(file, "the release"); err != nil {
			return err
		}
	}
	return nil
}
