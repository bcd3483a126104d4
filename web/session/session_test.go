package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/session"
)

// bo is who signs in.
func bo() gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: "github", ID: 7}, Login: "bo", Human: true}
}

// browser keeps one cookie over calls of what a page does with its session.
type browser struct {
	t        *testing.T
	sessions *session.Sessions
	cookie   *http.Cookie
}

func (b *browser) do(page func(r *http.Request)) *httptest.ResponseRecorder {
	b.t.Helper()
	handler := b.sessions.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(r)
		fmt.Fprint(w, "done")
	}), func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "away")
	})
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "/", nil)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	out := httptest.NewRecorder()
	handler.ServeHTTP(out, r)
	for _, c := range out.Result().Cookies() {
		b.cookie = c
	}
	return out
}

func TestBegunOnce(t *testing.T) {
	b := &browser{t: t, sessions: session.New(nil, true, time.Now)}
	begin := func(forge gate.ForgeID, state string) {
		b.do(func(r *http.Request) {
			b.sessions.Begin(r.Context(), session.Begun{Forge: forge, State: state, Verifier: "v-" + state, Back: "/" + state})
		})
	}
	finish := func(forge gate.ForgeID, state string) (found session.Begun, ok bool) {
		b.do(func(r *http.Request) { found, ok = b.sessions.Finish(r.Context(), forge, state) })
		return found, ok
	}
	begin("github", "one")
	begin("gitlab", "two")
	if _, ok := finish("gitlab", "one"); ok {
		t.Error("a state of another forge finishes")
	}
	if _, ok := finish("github", ""); ok {
		t.Error("no state finishes")
	}
	if got, ok := finish("github", "one"); !ok || got.Verifier != "v-one" || got.Back != "/one" {
		t.Errorf("got %+v, %t", got, ok)
	}
	if _, ok := finish("github", "one"); ok {
		t.Error("a state finishes twice")
	}
	for i := range 5 {
		begin("github", fmt.Sprint(i))
	}
	if _, ok := finish("gitlab", "two"); ok {
		t.Error("a browser keeps more than five")
	}
	if _, ok := finish("github", "0"); !ok {
		t.Error("a browser keeps fewer than five")
	}
}

// The example is RFC 7636's own, appendix B.
func TestChallenge(t *testing.T) {
	if got := session.Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Error(got)
	}
}

func TestKey(t *testing.T) {
	s := session.New(nil, true, time.Now)
	one, two := &browser{t: t, sessions: s}, &browser{t: t, sessions: s}
	key := func(b *browser) (k string) {
		b.do(func(r *http.Request) { k = s.Key(r.Context()) })
		return k
	}
	if key(one) != "" {
		t.Error("somebody signed out has a key")
	}
	for _, b := range []*browser{one, two} {
		b.do(func(r *http.Request) {
			if err := s.SignIn(r.Context(), bo()); err != nil {
				t.Error(err)
			}
		})
	}
	if again := key(one); again == "" || key(one) != again || again == key(two) || strings.Contains(key(one), one.cookie.Value) {
		t.Errorf("keys are %q and %q of tokens %q and %q", key(one), key(two), one.cookie.Value, two.cookie.Value)
	}
}

// A notice is said once.
func TestTold(t *testing.T) {
	b := &browser{t: t, sessions: session.New(nil, false, time.Now)}
	b.do(func(r *http.Request) { b.sessions.Tell(r.Context(), session.Notice{Text: "done"}) })
	var first, second session.Notice
	b.do(func(r *http.Request) { first = b.sessions.Told(r.Context()) })
	b.do(func(r *http.Request) { second = b.sessions.Told(r.Context()) })
	if first.Text != "done" || second.Text != "" {
		t.Errorf("told %+v and %+v", first, second)
	}
	if b.cookie.Name != "countersign" || b.cookie.Secure {
		t.Errorf("over http the cookie is %s", b.cookie)
	}
}

// full takes nothing new.
type full struct{ *memstore.MemStore }

func (full) Commit(string, []byte, time.Time) error { return errors.New("the disk is full") }

// What cannot be kept is not answered as if it were.
func TestNotKept(t *testing.T) {
	b := &browser{t: t, sessions: session.New(full{memstore.NewWithCleanupInterval(0)}, true, time.Now)}
	got := b.do(func(r *http.Request) { b.sessions.Tell(r.Context(), session.Notice{Text: "x"}) })
	if got.Code != http.StatusServiceUnavailable || got.Body.String() != "away" || b.cookie != nil {
		t.Errorf("answered %d %q, cookie %v", got.Code, got.Body, b.cookie)
	}
}

// What is stored is found by no token, only by its hash, and holds no more than who it is.
func TestStored(t *testing.T) {
	mem := memstore.NewWithCleanupInterval(0)
	b := &browser{t: t, sessions: session.New(mem, true, time.Now)}
	b.do(func(r *http.Request) {
		b.sessions.Begin(r.Context(), session.Begun{Forge: "github", State: "a-state", Verifier: "a-verifier"})
		if err := b.sessions.SignIn(r.Context(), bo()); err != nil {
			t.Error(err)
		}
	})
	all, err := mem.All()
	if err != nil || len(all) != 1 {
		t.Fatalf("stored %d, %v", len(all), err)
	}
	for token, content := range all {
		if token == b.cookie.Value || strings.Contains(string(content), b.cookie.Value) {
			t.Error("the token itself is stored")
		}
		if strings.Contains(string(content), "a-verifier") || !strings.Contains(string(content), "bo") {
			t.Errorf("stored %q", content)
		}
	}
}
