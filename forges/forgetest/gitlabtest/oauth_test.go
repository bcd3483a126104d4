package gitlabtest_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// browser follows GitLab's redirects and stops at the application's.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T, s *gitlabtest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &browser{t, &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(r.URL.String(), s.URL()) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

func (b *browser) get(at string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, at, nil)
	must(b.t, err)
	return b.do(req)
}

func (b *browser) post(at string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
	must(b.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *browser) do(req *http.Request) (*http.Response, string) {
	b.t.Helper()
	res, err := b.http.Do(req)
	must(b.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	must(b.t, err)
	return res, string(text)
}

// fields are those of a page's first form.
func fields(page string) url.Values {
	out := url.Values{}
	form, _, _ := strings.Cut(page, "</form>")
	for _, m := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		out.Set(m[1], m[2])
	}
	return out
}

func authorizeURL(s *gitlabtest.Server, with url.Values) string {
	q := url.Values{
		"client_id": {s.ClientID()}, "redirect_uri": {"https://gate.example/back?keep=1"}, "response_type": {"code"},
		"scope": {"read_user"}, "state": {"s1"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	for name, list := range with {
		q[name] = list
	}
	return s.URL() + "/oauth/authorize?" + q.Encode()
}

func TestSigningInWithABrowser(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{SubPath: "/code"})
	b := newBrowser(t, team.Server)
	res, _ := b.get(authorizeURL(team.Server, nil))
	equal(t, "first", res.Request.URL.Path, "/code/users/sign_in")
	res, page := b.get(team.URL() + "/test-login?login=ana")
	equal(t, "then", res.Request.URL.Path, "/code/oauth/authorize")
	form := fields(page)
	res, _ = b.post(team.URL()+"/oauth/authorize", form)
	back, err := res.Location()
	must(t, err)
	equal(t, "back at", back.Host+back.Path, "gate.example/back")
	equal(t, "state", back.Query().Get("state"), "s1")
	equal(t, "what the application keeps there", back.Query().Get("keep"), "1")
	ask := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://gate.example/back?keep=1"},
		"client_id": {team.ClientID()}, "client_secret": {team.ClientSecret()}, "code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, // RFC 7636, appendix B
	}
	res, answer := b.post(team.URL()+"/oauth/token", ask)
	equal(t, "token", res.StatusCode, http.StatusOK)
	token, _ := object(t, []byte(answer))["access_token"].(string)
	for path, want := range map[string]int{"/user": 200, "/projects": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, team.APIURL()+path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, _ := b.do(req)
		equal(t, path, res.StatusCode, want)
	}
	res, content := team.callAs(t, token, http.MethodGet, "/user", "")
	equal(t, "as a private token "+string(content), res.StatusCode, http.StatusUnauthorized)
	res, answer = b.post(team.URL()+"/oauth/token", ask)
	equal(t, "again", res.StatusCode, http.StatusBadRequest)
	equal(t, "again", object(t, []byte(answer))["error"].(string), "invalid_grant")
	revoke := url.Values{"client_id": {team.ClientID()}, "client_secret": {"wrong"}, "token": {token}}
	res, _ = b.post(team.URL()+"/oauth/revoke", revoke)
	equal(t, "another's revocation", res.StatusCode, http.StatusForbidden)
	revoke.Set("client_secret", team.ClientSecret())
	res, _ = b.post(team.URL()+"/oauth/revoke", revoke)
	equal(t, "revocation", res.StatusCode, http.StatusOK)
	equal(t, "tokens left", team.LiveUserTokens(), 0)
}

func TestConsentRefused(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.RegisterRedirect("https://gate.example/back?keep=1")
	b := newBrowser(t, team.Server)
	_, _ = b.get(team.URL() + "/test-login?login=ana")
	for name, row := range map[string]struct {
		with   url.Values
		status int
		answer string // error at the application
	}{
		"another application":    {url.Values{"client_id": {"x"}}, 401, ""},
		"another redirect":       {url.Values{"redirect_uri": {"https://evil.example/"}}, 400, ""},
		"more than the scope":    {url.Values{"scope": {"api"}}, 302, "invalid_scope"},
		"another kind of answer": {url.Values{"response_type": {"token"}}, 302, "unsupported_response_type"},
		"another kind of proof":  {url.Values{"code_challenge_method": {"S512"}}, 302, "invalid_code_challenge_method"},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := b.get(authorizeURL(team.Server, row.with))
			equal(t, "status", res.StatusCode, row.status)
			if row.answer != "" {
				back, err := res.Location()
				must(t, err)
				equal(t, "error", back.Query().Get("error"), row.answer)
				equal(t, "state", back.Query().Get("state"), "s1")
			}
		})
	}
	_, page := b.get(authorizeURL(team.Server, nil))
	form := fields(page)
	form.Set("_method", "delete")
	res, _ := b.post(team.URL()+"/oauth/authorize", form)
	back, err := res.Location()
	must(t, err)
	equal(t, "denied", back.Query().Get("error"), "access_denied")
	form.Set("authenticity_token", "forged")
	res, _ = b.post(team.URL()+"/oauth/authorize", form)
	equal(t, "a forged form", res.StatusCode, http.StatusUnprocessableEntity)
	res, _ = newBrowser(t, team.Server).get(team.URL() + "/test-login?login=nobody")
	equal(t, "a stranger", res.StatusCode, http.StatusUnauthorized)
}

func TestOwnToken(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	_, content := team.call(t, http.MethodGet, "/personal_access_tokens/self", "")
	row := object(t, content)
	if row["expires_at"] == nil || row["active"] != true || row["user_id"] != float64(team.BotUser().ID) {
		t.Errorf("own token: %s", content)
	}
}
