package monitor

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// recentKept is how many attempts are remembered: the records of one stand close together.
const recentKept = 16

// recent are the attempts that were opened last.
type recent struct{ kept []attempt }

// has reports whether one of them intended a signature. All of them came before what is read:
// the log is read in order.
func (r *recent) has(digest gate.Digest, spki []byte) bool {
	return slices.ContainsFunc(r.kept, func(a attempt) bool { return a.has(digest, spki) })
}

func (r *recent) add(a attempt) {
	if len(r.kept) == recentKept {
		r.kept = slices.Delete(r.kept, 0, 1)
	}
	r.kept = append(r.kept, a)
}
