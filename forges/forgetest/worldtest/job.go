package worldtest

import (
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign/countersign/forges/forgetest"
)

func (s *stage) start() forgetest.Job {
	s.t.Helper()
	s.push(s.ana, "main", "release")
	return s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: s.ana})
}

// claims verifies a token as a relying party does, by discovery, and returns its claims.
func (s *stage) claims(token, audience string) (map[string]any, error) {
	s.t.Helper()
	provider, err := oidc.NewProvider(s.t.Context(), s.Issuer())
	if err != nil {
		s.t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(s.t.Context(), token)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	return out, verified.Claims(&out)
}

func tokens(t *testing.T, s *stage) {
	j := s.start()
	if j.ID == 0 || j.RunID == 0 || j.Repository.ID != s.repo.ID {
		t.Errorf("job: got %+v", j)
	}
	claims, err := s.claims(s.IDToken(j, "gate", nil), "gate")
	if err != nil {
		t.Fatal(err)
	}
	if claims["iss"] != s.Issuer() || claims["sha"] != s.Head(s.repo, "refs/heads/main") {
		t.Errorf("claims: got %v", claims)
	}
	for _, name := range []string{"iat", "exp", "nbf", "jti", "sub", "aud"} {
		if claims[name] == nil {
			t.Errorf("claim %s: expected one", name)
		}
	}
	again, err := s.claims(s.IDToken(j, "gate", nil), "gate")
	if err != nil || again["jti"] == claims["jti"] {
		t.Errorf("second token: got jti %v again (%v), want another", again["jti"], err)
	}
	if _, err := s.claims(s.IDToken(j, "gate", nil), "somebody else"); err == nil {
		t.Error("another audience: expected a refusal")
	}
	s.FinishJob(j)
}

func overrides(t *testing.T, s *stage) {
	j := s.start()
	claims, err := s.claims(s.IDToken(j, "gate", map[string]any{"sha": "forged", "extra": true, "jti": nil}), "gate")
	if err != nil {
		t.Fatal(err)
	}
	if _, has := claims["jti"]; has || claims["sha"] != "forged" || claims["extra"] != true {
		t.Errorf("overridden claims: got %v", claims)
	}
	if _, err := s.claims(s.IDToken(j, "gate", map[string]any{"exp": 1}), "gate"); err == nil {
		t.Error("expired token: expected a refusal")
	}
}

func environment(t *testing.T, s *stage) {
	env := s.JobEnv(s.start(), "gate")
	names := map[string]bool{}
	for _, line := range env {
		name, _, assigned := strings.Cut(line, "=")
		if !assigned {
			t.Errorf("environment: got %q, want NAME=VALUE", line)
		}
		names[name] = true
	}
	want := map[string][]string{
		"github": {"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_SHA", "GITHUB_REPOSITORY"},
		"gitlab": {"COUNTERSIGN_ID_TOKEN", "CI_COMMIT_SHA", "CI_PROJECT_PATH"},
	}
	for _, name := range want[s.Name()] {
		if !names[name] {
			t.Errorf("environment: expected %s", name)
		}
	}
}
