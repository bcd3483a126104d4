package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
)

// unposted is what becomes of a post that could not be made: it is tried again, or, where
// only people can change what it lacks, given up at once, which the thread is told.
func (g *Gate) unposted(ctx context.Context, p gate.Post, failure error) error {
	why := fmt.Sprint(gate.CodeOf(failure))
	kind := gate.KindOf(failure)
	broken := errors.Is(failure, context.Canceled) || errors.Is(failure, context.DeadlineExceeded)
	evidence := p.Target == gate.PostAssets || p.Target == gate.PostAttestations
	switch {
	case broken || kind == gate.Unavailable:
		return g.Store.DeferPost(ctx, p, g.Now().Add(postRetry), why)
	case !evidence:
		return g.Store.RefusePost(ctx, p, g.Now().Add(postRefused), why)
	}
	var known *gate.Error
	if errors.As(failure, &known) {
		why += ": " + known.Text
	}
	if kind == gate.Conflict && known != nil {
		return g.Store.GiveUpPost(ctx, p, why, g.unpublished(ctx, p, known))
	}
	return g.Store.RefusePost(ctx, p, g.Now().Add(patience(g.Now().Sub(p.Made))), why)
}

// patience is how long evidence waits for a place at the forge: a workflow makes the
// release soon after it has the signatures, or much later.
func patience(age time.Duration) time.Duration { return min(max(age/4, postSoon), postRefused) }

const postSoon = 10 * time.Second

// unpublished tells the release's thread, once, why its evidence is not at the forge.
func (g *Gate) unpublished(ctx context.Context, p gate.Post, why *gate.Error) []gate.Post {
	rec, err := g.Store.Request(ctx, p.Request)
	if err != nil {
		g.Log.WarnContext(ctx, "the thread is not told that evidence was given up", "post", p.ID, "error", err)
		return nil
	}
	return []gate.Post{{
		ID: g.NewID(), Request: p.Request, Repository: p.Repository, Target: gate.PostReply, Thread: rec.Thread, Made: g.Now(), URL: p.URL,
		Key:  fmt.Sprintf("evidence/%s/%s/%s", p.Request, p.Target, gate.SHA256([]byte(why.Text))),
		Body: voice.Unpublished(g.viewOf(rec, earlier(rec), rec.State, gate.Case{}), why.Text, why.Fix),
	}}
}
