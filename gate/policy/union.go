package policy

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// join is the fewest groups that, filled, fill both the file's and the floor's. Places
// (a group of three has three) are paired where whoever fills the one fills the other
// too, and the narrower of a pair stands. The floor's places that are left over are added;
// where they ask for a lower right than the file's they are raised to it, so that nobody
// approves by a right because of a floor who could not without it.
func join(file, floor []gate.ApprovalGroup) []gate.ApprovalGroup {
	p := pairing{have: places(file), want: places(floor), of: map[int]int{}}
	// Pairs that leave the file's place as it is come first: what holds already stays.
	p.pair(func(have, want gate.ApprovalGroup) bool { return admitsAll(want, have) })
	p.pair(func(have, want gate.ApprovalGroup) bool { return admitsAll(want, have) || admitsAll(have, want) })
	least := lowest(file)
	out := p.have
	for w, want := range p.want {
		if h, paired := p.with(w); paired {
			if admitsAll(out[h], want) {
				out[h] = want
			}
			continue
		}
		if low := lowest([]gate.ApprovalGroup{want}); low != gate.RoleNone && low < least {
			want.From = []gate.Role{least}
		}
		out = append(out, want)
	}
	return regroup(out)
}

// pairing finds as many pairs of places as there can be (Kuhn's augmenting paths).
type pairing struct {
	have, want []gate.ApprovalGroup
	of         map[int]int // by a place of have, that of want
}

func (p pairing) pair(fits func(have, want gate.ApprovalGroup) bool) {
	var find func(w int, tried map[int]bool) bool
	find = func(w int, tried map[int]bool) bool {
		for h := range p.have {
			if tried[h] || !fits(p.have[h], p.want[w]) {
				continue
			}
			tried[h] = true
			if other, taken := p.of[h]; !taken || find(other, tried) {
				p.of[h] = w
				return true
			}
		}
		return false
	}
	for w := range p.want {
		if _, paired := p.with(w); !paired {
			find(w, map[int]bool{})
		}
	}
}

func (p pairing) with(want int) (have int, paired bool) {
	for h, w := range p.of {
		if w == want {
			return h, true
		}
	}
	return 0, false
}

// places are groups of one each.
func places(groups []gate.ApprovalGroup) []gate.ApprovalGroup {
	var out []gate.ApprovalGroup
	for _, g := range groups {
		for range g.Count {
			out = append(out, gate.ApprovalGroup{From: g.From, Teams: g.Teams, Count: 1})
		}
	}
	return out
}

// admitsAll reports whether wide admits everybody whom narrow admits, as far as that is
// certain whoever is in the teams.
func admitsAll(wide, narrow gate.ApprovalGroup) bool {
	if len(narrow.From) > 0 && (len(wide.From) == 0 || slices.Min(narrow.From) < slices.Min(wide.From)) {
		return false
	}
	return !slices.ContainsFunc(narrow.Teams, func(t string) bool { return !slices.Contains(wide.Teams, t) })
}

// lowest is the least right by which somebody may approve; RoleNone where only teams may.
func lowest(groups []gate.ApprovalGroup) gate.Role {
	out := gate.RoleNone
	for _, g := range groups {
		for _, r := range g.From {
			if out == gate.RoleNone || r < out {
				out = r
			}
		}
	}
	return out
}

// regroup puts equal places together again.
func regroup(places []gate.ApprovalGroup) []gate.ApprovalGroup {
	var out []gate.ApprovalGroup
	for _, p := range places {
		i := slices.IndexFunc(out, func(g gate.ApprovalGroup) bool { return slices.Equal(g.From, p.From) && slices.Equal(g.Teams, p.Teams) })
		if i >= 0 {
			out[i].Count++
		} else {
			out = append(out, p)
		}
	}
	return out
}
