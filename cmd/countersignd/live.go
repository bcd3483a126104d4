package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web"
)

// liveForge is one forge whose secrets may change while the gate runs: behind it lies the
// adapter with the secrets of now. Calls that began with the old adapter end with it.
type liveForge struct {
	current atomic.Pointer[openedForge]
}

// openedForge is a forge's adapter and what it was made of.
type openedForge struct {
	forge

	config config.Forge
	at     *url.URL // web side
	// older proves deliveries by the second line of the webhook secret; nil without one.
	older web.Prover
}

func openLive(f config.Forge) (*liveForge, error) {
	o, err := openWhole(f)
	if err != nil {
		return nil, err
	}
	l := &liveForge{}
	l.current.Store(o)
	return l, nil
}

// openWhole opens a forge with all of its webhook secrets.
func openWhole(f config.Forge) (*openedForge, error) {
	at, err := url.Parse(f.URL)
	if err != nil {
		return nil, unusable(f, err)
	}
	o := &openedForge{config: f, at: at}
	if o.forge, err = openForge(f, nil); err != nil {
		return nil, err
	}
	if len(f.WebhookSecret.Lines()) > 1 {
		other := f
		other.WebhookSecret = f.WebhookSecret.Line(1)
		if o.older, err = openForge(other, nil); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (l *liveForge) now() *openedForge { return l.current.Load() }

// Prove takes a delivery that either of the valid webhook secrets proves.
func (l *liveForge) Prove(r *http.Request, body []byte) (gate.Delivery, error) {
	o := l.now()
	d, err := o.Prove(r, body)
	if o.older != nil && gate.CodeOf(err) == gate.CodeDeliverySignature {
		if d, other := o.older.Prove(r, body); other == nil {
			return d, nil
		}
	}
	return d, err
}

// Interpret is the adapter's.
func (l *liveForge) Interpret(d gate.Delivery) ([]gate.Ring, error) { return l.now().Interpret(d) }

// Run is the adapter's.
func (l *liveForge) Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error) {
	return l.now().Run(ctx, w)
}

// PolicyFile is the adapter's.
func (l *liveForge) PolicyFile(ctx context.Context, r gate.RepositoryID) (gate.PolicyFile, error) {
	return l.now().PolicyFile(ctx, r)
}

// Evidence is the adapter's.
func (l *liveForge) Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence {
	return l.now().Evidence(ctx, r, needs)
}

// Comment is the adapter's.
func (l *liveForge) Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	return l.now().Comment(ctx, ref)
}

// Post is the adapter's.
func (l *liveForge) Post(ctx context.Context, p gate.Post) (string, error) {
	return l.now().Post(ctx, p)
}

// CanSignIn reports whether people can sign in through the forge now.
func (l *liveForge) CanSignIn() bool { return l.now().CanSignIn() }

// AuthorizeURL is the adapter's.
func (l *liveForge) AuthorizeURL(state, challenge, redirect string) string {
	return l.now().AuthorizeURL(state, challenge, redirect)
}

// Identify is the adapter's.
func (l *liveForge) Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error) {
	return l.now().Identify(ctx, code, verifier, redirect)
}

// Right is the adapter's.
func (l *liveForge) Right(ctx context.Context, r gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member] {
	return l.now().Right(ctx, r, who)
}

// Repositories is the adapter's.
func (l *liveForge) Repositories(ctx context.Context) ([]gate.RepositoryFacts, error) {
	return l.now().Repositories(ctx)
}

// What only some adapters can do.

// errCannot says that the forge's adapter has no such ability: nobody was to ask for it.
var errCannot = errors.New("the forge cannot do this")

// PolicyChange is the adapter's, where it has one.
func (l *liveForge) PolicyChange(ctx context.Context, r gate.RepositoryID, number int64) (gate.PolicyChange, error) {
	if w, ok := l.now().forge.(release.Watcher); ok {
		return w.PolicyChange(ctx, r, number)
	}
	return gate.PolicyChange{}, errCannot
}

// Glance is the adapter's, where it has one.
func (l *liveForge) Glance(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment] {
	if g, ok := l.now().forge.(release.Glancer); ok {
		return g.Glance(ctx, ref)
	}
	return l.Comment(ctx, ref)
}

// Redeliver is the adapter's, where it has one.
func (l *liveForge) Redeliver(ctx context.Context, since time.Time) (int, error) {
	if c, ok := l.now().forge.(release.Courier); ok {
		return c.Redeliver(ctx, since)
	}
	return 0, errCannot
}

// Assets is the adapter's, where it has one.
func (l *liveForge) Assets(ctx context.Context, r gate.RepositoryID, ref string) gate.Fact[[]gate.Asset] {
	if a, ok := l.now().forge.(release.AssetReader); ok {
		return a.Assets(ctx, r, ref)
	}
	return gate.Unknown[[]gate.Asset](errCannot.Error())
}

// port joins what the adapter can do: some forges keep no list of their deliveries.
func (l *liveForge) port() release.Port {
	o := l.now()
	p := release.Port{Kind: o.config.Kind, URL: o.at, Forge: l, Interpreter: l}
	if _, ok := o.forge.(release.Watcher); ok {
		p.Watcher = l
	}
	if _, ok := o.forge.(release.Courier); ok {
		p.Courier = l
	}
	if _, ok := o.forge.(release.Glancer); ok {
		p.Glancer = l
	}
	if _, ok := o.forge.(release.AssetReader); ok {
		p.Assets = l
	}
	return p
}
