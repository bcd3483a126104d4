package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/gate/api"
)

// instancePath tells which process answers, so that the doctor can see that the public URL
// leads to it. It is no secret.
const instancePath = "/.well-known/countersign"

type instance struct {
	Instance string `json:"instance"`
}

// identified answers which process this is, and passes everything else on.
func identified(next http.Handler) http.Handler {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails (crypto/rand)
	self := instance{hex.EncodeToString(id[:])}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != instancePath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(self) // the reader is gone: nobody is left to tell
	})
}

// server looks at what the configuration says of the server, and whether its public URL
// leads to it. It reports whether it does.
func (x *examiner) server(ctx context.Context, c *chart) bool {
	s := x.config.Server
	if s.URL.Scheme == "https" {
		c.pass(areaServer, "url", "server.url is https")
	} else {
		c.warn(areaServer, "url", "for anything but a trial put TLS in front and write https",
			"server.url is %s: ID tokens and signatures travel unprotected", s.URL.Scheme)
	}
	reached := x.reach(ctx, c)
	if x.config.Policies.Audit {
		c.warn(areaServer, "mode", "once its reports are what you expect, set policies.mode: enforce and start it again", "the server only audits: it judges and reports, and signs nothing")
	} else {
		c.pass(areaServer, "mode", "what is granted is signed")
	}
	if n := len(x.config.Administrators); n == 0 {
		c.warn(areaServer, "administrators", `list them by number: administrators: ["github:583231"]`,
			"nobody administers the server in the browser: policies are put in force with countersignd policy adopt alone")
	} else {
		c.pass(areaServer, "administrators", "%s", count(n, "administrator"))
	}
	if s.Clients == "" {
		c.warn(areaServer, "clients", "set server.clients to the folder of the clients, such as "+standardClients,
			"the server hands out no client: CI jobs have to bring their own")
	} else {
		c.pass(areaServer, "clients", "CI jobs get the client from here")
	}
	return reached
}

// reach asks the public URL and the address that the server listens on who they are.
func (x *examiner) reach(ctx context.Context, c *chart) bool {
	const id = "public-url"
	s := x.config.Server
	here, _, err := x.instanceAt(ctx, &url.URL{Scheme: "http", Host: localOf(s.Listen)})
	if err != nil {
		c.warn(areaServer, id, "start it: countersignd serve; then run doctor again",
			"the server does not answer on %s, so its public URL was not tried", s.Listen)
		return false
	}
	there, certified, err := x.instanceAt(ctx, s.URL)
	switch {
	case err != nil:
		c.add(areaServer, id, api.FindingFailure, "see that DNS, proxy and certificate lead "+s.URL.String()+" to "+s.Listen,
			"the public URL does not answer from here: %v", err)
		return false
	case here != there:
		c.warn(areaServer, id, "where only one server runs, see where the proxy of "+s.URL.String()+" leads",
			"another server answers at the public URL than on %s: right only where several run", s.Listen)
	default:
		c.pass(areaServer, id, "%s leads to this server", s.URL)
	}
	x.certificate(c, certified)
	return true
}

// How long before its end a certificate is warned of, and is a failure.
const (
	certificateWarns = 14 * 24 * time.Hour
	certificateFails = 3 * 24 * time.Hour
)

func (x *examiner) certificate(c *chart, until time.Time) {
	const id, fix = "certificate", "renew it, and see why that did not happen by itself"
	left := until.Sub(x.now())
	switch day := until.UTC().Format(time.DateOnly); {
	case until.IsZero():
	case left < certificateFails:
		c.add(areaServer, id, api.FindingFailure, fix, "the certificate of the public URL ends on %s", day)
	case left < certificateWarns:
		c.warn(areaServer, id, fix, "the certificate of the public URL ends on %s", day)
	default:
		c.pass(areaServer, id, "the certificate of the public URL ends on %s", day)
	}
}

// localOf is where an address that is listened on is asked from this machine.
func localOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// maxInstance bounds the answer, in bytes.
const maxInstance = 1 << 10

// instanceAt asks a server who it is, and until when its certificate is good; the zero time
// without one.
func (x *examiner) instanceAt(ctx context.Context, base *url.URL) (string, time.Time, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(instancePath).String(), nil)
	if err != nil {
		return "", time.Time{}, err
	}
	answer, err := x.client.Do(r)
	if err != nil {
		return "", time.Time{}, withoutURL(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	var until time.Time
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		until = answer.TLS.PeerCertificates[0].NotAfter
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxInstance))
	var who instance
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(b, &who) != nil || who.Instance == "" {
		return "", until, fmt.Errorf("something else answers there, with status %d", answer.StatusCode)
	}
	return who.Instance, until, nil
}

// withoutURL is an error of a call without its method and URL, which the text names already.
func withoutURL(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // net/http returns it bare
		err = u.Err
	}
	return fmt.Errorf("%s", strings.TrimSpace(err.Error()))
}
