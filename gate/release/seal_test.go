package release_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/verify"
)

// ill is a ledger, or an authority, that fails in what is named.
type ill struct {
	release.Log
	release.Authority

	covering, fit, stamp, certificate error
	asked                             int // witnesses
}

func (i *ill) Covering(ctx context.Context, size int64, witnesses int) (gate.Checkpoint, error) {
	i.asked = witnesses
	if i.covering != nil {
		return gate.Checkpoint{}, i.covering
	}
	return i.Log.Covering(ctx, size, 0)
}

func (i *ill) Fit(ctx context.Context) error { return errors.Join(i.fit, i.Log.Fit(ctx)) }

func (i *ill) Timestamp(ctx context.Context, signature []byte) ([]byte, error) {
	if i.stamp != nil {
		return nil, i.stamp
	}
	return i.Authority.Timestamp(ctx, signature)
}

func (i *ill) Certificate(ctx context.Context, k gate.KeyVersion, id gate.Identity) ([]byte, error) {
	if i.certificate != nil {
		return nil, i.certificate
	}
	return i.Authority.Certificate(ctx, k, id)
}

// falls makes the world's evidence one that can fail.
func (w *world) falls(edits ...func(*release.Config)) *ill {
	i := &ill{Log: w.proof.Ledger, Authority: w.proof.Authority}
	c := w.gate.Config
	c.Ledger, c.Authority = i, i
	for _, edit := range edits {
		edit(&c)
	}
	w.gate = release.New(c)
	return i
}

func away(code gate.Code) error {
	return &gate.Error{Kind: gate.Unavailable, Code: code, Text: "it is away"}
}

// approved opens a release and has somebody approve it.
func (w *world) approved() string {
	w.Helper()
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	return id
}

// Nothing is handed out and nobody is told of signatures before their evidence is whole; the
// HSM signs once, however long that takes.
func TestNothingGoesOutUnsealed(t *testing.T) {
	for name, fail := range map[string]func(*ill, error){
		"no checkpoint": func(i *ill, err error) { i.covering = err },
		"no timestamps": func(i *ill, err error) { i.stamp = err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			evidence := w.falls()
			fail(evidence, away(gate.CodeWitnesses))
			id := w.approved()
			if rec := w.in(id, gate.StateSigning); !rec.Sealing {
				t.Fatal("expected signatures that wait for their evidence")
			}
			_, _, err := w.gate.Collect(w.ctx, w.job(), id)
			w.refused(err, gate.Conflict, gate.CodeNotSigned)
			for range 40 {
				w.later(3 * time.Second)
			}
			w.in(id, gate.StateSigning)
			check, _ := w.forge.latest(gate.PostCheck)
			if check.State != gate.PostPending || !strings.Contains(check.Title, "evidence on its way") {
				t.Errorf("the check says %s: %s", check.State, check.Title)
			}
			if n := strings.Count(w.log.String(), "evidence waits"); n > 40 || n < 5 {
				t.Errorf("asked %d times in two minutes, expected ever more rarely", n)
			}
			fail(evidence, nil)
			w.later(time.Minute)
			rec := w.in(id, gate.StatePublished)
			if n := len(w.signer.Signed()); n != signedOf(1) || rec.Signing != 1 || rec.Orphans != 0 {
				t.Errorf("%d signatures in attempt %d with %d orphans, expected each once", n, rec.Signing, rec.Orphans)
			}
			w.verifies(id, rec.Request)
		})
	}
}

// A ledger that is behind what it published stops the key, and says so; what was signed
// before goes on being handed out.
func TestUnfitLedgerStopsTheKey(t *testing.T) {
	w := newWorld(t)
	evidence := w.falls()
	evidence.fit = &gate.Error{Kind: gate.Unavailable, Code: gate.CodeLedgerBehind, Text: "the ledger is behind what it published"}
	id := w.approved()
	rec := w.in(id, gate.StateWaiting)
	check, _ := w.decision(rec).Check(gate.CheckKey)
	if check.Outcome != gate.Waiting || !strings.Contains(check.Reason, "behind what it published") || len(w.signer.Signed()) > 0 {
		t.Errorf("expected that the key waits, got %+v, %d signatures", check, len(w.signer.Signed()))
	}
	evidence.fit = nil
	w.later(time.Minute)
	w.in(id, gate.StatePublished)
}

// A key that could not be certified signs nothing: its entries could not be made up for.
func TestNoCertificateNoSignature(t *testing.T) {
	w := newWorld(t)
	evidence := w.falls()
	evidence.certificate = away(gate.CodeKeyUnavailable)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.heard()
	if err := w.judged(); gate.CodeOf(err) != gate.CodeKeyUnavailable || len(w.signer.Signed()) > 0 {
		t.Errorf("got %v, %d signatures", err, len(w.signer.Signed()))
	}
	evidence.certificate = nil
	w.later(10 * time.Minute)
	w.in(id, gate.StatePublished)
}

// A certificate names its repository in a ledger that everybody reads: those of private
// repositories get none unless the server is told to.
func TestPrivateRepositoriesHaveNoCertificate(t *testing.T) {
	for name, x := range map[string]struct {
		private bool
		certify release.Certify
		want    bool
	}{
		"public":                      {false, release.CertifyPublic, true},
		"private":                     {true, release.CertifyPublic, false},
		"private, told to":            {true, release.CertifyAll, true},
		"public, told to make none":   {false, release.CertifyNone, false},
		"nothing said of public ones": {false, "", true},
		"nothing said of private":     {true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.forge.with(func() {
				w.forge.edit = func(_ gate.Request, e *gate.Evidence) {
					repo, _ := e.Repository.Get()
					repo.Private = x.private
					e.Repository = gate.Known(repo)
				}
			})
			w.falls(func(c *release.Config) { c.Certify = x.certify })
			id := w.approved()
			w.in(id, gate.StatePublished)
			var got bool
			for _, f := range w.collected(id) {
				got = got || strings.HasSuffix(f.Name, ".cert.sigstore.json")
			}
			if got != x.want {
				t.Errorf("certificate bundles: %t, expected %t", got, x.want)
			}
		})
	}
}

// The policy in force says how many witnesses are waited for.
func TestWitnessesOfThePolicy(t *testing.T) {
	w := newWorld(t, func(w *world) { w.policy, w.witnesses = "    witnesses: 2\n", 3 })
	evidence := w.falls()
	w.in(w.approved(), gate.StatePublished)
	if evidence.asked != 2 {
		t.Errorf("waited for %d witnesses, expected 2", evidence.asked)
	}
}

// Formats of the policy are signed with everything else, and handed out.
func TestFormatsOfThePolicy(t *testing.T) {
	w := newWorld(t, func(w *world) { w.policy = "    formats: [openpgp, ssh, raw]\n" })
	id := w.approved()
	rec := w.in(id, gate.StatePublished)
	if n := len(w.signer.Signed()); n != signedOf(1)+4 {
		t.Errorf("%d signatures, expected four for the formats, among them the OpenPGP key's own", n)
	}
	var names []string
	for _, f := range w.collected(id) {
		names = append(names, f.Name)
	}
	for _, want := range []string{"SHA256SUMS.asc", "countersign.asc", "SHA256SUMS.sshsig", "countersign.allowed_signers", "SHA256SUMS.sig"} {
		if !slices.Contains(names, want) {
			t.Errorf("expected %s among %q", want, names)
		}
	}
	w.verifies(id, rec.Request)
}

// A denied release gets a statement that says so, by a key that signs nothing else: no tool
// takes it for a release under the release's key.
func TestDeniedReleaseHasAVerdict(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign deny not this one")
	w.settle()
	w.denied(id)
	if len(w.signer.Signed()) > 0 {
		t.Error("the release key signed something of a denied release")
	}
	if !slices.Contains(w.kinds(), ledger.VerdictSignature) {
		t.Errorf("expected the verdict's signature in the ledger, got %q", w.kinds())
	}
}

// denied expects the verdict of a denied release, and that it is none under a release key.
func (w *world) denied(id string) {
	w.Helper()
	files, err := w.gate.Refusal(w.ctx, w.in(id, gate.StateDenied))
	w.must(err)
	key, err := attest.ParseKey(w.signer.Keys()[0].SPKI)
	w.must(err)
	release, err := verify.ParseKey(key.PEM())
	w.must(err)
	found := false
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".sigstore.json") {
			continue
		}
		found = true
		if got := verify.Statement(f.Content, verify.Under(release), verify.Expect{}); got.OK() {
			w.Errorf("%s verifies under the release key", f.Name)
		}
	}
	if !found {
		w.Errorf("expected the verdict's bundle, got %d files", len(files))
	}
}

// kinds are those of all rows of the ledger.
func (w *world) kinds() []ledger.Kind {
	w.Helper()
	all, err := w.store.Leaves(w.ctx, 0, 1000)
	w.must(err)
	var out []ledger.Kind
	for _, l := range all {
		out = append(out, l.Kind)
	}
	return out
}

// A verdict that could not be signed at once does not hold the denial up, and is signed later.
func TestVerdictIsMadeUpFor(t *testing.T) {
	w := newWorld(t)
	w.proof.Keys.FailAlways(away(gate.CodeKeyUnavailable))
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign deny not this one")
	w.settle()
	rec := w.in(id, gate.StateDenied)
	_, err := w.gate.Refusal(w.ctx, rec)
	w.refused(err, gate.Unavailable, gate.CodeSealing)
	if err := w.gate.PronounceAll(w.ctx); gate.CodeOf(err) != gate.CodeKeyUnavailable {
		t.Errorf("expected that the key is away, got %v", err)
	}
	w.proof.Keys.FailAlways(nil)
	w.must(w.gate.PronounceAll(w.ctx))
	w.must(w.gate.PronounceAll(w.ctx)) // once more changes nothing
	w.denied(id)
}

// Only a denied request has a verdict of its own.
func TestSignedReleaseHasNoVerdict(t *testing.T) {
	w := newWorld(t)
	_, err := w.gate.Refusal(w.ctx, w.in(w.approved(), gate.StatePublished))
	w.refused(err, gate.Conflict, gate.CodeEnded)
}
