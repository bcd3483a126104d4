package hsm

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// Signer signs with the keys of one token. It is safe for concurrent use.
type Signer struct {
	config   Config
	keys     map[string]pinned // by SPKI; set by the first worker, then only read
	jobs     chan job
	closing  chan struct{}
	close    sync.Once
	starting sync.Mutex
	health   *health
	seats    sync.WaitGroup
	end      context.CancelFunc
}

// pinned is a key as pins and token agree on it.
type pinned struct {
	pin     KeyPin
	version gate.KeyVersion
	public  public
}

// named reports whether v calls the key as its pin does.
func (k pinned) named(v gate.KeyVersion) bool {
	return k.version.Lineage == v.Lineage && k.version.Version == v.Version
}

// Start starts the workers of a token and returns once each has logged in, found every
// pinned key and signed with it. ctx bounds the start alone; [Signer.Close] ends what
// was started. Errors, each a *gate.Error for the operator: CodeConfig; CodePIN for
// the PIN and its file (a refused PIN was tried once); CodeKeyUnavailable for module
// and token; CodeKeyUnknown and CodeKeyMismatch for a pin that does not fit exactly one pair.
func Start(ctx context.Context, c Config) (*Signer, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &Signer{config: c, jobs: make(chan job), closing: make(chan struct{}), health: newHealth(), end: end}
	release := context.AfterFunc(ctx, end)
	for n := range c.Workers {
		first := make(chan error, 1)
		e := &seat{s: s, number: n + 1}
		s.seats.Go(func() { e.tend(life, first) })
		if err := <-first; err != nil {
			s.Close()
			return nil, err
		}
	}
	if !release() {
		s.Close()
		return nil, unavailable("the signer's start was cancelled", context.Cause(ctx))
	}
	return s, nil
}

// Close lets the workers finish what they sign, end, and finalize their modules; one
// that does not is killed. Orders that come later are refused.
func (s *Signer) Close() {
	s.close.Do(func() { close(s.closing) })
	s.seats.Wait()
	s.end()
}

// Keys are the key versions that releases can be signed with, in the order configured.
func (s *Signer) Keys() []gate.KeyVersion {
	out := []gate.KeyVersion{}
	for _, k := range s.inOrder() {
		if k.pin.purpose() == gate.PurposeRelease {
			out = append(out, k.version)
		}
	}
	return out
}

// inOrder lists all keys in the order configured.
func (s *Signer) inOrder() []pinned {
	out := make([]pinned, len(s.config.Keys))
	for _, k := range s.keys {
		for i, p := range s.config.Keys {
			if p.name() == k.pin.name() {
				out[i] = k
			}
		}
	}
	return out
}

// Sign carries out orders and returns their signatures in the same order, each checked
// under the order's public key; all or none. Errors are *gate.Error. Those of kind
// Unavailable may be tried again under a new intent: CodeKeyUnavailable (hang, crash,
// device error, deadline passed, ctx ended; a signature may have been made), and
// CodePIN where no worker is left because the token refused its PIN. Final are
// CodeKeyUnknown, CodeKeyMismatch, CodeOrderRefused (also for a key of the gate's own), and
// CodeSignatureBad.
func (s *Signer) Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error) {
	pins, err := s.pinsOf(orders)
	if err != nil {
		return nil, err
	}
	wire := make([]order, len(orders))
	for i, o := range orders {
		wire[i] = orderOf(o, pins[i])
	}
	raw := make([][]byte, len(orders))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.config.Workers)
	for from := 0; from < len(orders); from += maxJob {
		to := min(from+maxJob, len(orders))
		group.Go(func() error {
			sigs, err := s.submit(ctx, newJob(wire[from:to], pins[from:to]))
			copy(raw[from:to], sigs)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	at := s.config.Now()
	out := make([]gate.Signature, len(orders))
	for i, o := range orders {
		out[i] = gate.Signature{Intent: o.Intent().ID, Bytes: raw[i], At: at}
	}
	return out, nil
}

// pinsOf finds the key of each order. An order names lineage, version and public key;
// all three must be those of one pin.
func (s *Signer) pinsOf(orders []gate.Order) ([]pinned, error) {
	var out []pinned
	now := s.config.Now()
	for _, o := range orders {
		want := o.Key()
		k, ok := s.keys[string(want.SPKI)]
		switch {
		case o.Deadline().IsZero() || o.Intent().ID == "":
			return nil, refused("the order was made without a grant", "an order of a grant", "the zero order")
		case !ok:
			return nil, unknown(want.Lineage)
		case k.pin.purpose() != gate.PurposeRelease:
			return nil, refused("the key is one of the gate's own and signs no release", "a release key", k.pin.name())
		case !k.named(want):
			return nil, misnamed(k, want, "ask for the release again")
		case !now.Before(o.Deadline()):
			return nil, tooLate(o.Deadline())
		}
		out = append(out, k)
	}
	return out, nil
}

// orderOf is o as the worker reads it.
func orderOf(o gate.Order, k pinned) order {
	d := o.Digest()
	return order{Key: k.pin.fingerprint(), Purpose: gate.PurposeRelease, Mechanism: o.Mechanism(), Digest: d[:], Deadline: o.Deadline()}
}

// submit hands a job to the next free worker and waits for it, until its deadline.
func (s *Signer) submit(ctx context.Context, j job) ([][]byte, error) {
	timer := time.NewTimer(j.deadline.Sub(s.config.Now()))
	defer timer.Stop()
	select { // these come first: a worker may be waiting for a job all the same
	case <-s.closing:
		return nil, unavailable("the signer is closed", nil)
	case <-ctx.Done():
		return nil, unavailable("the order was given up before it was signed", context.Cause(ctx))
	default:
	}
	select {
	case s.jobs <- j:
	case <-timer.C:
		return nil, tooLate(j.deadline)
	case <-ctx.Done():
		return nil, unavailable("the order was given up before it was signed", context.Cause(ctx))
	case <-s.closing:
		return nil, unavailable("the signer is closed", nil)
	case <-s.health.down():
		return nil, s.outage()
	}
	select {
	case o := <-j.done:
		return o.sigs, o.err
	case <-ctx.Done():
		return nil, unavailable("the order was given up while it was signed", context.Cause(ctx))
	}
}

// outage says that there is no worker. Its reason is the operator's alone.
func (s *Signer) outage() error {
	why := s.health.why()
	e := &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: "the HSM cannot be reached", Err: why,
		Fix: "nothing to do: it is tried again; if this stays, the operator finds the cause in the server's log",
	}
	if s.health.halted() != nil {
		e.Code, e.Text = gate.CodePIN, "the HSM refused its PIN"
		e.Fix = "the operator corrects the PIN file and starts the server again"
	}
	return e
}

// pause waits; false where the signer closes.
func (s *Signer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.closing:
		return false
	}
}
