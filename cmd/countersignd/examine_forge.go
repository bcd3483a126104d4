package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate/api"
)

// inspector is what an adapter can tell of its forge.
type inspector interface {
	Inspect(ctx context.Context, hookURL string) []api.Finding
}

// ringer is an adapter whose forge sends a delivery again on request.
type ringer interface {
	RoundTrip(ctx context.Context) api.Finding
}

// shortSecret is how many bytes of webhook secret can still be guessed.
const shortSecret = 16

func (x *examiner) forge(ctx context.Context, c *chart, l *liveForge, reached bool) {
	o := l.now()
	f := o.config
	area := "Forge " + string(f.Name)
	short := false
	for _, line := range f.WebhookSecret.Lines() {
		if n := len(line); n < shortSecret {
			short = true
			c.warn(area, "webhook-secret-length", "make a longer one: openssl rand -hex 32", "the webhook secret has %s", count(n, "byte"))
		}
	}
	if !short {
		c.pass(area, "webhook-secret-length", "the webhook secret is long enough")
	}
	if i, ok := o.forge.(inspector); ok {
		c.found = append(c.found, i.Inspect(ctx, hookOf(x.config.Server.URL.String(), f.Kind, f.Name))...)
	}
	if r, ok := o.forge.(ringer); ok && reached {
		c.found = append(c.found, r.RoundTrip(ctx))
	}
	x.issuer(ctx, c, area, f.Issuer)
	x.proven(ctx, c, area, o)
}

// maxDiscovery bounds what an issuer answers, in bytes.
const maxDiscovery = 1 << 20

// issuer looks whether the issuer of ID tokens answers, as OpenID Connect Discovery 1.0 says,
// with a key of the algorithm that ID tokens are signed with.
func (x *examiner) issuer(ctx context.Context, c *chart, area, issuer string) {
	const id = "oidc"
	fix := "see that this machine may connect to " + issuer + "; ID tokens cannot be verified without its keys"
	var d struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := x.read(ctx, issuer+"/.well-known/openid-configuration", &d); err != nil {
		c.add(area, id, api.FindingFailure, fix, "the issuer of ID tokens cannot be read: %v", err)
		return
	}
	if d.Issuer != issuer {
		c.add(area, id, api.FindingFailure, "set issuer of the forge to what it calls itself, if you know it for its own", "the issuer calls itself %q, the configuration %q", d.Issuer, issuer)
		return
	}
	var keys struct {
		Keys []struct {
			Kty string `json:"kty"`
			Alg string `json:"alg"`
			Use string `json:"use"`
		} `json:"keys"`
	}
	if u, err := url.Parse(d.Keys); err != nil || u.Host == "" {
		c.add(area, id, api.FindingFailure, fix, "the issuer of ID tokens names no keys")
		return
	}
	if err := x.read(ctx, d.Keys, &keys); err != nil {
		c.add(area, id, api.FindingFailure, fix, "the issuer's keys cannot be read: %v", err)
		return
	}
	fit := 0
	for _, k := range keys.Keys {
		if k.Kty == "RSA" && (k.Use == "sig" || k.Use == "") && (k.Alg == "RS256" || k.Alg == "") {
			fit++
		}
	}
	if fit == 0 {
		c.add(area, id, api.FindingFailure, "look at "+d.Keys, "the issuer has no RS256 key: no ID token of its can be verified")
		return
	}
	c.pass(area, id, "ID tokens can be verified: %s has %s", issuer, count(fit, "RS256 key"))
}

// read reads a JSON document.
func (x *examiner) read(ctx context.Context, at string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	answer, err := x.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", at, answer.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxDiscovery))
	if err != nil {
		return withoutURL(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s answered no JSON", at)
	}
	return nil
}

// proven adds what was probed of a forge.
func (x *examiner) proven(ctx context.Context, c *chart, area string, o *openedForge) {
	f := o.config
	probeIt := fmt.Sprintf("countersignd probe --forge %s --repo OWNER/NAME, with a scratch repository", f.Name)
	report, has, err := probe.Load(x.findings, f.Name)
	switch {
	case err != nil:
		c.add(area, "probe", api.FindingFailure, "remove the file, and probe again", "%v", err)
		return
	case !has, report.URL != f.URL, report.Kind != f.Kind:
		c.warn(area, "probe", probeIt, "nothing is proven about this forge: none of %s that the gate takes for granted", count(len(probe.Facts(f.Kind)), "fact"))
		return
	}
	if d, err := dial(f); err == nil {
		if _, version := probe.Reach(ctx, d.probe(x.config)); version != "" && version != report.Version {
			c.warn(area, "probe", probeIt, "the forge was probed as version %s, and is version %s now", report.Version, version)
		}
	}
	for _, check := range probe.Proven(report, f.Kind) {
		check.Area = area
		c.found = append(c.found, check)
	}
}
