package hsm

import (
	"log/slog"
	"time"
)

// Config is one token with the keys that are used of it.
type Config struct {
	Module     string // path of the vendor's PKCS#11 module
	TokenLabel string
	// PINFile holds the user PIN, and is readable by nobody but its owner. Only workers read it.
	PINFile string
	Keys    []KeyPin
	// Workers is how many processes sign; 1 where it is 0. Each signs one thing at a
	// time, so more than the device does in parallel gain nothing.
	Workers int
	// Command starts a worker: a program that calls [RunWorker] on its standard input
	// and output, with its arguments.
	Command []string
	// Env is added to the server's own environment for the worker: what the module
	// needs, such as SOFTHSM2_CONF. It holds no secret.
	Env []string
	// Limit is how long one worker may take over one batch, StartLimit how long until it
	// is ready; what takes longer hangs and is killed. 10 s and 30 s where they are 0.
	Limit      time.Duration
	StartLimit time.Duration
	Log        *slog.Logger // nil discards
	Now        func() time.Time
}

const (
	maxWorkers   = 64
	defaultLimit = 10 * time.Second
	defaultStart = 30 * time.Second
)

// complete checks c and fills in what it leaves open.
func (c Config) complete() (Config, error) {
	switch {
	case len(c.Command) == 0 || c.Now == nil:
		return c, configFault("a signer needs a worker's command and a clock", "set Command and Now")
	case c.Module == "" || c.TokenLabel == "":
		return c, configFault("a token needs the path of its PKCS#11 module and its label", "set both")
	case c.Workers < 0 || c.Workers > maxWorkers:
		return c, configFault("expected 1 to 64 workers", "as many as the device signs in parallel; 1 or 2 suit most")
	}
	if err := checkPins(c.Keys); err != nil {
		return c, err
	}
	c.Workers = max(c.Workers, 1)
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	if c.StartLimit <= 0 {
		c.StartLimit = defaultStart
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
