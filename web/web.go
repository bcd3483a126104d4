// Package web is the gate's HTTP surface: webhooks in, asks in, state and bundles
// out, pages for people, health for machines.
package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/workload"
)

// Releases is the life of requests, as gate/release has it.
type Releases interface {
	Open(ctx context.Context, w gate.Workload, ask gate.Ask) (gate.Record, bool, error)
	Show(ctx context.Context, w gate.Workload, id string) (gate.Record, error)
	Collect(ctx context.Context, w gate.Workload, id string) (gate.Record, []attest.File, error)
	View(rec gate.Record) api.Release
}

// Shelf is what the pages and the webhooks need of the store.
type Shelf interface {
	// Accept stores a proved delivery durably; false where it was there already.
	Accept(ctx context.Context, d gate.Delivery) (bool, error)
	// Recent lists requests, newest first.
	Recent(ctx context.Context, limit int) ([]gate.Record, error)
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
	Shelf    Shelf
	Verifier Verifier
	Hooks    map[gate.ForgeID]Hook
	Forges   []api.Forge
	Keys     []api.Key
	// Wake returns a channel that closes when something was stored.
	Wake func() <-chan struct{}
	Log  *slog.Logger
	Now  func() time.Time
}

type server struct {
	Config

	pages map[string]*template.Template
}

// Handler is the public listener's.
func Handler(c Config) http.Handler {
	s := &server{Config: c, pages: pages()}
	r := chi.NewRouter()
	r.Use(s.recovered, headers)
	r.Post("/v1/releases", s.serve(s.ask))
	r.Get("/v1/releases/{id}", s.serve(s.show))
	r.Post("/v1/releases/{id}/collect", s.serve(s.collect))
	r.Get("/v1/forges", s.serve(s.forges))
	r.Get("/v1/keys", s.serve(s.keys))
	r.Get("/v1/keys/{lineage}.pem", s.serve(s.keyPEM))
	r.Post("/webhooks/{kind}/{forge}", s.serve(s.webhook))
	r.Get("/", s.serve(s.listPage))
	r.Get("/releases/{id}", s.serve(s.releasePage))
	r.Get("/errors/{code}", s.serve(s.errorPage))
	r.Handle("/assets/*", assets())
	r.NotFound(s.serve(func(http.ResponseWriter, *http.Request) error {
		return &gate.Error{Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is nothing here", Fix: "see the manual for the gate's paths"}
	}))
	return r
}

// Health is the second listener's: livez while the process runs, readyz while the
// store takes writes.
func Health(shelf Shelf) http.Handler {
	r := chi.NewRouter()
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := shelf.Ready(ctx); err != nil {
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return r
}

// Server bounds every phase of a connection (attack 63). The write timeout leaves
// room for the longest wait of GET /v1/releases/{id}.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// headers forbid what the pages never need.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into a problem, logged without the request's headers.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			if v := recover(); v != nil {
				s.Log.ErrorContext(r.Context(), "panic", "path", r.URL.Path, "value", v)
				if ww.Status() == 0 {
					s.problem(ww, nil)
				}
			}
		}()
		next.ServeHTTP(ww, r)
	})
}
