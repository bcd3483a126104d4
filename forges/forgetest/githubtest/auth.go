package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// token is an installation token. Its permissions and repositories may be fewer
// than the installation's; app marks the App's own JWT, client its OAuth client's id and
// secret, and user is whose user token it is.
type token struct {
	value        string
	app, client  bool
	user         *account
	installation *installation
	permissions  map[string]string
	repositories []int64 // nil: all that the installation reaches
	expires      time.Time
	used         map[string]int // per limit: "core" or "graphql"
}

// authenticate reads the credential: an App JWT (three dot-separated parts) or an
// installation token, by "Bearer" or "token" (docs, "Authenticating to the REST API").
func (c *call) authenticate() (reply, bool) {
	header := c.r.Header.Get("Authorization")
	scheme, value, _ := strings.Cut(header, " ")
	if id, secret, basic := c.r.BasicAuth(); basic && id == appClientID && secret == appClientSecret {
		c.token = &token{client: true, used: map[string]int{}}
		return reply{}, false
	}
	switch {
	case header == "":
		return problem(http.StatusUnauthorized, "Requires authentication"), true
	case !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token"):
		return problem(http.StatusUnauthorized, "Bad credentials"), true
	case strings.Count(value, ".") == 2:
		if err := c.checkAppJWT(value); err != nil {
			return problem(http.StatusUnauthorized, err.Error()), true
		}
		c.token = &token{app: true, used: map[string]int{}}
		return reply{}, false
	}
	t := c.tokens[value]
	if t == nil || !c.now().Before(t.expires) {
		return problem(http.StatusUnauthorized, "Bad credentials"), true
	}
	c.token = t
	if t.user != nil {
		return reply{}, false
	}
	if !t.installation.suspended.IsZero() {
		return problem(http.StatusForbidden, "This installation has been suspended"), true
	}
	if t.used[c.limit()] >= c.opts.RateLimit {
		return problem(http.StatusForbidden, fmt.Sprintf("API rate limit exceeded for installation ID %d.", t.installation.id)), true
	}
	return reply{}, false
}

// checkAppJWT verifies the App's JWT (docs, "Generating a JSON Web Token for a
// GitHub App"): RS256, iss the App's ID, exp at most ten minutes ahead.
func (c *call) checkAppJWT(value string) error {
	parsed, err := jose.ParseSignedCompact(value, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("A JSON web token could not be decoded") //nolint:staticcheck // GitHub's own words
	}
	payload, err := parsed.Verify(&c.keys.app.get().PublicKey)
	if err != nil {
		return fmt.Errorf("A JSON web token could not be decoded") //nolint:staticcheck // GitHub's own words
	}
	var claims struct {
		Iss      json.RawMessage `json:"iss"`
		Iat, Exp float64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return fmt.Errorf("A JSON web token could not be decoded") //nolint:staticcheck // GitHub's own words
	}
	now := float64(c.now().Unix())
	switch {
	case strings.Trim(string(claims.Iss), `"`) != strconv.FormatInt(appID, 10) && strings.Trim(string(claims.Iss), `"`) != appClientID:
		return fmt.Errorf("Integration not found") //nolint:staticcheck // GitHub's own words
	case claims.Exp < now:
		return fmt.Errorf("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.Exp > now+600+60: // a minute of grace for clocks
		return fmt.Errorf("'Expiration time' claim ('exp') is too far in the future")
	case claims.Iat > now+60:
		return fmt.Errorf("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	}
	return nil
}

// authorize finds the repository that the path names and holds the credential
// against what the endpoint needs.
func (c *call) authorize() (reply, bool) {
	switch {
	case c.token.client != (c.route.needs == "client"):
		return notFound(), true // an OAuth client's id and secret open nothing else, and nothing else opens these
	case c.token.client:
		return reply{}, false
	case c.token.user != nil && c.route.needs == "user":
		return reply{}, false
	case c.token.user != nil, c.route.needs == "user":
		// What else a user token opens the double does not have: the gate asks for nothing.
		return problem(http.StatusForbidden, "Resource not accessible by integration"), true
	}
	if c.token.app != (c.route.needs == "jwt") {
		if c.token.app {
			return problem(http.StatusUnauthorized, "Bad credentials"), true
		}
		return problem(http.StatusUnauthorized, "A JSON web token could not be decoded"), true
	}
	if name, has := c.params["repo"]; has {
		c.repo = c.find(c.params["owner"] + "/" + name)
		if c.repo == nil || (!c.token.app && !c.token.reaches(c.repo.id) && !c.mayReadPublic()) {
			return notFound(), true
		}
	}
	if c.token.app || c.token.allows(c.route.needs) {
		return reply{}, false
	}
	rep := problem(http.StatusForbidden, "Resource not accessible by integration")
	rep.header = http.Header{"X-Accepted-Github-Permissions": {
		strings.NewReplacer(":", "=", "|", "; ").Replace(c.route.needs)}}
	return rep, true
}

// mayReadPublic: see Switches.
func (c *call) mayReadPublic() bool {
	return c.opts.Switches.TokensReadPublic && c.repo.visibility == "public" && c.r.Method == http.MethodGet
}

// reaches reports whether the token may see the repository at all.
func (t *token) reaches(repository int64) bool {
	if !t.installation.repositories[repository] {
		return false
	}
	if t.repositories == nil {
		return true
	}
	for _, id := range t.repositories {
		if id == repository {
			return true
		}
	}
	return false
}

// allows reports whether any of the alternatives "name:level|name:level" is granted.
func (t *token) allows(needs string) bool {
	for _, alternative := range strings.Split(needs, "|") {
		name, level, _ := strings.Cut(alternative, ":")
		have := t.permissions[name]
		if name == "metadata" || have == level || have == "write" || have == "admin" {
			return true
		}
	}
	return false
}

// limit names the limit that a call is charged to: GraphQL has its own (docs, "Rate
// limits and query limits for the GraphQL API").
func (c *call) limit() string {
	if c.r.URL.Path == graphQLPath {
		return "graphql"
	}
	return "core"
}

// limitHeaders sets the X-RateLimit headers (docs, "Rate limits for the REST API").
func (c *call) limitHeaders(h http.Header) {
	if c.token == nil || c.token.app || c.token.client {
		return
	}
	remaining := max(c.opts.RateLimit-c.token.used[c.limit()], 0)
	h.Set("X-Ratelimit-Limit", strconv.Itoa(c.opts.RateLimit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-Ratelimit-Used", strconv.Itoa(c.token.used[c.limit()]))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(c.token.expires.Unix(), 10))
	h.Set("X-Ratelimit-Resource", c.limit())
}
