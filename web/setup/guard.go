package setup

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/session"
)

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// guard lets one browser in: the one that first opens the link with the secret. It is safe
// for concurrent use.
type guard struct {
	secret string
	cookie http.Cookie // without its value

	mu    sync.Mutex
	token string // of the browser that was let in; "" while none was
}

func newGuard(secret string, https bool) *guard {
	g := &guard{secret: secret, cookie: http.Cookie{
		Name: "countersign-setup", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: https,
	}}
	if https {
		g.cookie.Name = "__Host-" + g.cookie.Name
	}
	return g
}

// knows reports whether the request comes from the browser that was let in.
func (g *guard) knows(r *http.Request) bool {
	c, err := r.Cookie(g.cookie.Name)
	g.mu.Lock()
	defer g.mu.Unlock()
	return err == nil && g.token != "" && same(c.Value, g.token)
}

// admit lets a browser in for the secret, once.
func (g *guard) admit(w http.ResponseWriter, secret string) error {
	const again = "stop countersignd setup and run it again: it goes on where it was, and prints a new link"
	if !same(secret, g.secret) {
		return refused("this is not the link that countersignd setup printed", "open the link as the terminal shows it, whole")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.token != "" {
		return refused("the link was opened before, perhaps in another browser", again)
	}
	g.token = session.Random()
	c := g.cookie
	c.Value = g.token
	http.SetCookie(w, &c)
	return nil
}

func refused(text, fix string) error {
	return &gate.Error{Kind: gate.Refused, Code: gate.CodeSignedOut, Text: text, Fix: fix}
}

// journey is what a browser was sent to a forge for. It may come back from it once.
type journey struct {
	web      string // the forge asked for an App; "" for a sign-in
	verifier string // of a sign-in (RFC 7636)
	until    time.Time
}

// journeys are those under way, by state. It is safe for concurrent use.
type journeys struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string]journey
}

// maxJourneys is how many may be under way: the browser's own, begun again and again.
const maxJourneys = 20

// begin remembers a journey and returns its state.
func (j *journeys) begin(one journey, life time.Duration) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	for state, x := range j.all {
		if !now.Before(x.until) || len(j.all) >= maxJourneys {
			delete(j.all, state)
		}
	}
	one.until = now.Add(life)
	state := session.Random()
	j.all[state] = one
	return state
}

// end takes the journey that a state belongs to: a second time there is none.
func (j *journeys) end(state string, signIn bool) (journey, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one, ok := j.all[state]
	if !ok || !j.now().Before(one.until) || signIn != (one.web == "") {
		return journey{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodeSignIn, Text: "nothing was begun here that the forge's answer belongs to, or it took too long, or it came before",
			Expected: "a state that this page gave, once", Got: "another", Fix: "begin again with the button of this page",
		}
	}
	delete(j.all, state)
	return one, nil
}
