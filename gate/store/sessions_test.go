package store_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

var _ scs.CtxStore = store.Sessions{}

func (w *world) session(s store.Sessions, token, want string) {
	w.Helper()
	got, ok, err := s.FindCtx(w.ctx, token)
	w.must(err)
	if ok != (want != "") || string(got) != want {
		w.Errorf("expected session %q, got %q, %t", want, got, ok)
	}
}

// column is what a query finds in its one column of text.
func (w *world) column(q string) []string {
	w.Helper()
	rows, err := w.raw().QueryContext(w.ctx, q)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	var out []string
	for rows.Next() {
		var s string
		w.must(rows.Scan(&s))
		out = append(out, s)
	}
	w.must(rows.Err())
	return out
}

func TestSessions(t *testing.T) {
	onBoth(t, func(w *world) {
		s := w.s.Sessions()
		soon := time.Now().Add(time.Hour)
		w.session(s, "a", "")
		w.must(s.CommitCtx(w.ctx, "a", []byte("one"), soon))
		w.must(s.Commit("b", []byte("other"), soon))
		w.must(s.CommitCtx(w.ctx, "a", []byte("two"), soon))
		w.session(w.open().Sessions(), "a", "two")
		w.must(s.DeleteCtx(w.ctx, "a"))
		w.must(s.Delete("a")) // which ended before
		w.session(s, "a", "")
		w.session(s, "b", "other")
		w.must(s.CommitCtx(w.ctx, "c", nil, soon))
		if got, ok, err := s.Find("c"); err != nil || !ok || len(got) != 0 {
			w.Errorf("expected an empty session, got %q, %t, %v", got, ok, err)
		}
	})
}

func TestSessionExpires(t *testing.T) {
	onBoth(t, func(w *world) {
		now := time.Now()
		w.config.Now = func() time.Time { return now }
		s := w.open().Sessions()
		for n := range 50 {
			w.must(s.CommitCtx(w.ctx, fmt.Sprintf("old %d", n), []byte("x"), now.Add(minute)))
		}
		now = now.Add(minute)
		w.session(s, "old 0", "")
		if n := len(w.column("SELECT token FROM sessions")); n != 50 {
			w.Fatalf("expected 50 rows, got %d", n)
		}
		for n := range 3 {
			w.must(s.CommitCtx(w.ctx, fmt.Sprintf("new %d", n), []byte("y"), now.Add(minute)))
		}
		w.session(s, "new 2", "y")
		if n := len(w.column("SELECT token FROM sessions")); n != 3 {
			w.Errorf("expected that what expired is swept, got %d rows", n)
		}
		w.must(s.CommitCtx(w.ctx, "back", []byte("z"), now.Add(-minute)))
		w.session(s, "back", "")
	})
}

// What a browser may send as a token is no reason for anything but "there is none", and
// appears in no error.
func TestSessionTokensThatAreNone(t *testing.T) {
	onBoth(t, func(w *world) {
		s := w.s.Sessions()
		for _, token := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 1<<16), "' OR '1' = '1"} {
			w.session(s, token, "")
			w.must(s.DeleteCtx(w.ctx, token))
		}
		w.refused(gate.CodeParameter, s.CommitCtx(w.ctx, "", []byte("x"), time.Now()))
		w.refused(gate.CodeParameter, s.CommitCtx(w.ctx, "a\x00b", []byte("x"), time.Now()))
		ended, cancel := context.WithCancel(w.ctx)
		cancel()
		_, _, err := s.FindCtx(ended, "the token")
		w.refused(gate.CodeStoreUnavailable, err)
		for _, err := range []error{err, s.CommitCtx(ended, "the token", nil, time.Now()), s.DeleteCtx(ended, "the token")} {
			if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "the token") {
				w.Errorf("expected an error without the token, got %v", err)
			}
		}
	})
}

// The manager keeps its sessions in the store, under the hashes of their tokens.
func TestSessionManager(t *testing.T) {
	onBoth(t, func(w *world) {
		// Not scs.New, which leaves a goroutine behind that sweeps its own store.
		m := &scs.SessionManager{
			Store: w.s.Sessions(), HashTokenInStore: true, Codec: scs.GobCodec{}, Lifetime: time.Hour,
			Cookie:    scs.SessionCookie{Name: "session", Path: "/"},
			ErrorFunc: func(_ http.ResponseWriter, _ *http.Request, err error) { w.Error(err) },
		}
		page := m.LoadAndSave(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			who := m.GetString(r.Context(), "who")
			m.Put(r.Context(), "who", "ana")
			_, _ = out.Write([]byte(who))
		}))
		visit := func(c *http.Cookie) (string, *http.Cookie) {
			r := httptest.NewRequestWithContext(w.ctx, http.MethodGet, "/", nil)
			if c != nil {
				r.AddCookie(c)
			}
			out := httptest.NewRecorder()
			page.ServeHTTP(out, r)
			cookies := out.Result().Cookies()
			if len(cookies) != 1 {
				w.Fatalf("expected a cookie, got %v", cookies)
			}
			return out.Body.String(), cookies[0]
		}
		_, cookie := visit(nil)
		if who, _ := visit(cookie); who != "ana" {
			w.Errorf("expected ana's session, got %q", who)
		}
		if tokens := w.column("SELECT token FROM sessions"); len(tokens) != 1 || tokens[0] == cookie.Value {
			w.Errorf("expected one token's hash, got %q", tokens)
		}
	})
}
