package gitlab

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// Post tells GitLab p and returns GitLab's id of what it made or changed. GitLab
// has no idempotency of its own for any of it: what is there is looked for first.
func (f *Forge) Post(ctx context.Context, p gate.Post) (string, error) {
	if p.Repository.Forge != f.forge {
		return "", failure("the post", fmt.Errorf("post to %s at forge %s: %w", p.Repository, f.forge, errUnexpected))
	}
	s := f.session(p.Repository)
	var id string
	var err error
	switch p.Target {
	case gate.PostStatus:
		id, err = s.postStatus(ctx, p)
	case gate.PostCheck: // GitLab has no check runs
		return "", nil
	case gate.PostComment:
		id, err = s.postSticky(ctx, p)
	case gate.PostReply:
		id, err = s.postReply(ctx, p)
	case gate.PostReaction:
		id, err = s.postReaction(ctx, p)
	case gate.PostThread:
		id, err = s.postThread(ctx, p)
	case gate.PostDeployment:
		id, err = s.postDeployment(ctx, p)
	case gate.PostAssets:
		id, err = s.postAssets(ctx, p)
	case gate.PostAttestations:
		err = forges.NoPlace("GitLab has no API for attestations", "take attestations out of the policy's publish")
	default:
		err = fmt.Errorf("post target %q: %w", p.Target, errUnexpected)
	}
	if err != nil {
		return "", failure("the "+string(p.Target), err)
	}
	return id, nil
}
