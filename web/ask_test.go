package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/gatetest"
)

const auth = "Authorization: Bearer " + goodJob

// askOf is a good ask with its members replaced, or left out where the value is "".
func askOf(members ...string) string {
	digest := gate.SHA256([]byte("app")).String()
	all := []struct{ name, value string }{
		{"repository", `"github:1296269"`}, {"ref", `"refs/tags/v1.4.0"`}, {"commit", `"` + gatetest.Commit + `"`},
		{"subjects", `[{"name":"app.tar.gz","sha256":"` + digest + `"}]`},
	}
	var out []string
	for _, m := range all {
		for i := 0; i < len(members); i += 2 {
			if members[i] == m.name {
				m.value = members[i+1]
			}
		}
		if m.value != "" {
			out = append(out, fmt.Sprintf("%q:%s", m.name, m.value))
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

func TestAskOpensAndJoins(t *testing.T) {
	w := newWorld(t)
	body, err := json.Marshal(api.Ask{
		Repository: "github:1296269", Ref: gatetest.Ref, Commit: gatetest.Commit, Stream: "stable",
		Subjects: []gate.Subject{ // in any order
			{Name: "b.tar.gz", SHA256: gate.SHA256([]byte("b"))}, {Name: "a.tar.gz", SHA256: gate.SHA256([]byte("a"))},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, joined := range []bool{false, true} {
		got := w.call(t, http.MethodPost, "/v1/releases", string(body), auth)
		var r api.Release
		if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil || got.Code != http.StatusAccepted {
			t.Fatalf("answered %d: %v: %s", got.Code, err, got.Body)
		}
		if r.ID != gatetest.RequestID || r.State != gate.StateWaiting || r.Joined != joined {
			t.Errorf("answered %s %s, joined %t", r.ID, r.State, r.Joined)
		}
		if at := got.Header().Get("Location"); at != origin+"/v1/releases/"+r.ID {
			t.Errorf("Location is %s", at)
		}
	}
	ask := w.asks[0]
	if ask.Server != "sign.example.org" || ask.Stream != "stable" || ask.Manifest.Subjects[0].Name != "a.tar.gz" {
		t.Errorf("asked %+v", ask)
	}
	hash, err := canonical.AskHash(ask)
	if err != nil {
		t.Fatal(err)
	}
	want := w.wants[0]
	if want.GitHub != canonical.AskAudience("sign.example.org", hash) || want.GitLab != origin || !want.RunChecked {
		t.Errorf("the ID token has to be for %+v", want)
	}
}

// A list is a list in JSON, even where nothing was judged yet.
func TestNoNullLists(t *testing.T) {
	w := newWorld(t)
	got := w.call(t, http.MethodPost, "/v1/releases", askOf(), auth)
	if strings.Contains(got.Body.String(), "null") {
		t.Errorf("answered %s", got.Body)
	}
}

func TestBadAsks(t *testing.T) {
	const malformed, subjects = gate.CodeBodyMalformed, gate.CodeSubjects
	long := strings.Repeat("x", 4000)
	rows := []struct {
		name, body string
		code       gate.Code
		got        string // part of what is said to have come
	}{
		{"nothing", "", malformed, "no JSON object"},
		{"no JSON", "repository=github:1", malformed, "no JSON object"},
		{"null", "null", malformed, "no JSON object"},
		{"a list", "[" + askOf() + "]", malformed, "no JSON object"},
		{"truncated", askOf()[:40], malformed, "breaks off"},
		{"bad syntax", `{"repository":,}`, malformed, "no JSON at byte 15"},
		{"trailing bytes", askOf() + "x", malformed, "more after"},
		{"two objects", askOf() + askOf(), malformed, "more after"},
		{"unknown field", `{"mode":"audit",` + askOf()[1:], malformed, `unknown field "mode"`},
		{"unknown field, long", `{"` + long + `":1,` + askOf()[1:], malformed, `unknown field "xxx`},
		{"unknown field in a subject", askOf("subjects", `[{"name":"a","size":1}]`), malformed, `unknown field "size"`},
		{"field twice", `{"commit":"` + gatetest.Head + `",` + askOf()[1:], malformed, `"commit" twice`},
		{"field twice, escaped", `{"\u0063ommit":"` + gatetest.Head + `",` + askOf()[1:], malformed, `"commit" twice`},
		{"field twice in a subject", askOf("subjects", `[{"name":"a","name":"b","sha256":""}]`), malformed, `"name" twice`},
		{"field in another case", strings.Replace(askOf(), "commit", "Commit", 1), malformed, `unknown field "Commit"`},
		{"field in a lookalike case", strings.Replace(askOf(), "subjects", "\u017fubjects", 1), malformed, "unknown field"},
		{"number as a string", askOf("ref", "7"), malformed, `a JSON number as "ref"`},
		{"object as the list", askOf("subjects", "{}"), malformed, `a JSON object as "subjects"`},
		{"no UTF-8", askOf("ref", "\"refs/tags/\xff\""), malformed, "not UTF-8"},
		{"half a surrogate pair", askOf("subjects", `[{"name":"a\ud800","sha256":""}]`), malformed, "not Unicode"},
		{"too deep", askOf("subjects", strings.Repeat("[", 100_000)), malformed, ""},
		{"no repository", askOf("repository", ""), malformed, `""`},
		{"repository by name", askOf("repository", `"acme/app"`), malformed, `"acme/app"`},
		{"repository, long", askOf("repository", `"`+long+`"`), malformed, "(4000 bytes)"},
		{"no ref", askOf("ref", ""), malformed, `""`},
		{"short ref", askOf("ref", `"v1.4.0"`), malformed, `"v1.4.0"`},
		{"odd ref", askOf("ref", `"refs/tags/a#b"`), malformed, "a#b"},
		{"short commit", askOf("commit", `"1111111"`), malformed, `"1111111"`},
		{"odd stream", `{"stream":"../x",` + askOf()[1:], malformed, "../x"},
		{"no subjects", askOf("subjects", ""), subjects, "0"},
		{"null subject", askOf("subjects", "[null]"), subjects, `""`},
		{"no digest", askOf("subjects", `[{"name":"a"}]`), subjects, `""`},
		{"upper-case digest", askOf("subjects", `[{"name":"a","sha256":"`+strings.Repeat("AB", 32)+`"}]`), subjects, "ABAB"},
		{"long digest", askOf("subjects", `[{"name":"a","sha256":"`+long+`"}]`), subjects, "(4000 bytes)"},
		{"name out of the folder", askOf("subjects", `[{"name":"../a","sha256":"`+strings.Repeat("ab", 32)+`"}]`), subjects, "../a"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			p := refuses(t, w.call(t, http.MethodPost, "/v1/releases", row.body, auth), http.StatusBadRequest, row.code)
			if !strings.Contains(p.Got, row.got) || p.Expected == "" || len(p.Got) > 400 {
				t.Errorf("expected %q, got %q, not %q", p.Expected, p.Got, row.got)
			}
			if len(w.wants) > 0 || len(w.asks) > 0 {
				t.Error("it went further than the body")
			}
		})
	}
}

func TestAuthorization(t *testing.T) {
	const basic = "Basic dXNlcjpwYXNz"
	rows := []struct {
		name    string
		header  []string
		code    gate.Code
		answers string // the challenge
	}{
		{"none", nil, gate.CodeTokenMissing, `Bearer realm="countersign"`},
		{"empty", []string{"Authorization: "}, gate.CodeTokenMissing, `Bearer realm="countersign"`},
		{"another scheme", []string{"Authorization: " + basic}, gate.CodeTokenMissing, `Bearer realm="countersign"`},
		{"no token", []string{"Authorization: Bearer "}, gate.CodeTokenMissing, `Bearer realm="countersign"`},
		{"twice", []string{auth, auth}, gate.CodeTokenMissing, `Bearer realm="countersign"`},
		{"garbled", []string{"Authorization: Bearer %%%"}, gate.CodeTokenMalformed, `Bearer realm="countersign", error="invalid_token"`},
		{"two tokens", []string{auth + " " + goodJob}, gate.CodeTokenMalformed, `Bearer realm="countersign", error="invalid_token"`},
		{"too long", []string{"Authorization: Bearer " + strings.Repeat("x", 17<<10)}, gate.CodeTokenMalformed, `Bearer realm="countersign", error="invalid_token"`},
	}
	for _, row := range rows {
		for _, call := range []struct{ method, path string }{
			{http.MethodPost, "/v1/releases"},
			{http.MethodGet, "/v1/releases/" + gatetest.RequestID},
			{http.MethodPost, "/v1/releases/" + gatetest.RequestID + "/collect"},
		} {
			w := newWorld(t)
			w.put(record(t, gate.StateSigned))
			got := w.call(t, call.method, call.path, askOf(), row.header...)
			p := refuses(t, got, http.StatusUnauthorized, row.code)
			if c := got.Header().Get("WWW-Authenticate"); c != row.answers {
				t.Errorf("%s: challenge %s", row.name, c)
			}
			for _, leak := range []string{"dXNlcjpwYXNz", goodJob} {
				if strings.Contains(p.Got, leak) || strings.Contains(w.logs(), leak) {
					t.Errorf("%s: a credential is shown or logged", row.name)
				}
			}
		}
	}
	for _, ok := range []string{"Bearer " + goodJob, "bearer  " + goodJob} {
		w := newWorld(t)
		if got := w.call(t, http.MethodPost, "/v1/releases", askOf(), "Authorization: "+ok); got.Code != http.StatusAccepted {
			t.Errorf("%q: %d", ok, got.Code)
		}
		if strings.Contains(w.logs(), goodJob) {
			t.Error("the ID token is logged")
		}
	}
}

// Whatever comes as an ask is refused with its own code, or is what it plainly says.
func FuzzAsk(f *testing.F) {
	f.Add(askOf())
	f.Add(`{"ref":"a","ref":"b"}`)
	f.Add(`{"Ref":"a"} {}`)
	f.Add(`{"subjects":[{"name":"a","sha256":"` + strings.Repeat("ab", 32) + `"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		got := w.call(t, http.MethodPost, "/v1/releases", body, auth)
		if got.Code == http.StatusBadRequest || got.Code == http.StatusRequestEntityTooLarge {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal([]byte(body), &plain); err != nil || got.Code != http.StatusAccepted {
			t.Fatalf("answered %d to %q: %v", got.Code, body, err)
		}
		ask := w.asks[0]
		if plain["ref"] != ask.Ref || plain["commit"] != ask.Commit || plain["repository"] != ask.Repository.String() {
			t.Fatalf("read %+v from %q", ask, body)
		}
	})
}
