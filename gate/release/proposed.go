package release

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/voice"
)

// policyContext names the check on a PR/MR that changes the policy file.
const policyContext = "countersign/policy"

// CheckNext looks at one PR/MR for what it makes of the policy file, and reports it as a
// check of its head, with the last releases replayed. It reports whether there was one.
func (g *Gate) CheckNext(ctx context.Context) (bool, error) {
	ref, ok, err := g.Store.ClaimChange(ctx, g.Owner, watchLease)
	if err != nil || !ok {
		return false, err
	}
	posts, err := g.checkPolicy(ctx, ref)
	switch {
	case gate.KindOf(err) == gate.Unavailable:
		return true, g.Store.DeferChange(ctx, ref, g.Now().Add(hearRetryMost), err.Error())
	case err != nil:
		g.Log.WarnContext(ctx, "change of the policy not looked at", "repository", ref.Repository.String(), "number", ref.Number, "error", err)
	}
	return true, g.Store.FinishChange(ctx, ref, posts)
}

func (g *Gate) checkPolicy(ctx context.Context, ref gate.ChangeRef) ([]gate.Post, error) {
	port, err := g.port(ref.Repository.Forge)
	if err != nil {
		return nil, err
	}
	if port.Watcher == nil {
		return nil, nil
	}
	in, err := g.Store.InForce(ctx, ref.Repository)
	if gate.CodeOf(err) == gate.CodePolicyNotAdopted {
		return nil, nil // an administrator looks at the first version
	}
	if err != nil {
		return nil, err
	}
	change, err := port.Watcher.PolicyChange(ctx, ref.Repository, ref.Number)
	if gate.KindOf(err) == gate.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !change.Touches || !change.Open || change.Fork && port.Kind == gate.GitLab {
		return nil, nil
	}
	v := voice.PolicyView{Kind: port.Kind, Change: change, Cooldown: g.Cooldown}
	if !change.Deleted {
		v.Fault = g.tryPolicy(port, in, change)
	}
	if v.Fault == nil && !change.Deleted {
		if v.Replayed, err = g.Replay(ctx, ref.Repository, change.Content); err != nil {
			return nil, err
		}
	}
	return []gate.Post{g.policyPost(port, ref, change, v)}, nil
}

// tryPolicy reads the changed file as it would be read once adopted.
func (g *Gate) tryPolicy(port Port, in gate.Adoption, change gate.PolicyChange) error {
	_, err := policy.Parse(change.Content, g.origin(port.Kind, gate.PolicyFile{
		Repository: gate.RepositoryFacts{ID: in.Repository, Owner: in.Owner, DefaultBranch: in.DefaultBranch},
		Commit:     change.Head, Path: policy.Path, Content: change.Content,
	}))
	return err
}

func (g *Gate) policyPost(port Port, ref gate.ChangeRef, change gate.PolicyChange, v voice.PolicyView) gate.Post {
	p := gate.Post{
		ID: g.NewID(), Repository: ref.Repository, Target: gate.PostCheck, Commit: change.Head, Context: policyContext,
		Key: fmt.Sprintf("policy/%d/%s", ref.Number, change.Head), URL: g.Server.String(), Made: g.Now(),
	}
	p.State, p.Title, p.Body = voice.Policy(v)
	if port.Kind == gate.GitLab {
		p.Target = gate.PostStatus
	}
	return p
}
