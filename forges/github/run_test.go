package github_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// A run that somebody deleted, or that never was, is no job's: it is refused at once, and
// not waited for (attack 11).
func TestNoSuchRun(t *testing.T) {
	for name, spoil := range map[string]func(w *gate.Workload){
		"no such run":                func(w *gate.Workload) { w.RunID += 1000 },
		"no such attempt":            func(w *gate.Workload) { w.RunAttempt = 77 },
		"no such attempt, older one": func(w *gate.Workload) { w.RunAttempt, w.JobID = 77, 0 },
	} {
		w := newTeam(t, githubtest.Options{})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		wl := workload(w, job)
		spoil(&wl)
		for _, warm := range []bool{false, true} {
			if warm {
				known(t, "repository", w.evidence().Repository)
			}
			_, err := w.forge.Run(t.Context(), wl)
			if gate.CodeOf(err) != gate.CodeTokenClaims || gate.KindOf(err) != gate.Unidentified || len(gate.ClaimsOf(err)) != 2 {
				t.Errorf("%s, warm %t: expected %s that marks two claims, got %v", name, warm, gate.CodeTokenClaims, err)
			}
		}
	}
	// Where the repository is not reached there is nothing to say about its runs.
	w := newTeam(t, githubtest.Options{})
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	w.Uninstall(w.repo)
	if _, err := w.forge.Run(t.Context(), workload(w, job)); gate.CodeOf(err) != gate.CodeRepositoryUnknown {
		t.Errorf("without the App: expected %s, got %v", gate.CodeRepositoryUnknown, err)
	}
}

// claimed is what the gate knows of a job from its ID token.
func claimed(t *testing.T, w *team, j forgetest.Job, by forgetest.Person) gate.Workload {
	t.Helper()
	wl := workload(w, j)
	wl.JobID = claimsOf(t, w.IDToken(j, "gate", nil)).CheckRunID
	wl.Actor = gate.Account{ID: account(by), Login: by.Login}
	return wl
}

// counted is how many calls f makes.
func (w *team) counted(f func()) int {
	before := w.Requests()
	f()
	return w.Requests() - before
}

// The job of a first attempt tells in one call what the run and the list of its jobs tell
// in two.
func TestRunIsOneCall(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	known(t, "repository", w.evidence().Repository)
	wl := claimed(t, w, job, w.ana)
	run := func(wl gate.Workload) (facts gate.RunFacts) {
		facts, err := w.forge.Run(t.Context(), wl)
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	var short, long gate.RunFacts
	if n := w.counted(func() { short = run(wl) }); n != 1 {
		t.Errorf("run: got %d calls, want 1", n)
	}
	nobody := wl
	nobody.Actor = gate.Account{}
	if n := w.counted(func() { long = run(nobody) }); n != 2 {
		t.Errorf("run of claims that name nobody: got %d calls, want 2", n)
	}
	if len(short.Actors) != 1 || len(long.Actors) != 1 || short.Actors[0].ID != long.Actors[0].ID {
		t.Fatalf("actors: got %v in one call, %v in two, want ana alone", short.Actors, long.Actors)
	}
	short.Actors, long.Actors = nil, nil
	if !reflect.DeepEqual(short, long) || !short.InProgress {
		t.Errorf("got %+v in one call, %+v in two", short, long)
	}
	w.FinishJob(job)
	if got := run(wl); got.InProgress {
		t.Error("attack 11: expected a finished job not in progress")
	}
	again := claimed(t, w, w.Rerun(job, w.bo), w.ana)
	again.RunAttempt = 2
	if got := run(again); len(got.Actors) != 2 || got.Actors[1].ID != account(w.bo) {
		t.Errorf("attack 15: got %v, want ana and bo", got.Actors)
	}
}

// A job that does not show that it is the token's is not believed: the run and the list of
// its jobs are asked (attacks 11 and 18).
func TestJobThatDoesNotFit(t *testing.T) {
	for name, spoil := range map[string]func(w *team, wl *gate.Workload) func(){
		"another run": func(_ *team, wl *gate.Workload) func() { wl.RunID += 1000; return nil },
		"another commit": func(w *team, wl *gate.Workload) func() {
			wl.Commit = w.push(w.ana, "elsewhere", "Elsewhere")
			return nil
		},
		"a name of before":   func(_ *team, wl *gate.Workload) func() { wl.RepositoryName = "acme/former"; return nil },
		"another check run":  told("check_run_url", `"https://api.github.com/repos/acme/app/check-runs/1"`),
		"another number":     told("id", "1"),
		"another attempt":    told("run_attempt", "2"),
		"no attempt":         told("run_attempt", "null"),
		"another repository": told("run_url", `"https://api.github.com/repos/acme/other/actions/runs/1"`),
		"no name":            told("name", `""`),
		"no such job": func(w *team, _ *gate.Workload) func() {
			return w.Fail(forgetest.Fault{Path: "/actions/jobs/", Status: 404})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
			known(t, "repository", w.evidence().Repository)
			wl := claimed(t, w, job, w.ana)
			restore := spoil(w, &wl)
			attempt := w.asks(func(path string) bool { return strings.Contains(path, "/attempts/") })
			facts, err := w.forge.Run(t.Context(), wl)
			if restore != nil {
				restore()
			}
			if !attempt.Load() {
				t.Errorf("expected the run attempt to be asked, got %+v, %v", facts, err)
			}
			if wl.RunID != job.RunID {
				if gate.CodeOf(err) != gate.CodeTokenClaims {
					t.Errorf("got %v, want %s", err, gate.CodeTokenClaims)
				}
				return
			}
			if err != nil || facts.RunID != job.RunID || facts.Commit != w.Head(w.repo, mainRef) || !facts.InProgress {
				t.Errorf("got %+v, %v; want what the run and its jobs tell", facts, err)
			}
		})
	}
}

// told has the job say another value of one key.
func told(key, value string) func(w *team, wl *gate.Workload) func() {
	return func(w *team, wl *gate.Workload) func() {
		w.t.Helper()
		var job map[string]json.RawMessage
		raw := fmt.Sprintf(
			`{"id":%d,"run_id":%d,"run_attempt":1,"status":"in_progress","name":"release","head_sha":%q,`+
				`"run_url":"https://api.github.com/repos/acme/app/actions/runs/%d","check_run_url":"https://api.github.com/repos/acme/app/check-runs/%d"}`,
			wl.JobID, wl.RunID, wl.Commit, wl.RunID, wl.JobID)
		if err := json.Unmarshal([]byte(raw), &job); err != nil {
			w.t.Fatal(err)
		}
		if facts, calls := w.withJob(*wl, raw); calls != 1 || facts.Job != "release" {
			w.t.Fatalf("unspoiled: got %+v after %d calls, want it believed", facts, calls)
		}
		job[key] = json.RawMessage(value)
		spoiled, err := json.Marshal(job)
		if err != nil {
			w.t.Fatal(err)
		}
		return w.Fail(forgetest.Fault{Path: "/actions/jobs/", Status: 200, Body: string(spoiled)})
	}
}

// withJob reads the run while GitHub answers for its job with body.
func (w *team) withJob(wl gate.Workload, body string) (facts gate.RunFacts, calls int) {
	w.t.Helper()
	defer w.Fail(forgetest.Fault{Path: "/actions/jobs/", Status: 200, Body: body})()
	calls = w.counted(func() {
		var err error
		if facts, err = w.forge.Run(w.t.Context(), wl); err != nil {
			w.t.Fatal(err)
		}
	})
	return facts, calls
}

// Where jobs are not numbered like their check runs, that is found out once an hour.
func TestOtherNumbersAreRemembered(t *testing.T) {
	now := time.Now()
	w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{JobIDIsNotCheckRunID: true}})
	w.forge = connectAt(t, w.Server, func() time.Time { return now })
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	known(t, "repository", w.evidence().Repository)
	wl := claimed(t, w, job, w.ana)
	guessed := func() bool {
		asked := w.asks(func(path string) bool { return strings.Contains(path, "/actions/jobs/") })
		facts, err := w.forge.Run(t.Context(), wl)
		if err != nil || !facts.InProgress || facts.Job == "" {
			t.Errorf("run: got %+v, %v", facts, err)
		}
		return asked.Load()
	}
	if !guessed() || guessed() {
		t.Error("expected the job to be asked for by its check run's number once")
	}
	if now = now.Add(61 * time.Minute); !guessed() {
		t.Error("after an hour: expected it to be asked for again")
	}
}

// connectAt is connect with a clock of its own.
func connectAt(t testing.TB, s *githubtest.Server, now func() time.Time) *github.Forge {
	t.Helper()
	f, err := github.New(github.Config{
		Forge: adaptertest.ForgeID, URL: s.URL(), APIURL: s.APIURL(), AppID: s.AppID(), PrivateKey: s.AppPrivateKey(),
		WebhookSecret: []byte(secret), Client: quick(t, s), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
