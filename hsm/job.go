package hsm

import (
	"fmt"
	"time"
)

// maxJob is how many orders one worker signs in one go. It keeps frames small, and
// spreads large releases over all workers.
const maxJob = 64

// job is a part of a batch that one worker signs.
type job struct {
	orders   []order
	pins     []pinned // of each order
	deadline time.Time
	done     chan outcome // has room for one
}

type outcome struct {
	sigs [][]byte
	err  error
}

func newJob(orders []order, pins []pinned) job {
	j := job{orders: orders, pins: pins, deadline: orders[0].Deadline, done: make(chan outcome, 1)}
	for _, o := range orders {
		if o.Deadline.Before(j.deadline) {
			j.deadline = o.Deadline
		}
	}
	return j
}

// carryOut has a worker sign a job and checks what it returns. The second result says
// whether the worker may go on.
func (s *Signer) carryOut(p *process, j job) ([][]byte, bool, error) {
	left := j.deadline.Sub(s.config.Now())
	if left <= 0 {
		return nil, true, tooLate(j.deadline)
	}
	r, err := p.exchange(batch{Orders: j.orders}, min(left, s.config.Limit))
	if err != nil {
		return nil, false, unavailable("the HSM does not answer", err)
	}
	if r.Fault != nil {
		if r.Fault.Broken {
			return nil, false, unavailable("the HSM does not answer as it should", r.Fault.err())
		}
		return nil, true, r.Fault.err()
	}
	if len(r.Signatures) != len(j.orders) {
		return nil, false, unavailable("the HSM does not answer as it should",
			fmt.Errorf("%d orders, %d signatures", len(j.orders), len(r.Signatures)))
	}
	for i, o := range j.orders {
		if !j.pins[i].public.verifies(o, r.Signatures[i]) {
			return nil, false, badSignature(j.pins[i].pin.name())
		}
	}
	return r.Signatures, true, nil
}
