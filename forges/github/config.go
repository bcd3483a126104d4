package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// Config is one GitHub and the gate's App on it.
type Config struct {
	// Forge is the name under which the server's configuration knows it.
	Forge gate.ForgeID
	// URL is the web side, https://github.com or https://HOST: people sign in there.
	URL string
	// APIURL is the REST base: https://api.github.com, or https://HOST/api/v3 on
	// GitHub Enterprise Server. The GraphQL endpoint follows from it.
	APIURL string
	// AppID is the App's numeric ID.
	AppID int64
	// PrivateKey is the App's RSA key in PEM (PKCS#1 or PKCS#8).
	PrivateKey []byte
	// WebhookSecret proves deliveries. An empty one is refused (attack 58).
	WebhookSecret []byte
	// ClientID and ClientSecret are the App's OAuth client, with which people sign in.
	// Both or neither.
	ClientID     string
	ClientSecret []byte
	// Client carries all calls; one of forges.NewClient for [Bases] where nil.
	Client *http.Client
	// Now is the clock.
	Now func() time.Time
}

// Forge is one GitHub. It is safe for concurrent use.
type Forge struct {
	cfg     Config
	api     *url.URL // with a trailing slash
	graphQL *url.URL
	uploads *url.URL // with a trailing slash
	client  *http.Client

	memory *memory

	mu    sync.Mutex // guards known
	known map[int64]reached
}

// New checks the configuration; it calls nothing.
func New(cfg Config) (*Forge, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("configure GitHub forge %q: %w", cfg.Forge, err)
	}
	api, err := url.Parse(strings.TrimRight(cfg.APIURL, "/") + "/")
	if err != nil {
		return nil, fmt.Errorf("configure GitHub forge %q: API URL: %w", cfg.Forge, err)
	}
	f := &Forge{cfg: cfg, api: api, graphQL: graphQLOf(api), uploads: uploadsOf(api), client: cfg.Client, known: map[int64]reached{}, memory: newMemory()}
	if f.client == nil {
		f.client, err = forges.NewClient(forges.Options{Bases: Bases(cfg), Now: cfg.Now})
		if err != nil {
			return nil, fmt.Errorf("configure GitHub forge %q: %w", cfg.Forge, err)
		}
	}
	f.client = forges.BoundAnswers(f.client) // no answer that is read here is anything but JSON
	if _, err := ghinstallation.NewAppsTransport(f.transport(), cfg.AppID, cfg.PrivateKey); err != nil {
		return nil, fmt.Errorf("configure GitHub forge %q: App's private key: expected an RSA key in PEM: %w", cfg.Forge, err)
	}
	return f, nil
}

// Bases are the URLs below which the adapter calls: the API, GraphQL, where releases take
// files, and where people sign in their tokens.
func Bases(cfg Config) []string {
	bases := []string{cfg.APIURL}
	if api, err := url.Parse(strings.TrimRight(cfg.APIURL, "/") + "/"); err == nil {
		bases = append(bases, graphQLOf(api).String(), uploadsOf(api).String())
	}
	if cfg.ClientID != "" {
		bases = append(bases, tokenURL(cfg.URL))
	}
	return bases
}

func (c Config) check() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	need(c.Forge != "", "forge: expected a name, got none")
	need(c.APIURL != "", "API URL: expected https://api.github.com or https://HOST/api/v3, got none")
	need(c.AppID > 0, "App ID: expected a positive number")
	need(len(c.PrivateKey) > 0, "App's private key: expected a PEM, got none")
	need(len(c.WebhookSecret) > 0, "webhook secret: expected one, got an empty one: anybody could forge deliveries")
	need((c.ClientID == "") == (len(c.ClientSecret) == 0), "OAuth client: expected its ID and its secret, or neither, got one of them")
	need(c.ClientID == "" || isWeb(c.URL), "URL: expected https://github.com or https://HOST for people to sign in, got "+strconv.Quote(c.URL))
	need(c.Now != nil, "clock: expected one, got none")
	return errors.Join(errs...)
}

// graphQLOf is GitHub's own rule: /api/v3 becomes /api/graphql on GitHub Enterprise Server,
// api.github.com and api.SUB.ghe.com have /graphql (docs, "Forming calls with GraphQL").
func graphQLOf(api *url.URL) *url.URL {
	u := *api
	if base, is := strings.CutSuffix(api.Path, "/api/v3/"); is {
		u.Path = base + "/api/graphql"
	} else {
		u.Path = api.Path + "graphql"
	}
	return &u
}

// uploadsOf is where releases take files: HOST/api/uploads on GitHub Enterprise Server, the
// host uploads. in place of api. elsewhere. An answer's upload_url is never called (attack 64).
func uploadsOf(api *url.URL) *url.URL {
	u := *api
	if base, is := strings.CutSuffix(api.Path, "/api/v3/"); is {
		u.Path = base + "/api/uploads/"
	} else if rest, is := strings.CutPrefix(api.Host, "api."); is {
		u.Host = "uploads." + rest
	}
	return &u
}

// enterprise reports whether this is GitHub Enterprise Server, by the same rule.
func (f *Forge) enterprise() bool { return strings.HasSuffix(f.api.Path, "/api/v3/") }

func (f *Forge) transport() http.RoundTripper {
	if f.client.Transport != nil {
		return f.client.Transport
	}
	return http.DefaultTransport
}

func (f *Forge) account(id int64) gate.AccountID { return gate.AccountID{Forge: f.cfg.Forge, ID: id} }

func (f *Forge) repositoryID(id int64) gate.RepositoryID {
	return gate.RepositoryID{Forge: f.cfg.Forge, ID: id}
}
