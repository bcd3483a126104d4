// Package session remembers who is signed in: an account's number, name and forge, and
// since when. It never holds a token of anybody's. What somebody may do is read from the
// forge at each deed.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/countersign/countersign/gate"
)

// How long people stay signed in, and how long a sign-in may take.
const (
	Lifetime = 12 * time.Hour
	Idle     = 2 * time.Hour
	Pending  = 10 * time.Minute
	// seenEvery is how often a session in use is written again.
	seenEvery = 5 * time.Minute
	// maxBegun is how many sign-ins one browser may have begun at a time.
	maxBegun = 5
)

// The session's entries. Each is a string of JSON.
const (
	personEntry = "person"
	begunEntry  = "begun"
	noticeEntry = "notice"
)

// Person is who is signed in.
type Person struct {
	Account gate.Account `json:"account"`
	Since   time.Time    `json:"since"`
	Seen    time.Time    `json:"seen"` // within seenEvery
}

// Begun is a sign-in that waits for the forge to send the browser back.
type Begun struct {
	Forge    gate.ForgeID `json:"forge"`
	State    string       `json:"state"`
	Verifier string       `json:"verifier"` // RFC 7636
	Back     string       `json:"back"`     // local path to go on at
	At       time.Time    `json:"at"`
}

// Random is 256 bits that nobody guesses, as text of the characters that RFC 7636 allows.
func Random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Challenge is S256 of a verifier (RFC 7636).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Notice is one sentence that the next page says, once.
type Notice struct {
	Text string `json:"text"`
	Bad  bool   `json:"bad"`
}

// Sessions are everybody's. It is safe for concurrent use.
type Sessions struct {
	scs *scs.SessionManager
	now func() time.Time
}

// New keeps sessions in store, under the hash of their token; in memory where it is nil.
// Over https the cookie has the __Host- prefix (RFC 6265bis).
func New(store scs.Store, https bool, now func() time.Time) *Sessions {
	if store == nil {
		store = memstore.NewWithCleanupInterval(0)
	}
	m := &scs.SessionManager{
		Lifetime: Lifetime, Store: store, Codec: scs.GobCodec{}, HashTokenInStore: true,
		Cookie: scs.SessionCookie{
			Name: "countersign", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: https, Persist: true,
		},
	}
	if https {
		m.Cookie.Name = "__Host-countersign"
	}
	return &Sessions{scs: m, now: now}
}

// Cookie is the name of the cookie that holds a session's token.
func (s *Sessions) Cookie() string { return s.scs.Cookie.Name }

// Middleware gives requests their session and keeps what they changed of it. fail answers
// where the store cannot be read or written: then nobody is signed in, and nothing done.
func (s *Sessions) Middleware(next http.Handler, fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	manager := *s.scs
	manager.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		fail(w, r, fmt.Errorf("session: %w", err))
		if a, ok := w.(*answer); ok {
			a.over = true
		}
	}
	inner := manager.LoadAndSave(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(&answer{ResponseWriter: w}, r)
	})
}

// answer swallows what a handler writes after its session could not be kept.
type answer struct {
	http.ResponseWriter

	over bool
}

func (a *answer) WriteHeader(status int) {
	if !a.over {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(b []byte) (int, error) {
	if a.over {
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Person is who is signed in, if anybody still is.
func (s *Sessions) Person(ctx context.Context) (Person, bool) {
	var p Person
	if !s.get(ctx, personEntry, &p) {
		return Person{}, false
	}
	now := s.now()
	if now.Sub(p.Since) >= Lifetime || now.Sub(p.Seen) >= Idle || now.Before(p.Since.Add(-time.Minute)) {
		return Person{}, false
	}
	return p, true
}

// Used says that its person used the session now. A page that only keeps itself up to date is
// no use of anybody's.
func (s *Sessions) Used(ctx context.Context) {
	p, in := s.Person(ctx)
	if now := s.now(); in && now.Sub(p.Seen) >= seenEvery {
		p.Seen = now
		s.put(ctx, personEntry, p)
	}
}

// Key tells one browser's session from another's, without being good for anything; "" where
// nobody is signed in.
func (s *Sessions) Key(ctx context.Context) string {
	if _, in := s.Person(ctx); !in {
		return ""
	}
	sum := sha256.Sum256([]byte(s.scs.Token(ctx)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SignIn remembers the account, under a new token: one that somebody else put into the
// browser before is worth nothing.
func (s *Sessions) SignIn(ctx context.Context, who gate.Account) error {
	if err := s.scs.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew a session's token: %w", err)
	}
	now := s.now()
	s.scs.Remove(ctx, begunEntry)
	s.put(ctx, personEntry, Person{Account: who, Since: now, Seen: now})
	return nil
}

// SignOut forgets the session.
func (s *Sessions) SignOut(ctx context.Context) error {
	if err := s.scs.Destroy(ctx); err != nil {
		return fmt.Errorf("destroy a session: %w", err)
	}
	return nil
}

// Begin remembers a sign-in that the browser is sent away for.
func (s *Sessions) Begin(ctx context.Context, b Begun) {
	if _, in := s.Person(ctx); !in {
		s.scs.SetDeadline(ctx, s.now().Add(Pending).UTC())
	}
	b.At = s.now()
	all := append(s.begun(ctx), b)
	s.put(ctx, begunEntry, all[max(0, len(all)-maxBegun):])
}

// Finish takes the sign-in that a state belongs to. It is there once, for Pending, in the
// browser that began it, for the forge it was begun at.
func (s *Sessions) Finish(ctx context.Context, forge gate.ForgeID, state string) (Begun, bool) {
	all := s.begun(ctx)
	i := slices.IndexFunc(all, func(b Begun) bool {
		return b.Forge == forge && subtle.ConstantTimeCompare([]byte(b.State), []byte(state)) == 1
	})
	if i < 0 {
		return Begun{}, false
	}
	found := all[i]
	s.put(ctx, begunEntry, slices.Delete(all, i, i+1))
	return found, true
}

// begun are the sign-ins that may still be finished.
func (s *Sessions) begun(ctx context.Context) []Begun {
	var all []Begun
	if !s.get(ctx, begunEntry, &all) {
		return nil
	}
	return slices.DeleteFunc(all, func(b Begun) bool { return s.now().Sub(b.At) >= Pending })
}

// Tell leaves a notice for the next page.
func (s *Sessions) Tell(ctx context.Context, n Notice) { s.put(ctx, noticeEntry, n) }

// Told takes the notice that was left.
func (s *Sessions) Told(ctx context.Context) Notice {
	var n Notice
	if s.get(ctx, noticeEntry, &n) {
		s.scs.Remove(ctx, noticeEntry)
	}
	return n
}

// get reads an entry; what does not read is not there.
func (s *Sessions) get(ctx context.Context, entry string, into any) bool {
	raw := s.scs.GetString(ctx, entry)
	return raw != "" && json.Unmarshal([]byte(raw), into) == nil
}

// put writes an entry. All that is put can be written as JSON.
func (s *Sessions) put(ctx context.Context, entry string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	s.scs.Put(ctx, entry, string(raw))
}
