package gate

import (
	"fmt"
	"time"
)

// unsettled looks for a time at which the branch's protection was weaker than the policy
// asks, after it had held (attack 25): what was switched off and on again has to
// hold for a while before anything is released on the strength of it.
func (j *judge) unsettled(branch BranchFacts) (Check, bool) {
	held := false
	for _, s := range j.c.Seen {
		weak, bad := j.weakness(BranchFacts{Name: branch.Name, Protection: s.Protection})
		if !bad {
			held = true
			continue
		}
		until := s.Until
		if until.IsZero() || until.After(j.at) {
			until = j.at
		}
		ready := until.Add(j.stream.Settle)
		if !held || !j.at.Before(ready) {
			continue
		}
		return Check{
			Name: CheckProtection, Outcome: Waiting,
			Reason: fmt.Sprintf("the protection of %s was weaker at %s: %s", branch.Name, s.At.UTC().Format(time.RFC3339), weak.Reason),
			Fix: fmt.Sprintf("nothing to do: it has to hold for %s, until %s (branch: settle in the policy)",
				j.stream.Settle, ready.UTC().Format(time.RFC3339)),
		}, true
	}
	return Check{}, false
}
