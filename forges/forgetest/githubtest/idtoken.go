package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/countersign/countersign/forges/forgetest"
)

const (
	oidcKeyID = "double-2026-01"
	// idTokenLife and idTokenEarly are those of the example in GitHub's docs
	// ("OpenID Connect reference"): exp is 300 s after iat, nbf 600 s before.
	idTokenLife  = 300 * time.Second
	idTokenEarly = 600 * time.Second
)

// IDToken mints the job's ID token for the audience, RS256. Overrides replace or
// (nil) remove claims.
func (s *Server) IDToken(j forgetest.Job, audience string, overrides map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	claims := s.claims(s.repository(j.Repository), s.job(j).runs(), audience)
	maps.Copy(claims, overrides)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return s.signClaims(claims)
}

// SignClaims signs any claims with the issuer's key: for attacks from inside the forge.
func (s *Server) SignClaims(claims map[string]any) string { return s.signClaims(claims) }

func (s *Server) signClaims(claims obj) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: s.keys.oidc.get()},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", oidcKeyID),
	)
	if err != nil {
		panic(fmt.Sprintf("make the signer of ID tokens: %v", err))
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(fmt.Sprintf("sign an ID token: %v", err))
	}
	return token
}

// claims is the claim set of GitHub's docs ("OpenID Connect reference"). Identifiers
// are strings; check_run_id is the job's check run.
func (s *Server) claims(r *repository, y *job, audience string) obj {
	owner := s.accounts[r.owner]
	x, a := y.run, y.attempt
	actor := s.accounts[x.actor]
	full := s.fullName(r)
	now := s.now()
	kind, short := refKind(x.ref)
	if strings.HasPrefix(x.ref, "refs/pull/") {
		kind, short = "branch", x.ref
	}
	workflow := full + "/" + x.workflow + "@" + x.ref
	runner := "github-hosted"
	if y.spec.Runner != "" {
		runner = y.spec.Runner
	}
	out := obj{
		"iss": s.Issuer(), "aud": audience, "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(),
		"nbf": now.Add(-idTokenEarly).Unix(), "jti": guid(), "sub": s.subject(r, y),
		"ref": x.ref, "ref_type": kind, "ref_protected": strconv.FormatBool(kind == "branch" && r.branchProtected(short)),
		"sha": x.sha, "repository": full, "repository_id": text(r.id), "repository_owner": owner.login,
		"repository_owner_id": text(owner.id), "repository_visibility": r.visibility,
		"run_id": text(x.id), "run_number": text(x.number), "run_attempt": strconv.Itoa(a.number),
		"actor": actor.login, "actor_id": text(actor.id), "workflow": x.workflow, "workflow_ref": workflow,
		"workflow_sha": x.sha, "head_ref": "", "base_ref": "", "event_name": x.event,
		"job_workflow_ref": workflow, "job_workflow_sha": x.sha, "runner_environment": runner,
		"check_run_id": text(y.check.id), "enterprise": "double", "enterprise_id": "1", "issuer_scope": "enterprise",
	}
	if strings.HasPrefix(x.event, "pull_request") {
		out["head_ref"], out["base_ref"] = short, r.branch
	}
	if y.spec.Environment != "" {
		out["environment"] = y.spec.Environment
		out["environment_node_id"] = nodeID("EN", r.id) + y.spec.Environment
	}
	return out
}

func text(id int64) string { return strconv.FormatInt(id, 10) }

// subject is the default sub: repo:O/R: and the environment, pull_request or the ref,
// with ":" in values as %3A.
func (s *Server) subject(r *repository, y *job) string {
	prefix := "repo:" + s.fullName(r) + ":"
	switch {
	case y.spec.Environment != "":
		return prefix + "environment:" + strings.ReplaceAll(y.spec.Environment, ":", "%3A")
	case y.run.event == "pull_request":
		return prefix + "pull_request"
	}
	return prefix + "ref:" + strings.ReplaceAll(y.run.ref, ":", "%3A")
}

// JobEnv is what the runner sets for a job with `id-token: write` (docs, "Variables
// reference" and "OpenID Connect reference"). The audience is asked for by the step.
func (s *Server) JobEnv(j forgetest.Job, _ string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, y := s.repository(j.Repository), s.job(j)
	kind, short := refKind(y.run.ref)
	return []string{
		"CI=true", "GITHUB_ACTIONS=true",
		fmt.Sprintf("ACTIONS_ID_TOKEN_REQUEST_URL=%s/idtoken/%d/%d?api-version=2.0", s.Issuer(), r.id, y.id),
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + y.secret,
		"GITHUB_SERVER_URL=" + s.URL(), "GITHUB_API_URL=" + s.APIURL(), "GITHUB_GRAPHQL_URL=" + s.GraphQLURL(),
		"GITHUB_REPOSITORY=" + s.fullName(r), "GITHUB_REPOSITORY_ID=" + text(r.id),
		"GITHUB_REPOSITORY_OWNER=" + s.accounts[r.owner].login, "GITHUB_REPOSITORY_OWNER_ID=" + text(r.owner),
		"GITHUB_RUN_ID=" + text(y.run.id), "GITHUB_RUN_NUMBER=" + text(y.run.number),
		"GITHUB_RUN_ATTEMPT=" + strconv.Itoa(y.attempt.number), "GITHUB_JOB=" + jobName(y),
		"GITHUB_REF=" + y.run.ref, "GITHUB_REF_TYPE=" + kind, "GITHUB_REF_NAME=" + short, "GITHUB_SHA=" + y.run.sha,
		"GITHUB_EVENT_NAME=" + y.run.event, "GITHUB_ACTOR=" + s.accounts[y.run.actor].login,
		"GITHUB_ACTOR_ID=" + text(y.run.actor), "GITHUB_TRIGGERING_ACTOR=" + s.accounts[y.attempt.triggering].login,
		"GITHUB_WORKFLOW=" + y.run.workflow,
		"GITHUB_WORKFLOW_REF=" + s.fullName(r) + "/" + y.run.workflow + "@" + y.run.ref, "GITHUB_WORKFLOW_SHA=" + y.run.sha,
	}
}

// answerIssuer serves discovery, the JWKS and the runner's ID-token endpoint.
func (c *call) answerIssuer() reply {
	path := strings.TrimPrefix(c.r.URL.Path, issuerPath)
	switch {
	case path == "/.well-known/openid-configuration":
		return ok(c.discovery())
	case path == "/.well-known/jwks":
		return ok(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
			Key: &c.keys.oidc.get().PublicKey, KeyID: oidcKeyID, Algorithm: "RS256", Use: "sig",
		}}})
	case strings.HasPrefix(path, "/idtoken/"):
		return c.runnerToken(strings.TrimPrefix(path, "/idtoken/"))
	}
	return notFound()
}

// discovery is as https://token.actions.githubusercontent.com/.well-known/openid-configuration.
func (c *call) discovery() obj {
	supported := []string{
		"sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "sha", "repository", "repository_id", "repository_owner",
		"repository_owner_id", "run_id", "run_number", "run_attempt", "actor", "actor_id", "workflow", "workflow_ref",
		"workflow_sha", "head_ref", "base_ref", "event_name", "ref_type", "ref_protected", "environment", "environment_node_id",
		"job_workflow_ref", "job_workflow_sha", "repository_visibility", "runner_environment", "issuer_scope", "check_run_id",
	}
	return obj{
		"issuer": c.Issuer(), "jwks_uri": c.Issuer() + "/.well-known/jwks", "subject_types_supported": []string{"public", "pairwise"},
		"response_types_supported": []string{"id_token"}, "claims_supported": supported,
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
	}
}

// runnerToken answers ACTIONS_ID_TOKEN_REQUEST_URL, as @actions/core's getIDToken asks
// it: bearer request token, &audience=, the owner's URL where none is given.
func (c *call) runnerToken(path string) reply {
	repoText, jobText, _ := strings.Cut(path, "/")
	repoID, err1 := strconv.ParseInt(repoText, 10, 64)
	jobID, err2 := strconv.ParseInt(jobText, 10, 64)
	r := c.repositories[repoID]
	if err1 != nil || err2 != nil || r == nil || r.jobs[jobID] == nil {
		return notFound()
	}
	y := r.jobs[jobID]
	if c.r.Header.Get("Authorization") != "Bearer "+y.secret || !y.done.IsZero() || y.waits() {
		return problem(http.StatusUnauthorized, "The request token is not that of a running job")
	}
	audience := c.query.Get("audience")
	if audience == "" {
		audience = c.web("/%s", c.accounts[r.owner].login)
	}
	token := c.signClaims(c.claims(r, y, audience))
	return ok(obj{"value": token, "count": len(token)})
}
