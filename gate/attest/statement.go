package attest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// policyFile is where every repository keeps its policy.
const policyFile = ".countersign.yaml"

// Verdict is a granted decision with what it takes to say so in public.
type Verdict struct {
	// Server is the gate's public URL: the verifier's identity.
	Server string
	// Repository is the repository's web page; Commit of the policy file's adopted
	// version is "" where it is not known. Both are for people to follow: what binds
	// is the policy digest and the numeric repository.
	Repository   string
	PolicyCommit string
	// Decision must be the live one, straight from [gate.Decide]: a decision that was
	// read from a store carries no grant and yields no statement.
	Decision gate.Decision
}

// Statement is the unsigned statement of v: RFC 8785 canonical bytes of an in-toto
// Statement v1 over all subjects with a SLSA VSA v1. The same verdict gives the
// same bytes. Policy digest and protection snapshot digest are inside, and so is
// whether the key lives in software.
//
// The resource URI is the SPDX download location of what was released,
// `git+https://forge/owner/name@refs/tags/v1`, as SLSA names sources; the policy's
// is `git+https://forge/owner/name@commit#.countersign.yaml`.
func Statement(v Verdict) ([]byte, error) {
	grant, ok := v.Decision.Grant()
	if !ok {
		return nil, errors.New("build statement: expected a granted decision, got one that grants nothing")
	}
	server, err := webURL("server", v.Server)
	if err != nil {
		return nil, err
	}
	repository, err := webURL("repository", v.Repository)
	if err != nil {
		return nil, err
	}
	r := grant.Request()
	snapshot, err := canonical.ProtectionSnapshot(v.Decision.Protection)
	if err != nil {
		return nil, fmt.Errorf("build statement: protection snapshot: %w", err)
	}
	key, err := keyNote(grant.Key())
	if err != nil {
		return nil, fmt.Errorf("build statement: %w", err)
	}
	out, err := canonical.JSON(VSA{
		Type: StatementType, Subject: subjects(r.Manifest), PredicateType: PredicateType,
		Predicate: Summary{
			Verifier:           Verifier{ID: server},
			TimeVerified:       v.Decision.At.UTC().Truncate(time.Second).Format(time.RFC3339),
			ResourceURI:        "git+" + repository + "@" + r.Ref,
			Policy:             Resource{URI: policyURI(repository, v.PolicyCommit), Digest: DigestSet{v.Decision.PolicyDigest}},
			VerificationResult: Passed,
			VerifiedLevels:     []string{Level},
			SLSAVersion:        slsaVersion,
			Protection:         Protection{Digest: DigestSet{gate.SHA256(snapshot)}},
			Release:            released(r, v.Decision.TagObject),
			Key:                key,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("build statement: %w", err)
	}
	return out, nil
}

func released(r gate.Request, tagObject string) Released {
	return Released{
		Request: r.ID, Repository: r.Repository.String(), Ref: r.Ref, Commit: r.Commit,
		TagObject: tagObject, Stream: r.Stream, Manifest: DigestSet{r.Manifest.Digest()},
	}
}

func subjects(m gate.Manifest) []Subject {
	out := make([]Subject, 0, len(m.Subjects))
	for _, s := range m.Subjects {
		out = append(out, Subject{Name: s.Name, Digest: DigestSet{s.SHA256}})
	}
	return out
}

func keyNote(v gate.KeyVersion) (KeyNote, error) {
	key, err := ParseKey(v.SPKI)
	if err != nil {
		return KeyNote{}, fmt.Errorf("key %s version %d: %w", v.Lineage, v.Version, err)
	}
	storage := Hardware
	if v.Software {
		storage = Software
	}
	return KeyNote{Lineage: v.Lineage, Version: v.Version, Hint: key.Hint(), Storage: storage}, nil
}

// policyURI follows the SPDX download location: rev after @, path after #.
func policyURI(repository, commit string) string {
	uri := "git+" + repository
	if commit != "" {
		uri += "@" + commit
	}
	return uri + "#" + policyFile
}

// webURL accepts a plain http(s) URL and drops its trailing slash, so that one
// server has one name in everything it signs.
func webURL(what, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(raw, "#") {
		return "", fmt.Errorf("build statement: %s URL: expected https://host/path and nothing more", what)
	}
	return strings.TrimRight(raw, "/"), nil
}
