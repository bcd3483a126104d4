package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/countersign/countersign/gate"
)

// toxiproxy's toxics log through a logger of the whole process.
func TestMain(m *testing.M) {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	m.Run()
}

// line is what lies between an adapter and its double: a TCP proxy for the network's
// faults, and behind it an HTTP proxy for those of the answers.
type line struct {
	t      *testing.T
	proxy  *toxiproxy.Proxy
	rig    *rig
	serial int
}

func newLine(t *testing.T, double string) *line {
	t.Helper()
	l := &line{t: t, rig: newRig(t, double)}
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l.proxy = toxiproxy.NewProxy(api, "forge", "127.0.0.1:0", strings.TrimPrefix(l.rig.server.URL, "http://"))
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

// url is where the adapter finds its forge.
func (l *line) url() string { return "http://" + l.proxy.Listen }

// toxic makes the network fail in one way until heal; kind and attributes are toxiproxy's.
func (l *line) toxic(kind, attributes string) (heal func()) {
	l.t.Helper()
	l.serial++
	name := fmt.Sprintf("%s-%d", kind, l.serial)
	ask := fmt.Sprintf(`{"name":%q,"type":%q,"stream":"downstream","attributes":%s}`, name, kind, attributes)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(ask)); err != nil {
		l.t.Fatal(err)
	}
	return func() {
		if err := l.proxy.Toxics.RemoveToxic(context.WithoutCancel(l.t.Context()), name); err != nil {
			l.t.Error(err)
		}
	}
}

// down takes the proxy off the network until heal: connections are closed, new ones refused.
func (l *line) down() (heal func()) {
	l.proxy.Stop()
	return func() {
		if err := l.proxy.Start(); err != nil {
			l.t.Error(err)
		}
	}
}

// rig spoils answers. It knows each call by its path, a GraphQL query by its text too.
type rig struct {
	server *httptest.Server

	mu    sync.Mutex
	spoil func(call string) spoiler // nil for a call that is left as it is
	calls []string
}

// spoiler writes an answer in place of the forge's, which is given.
type spoiler func(w http.ResponseWriter, r *http.Request, honest answer)

type answer struct {
	status int
	header http.Header
	body   []byte
}

func newRig(t *testing.T, double string) *rig {
	t.Helper()
	target, err := url.Parse(double)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{}
	forward := &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0), // an adapter that hung up
	}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		spoil := g.find(callOf(r, body))
		if spoil == nil {
			forward.ServeHTTP(w, r)
			return
		}
		r.Header.Del("If-None-Match") // what is spoiled is a whole answer
		honest := httptest.NewRecorder()
		forward.ServeHTTP(honest, r)
		spoil(w, r, answer{honest.Code, honest.Header(), honest.Body.Bytes()})
	}))
	t.Cleanup(g.server.Close)
	return g
}

// callOf names a call without its query, so that all pages of a listing are one.
func callOf(r *http.Request, body []byte) string {
	if !strings.HasSuffix(r.URL.Path, "/graphql") {
		return r.Method + " " + r.URL.EscapedPath()
	}
	var ask struct{ Query string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return "POST graphql"
	}
	return "POST graphql " + gate.SHA256([]byte(ask.Query)).String()[:12] + " " + strings.Join(strings.Fields(ask.Query), " ")[:40]
}

// find notes the call and returns what is to spoil it, if anything.
func (g *rig) find(call string) spoiler {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.calls, call) {
		g.calls = append(g.calls, call)
	}
	if g.spoil == nil {
		return nil
	}
	return g.spoil(call)
}

// fail spoils calls until heal.
func (g *rig) fail(spoil func(call string) spoiler) (heal func()) {
	g.set(spoil)
	return func() { g.set(nil) }
}

// every spoils all calls.
func every(s spoiler) func(string) spoiler { return func(string) spoiler { return s } }

// only spoils one.
func only(at string, s spoiler) func(string) spoiler {
	return func(call string) spoiler {
		if call == at {
			return s
		}
		return nil
	}
}

func (g *rig) set(spoil func(call string) spoiler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spoil = spoil
}

// seen are the calls so far.
func (g *rig) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.calls)
}
