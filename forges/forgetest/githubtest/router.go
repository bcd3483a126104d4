package githubtest

import (
	"net/url"
	"regexp"
	"strings"
)

// route is one endpoint. A path parameter written {name+} takes slashes too, as
// GitHub does for refs and file paths, and {name*} may be empty; without these marks
// the path is that of the API description.
type route struct {
	method, path string
	// needs is what the credential must carry: jwt for the App itself, else the
	// permissions any one of which is enough, as "issues:read|pull_requests:read".
	needs  string
	handle func(*call) reply
	// uploads marks an endpoint that is below the address for uploads, not the API's.
	uploads bool

	match *regexp.Regexp
	names []string
}

// template is the path as the API description spells it.
func (r *route) template() string { return strings.NewReplacer("+}", "}", "*}", "}").Replace(r.path) }

type router []*route

func newRouter(table []route) router {
	parameter := regexp.MustCompile(`\{(\w+)([+*]?)\}`)
	var out router
	for _, r := range table {
		pattern, last := "^", 0
		for _, m := range parameter.FindAllStringSubmatchIndex(r.path, -1) {
			pattern += regexp.QuoteMeta(r.path[last:m[0]])
			pattern += map[string]string{"": "([^/]+)", "+": "(.+)", "*": "(.*)"}[r.path[m[4]:m[5]]]
			r.names = append(r.names, r.path[m[2]:m[3]])
			last = m[1]
		}
		r.match = regexp.MustCompile(pattern + regexp.QuoteMeta(r.path[last:]) + "$")
		out = append(out, &r)
	}
	return out
}

// find returns the route for a method and an escaped path, with the unescaped
// parameters. The first row of the table that matches wins.
func (rt router) find(method, escaped string) (*route, map[string]string) {
	for _, r := range rt {
		if r.method != method {
			continue
		}
		m := r.match.FindStringSubmatch(escaped)
		if m == nil {
			continue
		}
		params := map[string]string{}
		for i, name := range r.names {
			value, err := url.PathUnescape(m[i+1])
			if err != nil {
				return nil, nil
			}
			params[name] = value
		}
		return r, params
	}
	return nil, nil
}

// Endpoint is one REST endpoint of the double, its path as the API description spells it.
type Endpoint struct{ Method, Template string }

// Endpoints lists every REST endpoint of the double.
func Endpoints() []Endpoint {
	var out []Endpoint
	for _, r := range routes() {
		out = append(out, Endpoint{r.method, r.template()})
	}
	return out
}
