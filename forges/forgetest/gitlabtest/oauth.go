package gitlabtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// application is one OAuth application (docs: configure GitLab as an OAuth 2.0
// authentication identity provider). It is confidential and has the scope read_user.
type application struct {
	id, secret, name string
	redirects        []string
	codes            map[string]*authCode
}

// authCode is what a user's consent gave (source: doorkeeper, AccessGrant).
type authCode struct {
	account          *account
	redirect, scopes string
	challenge        string
	method           string
	made             time.Time
	used             bool
}

const (
	codeLife  = 10 * time.Minute // source: config/initializers/doorkeeper.rb
	oauthLife = 2 * time.Hour
)

func newApplication() *application {
	return &application{id: randomHex(32), secret: "gloas-" + randomHex(32), name: "Countersign", codes: map[string]*authCode{}}
}

// ClientID is the number of the gate's OAuth application.
func (s *Server) ClientID() string { return s.app.id }

// ClientSecret is its secret.
func (s *Server) ClientSecret() string { return s.app.secret }

// RegisterRedirect adds a redirect URI to the application. Without any it takes whatever
// URI it is given, as a test's server knows its port late; a real application has one.
func (s *Server) RegisterRedirect(uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.redirects = append(s.app.redirects, uri)
}

// LiveUserTokens counts the applications' tokens that were not revoked.
func (s *Server) LiveUserTokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tokens {
		if t.oauth {
			n++
		}
	}
	return n
}

func (a *application) takes(redirect string) bool {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return false
	}
	return len(a.redirects) == 0 || slices.Contains(a.redirects, redirect)
}

// grantCode is what a click on Authorize gives: a code for a challenge.
func (s *Server) grantCode(a *account, q url.Values) string {
	code := randomHex(32)
	s.app.codes[code] = &authCode{
		account: a, redirect: q.Get("redirect_uri"), scopes: q.Get("scope"), challenge: q.Get("code_challenge"),
		method: q.Get("code_challenge_method"), made: s.opts.Now(),
	}
	return code
}

// oauthError is an answer of RFC 6749, section 5.2, in doorkeeper's words.
type oauthError struct {
	status            int
	code, description string
}

func (e oauthError) write(w http.ResponseWriter) {
	oauthJSON(w, e.status, obj{"error": e.code, "error_description": e.description})
}

func oauthJSON(w http.ResponseWriter, status int, body obj) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func invalidClient() *oauthError {
	return &oauthError{http.StatusUnauthorized, "invalid_client", "Client authentication failed due to unknown client, " +
		"no client authentication included, or unsupported authentication method."}
}

func invalidGrant() *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_grant", "The provided authorization grant is invalid, expired, revoked, " +
		"does not match the redirection URI used in the authorization request, or was issued to another client."}
}

func missing(parameter string) *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_request", "Missing required parameter: " + parameter + "."}
}

// oauthParams are the parameters of a POST, as a form or JSON.
func oauthParams(w http.ResponseWriter, r *http.Request) url.Values {
	c := &call{w: w, r: r}
	if err := c.readBody(); err != nil {
		return url.Values{}
	}
	return c.body
}

// knows reports whether the client authenticates itself, by Basic or in the body.
func (s *Server) knows(r *http.Request, q url.Values) bool {
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = q.Get("client_id"), q.Get("client_secret")
	}
	return id == s.app.id && subtle.ConstantTimeCompare([]byte(secret), []byte(s.app.secret)) == 1
}

// oauthToken answers POST /oauth/token (API docs: OAuth 2.0 identity provider API).
func (s *Server) oauthToken(w http.ResponseWriter, r *http.Request) {
	q := oauthParams(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	grant, failed := s.redeem(r, q)
	if failed != nil {
		failed.write(w)
		return
	}
	secret := randomHex(32)
	now := s.tick()
	s.tokens[secret] = &accessToken{
		id: s.id("token"), account: grant.account, scopes: strings.Fields(grant.scopes), created: now,
		expires: now.Add(oauthLife), oauth: true,
	}
	oauthJSON(w, http.StatusOK, obj{
		"access_token": secret, "token_type": "Bearer", "expires_in": int(oauthLife.Seconds()),
		"refresh_token": randomHex(32), "scope": grant.scopes, "created_at": now.Unix(),
	})
}

// redeem takes a code once. A wrong verifier or redirect spends nothing: doorkeeper
// revokes a grant only where it gives a token for it.
func (s *Server) redeem(r *http.Request, q url.Values) (*authCode, *oauthError) {
	switch {
	case !s.knows(r, q):
		return nil, invalidClient()
	case q.Get("grant_type") == "":
		return nil, missing("grant_type")
	case q.Get("grant_type") != "authorization_code":
		return nil, &oauthError{http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server."}
	case q.Get("code") == "":
		return nil, missing("code")
	case q.Get("redirect_uri") == "":
		return nil, missing("redirect_uri")
	}
	grant := s.app.codes[q.Get("code")]
	switch {
	case grant == nil, grant.used, grant.redirect != q.Get("redirect_uri"), s.opts.Now().Sub(grant.made) > codeLife:
		return nil, invalidGrant()
	case grant.challenge != "" && q.Get("code_verifier") == "":
		return nil, missing("code_verifier")
	case !grant.provedBy(q.Get("code_verifier")):
		return nil, invalidGrant()
	}
	grant.used = true
	return grant, nil
}

// provedBy checks the verifier (RFC 7636, section 4.6).
func (c *authCode) provedBy(verifier string) bool {
	if c.challenge == "" {
		return verifier == ""
	}
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return verifier == c.challenge
}

// oauthRevoke answers POST /oauth/revoke: 200 whether or not there was such a token
// (RFC 7009, section 2.2).
func (s *Server) oauthRevoke(w http.ResponseWriter, r *http.Request) {
	q := oauthParams(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.knows(r, q) {
		oauthError{http.StatusForbidden, "unauthorized_client", "You are not authorized to revoke this token"}.write(w)
		return
	}
	if t := s.tokens[q.Get("token")]; t != nil && t.oauth {
		delete(s.tokens, q.Get("token"))
	}
	oauthJSON(w, http.StatusOK, obj{})
}
