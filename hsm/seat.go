package hsm

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/countersign/countersign/gate"
)

// The pause before a worker is replaced doubles from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 30 * time.Second
)

// endGrace is how long a worker may take to finalize its module.
const endGrace = 5 * time.Second

// seat is the place of one worker: whoever sits there is replaced when it fails.
type seat struct {
	s      *Signer
	number int
	up     bool // as health counts it; a worker that is being replaced still is
}

// tend keeps a worker in the seat until the signer closes or its PIN is refused. It
// sends the first start's result on first.
func (e *seat) tend(life context.Context, first chan<- error) {
	// The kernel ends a worker with the thread that started it, not with the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := e.start(life)
	first <- err
	if err != nil {
		return
	}
	pause := firstPause
	for {
		var useful, closing bool
		if p != nil {
			useful, closing = e.work(life, p)
		}
		if useful {
			pause = firstPause
		}
		if closing || !e.s.pause(pause) {
			return
		}
		pause = min(2*pause, lastPause)
		if p, err = e.start(life); err != nil {
			if e.s.health.halted() != nil {
				return
			}
		}
	}
}

// start puts a worker into the seat. Only one of a signer's workers starts at a time,
// and none after a refused PIN: two seats would otherwise try a wrong PIN twice.
func (e *seat) start(life context.Context) (*process, error) {
	e.s.starting.Lock()
	defer e.s.starting.Unlock()
	log := e.s.config.Log.With("token", e.s.config.TokenLabel, "worker", e.number)
	if err := e.s.health.halted(); err != nil {
		e.missing(err)
		return nil, err
	}
	p, err := e.greet(life)
	switch {
	case err == nil:
		log.InfoContext(life, "signing worker ready", "pid", p.cmd.Process.Pid)
		e.s.health.rise(e.up)
		e.up = true
		return p, nil
	case gate.CodeOf(err) == gate.CodePIN:
		e.s.health.halt(err)
		log.ErrorContext(life, "PIN refused, no worker is started again", "pin_file", e.s.config.PINFile, "error", err)
	default:
		log.ErrorContext(life, "signing worker does not start", "error", err)
	}
	e.missing(err)
	return nil, err
}

func (e *seat) missing(why error) {
	e.s.health.fall(e.up, why)
	e.up = false
}

// greet starts a process and has it open the token.
func (e *seat) greet(life context.Context) (*process, error) {
	c := e.s.config
	p, err := startProcess(life, c.Command, c.Env)
	if err != nil {
		return nil, tokenFault("a signing worker cannot be started", "check that the server may run its own program", err)
	}
	r, err := p.exchange(hello{Module: c.Module, Token: c.TokenLabel, PINFile: c.PINFile, Keys: c.Keys}, c.StartLimit)
	if err != nil {
		return nil, tokenFault(fmt.Sprintf("the worker of token %q did not get ready", c.TokenLabel),
			"check the PKCS#11 module "+c.Module, p.endAfter(err))
	}
	if err := e.s.admit(r); err != nil {
		_ = p.end(endGrace) // how it ended adds nothing to why
		return nil, err
	}
	return p, nil
}

// work hands jobs to the worker until it fails or the signer closes. useful says that
// a job went well, or that the worker sat there for long.
func (e *seat) work(life context.Context, p *process) (useful, closing bool) {
	c := e.s.config
	log := c.Log.With("token", c.TokenLabel, "worker", e.number, "pid", p.cmd.Process.Pid)
	since := c.Now()
	for {
		select {
		case <-e.s.closing:
			if err := p.end(endGrace); err != nil {
				log.WarnContext(life, "signing worker did not end well", "error", err)
			}
			return useful, true
		case <-p.gone:
			log.ErrorContext(life, "signing worker ended by itself", "ended", p.end(0))
			return useful || c.Now().Sub(since) > lastPause, false
		case j := <-e.s.jobs:
			sigs, fit, err := e.s.carryOut(p, j)
			j.done <- outcome{sigs: sigs, err: err}
			useful = useful || err == nil
			if !fit {
				log.ErrorContext(life, "signing worker replaced", "error", err, "ended", p.end(0))
				return useful, false
			}
		}
	}
}

// admit checks what a worker says of the keys against the pins: it is believed in
// nothing but whether the token is software.
func (s *Signer) admit(r reply) error {
	if r.Fault != nil {
		return r.Fault.err()
	}
	if r.Ready == nil || len(r.Ready.SPKIs) != len(s.config.Keys) {
		return tokenFault("the worker's first answer is none", "run the same version as daemon and worker", nil)
	}
	keys := map[string]pinned{}
	for i, p := range s.config.Keys {
		spki := r.Ready.SPKIs[i]
		if !p.matches(spki) {
			return keyFault(gate.CodeKeyMismatch, p, s.config.TokenLabel, "the worker found another key", "check the pin")
		}
		public, err := p.public(spki)
		if err != nil {
			return keyFault(gate.CodeKeyMismatch, p, s.config.TokenLabel, err.Error(), "pin a P-256 key")
		}
		keys[string(spki)] = pinned{pin: p, public: public, version: gate.KeyVersion{
			Lineage: p.Lineage, Version: p.Version, SPKI: spki, Software: r.Ready.Software,
		}}
	}
	if s.keys == nil {
		s.keys = keys
	}
	return nil
}
