package store

import (
	"math/rand/v2"
	"sync"
)

// held is which claims this process was given of the rows that can ring while they are
// leased. A random number tells a claim from every other: whoever is late must not end
// what another has begun since.
type held struct {
	mu     sync.Mutex
	claims map[string]int64
}

func newHeld() *held { return &held{claims: map[string]int64{}} }

func newClaim() int64 { return 1 + rand.Int64N(1<<62) }

func (h *held) take(row string, claim int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims[row] = claim
}

func (h *held) drop(row string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.claims, row)
}

// check refuses where another process claimed the row since this one did. A row that this
// process never claimed passes.
func (h *held) check(row string, claim int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if mine, ok := h.claims[row]; ok && mine != claim {
		return transition(row, "the claim that this process was given", "another's, or none")
	}
	return nil
}
