package github

import (
	"fmt"
	"strings"
	"time"
)

// emptyFor is how long it is believed that a place has nothing of the gate's. A post that was
// tried in vain is tried again after more than that, by whichever replica: within it nobody
// else can have posted there since the place was read.
const emptyFor = 4 * time.Second

// place is where posts go: a thread, or the check runs of a commit.
type place struct {
	repository, thread int64
	commit             string
}

// ownMark begins every marker of the gate's comments.
const ownMark = "<!-- countersign:"

// ownFields asks whether a commit has check runs of the gate, and what was said in the pull
// request that brought it: where a release's first posts go.
func ownFields(app int64) string {
	return fmt.Sprintf(`ours: checkSuites(first: 5, filterBy: {appId: %d}) { totalCount nodes { checkRuns(first: 1) { totalCount } } }
      talk: associatedPullRequests(first: 2) { nodes { number comments(last: 50) { totalCount nodes { body } } } }`, app)
}

// ownNode is what of a commit ownFields asks for.
type ownNode struct {
	Ours *struct {
		TotalCount int `json:"totalCount"`
		Nodes      []struct {
			CheckRuns *struct {
				TotalCount int `json:"totalCount"`
			} `json:"checkRuns"`
		} `json:"nodes"`
	} `json:"ours"`
	Talk *struct {
		Nodes []struct {
			Number   int64 `json:"number"`
			Comments *struct {
				TotalCount int `json:"totalCount"`
				Nodes      []struct {
					Body string `json:"body"`
				} `json:"nodes"`
			} `json:"comments"`
		} `json:"nodes"`
	} `json:"talk"`
}

// noChecks reports whether the gate has no check run there.
func (n *ownNode) noChecks() bool {
	if n.Ours == nil || n.Ours.TotalCount != len(n.Ours.Nodes) {
		return false
	}
	for _, s := range n.Ours.Nodes {
		if s.CheckRuns == nil || s.CheckRuns.TotalCount != 0 {
			return false
		}
	}
	return true
}

// silent are the threads that were read to their end and have nothing in them that looks
// like the gate's.
func (n *ownNode) silent() []int64 {
	var out []int64
	if n.Talk == nil {
		return nil
	}
	for _, t := range n.Talk.Nodes {
		empty := t.Comments != nil && t.Comments.TotalCount == len(t.Comments.Nodes)
		for i := 0; empty && i < len(t.Comments.Nodes); i++ {
			empty = !strings.Contains(t.Comments.Nodes[i].Body, ownMark)
		}
		if empty {
			out = append(out, t.Number)
		}
	}
	return out
}

// foundEmpty remembers where the gate has posted nothing yet.
func (rd *reading) foundEmpty(n *historyNode, at time.Time) {
	if n == nil {
		return
	}
	repository := rd.facts.ID.ID
	if n.noChecks() {
		keep(rd.forge.memory, rd.forge.memory.empty, maxRemembered, place{repository: repository, commit: n.OID}, at)
	}
	for _, number := range n.silent() {
		keep(rd.forge.memory, rd.forge.memory.empty, maxRemembered, place{repository: repository, thread: number}, at)
	}
}

// isEmpty reports, once, whether a place is known to have nothing of the gate's: whoever asks
// is about to post there.
func (m *memory) isEmpty(p place, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, has := m.empty[p]
	delete(m.empty, p)
	age := now.Sub(at)
	return has && age >= 0 && age < emptyFor
}
