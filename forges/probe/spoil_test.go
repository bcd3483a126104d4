package probe_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/probe"
)

// gone takes a field away.
type gone struct{}

// spoiler changes one thing of a double's answers, wherever it stands in them.
type spoiler struct {
	path  string // part of the URL
	key   string // "" for none
	value any
	head  string // header to take away
	code  int    // answer with this in place of the double's
	body  string
}

func (s spoiler) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || !strings.Contains(req.URL.String(), s.path) {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	var v any
	if s.key != "" && json.Unmarshal(raw, &v) == nil {
		if raw, err = json.Marshal(s.spoil(v)); err != nil {
			return nil, err
		}
	}
	if s.code != 0 {
		resp.StatusCode, raw = s.code, []byte(s.body)
	}
	resp.Header.Del(s.head)
	resp.Header.Del("Content-Length")
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}

func (s spoiler) spoil(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = s.spoil(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = s.spoil(v[key])
		}
		if _, has := v[s.key]; !has && s.key != "bypass_actors" {
			return v
		}
		if _, away := s.value.(gone); away {
			delete(v, s.key)
		} else {
			v[s.key] = s.value
		}
	}
	return v
}

const other = "00000000000000000000000000000000000000aa"

// Each row is one way for a forge to be otherwise, and the fact that has to show it.
func TestWhatIsOtherwiseIsSeen(t *testing.T) {
	hub, lab := onGitHub(t, githubtest.Options{}), onGitLab(t, gitlabtest.Options{})
	seen := map[string]bool{}
	for _, row := range []struct {
		fact string
		s    spoiler
	}{
		{"github.app", spoiler{path: "/v3/app", key: "slug", value: ""}},
		{"github.installation-by-name", spoiler{path: "/scratch-of-acme/installation", key: "suspended_at", value: "2026-01-01T00:00:00Z"}},
		{"github.installation-by-number", spoiler{path: "/v3/repositories/", key: "id", value: 9}},
		{"github.repository", spoiler{path: "/repos/acme/scratch-of-acme", key: "default_branch", value: ""}},
		{"github.repository-by-number", spoiler{path: "/v3/repositories/", key: "full_name", value: ""}},
		{"github.permissions", spoiler{path: "/installation", key: "checks", value: "read"}},
		{"github.token-narrowed", spoiler{path: "/access_tokens", key: "repositories", value: gone{}}},
		{"github.token-narrowed", spoiler{path: "/access_tokens", key: "expires_at", value: "2099-01-01T00:00:00Z"}},
		{"github.token-narrowed", spoiler{path: "/access_tokens", key: "contents", value: "write"}},
		{"github.etag", spoiler{path: "/repos/acme/scratch-of-acme", head: "Etag"}},
		{"github.rate-limit", spoiler{path: "/repos/acme/scratch-of-acme", head: "X-Ratelimit-Reset"}},
		{"github.deliveries", spoiler{path: "/deliveries", key: "guid", value: gone{}}},
		{"github.classic", spoiler{path: "/protection", key: "enforce_admins", value: gone{}}},
		{"github.classic-none", spoiler{path: "/protection", key: "message", value: "Not Found"}},
		{"github.classic-none", spoiler{path: "/protection", code: 410, body: "{}"}},
		{"github.branch-rules", spoiler{path: "/rules/branches", key: "ruleset_id", value: gone{}}},
		{"github.rules-at-once", spoiler{path: "/graphql", key: "rules", value: nil}},
		{"github.rules-at-once", spoiler{path: "/graphql", key: "totalCount", value: 77}},
		{"github.bypass-hidden", spoiler{path: "/rulesets/", key: "bypass_actors", value: []any{}}},
		{"github.tag-rulesets", spoiler{path: "/rulesets", key: "target", value: "branch"}},
		{"github.escaped-branch", spoiler{path: "/branches/feature%2F", key: "name", value: "feature"}},
		{"github.activity", spoiler{path: "/activity", key: "actor", value: nil}},
		{"github.activity", spoiler{path: "/activity", key: "ref", value: "refs/heads/x"}},
		{"github.activity", spoiler{path: "/activity", code: 200, body: "[]"}},
		{"github.activity-deleted", spoiler{path: "to-be-deleted", code: 200, body: "[]"}},
		{"github.commit-people", spoiler{path: "/graphql", key: "committedViaWeb", value: nil}},
		{"github.commit-people", spoiler{path: "/graphql", key: "databaseId", value: 1}},
		{"github.pull-commits", spoiler{path: "/pulls/", key: "commits", value: 7}},
		{"github.pull-commits", spoiler{path: "/pulls/", key: "merged_at", value: nil}},
		{"github.compare", spoiler{path: "/compare/", key: "status", value: "ahead"}},
		{"github.compare", spoiler{path: "/compare/", key: "total_commits", value: gone{}}},
		{"github.rights", spoiler{path: "/permission", key: "role_name", value: gone{}}},
		{"github.rights", spoiler{path: "/permission", key: "permission", value: "root"}},
		{"github.rights-at-once", spoiler{path: "/graphql", key: "roleName", value: nil}},
		{"github.rights-at-once", spoiler{path: "/graphql", key: "permissionSources", value: nil}},
		{"github.account-by-number", spoiler{path: "/v3/user/", key: "id", value: 1}},
		{"github.account-by-number", spoiler{path: "/collaborators", key: "login", value: ""}},
		{"github.job", spoiler{path: "/jobs", key: "check_run_url", value: ""}},
		{"github.job-number", spoiler{path: "/actions/jobs/", key: "check_run_url", value: ""}},
		{"read.policy", spoiler{path: "/v3/repositories/", code: 418, body: "{}"}},
		{"read.pushers", spoiler{path: "/activity", key: "actor", value: nil}},
		{"write.edited", spoiler{path: "/graphql", key: "lastEditedAt", value: nil}},
		{"write.heard", spoiler{path: "/graphql", key: "comments", value: nil}},

		{"gitlab.token", spoiler{path: "/v4/user", key: "bot", value: false}},
		{"gitlab.token", spoiler{path: "/v4/user", key: "bot", value: gone{}}},
		{"gitlab.version", spoiler{path: "/metadata", key: "version", value: ""}},
		{"gitlab.project", spoiler{path: "/v4/projects/acme%2F", key: "default_branch", value: ""}},
		{"gitlab.maintainer", spoiler{path: "/members/all/", key: "access_level", value: 30}},
		{"gitlab.token-scope", spoiler{path: "/personal_access_tokens/self", code: 200, body: `{"scopes":["read_api"],"expires_at":"2027-01-01"}`}},
		{"gitlab.token-scope", spoiler{path: "/personal_access_tokens/self", code: 200, body: `{"scopes":["api"],"expires_at":null}`}},
		{"gitlab.totals", spoiler{path: "/members/all", head: "X-Total"}},
		{"gitlab.rate-limit", spoiler{path: "/v4/projects/", head: "Ratelimit-Remaining"}},
		{"gitlab.protected-branches", spoiler{path: "/protected_branches", key: "allow_force_push", value: gone{}}},
		{"gitlab.protected-tags", spoiler{path: "/protected_tags", key: "create_access_levels", value: gone{}}},
		{"gitlab.head-file", spoiler{path: "/repository/files/", key: "commit_id", value: other}},
		{"gitlab.blob-mode", spoiler{path: "/graphql", key: "mode", value: ""}},
		{"gitlab.pushes", spoiler{path: "/events", key: "author_id", value: 0}},
		{"gitlab.pushes", spoiler{path: "/events", key: "commit_to", value: nil}},
		{"gitlab.bot-flag", spoiler{path: "/v4/users/", key: "bot", value: gone{}}},
		{"gitlab.commit-author", spoiler{path: "/graphql", key: "sha", value: other}},
		{"gitlab.commit-author", spoiler{path: "/graphql", key: "project", value: nil}},
		{"gitlab.query-size", spoiler{path: "/graphql", key: "c7", value: gone{}}},
		{"gitlab.tree-size", spoiler{path: "/graphql", key: "c7", value: gone{}}},
		{"gitlab.merge-versions", spoiler{path: "/versions", key: "head_commit_sha", value: other}},
		{"gitlab.merge-commits", spoiler{path: "/commits", key: "id", value: other}},
		{"gitlab.pipeline-variables", spoiler{path: "/variables", code: 403, body: `{"message":"403 Forbidden"}`}},
		{"gitlab.unknown-revision", spoiler{path: "/repository/commits", code: 200, body: `[{}]`}},
		{"gitlab.job", spoiler{path: "/jobs/", code: 404, body: `{}`}},
		{"read.candidates", spoiler{path: "/members/all", key: "access_level", value: "high"}},
	} {
		t.Run(row.fact, func(t *testing.T) {
			b := hub
			if strings.HasPrefix(row.fact, "gitlab.") || row.fact == "read.candidates" {
				b = lab
			}
			r, err := probe.Run(t.Context(), b.config(row.s))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Find(row.fact); got.Outcome != probe.Fails || got.Why == "" {
				t.Errorf("%+v: expected that it fails, got %s: %s", row.s, got.Outcome, got.Why)
			}
			seen[row.fact] = true
		})
	}
	// What is told both ways by a switch of a double is in TestSwitches.
	elsewhere := "github.token-elsewhere github.activity-tags github.bot-commits gitlab.fast-forward"
	for _, b := range []*bench{hub, lab} {
		for _, f := range probe.Facts(b.kind()) {
			own := strings.HasPrefix(f.ID, "github.") || strings.HasPrefix(f.ID, "gitlab.")
			if own && f.Needs == probe.NeedsRead && !seen[f.ID] && !strings.Contains(elsewhere, f.ID) {
				t.Errorf("%s: no row shows how it fails", f.ID)
			}
		}
	}
}
