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
	for _, secret := range []string{"github-app.pem", "github-webhook", "github-client", "gitlab-token", "gitlab-webhook", "pin"} {
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

// floored adds a floor to a configuration.
func floored(t *testing.T, path, owners, asks string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	floor := filepath.Join(filepath.Dir(path), "floor.yaml")
	text = append(text, "\nfloors:\n  - {name: server, file: "+floor+owners+"}\n"...)
	for name, content := range map[string][]byte{path: text, floor: []byte("version: 1\nfloor:\n  " + asks + "\n")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// What is in force is what the server's floors make of the adopted file.
func TestPolicyShowFloors(t *testing.T) {
	const asks = "{approvals: [{from: [maintain], count: 2}], branch: {bypass: deny}, checks: [build]}"
	path := floored(t, adopted(t, policy.Minimal(gate.GitHub)), "", asks)
	code, out, errs := run(t, "policy", "show", "--config", path, "--repository", "github:1296269")
	for _, want := range []string{
		"held to         floor:server, file of SHA-256 ", "2 with maintain  (default, floor server)\n", "deny  (floor server)\n",
		"checks                build  (floor server)\n", "bind                  request  (default)\n",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d: expected %q in\n%s%s", code, want, out, errs)
		}
	}
	path = floored(t, adopted(t, policy.Minimal(gate.GitHub)), `, owners: ["github:7"]`, asks)
	if code, out, errs = run(t, "policy", "show", "--config", path, "--repository", "github:1296269"); code != 0 || strings.Contains(out, "floor") {
		t.Errorf("another owner's floor, exit %d:\n%s%s", code, out, errs)
	}
	path = floored(t, adopted(t, policy.Minimal(gate.GitHub)), "", asks)
	if code, out, errs = run(t, "config", "check", "--config", path); code != 0 || !strings.Contains(out, "1 floors") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// A floor that does not read stops every command that would need it.
func TestFloorThatDoesNotRead(t *testing.T) {
	path := floored(t, adopted(t, policy.Minimal(gate.GitHub)), "", "separation: each-change")
	for _, args := range [][]string{
		{"config", "check", "--config", path}, {"policy", "show", "--config", path, "--repository", "github:1296269"}, {"serve", "--config", path},
	} {
		code, _, errs := run(t, args...)
		if code != 2 || !strings.Contains(errs, "floor.yaml:3:15: separation is \"each-change\"") || !strings.Contains(errs, "a floor only tightens") {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
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
		{"what this version does not read", "version: 1\nbreak_glass: {}\nreleases:\n  - workflow: release.yml\n", "github:1296269", 2,
			[]string{"adopted by      root", `field "break_glass" is not supported`}},
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
