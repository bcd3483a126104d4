package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/store"

	main "github.com/countersign/countersign/cmd/countersignd"
)

const commit = "3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a3f2c1e9a"

// adopted is a configuration whose database has the file in force for github:1296269.
func adopted(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("/etc/countersign", dir, "/var/lib/countersign", dir).Replace(config.Example())
	files := map[string]string{"countersign.yaml": text}
	for _, secret := range []string{"github-app.pem", "github-webhook", "gitlab-token", "gitlab-webhook", "pin"} {
		files[secret] = "s3cret-of-" + secret
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: filepath.Join(dir, "countersign.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if file != "" {
		err = s.Adopt(t.Context(), gate.Adoption{
			ID: "0197f3a0-0000-7000-8000-000000000009", Repository: gate.RepositoryID{Forge: "github", ID: 1296269}, Name: "acme/widget",
			Owner: gate.AccountID{Forge: "github", ID: 100}, File: []byte(file), Commit: commit, Baseline: commit, DefaultBranch: "trunk",
			By: "root", At: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "countersign.yaml")
}

func run(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := main.Run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestPolicyShow(t *testing.T) {
	path := adopted(t, policy.Minimal(gate.GitHub))
	code, out, errs := run(t, "policy", "show", "--config", path, "--repository", "github:1296269")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{
		"acme/widget (github:1296269)", "in force since  2026-03-02T12:00:00Z", "adopted by      root", commit,
		"workflow              .github/workflows/release.yml\n", "branches              trunk, release/*  (default)\n", "key                   release  (default)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
	code, out, errs = run(t, "policy", "show", "--config", path, "--repository", "github:1296269", "--json")
	var got struct {
		Adoption gate.Adoption
		Mode     gate.Mode
		Releases []policy.Explained
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil || got.Adoption.By != "root" || got.Mode != gate.Enforce || len(got.Releases) != 1 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
}

func TestPolicyShowRefuses(t *testing.T) {
	for _, row := range []struct {
		what, file, repository string
		code                   int
		says                   []string
	}{
		{"nothing in force", "", "github:1296269", 1, []string{"no policy is adopted"}},
		{"another repository", policy.Minimal(gate.GitHub), "github:7", 1, []string{"no policy is adopted"}},
		{"a forge that is not configured", policy.Minimal(gate.GitHub), "gitea:7", 1, []string{"no forge of this name", "gitea"}},
		{"a name", policy.Minimal(gate.GitHub), "acme/widget", 2, []string{"github:1296269"}},
		{"what this version does not read", "version: 1\nreleases:\n  - workflow: release.yml\n    formats: [dsse]\n", "github:1296269", 2,
			[]string{"adopted by      root", `field "formats" is not supported`}},
	} {
		code, out, errs := run(t, "policy", "show", "--config", adopted(t, row.file), "--repository", row.repository)
		if code != row.code {
			t.Errorf("%s: exit %d, expected %d: %s", row.what, code, row.code, errs)
		}
		for _, want := range row.says {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%s: expected %q in\n%s%s", row.what, want, out, errs)
			}
		}
	}
}
