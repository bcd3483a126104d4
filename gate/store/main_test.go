package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// server is the PostgreSQL server of the contract's tests. It may forget: the test of
// durability has its own.
var server *storetest.Postgres

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(childEngine) != "" {
		return runChild()
	}
	ctx := context.Background()
	var err error
	if server, err = storetest.StartPostgres(ctx, storetest.WithoutSync()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(server.Stop(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// world is one fresh database and the store that is open on it.
type world struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // a test's
	config store.Config
	s      *store.Store
}

// onBoth runs a test of the contract on both engines, and holds the invariants
// afterwards, whatever the test did.
func onBoth(t *testing.T, test func(w *world)) {
	t.Helper()
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine)
			test(w)
			if err := storetest.CheckInvariants(w.ctx, w.config, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func newWorld(t *testing.T, engine store.Engine) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), config: newConfig(t, engine)}
	w.s = w.open()
	return w
}

func newConfig(t testing.TB, engine store.Engine) store.Config {
	t.Helper()
	return configOn(t, engine, server)
}

func configOn(t testing.TB, engine store.Engine, server *storetest.Postgres) store.Config {
	t.Helper()
	c := store.Config{Engine: engine, Now: time.Now}
	if engine == store.SQLite {
		c.Path = filepath.Join(t.TempDir(), "gate ü?#%.db")
		return c
	}
	dsn, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.DSN = dsn
	return c
}

// open opens the world's database once more, as a second replica would.
func (w *world) open() *store.Store {
	w.Helper()
	s, err := store.Open(w.ctx, w.config)
	w.must(err)
	w.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.Error(err)
		}
	})
	return s
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused expects an error with a code.
func (w *world) refused(code gate.Code, err error) {
	w.Helper()
	if err == nil || gate.CodeOf(err) != code {
		w.Fatalf("expected %s, got %v", code, err)
	}
}

const (
	minute = time.Minute
	// over is a lease that has run out when it is taken, so that no test waits for one.
	over = time.Duration(0)
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func repository() gate.RepositoryID { return gate.RepositoryID{Forge: "github", ID: 1296269} }

func person(id int64, login string) gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: "github", ID: id}, Login: login, Human: true}
}

// opening asks for a release of some artifact; equal artifacts are equal asks.
func opening(artifact string, by ...gate.Account) gate.Opening {
	if len(by) == 0 {
		by = []gate.Account{person(1, "ana")}
	}
	subjects := []gate.Subject{{Name: artifact, SHA256: gate.SHA256([]byte(artifact))}}
	now := time.Now().UTC().Truncate(time.Microsecond)
	return gate.Opening{
		Request: gate.Request{
			ID: newID(), AskHash: gate.SHA256([]byte("ask " + artifact)), Repository: repository(),
			RepositoryName: "acme/rocket", Owner: gate.AccountID{Forge: "github", ID: 9}, Ref: "refs/tags/v1.0.0",
			Commit: gate.SHA256([]byte("commit " + artifact)).String()[:40], Stream: "release", Key: "acme-release",
			Manifest: gate.Manifest{Subjects: subjects}, PolicyDigest: gate.SHA256([]byte("policy")),
			Workload: gate.Workload{Forge: "github", Actor: by[0], Claims: map[string]any{"sub": "x\x00y"}},
			Actors:   by, Run: gate.RunFacts{RunID: 7, Actors: by},
			Created: now, Expires: now.Add(time.Hour),
		},
		Token: token(newID()),
	}
}

func token(id string) gate.TokenUse {
	return gate.TokenUse{Issuer: "https://token.example", ID: id, Expires: time.Now().Add(minute)}
}

func (w *world) opened(artifact string, by ...gate.Account) gate.Record {
	w.Helper()
	return w.openedAs(opening(artifact, by...))
}

func (w *world) openedAs(o gate.Opening) gate.Record {
	w.Helper()
	rec, joined, err := w.s.OpenRequest(w.ctx, o)
	w.must(err)
	if joined {
		w.Fatalf("expected a new request, joined %s", rec.Request.ID)
	}
	return rec
}

func (w *world) request(id string) gate.Record {
	w.Helper()
	rec, err := w.s.Request(w.ctx, id)
	w.must(err)
	return rec
}

// judged stores a decision that leads to a state.
func (w *world) judged(rec gate.Record, to gate.State, posts ...gate.Post) gate.Record {
	w.Helper()
	rec, err := w.s.RecordDecision(w.ctx, judgement(rec, to, posts...))
	w.must(err)
	return rec
}

func judgement(rec gate.Record, to gate.State, posts ...gate.Post) gate.Judged {
	outcome := map[gate.State]gate.Outcome{gate.StateWaiting: gate.Waiting, gate.StateGranted: gate.Granted}[to]
	return gate.Judged{
		Record: rec, To: to, Posts: posts,
		Decision: gate.Decision{At: rec.Updated, Request: rec.Request.ID, Outcome: outcome},
	}
}

// claimed takes what is due, which has to be rec.
func (w *world) claimed(id string, lease time.Duration) gate.Record {
	w.Helper()
	rec, ok, err := w.s.ClaimDue(w.ctx, "worker", lease)
	w.must(err)
	if !ok || rec.Request.ID != id {
		w.Fatalf("expected that request %s is due, got %q, %t", id, rec.Request.ID, ok)
	}
	return rec
}

func (w *world) nothingDue() {
	w.Helper()
	rec, ok, err := w.s.ClaimDue(w.ctx, "worker", minute)
	w.must(err)
	if ok {
		w.Fatalf("expected that nothing is due, got request %s in state %s", rec.Request.ID, rec.State)
	}
}

// intents are the two of an attempt: a subject and the statement.
func intents(rec gate.Record) []gate.Intent {
	key := gate.KeyVersion{Lineage: "acme-release", Version: 1, SPKI: []byte{1}}
	subject := rec.Request.Manifest.Subjects[0]
	statement := []byte(`{"_type":"x"}`)
	return []gate.Intent{
		{
			ID: newID(), Request: rec.Request.ID, Attempt: rec.Signing + 1, Kind: gate.IntentSubject,
			Name: subject.Name, Digest: subject.SHA256, Key: key,
		},
		{
			ID: newID(), Request: rec.Request.ID, Attempt: rec.Signing + 1, Kind: gate.IntentStatement, Name: gate.StatementVSA,
			Digest: gate.SHA256(statement), Payload: statement, Key: key,
		},
	}
}

func signatures(of []gate.Intent) []gate.Signature {
	var out []gate.Signature
	for _, i := range of {
		out = append(out, gate.Signature{
			Intent: i.ID, Bytes: []byte("signed " + i.Digest.String()), At: time.Now().UTC().Truncate(time.Microsecond),
		})
	}
	return out
}

// signing brings a request to the point where the HSM is used.
func (w *world) signing(artifact string, lease time.Duration) (gate.Record, []gate.Intent) {
	w.Helper()
	rec := w.judged(w.opened(artifact), gate.StateGranted)
	return w.begun(rec, lease)
}

func (w *world) begun(rec gate.Record, lease time.Duration) (gate.Record, []gate.Intent) {
	w.Helper()
	is := intents(rec)
	rec, err := w.s.BeginSigning(w.ctx, rec, is, "worker", lease)
	w.must(err)
	return rec, is
}

func (w *world) signed(artifact string, posts ...gate.Post) gate.Record {
	w.Helper()
	rec, is := w.signing(artifact, minute)
	for i := range posts {
		posts[i].Request = rec.Request.ID
	}
	rec, err := w.complete(rec, signatures(is), posts)
	w.must(err)
	return rec
}

// complete keeps signatures and seals the release.
func (w *world) complete(rec gate.Record, sigs []gate.Signature, posts []gate.Post) (gate.Record, error) {
	w.Helper()
	return complete(w.ctx, w.s, rec, sigs, posts)
}

func complete(ctx context.Context, s *store.Store, rec gate.Record, sigs []gate.Signature, posts []gate.Post) (gate.Record, error) {
	rec, err := s.KeepSignatures(ctx, rec, sigs, nil, minute)
	if err != nil {
		return rec, err
	}
	seal, err := sealOf(ctx, s, rec)
	if err != nil {
		return rec, err
	}
	return s.CompleteSealing(ctx, rec, seal, posts)
}

// sealOf is a seal that covers a release, the same one each time.
func sealOf(ctx context.Context, s *store.Store, rec gate.Record) (gate.Seal, error) {
	signed, err := s.Signatures(ctx, rec.Request.ID)
	seal := gate.Seal{Request: rec.Request.ID, Timestamps: map[string][]byte{}, At: time.Unix(1, 0).UTC()}
	for _, x := range signed {
		seal.Timestamps[x.Intent.ID] = []byte("stamped " + x.Intent.Name)
		for _, e := range x.Entries {
			seal.Checkpoint.Size = max(seal.Checkpoint.Size, e.Index+1)
		}
	}
	return seal, err
}

func (w *world) inState(id string, want gate.State) gate.Record {
	w.Helper()
	rec := w.request(id)
	if rec.State != want {
		w.Fatalf("expected request %s in state %s, got %s", id, want, rec.State)
	}
	return rec
}

// check tells the state of a request's check run.
func check(request string, state gate.PostState) gate.Post {
	return gate.Post{
		ID: newID(), Request: request, Repository: repository(), Target: gate.PostCheck, Key: "check of " + request,
		State: state, Made: time.Now().UTC().Truncate(time.Microsecond),
	}
}
