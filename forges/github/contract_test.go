package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/githubtest/githubschema"
	"github.com/countersign/countersign/forges/github"
)

const secret = "It's a Secret to Everybody"

// connect makes an adapter for a double, with pauses short enough for tests.
func connect(t testing.TB, s *githubtest.Server) *github.Forge {
	t.Helper()
	return connectWith(t, s, quick(t, s))
}

func quick(t testing.TB, s *githubtest.Server) *http.Client {
	t.Helper()
	client, err := forges.NewClient(forges.Options{
		Bases: github.Bases(settings(s)), Pause: time.Millisecond, MaxPause: 20 * time.Millisecond, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// settings are those of a double's App, with its OAuth client.
func settings(s *githubtest.Server) github.Config {
	return github.Config{
		Forge: adaptertest.ForgeID, URL: s.URL(), APIURL: s.APIURL(), AppID: s.AppID(), PrivateKey: s.AppPrivateKey(),
		WebhookSecret: []byte(secret), ClientID: s.ClientID(), ClientSecret: []byte(s.ClientSecret()), Now: time.Now,
	}
}

func connectWith(t testing.TB, s *githubtest.Server, client *http.Client) *github.Forge {
	t.Helper()
	cfg := settings(s)
	cfg.Client = client
	f, err := github.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// hosted makes an adapter for a double as if it were github.com: its API is no GitHub
// Enterprise Server's by its URL.
func hosted(t testing.TB, s *githubtest.Server) *github.Forge {
	t.Helper()
	cfg := settings(s)
	cfg.Client = quick(t, s)
	cfg.Client.Transport = elsewhere{cfg.Client.Transport}
	cfg.APIURL = s.URL() + "/hosted"
	f, err := github.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// elsewhere takes calls below /hosted to where the double has them.
type elsewhere struct{ next http.RoundTripper }

func (e elsewhere) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	move := func(path string) string {
		if path == "/hosted/graphql" {
			return "/api/graphql"
		}
		return strings.Replace(path, "/hosted/", "/api/v3/", 1)
	}
	req.URL.Path, req.URL.RawPath = move(req.URL.Path), move(req.URL.RawPath)
	return e.next.RoundTrip(req)
}

func TestContractHosted(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) (forgetest.World, adaptertest.Forge) {
		s := githubtest.New(githubtest.Options{Key: sharedKey(), Callbacks: []string{adaptertest.Callback}})
		t.Cleanup(s.Close)
		return s, hosted(t, s)
	})
}

func TestContract(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) (forgetest.World, adaptertest.Forge) {
		s := githubtest.New(githubtest.Options{Key: sharedKey(), Callbacks: []string{adaptertest.Callback}})
		t.Cleanup(s.Close)
		githubschema.Validate(t, s)
		return s, connect(t, s)
	})
}
