package release

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
)

// hearDeployment takes note of a job that waits for the gate's leave. Its answer is
// that of the release which the same run asks for; a run that asked for none keeps
// its job waiting, and the job says what it takes.
func (g *Gate) hearDeployment(ctx context.Context, d gate.Deployment, heard *gate.Heard) error {
	heard.Deployments = append(heard.Deployments, d)
	recent, err := g.Store.RecentOf(ctx, d.Repository)
	if err != nil {
		return err
	}
	for _, rec := range recent {
		if rec.Request.Run.RunID == d.RunID {
			heard.Posts = append(heard.Posts, g.leave(d, g.viewOf(rec, earlier(rec), rec.State, gate.Case{})))
			return nil
		}
	}
	heard.Posts = append(heard.Posts, gate.Post{
		ID: g.NewID(), Repository: d.Repository, Target: gate.PostDeployment, Deployment: d, Key: deploymentKey(d),
		Body: voice.Unasked(g.Server.String()), URL: g.Server.String(), Made: g.Now(),
	})
	return nil
}

// deploymentKey is what is said of a job's wait, the newest in place of what was before.
func deploymentKey(d gate.Deployment) string {
	return fmt.Sprintf("%s/%d/%s", d.Repository, d.RunID, d.Environment)
}

// leaves are the answers to all jobs of the request's run that wait.
func (g *Gate) leaves(ctx context.Context, v voice.View) []gate.Post {
	if v.Kind != gate.GitHub {
		return nil
	}
	waiting, err := g.Store.Deployments(ctx, v.Request.Repository, v.Request.Run.RunID)
	if err != nil {
		// They are answered with the next decision; until then the jobs go on waiting.
		g.Log.WarnContext(ctx, "jobs that wait not looked up", "request", v.Request.ID, "error", err)
		return nil
	}
	var out []gate.Post
	for _, d := range waiting {
		out = append(out, g.leave(d, v))
	}
	return out
}

// resumes has the job played that collects the release, on GitLab, where the policy names
// it: the manual job of that name in the pipeline that asked. Its CI file is the one that
// was approved with the commit, as only a pipeline of that very commit may ask.
func (g *Gate) resumes(v voice.View, thread gate.Thread, c gate.Case) []gate.Post {
	stream, _ := c.Policy.StreamByName(v.Request.Stream)
	signed := v.State == gate.StateSigned || v.State == gate.StatePublished
	if v.Kind != gate.GitLab || stream.Finish == "" || !signed || v.Request.Run.RunID <= 0 {
		return nil
	}
	d := gate.Deployment{
		Repository: v.Request.Repository, RunID: v.Request.Run.RunID, Environment: stream.Finish, Requested: v.Request.Created,
	}
	p := g.leave(d, v)
	p.Body, p.Thread = voice.PlayByHand(v, stream.Finish), thread
	return []gate.Post{p}
}

// leave is given once the release is signed, and refused once it ended otherwise.
func (g *Gate) leave(d gate.Deployment, v voice.View) gate.Post {
	p := gate.Post{
		ID: g.NewID(), Request: v.Request.ID, Repository: d.Repository, Target: gate.PostDeployment, Deployment: d,
		Key: deploymentKey(d), Commit: v.Request.Commit,
		Body: voice.Deployment(v), URL: v.ReleaseURL, Made: g.Now(),
	}
	switch {
	case v.State == gate.StateSigned || v.State == gate.StatePublished:
		p.Leave = gate.LeaveGiven
	case v.State.Ended():
		p.Leave = gate.LeaveRefused
	}
	return p
}
