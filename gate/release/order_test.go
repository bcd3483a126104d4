package release_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// talk is what was said in a release's thread, and how the forge delivered it.
type talk struct {
	said   []remark
	arrive []int // indices of said: in any order, some twice, some never
}

type remark struct {
	who     gate.Account
	text    string
	edited  bool
	deleted bool
}

func talks(t *rapid.T) talk {
	people := []gate.Account{gatetest.Bo(), cy(), gatetest.Ana()}
	texts := []string{"approve", "approve", "deny it is broken", "hold", "unhold", "withdraw", "status"}
	var out talk
	for range rapid.IntRange(1, 6).Draw(t, "remarks") {
		out.said = append(out.said, remark{
			who: rapid.SampledFrom(people).Draw(t, "who"), text: "/countersign " + rapid.SampledFrom(texts).Draw(t, "text"),
			edited:  rapid.IntRange(0, 9).Draw(t, "edited") == 9,
			deleted: rapid.IntRange(0, 9).Draw(t, "deleted") == 9,
		})
	}
	index := rapid.IntRange(0, len(out.said)-1)
	out.arrive = rapid.SliceOfN(index, 0, 2*len(out.said)).Draw(t, "arrive")
	return out
}

// ends plays a talk: all of it is at the forge before the first delivery comes. It returns
// the state in which the release stands once the gate looked by itself, too.
func ends(t *testing.T, said []remark, arrive []int) gate.State {
	t.Helper()
	w := newWorld(t)
	w.forge.member(cy(), gate.RoleWrite)
	id := w.opened(1).Request.ID
	w.settle()
	refs := make([]gate.CommentRef, len(said))
	for i, r := range said {
		w.clock.pass(time.Second)
		refs[i] = w.saysUnheard(r.who, r.text)
	}
	w.forge.with(func() {
		for i, r := range said {
			c := w.forge.comments[refs[i]]
			c.Edited = r.edited
			w.forge.comments[refs[i]] = c
			if r.deleted {
				delete(w.forge.comments, refs[i])
			}
		}
	})
	for _, i := range arrive {
		w.ring(gate.Ring{Repository: gatetest.Repository(), Comment: &refs[i]})
	}
	w.settle()
	w.later(6 * time.Minute)
	w.later(6 * time.Minute)
	return w.record(id).State
}

// attacks 59 and 60: the order in which deliveries come, that some come twice and some
// never, changes nothing: what the forge's API says decides.
func TestDeliveriesInAnyOrder(t *testing.T) {
	seen := map[gate.State]int{}
	for seed := range 40 {
		x := rapid.Custom(talks).Example(seed)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inOrder := make([]int, len(x.said))
			for i := range inOrder {
				inOrder[i] = i
			}
			want, got := ends(t, x.said, inOrder), ends(t, x.said, x.arrive)
			seen[want]++
			if got != want {
				t.Errorf("%+v: %s when all came in order, %s when %v came", x.said, want, got, x.arrive)
			}
		})
	}
	for _, s := range []gate.State{gate.StateWaiting, gate.StatePublished, gate.StateDenied} {
		if seen[s] == 0 {
			t.Errorf("expected talks that end %s, got %v", s, seen)
		}
	}
}
