package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// populate makes the repositories that nothing can be released from.
func (h *hostile) populate(t *testing.T) {
	t.Helper()
	good := stage.Policy(h.world.Name())
	h.repos = map[string]forgetest.Repository{}
	for name, policy := range map[string]string{
		"unreached": good, "bare": "", "unread": good, "unadopted": good,
		"invalid": "version: 1\nreleases:\n  - reviewers: 2\n",
	} {
		repo := h.world.AddRepository("acme/" + name)
		eve := h.team.People["eve"]
		h.world.SetRole(repo, eve, forgetest.RoleAdmin)
		files := map[string][]byte{"main.go": []byte("package main\n"), ".github/workflows/release.yml": []byte("on: push\n")}
		if policy != "" {
			files[".countersign.yaml"] = []byte(policy)
		}
		sha := h.world.Commit(repo, forgetest.CommitSpec{Author: eve, Message: "Start", Files: files, When: time.Now()})
		h.world.Push(repo, eve, "refs/heads/main", sha)
		h.world.Push(repo, eve, "refs/tags/v1.0.0", sha)
		h.repos[name] = repo
	}
}

// from is a good ask of a job in another repository.
func (h *hostile) from(name string) *plea {
	team := &stage.Team{World: h.world, Repo: h.repos[name], People: h.team.People}
	return asking(h.Stage, h.world, team.Job("eve", "refs/tags/v1.0.0"), built("widget.tgz"))
}

func (h *hostile) repositories(t *testing.T) {
	deny := func(name string, status int, code gate.Code, repository string) {
		t.Helper()
		h.refuse(t, name, status, code, h.from(repository).request)
	}
	deny("no policy", 403, gate.CodePolicyMissing, "bare")
	deny("an invalid policy", 400, gate.CodePolicyInvalid, "invalid")
	deny("a policy that nobody adopted", 403, gate.CodePolicyNotAdopted, "unadopted")

	p := h.from("unreached")
	if h.world.Name() == "github" {
		h.GitHub.Uninstall(h.repos["unreached"])
	} else {
		h.GitLab.SetRole(h.repos["unreached"], h.GitLab.BotUser(), forgetest.RoleNone)
	}
	h.refuse(t, "no credential", 404, gate.CodeRepositoryUnknown, p.request)

	p = h.from("unread")
	restore := h.world.Fail(forgetest.Fault{Status: http.StatusInternalServerError})
	defer restore()
	h.refuse(t, "a policy that the forge does not let be read", 503, gate.CodePolicyUnreadable, p.request)
}

// What is asked about a request that is open.
func (h *hostile) requests(t *testing.T) {
	deny := func(name string, status int, code gate.Code, p *plea) {
		t.Helper()
		h.refuse(t, name, status, code, p.request)
	}
	const other = "0197f3a0-0000-7000-8000-0000000000ff"
	// The ID token's first use binds it; what comes after must add nothing.
	used := map[string]any{"jti": "used-for-" + h.open}
	show := h.plea().about(http.MethodGet, h.open, "")
	show.claims = used
	if got := sent(t, show.request(t)); got.status != http.StatusOK {
		t.Fatalf("a job asks after its request: expected 200, got %d %s", got.status, got.body)
	}
	collect := h.plea().about(http.MethodPost, h.open, "/collect")
	collect.claims = used
	deny("collect before it is signed", 409, gate.CodeNotSigned, collect)

	rebound := h.plea(built("thief.tgz"))
	rebound.claims = used
	deny("an ID token that served this request", 403, gate.CodeTokenRebound, rebound)

	deny("a request that is none", 404, gate.CodeRequestUnknown, h.plea().about(http.MethodGet, other, ""))
	deny("an id that is none", 404, gate.CodeRequestUnknown, h.plea().about(http.MethodGet, "latest", ""))
	deny("collect of none", 404, gate.CodeRequestUnknown, h.plea().about(http.MethodPost, other, "/collect"))
	for what, path := range map[string]string{"state": "", "files": "/collect"} {
		method := map[string]string{"": http.MethodGet, "/collect": http.MethodPost}[path]
		deny("the "+what+" for another repository's job", 404, gate.CodeRequestUnknown, h.from("unadopted").about(method, h.open, path))
		missing := h.plea().about(method, h.open, path)
		missing.headers = map[string]string{"Authorization": ""}
		deny("the "+what+" for nobody", 401, gate.CodeTokenMissing, missing)
		misdirected := h.plea().about(method, h.open, path)
		misdirected.aud = "https://pypi.example"
		deny("the "+what+" for another service's job", 401, gate.CodeAudience, misdirected)
	}
	if h.world.Name() == "github" { // on GitLab all jobs of a project are of one file
		nightly := h.world.StartJob(h.team.Repo, forgetest.JobSpec{
			Ref: h.job.Spec.Ref, Workflow: "nightly.yml", Event: "push", Actor: h.team.People["eve"],
		})
		deny("the files for another workflow's job", 403, gate.CodeNotPermitted,
			asking(h.Stage, h.world, nightly).about(http.MethodPost, h.open, "/collect"))
	}
	deny("a wait of a week", 400, gate.CodeParameter, h.plea().about(http.MethodGet, h.open, "?wait=168h"))
	deny("a wait of no length", 400, gate.CodeParameter, h.plea().about(http.MethodGet, h.open, "?wait=long"))
	deny("a method that the path does not take", 405, gate.CodeMethod, h.plea().about(http.MethodDelete, h.open, ""))
	deny("a path that is none", 404, gate.CodePathUnknown, h.plea().about(http.MethodGet, h.open, "/sign"))
}
