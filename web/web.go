// Package web is the gate's HTTP surface: webhooks in, asks in, state and bundles
// out, pages for people, health for machines.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/workload"
	"github.com/countersign/countersign/web/clients"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/manual"
	"github.com/countersign/countersign/web/session"
)

// Releases is the life of requests, as gate/release has it.
type Releases interface {
	Open(ctx context.Context, w gate.Workload, ask gate.Ask) (gate.Record, bool, error)
	Show(ctx context.Context, w gate.Workload, id string) (gate.Record, error)
	Collect(ctx context.Context, w gate.Workload, id string) (gate.Record, []attest.File, error)
	// Say takes what a signed-in person says of a release.
	Say(ctx context.Context, w release.Words) (gate.Record, error)
	View(rec gate.Record) api.Release
}

// Shelf is what the pages and the webhooks need of the store.
type Shelf interface {
	// Accept stores a proved delivery durably; false where it was there already.
	Accept(ctx context.Context, d gate.Delivery) (bool, error)
	Request(ctx context.Context, id string) (gate.Record, error)
	// Ready fails while the store cannot be written.
	Ready(ctx context.Context) error
}

// Verifier verifies ID tokens.
type Verifier interface {
	Verify(ctx context.Context, raw string, want workload.Audience) (gate.Workload, error)
}

// Prover proves that a forge sent a delivery, over its raw body.
type Prover interface {
	Prove(r *http.Request, body []byte) (gate.Delivery, error)
}

// Hook is one forge's webhook end.
type Hook struct {
	Kind gate.ForgeKind
	Prover
}

// Config is what the surface is made of.
type Config struct {
	Server   *url.URL // public URL
	Releases Releases
	Refusals Refusals
	Shelf    Shelf
	Verifier Verifier
	Hooks    map[gate.ForgeID]Hook
	Forges   []api.Forge
	Keys     []api.Key
	// Clients are handed out to jobs; nil hands out none.
	Clients *clients.Set
	// SignIns and Rights are those of the forges that have them; without, nobody signs in
	// there, and nobody is known to read a private repository.
	SignIns map[gate.ForgeID]SignIn
	Rights  map[gate.ForgeID]Rights
	// Reaches list what may be chosen from where a first policy is put in force.
	Reaches map[gate.ForgeID]Reach
	// Sessions keeps them; nil keeps them in memory.
	Sessions scs.Store
	// Administrators may see and do everything that is the server's.
	Administrators []gate.AccountID
	Board          Board
	Workshop       Workshop
	Outbox         Outbox
	Policies       Policies
	Proposals      Proposals
	Doctor         Doctor
	// Ledger and Roots are what is published of the evidence; nil serves none of it.
	Ledger Ledger
	Roots  Roots
	// Book looks through the ledger; nil where there is no page of it.
	Book LedgerBook
	// Bindings say who may use which key.
	Bindings release.Keyring
	// Wake returns a channel that closes when something was stored.
	Wake func() <-chan struct{}
	Log  *slog.Logger
	Now  func() time.Time
}

type server struct {
	Config

	pages       map[string]frame.Page
	sessions    *session.Sessions
	crossOrigin *http.CrossOriginProtection
	readers     *readers
	streams     *streams
	openings    *openings
	examined    *examinations
	manual      func() (map[string]manual.Page, error)
}

// compression is the level of gzip and deflate: what more costs more than it saves.
const compression = 5

// Handler is the public listener's. It is safe for concurrent use.
func Handler(c Config) http.Handler {
	s := &server{
		Config: c, crossOrigin: http.NewCrossOriginProtection(), readers: newReaders(c.Now), streams: newStreams(), openings: newOpenings(c.Now),
		manual: sync.OnceValues(readManual), examined: newExaminations(c.Now),
		sessions: session.New(c.Sessions, c.Server.Scheme == "https", c.Now),
	}
	if err := s.crossOrigin.AddTrustedOrigin(c.Server.Scheme + "://" + c.Server.Host); err != nil {
		panic(err) // the configuration holds a URL with scheme and host
	}
	s.pages = s.allPages()
	r := chi.NewRouter()
	r.Use(frame.Headers(s.formOrigins()...), middleware.GetHead)
	r.Get(eventsPath, s.page(s.events)) // never compressed: it is written bit by bit
	r.Group(func(r chi.Router) {
		r.Use(middleware.Compress(compression))
		s.routes(r)
	})
	r.NotFound(s.page(nowhere))
	r.MethodNotAllowed(s.page(notThatWay(r)))
	return r
}

// routes are all paths in one place: s.api serves machines, s.page people.
func (s *server) routes(r chi.Router) {
	r.Post("/v1/releases", s.api(s.ask))
	r.Get("/v1/releases/{id}", s.show())
	r.Post("/v1/releases/{id}/collect", s.api(s.collect))
	r.Get("/v1/releases/{id}/verdict", s.verdictOf())
	for _, verb := range []gate.Verb{gate.VerbApprove, gate.VerbDeny, gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw} {
		r.Post("/v1/releases/{id}/"+string(verb), s.page(s.say(verb)))
	}
	r.Get("/v1/forges", s.api(s.forges))
	r.Get("/v1/keys", s.api(s.keys))
	r.Get("/v1/keys/{file}", s.api(s.keyPEM))
	r.Get("/schema/policy.v1.json", s.api(s.schema))
	s.logRoutes(r)
	r.Post("/webhooks/{kind}/{forge}", s.api(s.webhook))

	r.Get("/", s.page(s.inboxPage))
	r.Get("/releases/{id}", s.page(s.releasePage))
	r.Get("/repositories", s.page(s.repositoriesPage))
	r.Get("/repositories/find", s.page(s.findRepository))
	r.Get("/repositories/new", s.page(s.candidatesPage))
	r.Get("/repositories/{forge}/{id}", s.page(s.repositoryPage))
	r.Get("/repositories/{forge}/{id}/readiness", s.page(s.readinessPage))
	r.Get("/repositories/{forge}/{id}/policy", s.page(s.policyPage))
	r.Post("/repositories/{forge}/{id}/policy", s.page(s.adopt))
	r.Get("/keys", s.page(s.keysPage))
	r.Get("/keys/{lineage}", s.page(s.keyPage))
	r.Get("/operations", s.page(s.operationsPage))
	r.Get("/operations/doctor", s.page(s.doctorPage))
	r.Post("/operations/deliveries/{seq}/again", s.page(s.workAgain))
	r.Post("/operations/posts/{id}/again", s.page(s.tellAgain))
	r.Get("/errors/{code}", s.page(s.codePage))
	r.Get("/docs", s.page(s.manualIndex))
	r.Get("/docs/", s.page(s.manualIndex))
	r.Get("/docs/{page}", s.page(s.manualPage))
	r.Get("/docs/{folder}/{page}", s.page(s.manualPage))
	r.Get("/assets/{file}", s.api(s.asset))
	r.Get("/client/SHA256SUMS", s.api(s.clientSums))
	r.Get("/client/{platform}/{file}", s.api(s.client))

	r.Get("/auth", s.page(s.signInPage))
	r.Get("/auth/{forge}", s.page(s.signInPage))
	r.Post("/auth/{forge}", s.page(s.beginSignIn))
	r.Get("/auth/{forge}/callback", s.page(s.endSignIn))
	r.Post("/auth/sign-out", s.page(s.signOut))
}

// origin is the public URL without a slash at its end, as clients and audiences
// spell it.
func (s *server) origin() string { return strings.TrimSuffix(s.Server.String(), "/") }

func nowhere(_ http.ResponseWriter, r *http.Request) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "there is nothing at this path",
		Expected: "a path of the gate", Got: quoted(r.URL.Path), Fix: "start at /, or see the manual's API page",
	}
}

// notThatWay says which methods the path has.
func notThatWay(routes chi.Routes) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		path := r.URL.RawPath
		if path == "" {
			path = r.URL.Path
		}
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			as := method
			if method == http.MethodHead {
				as = http.MethodGet // whatever is read may be asked about
			}
			if routes.Match(chi.NewRouteContext(), as, path) {
				allowed = append(allowed, method)
			}
		}
		methods := strings.Join(allowed, ", ")
		w.Header().Set("Allow", methods)
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeMethod, Text: "this path does not take that method",
			Expected: methods, Got: quoted(r.Method), Fix: "see the manual's API page",
		}
	}
}
