package gitlabtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// obj is one JSON object of an answer.
type obj = map[string]any

// call is one API request, with who makes it and the project it names.
type call struct {
	*Server
	w  http.ResponseWriter
	r  *http.Request
	me *account
	// token is the credential that me came with.
	token *accessToken
	p     *project
	body  url.Values // parameters of the body, whatever its type
	sent  []byte     // the body as it came
}

// failure is an answer that is not a success, with GitLab's body for it.
type failure struct {
	status   int
	body     obj
	location string
}

func (f *failure) Error() string {
	raw, _ := json.Marshal(f.body)
	return strconv.Itoa(f.status) + " " + string(raw)
}

// The error bodies are those of lib/api/helpers.rb (source): not_found!,
// forbidden!, render_api_error!, and Grape's own for parameters.
func notFound(what string) error {
	message := "404 Not found"
	if what != "" {
		message = "404 " + what + " Not Found"
	}
	return &failure{status: http.StatusNotFound, body: obj{"message": message}}
}

func forbidden() error {
	return &failure{status: http.StatusForbidden, body: obj{"message": "403 Forbidden"}}
}

func badRequest(message any) error {
	return &failure{status: http.StatusBadRequest, body: obj{"message": message}}
}

func badParameter(message string) error {
	return &failure{status: http.StatusBadRequest, body: obj{"error": message}}
}

func unauthorized() error {
	return &failure{status: http.StatusUnauthorized, body: obj{"message": "401 Unauthorized"}}
}

// endpoint answers with a value: a JSON object, a [*page], [created], [raw] or nil for 204.
type endpoint func(c *call) (any, error)

// created is an answer with 201.
type created struct{ value any }

// raw is an answer that is not JSON.
type raw struct {
	content []byte
	header  map[string]string
}

// instance serves an endpoint outside of a project.
func (s *Server) instance(h endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, h) }
}

// inProject serves an endpoint of a project, for members of at least level.
// A project that the caller cannot see is 404 (source: find_project!).
func (s *Server) inProject(level int, h endpoint) http.HandlerFunc {
	return s.instance(func(c *call) (any, error) {
		if err := c.findProject(); err != nil {
			return nil, err
		}
		mine := c.p.level(c.me, c.opts.Now())
		if mine < levelGuest && c.p.visibility == "private" {
			return nil, notFound("Project")
		}
		if mine < level && (level > levelReporter || c.p.visibility == "private") {
			return nil, forbidden()
		}
		return h(c)
	})
}

func (c *call) findProject() error {
	id := c.r.PathValue("id")
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		c.p = c.projects[n]
	} else if c.p = c.byPath(id); c.p == nil {
		if p := c.moved[strings.ToLower(id)]; p != nil && c.projects[p.id] != nil {
			return c.movedTo(p)
		}
	}
	if c.p == nil {
		return notFound("Project")
	}
	return nil
}

// movedTo redirects from a former path to the numeric id (source: redirect! and
// url_with_project_id of lib/api/helpers.rb).
func (c *call) movedTo(p *project) error {
	if c.r.Method != http.MethodGet {
		return &failure{status: http.StatusMethodNotAllowed, body: obj{
			"message": "405 Non GET methods are not allowed for moved projects",
		}}
	}
	rest := strings.TrimPrefix(c.r.URL.EscapedPath(), "/api/v4/projects/")
	_, rest, _ = strings.Cut(rest, "/")
	to := c.base + "/api/v4/projects/" + decimal(p.id)
	if rest != "" {
		to += "/" + rest
	}
	if c.r.URL.RawQuery != "" {
		to += "?" + c.r.URL.RawQuery
	}
	return &failure{
		status: http.StatusMovedPermanently, location: to,
		body: obj{"message": "This resource has been moved permanently to " + to},
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, h endpoint) {
	c := &call{Server: s, w: w, r: r}
	if err := c.readBody(); err != nil {
		c.fail(err)
		return
	}
	s.mu.Lock()
	value, err := c.authenticated(h)
	var encoded []byte
	if err == nil {
		value = c.paginate(value)
		encoded = encode(value)
	}
	s.mu.Unlock()
	if err != nil {
		c.fail(err)
		return
	}
	c.answer(value, encoded)
}

// authenticated takes PRIVATE-TOKEN or a Bearer token (API docs: authentication).
func (c *call) authenticated(h endpoint) (any, error) {
	token, err := c.credential()
	if err != nil {
		return nil, err
	}
	if err := c.check(token); err != nil {
		return nil, err
	}
	c.token, c.me = token, token.account
	if c.me.state != "active" {
		// source: lib/api/api_guard.rb, forbidden user
		return nil, &failure{status: http.StatusForbidden, body: obj{"message": "403 Forbidden - Your account has been blocked."}}
	}
	c.rateLimit()
	return h(c)
}

// rateLimit adds the headers of a throttle far from its end (docs: user and IP
// rate limits, response headers).
func (c *call) rateLimit() {
	const limit = 2000
	reset := c.opts.Now().Add(time.Minute).UTC().Truncate(time.Minute)
	observed := int(c.requests.Load() % limit)
	for name, value := range map[string]string{
		"RateLimit-Name": "throttle_authenticated_api", "RateLimit-Limit": strconv.Itoa(limit),
		"RateLimit-Observed": strconv.Itoa(observed), "RateLimit-Remaining": strconv.Itoa(limit - observed),
		"RateLimit-Reset": decimal(reset.Unix()), "RateLimit-ResetTime": reset.Format(http.TimeFormat),
	} {
		c.w.Header().Set(name, value)
	}
}

const maxBody = 10 << 20

func (c *call) readBody() error {
	c.body = url.Values{}
	content, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return badParameter("request body is too large or was cut off")
	}
	c.sent = content
	if len(content) == 0 || c.r.Header.Get("Content-Type") == "application/octet-stream" {
		return nil
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		c.body, err = url.ParseQuery(string(content))
		if err != nil {
			return badParameter("request body is invalid")
		}
		return nil
	}
	var fields obj
	if err := json.Unmarshal(content, &fields); err != nil {
		return badParameter("message body does not match declared format")
	}
	for name, value := range fields {
		switch v := value.(type) {
		case string:
			c.body.Set(name, v)
		case nil:
		default:
			text, _ := json.Marshal(v)
			c.body.Set(name, string(text))
		}
	}
	return nil
}

// param is a parameter of the body or the query.
func (c *call) param(name string) string {
	if c.body.Has(name) {
		return c.body.Get(name)
	}
	return c.r.URL.Query().Get(name)
}

// required is a parameter that must be there (source: Grape's validation).
func (c *call) required(name string) (string, error) {
	if v := c.param(name); v != "" {
		return v, nil
	}
	if c.body.Has(name) || c.r.URL.Query().Has(name) {
		return "", badParameter(name + " is empty")
	}
	return "", badParameter(name + " is missing")
}

// number is a numeric part of the path.
func (c *call) number(name string) (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue(name), 10, 64)
	if err != nil {
		return 0, badParameter(name + " is invalid")
	}
	return n, nil
}

func encode(value any) []byte {
	switch v := value.(type) {
	case nil, raw:
		return nil
	case created:
		return encode(v.value)
	}
	out, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return out
}

func (c *call) answer(value any, encoded []byte) {
	status := http.StatusOK
	switch v := value.(type) {
	case nil:
		c.w.WriteHeader(http.StatusNoContent)
		return
	case raw:
		for name, text := range v.header {
			c.w.Header().Set(name, text)
		}
		if c.r.Method != http.MethodHead {
			encoded = v.content
		}
	case created:
		status = http.StatusCreated
		c.w.Header().Set("Content-Type", "application/json")
	default:
		c.w.Header().Set("Content-Type", "application/json")
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(encoded)
}

func (c *call) fail(err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{status: http.StatusInternalServerError, body: obj{"message": "500 Internal Server Error"}}
	}
	if f.location != "" {
		c.w.Header().Set("Location", f.location)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(f.status)
	_ = json.NewEncoder(c.w).Encode(f.body)
}
