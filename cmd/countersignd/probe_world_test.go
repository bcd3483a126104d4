package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/hsm/hsmtest"

	main "github.com/countersign/countersign/cmd/countersignd"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestMain lets the test's own program be the PKCS#11 worker that the daemon starts, and
// the tool that a setup runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "hsm-worker" || os.Args[1] == "keys") {
		os.Exit(main.RunOn(os.Stdin, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const (
	scratch = "OWNER/countersign-scratch"
	hook    = "a-webhook-secret-of-this-test"
)

// site is a whole configuration: both doubles with a scratch repository, a token with a
// key, and no database yet.
type site struct {
	t      *testing.T
	dir    string
	github *githubtest.Server
	gitlab *gitlabtest.Server
	repo   map[string]forgetest.Repository
	config string
	token  hsmtest.Token
}

func newSite(t *testing.T) *site {
	t.Helper()
	asks := github.Permissions()
	asks["administration"] = "write"
	s := &site{
		t: t, dir: t.TempDir(), github: githubtest.New(githubtest.Options{Permissions: asks}), gitlab: gitlabtest.New(gitlabtest.Options{}),
		repo: map[string]forgetest.Repository{},
	}
	t.Cleanup(s.github.Close)
	t.Cleanup(s.gitlab.Close)
	for name, w := range map[string]forgetest.World{"github": s.github, "gitlab": s.gitlab} {
		repo := w.AddRepository(scratch)
		ana := w.AddPerson("ana")
		w.SetRole(repo, ana, forgetest.RoleMaintain)
		sha := w.Commit(repo, forgetest.CommitSpec{Author: ana, Message: "Begin", Files: map[string][]byte{"README.md": []byte("scratch\n")}})
		w.Push(repo, ana, "refs/heads/main", sha)
		w.Protect(repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
		s.repo[name] = repo
	}
	s.github.DeliverTo("https://sign.example.org/webhooks/github/github", hook)
	token := hsmtest.NewToken(t)
	s.token = token
	for _, e := range token.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	var key struct{ Label, ID, Fingerprint string }
	code, out, errs := run(t, "keys", "create", "--json", "--module", token.Module, "--token", token.TokenLabel, "--pin-file", token.PINFile, "--label", "release-1")
	if err := json.Unmarshal([]byte(out), &key); code != 0 || err != nil {
		t.Fatalf("keys create: exit %d, %v: %s", code, err, errs)
	}
	own := ownKeys(t, token)
	for name, content := range map[string][]byte{
		"app.pem": s.github.AppPrivateKey(), "gitlab-token": []byte(s.gitlab.BotToken()), "hook": []byte(hook), "client": []byte(s.github.ClientSecret()),
	} {
		s.write(name, content)
	}
	s.config = s.write("countersign.yaml", fmt.Appendf(nil, `server: {url: "https://sign.example.org", listen: "127.0.0.1:9", health_listen: "127.0.0.1:10"}
database: {engine: sqlite, path: %[1]s/data/countersign.db}
forges:
  - {name: github, kind: github, url: %[2]s, api_url: %[3]s, issuer: %[4]s, app_id: %[5]d, private_key_file: %[1]s/app.pem, webhook_secret_file: %[1]s/hook, client_id: %[12]s, client_secret_file: %[1]s/client}
  - {name: gitlab, kind: gitlab, url: %[6]s, token_file: %[1]s/gitlab-token, webhook_secret_file: %[1]s/hook}
hsm:
  - {module: %[7]s, token: %[8]s, pin_file: %[9]s}
keys:
  - {lineage: release, version: 1, token: %[8]s, label: release-1, id: "%[10]s", spki: "%[11]s", owners: ["github:1"]}
%[13]sadministrators: ["github:1"]
`, s.dir, s.github.URL(), s.github.APIURL(), s.github.Issuer(), s.github.AppID(), s.gitlab.URL(), token.Module, token.TokenLabel, token.PINFile, key.ID, key.Fingerprint, s.github.ClientID(), own))
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// ownKeys makes the gate's own keys, and gives their entries.
func ownKeys(t *testing.T, token hsmtest.Token) string {
	t.Helper()
	code, out, errs := run(t, "keys", "create", "--json", "--module", token.Module, "--token", token.TokenLabel, "--pin-file", token.PINFile, "--authority")
	var keys []struct{ Purpose, Label, ID, Fingerprint string }
	if err := json.Unmarshal([]byte(out), &keys); code != 0 || err != nil {
		t.Fatalf("keys create --authority: exit %d, %v: %s", code, err, errs)
	}
	var entries strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&entries, "  - {purpose: %s, lineage: %s, version: 1, token: %s, label: %s, id: %q, spki: %q}\n",
			k.Purpose, k.Purpose, token.TokenLabel, k.Label, k.ID, k.Fingerprint)
	}
	return entries.String()
}

func (s *site) write(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// edit replaces a text of the configuration, once.
func (s *site) edit(old, by string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil || strings.Count(string(text), old) != 1 {
		s.t.Fatalf("expected %q once in the configuration: %v", old, err)
	}
	s.write("countersign.yaml", bytes.Replace(text, []byte(old), []byte(by), 1))
}

// run runs a command on the site, which must end with the code.
func (s *site) run(code int, args ...string) string {
	s.t.Helper()
	got, out, errs := run(s.t, append(args, "--config", s.config)...)
	if got != code {
		s.t.Fatalf("%v: expected exit %d, got %d: %s\n%s", args, code, got, errs, out)
	}
	return out + errs
}

// plain is a command's output without what differs from run to run.
func (s *site) plain(out string) string {
	for _, r := range []struct{ old, by string }{
		{s.dir, "/srv"}, {s.github.URL(), "https://github.example"}, {s.gitlab.URL(), "https://gitlab.example"},
	} {
		out = strings.ReplaceAll(out, r.old, r.by)
	}
	for pattern, by := range map[string]string{
		`\d{4}-\d\d-\d\d`: "2026-11-22", `commit [0-9a-f]{7}`: "commit 3f2c1e9", `: \d+ calls,`: ": 57 calls,",
	} {
		out = regexp.MustCompile(pattern).ReplaceAllString(out, by)
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is stale (go test ./cmd/countersignd -run %s -update); got:\n%s", path, t.Name(), got)
	}
}
