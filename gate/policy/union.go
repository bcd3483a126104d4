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
	have := places(file)
	taken := make([]bool, len(have))
	var left []gate.ApprovalGroup
	for _, want := range places(floor) {
		i := pair(have, taken, want)
		if i < 0 {
			left = append(left, want)
			continue
		}
		taken[i] = true
		if admitsAll(have[i], want) {
			have[i] = want
		}
	}
	least := lowest(file)
	for _, want := range left {
		if low := lowest([]gate.ApprovalGroup{want}); low != gate.RoleNone && low < least {
			want.From = []gate.Role{least}
		}
		have = append(have, want)
	}
	return regroup(have)
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

// pair finds a free place for want: best one that asks for the very same, then one that
// asks for more, then one that asks for less.
func pair(have []gate.ApprovalGroup, taken []bool, want gate.ApprovalGroup) int {
	for _, fits := range []func(h gate.ApprovalGroup) bool{
		func(h gate.ApprovalGroup) bool { return admitsAll(h, want) && admitsAll(want, h) },
		func(h gate.ApprovalGroup) bool { return admitsAll(want, h) },
		func(h gate.ApprovalGroup) bool { return admitsAll(h, want) },
	} {
		for i, h := range have {
			if !taken[i] && fits(h) {
				return i
			}
		}
	}
	return -1
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
