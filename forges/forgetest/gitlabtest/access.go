package gitlabtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// accessToken is one credential: a personal, project or group access token, or what an
// OAuth application was given for a user.
type accessToken struct {
	id      int64
	account *account
	name    string
	scopes  []string
	created time.Time
	expires time.Time // zero: never
	used    time.Time
	oauth   bool
}

// tokenLife is the longest that GitLab gives an access token (docs: access token
// expiration, 365 days).
const tokenLife = 365 * 24 * time.Hour

func (s *Server) newToken(a *account) string {
	secret := "glpat-" + randomHex(10)
	now := s.tick()
	s.tokens[secret] = &accessToken{
		id: s.id("token"), account: a, name: "countersign", scopes: []string{"api"}, created: now,
		expires: now.Add(tokenLife).Truncate(24 * time.Hour),
	}
	return secret
}

// SetTokenExpiry ends an access token at the start of a day; the zero time: never.
func (s *Server) SetTokenExpiry(token string, day time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token].expires = day.UTC().Truncate(24 * time.Hour)
	if day.IsZero() {
		s.tokens[token].expires = time.Time{}
	}
}

// SetTokenScopes replaces an access token's scopes.
func (s *Server) SetTokenScopes(token string, scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token].scopes = slices.Clone(scopes)
}

// credential finds the token of a request. An application's token comes as Bearer only
// (API docs: authentication).
func (c *call) credential() (*accessToken, error) {
	if secret := c.r.Header.Get("PRIVATE-TOKEN"); secret != "" {
		t := c.tokens[secret]
		if t == nil || t.oauth {
			return nil, unauthorized()
		}
		return t, nil
	}
	secret, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	t := c.tokens[secret]
	if !ok || t == nil {
		return nil, unauthorized()
	}
	return t, nil
}

// check refuses what is expired, or asked beyond the scopes (source:
// lib/api/api_guard.rb, rack_oauth2 errors).
func (c *call) check(t *accessToken) error {
	if !t.expires.IsZero() && !c.opts.Now().Before(t.expires) {
		return &failure{status: http.StatusUnauthorized, body: obj{
			"error": "invalid_token", "error_description": "Token is expired. You can either do re-authorization or token refresh.",
		}}
	}
	if !t.allows(c.r) {
		return &failure{status: http.StatusForbidden, body: obj{
			"error": "insufficient_scope", "scope": "api",
			"error_description": "The request requires higher privileges than provided by the access token.",
		}}
	}
	t.used = c.opts.Now()
	return nil
}

func (t *accessToken) allows(r *http.Request) bool {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	_, path, _ := strings.Cut(r.URL.Path, "/api/v4")
	switch {
	case slices.Contains(t.scopes, "api"):
		return true
	case slices.Contains(t.scopes, "read_api"):
		return read
	case path == "/personal_access_tokens/self": // source: access_with_scope of any kind
		return true
	case slices.Contains(t.scopes, "read_user"):
		return read && (path == "/user" || path == "/users" || strings.HasPrefix(path, "/users/"))
	}
	return false
}

// showOwnToken answers /personal_access_tokens/self (API docs: personal access tokens,
// get self; source: lib/api/entities/personal_access_token.rb).
func showOwnToken(c *call) (any, error) {
	t := c.token
	if t.oauth {
		return nil, badRequest("400 Bad request - This endpoint requires token type to be a personal access token")
	}
	row := obj{
		"id": t.id, "name": t.name, "description": nil, "revoked": false, "created_at": stamp(t.created), "scopes": t.scopes,
		"user_id": t.account.id, "last_used_at": stamp(t.used), "active": true, "expires_at": nil,
	}
	if !t.expires.IsZero() {
		row["expires_at"] = t.expires.Format(time.DateOnly)
	}
	return row, nil
}
