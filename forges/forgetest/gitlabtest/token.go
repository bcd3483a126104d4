package gitlabtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// IDToken mints the ID token of a job (source: lib/gitlab/ci/jwt.rb, jwt_v2.rb,
// lib/json_web_token/user_project_token_claims.rb; API docs: ID tokens, payload).
// IDs are strings, runner_id alone is a number, ref_protected is "true" or "false".
func (s *Server) IDToken(j forgetest.Job, audience string, overrides map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	claims := s.jobClaims(s.project(j.Repository), s.job(j))
	claims["aud"] = audience
	for name, value := range overrides {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return s.sign(nil, claims)
}

func (s *Server) jobClaims(p *project, j *job) map[string]any {
	now, pl := s.opts.Now().Unix(), j.pipeline
	kind, short := refType(pl.ref), shortRef(pl.ref)
	claims := map[string]any{
		"iss": s.Issuer(), "jti": newUUID(), "iat": now, "nbf": now - 5,
		"exp":          now + int64(s.opts.JobTimeout.Seconds()),
		"sub":          "project_path:" + p.fullPath() + ":ref_type:" + kind + ":ref:" + short,
		"namespace_id": decimal(p.group.id), "namespace_path": p.group.path,
		"project_id": decimal(p.id), "project_path": p.fullPath(), "project_visibility": p.visibility,
		"job_namespace_id": decimal(p.group.id), "job_namespace_path": p.group.path,
		"job_project_id": decimal(p.id), "job_project_path": p.fullPath(),
		"user_id": decimal(j.by.id), "user_login": j.by.login, "user_email": j.by.email,
		"user_access_level": levelName(p.level(j.by, s.opts.Now())),
		"pipeline_id":       decimal(pl.id), "pipeline_source": pl.source, "job_id": decimal(j.id),
		"ref": short, "ref_type": kind, "ref_path": pl.ref, "ref_protected": strconv.FormatBool(j.protectedAtTime),
		"runner_id": runnerID, "runner_environment": j.runner, "sha": pl.sha,
		"ci_config_ref_uri": strings.TrimPrefix(s.base, "http://") + "/" + p.fullPath() + "//.gitlab-ci.yml@" + pl.ref,
		"ci_config_sha":     pl.sha,
	}
	if j.environment != "" {
		claims["environment"] = j.environment
		claims["environment_protected"] = "false" // Premium has protected environments
		claims["deployment_tier"] = "production"
		claims["environment_action"] = "start"
	}
	return claims
}

// levelName is a role's name in a claim, or nil (source: team.human_max_access, downcased).
func levelName(level int) any {
	names := map[int]string{
		levelGuest: "guest", levelReporter: "reporter", levelDeveloper: "developer",
		levelMaintainer: "maintainer", levelOwner: "owner",
	}
	if name, ok := names[level]; ok {
		return name
	}
	return nil
}

// LoginIDToken mints what "Sign in with GitLab" gives an application: the same
// issuer and key as a job's, and no CI claims (docs: GitLab as OpenID Connect provider).
func (s *Server) LoginIDToken(p forgetest.Person, audience string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, now := s.account(p), s.opts.Now().Unix()
	return s.sign(nil, map[string]any{
		"iss": s.Issuer(), "sub": decimal(a.id), "aud": audience, "iat": now, "exp": now + 120, "auth_time": now,
		"sub_legacy": randomHex(32), "name": a.name, "nickname": a.login, "preferred_username": a.login,
		"email": a.email, "email_verified": true, "profile": s.base + "/" + a.login, "groups_direct": []string{},
	})
}

// Sign signs any claims with the instance's key. Header members replace those of
// the usual header; a nil value removes one.
func (s *Server) Sign(header, claims map[string]any) string { return s.sign(header, claims) }

func (s *Server) sign(header, claims map[string]any) string {
	full := map[string]any{"typ": "JWT", "alg": "RS256", "kid": s.keyID()}
	for name, value := range header {
		full[name] = value
		if value == nil {
			delete(full, name)
		}
	}
	input := segment(full) + "." + segment(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("sign an ID token: %v", err))
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(v map[string]any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode an ID token: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (s *Server) keyID() string {
	sum := sha256.Sum256(s.key.N.Bytes())
	return hex.EncodeToString(sum[:])[:43]
}

// jwks is the key set; unlike a job's header it has no x5c (source:
// app/controllers/jwks_controller.rb).
func (s *Server) jwks() obj {
	return obj{"keys": []obj{{
		"kty": "RSA", "kid": s.keyID(), "use": "sig", "alg": "RS256",
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(s.key.E)).Bytes()),
		"n": base64.RawURLEncoding.EncodeToString(s.key.N.Bytes()),
	}}}
}

func (s *Server) discovery() obj {
	return obj{
		"issuer": s.Issuer(), "authorization_endpoint": s.base + "/oauth/authorize",
		"token_endpoint": s.base + "/oauth/token", "userinfo_endpoint": s.base + "/oauth/userinfo",
		"jwks_uri": s.base + "/oauth/discovery/keys", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported": []string{"api", "read_api", "openid", "profile", "email"},
	}
}
