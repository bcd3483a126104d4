// Package githubtest is a stateful double of GitHub in the shape of GitHub
// Enterprise Server: one base URL serves the web side, REST under /api/v3, GraphQL
// under /api/graphql and the Actions OIDC issuer under /_services/token.
//
// REST answers follow GitHub's own OpenAPI description (npm @octokit/openapi
// 23.0.2, api.github.com.json), called "the API description" in the comments here;
// package githubschema checks each request and answer against it. GraphQL follows
// the schema in schema.graphql, cut from npm @octokit/graphql-schema 15.26.1.
// Each behaviour that goes beyond these names its source; what is unverified is
// one of the [Switches].
package githubtest

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// A Server is one GitHub. It is safe for concurrent use.
type Server struct {
	opts     Options
	http     *httptest.Server
	router   router
	graph    graphQL
	keys     keyring
	delivery deliveryQueue

	mu            sync.Mutex // guards everything below
	now           func() time.Time
	serial        map[string]int64 // last number given per kind of object
	accounts      map[int64]*account
	repositories  map[int64]*repository
	redirects     map[string]int64 // former full names, lower case
	installations map[int64]*installation
	teams         []*team
	tokens        map[string]*token
	faults        []*fault
	requests      int
	charged       int
	points        int // of GraphQL
	site          site
	app           app
	observers     []func(Exchange)
}

var _ forgetest.World = (*Server)(nil)

// New starts a GitHub on a free loopback port. It panics, as httptest.NewServer
// does, if there is none. The caller closes it.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts: opts, now: opts.Now,
		serial: map[string]int64{}, accounts: map[int64]*account{},
		repositories: map[int64]*repository{}, redirects: map[string]int64{},
		installations: map[int64]*installation{}, tokens: map[string]*token{}, site: newSite(),
	}
	s.keys.app.key, s.keys.oidc.key = opts.Key, opts.Key
	s.router = newRouter(routes())
	s.graph = newGraphQL()
	s.addFixedAccounts()
	s.app = newApp(opts, s.account("countersign-makers"))
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.delivery.start(s)
	return s
}

// Name is "github".
func (s *Server) Name() string { return "github" }

// URL is the base URL of the web side.
func (s *Server) URL() string { return s.http.URL }

// APIURL is the base of the REST API, as go-github's WithEnterpriseURLs makes it of URL.
func (s *Server) APIURL() string { return s.http.URL + apiPrefix }

// GraphQLURL is the GraphQL endpoint.
func (s *Server) GraphQLURL() string { return s.http.URL + graphQLPath }

// Issuer is the `iss` of Actions ID tokens on GitHub Enterprise Server.
func (s *Server) Issuer() string { return s.http.URL + issuerPath }

// Requests counts the API requests answered so far, failed ones too.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Charged counts those of them that GitHub charges to a rate limit: a 304 is free (docs,
// "Best practices for using the REST API", conditional requests).
func (s *Server) Charged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.charged
}

// Close stops the server and its deliveries.
func (s *Server) Close() {
	s.delivery.stop()
	s.http.Close()
}

// api makes the URL of an API resource.
func (s *Server) api(format string, args ...any) string {
	return s.APIURL() + fmt.Sprintf(format, args...)
}

// web makes the URL of a page.
func (s *Server) web(format string, args ...any) string {
	return s.URL() + fmt.Sprintf(format, args...)
}

// next numbers a new object of a kind. Kinds start far apart, so that an ID of one
// kind is never by accident a valid ID of another.
func (s *Server) next(kind string) int64 {
	if s.serial[kind] == 0 {
		s.serial[kind] = firstNumber(kind)
	}
	s.serial[kind]++
	return s.serial[kind]
}

func firstNumber(kind string) int64 {
	return map[string]int64{
		"account": 1_000_000, "repository": 20_000_000, "installation": 300_000,
		"issue": 2_400_000_000, "pull": 2_500_000_000, "comment": 2_600_000_000, "review": 2_700_000_000,
		"check": 8_000_000_000, "status": 90_000_000, "run": 11_000_000_000, "job": 12_000_000_000,
		"activity": 13_000_000, "ruleset": 140_000, "delivery": 150_000_000, "reaction": 160_000,
		"suite": 17_000_000, "team": 210_000, "event": 220_000, "protection": 180_000, "workflow": 190_000, "environment": 200_000, "deployment": 21_000_000, "release": 230_000_000, "asset": 240_000_000, "attestation": 250_000_000,
	}[kind]
}

// keyring holds the RSA keys, made when first needed: a key costs a tenth of a second.
type keyring struct{ app, oidc lazyKey }

type lazyKey struct {
	once sync.Once
	key  *rsa.PrivateKey
}
