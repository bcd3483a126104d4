package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

// without is a claim set's member taken away.
func without(name string) map[string]any { return map[string]any{name: nil} }

func encoded(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }

// part replaces one part of an ID token.
func part(n int, with string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		parts[n] = with
		return strings.Join(parts, ".")
	}
}

func (h *hostile) identity(t *testing.T) {
	deny := func(name string, status int, code gate.Code, bend func(p *plea)) {
		t.Helper()
		p := h.plea(built("widget.tgz"))
		bend(p)
		h.refuse(t, name, status, code, p.request)
	}
	header := func(value string) func(*plea) {
		return func(p *plea) { p.headers = map[string]string{"Authorization": value} }
	}
	claims := func(overrides map[string]any) func(*plea) { return func(p *plea) { p.claims = overrides } }
	mint := func(f func(string) string) func(*plea) { return func(p *plea) { p.mint = f } }
	now := time.Now().Unix()

	deny("none", 401, gate.CodeTokenMissing, header(""))
	deny("a password", 401, gate.CodeTokenMissing, header("Basic Z2F0ZTpnYXRl"))
	deny("an empty one", 401, gate.CodeTokenMissing, header("Bearer "))
	deny("something else", 401, gate.CodeTokenMalformed, header("Bearer a-token-of-another-kind"))
	deny("a very long one", 401, gate.CodeTokenMalformed, header("Bearer "+strings.Repeat("a", 17<<10)))
	deny("claims that are no JSON", 401, gate.CodeTokenMalformed, mint(part(1, encoded("iss=me"))))
	deny("not signed", 401, gate.CodeTokenMalformed, mint(part(2, "")))
	deny("alg none", 401, gate.CodeTokenMalformed, mint(func(t string) string {
		return part(2, "")(part(0, encoded(`{"alg":"none","typ":"JWT"}`))(t))
	}))
	deny("alg none with a signature", 401, gate.CodeTokenSignature, mint(part(0, encoded(`{"alg":"none","typ":"JWT"}`))))
	deny("alg HS256", 401, gate.CodeTokenSignature, mint(part(0, encoded(`{"alg":"HS256","kid":"k"}`))))
	deny("another's signature", 401, gate.CodeTokenSignature, mint(part(2, encoded(strings.Repeat("0", 256)))))
	deny("a key of its own", 401, gate.CodeTokenSignature, mint(part(0, encoded(`{"alg":"RS256","kid":"k","jwk":{"kty":"RSA"}}`))))
	deny("a key that the issuer does not have", 401, gate.CodeTokenSignature, mint(part(0, encoded(`{"alg":"RS256","kid":"k"}`))))
	deny("a foreign issuer", 401, gate.CodeIssuerUnknown, claims(map[string]any{"iss": "https://token.evil.example"}))
	deny("the other forge's name", 401, gate.CodeTokenSignature, claims(map[string]any{"iss": h.other()}))
	deny("expired", 401, gate.CodeTokenExpired, claims(map[string]any{"iat": now - 200, "exp": now - 1}))
	deny("of tomorrow", 401, gate.CodeTokenExpired, claims(map[string]any{"iat": now + 86400, "nbf": now + 86400, "exp": now + 86500}))
	deny("for another service", 401, gate.CodeAudience, func(p *plea) { p.aud = "https://pypi.example" })
	deny("for two services", 401, gate.CodeAudience, claims(map[string]any{"aud": []string{h.URL, "https://pypi.example"}}))
	deny("without its id", 401, gate.CodeTokenClaims, claims(without("jti")))
	deny("without a commit", 401, gate.CodeTokenClaims, claims(without("sha")))
	if h.world.Name() == "github" {
		deny("for another ask", 401, gate.CodeAudience, func(p *plea) {
			p.ask.Subjects = nil
			p.aud = p.audience(t)
			p.ask.Subjects = []subject{built("widget.tgz")}
		})
		deny("without a repository", 401, gate.CodeTokenClaims, claims(without("repository_id")))
	} else {
		deny("of a person who signed in", 401, gate.CodeTokenClaims, mint(func(string) string {
			return h.GitLab.LoginIDToken(h.team.People["eve"], h.URL)
		}))
		deny("of a merge request's pipeline", 401, gate.CodeTokenClaims, claims(map[string]any{"pipeline_source": "merge_request_event"}))
	}
	over := h.team.Job("eve", "refs/tags/v1.0.0")
	h.world.FinishJob(over)
	deny("of a job that is over", 401, gate.CodeTokenClaims, func(p *plea) { p.job = over })
}

// other is the issuer of the forge that this one is not.
func (h *hostile) other() string {
	for name, w := range h.Worlds {
		if name != h.world.Name() {
			return w.Issuer()
		}
	}
	return ""
}

func (h *hostile) asks(t *testing.T) {
	deny := func(name string, status int, code gate.Code, bend func(p *plea)) {
		t.Helper()
		p := h.plea(built("widget.tgz"))
		bend(p)
		h.refuse(t, name, status, code, p.request)
	}
	subjects := func(name string, s ...subject) {
		t.Helper()
		deny(name, 400, gate.CodeSubjects, func(p *plea) { p.ask.Subjects = s })
	}
	digest := built("widget.tgz").SHA256
	many := make([]subject, 1001)
	for i := range many {
		many[i] = built(fmt.Sprintf("part-%04d", i))
	}
	subjects("no subjects")
	subjects("1,001 subjects", many...)
	subjects("one subject twice", built("widget.tgz"), built("widget.tgz"))
	subjects("names that differ in case alone", built("Widget.tgz"), built("widget.tgz"))
	subjects("a file of ours", built("SHA256SUMS"))
	subjects("a file beside its signature", built("widget.tgz"), built("widget.tgz.sig"))
	for what, name := range map[string]string{
		"no name": "", "a way out": "../widget.tgz", "an absolute path": "/etc/passwd", "a hidden way out": "dist/../../widget.tgz",
		"a backslash": `dist\widget.tgz`, "a hyphen first": "-rf", "a line end": "widget.tgz\nother", "a bell": "widget\a.tgz",
		"text that runs backwards": "widget\u202egz.exe", "a zero-width space": "wid\u200bget.tgz", "an endless name": strings.Repeat("a", 513),
		"a decomposed letter": "u\u0308ber.tgz", "a space at its end": "widget.tgz ",
	} {
		subjects("a name that is "+what, built(name))
	}
	subjects("an upper-case digest", subject{Name: "widget.tgz", SHA256: strings.ToUpper(digest)})
	subjects("half a digest", subject{Name: "widget.tgz", SHA256: digest[:32]})
	subjects("no digest", subject{Name: "widget.tgz"})
	subjects("a digest of nothing", subject{Name: "widget.tgz", SHA256: strings.Repeat("0", 64)})
	subjects("a digest with its algorithm", subject{Name: "widget.tgz", SHA256: "sha256:" + digest})

	body := func(name string, f func(string) string) {
		t.Helper()
		deny(name, 400, gate.CodeBodyMalformed, func(p *plea) { p.bend = f })
	}
	body("an unknown field", func(b string) string { return `{"approved":true,` + b[1:] })
	body("a field twice", func(b string) string { return `{"commit":"` + strings.Repeat("0", 40) + `",` + b[1:] })
	body("a field in other letters", func(b string) string { return strings.Replace(b, `"commit"`, `"Commit"`, 1) })
	body("more after the end", func(b string) string { return b + "{}" })
	body("a body that breaks off", func(b string) string { return b[:len(b)-2] })
	body("no body", func(string) string { return "" })
	body("a list", func(b string) string { return "[" + b + "]" })
	body("no JSON", func(string) string { return "repository=github:1" })
	body("a number for a name", func(b string) string { return strings.Replace(b, `"widget.tgz"`, "7", 1) })
	body("what is no UTF-8", func(b string) string { return strings.Replace(b, "widget", "wid\xffget", 1) })
	deny("more than an ask can be", 413, gate.CodeBodyTooLarge, func(p *plea) {
		p.bend = func(b string) string { return b + strings.Repeat(" ", 1<<20) }
	})

	field := func(name string, code gate.Code, status int, edit func(a *askBody)) {
		t.Helper()
		deny(name, status, code, func(p *plea) {
			p.aud = p.audience(t)
			edit(&p.ask)
			if status == http.StatusForbidden {
				p.aud = "" // the ID token is made for the very ask
			}
		})
	}
	field("a repository by its name", gate.CodeBodyMalformed, 400, func(a *askBody) { a.Repository = "acme/widget" })
	field("another repository", gate.CodeAskMismatch, 403, func(a *askBody) { a.Repository = h.world.Name() + ":424242" })
	field("a short ref", gate.CodeBodyMalformed, 400, func(a *askBody) { a.Ref = "v1.0.0" })
	field("another ref", gate.CodeAskMismatch, 403, func(a *askBody) { a.Ref = "refs/tags/v2.0.0" })
	field("a ref with a way out", gate.CodeBodyMalformed, 400, func(a *askBody) { a.Ref = "refs/tags/../v1" })
	field("a short commit", gate.CodeBodyMalformed, 400, func(a *askBody) { a.Commit = a.Commit[:7] })
	field("another commit", gate.CodeAskMismatch, 403, func(a *askBody) { a.Commit = strings.Repeat("a", 40) })
	field("a stream that no stream can be", gate.CodeBodyMalformed, 400, func(a *askBody) { a.Stream = "No Such Stream" })
	field("a stream that the policy does not have", gate.CodeStreamUnknown, 403, func(a *askBody) { a.Stream = "nightly" })
}
