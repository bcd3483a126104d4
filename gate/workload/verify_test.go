package workload_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/workload"
)

func TestGitHubWorkload(t *testing.T) {
	i := newIssuer(t, gate.GitHub)
	w, err := i.verify(i.mint(map[string]any{"environment": "release"}))
	if err != nil {
		t.Fatal(err)
	}
	if w.Claims["repository_visibility"] != "public" || len(w.Claims) < 30 {
		t.Errorf("claims were not kept: %v", w.Claims)
	}
	w.Claims = nil
	want := gate.Workload{
		Forge: "here", Kind: gate.GitHub, Issuer: i.URL, Audience: askedFor, TokenID: "a1b2",
		IssuedAt: i.now, Expires: i.now.Add(300 * time.Second),
		Repository: gate.RepositoryID{Forge: "here", ID: 1296269}, RepositoryName: "acme/widget",
		Owner: gate.AccountID{Forge: "here", ID: 55}, Ref: "refs/tags/v1.4.0", Commit: sha,
		Workflow: "acme/widget/.github/workflows/release.yml", WorkflowRef: "refs/tags/v1.4.0", WorkflowCommit: sha,
		JobWorkflow: "acme/widget/.github/workflows/release.yml@refs/tags/v1.4.0", JobWorkflowCommit: sha,
		Event: "push", Environment: "release", Runner: "github-hosted", RunID: 9001, RunAttempt: 2, JobID: 777,
		Actor: gate.Account{ID: gate.AccountID{Forge: "here", ID: 101}, Login: "ana"},
	}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("workload (-want +got):\n%s", diff)
	}
}

func TestGitLabWorkload(t *testing.T) {
	i := newIssuer(t, gate.GitLab)
	w, err := i.verify(i.mint(nil))
	if err != nil {
		t.Fatal(err)
	}
	w.Claims = nil
	want := gate.Workload{
		Forge: "here", Kind: gate.GitLab, Issuer: i.URL, Audience: public, TokenID: "a1b2",
		IssuedAt: i.now, Expires: i.now.Add(300 * time.Second), Private: true,
		Repository: gate.RepositoryID{Forge: "here", ID: 20}, RepositoryName: "acme/tools/widget",
		Owner: gate.AccountID{Forge: "here", ID: 72}, Ref: "refs/tags/v1.4.0", Commit: sha,
		Workflow: "gitlab.example.org/acme/tools/widget//.gitlab-ci.yml", WorkflowRef: "refs/tags/v1.4.0", WorkflowCommit: sha,
		Event: "push", Runner: "gitlab-hosted", RunID: 574, RunAttempt: 1, JobID: 302,
		Actor: gate.Account{ID: gate.AccountID{Forge: "here", ID: 101}, Login: "ana"},
	}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("workload (-want +got):\n%s", diff)
	}
}

// row is one ID token and what becomes of it. Code 0 is accepted.
type row struct {
	what string
	code gate.Code
	with map[string]any
}

func allow(what string, with map[string]any) row { return row{what: what, with: with} }

func deny(what string, code gate.Code, with map[string]any) row {
	return row{what: what, code: code, with: with}
}

func is(name string, v any) map[string]any { return map[string]any{name: v} }

// refused asserts a complete refusal that does not repeat the token.
func refused(t *testing.T, what, raw string, err error, code gate.Code) {
	t.Helper()
	var e *gate.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v, want a refusal", what, err)
		return
	}
	if e.Code != code || e.Kind != gate.Unidentified || e.Expected == "" || e.Got == "" || e.Fix == "" {
		t.Errorf("%s: got %+v, want a complete refusal with %s", what, e, code)
	}
	if _, signature, _ := strings.Cut(raw, "."); len(signature) > 20 && strings.Contains(err.Error()+e.Got, signature[len(signature)-20:]) {
		t.Errorf("%s: the refusal repeats the ID token: %v", what, err)
	}
}

func (i *issuer) table(rows []row) {
	i.t.Helper()
	for _, r := range rows {
		raw := i.mint(r.with)
		_, err := i.verify(raw)
		if r.code == 0 {
			if err != nil {
				i.t.Errorf("%s: %v", r.what, err)
			}
			continue
		}
		refused(i.t, r.what, raw, err, r.code)
		i.tabled(r.what, raw, err)
	}
}

func TestGitHubClaims(t *testing.T) {
	i := newIssuer(t, gate.GitHub)
	now := i.now.Unix()
	long := strings.Repeat("9", 20)
	i.table([]row{
		allow("a branch", map[string]any{
			"ref": "refs/heads/main", "ref_type": "branch", "workflow_ref": "acme/widget/.github/workflows/release.yml@refs/heads/main",
		}),
		allow("audience as a list of one", is("aud", []string{askedFor})),
		allow("an older GitHub without check_run_id", is("check_run_id", nil)),
		allow("clock a minute behind", map[string]any{"iat": now + 60, "exp": now + 360}),
		allow("five minutes old", map[string]any{"iat": now - 300, "exp": now + 1}),
		allow("attack 6: a custom sub means nothing", is("sub", "repository_owner:evil")),
		allow("the immutable sub agrees", is("sub", "repo:acme@55/widget@1296269:ref:refs/tags/v1.4.0")),

		deny("attack 1: foreign issuer", gate.CodeIssuerUnknown, is("iss", "https://evil.example.org")),
		deny("attack 1: issuer with a slash more", gate.CodeIssuerUnknown, is("iss", i.URL+"/")),
		deny("attack 10: issuer with ours inside", gate.CodeIssuerUnknown, is("iss", "https://evil.example.org/?"+i.URL)),
		deny("attack 10: issuer that starts like ours", gate.CodeIssuerUnknown, is("iss", i.URL+".evil.example.org")),
		deny("no issuer", gate.CodeTokenClaims, is("iss", nil)),
		deny("attack 2: made for another service", gate.CodeAudience, is("aud", "sigstore")),
		deny("attack 2: two audiences", gate.CodeAudience, is("aud", []string{askedFor, "sigstore"})),
		deny("attack 2: the same audience twice", gate.CodeAudience, is("aud", []string{askedFor, askedFor})),
		deny("no audience in the list", gate.CodeAudience, is("aud", []string{})),
		deny("no audience", gate.CodeTokenClaims, is("aud", nil)),
		deny("audience is a number", gate.CodeTokenClaims, is("aud", 7)),
		deny("attack 3: another ask", gate.CodeAudience, is("aud", askedFor+"1")),
		deny("GitLab's form of audience", gate.CodeAudience, is("aud", public)),

		deny("expired", gate.CodeTokenExpired, map[string]any{"iat": now - 200, "exp": now}),
		deny("attack 9: too old", gate.CodeTokenExpired, map[string]any{"iat": now - 301, "exp": now + 100}),
		deny("attack 9: lives too long", gate.CodeTokenExpired, is("exp", now+901)),
		deny("from the future", gate.CodeTokenExpired, map[string]any{"iat": now + 61, "exp": now + 300}),
		deny("not valid yet", gate.CodeTokenExpired, is("nbf", now+61)),
		deny("no iat", gate.CodeTokenClaims, is("iat", nil)),
		deny("no exp", gate.CodeTokenClaims, is("exp", nil)),
		deny("no nbf", gate.CodeTokenClaims, is("nbf", nil)),
		deny("iat as a text", gate.CodeTokenClaims, is("iat", fmt.Sprint(now))),
		deny("exp with a fraction", gate.CodeTokenClaims, is("exp", float64(now)+0.5)),
		deny("exp beyond all numbers", gate.CodeTokenMalformed, is("exp", json.RawMessage("1e400"))),
		deny("negative iat", gate.CodeTokenClaims, is("iat", -1)),
		deny("no jti", gate.CodeTokenClaims, is("jti", nil)),
		deny("empty jti", gate.CodeTokenClaims, is("jti", "")),
		deny("no sub", gate.CodeTokenClaims, is("sub", nil)),

		deny("attack 5: no repository_id", gate.CodeTokenClaims, is("repository_id", nil)),
		deny("attack 5: repository_id is a name", gate.CodeTokenClaims, is("repository_id", "acme/widget")),
		deny("attack 5: no repository_owner_id", gate.CodeTokenClaims, is("repository_owner_id", nil)),
		deny("attack 5: the immutable sub names another repository", gate.CodeTokenClaims, is("sub", "repo:acme@55/widget@1:ref:refs/tags/v1.4.0")),
		deny("attack 5: the immutable sub names another owner", gate.CodeTokenClaims, is("sub", "repo:acme@56/widget@1296269:x")),
		deny("attack 6: half an immutable sub", gate.CodeTokenClaims, is("sub", "repo:acme@55/widget:ref:refs/tags/v1.4.0")),
		deny("repository of another owner", gate.CodeTokenClaims, is("repository", "evil/widget")),
		deny("repository without owner", gate.CodeTokenClaims, is("repository", "widget")),
		deny("number in place of a text", gate.CodeTokenClaims, is("repository_id", 1296269)),
		deny("leading zero", gate.CodeTokenClaims, is("repository_id", "01296269")),
		deny("plus sign", gate.CodeTokenClaims, is("actor_id", "+101")),
		deny("negative", gate.CodeTokenClaims, is("actor_id", "-1")),
		deny("too large", gate.CodeTokenClaims, is("run_id", long)),
		deny("check_run_id is odd", gate.CodeTokenClaims, is("check_run_id", "x")),
		deny("no actor", gate.CodeTokenClaims, is("actor", nil)),
		deny("null event", gate.CodeTokenClaims, is("event_name", json.RawMessage("null"))),
		deny("list for a text", gate.CodeTokenClaims, is("event_name", []string{"push"})),
		deny("unknown runner", gate.CodeTokenClaims, is("runner_environment", "somewhere")),

		deny("attack 22: short ref", gate.CodeTokenClaims, is("ref", "v1.4.0")),
		deny("attack 22: branch said to be a tag", gate.CodeTokenClaims, is("ref", "refs/heads/v1.4.0")),
		deny("attack 12: pull request ref", gate.CodeTokenClaims, map[string]any{"ref": "refs/pull/1/merge", "ref_type": "branch"}),
		deny("attack 21: ref with a fragment", gate.CodeTokenClaims, is("ref", "refs/tags/v1#x")),
		deny("unknown ref_type", gate.CodeTokenClaims, is("ref_type", "note")),
		deny("short commit", gate.CodeTokenClaims, is("sha", sha[:7])),
		deny("upper-case commit", gate.CodeTokenClaims, is("sha", strings.ToUpper(sha))),
		deny("no workflow_ref", gate.CodeTokenClaims, is("workflow_ref", nil)),
		deny("workflow of another repository", gate.CodeTokenClaims, is("workflow_ref", "evil/x/.github/workflows/release.yml@refs/tags/v1.4.0")),
		deny("workflow without ref", gate.CodeTokenClaims, is("workflow_ref", "acme/widget/.github/workflows/release.yml")),
		deny("attack 14: workflow_ref with two refs", gate.CodeTokenClaims,
			is("workflow_ref", "acme/widget/.github/workflows/release.yml@refs/tags/a@refs/tags/b")),
		deny("no job_workflow_sha", gate.CodeTokenClaims, is("job_workflow_sha", nil)),
	})
}

func TestGitLabClaims(t *testing.T) {
	i := newIssuer(t, gate.GitLab)
	now := i.now.Unix()
	i.table([]row{
		allow("an older GitLab without job_project_id and ref_path", map[string]any{"job_project_id": nil, "ref_path": nil}),
		allow("attack 9: an hour's timeout, just started", is("exp", now+3600)),
		allow("a self-hosted runner", is("runner_environment", "self-hosted")),
		allow("a branch", map[string]any{
			"ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
			"ci_config_ref_uri": "gitlab.example.org/acme/tools/widget//.gitlab-ci.yml@refs/heads/main",
		}),
		allow("a tag with an @", map[string]any{
			"ref": "@acme/widget@1.0.0", "ref_path": "refs/tags/@acme/widget@1.0.0",
			"ci_config_ref_uri": "gitlab.example.org/acme/tools/widget//.gitlab-ci.yml@refs/tags/@acme/widget@1.0.0",
		}),

		deny("attack 2: made for another service", gate.CodeAudience, is("aud", "https://vault.example.org")),
		deny("GitHub's form of audience", gate.CodeAudience, is("aud", askedFor)),
		deny("attack 9: eleven minutes old, an hour's timeout", gate.CodeTokenExpired, map[string]any{"iat": now - 660, "exp": now + 2940}),
		deny("expired", gate.CodeTokenExpired, map[string]any{"iat": now - 300, "exp": now - 1}),
		deny("attack 7: no job_id", gate.CodeTokenClaims, is("job_id", nil)),
		deny("attack 7: no pipeline_id", gate.CodeTokenClaims, is("pipeline_id", nil)),
		deny("attack 7: no project_id", gate.CodeTokenClaims, is("project_id", nil)),
		deny("a fork's merge request pipeline", gate.CodeTokenClaims, is("project_id", "21")),
		deny("job of another project", gate.CodeTokenClaims, is("job_project_id", "21")),
		deny("attack 12: merge request pipeline", gate.CodeTokenClaims, is("pipeline_source", "merge_request_event")),
		deny("attack 12: external pull request", gate.CodeTokenClaims, is("pipeline_source", "external_pull_request_event")),
		deny("no ci_config_ref_uri", gate.CodeTokenClaims, is("ci_config_ref_uri", nil)),
		deny("null ci_config_ref_uri", gate.CodeTokenClaims, is("ci_config_ref_uri", json.RawMessage("null"))),
		deny("no ci_config_sha", gate.CodeTokenClaims, is("ci_config_sha", nil)),
		deny("CI configuration of another project", gate.CodeTokenClaims,
			is("ci_config_ref_uri", "gitlab.example.org/evil/x//.gitlab-ci.yml@refs/tags/v1.4.0")),
		deny("attack 22: ref_path says branch", gate.CodeTokenClaims, is("ref_path", "refs/heads/v1.4.0")),
		deny("attack 22: unknown ref_type", gate.CodeTokenClaims, is("ref_type", "")),
		deny("attack 21: ref with an escape", gate.CodeTokenClaims, map[string]any{"ref": "v1%23", "ref_path": "refs/tags/v1%23"}),
		deny("project_id as a number", gate.CodeTokenClaims, is("project_id", 20)),
		deny("no user_id", gate.CodeTokenClaims, is("user_id", nil)),
		deny("no runner_environment", gate.CodeTokenClaims, is("runner_environment", nil)),
	})
}

// attack 7: the ID token of somebody who signs in with GitLab has the same issuer and key.
func TestGitLabSignIn(t *testing.T) {
	i := newIssuer(t, gate.GitLab)
	now := i.now.Unix()
	raw := sign(i.json(i.header()), i.json(map[string]any{
		"iss": i.URL, "sub": "101", "aud": public, "iat": now, "nbf": now, "exp": now + 120, "jti": "x", "auth_time": now,
		"name": "Ana", "nickname": "ana", "email": "ana@example.org", "groups_direct": []string{},
	}))
	_, err := i.verify(raw)
	refused(t, "sign-in ID token", raw, err, gate.CodeTokenClaims)
}

// attack 9: a long job's ID token serves while the caller asks whether the job runs.
func TestGitLabRunChecked(t *testing.T) {
	i := newIssuer(t, gate.GitLab)
	raw := i.mint(is("exp", i.now.Add(time.Hour).Unix()))
	i.now = i.now.Add(50 * time.Minute)
	want := workload.Audience{GitLab: public, RunChecked: true}
	if _, err := i.Verify(t.Context(), raw, want); err != nil {
		t.Errorf("50 minutes old, run checked: %v", err)
	}
	i.now = i.now.Add(10 * time.Minute)
	_, err := i.Verify(t.Context(), raw, want)
	refused(t, "expired", raw, err, gate.CodeTokenExpired)
}

func TestAudienceForms(t *testing.T) {
	i := newIssuer(t, gate.GitHub, func(c *workload.Issuer) { c.GitLabAudience = true })
	if _, err := i.verify(i.mint(is("aud", public))); err != nil {
		t.Errorf("GitHub Enterprise with the short audience: %v", err)
	}
	if _, err := i.verify(i.mint(nil)); err != nil {
		t.Errorf("GitHub Enterprise with the long audience: %v", err)
	}
	raw := i.mint(nil)
	_, err := i.Verify(t.Context(), raw, workload.Audience{})
	refused(t, "nothing is wanted", raw, err, gate.CodeAudience)
}

// attack 8: what the header says never chooses how the token is verified.
func TestHeaders(t *testing.T) { onBoth(t, headers) }

func headers(t *testing.T, i *issuer) {
	good := i.mint(nil)
	if _, err := i.verify(good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	none := b64([]byte(`{"alg":"none","kid":"k1"}`)) + "." + parts[1] + "."
	hs := hmacSigned([]byte(`{"alg":"HS256","kid":"k1"}`), parts[1], theKey().N.Bytes())
	for what, raw := range map[string]string{
		"alg none, no signature":  none + b64([]byte("x")),
		"alg HS256 with the key":  hs,
		"alg RS384":               i.mintHeader(is("alg", "RS384")),
		"alg PS256":               i.mintHeader(is("alg", "PS256")),
		"alg in lower case":       i.mintHeader(is("alg", "rs256")),
		"no alg":                  i.mintHeader(is("alg", nil)),
		"no kid":                  i.mintHeader(is("kid", nil)),
		"empty kid":               i.mintHeader(is("kid", "")),
		"kid is a path":           i.mintHeader(is("kid", "../../etc/passwd")),
		"unknown kid":             i.mintHeader(is("kid", "k2")),
		"embedded jwk":            i.mintHeader(is("jwk", jwk("k1", &other.PublicKey))),
		"jku":                     i.mintHeader(is("jku", "https://evil.example.org/jwks")),
		"x5u":                     i.mintHeader(is("x5u", "https://evil.example.org/x")),
		"x5c":                     i.mintHeader(is("x5c", []string{"MII"})),
		"crit":                    i.mintHeader(is("crit", []string{"b64"})),
		"b64":                     i.mintHeader(is("b64", false)),
		"other payload":           parts[0] + "." + b64(i.json(i.claims(is("actor", "bo")))) + "." + parts[2],
		"cut signature":           good[:len(good)-6],
		"signature of zeros":      parts[0] + "." + parts[1] + "." + b64(make([]byte, 256)),
		"signature of one letter": parts[0] + "." + parts[1] + ".AA",
	} {
		_, err := i.verify(raw)
		refused(t, what, raw, err, gate.CodeTokenSignature)
	}
}

func hmacSigned(header []byte, payload string, key []byte) string {
	input := b64(header) + "." + payload
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// loosen changes the bits of a last base64 letter that carry nothing.
func loosen(last byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(letters[strings.IndexByte(letters, last)|1])
}

func TestMalformed(t *testing.T) { onBoth(t, malformed) }

func malformed(t *testing.T, i *issuer) {
	h, p := i.json(i.header()), i.json(i.claims(nil))
	good := sign(h, p)
	parts := strings.Split(good, ".")
	again := func(member string) []byte { return []byte(`{` + member + `,` + string(p[1:])) }
	deep := `{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,` + string(p[1:])
	for what, raw := range map[string]string{
		"one part":                    "hello",
		"two parts":                   parts[0] + "." + parts[1],
		"unsigned: no third part":     parts[0] + "." + parts[1] + ".",
		"four parts":                  good + ".x",
		"five parts (JWE)":            "a.b.c.d.e",
		"too long":                    good + strings.Repeat("A", 20000),
		"padding":                     parts[0] + "=." + parts[1] + "." + parts[2],
		"standard alphabet":           base64.StdEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"??>"}`)) + "." + parts[1] + "." + parts[2],
		"line feed":                   parts[0] + "\n." + parts[1] + "." + parts[2],
		"signature with loose bits":   good[:len(good)-1] + loosen(good[len(good)-1]),
		"JSON serialisation":          `{"payload":"` + parts[1] + `"}`,
		"header is a list":            sign([]byte(`[]`), p),
		"header is null":              sign([]byte(`null`), p),
		"claims are no JSON":          sign(h, []byte(`hello`)),
		"claims are null":             sign(h, []byte(`null`)),
		"claims twice":                sign(h, append(p, p...)),
		"bytes after the claims":      sign(h, append(p, 'x')),
		"truncated claims":            sign(h, p[:len(p)-1]),
		"duplicate claim":             sign(h, again(`"sha":"1"`)),
		"duplicate claim, escaped":    sign(h, again(`"s\u0068a":"1"`)),
		"duplicate member in a claim": sign(h, again(`"x":{"a":1,"a":2}`)),
		"duplicate alg":               sign([]byte(`{"alg":"none","alg":"RS256","kid":"k1"}`), p),
		"nested too deep":             sign(h, []byte(deep)),
	} {
		_, err := i.verify(raw)
		refused(t, what, raw, err, gate.CodeTokenMalformed)
	}
	_, err := i.verify("")
	refused(t, "nothing", "", err, gate.CodeTokenMissing)
	raw := sign(h, []byte(strings.Replace(string(p), `"ana"`, "\"a\xff\"", 1)))
	_, err = i.verify(raw)
	refused(t, "a claim that is not UTF-8", raw, err, gate.CodeTokenClaims)
}

// attack 8: a flood of made-up key ids reads the key set once per pause.
func TestKeyFlood(t *testing.T) { onBoth(t, keyFlood) }

func keyFlood(t *testing.T, i *issuer) {
	good := i.mint(nil)
	if _, err := i.verify(good); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		raw := i.mintHeader(is("kid", fmt.Sprintf("made-up-%d", n)))
		_, err := i.verify(raw)
		refused(t, "made-up kid", raw, err, gate.CodeTokenSignature)
		if n%10 == 9 {
			i.now = i.now.Add(time.Second)
		}
	}
	forged := good[:len(good)-4] + "AAAA"
	for range 20 {
		_, err := i.verify(forged)
		refused(t, "known kid, bad signature", forged, err, gate.CodeTokenSignature)
	}
	if n := i.reads.Load(); n != 1 {
		t.Errorf("the key set was read %d times, want once", n)
	}
	absent := i.mintHeader(is("kid", "absent"))
	for range 10 {
		i.now = i.now.Add(11 * time.Second)
		_, err := i.verify(absent)
		refused(t, "absent kid", absent, err, gate.CodeTokenSignature)
	}
	if n := i.reads.Load(); n != 2 {
		t.Errorf("the key set was read %d times for one absent kid, want once more", n-1)
	}
}

func TestKeyRotation(t *testing.T) { onBoth(t, keyRotation) }

func keyRotation(t *testing.T, i *issuer) {
	if _, err := i.verify(i.mint(nil)); err != nil {
		t.Fatal(err)
	}
	i.keys = []map[string]any{jwk("k2", &theKey().PublicKey)}
	i.now = i.now.Add(11 * time.Second)
	if _, err := i.verify(i.mintHeader(is("kid", "k2"))); err != nil {
		t.Errorf("new key: %v", err)
	}
	raw := i.mint(nil)
	_, err := i.verify(raw)
	refused(t, "withdrawn key", raw, err, gate.CodeTokenSignature)
}

func TestWithdrawnKeyIsForgotten(t *testing.T) { onBoth(t, withdrawnKeyIsForgotten) }

func withdrawnKeyIsForgotten(t *testing.T, i *issuer) {
	if _, err := i.verify(i.mint(nil)); err != nil {
		t.Fatal(err)
	}
	i.keys = []map[string]any{jwk("k2", &theKey().PublicKey)}
	i.now = i.now.Add(time.Hour)
	raw := i.mint(nil)
	_, err := i.verify(raw)
	refused(t, "key withdrawn an hour ago", raw, err, gate.CodeTokenSignature)
}

func TestIssuerOutage(t *testing.T) { onBoth(t, issuerOutage) }

func issuerOutage(t *testing.T, i *issuer) {
	i.down.Store(true)
	for range 3 {
		if _, err := i.verify(i.mint(nil)); gate.KindOf(err) != gate.Unavailable || gate.CodeOf(err) != gate.CodeIssuerUnavailable {
			t.Fatalf("issuer down: %v", err)
		}
	}
	i.down.Store(false)
	i.now = i.now.Add(11 * time.Second)
	if _, err := i.verify(i.mint(nil)); err != nil {
		t.Fatalf("issuer up again: %v", err)
	}
	i.down.Store(true)
	i.now = i.now.Add(2 * time.Hour)
	if _, err := i.verify(i.mint(nil)); err != nil {
		t.Errorf("keys read two hours ago, issuer down: %v", err)
	}
	i.now = i.now.Add(24 * time.Hour)
	if _, err := i.verify(i.mint(nil)); gate.CodeOf(err) != gate.CodeIssuerUnavailable {
		t.Errorf("keys read a day ago, issuer down: %v", err)
	}
}

// Keys that are not meant for verifying RS256 signatures are no keys.
func TestKeysOfOtherUse(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[string]any){
		"for encryption":      func(k map[string]any) { k["use"] = "enc" },
		"for use sign":        func(k map[string]any) { k["use"] = "sign" },
		"for Sig, not sig":    func(k map[string]any) { k["use"] = "Sig" },
		"for signing only":    func(k map[string]any) { k["key_ops"] = []string{"sign"} },
		"for wrapping, said":  func(k map[string]any) { k["key_ops"] = []string{"wrapKey", "encrypt"} },
		"for verify and not":  func(k map[string]any) { k["use"], k["key_ops"] = "enc", []string{"verify"} },
		"for Verify":          func(k map[string]any) { k["key_ops"] = []string{"Verify"} },
		"for RS512":           func(k map[string]any) { k["alg"] = "RS512" },
		"without kid":         func(k map[string]any) { delete(k, "kid") },
		"of an unknown type":  func(k map[string]any) { k["kty"] = "AKP" },
		"too small":           func(k map[string]any) { k["n"] = b64(small.N.Bytes()) },
		"key_ops is no list":  func(k map[string]any) { k["key_ops"] = 7 },
		"without its modulus": func(k map[string]any) { delete(k, "n") },
	} {
		for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
			i := newIssuer(t, kind)
			change(i.keys[0])
			if _, err := i.verify(i.mint(nil)); gate.CodeOf(err) != gate.CodeIssuerUnavailable {
				t.Errorf("%s, key %s: %v", kind, what, err)
			}
			// Beside a good key it is as if it were not there.
			i = newIssuer(t, kind)
			i.keys = append(i.keys, jwk("bad", &theKey().PublicKey))
			change(i.keys[1])
			raw := i.mintHeader(is("kid", "bad"))
			if _, err := i.verify(raw); gate.CodeOf(err) != gate.CodeTokenSignature {
				t.Errorf("%s, key %s beside a good one: %v", kind, what, err)
			}
			if _, err := i.verify(i.mint(nil)); err != nil {
				t.Errorf("%s, key %s hides the good one: %v", kind, what, err)
			}
		}
	}
}

// attack 64: a discovery document, or a redirect, sends us nowhere else.
func TestDiscoveryStaysAtHome(t *testing.T) {
	i := newIssuer(t, gate.GitHub)
	for what, h := range map[string]func(self string) http.HandlerFunc{
		"key set elsewhere": func(self string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, self, i.URL+"/jwks")
			}
		},
		"redirect": func(string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, i.URL+r.URL.Path, http.StatusFound) }
		},
		"another issuer's document": func(self string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, self+"/jwks")
			}
		},
		"endless answer": func(string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"issuer":"` + strings.Repeat("x", 2<<20) + `"}`))
			}
		},
	} {
		var handler http.HandlerFunc
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r) }))
		handler = h(s.URL)
		v := workload.New(workload.Config{
			Issuers: []workload.Issuer{{Forge: "here", Kind: gate.GitHub, URL: s.URL}},
			Now:     func() time.Time { return i.now },
		})
		before := i.reads.Load()
		_, err := v.Verify(t.Context(), i.mint(is("iss", s.URL)), workload.Audience{GitHub: askedFor})
		if gate.CodeOf(err) != gate.CodeIssuerUnavailable || i.reads.Load() != before {
			t.Errorf("%s: %v", what, err)
		}
		s.Close()
	}
}

func FuzzVerify(f *testing.F) {
	t := &testing.T{}
	i := newIssuer(t, gate.GitHub)
	good := i.mint(nil)
	for _, s := range []string{"", ".", "..", good, good[:100], strings.ReplaceAll(good, ".", "")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := i.Verify(t.Context(), string(raw), workload.Audience{GitHub: askedFor})
		if err == nil && string(raw) != good {
			t.Errorf("accepted %q as %+v", raw, w)
		}
		var e *gate.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("unclassified: %v", err)
		}
	})
}

// Whatever the issuer signs, either is a whole job or is refused with a whole table.
func FuzzClaims(f *testing.F) {
	const url = "https://issuer.example"
	issuers := []*issuer{{kind: gate.GitHub, now: noon()}, {kind: gate.GitLab, now: noon()}}
	for _, i := range issuers {
		i.Server = &httptest.Server{URL: url}
		for _, with := range []map[string]any{nil, {"aud": []string{"a", "b"}, "exp": -1, "ref": "\x1b", "sha": map[string]any{"a": 1}}} {
			seed, err := json.Marshal(i.claims(with))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, i := range issuers {
			i.t = t
			raw := b64([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + b64(payload) + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			w, err := workload.ReadClaims(workload.Issuer{Forge: "here", Kind: i.kind, URL: url}, map[gate.ForgeKind]string{gate.GitHub: askedFor, gate.GitLab: public}[i.kind], i.now, raw)
			if err == nil && (w.Repository.ID <= 0 || w.RunID <= 0 || w.TokenID == "" || w.Commit == "" || w.Kind == gate.GitLab && w.JobID <= 0) {
				t.Errorf("accepted %q as %+v", payload, w)
			}
			if err == nil {
				err = asClaims(workload.Told(&gate.Error{Code: gate.CodeTokenRebound}, w, i.askFor(), i.now))
			}
			i.tabled("refused", raw, err)
		}
	})
}
