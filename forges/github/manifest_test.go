package github_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

func server(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func options() github.ManifestOptions {
	return github.ManifestOptions{
		Name: "Countersign of acme", Forge: "github", Redirect: "/setup/github", Setup: "/setup/installed", Callbacks: []string{"/auth/github/callback"},
	}
}

func TestManifest(t *testing.T) {
	raw, err := github.Manifest(server(t, "https://gate.example"), options())
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Name, URL string
		Hook      struct {
			URL    string
			Active bool
		} `json:"hook_attributes"`
		Redirect       string   `json:"redirect_url"`
		Callbacks      []string `json:"callback_urls"`
		Setup          string   `json:"setup_url"`
		Public         bool
		OAuthOnInstall bool              `json:"request_oauth_on_install"`
		Permissions    map[string]string `json:"default_permissions"`
		Events         []string          `json:"default_events"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string][2]string{
		"home":     {m.URL, "https://gate.example"},
		"webhook":  {m.Hook.URL, "https://gate.example/webhooks/github/github"},
		"redirect": {m.Redirect, "https://gate.example/setup/github"},
		"setup":    {m.Setup, "https://gate.example/setup/installed"},
		"callback": {strings.Join(m.Callbacks, " "), "https://gate.example/auth/github/callback"},
	} {
		if row[0] != row[1] {
			t.Errorf("%s: got %q, want %q", what, row[0], row[1])
		}
	}
	if m.Public || m.OAuthOnInstall || !m.Hook.Active {
		t.Errorf("got %s", raw)
	}
	if m.Permissions["administration"] != "read" || m.Permissions["contents"] != "read" || slices.Contains(m.Events, "installation") {
		t.Errorf("got permissions %v and events %v", m.Permissions, m.Events)
	}
	for name, change := range map[string]func(*github.ManifestOptions){
		"a long name":           func(o *github.ManifestOptions) { o.Name = strings.Repeat("a", 35) },
		"a name of two lines":   func(o *github.ManifestOptions) { o.Name = "a\nb" },
		"no forge":              func(o *github.ManifestOptions) { o.Forge = "" },
		"a forge with a slash":  func(o *github.ManifestOptions) { o.Forge = "a/../b" },
		"no redirect":           func(o *github.ManifestOptions) { o.Redirect = "" },
		"a redirect elsewhere":  func(o *github.ManifestOptions) { o.Redirect = "https://evil.example/" },
		"a redirect to a host":  func(o *github.ManifestOptions) { o.Redirect = "//evil.example/" },
		"a setup URL elsewhere": func(o *github.ManifestOptions) { o.Setup = "@evil.example/" },
		"no callback":           func(o *github.ManifestOptions) { o.Callbacks = nil },
		"eleven callbacks":      func(o *github.ManifestOptions) { o.Callbacks = slices.Repeat([]string{"/a"}, 11) },
	} {
		o := options()
		change(&o)
		if raw, err := github.Manifest(server(t, "https://gate.example"), o); err == nil {
			t.Errorf("%s: expected an error, got %s", name, raw)
		}
	}
	for _, at := range []string{"", "gate.example", "ftp://gate.example", "https://a:b@gate.example"} {
		if _, err := github.Manifest(server(t, at), options()); err == nil {
			t.Errorf("server %q: expected an error", at)
		}
	}
}

func TestManifestURL(t *testing.T) {
	for _, row := range []struct{ web, org, want string }{
		{"https://github.com", "", "https://github.com/settings/apps/new?state=a+b%26c"},
		{"https://github.com/", "acme", "https://github.com/organizations/acme/settings/apps/new?state=a+b%26c"},
		{"https://ghes.example", "acme-2", "https://ghes.example/organizations/acme-2/settings/apps/new?state=a+b%26c"},
		{"javascript:alert(1)", "", ""},
		{"https://github.com?x", "", ""},
		{"https://github.com", "../..", ""},
		{"https://github.com", "acme/settings", ""},
		{"https://github.com", "-acme", ""},
		{"https://github.com", "ac--me", ""},
		{"https://github.com", "a?b", ""},
	} {
		if got, err := github.ManifestURL(row.web, row.org, "a b&c"); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s for %q: got %q, %v; want %q", row.web, row.org, got, err, row.want)
		}
	}
	for web, want := range map[string]string{
		"https://github.com": "https://api.github.com", "https://GitHub.com/": "https://api.github.com",
		"https://acme.ghe.com": "https://api.acme.ghe.com", "https://ghes.example:8443": "https://ghes.example:8443/api/v3",
		"https://ghes.example/path": "", "ghes.example": "",
	} {
		if got, err := github.APIURL(web); got != want || (err == nil) != (want != "") {
			t.Errorf("API of %s: got %q, %v; want %q", web, got, err, want)
		}
	}
}

// register goes through GitHub's pages as ana and is what comes back with the browser.
func register(t *testing.T, d *door, org string) url.Values {
	t.Helper()
	return registerFor(t, d, org, strings.TrimSuffix(callback, "/auth/github/callback"))
}

func registerFor(t *testing.T, d *door, org, gate string) url.Values {
	t.Helper()
	raw, err := github.Manifest(server(t, gate), options())
	if err != nil {
		t.Fatal(err)
	}
	at, err := github.ManifestURL(d.URL(), org, "the state")
	if err != nil {
		t.Fatal(err)
	}
	b := d.browser("ana")
	b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.String(), d.URL()) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, page := d.read(b.PostForm(at, url.Values{"manifest": {string(raw)}}))
	m := nonce.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("expected to be asked for the name, got %d %s", resp.StatusCode, page)
	}
	resp, page = d.read(b.PostForm(d.URL()+"/settings/apps/manifest", url.Values{"authenticity_token": {m[1]}, "app_name": {"Countersign of acme"}}))
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusFound || to.Path != "/setup/github" {
		t.Fatalf("expected to be sent to the setup, got %d %v %s", resp.StatusCode, to, page)
	}
	return to.Query()
}

func TestRegisterFromManifest(t *testing.T) {
	for _, org := range []string{"", "acme"} {
		t.Run("for "+org, func(t *testing.T) {
			d := newDoor(t, githubtest.Options{NotInstalled: true})
			d.SetRole(d.repo, d.ana, forgetest.RoleAdmin)
			back := register(t, d, org)
			if back.Get("state") != "the state" {
				t.Errorf("state: got %v", back)
			}
			app, err := github.Convert(t.Context(), nil, d.APIURL(), back.Get("code"))
			if err != nil {
				t.Fatal(err)
			}
			owner, kind := d.ana.ID, "User"
			if org != "" {
				owner, kind = d.repo.OwnerID, "Organization"
			}
			if app.ID != d.AppID() || app.Slug != d.AppSlug() || app.OwnerID != owner || app.OwnerType != kind || app.ClientID != d.ClientID() ||
				app.ClientSecret.Reveal() != d.ClientSecret() || app.Name != "Countersign of acme" {
				t.Errorf("got %+v", app)
			}
			for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %q", app, app, app, app.PrivateKey, app.ClientSecret), string(must(json.Marshal(app)))} {
				for _, s := range []github.Secret{app.PrivateKey, app.WebhookSecret, app.ClientSecret} {
					if s.Reveal() == "" || strings.Contains(printed, s.Reveal()) || strings.Contains(printed, "PRIVATE KEY") {
						t.Errorf("printed: %s", printed)
					}
				}
			}
			_, err = github.Convert(t.Context(), nil, d.APIURL(), back.Get("code"))
			if gate.CodeOf(err) != gate.CodeForgeRefused || gate.KindOf(err) != gate.Refused {
				t.Errorf("a replayed code: got %v", err)
			}
			f, err := github.New(github.Config{
				Forge: adaptertest.ForgeID, URL: d.URL(), APIURL: d.APIURL(), AppID: app.ID, PrivateKey: []byte(app.PrivateKey.Reveal()),
				WebhookSecret: []byte(app.WebhookSecret.Reveal()), ClientID: app.ClientID, ClientSecret: []byte(app.ClientSecret.Reveal()), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			d.installByPage(app.InstallURL())
			if _, err := f.PolicyFile(t.Context(), d.id()); gate.CodeOf(err) != gate.CodePolicyMissing {
				t.Errorf("the registered App: got %v", err)
			}
		})
	}
}

// The first delivery of a fresh App is a ping, signed with the secret that comes with the App.
func TestRegisteredWebhook(t *testing.T) {
	d := newDoor(t, githubtest.Options{NotInstalled: true})
	var mu sync.Mutex
	var bodies [][]byte
	var asked []*http.Request
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && r.URL.Path == "/webhooks/github/github" {
			bodies, asked = append(bodies, body), append(asked, r)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(hook.Close)
	app, err := github.Convert(t.Context(), nil, d.APIURL(), registerFor(t, d, "acme", hook.URL).Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	d.Settle()
	f := d.open(func(c *github.Config) {
		c.PrivateKey, c.WebhookSecret = []byte(app.PrivateKey.Reveal()), []byte(app.WebhookSecret.Reveal())
	})
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 1 {
		t.Fatalf("deliveries: got %d, want one", len(bodies))
	}
	got, err := f.Prove(asked[0], bodies[0])
	if err != nil || got.Event != "ping" {
		t.Errorf("got %+v, %v", got, err)
	}
	if rings, err := f.Interpret(got); err != nil || len(rings) != 0 {
		t.Errorf("rings: got %+v, %v; want none", rings, err)
	}
	if _, err := d.forge.Prove(asked[0], bodies[0]); gate.CodeOf(err) != gate.CodeDeliverySignature {
		t.Errorf("under another secret: got %v", err)
	}
	expect(t, "fresh", f.Inspect(t.Context(), hook.URL+"/webhooks/github/github"), "warning installations: nowhere", "pass deliveries: the newest, ping")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var choice = regexp.MustCompile(`name="repository" value="(\d+)"`)

// installByPage installs the App as ana on all that she may.
func (d *door) installByPage(at string) {
	d.t.Helper()
	b := d.browser("ana")
	_, page := d.read(b.Get(at))
	form := url.Values{"authenticity_token": {nonce.FindStringSubmatch(page)[1]}}
	for _, m := range choice.FindAllStringSubmatch(page, -1) {
		form.Add("repository", m[1])
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, page := d.read(b.PostForm(at, form))
	if to := resp.Header.Get("Location"); !strings.Contains(to, "/setup/installed?installation_id=") {
		d.t.Fatalf("expected to be sent to the setup, got %d %q: %s", resp.StatusCode, to, page)
	}
}

func TestConversionThatIsRefused(t *testing.T) {
	var later atomic.Int64
	d := newDoor(t, githubtest.Options{Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	late := register(t, d, "").Get("code")
	later.Store(int64(time.Hour))
	for name, code := range map[string]string{
		"none": "", "invented": "0123456789abcdef0123456789abcdef01234567", "late": late, "a path": "../app", "an endless one": strings.Repeat("a", 200),
	} {
		app, err := github.Convert(t.Context(), nil, d.APIURL(), code)
		if gate.KindOf(err) != gate.Refused || app != (github.App{}) {
			t.Errorf("%s: got %+v, %v", name, app, err)
		}
		if len(code) > 10 && strings.Contains(fmt.Sprint(err), code) {
			t.Errorf("%s: the error holds the code: %v", name, err)
		}
	}
}

func TestConversionWithHostileAnswers(t *testing.T) {
	d := newDoor(t, githubtest.Options{})
	whole := func(name string, value any) string {
		app := map[string]any{
			"id": 7, "slug": "countersign", "name": "Countersign", "html_url": "https://github.com/apps/countersign",
			"owner": map[string]any{"id": 8, "login": "acme", "type": "Organization"}, "client_id": "Iv1.x", "client_secret": "leaked-secret",
			"webhook_secret": "leaked-hook", "pem": string(d.AppPrivateKey()),
		}
		if name != "" {
			app[name] = value
		}
		return string(must(json.Marshal(app)))
	}
	ec := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("leaked-key")}))
	for name, row := range map[string]struct {
		status int
		body   string
		kind   gate.Kind // Internal where it is taken
	}{
		"whole":                 {201, whole("", nil), gate.Internal},
		"no answer":             {0, "", gate.Unavailable},
		"500":                   {500, whole("", nil), gate.Unavailable},
		"403":                   {403, whole("", nil), gate.Refused},
		"404":                   {404, "", gate.Refused},
		"422":                   {422, "", gate.Refused},
		"a page":                {201, "<p>leaked-secret", gate.Unavailable},
		"null":                  {201, "null", gate.Unavailable},
		"no number":             {201, whole("id", 0), gate.Unavailable},
		"no slug":               {201, whole("slug", ""), gate.Unavailable},
		"a slug that leads off": {201, whole("slug", "../x"), gate.Unavailable},
		"a page that runs":      {201, whole("html_url", "javascript:alert(1)"), gate.Unavailable},
		"no owner":              {201, whole("owner", nil), gate.Unavailable},
		"an enterprise":         {201, whole("owner", map[string]any{"id": 8, "slug": "acme"}), gate.Unavailable},
		"no client":             {201, whole("client_id", ""), gate.Unavailable},
		"no client secret":      {201, whole("client_secret", nil), gate.Unavailable},
		"no webhook secret":     {201, whole("webhook_secret", nil), gate.Unavailable},
		"no key":                {201, whole("pem", ""), gate.Unavailable},
		"a key of another kind": {201, whole("pem", ec), gate.Unavailable},
		"too much":              {201, string(bytes.Repeat([]byte(" "), 300<<10)) + whole("", nil), gate.Unavailable},
		"a redirect":            {307, whole("", nil), gate.Unavailable},
	} {
		restore := d.Fail(forgetest.Fault{Path: "/conversions", Status: row.status, Body: row.body})
		client, err := forges.NewClient(forges.Options{Bases: []string{d.APIURL()}, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		app, err := github.Convert(t.Context(), client, d.APIURL(), "thecodeofthisflow")
		restore()
		if taken := row.kind == gate.Internal; (err == nil) != taken || (app.ID != 0) != taken || err != nil && gate.KindOf(err) != row.kind {
			t.Errorf("%s: got %+v, %v (kind %d); want kind %d", name, app, err, gate.KindOf(err), row.kind)
		}
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "leaked") || strings.Contains(text, "thecode") {
			t.Errorf("%s: the error tells %s", name, text)
		}
	}
}
