package gitlab

import (
	"maps"
	"slices"
)

// inOrder are the merge requests by number: what is asked about several at once is then
// asked alike each time, so that a recorded answer fits.
func inOrder(found map[int64]*merged) []*merged {
	out := make([]*merged, 0, len(found))
	for _, iid := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[iid])
	}
	return out
}
