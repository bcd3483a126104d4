package forges

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// guarded lets through only requests below the configured bases.
type guarded struct {
	next  http.RoundTripper
	bases []*url.URL
	agent string
}

func parseBases(raw []string) ([]*url.URL, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("base URLs: expected at least one, got none")
	}
	var out []*url.URL
	for _, s := range raw {
		u, err := url.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("base URL: %w", err)
		}
		if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("base URL %q: expected https://host[:port][/path]", u.Redacted())
		}
		u.Path = strings.TrimRight(u.Path, "/")
		out = append(out, u)
	}
	return out, nil
}

func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.allows(req.URL) {
		if req.Body != nil {
			_ = req.Body.Close() // nothing was sent
		}
		return nil, fmt.Errorf("call %s://%s: expected a URL below a configured forge", req.URL.Scheme, req.URL.Host)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", g.agent)
	return g.next.RoundTrip(req)
}

func (g *guarded) allows(u *url.URL) bool {
	if strings.Contains(u.Path+"/", "/../") {
		return false // a server may collapse it and so leave the base
	}
	for _, b := range g.bases {
		below := u.Path == b.Path || strings.HasPrefix(u.Path, b.Path+"/")
		if u.Scheme == b.Scheme && strings.EqualFold(u.Host, b.Host) && below && u.User == nil {
			return true
		}
	}
	return false
}

// bounded makes an answer that is longer than max an error.
type bounded struct {
	next http.RoundTripper
	max  int64
}

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, b.max)
	return resp, nil
}
