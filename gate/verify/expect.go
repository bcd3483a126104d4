package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// Expect is what a release must be. The zero value of a field expects nothing.
type Expect struct {
	Subjects []gate.Subject // each must be among the statement's
	Server   string         // the gate's public URL
	// Repository is its number, "forge:1296269", or its URL, "https://forge/owner/name".
	// Numbers outlive names.
	Repository string
	Ref        string // full ref
	Commit     string
	Policy     gate.Digest
	// Hardware asks that the key was not one in software.
	Hardware bool
	// Approvers is how many people must have approved, none of whom wrote all of it alone.
	Approvers int
	// NotBefore and NotAfter bound when a timestamp says that it was signed.
	NotBefore, NotAfter time.Time
}

// NeedsStatement reports whether something is expected that only a release's statement tells.
func NeedsStatement(w Expect) bool { return w.ofStatement() != "" }

// ofStatement names what is expected that only a release's statement tells.
func (w Expect) ofStatement() string {
	var out []string
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"server", w.Server != ""},
		{"repository's number", w.Repository != "" && !w.url()},
		{"ref", w.Ref != ""},
		{"commit", w.Commit != ""},
		{"policy", w.Policy != gate.Digest{}},
		{"key's storage", w.Hardware},
		{"approvers", w.Approvers > 0},
	} {
		if x.set {
			out = append(out, x.name)
		}
	}
	return strings.Join(out, ", ")
}

// url reports whether the repository is expected by its URL.
func (w Expect) url() bool { return strings.Contains(w.Repository, "://") }

// source holds the certificate's repository against the expected one. A certificate vouches
// for a key of some repository of the gate: without saying which, anybody's who has one
// there would do.
func (w Expect) source(t *tree, trust Trust, p proof) {
	const name = "repository"
	switch {
	case p.identity == nil && w.Repository != "":
		t.fail(name, "expected %s; a bundle without certificate says nothing of that: verify the release's statement too", w.Repository)
	case p.identity == nil:
	case w.url():
		t.check(name, same("", trimmed(w.Repository), p.identity.Repository), "%s", p.identity.Repository)
	case w.Repository != "":
		t.fail(name, "expected %s; a certificate names repositories by URL: verify the release's statement too, or expect %s", w.Repository, p.identity.Repository)
	case !trust.pinned():
		t.lacks(name, expectIt(p.identity.Repository), "nobody said whose release this must be: it is of %s", p.identity.Repository)
	}
}

// when holds the proved time against the expected one.
func (w Expect) when(t *tree, p proof) {
	if w.NotBefore.IsZero() && w.NotAfter.IsZero() {
		return
	}
	var err error
	at := p.at.Format(time.RFC3339)
	switch {
	case p.at.IsZero():
		err = fmt.Errorf("expected a checked timestamp, got none")
	case p.at.Before(w.NotBefore):
		err = fmt.Errorf("expected a signature not before %s, got one of %s", w.NotBefore.Format(time.RFC3339), at)
	case !w.NotAfter.IsZero() && p.at.After(w.NotAfter):
		err = fmt.Errorf("expected a signature not after %s, got one of %s", w.NotAfter.Format(time.RFC3339), at)
	}
	t.check("time", err, "signed at %s", at)
}

// said holds what a statement says against what is expected, one step each.
func (w Expect) said(t *tree, vsa attest.VSA, trust Trust) {
	for _, s := range w.Subjects {
		t.check("subject "+s.Name, subject(vsa, s), "SHA-256 %s", s.SHA256)
	}
	s := vsa.Predicate
	w.repository(t, s, trust)
	for _, x := range []struct{ name, want, got string }{
		{"server", trimmed(w.Server), s.Verifier.ID},
		{"ref", w.Ref, s.Release.Ref},
		{"commit", w.Commit, s.Release.Commit},
	} {
		if x.want != "" {
			t.check(x.name, same("", x.want, x.got), "%s", x.got)
		}
	}
	if w.Policy != (gate.Digest{}) {
		t.check("policy", same("", w.Policy.String(), s.Policy.Digest.SHA256.String()), "%s", w.Policy)
	}
	if w.Hardware {
		t.check("hardware", same("", string(attest.Hardware), string(s.Key.Storage)), "the key lives in hardware")
	}
}

func (w Expect) repository(t *tree, s attest.Summary, trust Trust) {
	const name = "repository"
	page := repositoryURL(s)
	switch {
	case w.url():
		t.check(name, same("", trimmed(w.Repository), page), "%s", page)
	case w.Repository != "":
		t.check(name, same("", w.Repository, s.Release.Repository), "%s", s.Release.Repository)
	case !trust.pinned():
		t.lacks(name, expectIt(page), "nobody said whose release this must be: it is of %s (%s)", page, s.Release.Repository)
	}
}

func expectIt(repository string) string {
	return "if that is the repository that you mean, say so: --repository " + repository
}

// repositoryURL is the repository's web page in a summary's resource URI,
// git+https://forge/owner/name@ref.
func repositoryURL(s attest.Summary) string {
	return strings.TrimSuffix(strings.TrimPrefix(s.ResourceURI, "git+"), "@"+s.Release.Ref)
}

func trimmed(url string) string { return strings.TrimRight(url, "/") }

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
