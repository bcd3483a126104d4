package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// bundleJSON is a Sigstore bundle, as far as it tells what it is about.
type bundleJSON struct {
	Material struct {
		Certificate json.RawMessage `json:"certificate"`
	} `json:"verificationMaterial"`
	Envelope *struct {
		Payload string `json:"payload"`
	} `json:"dsseEnvelope"`
}

// attestation is a bundle to upload, with a digest by which GitHub finds it again.
type attestation struct {
	name    string
	bundle  json.RawMessage
	payload string
	subject string // "sha256:…"
}

// postAttestations uploads the bundles by certificate over the release's statements: of the
// others GitHub does not say whose they are. GitHub files each under the digests that its
// statement is about.
func (r *repository) postAttestations(ctx context.Context, p gate.Post) (string, error) {
	all, err := attestations(p.Files)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", forges.NoPlace("there are no attestations to upload: GitHub takes bundles with a certificate, and this release has none",
			"nothing, where the repository is private: a certificate would name it in the public ledger; or the operator allows certificates for all repositories")
	}
	w, err := r.publisher(ctx, permAttestations)
	if err != nil {
		return "", err
	}
	last := ""
	for _, a := range all {
		there, err := w.hasAttestation(ctx, a)
		if err != nil {
			return "", err
		}
		if there {
			continue
		}
		if last, err = w.make(ctx, http.MethodPost, map[string]json.RawMessage{"bundle": a.bundle}, w.at("attestations")...); err != nil {
			return "", err
		}
	}
	return last, nil
}

// attestations are those of the files that GitHub can file.
func attestations(files []gate.PostFile) ([]attestation, error) {
	var out []attestation
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".cert.sigstore.json") {
			continue
		}
		a, is, err := readAttestation(f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name, err)
		}
		if is {
			out = append(out, a)
		}
	}
	return out, nil
}

// readAttestation is false for a bundle over a file: GitHub takes statements alone.
func readAttestation(f gate.PostFile) (attestation, bool, error) {
	var b bundleJSON
	if err := json.Unmarshal(f.Content, &b); err != nil {
		return attestation{}, false, fmt.Errorf("decode the bundle: %w", err)
	}
	if b.Envelope == nil || len(b.Material.Certificate) == 0 {
		return attestation{}, false, nil
	}
	raw, err := base64.StdEncoding.DecodeString(b.Envelope.Payload)
	if err != nil {
		return attestation{}, false, fmt.Errorf("decode the payload: %w", err)
	}
	var statement struct {
		Subject []struct {
			Digest struct {
				SHA256 string `json:"sha256"`
			} `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(raw, &statement); err != nil {
		return attestation{}, false, fmt.Errorf("decode the statement: %w", err)
	}
	if len(statement.Subject) == 0 || statement.Subject[0].Digest.SHA256 == "" {
		return attestation{}, false, errors.New("expected a statement about SHA-256 digests")
	}
	return attestation{
		name: f.Name, bundle: f.Content, payload: b.Envelope.Payload, subject: "sha256:" + statement.Subject[0].Digest.SHA256,
	}, true, nil
}

// hasAttestation looks for the statement among those that GitHub has about its subject.
func (r *repository) hasAttestation(ctx context.Context, a attestation) (bool, error) {
	found := false
	err := pages(ctx, r.caller, url.Values{}, func(page struct {
		Attestations []struct {
			Bundle     *bundleJSON `json:"bundle"`
			Repository int64       `json:"repository_id"`
		} `json:"attestations"`
	}) (bool, error) {
		for _, x := range page.Attestations {
			if x.Repository == r.facts.ID.ID && x.Bundle != nil && x.Bundle.Envelope != nil && x.Bundle.Envelope.Payload == a.payload {
				found = true
			}
		}
		return !found && len(page.Attestations) > 0, nil
	}, r.at("attestations", a.subject)...)
	if gone, doubt := r.gone(err); gone || doubt != nil { // GitHub has none about it
		return false, doubt
	}
	return found, err
}
