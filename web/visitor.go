package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/countersign/countersign/gate"
)

// visitor is who looks at a page. The zero visitor is anybody.
type visitor struct {
	Account gate.Account
	// SignedIn is true for somebody whom their forge identified within the session's life.
	SignedIn bool
	// Administrator is true for an account that the configuration names.
	Administrator bool
}

type visitorKey struct{}

// visitorOf is who the session of a page's request says it is.
func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// visited is a page's handler as browsers may reach it: with the session, and for what
// changes anything only from a page of this server.
func (s *server) visited(next http.HandlerFunc) http.HandlerFunc {
	named := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Hx-Request") == "" && r.URL.Path != eventsPath {
			s.sessions.Used(r.Context())
		}
		ctx := context.WithValue(r.Context(), visitorKey{}, s.visitor(r.Context()))
		next(w, r.WithContext(ctx))
	}
	inner := s.sessions.Middleware(http.HandlerFunc(named), func(w http.ResponseWriter, r *http.Request, err error) {
		s.serve(func(http.ResponseWriter, *http.Request) error {
			return &gate.Error{
				Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "who is signed in cannot be looked up",
				Fix: "try again in a moment", Err: err,
			}
		}, s.refusePage)(w, r)
	})
	crossed := s.serve(func(http.ResponseWriter, *http.Request) error { return crossSite() }, s.refusePage)
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.crossOrigin.Check(r); err != nil {
			crossed(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}
}

func crossSite() error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeCrossSite, Text: "another site's page made the browser send this: nothing was done",
		Expected: "a form on one of this server's own pages", Got: "one from elsewhere",
		Fix: "open this server's page yourself, and do it there",
	}
}

// visitor reads the session.
func (s *server) visitor(ctx context.Context) visitor {
	p, in := s.sessions.Person(ctx)
	if !in {
		return visitor{}
	}
	return visitor{
		Account: p.Account, SignedIn: true,
		Administrator: slices.Contains(s.Administrators, p.Account.ID),
	}
}

// mustSignIn refuses whoever is not signed in.
func mustSignIn(v visitor) error {
	if v.SignedIn {
		return nil
	}
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeSignedOut, Text: "nobody is signed in, or no longer: nothing was done",
		Fix: "sign in, then do it again",
	}
}

// mustAdministrator refuses everybody but the administrators of the server.
func (s *server) mustAdministrator(v visitor) error {
	if err := mustSignIn(v); err != nil {
		return err
	}
	if v.Administrator {
		return nil
	}
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeNotEligible, Text: "this page is for the server's administrators",
		Expected: "an account that the configuration names under administrators", Got: v.Account.ID.String(),
		Fix: "ask the operator to add this account there",
	}
}
