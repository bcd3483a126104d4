package stage

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// Team is one repository with its people on one forge, ready to release: a policy
// is adopted and the default branch protected.
type Team struct {
	World  forgetest.World
	Repo   forgetest.Repository
	People map[string]forgetest.Person
}

// Policy is the minimal policy file of a forge.
func Policy(forge string) string {
	if forge == "gitlab" {
		return "version: 1\nreleases:\n  - job: release\n"
	}
	return "version: 1\nreleases:\n  - workflow: release.yml\n"
}

// Roles are who is who in a team's stories.
func Roles() map[string]forgetest.Role {
	return map[string]forgetest.Role{
		"ana": forgetest.RoleWrite, "bo": forgetest.RoleWrite, "cy": forgetest.RoleMaintain,
		"eve": forgetest.RoleAdmin, "gus": forgetest.RoleRead,
	}
}

// Gather makes acme/widget with its people, policy, workflow and protection. More are
// further lines of the policy's one stream.
func Gather(w forgetest.World, more ...string) *Team {
	t := &Team{World: w, Repo: w.AddRepository("acme/widget"), People: map[string]forgetest.Person{}}
	for name, role := range Roles() {
		t.People[name] = w.AddPerson(name)
		w.SetRole(t.Repo, t.People[name], role)
	}
	policy := Policy(w.Name())
	for _, line := range more {
		policy += "    " + line + "\n"
	}
	files := map[string][]byte{
		".countersign.yaml": []byte(policy),
		"README.md":         []byte("# widget\n"),
	}
	if w.Name() == "gitlab" {
		files[".gitlab-ci.yml"] = []byte("release: {script: [make release], id_tokens: {COUNTERSIGN_ID_TOKEN: {aud: https://countersign.example}}}\n")
	} else {
		files[".github/workflows/release.yml"] = []byte("on: {push: {tags: ['v*']}}\n")
	}
	eve := t.People["eve"]
	first := w.Commit(t.Repo, forgetest.CommitSpec{Author: eve, Message: "Start the widget", Files: files})
	w.Push(t.Repo, eve, "refs/heads/main", first)
	w.Protect(t.Repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	w.Protect(t.Repo, forgetest.Protection{Ref: "refs/tags/v*"})
	return t
}

// Owner is the team's owner as bindings name it.
func (t *Team) Owner() string { return fmt.Sprintf("%s:%d", t.World.Name(), t.Repo.OwnerID) }

// ID is the team's repository as commands name it.
func (t *Team) ID() string { return fmt.Sprintf("%s:%d", t.World.Name(), t.Repo.ID) }

// Adopt puts the team's policy in force, from where its default branch is now.
func (s *Stage) Adopt(ctx context.Context, t *Team) error {
	_, err := s.Daemon(ctx, "policy", "adopt", "--config", s.config, "--repository", t.ID(),
		"--baseline", t.World.Head(t.Repo, "refs/heads/main"))
	return err
}

// Open proposes a change by a person: one commit on a branch, pushed, with its PR or MR.
func (t *Team) Open(by, branch, message string, files map[string][]byte) forgetest.Change {
	who := t.People[by]
	sha := t.World.Commit(t.Repo, forgetest.CommitSpec{Author: who, Message: message, Files: files})
	t.World.Push(t.Repo, who, "refs/heads/"+branch, sha)
	title, _, _ := strings.Cut(message, "\n")
	return t.World.OpenChange(t.Repo, who, forgetest.ChangeSpec{Title: title, Source: branch, Target: "main"})
}

// Release tags the head of main and starts the release job for it.
func (t *Team) Release(by, tag string) forgetest.Job {
	who := t.People[by]
	t.World.Push(t.Repo, who, "refs/tags/"+tag, t.World.Head(t.Repo, "refs/heads/main"))
	return t.Job(by, "refs/tags/"+tag)
}

// Job starts the release job for a ref.
func (t *Team) Job(by, ref string) forgetest.Job {
	workflow := "release.yml"
	if t.World.Name() == "gitlab" {
		workflow = "release"
	}
	return t.World.StartJob(t.Repo, forgetest.JobSpec{Ref: ref, Workflow: workflow, Event: "push", Actor: t.People[by]})
}
