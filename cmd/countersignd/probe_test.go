package main_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/forges/probe/transcript"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"

	main "github.com/countersign/countersign/cmd/countersignd"
)

func TestProbeGolden(t *testing.T) {
	s := newSite(t)
	for _, forge := range []string{"github", "gitlab"} {
		golden(t, "probe-"+forge+".golden", s.plain(s.run(0, "probe", "--forge", forge, "--repo", scratch)))
	}
}

// probed is what --json prints, in part.
type probed struct {
	Facts []struct {
		ID, Assumes, Outcome, Why, Follows, How string
		Copes                                   bool
	}
	Left                           []string
	Findings, Transcript, Workflow string
	Calls                          int
}

func (p probed) outcome(id string) string {
	for _, f := range p.Facts {
		if f.ID == id {
			return f.Outcome
		}
	}
	return ""
}

func (s *site) probe(args ...string) probed {
	s.t.Helper()
	var out probed
	if err := json.Unmarshal([]byte(s.run(0, append([]string{"probe", "--json", "--repo", scratch}, args...)...)), &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// claims writes what the probe's CI job of a forge prints.
func (s *site) claims(forge string) string {
	s.t.Helper()
	var w forgetest.World = s.github
	workflow := "release.yml"
	if forge == "gitlab" {
		w, workflow = s.gitlab, "release"
	}
	ana := w.AddPerson("ana-" + forge)
	w.SetRole(s.repo[forge], ana, forgetest.RoleMaintain)
	job := w.StartJob(s.repo[forge], forgetest.JobSpec{Ref: "refs/heads/main", Workflow: workflow, Event: "push", Actor: ana})
	var parts []string
	for range 2 {
		token := w.IDToken(job, probe.Audience(gate.ForgeKind(forge), "https://sign.example.org"), nil)
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			s.t.Fatal(err)
		}
		parts = append(parts, string(raw))
	}
	return s.write("claims-"+forge, []byte("$ countersign-probe\n["+strings.Join(parts, ",")+"]\nJob succeeded\n"))
}

// A probe with everything; then one with less, after which everything is still known.
func TestProbeWhole(t *testing.T) {
	s := newSite(t)
	for _, forge := range []string{"github", "gitlab"} {
		record := filepath.Join(s.dir, forge+".jsonl")
		first := s.probe("--forge", forge, "--write", "--claims", s.claims(forge), "--transcript", record)
		for _, id := range []string{"write.status", "write.thread", "write.comment", "write.edited", "write.reaction", forge + ".audience", forge + ".jti", forge + ".job"} {
			if got := first.outcome(id); got != "holds" {
				t.Errorf("%s: expected that it holds, got %q", id, got)
			}
		}
		if len(first.Left) < 2 || first.Calls < 20 || first.Workflow != "" || first.Transcript != record {
			t.Errorf("%s: left %q, %d calls, transcript %q, workflow %q", forge, first.Left, first.Calls, first.Transcript, first.Workflow)
		}
		again := s.probe("--forge", forge)
		if again.outcome("write.status") != "untold" || again.Workflow != "" {
			t.Errorf("%s: expected that nothing is written, and that the job's findings are still known", forge)
		}
		kept, has, err := probe.Load(filepath.Join(s.dir, "data"), gate.ForgeID(forge))
		if err != nil || !has || kept.Find("write.status").Outcome != probe.Holds || kept.Find(forge+".jti").Outcome != probe.Holds {
			t.Errorf("%s: expected the first probe's findings, got %+v, %v", forge, kept.Find("write.status"), err)
		}
		s.private(record)
	}
	out := s.run(1, "doctor") // what the probe set off was delivered to nobody
	for _, want := range []string{"facts about this forge proven", "Unproven: The comment of a deleted account"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
	if all := s.run(1, "doctor", "--all"); !strings.Contains(all, "A commit status can be set, moved on, and set again. Proven on ") {
		t.Errorf("expected every fact in\n%s", all)
	}
}

// private holds a transcript to be whole, readable, and to tell no secret and no name.
func (s *site) private(path string) {
	s.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		s.t.Errorf("%s: expected mode 0600, got %v, %v", path, info.Mode(), err)
	}
	replay, err := transcript.Read(strings.NewReader(string(text)), probe.OwnTexts())
	if err != nil || replay.Header().About["repository"] == scratch {
		s.t.Errorf("%s: %v", path, err)
	}
	key := strings.Split(string(s.github.AppPrivateKey()), "\n")
	for _, d := range append(key[1:4], hook, s.gitlab.BotToken(), "ghs_", "eyJ", "OWNER/", `"OWNER"`, "countersign-scratch", "ana-git", `"ana"`, "127.0.0.1") {
		if d != "" && strings.Contains(string(text), d) {
			s.t.Errorf("%s tells %q", path, d)
		}
	}
}

func TestProbeRefuses(t *testing.T) {
	s := newSite(t)
	there := s.write("there", []byte("[{]"))
	s.write("data/probe-gitlab.json", []byte("{"))
	for name, row := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no repository":          {[]string{"probe", "--forge", "github"}, 2, []string{`"repo" not set`}},
		"no forge of two":        {[]string{"probe", "--repo", scratch}, 2, []string{"github or gitlab", "got none", "--forge"}},
		"another forge":          {[]string{"probe", "--repo", scratch, "--forge", "gitea"}, 2, []string{"github or gitlab", "got gitea"}},
		"a repository's address": {[]string{"probe", "--repo", "https://github.com/a/b", "--forge", "github"}, 2, []string{"OWNER/NAME"}},
		"a short ref":            {[]string{"probe", "--repo", scratch, "--forge", "github", "--ref", "v1"}, 2, []string{"refs/tags/v1.0.0", "got v1"}},
		"no claims file":         {[]string{"probe", "--repo", scratch, "--forge", "github", "--claims", "/nonexistent"}, 2, []string{"/nonexistent"}},
		"claims of no use":       {[]string{"probe", "--repo", scratch, "--forge", "github", "--claims", there}, 2, []string{"[{…},{…}]"}},
		"a transcript's place":   {[]string{"probe", "--repo", scratch, "--forge", "github", "--transcript", there}, 2, []string{"file exists", "not there yet"}},
		"no folder":              {[]string{"probe", "--repo", scratch, "--forge", "github", "--findings", "/nonexistent"}, 2, []string{"--findings"}},
		"broken findings":        {[]string{"probe", "--repo", scratch, "--forge", "gitlab"}, 2, []string{"probe-gitlab.json"}},
		"an argument":            {[]string{"probe", "x"}, 2, []string{"unknown command"}},
	} {
		out := s.run(row.code, row.args...)
		for _, want := range row.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: expected %q in %s", name, want, out)
			}
		}
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "[{]" {
		t.Errorf("expected that a file that is there stays, got %q, %v", text, err)
	}
}

// What the gate rests on and does not hold ends the probe with 1, and doctor with 1 after it.
func TestProbeFails(t *testing.T) {
	s := newSite(t)
	restore := s.github.Fail(forgetest.Fault{Path: "/compare/", Status: 422})
	out := s.run(1, "probe", "--forge", "github", "--repo", scratch)
	for _, want := range []string{"fails       A comparison names its base", "Seen: the forge answered 422", "What follows: the branch stays unknown", "not hold at github"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
	if out := s.run(1, "doctor"); !strings.Contains(out, "failure     Does not hold: A comparison names its base") {
		t.Errorf("expected the failure in\n%s", out)
	}
	restore()
	s.run(0, "probe", "--forge", "github", "--repo", scratch)
	s.run(0, "doctor")
}

// A repository without the App: everything after it is untold, and says why.
func TestProbeOfNothing(t *testing.T) {
	s := newSite(t)
	for _, forge := range []string{"github", "gitlab"} {
		out := s.run(1, "probe", "--forge", forge, "--repo", "OWNER/nothing")
		if !strings.Contains(out, "the forge answered 404") || !strings.Contains(out, "Why: the scratch repository could not be read.") {
			t.Errorf("%s: expected why in\n%s", forge, out)
		}
	}
}

// The probe tries the very audience that jobs ask with.
func TestProbedAudience(t *testing.T) {
	if got, want := probe.Audience(gate.GitHub, "https://sign.example.org:8443"), canonical.AskAudience("sign.example.org:8443", gate.Digest{}); got != want {
		t.Errorf("expected %s, got %s", want, got)
	}
}

func TestGraphQLOf(t *testing.T) {
	for api, want := range map[string]string{
		"https://api.github.com": "https://api.github.com/graphql", "https://github.example/api/v3/": "https://github.example/api/graphql",
		"https://api.acme.ghe.com": "https://api.acme.ghe.com/graphql", "https://gitlab.com/api/v4": "https://gitlab.com/api/graphql",
		"https://host.example/gitlab/api/v4": "https://host.example/gitlab/api/graphql",
	} {
		if got := main.GraphQLOf(api); got != want {
			t.Errorf("%s: expected %s, got %s", api, want, got)
		}
	}
}
