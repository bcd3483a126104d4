package gitlabtest_test

import (
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestJobLife(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	job := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release", Actor: team.ana, Event: "web"})
	team.SetPipelineVariables(job, map[string]string{"EVIL": "1"})
	project := int(team.repo.ID)
	j, _, err := team.api.Jobs.GetJob(project, int(job.ID))
	must(t, err)
	equal(t, "status", j.Status, "running")
	equal(t, "name", j.Name, "release")
	equal(t, "commit", j.Commit.ID, team.Head(team.repo, "refs/heads/main"))
	equal(t, "user", int64(j.User.ID), team.ana.ID)
	equal(t, "pipeline", int64(j.Pipeline.ID), job.RunID)
	pl, _, err := team.api.Pipelines.GetPipeline(project, int(job.RunID))
	must(t, err)
	equal(t, "source", string(pl.Source), "web")
	equal(t, "user of the pipeline", int64(pl.User.ID), team.ana.ID)
	variables, _, err := team.api.Pipelines.GetPipelineVariables(project, int(job.RunID))
	must(t, err)
	equal(t, "variable", variables[0].Key, "EVIL")
	jobs, _, err := team.api.Jobs.ListPipelineJobs(project, int(job.RunID), nil)
	must(t, err)
	equal(t, "jobs of the pipeline", len(jobs), 1)
	team.FinishJob(job)
	j, _, err = team.api.Jobs.GetJob(project, int(job.ID))
	must(t, err)
	equal(t, "status at the end", j.Status, "success")
	pipelines, _, err := team.api.Pipelines.ListProjectPipelines(project, &gitlab.ListProjectPipelinesOptions{Ref: gitlab.Ptr("main")})
	must(t, err)
	equal(t, "pipelines", len(pipelines), 1)
	all, _, err := team.api.Jobs.ListProjectJobs(project, nil)
	must(t, err)
	equal(t, "jobs", len(all), 1)
}

func TestVersionAndMetadata(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	v, _, err := team.api.Version.GetVersion()
	must(t, err)
	equal(t, "version", v.Version, "18.5.1")
	m, _, err := team.api.Metadata.GetMetadata()
	must(t, err)
	equal(t, "enterprise", m.Enterprise, false)
	projects, _, err := team.api.Projects.ListProjects(&gitlab.ListProjectsOptions{Membership: gitlab.Ptr(true)})
	must(t, err)
	equal(t, "projects of the gate", len(projects), 1)
	changes, _, err := team.api.MergeRequests.ListProjectMergeRequests(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "merge requests", len(changes), 0)
}
