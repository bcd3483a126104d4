package setup

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/session"
)

// register shows the button that asks a GitHub for an App.
func (s *server) register(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepForge); err != nil {
		return err
	}
	web, organisation := origin(r.PostForm.Get("web")), ""
	if r.PostForm.Get("owner") == "organisation" {
		organisation = strings.TrimSpace(r.PostForm.Get("organisation"))
		if organisation == "" {
			return wrong("the organisation's name is missing", "its name at GitHub, as in its URL", "nothing")
		}
	}
	form, err := s.GitHub.Manifest(web, organisation, s.away.begin(journey{web: web}, registering))
	if err != nil {
		return err
	}
	toForge(form.Action, func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, http.StatusOK, model{State: s.Site.State(), Form: &form, Web: web, Way: way(StepForge)})
	})(w, r)
	return nil
}

// origin completes what people type for a host.
func origin(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	if text != "" && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	return text
}

// created takes the browser back from GitHub, with the code for the App. Where it is asked
// for is what was remembered, never what the address says.
func (s *server) created(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	one, err := s.away.end(q.Get("state"), false)
	if err != nil {
		return err
	}
	if err := s.at(StepForge); err != nil {
		return err
	}
	if err := s.GitHub.Convert(r.Context(), one.web, q.Get("code")); err != nil {
		return err
	}
	return next(w, r)
}

func (s *server) useApp(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepForge); err != nil {
		return err
	}
	f := r.PostForm
	err := s.GitHub.UseApp(r.Context(), GivenApp{
		Web: origin(f.Get("web")), AppID: strings.TrimSpace(f.Get("app_id")), ClientID: strings.TrimSpace(f.Get("client_id")),
		PrivateKey: f.Get("private_key"), WebhookSecret: f.Get("webhook_secret"), ClientSecret: f.Get("client_secret"),
	})
	if err != nil {
		return err
	}
	return next(w, r)
}

func (s *server) useBot(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepForge); err != nil {
		return err
	}
	f := r.PostForm
	err := s.GitLab.UseBot(r.Context(), GivenBot{
		Web: origin(f.Get("web")), Token: f.Get("token"), ClientID: strings.TrimSpace(f.Get("client_id")), ClientSecret: f.Get("client_secret"),
	})
	if err != nil {
		return err
	}
	return next(w, r)
}

// installed takes the browser back from the App's installation. The address names an
// installation: it is shown only if the API does, and nothing else is taken from there.
func (s *server) installed(w http.ResponseWriter, r *http.Request) error {
	if s.Site.State().Step() != StepInstall {
		return next(w, r) // an owner may install it on more, later
	}
	raw := r.URL.Query().Get("installation_id")
	if raw == "" {
		return next(w, r)
	}
	all, err := s.GitHub.Installations(r.Context())
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || !slices.ContainsFunc(all, func(x Installation) bool { return x.ID == id }) {
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeParameter, Text: "the App has no such installation: what the address says is not believed",
			Expected: "an installation that GitHub lists", Got: strconv.QuoteToASCII(short(raw)), Fix: "install the App with the button of this page, then check again",
		}
	}
	return next(w, r)
}

func short(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// bind lets everybody who installed the App use the key.
func (s *server) bind(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepInstall); err != nil {
		return err
	}
	all, err := s.GitHub.Installations(r.Context())
	if err != nil {
		return err
	}
	var holders []Holder
	for _, x := range all {
		if slices.Contains(r.PostForm["holder"], x.Holder.ID) {
			holders = append(holders, x.Holder)
		}
	}
	if len(holders) == 0 || len(holders) != len(r.PostForm["holder"]) {
		return wrong("choose who may use the key", "at least one of those who installed the App", fmt.Sprint(len(holders)))
	}
	if err := s.Site.Bind(r.Context(), holders); err != nil {
		return err
	}
	return next(w, r)
}

// choose gives the chosen projects a webhook, and lets them use the key.
func (s *server) choose(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepInstall); err != nil {
		return err
	}
	all, err := s.GitLab.Projects(r.Context())
	if err != nil {
		return err
	}
	var chosen []Holder
	for _, p := range all {
		if slices.Contains(r.PostForm[field(p)], p.ID) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 || len(chosen) != len(r.PostForm["holder"])+len(r.PostForm["group"]) {
		return wrong("choose the projects whose releases are to be signed", "at least one that the bot administers", fmt.Sprint(len(chosen)))
	}
	done, err := s.GitLab.Hook(r.Context(), chosen)
	if err != nil {
		return err
	}
	for _, f := range done {
		if f.Level == api.FindingFailure {
			return &gate.Error{Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: f.Text, Fix: f.Fix}
		}
	}
	if err := s.Site.Bind(r.Context(), chosen); err != nil {
		return err
	}
	return next(w, r)
}

// field names a choice's field: GitLab numbers groups and projects apart, so that a number
// alone says neither.
func field(h Holder) string {
	if h.Owner {
		return "group"
	}
	return "holder"
}

// signIn sends the browser to the forge, to prove who sits at it.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepAdministrator); err != nil {
		return err
	}
	door, err := s.SignIn()
	if err != nil {
		return err
	}
	verifier := session.Random()
	state := s.away.begin(journey{verifier: verifier}, signingIn)
	http.Redirect(w, r, door.AuthorizeURL(state, session.Challenge(verifier), s.callback()), http.StatusSeeOther)
	return nil
}

// callback is the gate's own, of the one forge there is.
func (s *server) callback() string {
	return s.Server.JoinPath(CallbackPath(gate.ForgeID(s.Site.State().Kind))).String()
}

func (s *server) signedIn(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	one, err := s.away.end(q.Get("state"), true)
	if err != nil {
		return err
	}
	if err := s.at(StepAdministrator); err != nil {
		return err
	}
	forge := gate.ForgeID(s.Site.State().Kind)
	if q.Get("code") == "" || chi.URLParam(r, "forge") != string(forge) {
		return &gate.Error{Kind: gate.Refused, Code: gate.CodeSignIn, Text: "the sign-in was cancelled at the forge", Fix: "sign in with the button of this page"}
	}
	door, err := s.SignIn()
	if err != nil {
		return err
	}
	who, err := door.Identify(r.Context(), q.Get("code"), one.verifier, s.callback())
	if err != nil {
		return err
	}
	if who.ID.Forge != forge || who.ID.ID <= 0 || !who.Human {
		return &gate.Error{Kind: gate.Refused, Code: gate.CodeSignIn, Text: "the account is no person's", Fix: "sign in as yourself"}
	}
	if err := s.Site.Appoint(r.Context(), who); err != nil {
		return err
	}
	s.Log.InfoContext(r.Context(), "first administrator", "account", who.ID.String(), "login", who.Login)
	return next(w, r)
}

func (s *server) makeKey(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepKey); err != nil {
		return err
	}
	if err := s.Site.MakeKey(r.Context(), strings.TrimSpace(r.PostForm.Get("lineage"))); err != nil {
		return err
	}
	return next(w, r)
}

// finish outlives the browser's patience: half a start helps nobody.
func (s *server) finish(w http.ResponseWriter, r *http.Request) error {
	if err := s.at(StepFinish); err != nil {
		return err
	}
	after, err := s.Site.Finish(context.WithoutCancel(r.Context()))
	if err != nil {
		return err
	}
	after.ServeHTTP(w, r)
	return nil
}

// at refuses what does not belong to the step that is next: a page that was left open.
func (s *server) at(want Step) error {
	if now := s.Site.State().Step(); now != want {
		return &gate.Error{
			Kind: gate.Conflict, Code: gate.CodePageStale, Text: "this step is done, or not next yet",
			Expected: string(now), Got: string(want), Fix: "go on with what this page shows",
		}
	}
	return nil
}

func wrong(text, expected, got string) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeParameter, Text: text, Expected: expected, Got: strconv.QuoteToASCII(short(got)), Fix: "mend it, and send the form again"}
}
