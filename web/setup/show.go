package setup

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/frame"
)

// model is what a page of the setup shows.
type model struct {
	State
	// Problem is what went wrong; alone it is the whole page.
	Problem *gate.Error
	// Way are all steps.
	Way []marked
	// Form asks a GitHub for an App.
	Form *Form
	Web  string
	// Choice are those who may be given the key.
	Choice []Holder
	URL    string
	// Callback is where people come back who sign in through GitLab.
	Callback string
	// Hook is where a webhook made by hand has to lead.
	Hook string
}

// marked is a step as the list of them shows it.
type marked struct {
	Step      Step
	Title     string
	Done, Now bool
}

// Forge names the forge that was connected.
func (m model) Forge() string {
	if m.Kind == gate.GitLab {
		return "GitLab"
	}
	return "GitHub"
}

// At reports whether the step is next.
func (m model) At(step string) bool { return len(m.Way) > 0 && m.Step() == Step(step) }

func way(now Step) []marked {
	all := []marked{
		{Step: StepForge, Title: "Connect a forge"},
		{Step: StepInstall, Title: "Choose repositories"},
		{Step: StepAdministrator, Title: "Sign in"},
		{Step: StepKey, Title: "Make the key"},
		{Step: StepFinish, Title: "Start"},
	}
	at := slices.IndexFunc(all, func(m marked) bool { return m.Step == now })
	for i := range all {
		all[i].Done, all[i].Now = i < at, i == at
	}
	return all
}

// step shows the step that is next, with what went wrong in it.
func (s *server) step(w http.ResponseWriter, r *http.Request, status int, problem *gate.Error) {
	m := model{State: s.Site.State(), Problem: problem}
	if m.Step() == StepInstall {
		choice, err := s.choice(r, m.State)
		m.Choice = choice
		if err != nil && problem == nil {
			m.Problem, status = shown(err), api.StatusOf(err)
		}
	}
	m.Way = way(m.Step())
	if m.Step() != StepAdministrator {
		s.show(w, r, status, m)
		return
	}
	toForge(m.ForgeURL, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, status, m) })(w, r)
}

// toForge lets the forms of a page lead to the forge.
func toForge(web string, show http.HandlerFunc) http.HandlerFunc {
	u, err := url.Parse(web)
	if err != nil || u.Host == "" {
		return show
	}
	return frame.Headers(u.Scheme + "://" + u.Host)(show).ServeHTTP
}

func (s *server) choice(r *http.Request, now State) ([]Holder, error) {
	if now.Kind == gate.GitLab {
		return s.GitLab.Projects(r.Context())
	}
	all, err := s.GitHub.Installations(r.Context())
	var out []Holder
	for _, x := range all {
		out = append(out, x.Holder)
	}
	return out, err
}

func (s *server) show(w http.ResponseWriter, r *http.Request, status int, m model) {
	m.URL = s.Server.String()
	m.Callback = s.Server.JoinPath(CallbackPath(gate.ForgeID(gate.GitLab))).String()
	m.Hook = s.Server.JoinPath("webhooks", "github", "github").String()
	var b bytes.Buffer
	if err := s.page.Show(&b, frame.View{Title: "Setup", Bare: true, Body: m}); err != nil {
		s.Log.ErrorContext(r.Context(), "show a page of the setup", "error", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader is gone: nobody is left to tell
}
