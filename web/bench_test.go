package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
	life "github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
	"github.com/countersign/countersign/web"
)

// shelved is how many requests the bench of pages stores.
const shelved = 100_000

// BenchmarkPages has pages rendered over a SQLite store with a hundred thousand requests,
// for an administrator, for somebody who may read everything, and for nobody in particular.
// It reports the median in milliseconds and the page's weight in KB as it is sent.
func BenchmarkPages(b *testing.B) {
	l := newLibrary(b)
	repository := gate.RepositoryID{Forge: gatetest.Forge, ID: 7}
	for _, visitor := range []struct {
		name   string
		cookie *http.Cookie
	}{{"administrator", l.signIn(b, root())}, {"maintainer", l.signIn(b, eve())}, {"nobody", nil}} {
		for _, path := range []string{
			"/", "/?before=" + storetest.CopyID(shelved/2), "/?repository=" + repository.String(),
			"/releases/" + storetest.CopyID(shelved/2), "/releases/" + storetest.CopyID(shelved/2+1),
			"/repositories", "/repositories/" + strings.Replace(repository.String(), ":", "/", 1),
			"/keys", "/keys/acme.release", "/operations",
			"/ledger", "/ledger?q=" + storetest.CopyID(shelved/2), fmt.Sprint("/ledger/", 100*(shelved/2)),
		} {
			if path == "/operations" && visitor.name != "administrator" {
				continue
			}
			b.Run(visitor.name+path, func(b *testing.B) { l.bench(b, path, visitor.cookie) })
		}
	}
}

// library is the pages over a store that is full.
type library struct {
	pages http.Handler
	forge *forge
}

func (l *library) bench(b *testing.B, path string, cookie *http.Cookie) {
	var took []time.Duration
	var weight int
	for b.Loop() {
		began := time.Now()
		got := l.get(b, http.MethodGet, path, cookie)
		took = append(took, time.Since(began))
		if weight = got.Body.Len(); got.Code != http.StatusOK {
			b.Fatalf("%s: expected 200, got %d", path, got.Code)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(weight)/1000, "KB")
}

func (l *library) get(b *testing.B, method, path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range cookies {
		if c != nil {
			r.AddCookie(c)
		}
	}
	out := httptest.NewRecorder()
	l.pages.ServeHTTP(out, r)
	return out
}

// signIn is somebody's session.
func (l *library) signIn(b *testing.B, who gate.Account) *http.Cookie {
	b.Helper()
	begun := l.get(b, http.MethodPost, "/auth/"+string(l.forge.id))
	at, err := url.Parse(begun.Header().Get("Location"))
	if err != nil || begun.Code != http.StatusSeeOther {
		b.Fatalf("expected the forge's address, got %d, %v", begun.Code, err)
	}
	ended := l.get(b, http.MethodGet, l.forge.authorize(at.Query(), who), begun.Result().Cookies()...)
	for _, c := range ended.Result().Cookies() {
		if c.Name == "__Host-countersign" {
			return c
		}
	}
	b.Fatalf("expected a session, got %d", ended.Code)
	return nil
}

func newLibrary(b *testing.B) *library {
	b.Helper()
	c := store.Config{Engine: store.SQLite, Path: filepath.Join(b.TempDir(), "gate.db"), Now: time.Now}
	shelf, err := store.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := shelf.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := storetest.Fill(b.Context(), c, released(b, shelf), shelved); err != nil {
		b.Fatal(err)
	}
	server, err := url.Parse(origin)
	if err != nil {
		b.Fatal(err)
	}
	l := &library{forge: &forge{id: gatetest.Forge, codes: map[string]granted{}, roles: map[gate.AccountID]gate.Role{
		eve().ID: gate.RoleMaintain, root().ID: gate.RoleMaintain,
	}}}
	g := life.New(life.Config{Server: server, Store: shelf, Now: time.Now, NewID: newUUID})
	desk := desk{shelf}
	l.pages = web.Handler(web.Config{
		Server: server, Releases: g, Shelf: shelf, Board: shelf, Workshop: shelf, Outbox: desk, Doctor: desk, Policies: g,
		Proposals: shelf, Ledger: shelf, Book: shelf, Sessions: shelf.Sessions(), Administrators: []gate.AccountID{root().ID},
		Forges:  []api.Forge{{Name: string(gatetest.Forge), Kind: gate.GitHub, URL: "https://github.com"}},
		SignIns: map[gate.ForgeID]web.SignIn{gatetest.Forge: l.forge}, Rights: map[gate.ForgeID]web.Rights{gatetest.Forge: l.forge},
		Keys:     []api.Key{{Lineage: "acme.release", Version: 1, PEM: pemOf(1), Hint: "SHA256:one"}},
		Bindings: life.Keyring{{Version: gate.KeyVersion{Lineage: "acme.release", Version: 1}, Owners: []gate.AccountID{gatetest.Acme()}}},
		Wake:     shelf.Wake, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return l
}

func newUUID() string { return uuid.Must(uuid.NewV7()).String() }

// desk is what operators see beside the store.
type desk struct{ shelf *store.Store }

func (d desk) Untold(ctx context.Context, limit int) ([]web.Untold, error) {
	all, err := d.shelf.GivenUp(ctx, limit)
	var out []web.Untold
	for _, p := range all {
		out = append(out, web.Untold{Post: p.Post, Why: p.Why, Refusals: p.Refusals, At: p.At})
	}
	return out, err
}

func (d desk) TellAgain(ctx context.Context, post string) error { return d.shelf.TellAgain(ctx, post) }

func (d desk) Examine(context.Context) []api.Finding { return nil }

func (d desk) ExamineRepository(context.Context, gate.RepositoryID) []api.Finding { return nil }

// released is a release that is published, as the gate would have told it.
func released(b *testing.B, shelf *store.Store) (id string) {
	b.Helper()
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now().UTC()
	c, at := gatetest.GrantedCase(gatetest.At(now), unapproved())
	r := c.Request
	r.ID, r.AskHash, r.Actors, r.Created, r.Expires = newUUID(), gate.SHA256([]byte("ask")), []gate.Account{r.Workload.Actor}, now, now.Add(time.Hour)
	for n := range 9 {
		name := fmt.Sprintf("widget_%d_linux_amd64.tar.gz", n)
		r.Manifest.Subjects = append(r.Manifest.Subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(name))})
	}
	must(shelf.Adopt(ctx, gate.Adoption{
		ID: newUUID(), Repository: r.Repository, Name: r.RepositoryName, Owner: r.Owner, File: []byte(policyFile), Commit: gatetest.Head,
		Baseline: gatetest.Baseline, DefaultBranch: "main", Digest: r.PolicyDigest, By: "root", Public: true, At: now,
	}))
	rec, _, err := shelf.OpenRequest(ctx, gate.Opening{Request: r, Token: gate.TokenUse{Issuer: "https://ci.example", ID: "1", Expires: now}})
	must(err)
	rec, err = shelf.RecordDecision(ctx, gate.Judged{Record: rec, To: gate.StateGranted, Decision: gate.Decide(c, at)})
	must(err)
	key := gate.KeyVersion{Lineage: r.Key, Version: 1, SPKI: []byte("spki")}
	seal := gate.Seal{Request: rec.Request.ID, Checkpoint: gate.Checkpoint{Size: 1000}, Timestamps: map[string][]byte{}}
	var intents []gate.Intent
	var signed []gate.Signature
	for _, s := range rec.Request.Manifest.Subjects[:2] { // the others would only fill the disk
		i := gate.Intent{ID: newUUID(), Request: rec.Request.ID, Attempt: 1, Kind: gate.IntentSubject, Name: s.Name, Digest: s.SHA256, Key: key}
		intents, signed = append(intents, i), append(signed, gate.Signature{Intent: i.ID, Bytes: []byte("signature"), At: now})
		seal.Timestamps[i.ID] = []byte("stamp")
	}
	rec, err = shelf.BeginSigning(ctx, rec, intents, "bench", time.Minute)
	must(err)
	rec, err = shelf.KeepSignatures(ctx, rec, signed, nil, time.Minute)
	must(err)
	_, err = shelf.CompleteSealing(ctx, rec, seal, nil)
	must(err)
	said := gate.Approval{
		ID: newUUID(), Request: rec.Request.ID, Verb: gate.VerbApprove, By: eve(), Page: true, Created: now, Commit: r.Commit,
		Source: gate.CommentRef{Repository: r.Repository}, ManifestDigest: r.Manifest.Digest(),
	}
	must(shelf.Hear(ctx, gate.Heard{
		Approvals: []gate.Approval{said}, Posts: []gate.Post{{ID: newUUID(), Repository: r.Repository, Target: gate.PostCheck, Key: "check"}},
	}))
	_, err = shelf.Accept(ctx, gate.Delivery{Forge: gatetest.Forge, ID: "1", Event: "push", Thread: "1#1", Body: []byte("{}"), Received: now})
	must(err)
	return rec.Request.ID
}
