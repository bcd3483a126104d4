package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/release/releasetest"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// world is one gate over a database, a signer in memory and a forge, on a clock.
type world struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // a test's
	clock  *clock
	now    func() time.Time
	forge  *forge
	signer *hsmtest.Fake
	proof  releasetest.Evidence
	keys   release.Keyring
	config store.Config
	store  *store.Store
	gate   *release.Gate
	kind   gate.ForgeKind
	log    *strings.Builder
	policy string // more of the stable stream's, indented by four
	// witnesses is how many the server has, as far as policies may count on them.
	witnesses int
}

// setting changes a world before anything is opened.
type setting func(*world)

// onGitLab makes the forge a GitLab.
func onGitLab(w *world) { w.kind = gate.GitLab }

// newWorld is a world whose repository has adopted its policy. At the test's end its
// database holds every invariant, whatever the test did.
func newWorld(t *testing.T, settings ...setting) *world {
	t.Helper()
	c := newClock()
	w := &world{T: t, ctx: t.Context(), clock: c, now: c.now, kind: gate.GitHub, log: &strings.Builder{}}
	w.config = store.Config{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "gate.db"), Now: w.now}
	for _, s := range settings {
		s(w)
	}
	w.forge = newForge(w.now)
	w.forge.file = []byte(strings.Replace(policyFile, "    branch:", w.policy+"    branch:", 1))
	if w.kind == gate.GitLab {
		w.forge.run.Job = "sign"
	}
	w.signer = hsmtest.NewFake(w.now, gatetest.Lineage)
	w.keys = release.Keyring{{Version: w.signer.Keys()[0], Owners: []gate.AccountID{gatetest.Acme()}}}
	w.prepare()
	var err error
	w.store, err = store.Open(w.ctx, w.config)
	w.must(err)
	t.Cleanup(func() {
		if err := errors.Join(w.invariants(), w.store.Close()); err != nil {
			t.Error(err)
		}
	})
	w.proof = releasetest.NewEvidence(t, w.store, server(), w.now)
	w.gate = w.newGate(w.store)
	_, err = w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	return w
}

// empty is a database with nothing in it yet, made once: bringing a new one up to date
// takes longer than most tests.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "countersign-empty-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "gate.db")
	s, err := store.Open(context.Background(), store.Config{Engine: store.SQLite, Path: path, Now: time.Now})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	err = s.Close()
	file, readErr := os.ReadFile(path)
	return file, errors.Join(err, readErr, os.RemoveAll(dir))
})

func (w *world) prepare() {
	w.Helper()
	if w.config.Engine != store.SQLite {
		return
	}
	file, err := empty()
	w.must(err)
	w.must(os.WriteFile(w.config.Path, file, 0o600))
}

func server() *url.URL { return &url.URL{Scheme: "https", Host: "gate.example"} }

// newGate is another process over the same world.
func (w *world) newGate(s release.Store) *release.Gate {
	return release.New(release.Config{
		Server: server(), Witnesses: w.witnesses, Authority: w.proof.Authority, Ledger: w.proof.Ledger,
		Forges: map[gate.ForgeID]release.Port{gatetest.Forge: {
			Kind: w.kind, URL: &url.URL{Scheme: "https", Host: "github.example"}, Forge: w.forge, Interpreter: w.forge, Watcher: w.forge, Assets: w.forge,
		}},
		Store: s, Signer: w.signer, Keys: w.keys, Now: w.now, NewID: newID, Owner: newID(),
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// invariants holds the database against the signer's own record.
func (w *world) invariants() error {
	var uses []storetest.Use
	for _, o := range w.signer.Signed() {
		uses = append(uses, storetest.Use{Intent: o.Intent().ID, Digest: o.Digest()})
	}
	return storetest.CheckInvariants(context.WithoutCancel(w.ctx), w.config, uses)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// job is a run of the release workflow by Ana with a fresh ID token.
func (w *world) job(edits ...func(*gate.Workload)) gate.Workload {
	c, _ := gatetest.GrantedCase(gatetest.At(w.now()))
	job := c.Request.Workload
	job.Kind, job.TokenID = w.kind, newID()
	job.IssuedAt, job.Expires = w.now(), w.now().Add(5*time.Minute)
	for _, edit := range edits {
		edit(&job)
	}
	return job
}

func by(who gate.Account) func(*gate.Workload) { return func(w *gate.Workload) { w.Actor = who } }

// ask asks for n subjects in the stream that ref and workflow choose.
func (w *world) ask(n int) gate.Ask {
	return gate.Ask{
		Server: "gate.example", Repository: gatetest.Repository(), Ref: gatetest.Ref, Commit: gatetest.Commit,
		Manifest: gatetest.Manifest(n),
	}
}

// opened asks for a release that nobody asked for yet.
func (w *world) opened(n int, edits ...func(*gate.Workload)) gate.Record {
	w.Helper()
	rec, joined, err := w.gate.Open(w.ctx, w.job(edits...), w.ask(n))
	w.must(err)
	if joined {
		w.Fatalf("expected a new request, joined %s", rec.Request.ID)
	}
	return rec
}

// settle works until there is nothing left to do at this moment.
func (w *world) settle() {
	w.Helper()
	for range 100 {
		found := false
		for _, next := range []func(context.Context) (bool, error){w.gate.HearNext, w.gate.JudgeNext, w.gate.PostNext, w.gate.AssetsNext} {
			did, err := next(w.ctx)
			w.must(err)
			found = found || did
		}
		if !found {
			return
		}
	}
	w.Fatal("expected the work to end, it goes on and on")
}

// later lets time pass and works again.
func (w *world) later(d time.Duration) {
	w.Helper()
	w.clock.pass(d)
	w.settle()
}

// thread is where the release is talked about: the merged change.
func thread() gate.Thread { return gate.Thread{Number: 412} }

// says has somebody comment in the change's thread, and the forge deliver it.
func (w *world) says(who gate.Account, body string) gate.CommentRef {
	w.Helper()
	return w.saysIn(thread(), gate.Comment{Author: who, Body: body})
}

func (w *world) saysIn(t gate.Thread, c gate.Comment) gate.CommentRef {
	w.Helper()
	w.forge.with(func() {
		c.Ref = gate.CommentRef{Repository: gatetest.Repository(), Thread: t, ID: int64(5000 + len(w.forge.comments))}
		if c.Created.IsZero() {
			c.Created = w.now().Truncate(time.Second) // as forges tell it
		}
		w.forge.comments[c.Ref] = c
	})
	w.ring(gate.Ring{Repository: gatetest.Repository(), Comment: &c.Ref})
	return c.Ref
}

// saysUnheard has somebody comment, and the delivery get lost.
func (w *world) saysUnheard(who gate.Account, body string) gate.CommentRef {
	w.Helper()
	ref := gate.CommentRef{Repository: gatetest.Repository(), Thread: thread()}
	w.forge.with(func() {
		ref.ID = int64(5000 + len(w.forge.comments))
		w.forge.comments[ref] = gate.Comment{Ref: ref, Author: who, Body: body, Created: w.now().Truncate(time.Second)}
	})
	return ref
}

// ring has the forge deliver that something happened.
func (w *world) ring(rings ...gate.Ring) {
	w.Helper()
	body, err := json.Marshal(rings)
	w.must(err)
	d := gate.Delivery{Forge: gatetest.Forge, ID: newID(), Event: "ring", Body: body, Received: w.now()}
	if rings[0].Comment != nil {
		d.Thread = "acme/app 412"
	}
	_, err = w.store.Accept(w.ctx, d)
	w.must(err)
}

// edited has the forge deliver that a comment was changed in some way.
func (w *world) edited(ref gate.CommentRef, change func(*gate.Comment)) {
	w.Helper()
	w.forge.with(func() {
		c := w.forge.comments[ref]
		change(&c)
		w.forge.comments[ref] = c
	})
	w.ring(gate.Ring{Repository: gatetest.Repository()})
}

func (w *world) record(id string) gate.Record {
	w.Helper()
	rec, err := w.store.Request(w.ctx, id)
	w.must(err)
	return rec
}

// in expects a request in a state.
func (w *world) in(id string, want gate.State) gate.Record {
	w.Helper()
	rec := w.record(id)
	if rec.State != want {
		w.Fatalf("expected request %s %s, got %s\n%s", id, want, rec.State, w.checks(rec))
	}
	return rec
}

func (w *world) checks(rec gate.Record) string {
	var b strings.Builder
	for _, c := range w.decision(rec).Checks {
		b.WriteString(c.Outcome.String() + " " + string(c.Name) + ": " + c.Reason + "\n")
	}
	return b.String()
}

func (w *world) decision(rec gate.Record) gate.Decision {
	var d gate.Decision
	if len(rec.Decision) > 0 {
		w.must(json.Unmarshal(rec.Decision, &d))
	}
	return d
}

// refused expects an error that tells its reader everything.
func (w *world) refused(err error, kind gate.Kind, code gate.Code) *gate.Error {
	w.Helper()
	var e *gate.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		w.Fatalf("expected %s of kind %d, got %v", code, kind, err)
	}
	return e
}

// collected collects a request's files in a fresh job.
func (w *world) collected(id string) []attest.File {
	w.Helper()
	_, files, err := w.gate.Collect(w.ctx, w.job(), id)
	w.must(err)
	return files
}

// signedOf is how many signatures a release of n subjects takes that one person approved: one
// each, and the statements decision, approval, release and summary.
func signedOf(n int) int { return n + 4 }

// repeated is a kind n times.
func repeated(k ledger.Kind, n int) []ledger.Kind { return slices.Repeat([]ledger.Kind{k}, n) }

// leaves are the kinds on the ledger, in order, after the first adoption; without what the
// gate issues to itself, and the certificate's entry beside each signature's own.
func (w *world) leaves() []ledger.Kind {
	w.Helper()
	all, err := w.store.Leaves(w.ctx, 0, 1000)
	w.must(err)
	var out []ledger.Kind
	for _, l := range all {
		parsed, err := ledger.ParseEntry(l.Bytes)
		w.must(err)
		switch {
		case parsed.Record != nil && parsed.Record.Certificate:
		case parsed.Record != nil:
			out = append(out, ledger.Signature)
		case !slices.Contains([]ledger.Kind{ledger.EpochBegun, ledger.CertificateIssued, ledger.TrustedRoot}, parsed.Leaf.Kind):
			out = append(out, parsed.Leaf.Kind)
		}
	}
	if len(out) > 0 && out[0] == ledger.PolicyAdopted {
		out = out[1:]
	}
	return out
}

// reacted expects exactly these reactions on a comment.
func (w *world) reacted(ref gate.CommentRef, want ...string) {
	w.Helper()
	got := w.forge.reactions(ref)
	for _, r := range want {
		if !got[r] {
			w.Errorf("expected reactions %v, got %v", want, got)
		}
	}
	if len(got) != len(want) {
		w.Errorf("expected reactions %v, got %v", want, got)
	}
}
