package gitlabtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/countersign/countersign/forges/forgetest"
)

// Server is one GitLab instance. It implements [forgetest.World] and is safe for
// concurrent use.
type Server struct {
	opts     Options
	base     string
	http     *http.Server
	key      *rsa.PrivateKey
	courier  *courier
	schema   *ast.Schema
	faults   faults
	requests atomic.Int64

	mu       sync.Mutex // guards what follows
	last     time.Time
	ids      map[string]int64
	accounts map[int64]*account
	tokens   map[string]*accessToken
	groups   map[string]*group
	projects map[int64]*project
	moved    map[string]*project // former paths
	graph    *forgetest.Graph
	bot      *account
	botToken string
	catchAll *hook
	app      *application
	sessions map[string]*session
}

var _ forgetest.World = (*Server)(nil)

// New starts a GitLab on a free port of 127.0.0.1. It panics where it cannot
// listen. The caller closes it.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("listen for the GitLab double on 127.0.0.1: %v", err))
	}
	s := &Server{
		opts: opts, key: opts.Key, base: "http://" + listener.Addr().String() + opts.SubPath,
		ids: map[string]int64{}, accounts: map[int64]*account{}, tokens: map[string]*accessToken{},
		groups: map[string]*group{}, projects: map[int64]*project{}, moved: map[string]*project{},
		graph: forgetest.NewGraph(), app: newApplication(), sessions: map[string]*session{},
	}
	s.courier = newCourier(s.base, s.opts)
	s.schema = gqlparser.MustLoadSchema(&ast.Source{Name: "gitlab.graphql", Input: schemaOf(s.opts)})
	s.bot = s.newAccount("group_1_bot_countersign", true)
	s.botToken = s.newToken(s.bot)
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	go func() { _ = s.http.Serve(listener) }()
	return s
}

// Close stops the server and drops deliveries that were not sent yet.
func (s *Server) Close() {
	s.courier.close()
	_ = s.http.Close()
}

// Name is "gitlab".
func (s *Server) Name() string { return "gitlab" }

// URL is the instance's URL, without a trailing slash.
func (s *Server) URL() string { return s.base }

// APIURL is the base of the REST API, without a trailing slash.
func (s *Server) APIURL() string { return s.base + "/api/v4" }

// GraphQLURL is the GraphQL endpoint.
func (s *Server) GraphQLURL() string { return s.base + "/api/graphql" }

// Issuer is the instance's URL (API docs: ID tokens, iss).
func (s *Server) Issuer() string { return s.base }

// Requests counts the REST and GraphQL requests answered so far.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// id returns the next number of a kind. Kinds start far apart, so that a test
// notices when one is taken for another.
func (s *Server) id(kind string) int64 {
	starts := map[string]int64{
		"user": 100, "group": 5000, "project": 20, "merge_request": 90000, "issue": 70000,
		"note": 300000, "award": 400000, "pipeline": 7000, "job": 800000, "status": 900000,
		"version": 110000, "event": 500000, "hook": 60, "protected_ref": 600, "access": 1600, "rule": 2600, "token": 40,
		"link": 3600, "package": 4600, "package file": 610000,
	}
	if s.ids[kind] == 0 {
		s.ids[kind] = starts[kind]
	}
	s.ids[kind]++
	return s.ids[kind]
}

// tick is the time of a change: the clock to the millisecond, as the API shows
// it, and always later than the change before.
func (s *Server) tick() time.Time {
	now := s.opts.Now().UTC().Truncate(time.Millisecond)
	if !now.After(s.last) {
		now = s.last.Add(time.Millisecond)
	}
	s.last = now
	return now
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
