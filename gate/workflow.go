package gate

import (
	"strings"
)

// workflow pins what runs: the file, from the very commit that is released, and no
// reusable workflow in between but the one that the policy pins (attacks 13, 14 and 18).
func (j *judge) workflow() Check {
	w, s := j.c.Request.Workload, j.stream
	if w.WorkflowCommit != w.Commit {
		return mismatch(CheckIdentity, "the workflow's commit", w.Commit, w.WorkflowCommit,
			"run the workflow as the released commit has it")
	}
	if w.Kind == GitLab {
		if got := j.c.Request.Run.Job; s.Job == "" || got != s.Job {
			return mismatch(CheckIdentity, "the job", orNone(s.Job), got, "ask from the job that the policy names")
		}
		return granted(CheckIdentity, "job %s of %s", s.Job, w.RepositoryName)
	}
	return j.actions()
}

// actions is GitHub's side of it.
func (j *judge) actions() Check {
	w, s := j.c.Request.Workload, j.stream
	want := w.RepositoryName + "/" + s.Workflow
	job, jobCommit, called := want, w.Commit, s.Workflow
	if s.Uses != nil {
		job, jobCommit, called = s.Uses.Path, s.Uses.Commit, s.Uses.Path
	}
	switch {
	case s.Workflow == "" && s.Uses == nil, s.Workflow != "" && w.Workflow != want:
		return mismatch(CheckIdentity, "the workflow", want, w.Workflow, "ask from the workflow that the policy names")
	case !strings.HasPrefix(w.JobWorkflow, job+"@") && s.Uses != nil:
		return mismatch(CheckIdentity, "the job's workflow", job, w.JobWorkflow,
			"ask from a job of the reusable workflow that the policy names")
	case !strings.HasPrefix(w.JobWorkflow, job+"@"):
		return mismatch(CheckIdentity, "the job's workflow", job, w.JobWorkflow,
			"ask from a job of the workflow itself, not from a reusable one")
	case w.JobWorkflowCommit != jobCommit && s.Uses != nil:
		return mismatch(CheckIdentity, "the reusable workflow's commit", jobCommit, w.JobWorkflowCommit,
			"call it by the commit that the policy names, or have a policy with the new one adopted")
	case w.JobWorkflowCommit != jobCommit:
		return mismatch(CheckIdentity, "the job workflow's commit", jobCommit, w.JobWorkflowCommit,
			"run the workflow as the released commit has it")
	case s.Job != "" && !j.isJob(s.Job):
		return mismatch(CheckIdentity, "the job", s.Job, j.c.Request.Run.Job, "ask from the job that the policy names")
	}
	return granted(CheckIdentity, "%s on %s", called, w.Event)
}

// isJob compares the job's name as the forge's API tells it. A job of a reusable
// workflow is called "caller / job" there.
func (j *judge) isJob(name string) bool {
	got := j.c.Request.Run.Job
	return got == name || j.stream.Uses != nil && strings.HasSuffix(got, " / "+name)
}
