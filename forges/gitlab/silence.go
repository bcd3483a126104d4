package gitlab

import (
	"context"
	"errors"
	"net"
	"sync"
)

// silence remembers that a call of a session got no answer. Whoever waited a whole timeout
// for nothing need not wait for it again, call after call: what else the session would ask
// fails at once, with the same reason. Its zero value is a forge that answers.
type silence struct {
	mu  sync.Mutex
	err error
}

// heard takes an error that a call came back with.
func (s *silence) heard(err error) {
	if !silent(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// reason is why no more calls are made; nil while they are.
func (s *silence) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// silent reports whether nobody answers: the time was over, or no connection came about. A
// connection that broke off costs no time, and the next one may last.
func silent(err error) bool {
	var op *net.OpError
	return timedOut(err) || errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &op) && op.Op == "dial")
}

func timedOut(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}
