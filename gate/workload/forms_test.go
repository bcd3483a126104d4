package workload_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/workload"
)

// host serves several issuers under paths of its own, as the forges do: each names
// itself, and all have one key pair.
func host(t *testing.T, jwks func(path string) string) *httptest.Server {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, found := strings.CutSuffix(r.URL.Path, "/.well-known/openid-configuration")
		var doc any = map[string]any{"keys": []any{jwk("k1", &theKey().PublicKey)}}
		if found {
			doc = map[string]any{"issuer": s.URL + path, "jwks_uri": s.URL + jwks(path)}
		}
		_ = json.NewEncoder(w).Encode(doc)
	}))
	t.Cleanup(s.Close)
	return s
}

// Each row is an issuer of the configuration, by where it stands on its host, and what
// becomes of an ID token of another place there: none is taken for another (attack 1).
func TestIssuerForms(t *testing.T) {
	for _, row := range []struct {
		what string
		kind gate.ForgeKind
		path string // of the issuer
		jwks string // of its key set
		deny []string
	}{
		{"github.com", gate.GitHub, "", "/.well-known/jwks", []string{"/", "/acme", "/ACME"}},
		{"an enterprise with its slug", gate.GitHub, "/acme", "/acme/.well-known/jwks", []string{"", "/", "/acme/", "/Acme", "/acme2", "/evil", "/evil/acme", "/acme/evil", "/acme?x", "/acme#x", "/%61cme"}},
		{"GitHub Enterprise Server", gate.GitHub, "/_services/token", "/_services/token/.well-known/jwks", []string{"", "/_services", "/_services/token/", "/_services/token/acme", "/x/../_services/token"}},
		{"a self-managed GitLab", gate.GitLab, "", "/oauth/discovery/keys", []string{"/", "/gitlab"}},
		{"a GitLab under a path", gate.GitLab, "/tools/gitlab", "/tools/gitlab/oauth/discovery/keys", []string{"", "/tools", "/tools/gitlab/", "/tools/GitLab", "/tools/gitlab2"}},
	} {
		s := host(t, func(string) string { return row.jwks })
		i := newIssuer(t, row.kind)
		v := workload.New(workload.Config{
			Issuers: []workload.Issuer{{Forge: "here", Kind: row.kind, URL: s.URL + row.path}},
			Client:  s.Client(), Now: func() time.Time { return i.now },
		})
		verify := func(iss string) (gate.Workload, error) {
			return v.Verify(t.Context(), i.mint(is("iss", iss)), workload.Audience{GitHub: askedFor, GitLab: public})
		}
		if w, err := verify(s.URL + row.path); err != nil || w.Issuer != s.URL+row.path {
			t.Errorf("%s: %v", row.what, err)
		}
		port := s.URL[strings.LastIndex(s.URL, ":"):]
		for _, iss := range append(row.deny,
			"https"+strings.TrimPrefix(s.URL, "http")+row.path, "//127.0.0.1"+port+row.path, "127.0.0.1"+port+row.path,
			"http://localhost"+port+row.path, "http://127.0.0.1"+port+"."+row.path, strings.ToUpper(s.URL)+row.path, " "+s.URL+row.path, s.URL+row.path+"\x00",
			strings.Replace(s.URL, "1", "１", 1)+row.path, strings.Replace(s.URL+row.path, "t", "т", 1)) {
			if strings.HasPrefix(iss, "/") && !strings.HasPrefix(iss, "//") || iss == "" {
				iss = s.URL + iss
			}
			_, err := verify(iss)
			refused(t, fmt.Sprintf("%s, iss %q", row.what, iss), "", err, gate.CodeIssuerUnknown)
		}
	}
}

// Two issuers on one host, with the same keys, are two forges all the same.
func TestNeighbouringIssuers(t *testing.T) {
	s := host(t, func(path string) string { return path + "/jwks" })
	i := newIssuer(t, gate.GitHub)
	v := workload.New(workload.Config{
		Issuers: []workload.Issuer{
			{Forge: "github", Kind: gate.GitHub, URL: s.URL}, {Forge: "acme", Kind: gate.GitHub, URL: s.URL + "/acme"},
			{Forge: "gitlab", Kind: gate.GitLab, URL: s.URL + "/gitlab"},
		},
		Client: s.Client(), Now: func() time.Time { return i.now },
	})
	want := workload.Audience{GitHub: askedFor, GitLab: public}
	for path, forge := range map[string]gate.ForgeID{"": "github", "/acme": "acme"} {
		w, err := v.Verify(t.Context(), i.mint(is("iss", s.URL+path)), want)
		if err != nil || w.Forge != forge || w.Repository.Forge != forge || w.Owner.Forge != forge || w.Actor.ID.Forge != forge {
			t.Errorf("%s: %+v, %v", path, w, err)
		}
	}
	// A GitHub job's claims under GitLab's issuer are no GitLab job's, and the other way round.
	raw := i.mint(map[string]any{"iss": s.URL + "/gitlab", "aud": public})
	_, err := v.Verify(t.Context(), raw, want)
	refused(t, "GitHub's claims by GitLab's issuer", raw, err, gate.CodeTokenClaims)
	other := newIssuer(t, gate.GitLab)
	raw = other.mint(map[string]any{"iss": s.URL, "aud": askedFor})
	_, err = v.Verify(t.Context(), raw, want)
	refused(t, "GitLab's claims by GitHub's issuer", raw, err, gate.CodeTokenClaims)
}

// What a job of each shape comes out as.
func TestShapesOfJobs(t *testing.T) {
	const reusable = "acme/ci/.github/workflows/build.yml"
	pin := strings.Repeat("7", 40)
	onMain := map[string]any{
		"ref": "refs/heads/main", "ref_type": "branch", "workflow_ref": "acme/widget/.github/workflows/release.yml@refs/heads/main",
		"job_workflow_ref": "acme/widget/.github/workflows/release.yml@refs/heads/main",
	}
	for _, row := range []struct {
		what string
		kind gate.ForgeKind
		with map[string]any
		want func(w gate.Workload) bool
	}{
		{"a run from a branch, where the tag follows", gate.GitHub, onMain, func(w gate.Workload) bool {
			return w.Ref == "refs/heads/main" && w.WorkflowRef == "refs/heads/main" && w.Commit == sha
		}},
		{"a job of a reusable workflow, by commit", gate.GitHub, map[string]any{"job_workflow_ref": reusable + "@" + pin, "job_workflow_sha": pin},
			func(w gate.Workload) bool {
				return w.JobWorkflow == reusable+"@"+pin && w.JobWorkflowCommit == pin && w.WorkflowCommit == sha &&
					w.Workflow == "acme/widget/.github/workflows/release.yml"
			}},
		{"a job of a reusable workflow, by tag", gate.GitHub, map[string]any{"job_workflow_ref": reusable + "@refs/tags/v2", "job_workflow_sha": pin},
			func(w gate.Workload) bool {
				return w.JobWorkflow == reusable+"@refs/tags/v2" && w.JobWorkflowCommit == pin
			}},
		{"a job of an environment", gate.GitHub, map[string]any{"environment": "release", "environment_node_id": "EN_x"},
			func(w gate.Workload) bool { return w.Environment == "release" }},
		{"a job of an environment with an odd name", gate.GitLab, is("environment", "release/€|x"), func(w gate.Workload) bool { return w.Environment == "release/€|x" }},
		{"no environment", gate.GitHub, is("environment", json.RawMessage("null")), func(w gate.Workload) bool { return w.Environment == "" }},
		{"a self-hosted runner", gate.GitHub, is("runner_environment", "self-hosted"), func(w gate.Workload) bool { return w.Runner == "self-hosted" }},
		{"a self-hosted runner", gate.GitLab, is("runner_environment", "self-hosted"), func(w gate.Workload) bool { return w.Runner == "self-hosted" }},
		{"attack 15: the first attempt", gate.GitHub, is("run_attempt", "1"), func(w gate.Workload) bool { return w.RunID == 9001 && w.RunAttempt == 1 }},
		{"attack 15: a re-run by somebody else", gate.GitHub, map[string]any{"run_attempt": "17", "actor": "bo", "actor_id": "102", "check_run_id": "778"},
			func(w gate.Workload) bool {
				return w.RunID == 9001 && w.RunAttempt == 17 && w.Actor.ID.ID == 102 && w.JobID == 778
			}},
		{"attack 15: a job that is retried is another job of the pipeline", gate.GitLab, map[string]any{"job_id": "303", "user_id": "102", "user_login": "bo"},
			func(w gate.Workload) bool {
				return w.RunID == 574 && w.RunAttempt == 1 && w.JobID == 303 && w.Actor.ID.ID == 102
			}},
		{"commits of SHA-256", gate.GitLab, map[string]any{"sha": strings.Repeat("ab", 32), "ci_config_sha": strings.Repeat("ab", 32)},
			func(w gate.Workload) bool { return w.Commit == strings.Repeat("ab", 32) }},
		{"a CI configuration in a folder", gate.GitLab, is("ci_config_ref_uri", "gitlab.example.org/acme/tools/widget//ci/release.yml@refs/tags/v1.4.0"),
			func(w gate.Workload) bool {
				return w.Workflow == "gitlab.example.org/acme/tools/widget//ci/release.yml"
			}},
	} {
		i := newIssuer(t, row.kind)
		w, err := i.verify(i.mint(row.with))
		if err != nil || !row.want(w) {
			t.Errorf("%s, %s: got %+v, %v", row.kind, row.what, w, err)
		}
	}
}

func TestRerunClaims(t *testing.T) {
	i := newIssuer(t, gate.GitHub)
	i.table([]row{
		deny("attack 15: no attempt", gate.CodeTokenClaims, is("run_attempt", nil)),
		deny("attack 15: attempt 0", gate.CodeTokenClaims, is("run_attempt", "0")),
		deny("attack 15: attempt -1", gate.CodeTokenClaims, is("run_attempt", "-1")),
		deny("attack 15: attempt 02", gate.CodeTokenClaims, is("run_attempt", "02")),
		deny("attack 15: attempt 2 as a number", gate.CodeTokenClaims, is("run_attempt", 2)),
		deny("attack 15: attempt in other digits", gate.CodeTokenClaims, is("run_attempt", "２")),
		deny("attack 15: two attempts", gate.CodeTokenClaims, is("run_attempt", []string{"1", "2"})),
		deny("no run", gate.CodeTokenClaims, is("run_id", nil)),
		deny("run 0", gate.CodeTokenClaims, is("run_id", "0")),
		deny("check run 0", gate.CodeTokenClaims, is("check_run_id", "0")),
	})
	newIssuer(t, gate.GitLab).table([]row{
		deny("job 0", gate.CodeTokenClaims, is("job_id", "0")),
		deny("job as a number", gate.CodeTokenClaims, is("job_id", 302)),
		deny("pipeline 0", gate.CodeTokenClaims, is("pipeline_id", "0")),
		deny("pipeline in other digits", gate.CodeTokenClaims, is("pipeline_id", "５７４")),
	})
}

// attack 21: letters that only look alike are others: in values, in names, and in what
// the header says.
func TestLookAlikes(t *testing.T) {
	i := newIssuer(t, gate.GitHub)
	i.table([]row{
		deny("Cyrillic in the tag", gate.CodeTokenClaims, map[string]any{"ref": "refs/tags/v1.4.0-rс1"}),
		deny("full-width digit in the tag", gate.CodeTokenClaims, is("ref", "refs/tags/v１.4.0")),
		deny("a joiner in the tag", gate.CodeTokenClaims, is("ref", "refs/tags/v1\u200d.4.0")),
		deny("text that runs backwards", gate.CodeTokenClaims, is("ref", "refs/tags/v1.4.0\u202e")),
		deny("ref_type with a soft hyphen", gate.CodeTokenClaims, is("ref_type", "t\u00adag")),
		deny("runner with another hyphen", gate.CodeTokenClaims, is("runner_environment", "github‐hosted")),
		deny("Cyrillic owner", gate.CodeTokenClaims, is("repository_owner", "аcme")),
		deny("Cyrillic repository in the workflow", gate.CodeTokenClaims, is("workflow_ref", "acme/widgеt/.github/workflows/release.yml@refs/tags/v1.4.0")),
		deny("full-width @ in the workflow", gate.CodeTokenClaims, is("workflow_ref", "acme/widget/.github/workflows/release.yml＠refs/tags/v1.4.0")),
		deny("a claim's name in Cyrillic", gate.CodeTokenClaims, map[string]any{"repository_id": nil, "repоsitory_id": "1296269"}),
		deny("a claim's name in another case", gate.CodeTokenClaims, map[string]any{"repository_id": nil, "Repository_ID": "1296269"}),
		deny("a claim's name with the long s", gate.CodeTokenClaims, map[string]any{"sha": nil, "ſha": sha}),
		deny("full-width digits", gate.CodeTokenClaims, is("repository_id", "１２９６２６９")),
		deny("Arabic digits", gate.CodeTokenClaims, is("actor_id", "١٠١")),
		deny("look-alike hex digits", gate.CodeTokenClaims, is("sha", strings.Replace(sha, "e", "е", 1))),
		deny("audience with a look-alike", gate.CodeAudience, is("aud", strings.Replace(askedFor, "c", "с", 1))),
		deny("audience with a space after it", gate.CodeAudience, is("aud", askedFor+" ")),
		deny("audience in another case", gate.CodeAudience, is("aud", strings.ToUpper(askedFor))),
		deny("audience with a zero byte", gate.CodeAudience, is("aud", askedFor+"\x00")),
		deny("audience with a joiner", gate.CodeAudience, is("aud", askedFor+"\u200b")),
		allow("the same name, escaped in JSON", map[string]any{"aud": json.RawMessage(`"\u0063` + askedFor[1:] + `"`)}),
	})
	l := newIssuer(t, gate.GitLab)
	l.table([]row{
		deny("Cyrillic in the tag", gate.CodeTokenClaims, map[string]any{"ref": "vс", "ref_path": "refs/tags/vс"}),
		deny("ref_path in another form of the same letters", gate.CodeTokenClaims, map[string]any{"ref": "v\u00e9", "ref_path": "refs/tags/ve\u0301"}),
		deny("Cyrillic project in the CI configuration", gate.CodeTokenClaims, is("ci_config_ref_uri", "gitlab.example.org/acme/tools/widgеt//.gitlab-ci.yml@refs/tags/v1.4.0")),
		deny("full-width project", gate.CodeTokenClaims, is("project_id", "２０")),
		deny("job_project_id with a joiner", gate.CodeTokenClaims, is("job_project_id", "20\u200b")),
		deny("audience with a slash more", gate.CodeAudience, is("aud", public+"/")),
		deny("audience in another case", gate.CodeAudience, is("aud", strings.ToUpper(public))),
		deny("audience with a look-alike", gate.CodeAudience, is("aud", strings.Replace(public, "s", "ѕ", 1))),
	})
	onBoth(t, func(t *testing.T, i *issuer) {
		for _, header := range []string{
			`{"alg":"ＲＳ256","kid":"k1"}`, `{"alg":"RS２56","kid":"k1"}`, `{"alg":"RЅ256","kid":"k1"}`, `{"alg":"RS256\u200b","kid":"k1"}`, `{"аlg":"RS256","kid":"k1"}`,
			`{"alg":"RS256","kid":"ｋ1"}`, `{"alg":"RS256","kid":"к1"}`, `{"alg":"RS256","kid":"k1\u200b"}`, `{"alg":"RS256","kid":"k1","jwk":{}}`, `{"alg":"RS256","kid":"k1","jku":""}`,
			`{"alg":"RS256","kid":"k1","x5u":null}`, `{"alg":"RS256","kid":"k1","b64":false,"crit":["b64"]}`, `{"alg":"RS256","kid":"k1","zip":"DEF"}`,
		} {
			raw := sign([]byte(header), i.json(i.claims(nil)))
			_, err := i.verify(raw)
			refused(t, header, raw, err, gate.CodeTokenSignature)
		}
	})
}
