package main

import (
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	bundleSuffix = ".sigstore.json"
	certSuffix   = ".cert" + bundleSuffix
	dsseSuffix   = ".dsse.json"
	vsaSuffix    = ".vsa"
)

// A folder is what `countersign collect` left of one release, read as a consumer would:
// by the files' names alone.
type folder struct {
	dir        string
	release    string
	subjects   []string // the names in SHA256SUMS
	statements []string // "v1.0.0.vsa", "v1.0.0.decision", …
	signer     signer
	summary    summary
	// certified says whether the release came with certificates: releases of private
	// repositories do not, unless their operator wants them to.
	certified bool
}

// A signer is whom the certificates of a release name.
type signer struct {
	Identity   string // the URI in the subject alternative name
	Issuer     string // extension 1.3.6.1.4.1.57264.1.8
	Repository string // extension 1.3.6.1.4.1.57264.1.12
}

// A summary is what the release's VSA says of itself.
type summary struct {
	Verifier, Resource string
}

func readFolder(dir string) (folder, error) {
	f := folder{dir: dir}
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return f, fmt.Errorf("%w: expected a folder that countersign collect wrote to", err)
	}
	for line := range strings.Lines(string(sums)) {
		_, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok {
			return f, fmt.Errorf("%s: expected lines of sha256sum, got %q", f.path("SHA256SUMS"), line)
		}
		f.subjects = append(f.subjects, name)
	}
	if err := f.findStatements(); err != nil {
		return f, err
	}
	if err := f.readSummary(); err != nil {
		return f, err
	}
	_, err = os.Stat(f.path(f.statement(vsaSuffix) + certSuffix))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return f, err
	}
	f.certified = true
	return f, f.readSigner()
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) has(name string) bool {
	_, err := os.Stat(f.path(name))
	return err == nil
}

// statement names the release's file of a statement; its suffix begins with a dot.
func (f *folder) statement(suffix string) string { return f.release + suffix }

func (f *folder) findStatements() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), bundleSuffix)
		if !ok || strings.HasSuffix(e.Name(), certSuffix) || slices.Contains(f.subjects, name) {
			continue
		}
		f.statements = append(f.statements, name)
		if release, ok := strings.CutSuffix(name, vsaSuffix); ok {
			if f.release != "" {
				return fmt.Errorf("%s: expected the files of one release, got %s and %s", f.dir, f.release, release)
			}
			f.release = release
		}
	}
	// The VSA first, which all the others hang on.
	slices.SortStableFunc(f.statements, func(a, b string) int {
		return cmp.Compare(strings.Count(b, vsaSuffix), strings.Count(a, vsaSuffix))
	})
	if f.release == "" {
		return fmt.Errorf("%s: expected a bundle <release>%s%s, got none", f.dir, vsaSuffix, bundleSuffix)
	}
	return nil
}

func (f *folder) readSummary() error {
	envelope, err := readEnvelope(f.path(f.statement(vsaSuffix) + bundleSuffix))
	if err != nil {
		return err
	}
	var statement struct {
		Predicate struct {
			Verifier struct {
				ID string `json:"id"`
			} `json:"verifier"`
			Resource string `json:"resourceUri"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(envelope.payload, &statement); err != nil {
		return fmt.Errorf("statement in %s: %w", f.statement(vsaSuffix), err)
	}
	f.summary = summary{Verifier: statement.Predicate.Verifier.ID, Resource: statement.Predicate.Resource}
	return nil
}

// readSigner takes the identity from the VSA's certificate, and holds it against what the
// VSA says, which was signed by the key that the certificate is over.
func (f *folder) readSigner() error {
	name := f.statement(vsaSuffix) + certSuffix
	cert, err := readCertificate(f.path(name))
	if err != nil {
		return err
	}
	if len(cert.URIs) != 1 {
		return fmt.Errorf("certificate in %s: expected one URI as its name, got %d", name, len(cert.URIs))
	}
	f.signer = signer{Identity: cert.URIs[0].String(), Issuer: extension(cert, 8), Repository: extension(cert, 12)}
	if f.signer.Issuer != f.summary.Verifier {
		return fmt.Errorf("certificate in %s: expected the issuer %s, which the VSA names as its verifier, got %s",
			name, f.summary.Verifier, f.signer.Issuer)
	}
	if !strings.HasPrefix(f.summary.Resource, "git+"+f.signer.Repository+"@") {
		return fmt.Errorf("certificate in %s: expected the repository of %s, got %s", name, f.summary.Resource, f.signer.Repository)
	}
	return nil
}

// extension gives one of Fulcio's extensions from number 8 on, which are DER strings.
func extension(cert *x509.Certificate, number int) string {
	want := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}
	for _, e := range cert.Extensions {
		var s string
		if e.Id.Equal(want) {
			if rest, err := asn1.Unmarshal(e.Value, &s); err == nil && len(rest) == 0 {
				return s
			}
		}
	}
	return ""
}

func readCertificate(bundle string) (*x509.Certificate, error) {
	d, err := readDocument(bundle)
	if err != nil {
		return nil, err
	}
	der, err := d.bytes("verificationMaterial", "certificate", "rawBytes")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate in %s: %w", bundle, err)
	}
	return cert, nil
}

// keyOf writes the public key of a bundle's certificate.
func keyOf(bundle, to string) error {
	cert, err := readCertificate(bundle)
	if err != nil {
		return err
	}
	return os.WriteFile(to, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: cert.RawSubjectPublicKeyInfo}), 0o600)
}

// keyHint is what bundles call the key: the fingerprint that ssh-keygen -l prints.
func keyHint(bundle string) (string, error) {
	d, err := readDocument(bundle)
	if err != nil {
		return "", err
	}
	return d.text("verificationMaterial", "publicKey", "hint")
}
