package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

const (
	browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	page    = "/releases/" + gatetest.RequestID
)

// look opens a page as a browser does and checks what holds of every page.
func (w *world) look(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	got := w.call(t, http.MethodGet, path, "", browser)
	body := got.Body.String()
	if media := got.Header().Get("Content-Type"); media != "text/html; charset=utf-8" {
		t.Errorf("%s comes as %s", path, media)
	}
	csp := got.Header().Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(csp, rule) {
			t.Errorf("%s: no %s in %q", path, rule, csp)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("%s: %q", path, csp)
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got.Header().Get(name) != value {
			t.Errorf("%s: %s is %q", path, name, got.Header().Get(name))
		}
	}
	// What the policy would block must not be there to be blocked.
	if inline := regexp.MustCompile(`(?i)<script>|<style|<iframe|\sstyle=|\son[a-z]+=|javascript:`).FindString(body); inline != "" {
		t.Errorf("%s holds %q", path, inline)
	}
	if got := strings.Count(body, "<h1"); got != 1 || !strings.Contains(body, `<html lang="en">`) || !strings.Contains(body, "<title>") {
		t.Errorf("%s is no whole page", path)
	}
	if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "&lt;no value&gt;") || strings.Contains(body, "%!") {
		t.Errorf("%s was not made for this data:\n%s", path, body)
	}
	return got
}

func says(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Errorf("the page does not say %q:\n%s", p, body)
		}
	}
}

func TestPageOfEveryState(t *testing.T) {
	nobody := unapproved()
	denied := gatetest.Edit(func(c *gate.Case) {
		no := c.Approvals[0]
		no.Verb, no.Reason = gate.VerbDeny, "the changelog is missing"
		c.Denials, c.Approvals = []gate.Approval{no}, nil
	})
	unread := gatetest.Edit(func(c *gate.Case) { c.Evidence = gate.Evidence{ReadAt: c.Evidence.ReadAt} })
	moved := gatetest.Edit(func(c *gate.Case) {
		c.Evidence.Ref = gate.Known(gate.RefFacts{Ref: gatetest.Ref, Commit: gatetest.Head})
	})
	late := gatetest.Edit(func(c *gate.Case) { c.Request.Expires = noon().Add(-time.Hour) })
	rows := []struct {
		name string
		rec  gate.Record
		says []string
	}{
		{"asked just now", fresh(), []string{"asked for just now", "Nothing is signed"}},
		{"waiting", record(t, gate.StateWaiting, nobody), []string{
			"1 change still needs somebody who did not write it", "Not yet covered", "Teach the parser tabs",
			"someone other than @ana", "/countersign approve K7QM", "@bo", "1 person cannot approve", "What else it waits for", "Open until",
		}},
		{"waiting for the forge", record(t, gate.StateWaiting, unread), []string{"Not read yet", "reads this again by itself"}},
		{"granted", record(t, gate.StateGranted), []string{"about to be signed"}},
		{"signing", record(t, gate.StateSigning), []string{"being signed now"}},
		{"signed", record(t, gate.StateSigned), []string{
			"every file is signed", "cosign verify-blob", "curl -fsSO " + origin + "/v1/keys/acme-release.pem",
			"Covered by", "release approval", "14 checks passed", "sha256sum -c",
		}},
		{"published", record(t, gate.StatePublished), []string{"every file is signed"}},
		{"denied", record(t, gate.StateDenied, denied), []string{"No signature was released", "denied by @bo: the changelog is missing", "settle it with @bo"}},
		{"expired", record(t, gate.StateExpired, late), []string{"Nobody completed it in time", "expired 2026-03-02T11:00:00Z", "without a rebuild"}},
		{"expired uncovered", record(t, gate.StateExpired, nobody, late), []string{"Not covered: it needed", "What was missing then"}},
		{"void", record(t, gate.StateVoid, moved), []string{"no longer what is there", "tag v1.4.0 moved"}},
		{"withdrawn", record(t, gate.StateWithdrawn, nobody), []string{"took it back"}},
		{"failed", record(t, gate.StateFailed), []string{"The signer failed for good"}},
		{"many files", record(t, gate.StateSigned, gatetest.For(gatetest.Manifest(21))), []string{"21 files", "Show all"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(row.rec)
			got := w.look(t, page)
			if got.Code != http.StatusOK {
				t.Errorf("status %d", got.Code)
			}
			says(t, got.Body.String(), append(row.says, "acme/app", "v1.4.0", string(row.rec.State), row.rec.Request.Manifest.Digest().String())...)
			open := row.rec.State == gate.StateWaiting || row.rec.State == gate.StateGranted || row.rec.State == gate.StateSigning
			if !open && strings.Contains(got.Body.String(), "/countersign approve") && !strings.Contains(row.name, "void") {
				t.Error("it asks for an approval that comes too late")
			}
		})
	}
}

// Every check that a decision makes has a name for people.
func TestEveryCheckHasATitle(t *testing.T) {
	w := newWorld(t)
	rec := record(t, gate.StateSigned)
	w.put(rec)
	body := w.look(t, page).Body.String()
	var d gate.Decision
	if err := json.Unmarshal(rec.Decision, &d); err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Checks {
		if strings.Contains(body, "<strong>"+string(c.Name)+"</strong>") {
			t.Errorf("%s has none", c.Name)
		}
	}
}

// Text from a forge or a job is only ever text.
func TestHostileText(t *testing.T) {
	const tag = `"><img src=x onerror=alert(1)>`
	hostile := gatetest.Edit(func(c *gate.Case) {
		changes, _ := c.Evidence.Changes.Get()
		changes[0].Title = tag + "\u202e"
		changes[0].URL = "javascript:alert(1)"
		changes[0].Opener = gate.Known(gate.Account{ID: gatetest.Ana().ID, Login: tag, Human: true})
		c.Evidence.Changes = gate.Known(changes)
		no := c.Approvals[0]
		no.Verb, no.Reason, no.By.Login = gate.VerbDeny, tag, tag
		c.Denials = []gate.Approval{no}
		c.Request.RepositoryName = "acme/" + tag
		c.Request.Ref = "refs/tags/" + tag
		c.Request.Stream, c.Request.Key, c.Request.Code = tag, tag, tag
		c.Request.Manifest.Subjects[0].Name = tag + ".tar.gz"
	})
	for _, state := range []gate.State{gate.StateWaiting, gate.StateSigned, gate.StateDenied, gate.State(tag)} {
		w := newWorld(t)
		w.put(record(t, state, hostile))
		for _, path := range []string{"/", page} {
			// The tag, as text, is what the general check for handlers would stumble over.
			got := w.call(t, http.MethodGet, path, "", browser)
			body := got.Body.String()
			if got.Code != http.StatusOK || strings.Contains(body, "<img src=x") || strings.Contains(body, "href=\"javascript") {
				t.Errorf("%s in state %.10s: %d\n%s", path, state, got.Code, body)
			}
		}
	}
	w := newWorld(t)
	got := w.call(t, http.MethodGet, "/errors/%3Cscript%3E", "", browser)
	if got.Code != http.StatusNotFound || strings.Contains(got.Body.String(), "<script>") {
		t.Errorf("answered %d %s", got.Code, got.Body)
	}
}

// A private repository's request cannot be told from none: not in the list, not by its
// page, in neither form.
func TestPrivateIsLikeNone(t *testing.T) {
	w := newWorld(t)
	rec := record(t, gate.StateWaiting)
	rec.Request.Private = true
	w.put(rec)
	for _, accept := range []string{browser, "Accept: */*"} {
		private := w.call(t, http.MethodGet, page, "", accept)
		none := w.call(t, http.MethodGet, "/releases/"+unsigned, "", accept)
		odd := w.call(t, http.MethodGet, "/releases/1", "", accept)
		if private.Code != http.StatusNotFound || private.Body.String() != none.Body.String() || none.Body.String() != odd.Body.String() {
			t.Errorf("%s: %d\n%s\n%s\n%s", accept, private.Code, private.Body, none.Body, odd.Body)
		}
		if fmt.Sprint(private.Header()) != fmt.Sprint(none.Header()) {
			t.Errorf("headers differ: %v %v", private.Header(), none.Header())
		}
	}
	if list := w.look(t, "/").Body.String(); strings.Contains(list, "acme") || !strings.Contains(list, "Nothing was asked for yet") {
		t.Errorf("the list shows %s", list)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	for i, state := range []gate.State{gate.StateWaiting, gate.StateSigned, gate.StateDenied} {
		rec := record(t, state, gatetest.For(gatetest.Manifest(i+1)))
		rec.Request.ID = fmt.Sprintf("0197f3a0-0000-7000-8000-%012d", i)
		rec.Request.Ref = fmt.Sprintf("refs/tags/v%d", i)
		rec.Request.Attempt = i + 1
		w.put(rec)
	}
	body := w.look(t, "/").Body.String()
	says(t, body, "1 file ", "3 files", "attempt 3", "waiting", "signed", "denied", `href="/releases/0197f3a0-0000-7000-8000-000000000001"`)
	if strings.Index(body, "v2") > strings.Index(body, "v1") {
		t.Error("the newest is not first")
	}
}

// Whoever reads HTML gets errors as pages; everybody else, and the API always, as
// problem documents.
func TestErrorsForPeople(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{page: 404, "/nowhere": 404, "/errors/CS-9999": 404, "/errors/CS-1001": 200} {
		if got := w.look(t, path); got.Code != status {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	for _, accept := range []string{"Accept: */*", "Accept: application/json", "Accept: text/html;q=0", "Accept: text/html;q=0.0", "X-None: 1", "Accept: ;;;"} {
		refuses(t, w.call(t, http.MethodGet, page, "", accept), http.StatusNotFound, gate.CodeRequestUnknown)
	}
	refuses(t, w.call(t, http.MethodGet, release, "", browser, auth), http.StatusNotFound, gate.CodeRequestUnknown)
	w.fail = errDatabase
	for _, path := range []string{"/", page} {
		got := w.look(t, path)
		if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "10.1.2.3") {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	w.fail = &gate.Error{Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the database is away", Fix: "try again"}
	got := w.look(t, page)
	says(t, got.Body.String(), "the database is away", "/errors/CS-1902")
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "5" || !slices.Contains(got.Header().Values("Vary"), "Accept") {
		t.Errorf("answered %d %v", got.Code, got.Header())
	}
}

// Each code has its page, under the URL that problems carry as their type.
func TestPageOfEveryCode(t *testing.T) {
	w := newWorld(t)
	for _, c := range gate.Codes() {
		if got := w.look(t, "/errors/"+c.Code.String()); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), c.Code.String()) {
			t.Errorf("%s: %d", c.Code, got.Code)
		}
	}
}

func TestAssets(t *testing.T) {
	w := newWorld(t)
	for path, media := range map[string]string{"/assets/style.css": "text/css; charset=utf-8", "/assets/icon.svg": "image/svg+xml"} {
		got := w.call(t, http.MethodGet, path, "")
		tag := got.Header().Get("ETag")
		if got.Code != http.StatusOK || got.Header().Get("Content-Type") != media || tag == "" || got.Body.Len() == 0 {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
		if again := w.call(t, http.MethodGet, path, "", "If-None-Match: "+tag); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
	style := w.call(t, http.MethodGet, "/assets/style.css", "").Body.String()
	for _, need := range []string{"prefers-color-scheme: dark", "max-width: 30rem", ":focus-visible"} {
		if !strings.Contains(style, need) {
			t.Errorf("the style has no %s", need)
		}
	}
	if strings.Contains(style, "@import") || strings.Contains(style, "url(") {
		t.Error("the style fetches from elsewhere")
	}
}
