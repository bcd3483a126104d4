package probe_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func noon(day int) time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) }

func report(day int, findings ...probe.Finding) probe.Report {
	for i := range findings {
		findings[i].At = noon(day)
	}
	return probe.Report{Forge: "hub", Kind: gate.GitHub, URL: "https://github.com", At: noon(day), Findings: findings}
}

// What a later probe does not ask, or cannot tell, is known from before.
func TestLaterProbes(t *testing.T) {
	before := report(1, probe.Finding{ID: "a", Outcome: probe.Holds, Asked: true}, probe.Finding{ID: "b", Outcome: probe.Fails, Asked: true}, probe.Finding{ID: "c"})
	after := report(2, probe.Finding{ID: "a", Outcome: probe.Untold}, probe.Finding{ID: "b", Outcome: probe.Holds, Asked: true}, probe.Finding{ID: "d", Outcome: probe.Untold})
	got := after.After(before)
	for id, want := range map[string]struct {
		outcome probe.Outcome
		day     int
	}{"a": {probe.Holds, 1}, "b": {probe.Holds, 2}, "d": {probe.Untold, 2}} {
		if f := got.Find(id); f.Outcome != want.outcome || !f.At.Equal(noon(want.day)) {
			t.Errorf("%s: expected %s of day %d, got %s of %s", id, want.outcome, want.day, f.Outcome, f.At)
		}
	}
	if f := after.Find("a"); f.Outcome != probe.Untold {
		t.Error("expected that the later report is left as it is")
	}
	moved := before
	moved.URL = "https://github.example"
	if f := after.After(moved).Find("a"); f.Outcome != probe.Untold {
		t.Errorf("expected nothing of another forge, got %s", f.Outcome)
	}
}

func TestReportIsKept(t *testing.T) {
	dir := t.TempDir()
	if _, has, err := probe.Load(dir, "hub"); has || err != nil {
		t.Errorf("expected nothing, got %t, %v", has, err)
	}
	want := report(1, probe.Finding{ID: "a", Outcome: probe.Holds, Why: "seen", Asked: true})
	path, err := probe.Save(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	got, has, err := probe.Load(dir, "hub")
	if err != nil || !has || got.Find("a") != want.Find("a") {
		t.Errorf("expected %v, got %v, %v", want, got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("expected mode 0600, got %v, %v", info.Mode(), err)
	}
	for _, broken := range []string{"", "{", `{"probe":2,"forge":"hub"}`, `{"probe":1,"forge":"lab"}`} {
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := probe.Load(dir, "hub"); err == nil {
			t.Errorf("%q: expected an error", broken)
		}
	}
	if _, err := probe.Save(filepath.Join(dir, "gone"), want); err == nil {
		t.Error("expected an error where there is no such folder")
	}
}

func TestFactsAreWhole(t *testing.T) {
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		seen := map[string]bool{}
		for _, f := range probe.Facts(kind) {
			if seen[f.ID] || f.Area == "" || f.Assumes == "" || f.Used == "" || f.Follows == "" || f.Needs == "" {
				t.Errorf("%s: the row is a second one, or lacks a text", f.ID)
			}
			if f.Needs == probe.NeedsHand && f.Try == "" {
				t.Errorf("%s: expected how to find out", f.ID)
			}
			seen[f.ID] = true
		}
	}
}

// Every fact becomes a check: what holds passes, what fails fails unless the gate copes.
func TestProven(t *testing.T) {
	r := report(1, probe.Finding{ID: "github.app", Outcome: probe.Fails, Why: "401", Asked: true}, probe.Finding{ID: "github.etag", Outcome: probe.Fails, Asked: true},
		probe.Finding{ID: "github.classic", Outcome: probe.Holds, Asked: true, Version: "3.19"}, probe.Finding{ID: "github.compare", Why: "add a commit", Asked: true})
	want := map[string]api.FindingLevel{
		"github.app": api.FindingFailure, "github.etag": api.FindingWarning, "github.classic": api.FindingPass, "github.compare": api.FindingWarning, "write.check": api.FindingWarning,
	}
	found := 0
	for _, c := range probe.Proven(r, gate.GitHub) {
		if level, ok := want[c.ID]; ok {
			found++
			if c.Level != level || c.Level != api.FindingPass && c.Fix == "" {
				t.Errorf("%s: expected %s with a fix, got %+v", c.ID, level, c)
			}
		}
	}
	if found != len(want) {
		t.Errorf("expected %d rows, got %d", len(want), found)
	}
}

func TestClaimsAreRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "{}", "[{", `[{"a":]`} {
		if c, err := probe.ParseClaims([]byte(text)); err == nil {
			t.Errorf("%q: expected an error, got %v", text, c)
		}
	}
}
