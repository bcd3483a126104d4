// Package setup is the browser's part of setting a gate up: connect a forge, say which
// repositories, who administers it, make the key, and go on as the gate. Whoever holds the
// one-time link of the terminal is its only reader.
package setup

import (
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/session"
)

//go:embed pages
var files embed.FS

// Config is what a setup works with.
type Config struct {
	Server *url.URL // the gate's public URL
	Secret string   // of the link that lets a browser in, once
	Site   Site
	GitHub GitHub
	GitLab GitLab
	// SignIn opens the way to sign in through the forge that was connected.
	SignIn func() (SignIn, error)
	Log    *slog.Logger
	Now    func() time.Time
}

// NewSecret makes the secret of a link.
func NewSecret() string { return session.Random() }

// Link is the link with the secret.
func Link(server *url.URL, secret string) string {
	u := server.JoinPath("setup")
	u.RawQuery = url.Values{"key": {secret}}.Encode()
	return u.String()
}

// Paths that the forge is told of.
const (
	CreatedPath   = "/setup/github/created"
	InstalledPath = "/setup/installed"
)

// CallbackPath is where people come back who sign in: that of the gate itself, so that the
// forge is told of one.
func CallbackPath(forge gate.ForgeID) string { return "/auth/" + string(forge) + "/callback" }

// How long the browser may stay away.
const (
	registering = time.Hour // as long as GitHub keeps a manifest's code
	signingIn   = 10 * time.Minute
)

// maxForm is far more than any form here holds, in bytes: a private key has 2 kB.
const maxForm = 64 << 10

type server struct {
	Config

	page    frame.Page
	guard   *guard
	away    *journeys
	protect *http.CrossOriginProtection
}

// Handler serves the setup. It is safe for concurrent use.
func Handler(c Config) http.Handler {
	s := &server{
		Config: c, page: frame.Parse(files, "pages/*.html", nil), protect: http.NewCrossOriginProtection(),
		guard: newGuard(c.Secret, c.Server.Scheme == "https"),
		away:  &journeys{now: c.Now, all: map[string]journey{}},
	}
	r := chi.NewRouter()
	r.Use(frame.Headers())
	r.Get("/assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		if !frame.Asset(w, r, chi.URLParam(r, "file")) {
			s.later(w, r)
		}
	})
	r.Get("/setup", s.open)
	r.Group(func(r chi.Router) {
		r.Use(s.known)
		r.Post("/setup/github", s.does(s.register))
		r.Get(CreatedPath, s.does(s.created))
		r.Post("/setup/github/app", s.does(s.useApp))
		r.Post("/setup/gitlab", s.does(s.useBot))
		r.Get(InstalledPath, s.does(s.installed))
		r.Post(InstalledPath, s.does(s.bind))
		r.Post("/setup/projects", s.does(s.choose))
		r.Post("/setup/sign-in", s.does(s.signIn))
		r.Get("/auth/{forge}/callback", s.does(s.signedIn))
		r.Post("/setup/key", s.does(s.makeKey))
		r.Post("/setup/finish", s.does(s.finish))
	})
	r.NotFound(s.later)
	r.MethodNotAllowed(s.later)
	return r
}

// later answers whoever looks for the gate itself. Forges deliver again what gets no 2xx.
func (s *server) later(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && s.guard.knows(r) {
		http.Redirect(w, r, "/setup", http.StatusSeeOther)
		return
	}
	w.Header().Set("Retry-After", "60")
	s.show(w, r, http.StatusServiceUnavailable, model{Problem: &gate.Error{
		Text: "this server is being set up", Fix: "come back when its operator is done",
	}})
}

// open lets the browser in that has the link, and shows it the step that is next.
func (s *server) open(w http.ResponseWriter, r *http.Request) {
	switch key := r.URL.Query().Get("key"); {
	case s.guard.knows(r) && key != "":
		http.Redirect(w, r, "/setup", http.StatusSeeOther)
	case s.guard.knows(r):
		s.step(w, r, http.StatusOK, nil)
	case key == "":
		s.stranger(w, r, refused("this server is being set up, by whoever holds the link", "open the link that countersignd setup printed in the terminal"))
	default:
		if err := s.guard.admit(w, key); err != nil {
			s.stranger(w, r, err)
			return
		}
		s.Log.InfoContext(r.Context(), "setup opened in a browser")
		http.Redirect(w, r, "/setup", http.StatusSeeOther)
	}
}

func (s *server) stranger(w http.ResponseWriter, r *http.Request, err error) {
	s.show(w, r, http.StatusForbidden, model{Problem: shown(err)})
}

// known lets nobody pass but the browser that was let in, and no form of another site.
func (s *server) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.guard.knows(r) {
			s.stranger(w, r, refused("this server is being set up, by whoever holds the link", "open the link that countersignd setup printed in the terminal"))
			return
		}
		if err := s.protect.Check(r); err != nil {
			s.stranger(w, r, refused("the form came from another site", "use the buttons of this server's own pages"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// does makes a handler of one deed: where it fails the step is shown again, with why.
func (s *server) does(deed func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		if err != nil {
			err = &gate.Error{Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the form does not read", Fix: "load the page again", Err: err}
		} else {
			err = deed(w, r)
		}
		if err != nil {
			s.Log.WarnContext(r.Context(), "setup", "path", r.URL.Path, "error", err)
			s.step(w, r, api.StatusOf(err), shown(err))
		}
	}
}

// next leads to the next step: what was posted is not posted again when the page is loaded.
func next(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/setup", http.StatusSeeOther)
	return nil
}

// shown is an error as its reader may see it.
func shown(err error) *gate.Error {
	var e *gate.Error
	if err == nil || errors.As(err, &e) {
		return e
	}
	return &gate.Error{Kind: gate.Internal, Code: gate.CodeInternal, Text: "something went wrong in the server", Fix: "see what it wrote in the terminal, then try again"}
}
