package release

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// idle is the longest that a worker sleeps when nobody wakes it.
const idle = time.Second

// Work runs the gate's workers until ctx ends. wake tells of new rows; without it the
// workers look once a second. A fault of one piece of work is logged and its
// lease lets it be tried again: it never ends the worker.
func (g *Gate) Work(ctx context.Context, wake func() <-chan struct{}) error {
	var workers errgroup.Group
	for name, next := range map[string]func(context.Context) (bool, error){
		"hear": g.HearNext, "judge": g.JudgeNext, "post": g.PostNext,
	} {
		workers.Go(func() error {
			g.loop(ctx, name, next, wake)
			return nil
		})
	}
	return workers.Wait()
}

func (g *Gate) loop(ctx context.Context, name string, next func(context.Context) (bool, error), wake func() <-chan struct{}) {
	pause := backoff.NewExponentialBackOff()
	for ctx.Err() == nil {
		woken := wake() // before looking: what comes during the look is not missed
		found, err := next(ctx)
		wait := idle
		switch {
		case err != nil && ctx.Err() == nil:
			g.Log.ErrorContext(ctx, "work failed", "worker", name, "error", err)
			wait = pause.NextBackOff()
		case found:
			pause.Reset()
			continue
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-time.After(wait):
		}
	}
}

// PostNext tells the forge one thing. It reports whether there was one.
func (g *Gate) PostNext(ctx context.Context) (bool, error) {
	p, ok, err := g.Store.ClaimPost(ctx, g.Owner, postLease)
	if err != nil || !ok {
		return false, err
	}
	port, err := g.port(p.Repository.Forge)
	if err != nil {
		return true, err
	}
	known, err := port.Post(ctx, p)
	if err != nil {
		after := postRetry
		if gate.KindOf(err) != gate.Unavailable {
			after = postRefused
		}
		g.Log.WarnContext(ctx, "post not made", "post", p.ID, "target", string(p.Target), "request", p.Request, "error", err)
		return true, g.Store.DeferPost(ctx, p, g.Now().Add(after), fmt.Sprint(gate.CodeOf(err)))
	}
	return true, g.Store.Posted(ctx, p, known)
}

// A forge that is away is asked again soon; one that refuses, when somebody may
// have mended the permission.
const (
	postRetry   = 5 * time.Second
	postRefused = 5 * time.Minute
)
