package attacks_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// claim overrides one claim of the ID token; nil removes it.
func claim(name string, value any) func(*asking) {
	return func(a *asking) {
		if a.claims == nil {
			a.claims = map[string]any{}
		}
		a.claims[name] = value
	}
}

// token sends a given ID token.
func token(raw string) func(*asking) { return func(a *asking) { a.token = raw } }

// files asks for a file with other content.
func files(content string) func(*asking) {
	return func(a *asking) { a.ask.Subjects = built(content) }
}

func TestTokens(t *testing.T) {
	play(t, []row{
		{name: "attack 1: an ID token of a foreign issuer", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			s.ask(j, claim("iss", "https://evil.example.org")).refused(gate.CodeIssuerUnknown, s.Issuer(), "evil.example.org")
			s.ask(j, claim("iss", s.Issuer()+"/")).refused(gate.CodeIssuerUnknown)
		}},
		{name: "attack 2: an ID token minted for another service", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			s.ask(j, func(a *asking) { a.audience = "sigstore" }).refused(gate.CodeAudience, "sigstore")
			s.ask(j, claim("aud", []string{s.server.URL, "sigstore"})).refused(gate.CodeAudience)
		}},
		{name: "attack 3: a stolen ID token asks for other bytes", on: "github", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			stolen := s.tokenFor(j, asking{ask: s.askOf(j)})
			s.ask(j, token(stolen), files("what the thief built")).refused(gate.CodeAudience)
		}},
		{name: "attack 3: a stolen ID token asks first, for other bytes", on: "gitlab", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			stolen := s.tokenFor(j, asking{})
			thief := s.ask(j, token(stolen), files("what the thief built")).opened()
			s.ask(j, token(stolen)).refused(gate.CodeTokenRebound)
			honest := s.ask(j).opened()
			honest.comment("bo", "/countersign approve "+honest.code)
			honest.signed()
			thief.waits(gate.CheckApprovals, "0 of 1") // the approval is bound to the other manifest
		}},
		{name: "attack 3: a token made for one request collects another", play: func(s *stage) {
			s.widget()
			r := s.asked()
			other := s.ask(r.job, files("other")).opened()
			stolen := s.requestToken(r.job, r.id)
			if s.gl != nil { // whose audience cannot name the request: the first use binds it
				s.send("GET", "/v1/releases/"+r.id, stolen, nil)
				s.send("POST", "/v1/releases/"+other.id+"/collect", stolen, nil).refused(gate.CodeTokenRebound)
				return
			}
			s.send("POST", "/v1/releases/"+other.id+"/collect", stolen, nil).refused(gate.CodeAudience)
		}},
		{name: "attack 4: an ID token used again for another request", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			used := s.tokenFor(j, asking{ask: s.askOf(j)})
			r := s.ask(j, token(used)).opened()
			// GitHub's audience alone would not let it: the claim that it must be fresh is the ledger's.
			other := func(a *asking) {
				files("other")(a)
				a.claims = map[string]any{"jti": jti(s, used)}
			}
			s.ask(j, other).refused(gate.CodeTokenRebound)
			if again := s.ask(j, token(used)).opened(); again.id != r.id || !again.joined {
				s.Errorf("expected the same ask to join %s, got %s", r.id, again.id)
			}
		}},
		{name: "attack 4: an ID token used again at another replica", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			used := s.tokenFor(j, asking{ask: s.askOf(j)})
			s.ask(j, token(used)).opened()
			replica := s.replica()
			replica.ask(j, files("other"), claim("jti", jti(s, used))).refused(gate.CodeTokenRebound)
		}},
		{name: "attack 5: a repository that took over a deleted one's name", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			s.ask(j, claim(s.repositoryClaim(), "424242"), claim("job_project_id", nil)).refused(gate.CodeAskMismatch, "424242", s.repositoryID().String())
			name, id := s.repo.FullName, s.repositoryID()
			s.deleteRepository()
			s.repo = s.AddRepository(name)
			s.SetRole(s.repo, s.who("ana"), forgetest.RoleWrite)
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			squatter := s.job("ana", "refs/tags/v1.0.0")
			s.ask(squatter).refused(gate.CodePolicyMissing)
			s.ask(squatter, func(a *asking) { a.ask.Repository = id.String() }, func(a *asking) {
				a.audience = s.audienceFor(*a)
			}).refused(gate.CodeAskMismatch, id.String())
		}},
		{name: "attack 5: a job of another repository collects", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			s.repo = s.AddRepository("acme/other")
			s.Push(s.repo, s.who("ana"), "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			thief := s.job("ana", "refs/tags/v1.0.0")
			s.send("POST", "/v1/releases/"+r.id+"/collect", s.requestToken(thief, r.id), nil).refused(gate.CodeRequestUnknown)
		}},
		{name: "attack 6: a custom sub that says to be another repository", play: func(s *stage) {
			s.widget()
			other := s.AddRepository("acme/other")
			s.Push(other, s.who("ana"), "refs/tags/v1.0.0", s.Head(other, mainRef))
			mimic := s.StartJob(other, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Workflow: "release.yml", Actor: s.who("ana")})
			s.ask(mimic, claim("sub", "repo:acme/widget:ref:refs/tags/v1.0.0"), func(a *asking) {
				a.ask.Commit = s.Head(other, "refs/tags/v1.0.0")
				a.audience = s.audienceFor(*a)
			}).refused(gate.CodeAskMismatch, s.repositoryID().String())
		}},
		{name: "attack 7: the ID token of somebody who signs in with GitLab", on: "gitlab", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			s.ask(j, token(s.gl.LoginIDToken(s.who("ana"), s.server.URL))).refused(gate.CodeTokenClaims)
		}},
		{name: "attack 8: headers that choose how the token is verified", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			for what, edit := range map[string]func(header map[string]any){
				"alg none":     func(h map[string]any) { h["alg"] = "none" },
				"alg HS256":    func(h map[string]any) { h["alg"] = "HS256" },
				"another kid":  func(h map[string]any) { h["kid"] = "../../etc/passwd" },
				"embedded jwk": func(h map[string]any) { h["jwk"] = map[string]any{"kty": "RSA", "e": "AQAB", "n": "AA"} },
				"jku":          func(h map[string]any) { h["jku"] = "https://evil.example.org/keys" },
				"x5u":          func(h map[string]any) { h["x5u"] = "https://evil.example.org/chain" },
			} {
				good := s.tokenFor(j, asking{ask: s.askOf(j)})
				s.Log(what)
				s.ask(j, token(withHeader(s, good, edit))).refused(gate.CodeTokenSignature)
			}
			good := s.tokenFor(j, asking{ask: s.askOf(j)})
			s.ask(j, token(good[:strings.LastIndex(good, ".")+1])).refused(gate.CodeTokenMalformed)
		}},
		{name: "attack 9: a long-lived ID token of a job that ended", on: "gitlab", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			kept := s.tokenFor(j, asking{})
			s.clock.pass(11 * time.Minute)
			s.FinishJob(j)
			s.ask(j, token(kept)).refused(gate.CodeTokenClaims, "a job in progress")
		}},
		{name: "attack 9: an old ID token looks after a request when its job ended", on: "gitlab", play: func(s *stage) {
			s.widget()
			r := s.asked()
			kept := s.requestToken(r.job, r.id)
			s.clock.pass(11 * time.Minute)
			s.FinishJob(r.job)
			s.send("GET", "/v1/releases/"+r.id, kept, nil).refused(gate.CodeTokenClaims, "a job in progress")
		}},
		{name: "attack 9: an ID token older than five minutes", on: "github", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			kept := s.tokenFor(j, asking{ask: s.askOf(j)})
			s.clock.pass(6 * time.Minute)
			s.ask(j, token(kept)).refused(gate.CodeTokenExpired)
			s.ask(j, claim("exp", s.clock.now().Add(time.Hour).Unix())).refused(gate.CodeTokenExpired, "15m0s")
		}},
		{name: "attack 10: a tag that only contains the pattern", policy: `tags: ["v[0-9]"]`, play: func(s *stage) {
			s.merge(s.propose("ana", "widget"), "eve")
			for _, tag := range []string{"xv1", "v1x", "v1.0", "not-v1"} {
				s.tag("ana", tag)
				s.ask(s.job("ana", "refs/tags/"+tag)).refused(gate.CodeStreamUnknown, "v[0-9]")
			}
			s.tag("ana", "v1")
			s.ask(s.job("ana", "refs/tags/v1")).opened()
		}},
		{name: "attack 10: a regular expression in the policy", play: func(s *stage) {
			s.adopts("version: 1\nreleases:\n  - workflow: release.yml\n    job: release\n    tags: [\"^v1|v2$\"]\n").
				refused(gate.CodePolicyInvalid, "glob")
		}},
		{name: "attack 11: the ID token of a job that finished", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			kept := s.tokenFor(j, asking{ask: s.askOf(j)})
			s.FinishJob(j)
			s.ask(j, token(kept)).refused(gate.CodeTokenClaims, "a job in progress")
		}},
		{name: "attack 11: the ID token names another run than its job's", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			if s.gl != nil {
				s.ask(j, claim("pipeline_id", "77")).refused(gate.CodeTokenClaims, "pipeline 77")
				return
			}
			other := s.job("bo", "refs/tags/v1.0.0")
			s.ask(j, claim("run_id", fmt.Sprint(other.RunID))).refused(gate.CodeForgeUnexpected, "find the job of check run")
			s.ask(j, claim("run_attempt", "77")).refused(gate.CodeTokenClaims, "attempt 77")
		}},
	})
}

// jti is the identity of an ID token.
func jti(s *stage, raw string) string {
	s.Helper()
	part := strings.Split(raw, ".")
	b, err := base64.RawURLEncoding.DecodeString(part[1])
	s.must(err)
	var c struct {
		ID string `json:"jti"`
	}
	s.must(json.Unmarshal(b, &c))
	return c.ID
}

// withHeader changes an ID token's header; what was signed no longer matters then.
func withHeader(s *stage, raw string, edit func(map[string]any)) string {
	s.Helper()
	part := strings.SplitN(raw, ".", 2)
	b, err := base64.RawURLEncoding.DecodeString(part[0])
	s.must(err)
	header := map[string]any{}
	s.must(json.Unmarshal(b, &header))
	edit(header)
	b, err = json.Marshal(header)
	s.must(err)
	return base64.RawURLEncoding.EncodeToString(b) + "." + part[1]
}
