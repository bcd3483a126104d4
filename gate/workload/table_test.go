package workload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/workload"
)

// pinned are the claims of every table, in its order.
func pinned(kind gate.ForgeKind) []string {
	all := []string{"iss", "aud", "jti", "sub", "iat", "exp", "nbf"}
	if kind == gate.GitHub {
		return append(all, "repository_id", "repository_owner_id", "repository_owner", "repository", "ref", "ref_type", "sha",
			"workflow_ref", "workflow_sha", "job_workflow_ref", "job_workflow_sha", "event_name", "environment", "runner_environment",
			"run_id", "run_attempt", "check_run_id", "actor_id", "actor")
	}
	return append(all, "job_id", "pipeline_id", "project_id", "job_project_id", "namespace_id", "project_path", "pipeline_source",
		"ref_type", "ref", "ref_path", "sha", "ci_config_ref_uri", "ci_config_sha", "environment", "runner_environment", "user_id", "user_login")
}

// tabled holds a refusal's table: whole, with what was refused marked, bounded, and
// with nothing of the token but its pinned claims. Before the signature is verified
// there is none.
func (i *issuer) tabled(what, raw string, err error) {
	i.t.Helper()
	rows := gate.ClaimsOf(err)
	code := gate.CodeOf(err)
	if code != gate.CodeAudience && code != gate.CodeTokenExpired && code != gate.CodeTokenClaims || strings.Contains(err.Error(), "does not say who issued it") {
		if rows != nil {
			i.t.Errorf("%s: claims are shown that nobody proved: %v", what, rows)
		}
		return
	}
	var names []string
	bad := 0
	for _, r := range rows {
		names = append(names, r.Claim)
		if !r.OK {
			bad++
		}
		if r.Expected == "" || r.Got == "" || len(r.Got) > 2000 || len(r.Expected) > 2000 ||
			strings.ContainsFunc(r.Expected+r.Got, func(c rune) bool { return c != '…' && (c < ' ' || c > '~') }) {
			i.t.Errorf("%s: claim %s: expected %q, got %q", what, r.Claim, r.Expected, r.Got)
		}
		for _, secret := range []string{"ana@example.org", "repository_visibility", strings.Split(raw, ".")[2]} {
			if strings.Contains(r.Got+r.Expected, secret) {
				i.t.Errorf("%s: claim %s shows %q", what, r.Claim, secret)
			}
		}
	}
	if bad == 0 {
		i.t.Errorf("%s: no claim is marked in %v", what, rows)
	}
	want := pinned(i.kind)
	slices.Sort(want)
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		i.t.Errorf("%s: claims of the table (-want +got):\n%s", what, diff)
	}
}

// marked are the claims that a refusal marks, each with what was expected and what came.
func marked(err error) []string {
	var out []string
	for _, r := range gate.ClaimsOf(err) {
		if !r.OK {
			out = append(out, fmt.Sprintf("%s: expected %s, got %s", r.Claim, r.Expected, r.Got))
		}
	}
	return out
}

// askFor is the ask that the issuer's full claim set fits.
func (i *issuer) askFor() gate.Ask {
	id := int64(1296269)
	if i.kind == gate.GitLab {
		id = 20
	}
	return gate.Ask{Repository: gate.RepositoryID{Forge: "here", ID: id}, Ref: "refs/tags/v1.4.0", Commit: sha}
}

// Each row is what is wrong and exactly the claims that are marked for it: all of them,
// and none that only follows from another.
func TestMarkedClaims(t *testing.T) {
	other := strings.Repeat("9", 40)
	for _, row := range []struct {
		what string
		kind gate.ForgeKind
		with map[string]any
		want []string
	}{
		{"one claim", gate.GitHub, is("runner_environment", "somewhere"),
			[]string{"runner_environment: expected github-hosted or self-hosted, got somewhere"}},
		{"several claims, each", gate.GitHub, map[string]any{"aud": "sigstore", "run_attempt": "0", "actor": nil}, []string{
			"aud: expected " + askedFor + ", got sigstore", "run_attempt: expected a positive number as a text, got 0",
			"actor: expected a text, got nothing",
		}},
		{"times, and one audience too many", gate.GitHub, map[string]any{"aud": []string{askedFor, "x"}, "iat": 1772365500, "exp": 1772366000}, []string{
			`aud: expected ` + askedFor + `, got "[\"` + askedFor + `\",\"x\"]"`, "iat: expected at most 5m0s before 2026-03-01T12:00:00Z, got 2026-03-01T11:45:00Z",
			"exp: expected one that is valid at 2026-03-01T12:00:00Z, got 2026-03-01T11:53:20Z",
		}},
		{"a name that others are made of", gate.GitHub, is("repository", "evil/widget"),
			[]string{`repository: expected owner/name of owner "acme", got evil/widget`}},
		{"another commit than asked", gate.GitHub, map[string]any{"sha": other, "event_name": nil},
			[]string{"sha: expected " + sha + ", as asked, got " + other, "event_name: expected a text, got nothing"}},
		{"another ref and repository than asked", gate.GitHub, map[string]any{
			"ref": "refs/heads/main", "ref_type": "branch", "workflow_ref": "acme/widget/.github/workflows/release.yml@refs/heads/main",
			"repository_id": "7", "exp": 1772366000,
		}, []string{
			"exp: expected one that is valid at 2026-03-01T12:00:00Z, got 2026-03-01T11:53:20Z",
			"repository_id: expected 1296269, as asked, got 7", "ref: expected refs/tags/v1.4.0, as asked, got refs/heads/main",
		}},
		{"attack 22: a branch named like the tag", gate.GitLab, map[string]any{
			"ref_type": "branch", "ref_path": "refs/heads/v1.4.0", "pipeline_source": "merge_request_event",
			"ci_config_ref_uri": "gitlab.example.org/acme/tools/widget//.gitlab-ci.yml@refs/heads/v1.4.0",
		}, []string{
			"pipeline_source: expected a pipeline of a branch or tag, got merge_request_event", "ref_type: expected tag, as asked, got branch",
		}},
		{"attack 12: a fork's pipeline", gate.GitLab, is("job_project_id", "21"), []string{"job_project_id: expected the project itself, got 21"}},
		{"hostile values", gate.GitLab, map[string]any{"project_id": "20\x1b[2J\u202e", "user_login": map[string]any{"a": 1}}, []string{
			`project_id: expected a positive number as a text, got "20\x1b[2J\u202e"`, `user_login: expected a text, got "{\"a\":1}"`,
		}},
		{"a hostile name", gate.GitLab, is("project_path", "\x1b[2J"+strings.Repeat("x", 4000)), []string{
			`ci_config_ref_uri: expected a CI configuration of "\x1b[2J` + strings.Repeat("x", 156) + `"… (4004 bytes), got ` +
				`gitlab.example.org/acme/tools/widget//.gitlab-ci.yml@refs/tags/v1.4.0`,
		}},
		{"a very long value", gate.GitLab, is("runner_environment", strings.Repeat("x", 5000)),
			[]string{`runner_environment: expected gitlab-hosted or self-hosted, got "` + strings.Repeat("x", 160) + `"… (5000 bytes)`}},
	} {
		i := newIssuer(t, row.kind)
		raw := i.mint(row.with)
		_, err := i.Verify(t.Context(), raw, workload.Audience{GitHub: askedFor, GitLab: public, Ask: i.askFor()})
		i.tabled(row.what, raw, err)
		if diff := cmp.Diff(row.want, marked(err)); diff != "" {
			t.Errorf("%s: marked (-want +got):\n%s", row.what, diff)
		}
	}
}

// Until the signature is verified a refusal repeats nothing of the claims, but who they
// say is the issuer: by that the keys are found.
func TestNothingUnprovedIsTold(t *testing.T) {
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		i := newIssuer(t, kind)
		const marker = "M4rk3r"
		odd := map[string]any{
			"jti": marker, "sub": marker, "aud": []string{marker, marker}, "ref": marker, "sha": marker, "actor": marker, "user_login": marker,
			"iat": marker, "exp": marker, "nbf": marker, "repository_id": marker, "project_id": marker, marker: marker,
		}
		h, p := i.json(i.header()), i.json(i.claims(odd))
		last := strings.LastIndex(i.mint(odd), ".")
		for what, raw := range map[string]string{
			"another's signature": i.mint(odd)[:last] + strings.Split(i.mint(nil), ".")[2],
			"no signature":        i.mint(odd)[:last+1] + "AA",
			"an unknown key":      sign([]byte(`{"alg":"RS256","kid":"k9"}`), p),
			"another algorithm":   sign([]byte(`{"alg":"none","kid":"k1"}`), p),
			"a member twice":      sign(h, []byte(`{"`+marker+`":1,`+string(p[1:]))),
			"no JSON":             sign(h, append(p, marker...)),
			"a foreign issuer":    sign(h, i.json(i.claims(map[string]any{"iss": "https://evil.example", "jti": marker}))),
			"no issuer":           sign(h, i.json(i.claims(map[string]any{"iss": map[string]any{marker: 1}}))),
		} {
			_, err := i.verify(raw)
			if err == nil || gate.ClaimsOf(err) != nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), marker) {
				t.Errorf("%s, %s: expected a refusal without claims, got %v", kind, what, err)
			}
		}
	}
}

// What comes to light after the token was verified is told with the same table.
func TestTold(t *testing.T) {
	refusal := func(code gate.Code, claims ...gate.ClaimCheck) error {
		return fmt.Errorf("open release: %w", &gate.Error{
			Kind: gate.Refused, Code: code, Text: "no", Expected: "a job in progress", Got: "a finished one", Fix: "do it", Claims: claims,
		})
	}
	for _, row := range []struct {
		what string
		kind gate.ForgeKind
		with map[string]any
		err  error
		ask  func(a *gate.Ask)
		want []string // nil: no table
	}{
		{"attack 11: the job ended", gate.GitHub, nil, refusal(gate.CodeTokenClaims), nil, []string{"check_run_id: expected a job in progress, got 777"}},
		{"attack 11: the job ended, on an older GitHub", gate.GitHub, is("check_run_id", nil), refusal(gate.CodeTokenClaims), nil,
			[]string{"run_id: expected a job in progress, got 9001"}},
		{"attack 11: the job ended", gate.GitLab, nil, refusal(gate.CodeTokenClaims), nil, []string{"job_id: expected a job in progress, got 302"}},
		{"attack 4: used before", gate.GitLab, nil, refusal(gate.CodeTokenRebound), nil, []string{"jti: expected an id that served no other request, got a1b2"}},
		{"another ref", gate.GitHub, nil, refusal(gate.CodeAskMismatch), func(a *gate.Ask) { a.Ref = "refs/heads/v1.4.0" },
			[]string{"ref: expected refs/heads/v1.4.0, as asked, got refs/tags/v1.4.0"}},
		{"attack 5: another repository", gate.GitLab, nil, refusal(gate.CodeAskMismatch), func(a *gate.Ask) { a.Repository.ID = 4242 },
			[]string{"project_id: expected 4242, as asked, got 20"}},
		{"the same number at another forge", gate.GitLab, nil, refusal(gate.CodeAskMismatch), func(a *gate.Ask) { a.Repository.Forge = "there" },
			[]string{"project_id: expected there:20, as asked, got 20"}},
		{"a refusal that knows its claim", gate.GitHub, nil, refusal(gate.CodeNotPermitted,
			gate.ClaimCheck{Claim: "workflow_ref", Expected: "the workflow that asked"}, gate.ClaimCheck{Claim: "repository_visibility", Expected: "x"}), nil,
			[]string{"workflow_ref: expected the workflow that asked, got acme/widget/.github/workflows/release.yml@refs/tags/v1.4.0"}},
		{"a refusal of something else", gate.GitHub, nil, refusal(gate.CodePolicyMissing), nil, nil},
		{"no refusal of ours", gate.GitHub, nil, fmt.Errorf("dial tcp"), nil, nil},
	} {
		i := newIssuer(t, row.kind)
		w, err := i.verify(i.mint(row.with))
		if err != nil {
			t.Fatal(err)
		}
		ask := i.askFor()
		if row.ask != nil {
			row.ask(&ask)
		}
		told := workload.Told(row.err, w, ask, i.now.Add(time.Second))
		if told.Error() != row.err.Error() || gate.CodeOf(told) != gate.CodeOf(row.err) || gate.KindOf(told) != gate.KindOf(row.err) {
			t.Errorf("%s: %v became %v", row.what, row.err, told)
		}
		if diff := cmp.Diff(row.want, marked(told)); diff != "" {
			t.Errorf("%s: marked (-want +got):\n%s", row.what, diff)
		}
		if row.want != nil {
			i.tabled(row.what, i.mint(nil), asClaims(told))
		}
	}
}

// asClaims has a table looked at as that of a refused claim.
func asClaims(err error) error {
	return &gate.Error{Code: gate.CodeTokenClaims, Claims: gate.ClaimsOf(err)}
}
