package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/session"
)

// maxForm is far more than any form of ours holds, in bytes.
const maxForm = 16 << 10

// signIns are the ways to sign in, as buttons name them.
func (s *server) signIns() []frame.SignIn {
	var out []frame.SignIn
	for _, f := range s.Forges {
		if s.SignIns[gate.ForgeID(f.Name)] == nil {
			continue
		}
		label := kindName(f.Kind)
		for _, other := range s.Forges {
			if other.Kind == f.Kind && other.Name != f.Name {
				label = kindName(f.Kind) + " (" + f.Name + ")"
			}
		}
		out = append(out, frame.SignIn{Forge: f.Name, Label: label})
	}
	slices.SortStableFunc(out, func(a, b frame.SignIn) int { return cmp.Compare(a.Label, b.Label) })
	return out
}

func kindName(k gate.ForgeKind) string {
	if k == gate.GitLab {
		return "GitLab"
	}
	return "GitHub"
}

// forgeLabel names a forge to people.
func (s *server) forgeLabel(id gate.ForgeID) string {
	for _, f := range s.Forges {
		if f.Name == string(id) {
			return kindName(f.Kind)
		}
	}
	return string(id)
}

// formOrigins are the forges' own: signing in, a form leads there.
func (s *server) formOrigins() []string {
	var out []string
	for _, f := range s.Forges {
		port := s.SignIns[gate.ForgeID(f.Name)]
		if port == nil {
			continue
		}
		u, err := url.Parse(port.AuthorizeURL("state", "challenge", s.origin()+"/"))
		if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			out = append(out, u.Scheme+"://"+u.Host)
		}
	}
	return out
}

// signInOf is the forge on the path, as one can sign in through.
func (s *server) signInOf(r *http.Request) (gate.ForgeID, SignIn, error) {
	id := gate.ForgeID(chi.URLParam(r, "forge"))
	if port := s.SignIns[id]; port != nil {
		return id, port, nil
	}
	return "", nil, &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "one cannot sign in through this forge here",
		Expected: "a forge with client_id and client_secret_file in the server's configuration", Got: quoted(string(id)),
		Fix: "ask the operator of this server",
	}
}

// callback is where a forge sends the browser back to. It is the forge's own, so that no
// forge can pass on what another gave.
func (s *server) callback(id gate.ForgeID) string {
	return s.Server.JoinPath("auth", string(id), "callback").String()
}

// signInPage asks before it sends anybody away: a link alone signs nobody in.
func (s *server) signInPage(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := s.signInOf(r); err != nil && chi.URLParam(r, "forge") != "" {
		return err
	}
	return s.render(w, r, http.StatusOK, "signin", page{Title: "Sign in", Back: frame.LocalPath(r.URL.Query().Get("back"))})
}

// beginSignIn sends the browser to the forge.
func (s *server) beginSignIn(w http.ResponseWriter, r *http.Request) error {
	id, port, err := s.signInOf(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	b := session.Begun{Forge: id, State: session.Random(), Verifier: session.Random(), Back: frame.LocalPath(r.PostForm.Get("back"))}
	s.sessions.Begin(r.Context(), b)
	http.Redirect(w, r, port.AuthorizeURL(b.State, session.Challenge(b.Verifier), s.callback(id)), http.StatusSeeOther)
	return nil
}

// endSignIn takes the browser back from the forge. What it brings counts once, in the
// browser that began, at the forge it began at.
func (s *server) endSignIn(w http.ResponseWriter, r *http.Request) error {
	id, port, err := s.signInOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	begun, ok := s.sessions.Finish(r.Context(), id, q.Get("state"))
	switch {
	case !ok:
		return signInError("this sign-in was not begun in this browser, was finished already, or took too long", nil)
	case q.Get("error") == "access_denied":
		return signInError("the sign-in was cancelled at "+s.forgeLabel(id), nil)
	case q.Get("code") == "":
		return signInError(s.forgeLabel(id)+" sent nobody back: "+quoted(q.Get("error")), nil)
	}
	who, err := port.Identify(r.Context(), q.Get("code"), begun.Verifier, s.callback(id))
	if err != nil {
		return err
	}
	if who.ID.Forge != id || who.ID.ID <= 0 || !who.Human {
		return signInError("the account is no person's", fmt.Errorf("%s as %s, human %t", id, who.ID, who.Human))
	}
	if err := s.sessions.SignIn(r.Context(), who); err != nil {
		return err
	}
	s.Log.InfoContext(r.Context(), "signed in", "account", who.ID.String(), "login", who.Login)
	http.Redirect(w, r, frame.LocalPath(begun.Back), http.StatusSeeOther)
	return nil
}

func signInError(text string, err error) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeSignIn, Text: text,
		Fix: "start again with Sign in, in this browser", Err: err,
	}
}

// signOut forgets who was signed in.
func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	if v := visitorOf(r.Context()); v.SignedIn {
		s.Log.InfoContext(r.Context(), "signed out", "account", v.Account.ID.String())
	}
	if err := s.sessions.SignOut(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// readForm reads a form of ours.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeBodyMalformed, Text: "the form does not read",
			Expected: fmt.Sprintf("a form of at most %d bytes", maxForm), Got: "another", Fix: "load the page again, and use its own buttons", Err: err,
		}
	}
	return nil
}
