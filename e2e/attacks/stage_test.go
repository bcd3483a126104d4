package attacks_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/release/releasetest"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
	"github.com/countersign/countersign/gate/workload"
	"github.com/countersign/countersign/hsm/hsmtest"
	"github.com/countersign/countersign/web"
)

const (
	lineage = "acme-release"
	secret  = "a webhook's secret"
	mainRef = "refs/heads/main"
)

// stage is a team on one forge and the gate that it releases through. Nothing works
// behind a test's back: settle is when the gate does what is due.
type stage struct {
	*testing.T

	forgetest.World
	gh     *githubtest.Server // nil on GitLab
	gl     *gitlabtest.Server // nil on GitHub
	clock  *clock
	log    *logBook
	server *httptest.Server
	config store.Config
	store  *store.Store
	signer *hsmtest.Fake
	gate   *release.Gate
	repo   forgetest.Repository
	people map[string]forgetest.Person
	serial int
	// signs is set once the row has said that something gets signed.
	signs bool
}

// forge is what both adapters are.
type forge interface {
	release.Forge
	release.Interpreter
	release.Watcher
	web.Prover
}

// newStage is acme/widget with its people, its policy in force and its branches
// protected. At the end of the test the database holds every invariant, and nothing
// is signed unless the row said so.
func newStage(t *testing.T, forgeName string, r row) *stage {
	t.Helper()
	s := &stage{T: t, clock: newClock(), log: &logBook{}, people: map[string]forgetest.Person{}}
	kind := gate.GitHub
	if forgeName == "gitlab" {
		kind = gate.GitLab
		r.gitlab.Now, r.gitlab.Key = s.clock.now, issuerKey()
		s.gl = gitlabtest.New(r.gitlab)
		s.World = s.gl
	} else {
		r.github.Now, r.github.Key = s.clock.now, issuerKey()
		s.gh = githubtest.New(r.github)
		s.World = s.gh
	}
	t.Cleanup(s.Close)
	s.server = httptest.NewUnstartedServer(nil)
	origin := &url.URL{Scheme: "http", Host: s.server.Listener.Addr().String()}
	s.signer = hsmtest.NewFake(s.clock.now, lineage, "other-release")
	s.config = store.Config{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "gate.db"), Now: s.clock.now}
	var err error
	s.store, err = store.Open(t.Context(), s.config)
	s.must(err)
	t.Cleanup(s.strike)
	s.gather(r)
	s.open(origin, kind)
	s.DeliverTo(origin.String()+"/webhooks/"+forgeName+"/"+forgeName, secret)
	_, err = s.gate.Adopt(t.Context(), release.Adoption{Repository: s.repositoryID(), Baseline: s.Head(s.repo, mainRef), By: "root"})
	s.must(err)
	return s
}

// issuerKey is one for all doubles here: making one takes longer than most rows.
var issuerKey = sync.OnceValue(func() *rsa.PrivateKey { //nolint:gochecknoglobals // made once, never changed
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system's random source is gone
	}
	return key
})

// open builds the gate as the daemon does, and serves it.
func (s *stage) open(origin *url.URL, kind gate.ForgeKind) {
	s.Helper()
	adapter := s.adapter()
	id := gate.ForgeID(s.Name())
	at, err := url.Parse(s.URL())
	s.must(err)
	log := slog.New(slog.NewTextHandler(s.log, nil))
	proof := releasetest.NewEvidence(s.T, s.store, origin, s.clock.now)
	s.gate = release.New(release.Config{
		Server: origin, Authority: proof.Authority, Ledger: proof.Ledger, Store: s.store, Signer: s.signer, Log: log, Now: s.clock.now, NewID: newID, Owner: newID(),
		Forges: map[gate.ForgeID]release.Port{id: portOf(kind, at, adapter)},
		Keys:   s.keyring(),
	})
	verifier := workload.New(workload.Config{
		Issuers: []workload.Issuer{{Forge: id, Kind: kind, URL: s.Issuer()}},
		Client:  &http.Client{Timeout: 10 * time.Second}, Now: s.clock.now,
	})
	var keys []api.Key
	for _, v := range s.signer.Keys() {
		key, err := attest.ParseKey(v.SPKI)
		s.must(err)
		keys = append(keys, api.Key{Lineage: v.Lineage, Version: v.Version, PEM: string(key.PEM()), Hint: key.Hint(), Software: true})
	}
	handler := web.Handler(web.Config{
		Server: origin, Releases: s.gate, Refusals: s.gate, Ledger: s.store, Roots: s.store, Book: s.store, Shelf: s.store, Verifier: verifier,
		Hooks:  map[gate.ForgeID]web.Hook{id: {Kind: kind, Prover: adapter}},
		Forges: []api.Forge{{Name: s.Name(), Kind: kind, URL: s.URL()}},
		Keys:   keys, Wake: s.store.Wake, Log: log, Now: s.clock.now,
	})
	s.server.Config = web.Server(handler)
	s.server.Start()
	s.Cleanup(s.server.Close)
}

func portOf(kind gate.ForgeKind, at *url.URL, adapter forge) release.Port {
	p := release.Port{Kind: kind, URL: at, Forge: adapter, Interpreter: adapter, Watcher: adapter}
	p.Glancer, _ = adapter.(release.Glancer)
	p.Assets, _ = adapter.(release.AssetReader)
	return p
}

func (s *stage) adapter() forge {
	s.Helper()
	if s.gl != nil {
		f, err := gitlab.New(gitlab.Config{
			Forge: "gitlab", URL: s.gl.URL(), Token: s.gl.BotToken(), WebhookSecret: []byte(secret), Now: s.clock.now,
		})
		s.must(err)
		return f
	}
	f, err := github.New(github.Config{
		Forge: "github", URL: s.gh.URL(), APIURL: s.gh.APIURL(), AppID: s.gh.AppID(), PrivateKey: s.gh.AppPrivateKey(),
		WebhookSecret: []byte(secret), Now: s.clock.now,
	})
	s.must(err)
	return f
}

// keyring binds the first lineage to the team's owner, and the other to somebody else.
func (s *stage) keyring() release.Keyring {
	id := gate.ForgeID(s.Name())
	keys := s.signer.Keys()
	return release.Keyring{
		{Version: keys[0], Owners: []gate.AccountID{{Forge: id, ID: s.repo.OwnerID}}},
		{Version: keys[1], Owners: []gate.AccountID{{Forge: id, ID: s.repo.OwnerID + 1_000_000}}},
	}
}

// gather makes the repository: eve administers it, cy maintains it, ana and bo write,
// gus reads, and mal is nobody there.
func (s *stage) gather(r row) {
	s.Helper()
	s.repo = s.AddRepository("acme/widget")
	for name, role := range map[string]forgetest.Role{
		"ana": forgetest.RoleWrite, "bo": forgetest.RoleWrite, "cy": forgetest.RoleMaintain,
		"eve": forgetest.RoleAdmin, "gus": forgetest.RoleRead, "mal": forgetest.RoleNone,
	} {
		s.people[name] = s.AddPerson(name)
		s.SetRole(s.repo, s.people[name], role)
	}
	first := s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.people["eve"], Message: "Start the widget",
		Files: map[string][]byte{
			".countersign.yaml": []byte(policyFile(r.policy)), "README.md": []byte("# widget\n"),
			".gitlab-ci.yml":                []byte("release: {script: [make release]}\n"),
			".github/workflows/release.yml": []byte("on: {push: {tags: ['v*']}}\n"),
		},
	})
	s.Push(s.repo, s.people["eve"], mainRef, first)
	s.Protect(s.repo, forgetest.Protection{Ref: mainRef, Reviews: 1})
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	s.clock.pass(time.Minute)
}

// policyFile is the minimal policy of both forges with a row's own lines in its entry.
func policyFile(lines string) string {
	file := "version: 1\nreleases:\n  - workflow: release.yml\n    job: release\n"
	for line := range strings.Lines(lines) {
		file += "    " + strings.TrimRight(line, "\n") + "\n"
	}
	return file
}

// strike takes the stage down and holds it to what must be true of every one.
func (s *stage) strike() {
	var uses []storetest.Use
	for _, o := range s.signer.Signed() {
		uses = append(uses, storetest.Use{Intent: o.Intent().ID, Digest: o.Digest()})
	}
	if len(uses) > 0 && !s.signs {
		s.Errorf("expected nothing to be signed, got %d signatures", len(uses))
	}
	err := errors.Join(storetest.CheckInvariants(context.WithoutCancel(s.Context()), s.config, uses), s.store.Close())
	if err != nil {
		s.Error(err)
	}
	for _, leak := range []string{secret, "PRIVATE KEY", "eyJ"} {
		if strings.Contains(s.log.String(), leak) {
			s.Errorf("expected no secret in the log, got one with %q in it", leak)
		}
	}
	if s.Failed() {
		s.Log("the gate's log:\n" + s.log.telling())
	}
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) repositoryID() gate.RepositoryID {
	return gate.RepositoryID{Forge: gate.ForgeID(s.Name()), ID: s.repo.ID}
}

// settle has the forge deliver what it has to tell, and the gate do what is due.
func (s *stage) settle() {
	s.Helper()
	for range 200 {
		s.Settle()
		found := false
		for _, next := range []func(context.Context) (bool, error){s.gate.HearNext, s.gate.JudgeNext, s.gate.PostNext, s.gate.WatchNext, s.gate.CheckNext, s.gate.AssetsNext} {
			did, err := next(s.Context())
			if err != nil { // as the workers do: it is on record, and tried again when its lease ends
				fmt.Fprintln(s.log, "work failed:", err)
			}
			found = found || did
		}
		if !found {
			return
		}
	}
	s.Fatal("expected the work to end, it goes on and on")
}

// later lets time pass and works again.
func (s *stage) later(d time.Duration) {
	s.Helper()
	s.clock.pass(d)
	s.settle()
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// clock stands still unless it is told to go on.
type clock struct {
	mu sync.Mutex
	at time.Time
}

// newClock starts a little before the real time: the App's own credentials carry that,
// and are good from a minute and a half before to as long after it.
func newClock() *clock { return &clock{at: time.Now().Add(-130 * time.Second).Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type logBook struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// telling is the log without the lines that every deed leaves.
func (l *logBook) telling() string {
	var out strings.Builder
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, "delivery accepted") && !strings.Contains(line, "request served") {
			out.WriteString(line)
		}
	}
	return out.String()
}
