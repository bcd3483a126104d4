package attacks_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// unread expects an open request that waits for the forge, and says so.
func (r *request) unread() {
	r.Helper()
	rec, d := r.now()
	if rec.State != gate.StateWaiting || !d.Unread() {
		r.Fatalf("expected it to wait for what could not be read, got:\n%s", r.verdict())
	}
}

// survives has the forge fail in one way when the last approval is in, and expects that
// nothing is signed until the forge is back.
func (s *stage) survives(f forgetest.Fault) {
	s.Helper()
	c := s.widget()
	r := s.asked()
	s.clock.pass(deed)
	s.AddComment(c, s.who("bo"), "/countersign approve")
	s.Settle()
	restore := s.Fail(f)
	s.settle()
	s.later(20 * time.Second)
	if rec, _ := r.now(); rec.State != gate.StateWaiting || len(s.signer.Signed()) > 0 {
		s.Errorf("expected it to wait while the forge fails, got:\n%s", r.verdict())
	}
	restore()
	for range 4 {
		s.later(20 * time.Second)
	}
	r.signed()
}

// blind has the forge fail once the approval is on record.
func (s *stage) blind(policy func(), f forgetest.Fault) *request {
	s.Helper()
	s.widget()
	r := s.asked()
	policy()
	r.approve("bo")
	s.Cleanup(s.Fail(f))
	s.later(6 * time.Minute)
	return r
}

func TestForgeFaults(t *testing.T) {
	// Where GraphQL tells no rights, REST is asked.
	restAlone := githubtest.Options{Switches: githubtest.Switches{NoCollaboratorsForApps: true, NoRulesByGraphQL: true}}
	rows := []row{
		{name: "attack 71: the rate limit is used up", on: "github", github: githubtest.Options{RateLimit: 60}, play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			for range 60 { // each look spends of it
				s.nudge()
				if _, d := r.now(); d.Unread() {
					break
				}
			}
			s.say(c, "bo", "/countersign approve")
			r.unread()
		}},
		{name: "attack 72: GraphQL answers 200 with errors", policy: two, play: func(s *stage) {
			const errors = `{"data":null,"errors":[{"message":"Something went wrong"}]}`
			r := s.blind(func() {}, forgetest.Fault{Path: "/graphql", Status: http.StatusOK, Body: errors})
			r.unread()
			r.waits(gate.CheckCoverage)
		}},
		{name: "attack 72: GraphQL answers 200 with errors beside data", policy: two, play: func(s *stage) {
			const half = `{"data":{"repository":null,"project":null},"errors":[{"message":"timeout"}]}`
			s.blind(func() {}, forgetest.Fault{Path: "/graphql", Status: http.StatusOK, Body: half}).unread()
		}},
		{name: "attack 73: the forge redirects after a rename", policy: two, play: func(s *stage) {
			s.blind(func() {}, forgetest.Fault{
				Status: http.StatusMovedPermanently, Header: map[string]string{"Location": "https://evil.example.org/"},
			}).unread()
		}},
		{name: "attack 73: somebody else takes the name after a rename", play: func(s *stage) {
			s.widget()
			r := s.asked()
			old := s.repo
			if s.gl != nil {
				s.repo = s.gl.Rename(old, "acme/gizmo")
			} else {
				s.repo = s.gh.RenameRepository(old, "gizmo")
			}
			squat := s.AddRepository("acme/widget")
			s.SetRole(squat, s.who("mal"), forgetest.RoleAdmin)
			s.Push(squat, s.who("mal"), "refs/heads/x", s.Commit(squat, forgetest.CommitSpec{
				Author: s.who("mal"), Message: "Trap", Files: map[string][]byte{"x": []byte("x")},
			}))
			trap := s.OpenChange(squat, s.who("mal"), forgetest.ChangeSpec{Title: "Trap", Source: "x"})
			s.say(trap, "mal", "/countersign approve")
			s.later(6 * time.Minute)
			r.waits(gate.CheckApprovals, "0 of 1")
			r.holds(gate.CheckRepository)
			r.approve("bo")
			r.signed()
		}},
		{name: "attack 74: a right in a word that nobody knows", on: "github", policy: two, github: restAlone, play: func(s *stage) {
			bo := s.who("bo")
			body := fmt.Sprintf(`{"permission":"superuser","role_name":"superuser","user":{"id":%d,"login":"bo","type":"User"}}`, bo.ID)
			r := s.blind(func() {}, forgetest.Fault{Path: "/collaborators/bo/permission", Status: http.StatusOK, Body: body})
			r.waits(gate.CheckApprovals, "that of @bo does not count")
		}},
		{name: "attack 74: a protection without its values", policy: two, github: restAlone, play: func(s *stage) {
			path, body := "/rules/branches", `[{"type":null,"ruleset_id":1}]`
			if s.gl != nil {
				path, body = "/protected_branches", `[{"id":1,"name":"main","allow_force_push":null}]`
			}
			s.blind(func() {}, forgetest.Fault{Path: path, Status: http.StatusOK, Body: body}).
				waits(gate.CheckProtection, "could not be read")
		}},
	}
	for what, f := range map[string]forgetest.Fault{
		"404":                {Status: http.StatusNotFound},
		"403":                {Status: http.StatusForbidden},
		"500":                {Status: http.StatusInternalServerError},
		"no answer":          {},
		"half an answer":     {Status: http.StatusOK, Body: `{"id": 1`},
		"null":               {Status: http.StatusOK, Body: "null"},
		"an empty list":      {Status: http.StatusOK, Body: "[]"},
		"an empty object":    {Status: http.StatusOK, Body: "{}"},
		"a page of HTML":     {Status: http.StatusOK, Body: "<html>maintenance</html>"},
		"401, for a while":   {Status: http.StatusUnauthorized},
		"410, gone":          {Status: http.StatusGone},
		"an endless bracket": {Status: http.StatusOK, Body: "[[[[[["},
	} {
		rows = append(rows, row{name: "attack 70: the forge answers " + what, play: func(s *stage) { s.survives(f) }})
	}
	rows = append(rows,
		row{name: "attack 71: the forge limits requests", play: func(s *stage) {
			s.survives(forgetest.Fault{Status: http.StatusTooManyRequests})
		}},
		row{name: "attack 71: the forge limits requests and says until when", play: func(s *stage) {
			s.survives(forgetest.Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "60"}})
		}},
	)
	play(t, rows)
}
