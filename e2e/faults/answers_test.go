package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

type fault struct {
	name  string
	spoil spoiler
	// may marks what can be the truth of some calls, or leaves some as they are: a grant is
	// then none too many where it rests on the same people.
	may bool
}

const graphQLErrors = `{"data":null,"errors":[{"message":"Something went wrong"}]}`

// answers are what a forge, or something before it, may say in place of the truth.
func answers() []fault {
	return []fault{
		{name: "attack 70: 404", spoil: said(http.StatusNotFound, `{"message":"404 Not Found"}`)},
		{name: "attack 70: 403", spoil: said(http.StatusForbidden, `{"message":"403 Forbidden"}`)},
		{name: "attack 70: 500", spoil: said(http.StatusInternalServerError, "")},
		{name: "attack 70: 204", spoil: said(http.StatusNoContent, "")},
		{name: "attack 70: null", spoil: said(http.StatusOK, "null")},
		{name: "attack 70: an empty list", spoil: said(http.StatusOK, "[]"), may: true},
		{name: "attack 70: an empty object", spoil: said(http.StatusOK, "{}")},
		{name: "attack 70: a list of nothing", spoil: said(http.StatusOK, "[null]"), may: true},
		{name: "attack 70: half the JSON", spoil: changed(half)},
		{name: "attack 70: half the body", spoil: broken},
		{name: "attack 70: empty pages without end", spoil: endless, may: true},
		{name: "attack 71: 429 until later", spoil: said(http.StatusTooManyRequests, `{"message":"429"}`, "Retry-After", "600")},
		{name: "attack 72: GraphQL's errors in a 200", spoil: said(http.StatusOK, graphQLErrors)},
		{name: "attack 73: a redirect to another repository", spoil: elsewhere},
		{name: "attack 74: every value null", spoil: changed(nothing), may: true},
		{name: "attack 74: every word unknown", spoil: changed(words), may: true},
		{name: "attack 74: every number another", spoil: changed(numbers), may: true},
	}
}

// whole are those that are worth their time only where they spoil everything.
func whole() []fault {
	return []fault{
		{name: "attack 70: 401", spoil: said(http.StatusUnauthorized, `{"message":"401 Unauthorized"}`)},
		{name: "attack 70: 410", spoil: said(http.StatusGone, `{"message":"410 Gone"}`)},
		{name: "attack 70: 502 in HTML", spoil: said(http.StatusBadGateway, "<html>Bad gateway</html>")},
		{name: "attack 70: 503", spoil: said(http.StatusServiceUnavailable, `{"message":"503"}`)},
		{name: "attack 70: HTML", spoil: said(http.StatusOK, "<html>Maintenance</html>", "Content-Type", "text/html")},
		{name: "attack 70: an empty body", spoil: said(http.StatusOK, "")},
		{name: "attack 70: 25 MB of nothing", spoil: said(http.StatusOK, strings.Repeat(" ", 25<<20))},
		{name: "attack 70: 25 MB of text", spoil: said(http.StatusOK, `["`+strings.Repeat("x", 25<<20)+`"]`)},
		{name: "attack 70: a body beyond all bounds", spoil: said(http.StatusOK, "{}"+strings.Repeat(" ", 40<<20))},
		{name: "attack 70: a body that drips", spoil: dripping},
		{name: "attack 71: 429", spoil: said(http.StatusTooManyRequests, `{"message":"429"}`)},
		{name: "attack 71: 403 until later", spoil: said(http.StatusForbidden, `{"message":"secondary rate limit"}`, "Retry-After", "600")},
		{name: "attack 72: GraphQL's errors beside its data", spoil: withErrors},
	}
}

// Everything that the forge says is spoiled in one way.
func TestAnswersSpoiled(t *testing.T) {
	for _, f := range append(answers(), whole()...) {
		t.Run(f.name, func(t *testing.T) {
			both(t, func(t *testing.T, s *scene) {
				s.suffers(func() func() {
					heal := s.line.rig.fail(every(f.spoil))
					return func() {
						heal()
						s.clock.pass(time.Hour) // beyond every pause that was asked for
					}
				})
			})
		})
	}
	t.Run("attack 74: every access level unknown", func(t *testing.T) {
		s := newScene(t, "gitlab")
		s.suffers(func() func() { return s.line.rig.fail(every(changed(levels))) })
	})
}

// spares says why no grant rests on a call's answer, "" where one does.
func (s *scene) spares(call string) string {
	if s.gl != nil {
		switch {
		case strings.HasSuffix(call, "/members/all"):
			return "who could approve: to name them, an approver's right is asked for by itself"
		case strings.HasSuffix(call, "/protected_tags"):
			return "the tag's protection: on record, not judged"
		case strings.HasSuffix(call, "/approvals"), strings.HasSuffix(call, "/approval_rules"), strings.HasSuffix(call, "/approval_state"):
			return "how many reviews the project asks for: the policy here asks for none"
		case strings.Contains(call, "/users/"), strings.Contains(call, "graphql"):
			return "who people are: told by membership and by several calls"
		case strings.HasSuffix(call, "/repository/compare"):
			return "what the forge merged by itself: without it the merger is an author too"
		}
		return ""
	}
	switch {
	case strings.HasSuffix(call, "/collaborators"):
		return "who could approve: to name them, an approver's right is asked for by itself"
	case strings.Contains(call, "/rulesets"):
		return "the tag's protection: on record, not judged"
	case strings.HasSuffix(call, "/installation"):
		return "where the App is installed: found by name where it is not told by number"
	case strings.Contains(call, "graphql"):
		return "asked again in another form"
	}
	return ""
}

// Each call by itself is spoiled in each way: it waits, or what it tells was not needed, and
// then the decision rests on no less than without the fault.
func TestEachAnswerSpoiled(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.granted("without a fault")
		honest := s.judge(time.Minute)
		calls := s.line.rig.seen()
		readings, grants := 0, 0
		for _, f := range answers() {
			for _, call := range calls {
				s.connect()
				heal := s.line.rig.fail(only(call, f.spoil))
				d := s.judge(time.Minute)
				heal()
				readings++
				if _, ok := d.Grant(); ok {
					grants++
				}
				if err := s.allows(f, call, d, honest); err != nil {
					t.Errorf("%s at %s: %v\n%s", f.name, call, err, verdict(d))
				}
			}
		}
		s.connect()
		s.granted("after all faults")
		t.Logf("%d calls spoiled in %d ways: %d readings, %d still granted", len(calls), len(answers()), readings, grants)
	})
}

// Two calls at once, in any two ways; and all those at once that tell again what another
// one tells, those with it that are asked only then.
func TestSeveralAnswersSpoiled(t *testing.T) {
	const pairs = 200
	both(t, func(t *testing.T, s *scene) {
		s.granted("without a fault")
		honest := s.judge(time.Minute)
		calls, ways := s.line.rig.seen(), answers()
		slices.Sort(calls)
		pick := rand.New(rand.NewPCG(70, 74)) //nolint:gosec // the same pairs each time
		for range pairs {
			a, b := calls[pick.IntN(len(calls))], calls[pick.IntN(len(calls))]
			f, g := ways[pick.IntN(len(ways))], ways[pick.IntN(len(ways))]
			if a == b {
				continue
			}
			s.connect()
			heal := s.line.rig.fail(func(call string) spoiler {
				if call == b {
					return g.spoil
				}
				return only(a, f.spoil)(call)
			})
			d := s.judge(time.Minute)
			heal()
			if err := errors.Join(s.allows(f, a, d, honest), s.allows(g, b, d, honest)); err != nil && d.Outcome == gate.Granted {
				t.Errorf("%s at %s, and %s at %s: %v\n%s", f.name, a, g.name, b, err, verdict(d))
			}
		}
		for _, f := range ways {
			s.connect()
			heal := s.line.rig.fail(func(call string) spoiler {
				if s.spares(call) == "" || strings.HasSuffix(call, "/installation") {
					return nil
				}
				return f.spoil
			})
			d := s.judge(time.Minute)
			heal()
			if d.Outcome == gate.Granted && !f.may {
				t.Errorf("%s at all calls of which one is enough: expected it to wait, got it granted", f.name)
			}
			if err := looser(d, honest); d.Outcome == gate.Granted && err != nil {
				t.Errorf("%s at all calls of which one is enough: %v", f.name, err)
			}
		}
		s.connect()
		s.granted("after all faults")
	})
}

func (s *scene) allows(f fault, call string, d, honest gate.Decision) error {
	switch d.Outcome {
	case gate.Waiting:
		return nil
	case gate.Granted:
		if s.spares(call) == "" && !f.may {
			return errors.New("expected it to wait")
		}
		return looser(d, honest)
	case gate.Denied:
		// A 404 of the tag is the forge's word that there is none any more.
		if f.name == "attack 70: 404" && strings.Contains(call, "/tags/") && d.Ends() == gate.StateVoid {
			return nil
		}
	}
	return errors.New("expected it to wait, not to end")
}

// looser says where a grant rests on less than another: an author who is missing, somebody
// who covers or counts and did not.
func looser(got, want gate.Decision) error {
	if len(got.Coverage) != len(want.Coverage) {
		return fmt.Errorf("changes: got %d, want %d", len(got.Coverage), len(want.Coverage))
	}
	for i, was := range want.Coverage {
		is := got.Coverage[i]
		for _, a := range was.Authors {
			if !slices.ContainsFunc(is.Authors, func(b gate.Authorship) bool { return b.Account.ID == a.Account.ID }) {
				return fmt.Errorf("%s: @%s is no author any more", was.Called, a.Account.Login)
			}
		}
		for _, b := range is.By {
			if !slices.ContainsFunc(was.By, func(a gate.CoveredBy) bool { return b.Account.ID == a.Account.ID }) {
				return fmt.Errorf("%s: covered by @%s", was.Called, b.Account.Login)
			}
		}
	}
	if !reflect.DeepEqual(got.Counted, want.Counted) || got.TagObject != want.TagObject {
		return fmt.Errorf("approvals: got %+v, want %+v", got.Counted, want.Counted)
	}
	return nil
}
