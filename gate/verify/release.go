package verify

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// Report is what was found of a whole release.
type Report struct {
	Result Result `json:"result"`
	// Release says which it is; nil unless it verifies, and where only artifacts were checked.
	Release *Facts `json:"release,omitempty"`
}

// OK reports whether it verifies.
func (r Report) OK() bool { return r.Result.OK() }

// Facts are what a verified release says of itself.
type Facts struct {
	Name        string         `json:"name"`
	Server      string         `json:"server"`
	Repository  string         `json:"repository"` // forge:number
	URL         string         `json:"url"`        // of the repository, as it was called then
	Ref         string         `json:"ref"`
	Commit      string         `json:"commit"`
	Policy      gate.Digest    `json:"policy"`
	Key         string         `json:"key"` // fingerprint
	Lineage     string         `json:"lineage"`
	Version     int            `json:"version"`
	Storage     attest.Storage `json:"storage"`
	Signed      *time.Time     `json:"signed,omitempty"` // as a checked timestamp says
	Log         string         `json:"log,omitempty"`    // origin; "" where no log was checked
	Approvers   []gate.Account `json:"approvers"`
	Changes     int            `json:"changes"`
	Artifacts   []gate.Subject `json:"artifacts"` // those that were looked at
	NotLookedAt int            `json:"not_looked_at"`
}

// releasing is one verification of a release.
type releasing struct {
	files folder
	trust Trust
	want  Expect
	name  string
	t     *tree
	facts Facts
	key   Key // which signed the summary: everything else has to be by it too
	vsa   attest.VSA
}

// Release checks a release as it was handed out: its statements, what they rest on, its
// SHA256SUMS, and its artifacts. Names say which artifacts to look at, by name or by the last
// part of it; where there are none, all have to be there.
//
// The files are read and nothing else: no network, no clock.
func Release(files fs.FS, trust Trust, want Expect, names ...string) Report {
	r := newReleasing(files, trust, want)
	r.run(names)
	out := Report{Result: r.t.done()}
	if out.Result.OK() {
		out.Release = &r.facts
	}
	return out
}

// Artifacts checks the signatures over artifacts alone, with the bundles beside them: that
// the key signed these very files, and no more. Who approved them, and of which release they
// are, only [Release] tells.
func Artifacts(files fs.FS, trust Trust, want Expect, names ...string) Report {
	r := newReleasing(files, trust, want)
	r.t.r.Name = "artifacts"
	switch what := want.ofStatement(); {
	case what != "":
		r.t.fail("statement", "expected the release's statement, which alone tells the %s: it is not beside the artifacts", what)
	case len(names) == 0:
		r.t.fail("artifacts", "expected artifacts to look at, got none")
	default:
		r.t.skip("statement", "it is not beside the artifacts: who approved them is not proved")
	}
	for _, name := range names {
		got, err := r.files.digest(name)
		r.artifact(located{gate.Subject{Name: name, SHA256: got}, name}, err)
	}
	return Report{Result: r.t.done()}
}

// HasStatement reports whether a folder holds the statement of a release, for [Release].
func HasStatement(files fs.FS) bool {
	f := folder{files, map[string]bool{}}
	_, err := f.releaseName()
	return err == nil
}

func newReleasing(files fs.FS, trust Trust, want Expect) *releasing {
	r := &releasing{files: folder{files, map[string]bool{}}, trust: trust, want: want, t: &tree{r: Result{Name: "release"}}}
	r.pin()
	return r
}

// pin finds the key of a pinned fingerprint in the release's own file: whoever put it there,
// no other key has that fingerprint.
func (r *releasing) pin() {
	if len(r.trust.Pins) == 0 {
		return
	}
	text, err := r.files.read(attest.KeyName)
	if err != nil {
		return // the bundles may bring it
	}
	if k, err := ParseKey(text); err == nil && r.trust.admits(k) {
		r.trust.Keys = append(slices.Clone(r.trust.Keys), k)
	}
}

func (r *releasing) run(names []string) {
	var err error
	if r.name, err = r.files.releaseName(); err != nil {
		r.t.fail("files", "%v", err)
		return
	}
	r.t.r.Name = "release " + r.name
	if !r.summary() {
		return
	}
	r.rests()
	r.sums()
	found, err := r.chosen(names)
	if err != nil {
		r.t.fail("artifacts", "%v", err)
		return
	}
	for _, s := range found {
		got, err := r.files.digest(s.at)
		if err == nil {
			err = same("SHA-256", s.SHA256.String(), got.String())
		}
		r.artifact(s, err)
		r.facts.Artifacts = append(r.facts.Artifacts, s.Subject)
	}
	r.facts.NotLookedAt = len(r.vsa.Subject) - len(found)
	if len(names) == 0 {
		r.others()
	}
}

// summary checks the verification summary, which names the key and everything else.
func (r *releasing) summary() bool {
	s := &tree{r: Result{Name: "statement " + gate.StatementVSA}}
	payload, p, ok := r.statement(s, gate.StatementVSA)
	if ok {
		r.key = p.key
		r.vsa, ok = summary(s, payload, r.trust, r.want, p)
		v := r.vsa.Predicate
		s.tell("approved by the gate %s, %s", v.Verifier.ID, p)
	}
	if !r.t.add(s.done()) || !ok {
		return false
	}
	v := r.vsa.Predicate
	r.facts = Facts{
		Name: r.name, Server: v.Verifier.ID, Repository: v.Release.Repository, URL: repositoryURL(v), Ref: v.Release.Ref,
		Commit: v.Release.Commit, Policy: v.Policy.Digest.SHA256, Key: p.key.Hint(), Lineage: v.Key.Lineage, Version: v.Key.Version,
		Storage: v.Key.Storage, Log: p.origin, Approvers: []gate.Account{},
	}
	if !p.at.IsZero() {
		r.facts.Signed = &p.at
	}
	var err error
	if want := attest.ReleaseName(v.Release.Ref); want != r.name {
		err = fmt.Errorf("expected the files of release %s to be called so, got %s", want, r.name)
	}
	return err == nil || r.t.check("files", err, "")
}

// statement checks a statement in every form in which it lies in the folder. All of them
// have to be of one payload, and by the release's key.
func (r *releasing) statement(s *tree, name string) ([]byte, proof, bool) {
	base := r.name + "." + name
	var payload []byte
	p, ok := r.forms(s, base, func(sub *tree, text []byte) (proof, bool) {
		got, p, ok := r.trust.statement(sub, text)
		if ok && payload != nil && !bytes.Equal(got, payload) {
			sub.fail("payload", "expected the same statement as in the bundle beside it, got another")
			return p, false
		}
		payload = got
		return p, ok
	})
	if ok && r.files.has(base+attest.EnvelopeSuffix) {
		sub := &tree{r: Result{Name: base + attest.EnvelopeSuffix}}
		text, err := r.files.read(base + attest.EnvelopeSuffix)
		if err == nil {
			err = checkEnvelope(text, payload, p.key)
		}
		sub.check("envelope", err, "DSSE, the same statement by the same key")
		ok = s.add(sub.done())
	}
	return payload, p, ok
}

// forms checks the bundles by certificate and by key that are there of one base name. At
// least one has to be, and what one of them proves the others must not deny.
func (r *releasing) forms(s *tree, base string, check func(*tree, []byte) (proof, bool)) (proof, bool) {
	var best proof
	found, failed := 0, false
	// The certificate comes first: it vouches for the key of the bundle beside it.
	for _, suffix := range []string{attest.CertBundleSuffix, attest.BundleSuffix} {
		if !r.files.has(base + suffix) {
			continue
		}
		if r.trust.Root == nil && suffix == attest.CertBundleSuffix && r.files.has(base+attest.BundleSuffix) {
			s.skip(stepCertificate, "whom the certificate names: "+noRoot)
			r.files.seen[base+suffix] = true
			continue
		}
		p, ok := r.form(s, base+suffix, best.key, check)
		if !ok {
			failed = true
			continue
		}
		if found++; found == 1 {
			best, r.trust.vouched = p, p.key
		}
	}
	if found == 0 && !failed {
		s.fail("bundle", "expected %s or %s, got neither", base+attest.CertBundleSuffix, base+attest.BundleSuffix)
	}
	return best, found > 0 && !failed
}

// form checks one bundle, which has to be by the release's key and by that of the bundle
// beside it, where these are known.
func (r *releasing) form(s *tree, name string, beside Key, check func(*tree, []byte) (proof, bool)) (proof, bool) {
	sub := &tree{r: Result{Name: name}}
	text, err := r.files.read(name)
	if err != nil {
		sub.fail("file", "%v", err)
		return proof{}, s.add(sub.done())
	}
	p, ok := check(sub, text)
	for _, known := range []struct {
		what string
		key  Key
	}{{"that signed the release's statement", r.key}, {"of the bundle beside it", beside}} {
		if want := known.key.Hint(); ok && want != "" && want != p.key.Hint() {
			sub.fail(stepKey, "expected the key %s, %s, got %s", known.what, want, p.key.Hint())
			ok = false
		}
	}
	if ok {
		sub.r.Detail = p.String()
	}
	return p, s.add(sub.done()) && ok
}

// located is a subject and the file that is to be it.
type located struct {
	gate.Subject

	at string
}

// chosen are the subjects to look at: all of them where they ought to lie, or those that the
// named files are to be. A file that is named is the one that is looked at, whatever lies
// where its subject would.
func (r *releasing) chosen(names []string) ([]located, error) {
	var all []located
	for _, s := range r.vsa.Subject {
		all = append(all, located{gate.Subject{Name: s.Name, SHA256: s.Digest.SHA256}, r.files.find(s.Name)})
	}
	if len(names) == 0 {
		return all, nil
	}
	var out []located
	for _, name := range names {
		fits := slices.DeleteFunc(slices.Clone(all), func(s located) bool { return s.Name != name })
		if len(fits) == 0 {
			fits = slices.DeleteFunc(slices.Clone(all), func(s located) bool { return path.Base(s.Name) != path.Base(name) })
		}
		if len(fits) != 1 {
			return nil, fmt.Errorf("%q is none of the release's %d artifacts", name, len(all))
		}
		out = append(out, located{fits[0].Subject, name})
	}
	return out, nil
}

// artifact checks one file: that it is what it has to be, which the caller found, and the
// signatures over it.
func (r *releasing) artifact(subject located, err error) {
	s := &tree{r: Result{Name: "artifact " + subject.Name}}
	if errors.Is(err, fs.ErrNotExist) {
		s.lacks("file", "a folder is checked as a whole release: name the files that you have instead", "it is not there")
		r.t.add(s.done())
		return
	}
	if !s.check("file", err, "SHA-256 %s", subject.SHA256) {
		r.t.add(s.done())
		return
	}
	at := subject.at
	if !r.signed(at) && r.signed(subject.Name) {
		at = subject.Name // what signs it lies where the release has it
	}
	p, ok := r.forms(s, at, func(sub *tree, text []byte) (proof, bool) { return r.trust.artifact(sub, text, subject.SHA256) })
	if ok && r.vsa.Subject == nil {
		r.want.source(s, r.trust, p)
	}
	if ok {
		r.want.when(s, p)
	}
	if raw := at + attest.RawSuffix; ok && r.files.has(raw) {
		der, err := r.files.read(raw)
		if err == nil {
			err = p.key.key.Verify(subject.SHA256, der)
		}
		s.check(raw, err, "a raw signature by the same key")
	}
	s.tell("SHA-256 %s, %s", subject.SHA256, p)
	r.t.add(s.done())
}

// signed reports whether there is a bundle of a base name.
func (r *releasing) signed(base string) bool {
	return r.files.has(base+attest.BundleSuffix) || r.files.has(base+attest.CertBundleSuffix)
}

// sums checks SHA256SUMS, where it is there, and what signs it.
func (r *releasing) sums() {
	if !r.files.has(attest.SumsName) {
		r.t.skip(attest.SumsName, "it is not there")
		return
	}
	s := &tree{r: Result{Name: attest.SumsName}}
	text, err := r.files.read(attest.SumsName)
	if err == nil {
		err = r.isManifest(text)
	}
	if s.check("manifest", err, "it lists the %d artifacts of the statement, manifest %s", len(r.vsa.Subject), r.vsa.Predicate.Release.Manifest.SHA256) {
		r.formats(s, text)
	}
	s.tell("the %d artifacts of the release", len(r.vsa.Subject))
	r.t.add(s.done())
}

// isManifest wants the very bytes that the statement's subjects make.
func (r *releasing) isManifest(text []byte) error {
	var m gate.Manifest
	for _, s := range r.vsa.Subject {
		m.Subjects = append(m.Subjects, gate.Subject{Name: s.Name, SHA256: s.Digest.SHA256})
	}
	if err := same("manifest digest", r.vsa.Predicate.Release.Manifest.SHA256.String(), gate.Digest(sha256.Sum256(text)).String()); err != nil {
		return err
	}
	if !bytes.Equal(m.Bytes(), text) {
		return errors.New("expected the artifacts of the statement, got others")
	}
	return nil
}

// others names the files of the folder that nothing here speaks of.
func (r *releasing) others() {
	for _, known := range []string{attest.KeyName, attest.TrustedRootName} {
		r.files.seen[known] = true // trusted only by whoever says so
	}
	unread, err := r.files.unread()
	if err != nil {
		r.t.skip("other files", err.Error()) // nothing of the release hangs on them
		return
	}
	if n := len(unread); n > 0 {
		const shown = 10
		more := ""
		if n > shown {
			unread, more = unread[:shown], fmt.Sprintf(" and %d more", n-shown)
		}
		r.t.skip("other files", fmt.Sprintf("the release says nothing of %d files here: %s%s", n, strings.Join(unread, ", "), more))
	}
}
