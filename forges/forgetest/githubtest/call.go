package githubtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// obj is a JSON object of an answer or payload.
type obj = map[string]any

// call is one API request on its way to an answer.
type call struct {
	*Server
	r      *http.Request
	route  *route
	params map[string]string
	query  url.Values
	body   []byte
	token  *token
	repo   *repository
}

// reply is the answer to a call. A nil body answers no content; raw goes out as it is.
type reply struct {
	status int
	body   any
	raw    []byte
	header http.Header
}

func ok(body any) reply      { return reply{status: http.StatusOK, body: body} }
func created(body any) reply { return reply{status: http.StatusCreated, body: body} }
func noContent() reply       { return reply{status: http.StatusNoContent} }

// problem is GitHub's error body (`components.schemas.basic-error`).
func problem(status int, message string) reply {
	return reply{status: status, body: obj{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

func notFound() reply { return problem(http.StatusNotFound, "Not Found") }

// invalid is a validation error (`components.schemas.validation-error`).
func invalid(resource, field, code, message string) reply {
	return reply{status: http.StatusUnprocessableEntity, body: obj{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "status": "422",
		"errors": []obj{{"resource": resource, "field": field, "code": code, "message": message}},
	}}
}

// number is a numeric path parameter, or 0, which no object has.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.params[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// decode reads the request's JSON object into v. The second result is the answer
// to give when it cannot be read.
func (c *call) decode(v any) (reply, bool) {
	if len(c.body) == 0 {
		return reply{}, true
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return problem(http.StatusBadRequest, "Problems parsing JSON"), false
	}
	return reply{}, true
}

// accepts reports whether the request asks for a media type such as "raw" or "sha".
func (c *call) accepts(kind string) bool {
	accept := c.r.Header.Get("Accept")
	return strings.Contains(accept, "github."+kind) || strings.Contains(accept, "github.v3."+kind)
}

// repoAPI makes the URL of a resource of the call's repository.
func (s *Server) repoAPI(repo *repository, format string, args ...any) string {
	return s.api("/repos/%s", s.fullName(repo)) + fmt.Sprintf(format, args...)
}

func (s *Server) repoWeb(repo *repository, format string, args ...any) string {
	return cmp.Or(s.opts.Web, s.URL()) + "/" + s.fullName(repo) + fmt.Sprintf(format, args...)
}
