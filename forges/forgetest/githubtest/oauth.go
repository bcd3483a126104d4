package githubtest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// codeLife is how long an OAuth code is good (docs, "Authorizing OAuth apps": ten minutes).
	codeLife = 10 * time.Minute
	// userTokenLife is how long a user token lives where they expire (docs, "Refreshing user
	// access tokens": eight hours).
	userTokenLife = 8 * time.Hour
)

// authorizing is a person's way through the web application flow (docs, "Generating a user
// access token for a GitHub App").
type authorizing struct {
	account   int64
	redirect  string
	given     bool // redirect_uri was, so that the exchange has to name the same
	state     string
	challenge string
	made      time.Time
}

// authorizePage asks the person who is signed in whether the App may know who they are.
func (c *call) authorizePage() reply {
	if c.query.Get("client_id") != appClientID {
		return htmlPage(http.StatusNotFound, "Not Found", `<p>No App has the client ID {{.}}.</p>`, c.query.Get("client_id"))
	}
	a := authorizing{
		redirect: c.query.Get("redirect_uri"), state: c.query.Get("state"), challenge: c.query.Get("code_challenge"), made: c.now(),
	}
	a.given = a.redirect != ""
	if len(c.app.callbacks) == 0 {
		return htmlPage(http.StatusNotFound, "No callback URL", `<p>The App has none: tests register it with SetCallbacks. Asked for: {{.}}</p>`, a.redirect)
	}
	first := authorizing{redirect: c.app.callbacks[0], state: a.state}
	switch {
	case !a.given:
		a.redirect = first.redirect
	case !slices.Contains(c.app.callbacks, a.redirect):
		return first.refused("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application.")
	}
	if method := c.query.Get("code_challenge_method"); a.challenge != "" && (method != "S256" || len(a.challenge) != 43) {
		return a.refused("invalid_request", "The code_challenge must be 43 characters long, by the method S256.")
	}
	who := c.signedIn()
	if who == nil {
		return c.toLogin()
	}
	a.account = who.id
	if c.opts.Switches.RemembersAuthorization && c.site.authorized[who.id] {
		return c.grant(&a)
	}
	nonce := random(16)
	c.site.asked[nonce] = &a
	return htmlPage(http.StatusOK, "Authorize "+c.app.name, `<p>{{.App}} wants to know who you are. Signed in as <strong>{{.Login}}</strong>.</p>
<form method="post" action="/login/oauth/authorize"><input type="hidden" name="authenticity_token" value="{{.Nonce}}">
<button type="submit" name="authorize" value="0">Cancel</button> <button type="submit" name="authorize" value="1">Authorize</button></form>`,
		struct{ App, Login, Nonce string }{c.app.name, who.login, nonce})
}

// answerAuthorize takes the answer of the person whom the page asked.
func (c *call) answerAuthorize() reply {
	nonce := c.form().Get("authenticity_token")
	a, who := c.site.asked[nonce], c.signedIn()
	if a == nil || a.redirect == "" || who == nil || who.id != a.account {
		return htmlPage(http.StatusUnprocessableEntity, "Your session has expired", `<p>Start again.</p>`, nil)
	}
	delete(c.site.asked, nonce)
	if c.form().Get("authorize") != "1" {
		return a.refused("access_denied", "The user has denied your application access.")
	}
	c.site.authorized[who.id] = true
	return c.grant(a)
}

// grant sends the browser back with a code.
func (c *call) grant(a *authorizing) reply {
	code := random(10) // GitHub's have 20 characters
	a.made = c.now()
	c.site.codes[code] = a
	return a.back(url.Values{"code": {code}})
}

// refused sends the browser back with an error (docs, "Troubleshooting authorization
// request errors").
func (a *authorizing) refused(name, text string) reply {
	return a.back(url.Values{
		"error": {name}, "error_description": {text},
		"error_uri": {"/apps/building-integrations/setting-up-and-registering-oauth-apps/troubleshooting-authorization-request-errors/#" + strings.ReplaceAll(name, "_", "-")},
	})
}

func (a *authorizing) back(q url.Values) reply {
	if a.state != "" {
		q.Set("state", a.state)
	}
	sep := "?"
	if strings.Contains(a.redirect, "?") {
		sep = "&"
	}
	return redirect(a.redirect + sep + q.Encode())
}

// exchange gives a user token for a code. What is wrong is answered with 200 and an error,
// in the form asked for (docs, "Troubleshooting OAuth app access token request errors").
// That a code is used up by any attempt of its client, and which error a wrong verifier
// gets, is not documented; RFC 6749 leaves both to the server.
func (c *call) exchange() reply {
	q := c.form()
	for name, values := range c.query {
		if q.Get(name) == "" {
			q[name] = values
		}
	}
	if q.Get("client_id") != appClientID || q.Get("client_secret") != appClientSecret {
		return c.tokenAnswer(url.Values{
			"error": {"incorrect_client_credentials"}, "error_description": {"The client_id and/or client_secret passed are incorrect."},
		})
	}
	a := c.site.codes[q.Get("code")]
	delete(c.site.codes, q.Get("code"))
	switch {
	case a == nil || !c.fresh(a.made, codeLife) || !a.verifies(q.Get("code_verifier")):
		return c.tokenAnswer(url.Values{
			"error": {"bad_verification_code"}, "error_description": {"The code passed is incorrect or expired."},
		})
	case q.Get("redirect_uri") != a.redirect && (a.given || q.Get("redirect_uri") != ""):
		return c.tokenAnswer(url.Values{
			"error": {"redirect_uri_mismatch"}, "error_description": {"The redirect_uri MUST match the registered callback URL for this application."},
		})
	}
	t := &token{used: map[string]int{}, value: "ghu_" + random(18), user: c.accounts[a.account], expires: c.now().Add(userTokenLife)}
	c.tokens[t.value] = t
	return c.tokenAnswer(url.Values{
		"access_token": {t.value}, "token_type": {"bearer"}, "scope": {""}, "refresh_token": {"ghr_" + random(38)},
	})
}

// verifies holds a verifier against the challenge (RFC 7636, section 4.6).
func (a *authorizing) verifies(verifier string) bool {
	if a.challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == a.challenge
}

func (c *call) tokenAnswer(v url.Values) reply {
	if !strings.Contains(c.r.Header.Get("Accept"), "json") {
		return reply{status: http.StatusOK, raw: []byte(v.Encode()), header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"},
		}}
	}
	out := obj{}
	for name := range v {
		out[name] = v.Get(name)
	}
	if v.Has("access_token") {
		out["expires_in"], out["refresh_token_expires_in"] = int(userTokenLife.Seconds()), 15_811_200
	} else {
		out["error_uri"] = "/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"
	}
	return ok(out)
}

// getOwnUser is the owner of a user token, as the public sees them: the App asks for
// nothing private.
func getOwnUser(c *call) reply { return publicUser(c, c.token.user) }

// revokeToken takes a user token out of use.
func revokeToken(c *call) reply {
	var ask struct {
		AccessToken string `json:"access_token"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	t := c.tokens[ask.AccessToken]
	if c.params["client_id"] != appClientID {
		return notFound()
	}
	if t == nil || t.user == nil {
		return invalid("OauthAccess", "access_token", "invalid", "is not a token of this application")
	}
	delete(c.tokens, t.value)
	return noContent()
}

// UserTokens counts the user tokens that were given out and are neither revoked nor expired.
func (s *Server) UserTokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tokens {
		if t.user != nil && s.now().Before(t.expires) {
			n++
		}
	}
	return n
}
