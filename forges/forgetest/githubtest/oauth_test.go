package githubtest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

const (
	callback = "https://gate.example/callback"
	// verifier and challenge are those of RFC 7636, appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// browse gives what a person's browser sees: it stops where it is sent to the gate.
func (w *team) browse(login string) func(method, path string, form url.Values) (*http.Response, string) {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.String(), w.URL()+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	do := func(method, path string, form url.Values) (*http.Response, string) {
		w.t.Helper()
		req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(form.Encode()))
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := b.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		return res, string(body)
	}
	if login != "" {
		do("GET", "/test-login?login="+url.QueryEscape(login), nil)
	}
	return do
}

var hidden = regexp.MustCompile(`name="authenticity_token" value="([0-9a-f]+)"`)

// authorize clicks through the page, and returns what came back in the URL.
func (w *team) authorize(login string, q url.Values) url.Values {
	w.t.Helper()
	b := w.browse(login)
	_, page := b("GET", "/login/oauth/authorize?"+q.Encode(), nil)
	m := hidden.FindStringSubmatch(page)
	if m == nil {
		w.t.Fatalf("expected a page that asks, got %s", page)
	}
	res, _ := b("POST", "/login/oauth/authorize", url.Values{"authenticity_token": {m[1]}, "authorize": {"1"}})
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusFound {
		w.t.Fatalf("got %d %v", res.StatusCode, err)
	}
	return to.Query()
}

func (w *team) askingURL() url.Values {
	return url.Values{
		"client_id": {w.ClientID()}, "redirect_uri": {callback}, "state": {"s"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
}

func (w *team) exchange(form url.Values, header ...string) map[string]any {
	w.t.Helper()
	q := url.Values{"client_id": {w.ClientID()}, "client_secret": {w.ClientSecret()}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	for k, v := range form {
		q[k] = v
	}
	header = append([]string{"Authorization", "", "Accept", "application/json", "Content-Type", "application/x-www-form-urlencoded"}, header...)
	res, body := w.raw("POST", w.URL()+"/login/oauth/access_token", q.Encode(), header...)
	out := map[string]any{}
	if err := json.Unmarshal([]byte(body), &out); err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("got %d %s, want 200 and an object: GitHub says errors so too", res.StatusCode, body)
	}
	return out
}

// userToken is ana's.
func (w *team) userToken() string {
	w.t.Helper()
	w.SetCallbacks(callback)
	out := w.exchange(url.Values{"code": {w.authorize("ana", w.askingURL()).Get("code")}})
	token, _ := out["access_token"].(string)
	return token
}

func (w *team) asClient() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(w.ClientID()+":"+w.ClientSecret()))
}

func (x *scenario) siteRows() []endpointRow {
	token := x.userToken()
	return []endpointRow{
		{request: "POST /app-manifests/" + x.registered() + "/conversions", want: 201, as: "None"},
		{request: "GET /user", as: "Bearer " + token},
		{request: "DELETE /applications/" + x.ClientID() + "/token", body: fmt.Sprintf(`{"access_token":%q}`, token), want: 204, as: x.asClient()},
	}
}

func TestUserTokens(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	token := w.userToken()
	revoke := "/applications/" + w.ClientID() + "/token"
	body := fmt.Sprintf(`{"access_token":%q}`, token)
	for _, row := range []struct {
		name, method, path, body, as string
		want                         int
	}{
		{"allow: who it is", "GET", "/user", "", "Bearer " + token, 200},
		{"deny: a repository", "GET", "/repos/acme/widget", "", "Bearer " + token, 403},
		{"deny: the App", "GET", "/app", "", "Bearer " + token, 403},
		{"deny: an installation token is nobody", "GET", "/user", "", "Bearer " + w.token, 403},
		{"deny: a revocation by the token", "DELETE", revoke, body, "Bearer " + token, 404},
		{"deny: by an installation token", "DELETE", revoke, body, "Bearer " + w.token, 404},
		{"deny: by a wrong secret", "DELETE", revoke, body, "Basic " + base64.StdEncoding.EncodeToString([]byte(w.ClientID()+":wrong")), 401},
		{"deny: of a token nobody knows", "DELETE", revoke, `{"access_token":"ghu_x"}`, w.asClient(), 422},
		{"deny: of an installation token", "DELETE", revoke, fmt.Sprintf(`{"access_token":%q}`, w.token), w.asClient(), 422},
		{"deny: the client is no user", "GET", "/user", "", w.asClient(), 404},
		{"deny: the client is no App", "GET", "/app", "", w.asClient(), 404},
		{"allow: a revocation", "DELETE", revoke, body, w.asClient(), 204},
		{"deny: who it was", "GET", "/user", "", "Bearer " + token, 401},
		{"deny: a second one", "DELETE", revoke, body, w.asClient(), 422},
	} {
		if res, got := w.raw(row.method, row.path, row.body, "Authorization", row.as); res.StatusCode != row.want {
			t.Errorf("%s: got %d %s, want %d", row.name, res.StatusCode, got, row.want)
		}
	}
}

func TestCodesAreForOneUse(t *testing.T) {
	w := newTeam(t, githubtest.Options{Callbacks: []string{callback, callback + "2"}})
	code := func(change func(url.Values)) string {
		q := w.askingURL()
		change(q)
		return w.authorize("ana", q).Get("code")
	}
	same := func(url.Values) {}
	plain := func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") }
	used := code(same)
	w.exchange(url.Values{"code": {used}})
	tried := code(same)
	w.exchange(url.Values{"code": {tried}, "code_verifier": {"wrong"}})
	for name, row := range map[string]struct {
		form url.Values
		want string
	}{
		"allow":                             {url.Values{"code": {code(same)}}, ""},
		"allow: no challenge, no verifier":  {url.Values{"code": {code(plain)}, "code_verifier": {""}}, ""},
		"deny: a verifier for no challenge": {url.Values{"code": {code(plain)}}, "bad_verification_code"},
		"deny: used":                        {url.Values{"code": {used}}, "bad_verification_code"},
		"deny: tried":                       {url.Values{"code": {tried}}, "bad_verification_code"},
		"deny: wrong verifier":              {url.Values{"code": {code(same)}, "code_verifier": {"wrong"}}, "bad_verification_code"},
		"deny: no verifier":                 {url.Values{"code": {code(same)}, "code_verifier": {""}}, "bad_verification_code"},
		"deny: invented":                    {url.Values{"code": {"0"}}, "bad_verification_code"},
		"deny: another callback":            {url.Values{"code": {code(same)}, "redirect_uri": {callback + "2"}}, "redirect_uri_mismatch"},
		"deny: no redirect":                 {url.Values{"code": {code(same)}, "redirect_uri": {""}}, "redirect_uri_mismatch"},
		"deny: wrong secret":                {url.Values{"code": {code(same)}, "client_secret": {"wrong"}}, "incorrect_client_credentials"},
	} {
		got := w.exchange(row.form)
		if said, _ := got["error"].(string); said != row.want || (got["access_token"] != nil) != (row.want == "") {
			t.Errorf("%s: got %v, want error %q", name, got, row.want)
		}
	}
	_, body := w.raw("POST", w.URL()+"/login/oauth/access_token?client_id=x", "", "Authorization", "")
	if form, err := url.ParseQuery(body); err != nil || form.Get("error") != "incorrect_client_credentials" {
		t.Errorf("without Accept: got %s, want a form", body)
	}
}
