package release_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/voice/voicetest"
)

// shown is a scene as the API shows it.
func shown(t *testing.T, scene string, kind gate.ForgeKind) api.Release {
	t.Helper()
	rec, err := voicetest.Record(voicetest.Scenes()[scene])
	if err != nil {
		t.Fatal(err)
	}
	rec.Request.Workload.Kind = kind
	at := &url.URL{Scheme: "https", Host: "forge.example"}
	return release.New(release.Config{
		Server: &url.URL{Scheme: "https", Host: "gate.example"},
		Forges: map[gate.ForgeID]release.Port{gatetest.Forge: {Kind: kind, URL: at}},
	}).View(rec)
}

func TestViewInWords(t *testing.T) {
	r := shown(t, "waiting-uncovered", gate.GitHub)
	if r.Headline != "waiting for 1 person" || r.People != 1 || r.Ending != nil || r.Audit || r.RepositoryID != gatetest.Repository() {
		t.Errorf("waiting: %+v", r)
	}
	for _, c := range r.Checks {
		if c.Title == "" || c.Title == string(c.Name) {
			t.Errorf("check %s has the title %q", c.Name, c.Title)
		}
	}
	if r = shown(t, "waiting-audit-server", gate.GitHub); !r.Audit || !strings.Contains(r.Standing, "The server only audits") {
		t.Errorf("audit of the server: %v, %q", r.Audit, r.Standing)
	}
	if r = shown(t, "waiting-audit", gate.GitHub); !r.Audit || !strings.Contains(r.Standing, "The policy in force only audits") {
		t.Errorf("audit of the policy: %v, %q", r.Audit, r.Standing)
	}
	if r = shown(t, "void", gate.GitHub); r.Ending == nil || r.Ending.Reason != "tag v1.4.0 moved" || r.Ending.Fix == "" {
		t.Errorf("void: ending %+v", r.Ending)
	}
	if r = shown(t, "failed", gate.GitHub); r.Ending == nil || r.Ending.Fix == "" {
		t.Errorf("failed: ending %+v", r.Ending)
	}
}

func TestViewSaysWhatPeopleSaid(t *testing.T) {
	for scene, want := range map[string]api.Statement{
		"granted":               {Verb: gate.VerbApprove, By: gatetest.Bo(), Counts: true},
		"signed-page":           {Verb: gate.VerbApprove, By: gatetest.Bo(), Counts: true, Page: true},
		"denied":                {Verb: gate.VerbDeny, By: gatetest.Bo(), Counts: true, Reason: "the changelog is missing"},
		"waiting-self-approval": {Verb: gate.VerbApprove, By: gatetest.Ana(), Why: "@ana is an author of #412"},
	} {
		r := shown(t, scene, gate.GitHub)
		if len(r.Statements) != 1 {
			t.Errorf("%s: %d statements", scene, len(r.Statements))
			continue
		}
		got := r.Statements[0]
		if got.At.IsZero() {
			t.Errorf("%s: said at no time", scene)
		}
		if got.At = want.At; got != want {
			t.Errorf("%s: %+v, expected %+v", scene, got, want)
		}
	}
}

// What changed since the newest signed release, or since the baseline, is a page of the forge.
func TestViewCompares(t *testing.T) {
	for kind, path := range map[gate.ForgeKind]string{
		gate.GitHub: "https://forge.example/acme/app/compare/", gate.GitLab: "https://forge.example/acme/app/-/compare/",
	} {
		r := shown(t, "waiting-reviewed", kind)
		if !strings.HasPrefix(r.CompareURL, path) || !strings.HasSuffix(r.CompareURL, "..."+gatetest.Commit) {
			t.Errorf("%s: %q", kind, r.CompareURL)
		}
	}
	if r := shown(t, "first-sight", gate.GitHub); r.CompareURL != "" {
		t.Errorf("before the first judgement: %q", r.CompareURL)
	}
}
