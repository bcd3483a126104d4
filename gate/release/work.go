package release

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// idle is the longest that a worker sleeps when nobody wakes it.
const idle = time.Second

// Work runs the gate's workers until ctx ends. wake tells of new rows; where it is nil
// the workers look once a second. A fault or a panic of one piece of work is logged and
// its lease lets it be tried again: it never ends the worker.
//
// What is under way when ctx ends gets finishTime more: broken off, it would stay leased,
// and the next process would have to wait for that.
func (g *Gate) Work(ctx context.Context, wake func() <-chan struct{}) error {
	doing, stop := lingering(ctx)
	defer stop()
	var workers errgroup.Group
	for name, next := range map[string]func(context.Context) (bool, error){
		"hear": g.HearNext, "judge": g.JudgeNext, "post": g.PostNext, "watch": g.WatchNext, "check": g.CheckNext,
		"assets": g.AssetsNext,
	} {
		workers.Go(func() error {
			g.loop(ctx, name, func() (bool, error) { return contained(doing, next) }, wake)
			return nil
		})
	}
	workers.Go(func() error { g.couriers(ctx); return nil })
	workers.Go(func() error { g.pronouncing(ctx); return nil })
	return workers.Wait()
}

// loop does next after next until ctx ends.
func (g *Gate) loop(ctx context.Context, name string, next func() (bool, error), wake func() <-chan struct{}) {
	pause := backoff.NewExponentialBackOff()
	for ctx.Err() == nil {
		var woken <-chan struct{}
		if wake != nil {
			woken = wake() // before looking: what comes during the look is not missed
		}
		found, err := next()
		wait := idle
		switch {
		case gate.CodeOf(err) == gate.CodeTransition:
			// Something came in while this was under way: it is looked at again as it is now.
			g.Log.InfoContext(ctx, "work overtaken", "worker", name, "error", err)
			continue
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

// contained turns a panic into an error: one piece of work that cannot be done must not
// end the process, and with it everybody else's.
func contained(ctx context.Context, next func(context.Context) (bool, error)) (found bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			found, err = true, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return next(ctx)
}

// PostNext tells the forge one thing. It reports whether there was one.
func (g *Gate) PostNext(ctx context.Context) (bool, error) {
	p, ok, err := g.Store.ClaimPost(ctx, g.Owner, postLease)
	if err != nil || !ok {
		return false, err
	}
	known, err := g.post(ctx, p)
	if err != nil {
		g.Log.WarnContext(ctx, "post not made", "post", p.ID, "target", string(p.Target), "request", p.Request, "error", err)
		return true, g.unposted(ctx, p, err)
	}
	return true, g.Store.Posted(ctx, p, known)
}

// post ends well before its lease: once another worker may tell the forge something newer,
// nothing older is on its way any more.
func (g *Gate) post(ctx context.Context, p gate.Post) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, postLease-postMargin)
	defer cancel()
	port, err := g.port(p.Repository.Forge)
	if err != nil {
		return "", err
	}
	if p, err = g.filled(ctx, p); err != nil {
		return "", err
	}
	return port.Post(ctx, p)
}

// A forge that is away is asked again soon; one that refuses, when somebody may
// have mended the permission.
const (
	postRetry   = 5 * time.Second
	postRefused = 5 * time.Minute
	postMargin  = 15 * time.Second // between the end of a post and that of its lease
)
