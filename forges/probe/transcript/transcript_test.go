package transcript_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/probe/transcript"
)

const (
	web    = "https://forge.acme.example"
	api    = "https://forge.acme.example/api/v3"
	secret = "correct horse battery staple"
)

// forge answers by path.
type forge map[string]*http.Response

func (f forge) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, ok := f[req.URL.Path]
	if !ok {
		return nil, errors.New("nobody is there")
	}
	resp.Request = req
	return resp, nil
}

func says(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func terms() transcript.Terms {
	return transcript.Terms{Secrets: []string{secret}, Own: []string{"our own words", "countersign/probe"}, URL: web, API: api}
}

// recorded makes one call with a body and gives the transcript's second line.
func recorded(t *testing.T, path, body string, resp *http.Response) transcript.Entry {
	t.Helper()
	plain, err := url.PathUnescape(strings.SplitN(path, "?", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	rec := transcript.NewRecorder(forge{plain: resp})
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer opaque-credential-17")
	got, err := rec.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	lines := written(t, rec, terms())
	var e transcript.Entry
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func written(t *testing.T, rec *transcript.Recorder, terms transcript.Terms) []string {
	t.Helper()
	var out bytes.Buffer
	if err := rec.Write(&out, terms, map[string]string{"repository": "acme/widget"}); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestWhatIsTold(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"numbers, truth and nothing": {`{"id":1296269,"n":1.5,"b":true,"x":null}`, `{"b":true,"id":1296269,"n":1.5,"x":null}`},
		"big numbers":                {`{"id":123456789012345678901234567890}`, `{"id":123456789012345678901234567890}`},
		"a commit":                   {`{"sha":"3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"}`, `{"sha":"3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"}`},
		"a time":                     {`{"created_at":"2026-11-22T12:00:00.123Z"}`, `{"created_at":"2026-11-22T12:00:00.123Z"}`},
		"a forge's word":             {`{"state":"open","type":"Bot"}`, `{"state":"open","type":"Bot"}`},
		"a login":                    {`{"login":"ana","username":"ana"}`, `{"login":"user-1","username":"user-1"}`},
		"a login in upper case":      {`[{"login":"ana"},{"login":"ANA"}]`, `[{"login":"user-1"},{"login":"user-1"}]`},
		"a bot's login":              {`{"login":"acme-gate[bot]"}`, `{"login":"user-1[bot]"}`},
		"an address":                 {`{"email":"ana@acme.example"}`, `{"email":"user-1@invalid"}`},
		"a full name":                {`{"full_name":"acme/widget","owner":{"login":"acme"}}`, `{"full_name":"name-1/name-2","owner":{"login":"name-1"}}`},
		"what people write":          {`{"title":"Ana's plan","body":"Ana's plan"}`, `{"body":"text-1","title":"text-1"}`},
		"our own words":              {`{"title":"our own words"}`, `{"title":"our own words"}`},
		"our own mark":               {`{"body":"Ana's plan\n\n<!-- countersign:thread:probe -->"}`, `{"body":"text-1\n\n\u003c!-- countersign:thread:probe --\u003e"}`},
		"a release's mark":           {`{"body":"Ana's plan <!-- countersign:thread:acme-1 -->"}`, `{"body":"text-1"}`},
		"secret fields":              {`{"token":"x","client_secret":"y","runners_token":"z","pem":"p"}`, `{"client_secret":"[redacted]","pem":"[redacted]","runners_token":"[redacted]","token":"[redacted]"}`},
		"a secret anywhere":          {`{"note":"it is ` + secret + `!"}`, `{"note":"[redacted]"}`},
		"the call's credential":      {`{"note":"opaque-credential-17"}`, `{"note":"[redacted]"}`},
		"what looks like a token":    {`{"note":"ghs_abcdefgh12345678"}`, `{"note":"[redacted]"}`},
		"a role made up":             {`{"role_name":"acme-heads","permission":"write"}`, `{"permission":"write","role_name":"name-1"}`},
		"permissions":                {`{"permissions":{"contents":"read","checks":"write"}}`, `{"permissions":{"checks":"write","contents":"read"}}`},
		"a link":                     {`{"url":"` + api + `/repos/acme/widget/issues/7"}`, `{"url":"https://forge.invalid/api/v3/repos/name-1/name-2/issues/7"}`},
		"an anchor":                  {`{"url":"` + web + `/acme/widget/pull/7#issuecomment-12"}`, `{"url":"https://forge.invalid/name-1/name-2/pull/7#issuecomment-12"}`},
		"a link elsewhere":           {`{"url":"http://intranet.acme.example/plan?id=ana"}`, `{"url":"https://elsewhere.invalid/name-1?id=name-2"}`},
		"a branch":                   {`{"ref":"refs/heads/feature/ana"}`, `{"ref":"refs/heads/name-1/name-2"}`},
		"main":                       {`{"ref":"refs/heads/main"}`, `{"ref":"refs/heads/main"}`},
		"a file":                     {`{"encoding":"base64","content":"YW5h","size":3}`, `{"content":"IyBsZWZ0IG91dAo=","encoding":"base64","size":11}`},
		"a name as a key":            {`{"ana@acme.example":1}`, `{"user-1@invalid":1}`},
		"no JSON":                    {`<html>ana</html>`, `"[16 bytes that are no JSON]"`},
		"JSON and more":              {`{} ana`, `"[6 bytes that are no JSON]"`},
		"a bare text":                {`"ana"`, `"name-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			e := recorded(t, "/api/v3/app", "", says(200, row.body))
			if string(e.Body) != row.want {
				t.Errorf("expected %s, got %s", row.want, e.Body)
			}
		})
	}
}

func TestRefusalsAreKept(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"Branch not protected"}`:                  `{"message":"Branch not protected"}`,
		`{"message":"No access for ana@acme.example, sorry"}`: `{"message":"No access for user-1@invalid, sorry"}`,
		`{"owner":{"login":"acme"},"message":"No acme here"}`: `{"message":"No user-1 here","owner":{"login":"user-1"}}`,
		`{"message":"` + secret + `"}`:                        `{"message":"[redacted]"}`,
	} {
		e := recorded(t, "/api/v3/app", "", says(404, body))
		if string(e.Body) != want {
			t.Errorf("expected %s, got %s", want, e.Body)
		}
	}
}

func TestRequestsAreRedacted(t *testing.T) {
	e := recorded(t, "/api/v3/repos/acme/widget/branches/ana%2Fx/protection?ref=refs/heads/ana&per_page=100",
		`{"query":"query { a: object(oid: \"3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a\") { oid } b: user(login: \"ana\") { id } }","variables":{"name":"widget"}}`,
		says(200, "{}", "X-Request-Id", "abc", "Set-Cookie", "session=1", "X-RateLimit-Remaining", "4999",
			"Link", "<"+api+"/repositories/7/branches?page=2&after=ana>; rel=\"next\""))
	for what, pair := range map[string][2]string{
		"target":  {e.Target, "/api/v3/repos/name-1/name-2/branches/name-3%2Fname-4/protection?per_page=100&ref=refs%2Fheads%2Fname-3"},
		"request": {string(e.Request), `{"query":"query { a: object(oid: \"3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a\") { oid } b: user(login: \"name-3\") { id } }","variables":{"name":"name-2"}}`},
		"link":    {e.Header["Link"], `<https://forge.invalid/api/v3/repositories/7/branches?after=name-3&page=2>; rel="next"`},
		"limit":   {e.Header["X-Ratelimit-Remaining"], "4999"},
		"headers": {strings.Join(keys(e.Header), " "), "Content-Type Link X-Ratelimit-Remaining"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: expected %s, got %s", what, pair[1], pair[0])
		}
	}
}

func keys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// A transcript that would tell a secret all the same is not written, no line of it.
func TestNoSecretIsWritten(t *testing.T) {
	rec := transcript.NewRecorder(forge{"/api/v3/app": says(200, `{"id":1}`)})
	var out bytes.Buffer
	terms := terms()
	terms.Secrets = append(terms.Secrets, `"transcript":1`)
	if err := rec.Write(&out, terms, nil); err == nil || out.Len() > 0 || strings.Contains(err.Error(), "transcript\":1") {
		t.Errorf("expected an error that does not tell it, got %v and %q", err, out.String())
	}
}

// Whoever reads through the recorder gets all there is, of bodies of any length.
func TestRecorderPassesOn(t *testing.T) {
	for _, n := range []int{0, 1, 4 << 20, 4<<20 + 1, 5 << 20} {
		body := strings.Repeat("x", n)
		rec := transcript.NewRecorder(forge{"/api/v3/app": says(200, body)})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/app", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rec.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != body {
			t.Errorf("expected %d bytes, got %d, %v", n, len(got), err)
		}
		_ = resp.Body.Close()
		if lines := written(t, rec, terms()); rec.Calls() != 1 || len(lines) != 2 || len(lines[1]) > 1000 {
			t.Errorf("%d bytes: expected one short line, got %d lines", n, len(lines))
		}
	}
}

func TestNoAnswerIsReplayed(t *testing.T) {
	rec := transcript.NewRecorder(forge{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/app", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.RoundTrip(req); err == nil {
		t.Fatal("expected an error")
	}
	replay, err := transcript.Read(strings.NewReader(strings.Join(written(t, rec, terms()), "\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replay.RoundTrip(req); err == nil {
		t.Error("expected no answer again")
	}
	other := req.Clone(t.Context())
	other.URL.Path = "/api/v3/user"
	resp, err := replay.RoundTrip(other)
	if err != nil || resp.StatusCode != http.StatusNotImplemented || len(replay.Strays()) != 1 {
		t.Errorf("expected 501 and a stray, got %v, %v", resp, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "x", "another format": `{"transcript":2,"about":{},"url":"","api":""}`,
		"an unknown field": `{"transcript":1,"about":{},"url":"","api":"","more":1}`,
		"a broken line":    `{"transcript":1,"about":{},"url":"","api":""}` + "\n{",
	} {
		if _, err := transcript.Read(strings.NewReader(text), nil); err == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
}

// Whatever a forge answers, no secret and no login of the answer is told.
func FuzzNothingIsTold(f *testing.F) {
	f.Add(`{"login":"zaphod-b","note":"NOTE"}`, 200, "application/json")
	f.Add(`[{"commit":{"author":{"name":"zaphod-b","email":"zaphod-b@acme.example"}}}]`, 404, "text/html")
	f.Add(`{"content":"zaphod-b","encoding":"base64"}`, 200, "zaphod-b")
	f.Add(`{"a":"https://x.example/zaphod-b#zaphod-b"}`, 500, "")
	f.Fuzz(func(t *testing.T, body string, status int, contentType string) {
		body = strings.ReplaceAll(body, "NOTE", secret)
		rec := transcript.NewRecorder(forge{"/api/v3/app": says(status, body, "Content-Type", contentType)})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/app", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rec.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		var out bytes.Buffer
		if err := rec.Write(&out, terms(), nil); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("the secret is told: %s", out.String())
		}
		if _, err := transcript.Read(&out, nil); err != nil {
			t.Errorf("the transcript does not read again: %v", err)
		}
	})
}
