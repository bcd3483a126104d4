package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"

	main "github.com/countersign/countersign/cmd/countersign"
)

const bothForges = "version: 1\nmode: audit\nreleases:\n  - {workflow: release.yml, job: release, tags: [\"v[0-9]*\"]}\n"

// onPolicy runs countersign policy over a file; it needs no job and no server.
func onPolicy(t *testing.T, file, verb string, flags ...string) (main.Exit, string, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), policy.Path)
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := main.Run(t.Context(), append([]string{"policy", verb, path}, flags...), nil, &stdout, &stderr)
	return main.Exit(code), stdout.String(), stderr.String()
}

func TestPolicyLint(t *testing.T) {
	for _, row := range []struct {
		what, file string
		flags      []string
		exit       main.Exit
		says       string
	}{
		{"for GitHub", policy.Minimal(gate.GitHub), nil, main.ExitOK, "for github; streams: 1"},
		{"for GitLab", policy.Minimal(gate.GitLab), nil, main.ExitOK, "for gitlab; streams: 1"},
		{"for both", bothForges, nil, main.ExitOK, "for github and gitlab; streams: 1"},
		{"for the one named", bothForges, []string{"--forge", "gitlab"}, main.ExitOK, "for gitlab; streams: 1"},
		{"not for the one named", policy.Minimal(gate.GitHub), []string{"--forge", "gitlab"}, main.ExitUsage, "the release names no job"},
		{"for none", "version: 1\nreleases:\n  - name: stable\n", nil, main.ExitUsage, "the release names no workflow"},
		{"a mistake", "version: 1\nreleases:\n  - {workflow: release.yml, tag: [v1]}\n", nil, main.ExitUsage, ":3:29: unknown field \"tag\""},
		{"a mistake in a file for GitLab", "version: 1\nreleases:\n  - {job: release, window: {days: [mon], tz: CET}}\n", nil, main.ExitUsage, "time zone \"CET\""},
		{"a forge that is none", bothForges, []string{"--forge", "gitea"}, main.ExitUsage, "github or gitlab"},
	} {
		exit, out, errs := onPolicy(t, row.file, "lint", row.flags...)
		if exit != row.exit || !strings.Contains(out+errs, row.says) {
			t.Errorf("%s: expected exit %d and %q, got %d\n%s%s", row.what, row.exit, row.says, exit, out, errs)
		}
	}
	var stdout, stderr bytes.Buffer
	code := main.Run(t.Context(), []string{"policy", "lint", filepath.Join(t.TempDir(), "none")}, nil, &stdout, &stderr)
	if main.Exit(code) != main.ExitUsage || !strings.Contains(stderr.String(), "cannot be read") {
		t.Errorf("no file: got %d, %s", code, stderr.String())
	}
}

func TestPolicyExplain(t *testing.T) {
	exit, out, errs := onPolicy(t, bothForges, "explain")
	if exit != main.ExitOK || errs != "" {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	for _, want := range []string{
		"on github, mode audit", "on gitlab, mode audit",
		"  workflow              .github/workflows/release.yml\n", "  job                   release\n",
		"  tags                  v[0-9]*\n", "  branches              main, release/*  (default)\n",
		"  key                   the one bound to the repository  (default)\n", "  window                any time  (default)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
	_, out, _ = onPolicy(t, bothForges, "explain", "--json", "--default-branch", "trunk")
	var got struct {
		Forges []struct {
			Forge    gate.ForgeKind
			Releases []policy.Explained
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Forges) != 2 || !strings.Contains(out, "trunk, release/*") {
		t.Errorf("%v in\n%s", err, out)
	}
}

// With the server's floors at hand, lint says what they make of a file.
func TestPolicyLintFloors(t *testing.T) {
	floor := filepath.Join(t.TempDir(), "floor.yaml")
	write := func(asks string) {
		if err := os.WriteFile(floor, []byte("version: 1\nfloor:\n  "+asks+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("{approvals: [{from: [\"team:security\"]}], reviews_count: false, identity: {runner: hosted}}")
	file := "version: 1\nreleases:\n  - {workflow: release.yml, reviews_count: true}\n"
	exit, out, errs := onPolicy(t, file, "lint", "--floor", "server="+floor)
	for _, want := range []string{
		"on github, release: approvals is 1 with write; 1 with team:security (default, floor server)\n",
		"on github, release: reviews_count is false (floor server)\n", "identity.runner is github-hosted (floor server)\n",
	} {
		if exit != main.ExitOK || !strings.Contains(out, want) {
			t.Errorf("exit %d: expected %q in\n%s%s", exit, want, out, errs)
		}
	}
	for _, row := range []struct {
		what, asks string
		flags      []string
		says       string
	}{
		{"a person's account", "approvals: [{from: [\"team:security\"]}]", []string{"--personal", "--floor", "server=" + floor}, "floor server asks for approvals from team security"},
		{"a floor that loosens", "reviews_count: true", []string{"--floor", "server=" + floor}, "a floor only tightens"},
		{"a floor without a name", "codeowners: true", []string{"--floor", floor}, "NAME=FILE"},
		{"a floor twice", "codeowners: true", []string{"--floor", "a=" + floor, "--floor", "a=" + floor}, "two floors are named a"},
		{"a floor that is not there", "codeowners: true", []string{"--floor", "a=" + floor + ".none"}, "cannot be read"},
		{"another runner", "identity: {runner: self-hosted}", []string{"--floor", "a=" + floor}, ""},
	} {
		write(row.asks)
		exit, out, errs := onPolicy(t, file, "lint", row.flags...)
		if want := row.says; want != "" && (exit != main.ExitUsage || !strings.Contains(out+errs, want)) || want == "" && exit != main.ExitOK {
			t.Errorf("%s: exit %d, expected %q in\n%s%s", row.what, exit, want, out, errs)
		}
	}
}

// The refusal reads over several lines on a terminal, and whole in JSON.
func TestPolicyLintJSON(t *testing.T) {
	exit, out, _ := onPolicy(t, "version: 2\n", "lint", "--json")
	var got struct {
		Exit  main.Exit
		Error struct{ Title, Code, Expected, Got, Fix string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || exit != main.ExitUsage || got.Exit != exit || got.Error.Code != gate.CodePolicyInvalid.String() ||
		!strings.Contains(got.Error.Got, "^") || strings.Contains(got.Error.Title, "\n") {
		t.Errorf("exit %d, %v:\n%s", exit, err, out)
	}
}
