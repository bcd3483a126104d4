package workload_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/workload"
)

const (
	sha      = "3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"
	askedFor = "countersign:sign.example.org:ask:00"
	public   = "https://sign.example.org"
)

var theKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// issuer is one forge's issuer, its clock, and the verifier that trusts it.
type issuer struct {
	*httptest.Server
	t     *testing.T
	kind  gate.ForgeKind
	now   time.Time
	keys  []map[string]any
	reads atomic.Int32
	down  atomic.Bool
	*workload.Verifier
}

func jwk(kid string, key *rsa.PublicKey) map[string]any {
	return map[string]any{
		"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
		"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// noon is when everything happens.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newIssuer(t *testing.T, kind gate.ForgeKind, adapt ...func(*workload.Issuer)) *issuer {
	t.Helper()
	i := &issuer{t: t, kind: kind, now: noon()}
	i.keys = []map[string]any{jwk("k1", &theKey().PublicKey)}
	i.Server = httptest.NewServer(http.HandlerFunc(i.answer))
	t.Cleanup(i.Close)
	cfg := workload.Issuer{Forge: "here", Kind: kind, URL: i.URL}
	for _, f := range adapt {
		f(&cfg)
	}
	i.Verifier = workload.New(workload.Config{
		Issuers: []workload.Issuer{cfg}, Client: i.Client(), Now: func() time.Time { return i.now },
	})
	return i
}

// onBoth plays a test against either forge's issuer.
func onBoth(t *testing.T, play func(t *testing.T, i *issuer)) {
	t.Helper()
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		t.Run(string(kind), func(t *testing.T) { play(t, newIssuer(t, kind)) })
	}
}

func (i *issuer) answer(w http.ResponseWriter, r *http.Request) {
	var doc any
	switch {
	case i.down.Load():
		http.Error(w, "out to lunch", http.StatusBadGateway)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		doc = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"}
	case r.URL.Path == "/jwks":
		i.reads.Add(1)
		doc = map[string]any{"keys": i.keys}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// claims is the full set of a job of the forge; nil in with removes a claim.
func (i *issuer) claims(with map[string]any) map[string]any {
	now := i.now.Unix()
	c := map[string]any{"iss": i.URL, "jti": "a1b2", "iat": now, "exp": now + 300, "sha": sha}
	if i.kind == gate.GitHub {
		maps.Copy(c, map[string]any{
			"nbf": now - 600, "aud": askedFor, "sub": "repo:acme/widget:ref:refs/tags/v1.4.0",
			"ref": "refs/tags/v1.4.0", "ref_type": "tag", "ref_protected": "true",
			"repository": "acme/widget", "repository_id": "1296269", "repository_owner": "acme", "repository_owner_id": "55",
			"repository_visibility": "public", "run_id": "9001", "run_number": "7", "run_attempt": "2",
			"actor": "ana", "actor_id": "101", "workflow": "release", "head_ref": "", "base_ref": "",
			"workflow_ref": "acme/widget/.github/workflows/release.yml@refs/tags/v1.4.0", "workflow_sha": sha,
			"job_workflow_ref": "acme/widget/.github/workflows/release.yml@refs/tags/v1.4.0", "job_workflow_sha": sha,
			"event_name": "push", "runner_environment": "github-hosted", "check_run_id": "777", "issuer_scope": "repository",
		})
	} else {
		maps.Copy(c, map[string]any{
			"nbf": now - 5, "aud": public, "sub": "project_path:acme/tools/widget:ref_type:tag:ref:v1.4.0",
			"ref": "v1.4.0", "ref_type": "tag", "ref_path": "refs/tags/v1.4.0", "ref_protected": "true",
			"namespace_id": "72", "namespace_path": "acme/tools", "project_id": "20", "project_path": "acme/tools/widget",
			"job_project_id": "20", "job_project_path": "acme/tools/widget", "job_namespace_id": "72",
			"user_id": "101", "user_login": "ana", "user_email": "ana@example.org", "user_access_level": "maintainer",
			"pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "runner_id": 1, "runner_environment": "gitlab-hosted",
			"project_visibility": "private", "ci_config_sha": sha,
			"ci_config_ref_uri": "gitlab.example.org/acme/tools/widget//.gitlab-ci.yml@refs/tags/v1.4.0",
		})
	}
	maps.Copy(c, with)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (i *issuer) header() map[string]any {
	return map[string]any{"typ": "JWT", "alg": "RS256", "kid": "k1", "x5t": "k1"}
}

func (i *issuer) json(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		i.t.Fatal(err)
	}
	return b
}

// sign signs any two byte strings with the issuer's key.
func sign(header, payload []byte) string {
	input := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, theKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + b64(sig)
}

// mint is a token with claims changed, signed by the issuer.
func (i *issuer) mint(with map[string]any) string {
	return sign(i.json(i.header()), i.json(i.claims(with)))
}

// mintHeader is a good claim set under another header; nil removes a member.
func (i *issuer) mintHeader(with map[string]any) string {
	h := i.header()
	maps.Copy(h, with)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	return sign(i.json(h), i.json(i.claims(nil)))
}

func (i *issuer) verify(raw string) (gate.Workload, error) {
	return i.Verify(i.t.Context(), raw, workload.Audience{GitHub: askedFor, GitLab: public})
}
