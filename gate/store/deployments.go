package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// rememberDeployments keeps the jobs that ask for leave, each once. One that was given a
// verdict and asks again later is a job that runs again: it waits anew.
func (u *unit) rememberDeployments(ctx context.Context, all []gate.Deployment) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b gate.Deployment) int {
		return cmp.Or(cmp.Compare(a.Repository.ID, b.Repository.ID), cmp.Compare(a.RunID, b.RunID),
			cmp.Compare(a.Environment, b.Environment))
	})
	for _, d := range sorted {
		if d.Repository.ID == 0 || d.RunID == 0 || d.Environment == "" {
			return internal("remember a deployment: expected a repository, a run and an environment, got %s, %d and %q",
				d.Repository, d.RunID, d.Environment)
		}
		n, err := u.q.RememberDeployment(ctx, db.RememberDeploymentParams{
			Forge: string(d.Repository.Forge), RepositoryID: d.Repository.ID, RunID: d.RunID,
			Environment: plain(d.Environment), RequestedAt: micros(d.Requested),
		})
		if err != nil {
			return fmt.Errorf("remember a deployment of run %d of %s: %w", d.RunID, d.Repository, err)
		}
		u.news = u.news || n == 1
	}
	return nil
}

// Deployments lists the jobs of a run that wait for the gate and were given no verdict,
// in the order in which they asked.
func (s *Store) Deployments(ctx context.Context, r gate.RepositoryID, runID int64) ([]gate.Deployment, error) {
	rows, err := s.read().Deployments(ctx, db.DeploymentsParams{
		Forge: string(r.Forge), RepositoryID: r.ID, RunID: runID,
	})
	if err != nil {
		return nil, fault(fmt.Sprintf("list the deployments of run %d of %s", runID, r), err)
	}
	out := make([]gate.Deployment, 0, len(rows))
	for _, row := range rows {
		out = append(out, gate.Deployment{
			Repository: r, RunID: row.RunID, Environment: row.Environment, Requested: fromMicros(row.RequestedAt),
		})
	}
	return out, nil
}

// endDeployment ends a job's wait with the post that told the forge the verdict.
func (u *unit) endDeployment(ctx context.Context, p gate.Post) error {
	if p.Target != gate.PostDeployment || p.Leave == "" {
		return nil
	}
	d := p.Deployment
	if err := u.q.EndDeployment(ctx, db.EndDeploymentParams{
		Verdict: string(p.Leave), RequestID: p.Request, EndedAt: u.at, RequestedAt: micros(d.Requested), Forge: string(d.Repository.Forge),
		RepositoryID: d.Repository.ID, RunID: d.RunID, Environment: plain(d.Environment),
	}); err != nil {
		return fmt.Errorf("end a deployment of run %d of %s: %w", d.RunID, d.Repository, err)
	}
	return nil
}

// answered reports whether a verdict for the same job is on its way: progress that comes
// after it must not take its place.
func (u *unit) answered(ctx context.Context, p gate.Post) (bool, error) {
	if p.Target != gate.PostDeployment || p.Leave != "" {
		return false, nil
	}
	docs, err := u.q.OpenPostsOfKey(ctx, db.OpenPostsOfKeyParams{
		Forge: string(p.Repository.Forge), RepositoryID: p.Repository.ID, Target: string(p.Target), PostKey: p.Key,
	})
	if err != nil {
		return false, fmt.Errorf("list the open posts beside %s: %w", p.ID, err)
	}
	for _, doc := range docs {
		var open gate.Post
		if err := json.Unmarshal([]byte(doc), &open); err != nil {
			return false, internal("decode an open post beside %s: %w", p.ID, err)
		}
		if open.Leave != "" {
			return true, nil
		}
	}
	return false, nil
}
