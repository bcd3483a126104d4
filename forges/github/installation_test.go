package github_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

func TestInstallations(t *testing.T) {
	// GitHub does not document the lookup by number: both ways have to do.
	for name, switches := range map[string]githubtest.Switches{
		"found by number": {}, "found by name, or by trying": {NoInstallationByRepositoryID: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: switches})
			w.AddRepository("umbrella/gadget")
			if _, err := w.forge.PolicyFile(t.Context(), w.id()); gate.CodeOf(err) != gate.CodePolicyMissing {
				t.Errorf("without a name: got %v, want %s", err, gate.CodePolicyMissing)
			}
			known(t, "repository", connect(t, w.Server).Evidence(t.Context(), w.request(mainRef), gate.Needs{}).Repository)
			_, err := w.forge.PolicyFile(t.Context(), gate.RepositoryID{Forge: adaptertest.ForgeID, ID: 4711})
			if gate.CodeOf(err) != gate.CodeRepositoryUnknown {
				t.Errorf("unknown repository: got %v", err)
			}
		})
		t.Run(name+", taken away (attack 83)", func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: switches})
			known(t, "repository", w.evidence().Repository)
			w.Uninstall(w.repo)
			if f := w.evidence().Repository; !f.IsAbsent() {
				t.Errorf("repository: expected absent, got %+v", f)
			}
		})
	}
}

func TestRepositoryThatMoves(t *testing.T) {
	t.Run("a renamed repository is the same (attack 73)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		r := w.request(mainRef)
		w.evidence()
		w.repo = w.RenameRepository(w.repo, "renamed")
		other := w.AddRepository("acme/app") // the old name, given to another
		f := known(t, "repository", w.forge.Evidence(t.Context(), r, gate.Needs{}).Repository)
		if f.ID != w.id() || f.FullName != "acme/renamed" || other.ID == w.repo.ID {
			t.Errorf("repository: got %+v", f)
		}
	})
	t.Run("a suspended installation is not gone", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.Suspend(w.repo, true)
		if f := w.evidence().Repository; !f.IsUnknown() || !strings.Contains(f.Why(), "suspended") {
			t.Errorf("repository: expected unknown because suspended, got %+v", f)
		}
	})
	t.Run("a transferred repository without the App is gone (attack 84)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.evidence()
		w.TransferRepository(w.repo, "elsewhere")
		if f := w.evidence().Repository; !f.IsAbsent() {
			t.Errorf("repository: expected absent, got %+v", f)
		}
	})
}

// TestTokenLastsItsHour looks the installation up again long before its token is old.
func TestTokenLastsItsHour(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	var mu sync.Mutex
	at, mints := time.Now(), 0
	w.Observe(func(e githubtest.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(e.Request.URL.Path, "/access_tokens") {
			mints++
		}
	})
	f, err := github.New(github.Config{
		Forge: adaptertest.ForgeID, APIURL: w.APIURL(), AppID: w.AppID(), PrivateKey: w.AppPrivateKey(), WebhookSecret: []byte(secret),
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return at
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func(want int) {
		t.Helper()
		known(t, "repository", f.Evidence(t.Context(), w.request(mainRef), gate.Needs{}).Repository)
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(11 * time.Minute)
		if mints != want {
			t.Errorf("tokens minted: got %d, want %d", mints, want)
		}
	}
	look(1)
	look(1)
	p := githubtest.DefaultPermissions()
	delete(p, "issues")
	w.SetPermissions(p)
	look(2)
	w.Suspend(w.repo, true)
	mu.Lock()
	at = at.Add(11 * time.Minute)
	mu.Unlock()
	if e := f.Evidence(t.Context(), w.request(mainRef), gate.Needs{}); !e.Repository.IsUnknown() {
		t.Errorf("suspended since: got %+v", e.Repository)
	}
}

func TestLeastPermissions(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	p := githubtest.DefaultPermissions()
	delete(p, "actions")
	delete(p, "issues")
	p["administration"] = "write" // more than the gate takes
	w.SetPermissions(p)
	var asked string
	w.Observe(func(e githubtest.Exchange) {
		if strings.HasSuffix(e.Request.URL.Path, "/access_tokens") {
			asked = string(e.Sent)
		}
	})
	known(t, "repository", w.evidence().Repository)
	for part, want := range map[string]bool{
		`"administration":"read"`: true, `"actions"`: false, `"issues"`: false, `"contents":"read"`: true,
		`"repository_ids":[` + strings.TrimPrefix(w.id().String(), "forge:") + `]`: true,
	} {
		if strings.Contains(asked, part) != want {
			t.Errorf("token asked with %s: expected %s in it: %t", asked, part, want)
		}
	}
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	_, err := w.forge.Run(t.Context(), workload(w, job))
	if gate.KindOf(err) != gate.Refused || gate.CodeOf(err) != gate.CodeForgeRefused {
		t.Errorf("run without actions:read: got %v, want %s", err, gate.CodeForgeRefused)
	}
}

func workload(w *team, j forgetest.Job) gate.Workload {
	return gate.Workload{
		Repository: w.id(), RepositoryName: w.repo.FullName, Commit: w.Head(w.repo, j.Spec.Ref), Event: "push",
		RunID: j.RunID, RunAttempt: 1, JobID: j.ID,
	}
}

func TestRuns(t *testing.T) {
	t.Run("a job whose check run has another number", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{JobIDIsNotCheckRunID: true}})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		claims := claimsOf(t, w.IDToken(job, "gate", nil))
		wl := workload(w, job)
		wl.JobID = claims.CheckRunID
		run, err := w.forge.Run(t.Context(), wl)
		if err != nil || !run.InProgress || run.Job == "" {
			t.Errorf("run: got %+v, %v", run, err)
		}
	})
	t.Run("a re-run by somebody else names both (attack 15)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		w.FinishJob(job)
		again := w.Rerun(job, w.bo)
		wl := workload(w, again)
		wl.RunAttempt = 2
		run, err := w.forge.Run(t.Context(), wl)
		if err != nil || len(run.Actors) != 2 || run.Actors[0].ID != account(w.ana) || run.Actors[1].ID != account(w.bo) {
			t.Errorf("run: got %+v, %v; want ana and bo", run, err)
		}
	})
	t.Run("a run of another event than the claims say", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		wl := workload(w, job)
		wl.Event = "workflow_dispatch"
		if _, err := w.forge.Run(t.Context(), wl); gate.CodeOf(err) != gate.CodeTokenClaims {
			t.Errorf("run: got %v, want %s", err, gate.CodeTokenClaims)
		}
	})
	t.Run("a token without the job's number (older servers)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		wl := workload(w, job)
		wl.JobID = 0
		run, err := w.forge.Run(t.Context(), wl)
		if err != nil || !run.InProgress {
			t.Errorf("run: got %+v, %v", run, err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := github.Config{
		Forge: "github", APIURL: "https://api.github.com", AppID: 1, PrivateKey: githubtestKey(t), WebhookSecret: []byte(secret), Now: time.Now,
	}
	if _, err := github.New(good); err != nil {
		t.Fatalf("a complete configuration: %v", err)
	}
	for name, spoil := range map[string]func(c *github.Config){
		"an empty webhook secret (attack 58)": func(c *github.Config) { c.WebhookSecret = nil },
		"no forge":                            func(c *github.Config) { c.Forge = "" },
		"no API URL":                          func(c *github.Config) { c.APIURL = "" },
		"an API URL with a password":          func(c *github.Config) { c.APIURL = "https://user:hunter2@api.github.com" },
		"no App":                              func(c *github.Config) { c.AppID = 0 },
		"no key":                              func(c *github.Config) { c.PrivateKey = nil },
		"a key that is none":                  func(c *github.Config) { c.PrivateKey = []byte("hunter2") },
		"no clock":                            func(c *github.Config) { c.Now = nil },
	} {
		c := good
		spoil(&c)
		if _, err := github.New(c); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want an error without secrets", name, err)
		}
	}
}
