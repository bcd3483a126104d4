package hsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/countersign/countersign/gate"
)

// workerGrace is how long a worker whose daemon is gone waits for the module.
const workerGrace = 3 * time.Second

// RunWorker is the life of one worker process: r and w are its standard input and
// output, now is its clock. The first frame on r says which module, token and keys;
// each later one is a batch of orders. It returns nil once r ends or ctx does and
// the module was finalized, and an error otherwise; the process must exit then, for
// the module may be stuck. ctx should end with SIGTERM, which the daemon's death
// sends.
func RunWorker(ctx context.Context, r io.Reader, w io.Writer, now func() time.Time) error {
	frames, ended := make(chan []byte), make(chan error, 1)
	stop := make(chan struct{})
	go func() { ended <- pump(r, frames, stop) }()
	served := make(chan error, 1)
	go func() { served <- serve(frames, stop, w, now) }()

	var torn error
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	case torn = <-ended:
	}
	close(stop)
	timer := time.NewTimer(workerGrace)
	defer timer.Stop()
	select {
	case err := <-served:
		return errors.Join(torn, err)
	case <-timer.C:
		return errors.New("the PKCS#11 module is stuck")
	}
}

// pump reads frames until r ends. It keeps reading while a batch is worked on, so
// that the daemon's end is seen even while the module is stuck.
func pump(r io.Reader, frames chan<- []byte, stop <-chan struct{}) error {
	for {
		b, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case frames <- b:
		case <-stop:
			return nil
		}
	}
}

// serve opens the token and answers batches, one at a time. It leaves the module
// alone once that has failed.
func serve(frames <-chan []byte, stop <-chan struct{}, w io.Writer, now func() time.Time) error {
	var b []byte
	select {
	case b = <-frames:
	case <-stop:
		return nil
	}
	k, err := openKeyring(b)
	if err != nil {
		return errors.Join(err, writeFrame(w, reply{Fault: faultOf(err, true)}))
	}
	if err := writeFrame(w, reply{Ready: k.ready()}); err != nil {
		return errors.Join(err, k.token.Close())
	}
	for {
		select {
		case b = <-frames:
		case <-stop:
			return k.token.Close()
		}
		sigs, broken, err := k.carryOut(b, now)
		answer := reply{Signatures: sigs}
		if err != nil {
			answer = reply{Fault: faultOf(err, broken)}
		}
		wrote := writeFrame(w, answer)
		if broken {
			return errors.Join(err, wrote)
		}
		if wrote != nil {
			return errors.Join(wrote, k.token.Close())
		}
	}
}

// keyring is what a worker signs with: the pinned keys of one token, by fingerprint.
type keyring struct {
	token *token
	order []string
	keys  map[string]*key
}

// openKeyring opens the token that a hello names.
func openKeyring(b []byte) (*keyring, error) {
	var h hello
	if err := decode(b, &h); err != nil {
		return nil, refused("the first frame does not read: "+err.Error(), "a token and its keys", "something else")
	}
	if err := checkPins(h.Keys); err != nil {
		return nil, err
	}
	t, err := openToken(h.Module, h.Token, h.PINFile)
	if err != nil {
		return nil, err
	}
	ring := &keyring{token: t, keys: map[string]*key{}}
	for _, p := range h.Keys {
		k, err := t.key(p)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		ring.order = append(ring.order, p.fingerprint())
		ring.keys[p.fingerprint()] = k
	}
	return ring, nil
}

func (k *keyring) ready() *ready {
	r := &ready{Software: k.token.slot.software()}
	for _, f := range k.order {
		r.SPKIs = append(r.SPKIs, k.keys[f].spki)
	}
	return r
}

// carryOut signs one batch. It checks every order before it signs the first; the
// second result says that the module failed.
func (k *keyring) carryOut(b []byte, now func() time.Time) ([][]byte, bool, error) {
	var in batch
	if err := decode(b, &in); err != nil {
		return nil, false, refused("the batch does not read: "+err.Error(), "a batch of orders", "something else")
	}
	if len(in.Orders) == 0 {
		return nil, false, refused("the batch is empty", "orders", "none")
	}
	for _, o := range in.Orders {
		if err := k.check(o, now()); err != nil {
			return nil, false, err
		}
	}
	var sigs [][]byte
	for _, o := range in.Orders {
		if !now().Before(o.Deadline) {
			return nil, false, tooLate(o.Deadline)
		}
		sig, err := k.keys[o.Key].sign(o)
		if err != nil {
			return nil, true, err
		}
		sigs = append(sigs, sig)
	}
	return sigs, false, nil
}

// check holds what a worker enforces of I1 by itself: key, the key's one purpose,
// mechanism, length, and a deadline that a grant can have.
func (k *keyring) check(o order, now time.Time) error {
	key, known := k.keys[o.Key]
	switch {
	case !known:
		return refused("the order is for a key that this worker does not hold", "a pinned key", o.Key)
	case o.Purpose != key.purpose:
		return refused("the key has another purpose", string(key.purpose), fmt.Sprintf("%q", o.Purpose))
	case o.Mechanism != key.public.mechanism():
		return refused("the key signs by another mechanism", string(key.public.mechanism()), fmt.Sprintf("%q", o.Mechanism))
	case o.Deadline.Sub(now) > gate.GrantLifetime:
		return refused("the order's deadline is none that a grant has", "at most "+gate.GrantLifetime.String()+" from now",
			o.Deadline.UTC().Format(time.RFC3339))
	}
	if expected, got := key.public.fits(o); expected != "" {
		return refused("what is to be signed does not suit the key", expected, got)
	}
	return nil
}

func tooLate(deadline time.Time) error {
	return unavailable(fmt.Sprintf("the order's deadline (%s) passed before it was signed", deadline.UTC().Format(time.RFC3339)), nil)
}
