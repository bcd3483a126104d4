package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

// raised names, per field, the floors that a stream's value comes from.
type raised map[string][]string

// holder holds one stream to one floor.
type holder struct {
	*reader
	floor  Floor
	where  Origin
	stream *gate.Stream
	entry  ast.Node // of the file's releases
	by     raised
}

// hold tightens a stream to every floor, in the order of their names: the same floors
// always make the same policy.
func (r *reader) hold(s *gate.Stream, entry ast.Node, where Origin) raised {
	by := raised{}
	floors := slices.Clone(where.Floors)
	slices.SortFunc(floors, func(a, b Floor) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range floors {
		h := holder{reader: r, floor: f, where: where, stream: s, entry: entry, by: by}
		h.tighten()
	}
	holder{reader: r, where: where, stream: s, entry: entry, by: by}.witnessed()
	return by
}

func (h holder) tighten() {
	s, a := h.stream, h.floor.ask
	h.raise("separation", a.outsider && s.Separation != gate.Outsider, func() { s.Separation = gate.Outsider })
	h.raise("reviews_count", a.noReviews && s.ReviewsCount, func() { s.ReviewsCount = false })
	h.raise("page_counts", a.noPage && s.PageCounts, func() { s.PageCounts = false })
	h.raise("branch.min_reviews", a.minReviews > s.MinReviews, func() { s.MinReviews = a.minReviews })
	h.raise("branch.bypass", a.noBypass && s.Bypass != gate.Deny, func() { s.Bypass = gate.Deny })
	h.raise("branch.push", a.noPush && s.Push != gate.Deny, func() { s.Push = gate.Deny })
	h.raise("branch.settle", a.settle > s.Settle, func() { s.Settle = a.settle })
	h.raise("codeowners", a.owners && !s.Owners, func() { s.Owners = true })
	h.raise("bind", a.perRequest && s.Bind != gate.BindRequest, func() { s.Bind = gate.BindRequest })
	h.raise("expires", a.expires > 0 && a.expires < s.Expires, func() { s.Expires = a.expires })
	checks := add(slices.Clone(s.Checks), a.checks...)
	h.raise("checks", len(checks) > len(s.Checks), func() { s.Checks = checks })
	h.approvals()
	h.runner()
	h.window()
	h.publishing()
}

func (h holder) raise(field string, weaker bool, raise func()) {
	if weaker {
		raise()
		h.by[field] = append(h.by[field], h.floor.Name)
	}
}

// at is the node of a field of the file's entry, or the entry where it has none.
func (h holder) at(path ...string) ast.Node {
	n := h.entry
	for _, name := range path {
		if m := member(n, name); m != nil {
			n = m
		}
	}
	return n
}

func (h holder) approvals() {
	for _, g := range h.floor.ask.approvals {
		for _, team := range g.Teams {
			switch {
			case h.where.OwnerIsUser && h.where.Kind == gate.GitHub:
				h.bad(h.entry, "floor "+h.floor.Name+" asks for approvals from team "+team+", and the repository belongs to a person's account, which has no teams",
					"a repository of an organisation", "one of a person", "move the repository, or ask the operator to give this owner another floor")
			case !isTeamOf(h.where.Kind, team):
				h.bad(h.entry, "floor "+h.floor.Name+" asks for approvals from team "+team+", which this forge cannot have", "team:security or team:acme/security",
					teamPrefix+team, "the operator gives the floor the owners of the other forge alone")
			}
		}
	}
	joined := join(h.stream.Approvals, h.floor.ask.approvals)
	h.raise("approvals", groups(joined) != groups(h.stream.Approvals), func() { h.stream.Approvals = joined })
}

// runner: two different runners leave none, which is a mistake for people to settle, not
// a choice between them.
func (h holder) runner() {
	want := h.floor.ask.runner
	if want == anyHosted {
		want = hosted(h.where.Kind)
	}
	switch {
	case want == "" || want == h.stream.Runner:
	case want != "self-hosted" && want != hosted(h.where.Kind):
		h.bad(h.entry, "floor "+h.floor.Name+" asks for a "+want+" runner, which this forge does not have", hosted(h.where.Kind)+" or self-hosted", want,
			"the operator writes runner: "+anyHosted+" in the floor, or gives it the owners of the other forge alone")
	case h.stream.Runner != "":
		h.bad(h.at("identity", "runner"), "floor "+h.floor.Name+" asks for a "+want+" runner, "+h.others("identity.runner", "the file")+" for a "+h.stream.Runner+" one",
			want, h.stream.Runner, h.settle("identity.runner", "leave identity.runner out, and run the job where the floor asks for"))
	default:
		h.raise("identity.runner", true, func() { h.stream.Runner = want })
	}
}

// window keeps what is within both windows. Those of different zones move against each
// other with their clocks: which of them would be weakened cannot be told.
func (h holder) window() {
	w, have := h.floor.ask.window, h.stream.Window
	if w == nil {
		return
	}
	if have == nil {
		h.raise("window", true, func() { h.stream.Window = w })
		return
	}
	if w.Zone.String() != have.Zone.String() {
		h.bad(h.at("window", "tz"), "floor "+h.floor.Name+" has a window by the clocks of "+w.Zone.String()+", "+h.others("window", "the file")+" by those of "+have.Zone.String(),
			"tz: "+w.Zone.String(), have.Zone.String(), h.settle("window", "write the window by the floor's clocks, or leave it out to have the floor's"))
		return
	}
	both := within(*have, *w)
	if len(both.Days) == 0 || both.From >= both.To {
		h.bad(h.at("window"), "no time is within both the window of floor "+h.floor.Name+" and that of "+h.others("window", "the file"),
			"some of "+w.String(), have.String(), h.settle("window", "choose days and hours within the floor's window, or leave it out to have that"))
		return
	}
	h.raise("window", both.String() != have.String(), func() { h.stream.Window = &both })
}

// others names who a value comes from that another floor does not agree with.
func (h holder) others(field, otherwise string) string {
	if names := h.by[field]; len(names) > 0 {
		return "floor " + strings.Join(names, ", ")
	}
	return otherwise
}

// settle is what to do about it: of two floors only the operator can.
func (h holder) settle(field, fix string) string {
	if len(h.by[field]) > 0 {
		return "the operator of the server makes the floors agree"
	}
	return fix
}

func within(a, b gate.Window) gate.Window {
	out := gate.Window{From: max(a.From, b.From), To: min(a.To, b.To), Zone: a.Zone}
	out.Days = slices.DeleteFunc(slices.Clone(a.Days), func(d time.Weekday) bool { return !slices.Contains(b.Days, d) })
	return out
}
