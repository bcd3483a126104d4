package gitlabtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// An instance below its host is its own issuer there, and nothing answers elsewhere.
func TestSubPath(t *testing.T) {
	s := gitlabtest.New(gitlabtest.Options{Key: key(), SubPath: "/code/gitlab"})
	t.Cleanup(s.Close)
	if !strings.HasSuffix(s.URL(), "/code/gitlab") || s.Issuer() != s.URL() || s.APIURL() != s.URL()+"/api/v4" {
		t.Errorf("URL %s, issuer %s, API %s", s.URL(), s.Issuer(), s.APIURL())
	}
	get := func(url string) (int, map[string]any) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var body map[string]any
		_ = json.NewDecoder(res.Body).Decode(&body)
		return res.StatusCode, body
	}
	status, document := get(s.Issuer() + "/.well-known/openid-configuration")
	if status != http.StatusOK || document["issuer"] != s.Issuer() {
		t.Fatalf("discovery: %d %v", status, document)
	}
	keys, _ := document["jwks_uri"].(string)
	if status, _ := get(keys); status != http.StatusOK || !strings.HasPrefix(keys, s.URL()) {
		t.Errorf("keys at %s: %d", keys, status)
	}
	root := strings.TrimSuffix(s.URL(), "/code/gitlab")
	for _, path := range []string{"/.well-known/openid-configuration", "/api/v4/version"} {
		if status, _ := get(root + path); status != http.StatusNotFound {
			t.Errorf("%s answers %d at the host's root", path, status)
		}
	}
	team := newTeam(t, gitlabtest.Options{SubPath: "/code/gitlab"})
	job := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: team.ana})
	claims := verified(t, team, team.IDToken(job, "countersign", nil), "countersign")
	equal(t, "iss", claims["iss"], any(team.Issuer()))
	// The claim names the host with the path below it (docs: ID tokens, ci_config_ref_uri).
	equal(t, "ci_config_ref_uri", claims["ci_config_ref_uri"],
		any(strings.TrimPrefix(team.URL(), "http://")+"/"+team.repo.FullName+"//.gitlab-ci.yml@refs/heads/main"))
}
