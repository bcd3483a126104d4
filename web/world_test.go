package web_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	life "github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/workload"
	"github.com/countersign/countersign/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	origin   = "https://sign.example.org"
	secret   = "a webhook's secret"
	goodJob  = "header.payload.signature" // the one ID token that the world knows
	unsigned = "0197f3a0-0000-7000-8000-0000000000ff"
)

// world is everything behind the surface, in memory. Fields may be set before the first
// call.
type world struct {
	mu      sync.Mutex
	records map[string]gate.Record
	inbox   map[string]gate.Delivery
	wake    chan struct{}
	wants   []workload.Audience
	asks    []gate.Ask
	reads   int
	log     bytes.Buffer
	handler http.Handler
	fail    error         // of the store
	refuse  error         // of the releases
	job     gate.Workload // whose ID token the good one is; a default where it is nobody's
	doubt   error         // of the verifier, about the good one
	panics  any           // of the releases
	storing chan struct{} // closed by the test before Accept returns, where set
	shown   chan struct{} // told of each Show, where set
	bounded bool          // storing had a deadline
	lists   int
	history map[string][]gate.Happening
	said    []life.Words
	// uncounted is why the judgement does not count what is said; unjudged is a judgement that
	// takes too long.
	uncounted string
	unjudged  bool
}

func newWorld(t *testing.T, edits ...func(*web.Config)) *world {
	t.Helper()
	w := &world{records: map[string]gate.Record{}, inbox: map[string]gate.Delivery{}, wake: make(chan struct{})}
	server, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	c := web.Config{
		Server: server, Releases: w, Shelf: w, Verifier: w, Board: w,
		Hooks:  map[gate.ForgeID]web.Hook{"github": {Kind: gate.GitHub, Prover: w}},
		Forges: []api.Forge{{Name: "github", Kind: gate.GitHub, URL: "https://github.com"}},
		Keys: []api.Key{
			{Lineage: "acme.release", Version: 2, PEM: pemOf(2), Hint: "SHA256:two", Software: true},
			{Lineage: "acme.release", Version: 1, PEM: pemOf(1), Hint: "SHA256:one", Software: true},
		},
		Wake: w.woken, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(&locked{mu: &w.mu, w: &w.log}, nil)),
	}
	for _, edit := range edits {
		edit(&c)
	}
	w.handler = web.Handler(c)
	return w
}

func pemOf(n int) string {
	return fmt.Sprintf("-----BEGIN PUBLIC KEY-----\nkey %d\n-----END PUBLIC KEY-----\n", n)
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (w *world) logs() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) put(rec gate.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[rec.Request.ID] = rec
	close(w.wake)
	w.wake = make(chan struct{})
}

func (w *world) woken() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wake
}

func none() error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such request",
		Expected: "the id of a request", Got: "another", Fix: "check the id, or ask anew",
	}
}

func (w *world) Request(ctx context.Context, id string) (gate.Record, error) {
	if err := ctx.Err(); err != nil {
		return gate.Record{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	rec, ok := w.records[id]
	if w.fail != nil {
		return gate.Record{}, w.fail
	}
	if !ok {
		return gate.Record{}, none()
	}
	return rec, nil
}

// List and the other reads of the board are those of a store without keys and policies.
func (w *world) List(_ context.Context, q gate.ListQuery) ([]gate.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists++
	var out []gate.Record
	for _, rec := range w.records {
		open := rec.State == gate.StateWaiting || rec.State == gate.StateGranted || rec.State == gate.StateSigning
		if q.Open && !open || q.Before != "" && rec.Request.ID >= q.Before || q.Repository.ID != 0 && rec.Request.Repository != q.Repository {
			continue
		}
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b gate.Record) int { return strings.Compare(b.Request.ID, a.Request.ID) })
	return out[:min(q.Limit, len(out))], w.fail
}

func (w *world) History(_ context.Context, request string) ([]gate.Happening, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.history[request], w.fail
}

func (w *world) Enrolled(context.Context, int) ([]gate.Enrolled, error) { return nil, w.fail }

func (w *world) Adoptions(context.Context, gate.RepositoryID) ([]gate.Adoption, error) {
	return nil, w.fail
}

func (w *world) KeyUses(context.Context) ([]gate.KeyUse, error) { return nil, w.fail }

// Say takes everything, as long as releases are not refused, and judges it at once.
func (w *world) Say(ctx context.Context, said life.Words) (gate.Record, error) {
	w.mu.Lock()
	w.said = append(w.said, said)
	w.mu.Unlock()
	if w.refuse != nil {
		return gate.Record{}, w.refuse
	}
	rec, err := w.Request(ctx, said.Request)
	if err != nil || w.unjudged {
		return rec, err
	}
	var d gate.Decision
	if err := json.Unmarshal(rec.Decision, &d); err != nil {
		return rec, err
	}
	a := gate.Approval{ID: "0", Request: said.Request, Verb: said.Verb, By: said.By, Page: true, Reason: said.Reason}
	if w.uncounted != "" {
		d.Ignored = append(d.Ignored, gate.Ignored{Approval: a, Why: w.uncounted})
	} else {
		d.Counted = append(d.Counted, a)
	}
	rec.Decision, err = json.Marshal(d)
	rec.Version++
	w.put(rec)
	return rec, err
}

func (w *world) Ready(context.Context) error { return w.fail }

func (w *world) Accept(ctx context.Context, d gate.Delivery) (bool, error) {
	if w.storing != nil {
		<-w.storing
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, w.bounded = ctx.Deadline()
	if w.fail != nil {
		return false, w.fail
	}
	_, known := w.inbox[d.ID]
	w.inbox[d.ID] = d
	return !known, ctx.Err()
}

// Prove takes a delivery as GitHub signs it.
func (w *world) Prove(r *http.Request, body []byte) (gate.Delivery, error) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if r.Header.Get("X-Hub-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		return gate.Delivery{}, &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeDeliverySignature, Text: "the delivery's signature does not hold",
			Expected: "HMAC", Got: "another value", Fix: "compare the secrets",
		}
	}
	return gate.Delivery{Forge: "github", ID: r.Header.Get("X-GitHub-Delivery"), Event: "ping", Body: body}, nil
}

func (w *world) Verify(_ context.Context, raw string, want workload.Audience) (gate.Workload, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wants = append(w.wants, want)
	if raw != goodJob {
		return gate.Workload{}, &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeTokenMalformed, Text: "what came as an ID token is none",
			Expected: "a JWS in compact form", Got: "something else", Fix: "send the CI's token, unchanged",
		}
	}
	if w.doubt != nil {
		return gate.Workload{}, w.doubt
	}
	if w.job.Kind != "" {
		return w.job, nil
	}
	return gate.Workload{Forge: "github", Kind: gate.GitHub, Repository: gatetest.Repository()}, nil
}

func (w *world) Open(_ context.Context, _ gate.Workload, ask gate.Ask) (gate.Record, bool, error) {
	if w.panics != nil {
		panic(w.panics)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return gate.Record{}, false, w.refuse
	}
	w.asks = append(w.asks, ask)
	rec, joined := w.records[gatetest.RequestID]
	if !joined {
		rec = fresh()
		w.records[rec.Request.ID] = rec
	}
	return rec, joined, nil
}

func (w *world) Show(ctx context.Context, _ gate.Workload, id string) (gate.Record, error) {
	if w.shown != nil {
		w.shown <- struct{}{}
	}
	if w.refuse != nil {
		return gate.Record{}, w.refuse
	}
	return w.Request(ctx, id)
}

func (w *world) Collect(ctx context.Context, job gate.Workload, id string) (gate.Record, []attest.File, error) {
	rec, err := w.Show(ctx, job, id)
	if err == nil && rec.State != gate.StateSigned {
		err = &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeNotSigned, Text: "the request is not signed yet",
			Expected: "signed or published", Got: string(rec.State), Fix: "wait for it: countersign status",
		}
	}
	return rec, []attest.File{
		{Name: "SHA256SUMS", Content: rec.Request.Manifest.Bytes()},
		{Name: "app-000.tar.gz.sig", Content: []byte("signature")},
	}, err
}

// View is gate/release's own: pages and API are tested with the words that are printed.
func (w *world) View(rec gate.Record) api.Release {
	server, err := url.Parse(origin)
	if err != nil {
		panic(err)
	}
	return life.New(life.Config{Server: server}).View(rec)
}

// noon is when everything happens.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// record is a request in a state, judged at noon.
func record(t *testing.T, state gate.State, opts ...gatetest.Option) gate.Record {
	t.Helper()
	c, at := gatetest.GrantedCase(append([]gatetest.Option{gatetest.At(noon())}, opts...)...)
	decision, err := json.Marshal(gate.Decide(c, at))
	if err != nil {
		t.Fatal(err)
	}
	return gate.Record{Request: c.Request, State: state, Version: 2, Decision: decision}
}

// unapproved takes away whatever covers the change.
func unapproved() gatetest.Option {
	return gatetest.Edit(func(c *gate.Case) {
		c.Approvals = nil
		changes, _ := c.Evidence.Changes.Get()
		changes[0].Reviews = gate.Known([]gate.Review{})
		c.Evidence.Changes = gate.Known(changes)
	})
}

// fresh is a request that nobody has judged yet.
func fresh() gate.Record {
	c, _ := gatetest.GrantedCase(gatetest.At(noon()))
	return gate.Record{Request: c.Request, State: gate.StateWaiting, Version: 1}
}

// call makes one call. Header values are "Name: value".
func (w *world) call(t *testing.T, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r)
	return out
}

// refuses checks a problem from head to foot and returns it.
func refuses(t *testing.T, got *httptest.ResponseRecorder, status int, code gate.Code) api.Problem {
	t.Helper()
	var p api.Problem
	d := json.NewDecoder(bytes.NewReader(got.Body.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("status %d, no problem document: %v: %s", got.Code, err, got.Body)
	}
	if got.Code != status || p.Status != status || p.Code != code.String() {
		t.Errorf("answered %d, %s, expected %d, %s: %s", got.Code, p.Code, status, code, got.Body)
	}
	if media := got.Header().Get("Content-Type"); media != api.MediaProblem {
		t.Errorf("%s comes as %s", code, media)
	}
	if p.Type != origin+"/errors/"+code.String() || p.Title == "" || p.Fix == "" {
		t.Errorf("%s says too little: %s", code, got.Body)
	}
	return p
}

var errDatabase = errors.New("dial tcp 10.1.2.3:5432: password authentication failed for user gate")
