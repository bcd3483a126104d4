package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
)

// waiting is a town with one release that waits, and bo who may write.
func waiting(t *testing.T) (*town, gate.Record) {
	t.Helper()
	w := newTown(t)
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	w.github.set(gatetest.Bo().ID, gate.RoleWrite)
	return w, rec
}

// A form says it, and leads back to the page, which tells once what became of it.
func TestSay(t *testing.T) {
	for _, verb := range []gate.Verb{gate.VerbApprove, gate.VerbDeny, gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw} {
		w, rec := waiting(t)
		c := w.signedIn(t, gatetest.Bo())
		form := manifest(rec)
		form.Set("reason", "the changelog is missing")
		got := c.submit(release+"/"+string(verb), form)
		if got.Code != http.StatusSeeOther || got.Header().Get("Location") != page {
			t.Fatalf("%s: answered %d to %q: %s", verb, got.Code, got.Header().Get("Location"), got.Body)
		}
		said := w.said[0]
		if len(w.said) != 1 || said.Request != rec.Request.ID || said.Verb != verb || said.By != gatetest.Bo() ||
			said.Manifest != rec.Request.Manifest.Digest() || said.Reason != "the changelog is missing" {
			t.Errorf("%s: said %+v", verb, w.said)
		}
		says(t, c.open(page).Body.String(), `class="notice good" role="status"`)
		if strings.Contains(c.open(page).Body.String(), `class="notice`) {
			t.Error("the notice stays")
		}
	}
}

// What does not count is told with why, at once; what is not judged yet, that it is on record.
func TestSayIsJudged(t *testing.T) {
	w, rec := waiting(t)
	c := w.signedIn(t, gatetest.Bo())
	w.uncounted = "@bo has read, approving needs write"
	c.submit(release+"/approve", manifest(rec))
	says(t, c.open(page).Body.String(), `class="notice bad" role="status"`, "does not count: @bo has read, approving needs write")
	w, rec = waiting(t)
	c = w.signedIn(t, gatetest.Bo())
	w.unjudged = true
	c.submit(release+"/approve", manifest(rec))
	says(t, c.open(page).Body.String(), "Your approval is on record")
}

// Programs with a session send JSON, and get the release.
func TestSayJSON(t *testing.T) {
	w, rec := waiting(t)
	c := w.signedIn(t, gatetest.Bo())
	body := `{"manifest_digest":"` + rec.Request.Manifest.Digest().String() + `","reason":""}`
	got := c.send(http.MethodPost, release+"/approve", body, "Content-Type: application/json; charset=utf-8", "Sec-Fetch-Site: same-origin")
	var r api.Release
	if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil || got.Code != http.StatusOK || r.ID != rec.Request.ID || len(w.said) != 1 {
		t.Fatalf("answered %d: %s", got.Code, got.Body)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"manifest_digest":"A"}`, body + body, `{"manifest_digest":"` + strings.Repeat("a", 64) + `","verb":"x"}`, strings.Repeat(" ", 20<<10)} {
		got := c.send(http.MethodPost, release+"/approve", bad, "Content-Type: application/json")
		if got.Code != http.StatusBadRequest && got.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%.40q: %d %s", bad, got.Code, got.Body)
		}
	}
	if len(w.said) != 1 {
		t.Errorf("said %v", w.said)
	}
}

// What somebody may do is what the forge says now, not what it said when they signed in.
func TestSayRefused(t *testing.T) {
	bo := gatetest.Bo().ID
	rows := []struct {
		name   string
		who    gate.Account // nobody is signed in where it is the zero Account
		edit   func(w *town)
		form   func(rec gate.Record) url.Values
		status int
		says   []string
	}{
		{"signed out", gate.Account{}, nil, manifest, 401, []string{"CS-1310", "nothing was done", "Sign in with", `value="` + page + `"`}},
		{"lost permission", gatetest.Bo(), func(w *town) { w.github.set(bo, gate.RoleNone) }, manifest, 403, []string{"CS-1307", "@bo has no right in acme/app now", "Back to the release"}},
		{"the forge is silent", gatetest.Bo(), func(w *town) { w.github.silent = true }, manifest, 503, []string{"CS-1601", "nothing was done"}},
		{"signed in elsewhere", gate.Account{ID: gate.AccountID{Forge: "gitlab", ID: bo.ID}, Login: "bo", Human: true},
			func(w *town) { w.gitlab.set(gate.AccountID{Forge: "gitlab", ID: bo.ID}, gate.RoleAdmin) }, manifest, 403, []string{"CS-1307", "sign in with GitHub"}},
		{"an administrator of the server without a right", root(), nil, manifest, 403, []string{"CS-1307"}},
		{"no digest", gatetest.Bo(), nil, func(gate.Record) url.Values { return nil }, 400, []string{"CS-1108", "64 lower-case hex digits"}},
		{"half a digest", gatetest.Bo(), nil, func(gate.Record) url.Values { return url.Values{"manifest": {"abcd"}} }, 400, []string{"CS-1108"}},
		{"a digest in capitals", gatetest.Bo(), nil, func(gate.Record) url.Values { return url.Values{"manifest": {strings.Repeat("A", 64)}} }, 400, []string{"CS-1108"}},
		{"too much", gatetest.Bo(), nil, func(gate.Record) url.Values { return url.Values{"reason": {strings.Repeat("a", 20<<10)}} }, 400, []string{"CS-1102"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w, rec := waiting(t)
			c := w.chrome(t)
			if row.who.Login != "" {
				c = w.signedIn(t, row.who)
			}
			if row.edit != nil {
				row.edit(w)
			}
			got := c.submit(release+"/approve", row.form(rec))
			if got.Code != row.status || len(w.said) > 0 {
				t.Errorf("answered %d, said %v: %s", got.Code, w.said, got.Body)
			}
			says(t, got.Body.String(), row.says...)
		})
	}
}

// What the life of the request refuses comes as a page that says what to do: the second of
// two browsers, and whoever pressed on a page of yesterday.
func TestSayTooLate(t *testing.T) {
	for _, e := range []*gate.Error{
		{Kind: gate.Conflict, Code: gate.CodeEnded, Text: "the release is signed: nothing to say about it any more", Fix: "read its page again"},
		{Kind: gate.Conflict, Code: gate.CodePageStale, Text: "the page showed other files than this release has", Expected: "a", Got: "b", Fix: "load the page again"},
	} {
		w, rec := waiting(t)
		one, two := w.signedIn(t, gatetest.Bo()), w.signedIn(t, gatetest.Bo())
		one.submit(release+"/approve", manifest(rec))
		w.refuse = e
		got := two.submit(release+"/approve", manifest(rec))
		if got.Code != http.StatusConflict {
			t.Errorf("answered %d", got.Code)
		}
		says(t, got.Body.String(), e.Text, e.Code.String(), `<a href="`+page+`">Back to the release</a>`)
	}
}

// A private repository's release cannot be spoken of by who may not see it, and looks like
// none: by its page, its API, its events, and whatever is said of it.
func TestPrivateLooksLikeNone(t *testing.T) {
	w := newTown(t)
	w.put(private(t))
	w.github.set(gatetest.Bo().ID, gate.RoleRead)
	stranger, anybody := w.signedIn(t, eve()), w.chrome(t)
	const nothing = "/0197f3a0-0000-7000-8000-0000000000ff"
	id := "/" + gatetest.RequestID
	for _, c := range []*chrome{stranger, anybody} {
		for _, path := range []string{"/releases%s", "/v1/releases%s", "/events?release=%s"} {
			at := func(id string) string {
				if strings.Contains(path, "=") {
					id = id[1:]
				}
				return strings.Replace(path, "%s", id, 1)
			}
			hidden, none := c.open(at(id)), c.open(at(nothing))
			same := strings.ReplaceAll(hidden.Body.String(), gatetest.RequestID, "ID") == strings.ReplaceAll(none.Body.String(), nothing[1:], "ID")
			if hidden.Code != none.Code || hidden.Code == http.StatusOK || !same {
				t.Errorf("%s: %d and %d\n%s\n%s", path, hidden.Code, none.Code, hidden.Body, none.Body)
			}
		}
		hidden, none := c.submit("/v1/releases"+id+"/approve", nil), c.submit("/v1/releases"+nothing+"/approve", nil)
		if hidden.Code != none.Code || strings.ReplaceAll(hidden.Body.String(), gatetest.RequestID, "ID") != strings.ReplaceAll(none.Body.String(), nothing[1:], "ID") {
			t.Errorf("%d and %d", hidden.Code, none.Code)
		}
		if body := c.open("/").Body.String(); strings.Contains(body, "acme") || strings.Contains(body, gatetest.RequestID) {
			t.Errorf("the inbox shows %s", body)
		}
	}
	for _, c := range []*chrome{w.signedIn(t, gatetest.Bo()), w.signedIn(t, root())} {
		says(t, c.open("/").Body.String(), "acme/app")
		if got := c.open(page); got.Code != http.StatusOK {
			t.Errorf("the page answers %d", got.Code)
		}
		if got := c.open(release); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"manifest_digest"`) {
			t.Errorf("the API answers %d", got.Code)
		}
	}
	says(t, anybody.open(page).Body.String(), "sign in as somebody who may read it", "Sign in with <bdi>GitHub</bdi>")
}
