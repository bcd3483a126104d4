package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	apiPrefix   = "/api/v3"
	graphQLPath = "/api/graphql"
	issuerPath  = "/_services/token"
	// maxBody bounds a request: comment and check bodies are at most 64 KiB.
	maxBody = 1 << 20
)

func isAPI(path string) bool {
	return strings.HasPrefix(path, apiPrefix+"/") || strings.HasPrefix(path, uploadPrefix+"/") || path == graphQLPath
}

// Exchange is one API request with its answer, for checkers.
type Exchange struct {
	// Template is the path as the API description spells it, "" where no endpoint
	// of the double matched. A request by /repositories/{id} has that of its name.
	Template string
	Params   map[string]string
	Request  *http.Request
	Sent     []byte
	Status   int
	Header   http.Header
	Answer   []byte
}

// Observe calls f after every answered API request, faults excepted.
func (s *Server) Observe(f func(Exchange)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observers = append(s.observers, f)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		problem(http.StatusRequestEntityTooLarge, "Payload too large").write(w)
		return
	}
	s.mu.Lock()
	if isAPI(r.URL.Path) {
		s.requests++
	}
	if f := s.fault(r); f != nil {
		s.mu.Unlock()
		f.write(w)
		return
	}
	c := &call{Server: s, r: r, query: r.URL.Query(), body: body}
	var rep reply
	switch {
	case r.URL.Path == graphQLPath:
		rep = c.answerGraphQL()
	case strings.HasPrefix(r.URL.Path, apiPrefix+"/"), strings.HasPrefix(r.URL.Path, uploadPrefix+"/"):
		rep = c.answerREST()
	case strings.HasPrefix(r.URL.Path, issuerPath):
		rep = c.answerIssuer()
	default:
		rep = c.answerPage()
	}
	rep.finish(c)
	observers := s.observers
	s.mu.Unlock()
	rep.write(w)
	if isAPI(r.URL.Path) && r.URL.Path != graphQLPath {
		c.observe(observers, rep)
	}
}

func (c *call) observe(observers []func(Exchange), rep reply) {
	e := Exchange{
		Params: c.params, Request: c.r, Sent: c.body, Status: rep.status, Header: rep.header, Answer: rep.raw,
	}
	if c.route != nil {
		e.Template = c.route.template()
	}
	for _, f := range observers {
		f(e)
	}
}

// answerREST takes a request through GitHub's order of refusals: client, credential,
// endpoint, repository, permission.
func (c *call) answerREST() reply {
	if rep, bad := c.refuseClient(); bad {
		return rep
	}
	escaped, rep, moved := c.resolvePath()
	if moved {
		return rep
	}
	c.route, c.params = c.router.find(c.r.Method, escaped)
	if c.route != nil && c.route.uploads != strings.HasPrefix(c.r.URL.Path, uploadPrefix+"/") {
		c.route = nil
	}
	if c.route != nil && c.route.needs == "nothing" {
		return c.route.handle(c)
	}
	if rep, bad := c.authenticate(); bad {
		c.route = nil
		return rep
	}
	if c.route == nil {
		return notFound()
	}
	if rep, bad := c.authorize(); bad {
		return rep
	}
	return c.route.handle(c)
}

// refuseClient is what GitHub's front door refuses: no User-Agent (docs, "Getting
// started with the REST API"), or an unknown API version (docs, "API Versions").
func (c *call) refuseClient() (reply, bool) {
	if c.r.Header.Get("User-Agent") == "" {
		return problem(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"), true
	}
	if v := c.r.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" {
		return problem(http.StatusBadRequest, fmt.Sprintf("API version %q is not supported", v)), true
	}
	return reply{}, false
}

// resolvePath strips the prefix, follows /repositories/{id} to the repository's
// present name, and redirects a former name (docs, "Best practices": 301 to the
// repository's numeric URL).
func (c *call) resolvePath() (escaped string, rep reply, moved bool) {
	escaped = strings.TrimPrefix(strings.TrimPrefix(c.r.URL.EscapedPath(), apiPrefix), uploadPrefix)
	parts := strings.SplitN(escaped, "/", 5)
	if len(parts) >= 3 && parts[1] == "repositories" {
		return c.resolveNumber(parts, escaped)
	}
	if len(parts) < 4 || parts[1] != "repos" {
		return escaped, reply{}, false
	}
	id, former := c.redirects[strings.ToLower(parts[2]+"/"+parts[3])]
	if !former {
		return escaped, reply{}, false
	}
	location := c.api("/repositories/%d", id)
	if len(parts) == 5 {
		location += "/" + parts[4]
	}
	if c.r.URL.RawQuery != "" {
		location += "?" + c.r.URL.RawQuery
	}
	status := http.StatusMovedPermanently
	message := "Moved Permanently"
	if c.r.Method != http.MethodGet {
		status, message = http.StatusTemporaryRedirect, "Temporary Redirect"
	}
	rep = problem(status, message)
	rep.body.(obj)["url"] = location
	rep.header = http.Header{"Location": {location}}
	return escaped, rep, true
}

func (c *call) resolveNumber(parts []string, escaped string) (string, reply, bool) {
	id, err := strconv.ParseInt(parts[2], 10, 64)
	repo := c.repositories[id]
	if err != nil || repo == nil {
		return escaped, notFound(), true
	}
	rest := strings.TrimPrefix(escaped, "/repositories/"+parts[2])
	if rest == "/installation" && c.opts.Switches.NoInstallationByRepositoryID {
		return escaped, notFound(), true
	}
	owner := c.accounts[repo.owner]
	return "/repos/" + url.PathEscape(owner.login) + "/" + url.PathEscape(repo.name) + rest, reply{}, false
}

// finish encodes the body, and adds what every answer carries: ETag with 304 for an
// unchanged resource, and the rate limit (docs, "Best practices" and "Rate limits").
func (rep *reply) finish(c *call) {
	if rep.header == nil {
		rep.header = http.Header{}
	}
	if rep.raw == nil && rep.body != nil {
		rep.raw = encode(rep.body)
		rep.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	rep.header.Set("X-GitHub-Request-Id", fmt.Sprintf("D0B1:%06X", c.requests))
	if !isAPI(c.r.URL.Path) {
		return
	}
	rep.header.Set("X-GitHub-Media-Type", "github.v3; format=json")
	rep.header.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	if c.r.Method == http.MethodGet && rep.status == http.StatusOK {
		sum := sha256.Sum256(rep.raw)
		etag := `W/"` + hex.EncodeToString(sum[:]) + `"`
		rep.header.Set("ETag", etag)
		if c.r.Header.Get("If-None-Match") == etag {
			rep.status, rep.raw = http.StatusNotModified, nil
		}
	}
	if rep.status != http.StatusNotModified {
		c.charged++
		if c.token != nil {
			c.token.used[c.limit()]++
		}
	}
	c.limitHeaders(rep.header)
}

// encode marshals without escaping <, > and &, as GitHub does.
func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode an answer of the GitHub double: %v", err))
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func (rep reply) write(w http.ResponseWriter) {
	if rep.raw == nil && rep.body != nil {
		rep.raw = encode(rep.body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	for name, values := range rep.header {
		w.Header()[name] = values
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.raw) // the client may be gone; there is nobody to tell
}

// stamp is GitHub's time format: seconds, UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampOrNull is null for a time that has not come.
func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
