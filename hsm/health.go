package hsm

import "sync"

// health is what all workers of one signer know of each other.
type health struct {
	mu     sync.Mutex
	up     int           // workers that are not known to be unable to start
	reason error         // why the last one could not start
	stop   error         // why none may ever be started again
	dead   chan struct{} // closed while none is up
}

func newHealth() *health {
	h := &health{dead: make(chan struct{})}
	close(h.dead)
	return h
}

// rise counts a worker that started, unless it is counted already.
func (h *health) rise(counted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if counted {
		return
	}
	if h.up == 0 {
		h.dead = make(chan struct{})
	}
	h.up++
}

// fall notes why a worker does not start, and counts it off if it was counted.
func (h *health) fall(counted bool, reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason = reason
	if !counted {
		return
	}
	h.up--
	if h.up == 0 {
		close(h.dead)
	}
}

// halt forbids every further start.
func (h *health) halt(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		h.stop = reason
	}
}

// halted is why no worker may start, or nil.
func (h *health) halted() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stop
}

// why is the reason that counts most, or nil.
func (h *health) why() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil {
		return h.stop
	}
	return h.reason
}

// down is closed while no worker is up.
func (h *health) down() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dead
}
