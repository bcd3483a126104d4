// Package voicetest holds the scenes that every room is to tell in the same words.
package voicetest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/voice"
)

// Noon is when the scenes play.
func Noon() time.Time { return time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC) }

// Record is a scene as the store holds it.
func Record(v voice.View) (gate.Record, error) {
	rec := gate.Record{Request: v.Request, State: v.State, Version: 1, Sealing: v.Sealing}
	if len(v.Decision.Checks) == 0 {
		return rec, nil // nobody has judged it yet
	}
	decision, err := json.Marshal(v.Decision)
	rec.Decision = decision
	return rec, err
}

// Scene is a request in a state: granted, until the edits take something away.
func Scene(state gate.State, edits ...func(*gate.Case)) voice.View {
	opts := []gatetest.Option{gatetest.At(Noon()), gatetest.For(gatetest.Manifest(3))}
	for _, f := range edits {
		opts = append(opts, gatetest.Edit(f))
	}
	c, at := gatetest.GrantedCase(opts...)
	return voice.View{
		Request: c.Request, State: state, Decision: gate.Decide(c, at), Kind: c.Request.Workload.Kind,
		ReleaseURL: "https://sign.example.org/releases/" + c.Request.ID, RepositoryURL: "https://github.com/acme/app",
		Server: "https://sign.example.org",
	}
}

// NoApproval takes every approval away.
func NoApproval(c *gate.Case) { c.Approvals = nil }

// NoReview takes every review away.
func NoReview(c *gate.Case) {
	changes, _ := c.Evidence.Changes.Get()
	for i := range changes {
		changes[i].Reviews = gate.Known[[]gate.Review](nil)
	}
	c.Evidence.Changes = gate.Known(changes)
}

// Person is an account on the scenes' forge.
func Person(id int64, login string) gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: id}, Login: login, Human: true}
}

// Candidates are four: one who can approve, the author, a reader and a bot.
func Candidates(c *gate.Case) {
	c.Evidence.Candidates = gate.Known([]gate.Member{
		{Account: gatetest.Bo(), Role: gate.RoleWrite, Active: true},
		{Account: gatetest.Ana(), Role: gate.RoleAdmin, Active: true},
		{Account: Person(103, "cy"), Role: gate.RoleRead, Active: true},
		{Account: gate.Account{ID: gate.AccountID{Forge: gatetest.Forge, ID: 104}, Login: "robo[bot]"}, Role: gate.RoleWrite, Active: true},
	})
}

func selfApproval(c *gate.Case) {
	c.Approvals[0].By = gatetest.Ana()
	for ref, f := range c.Evidence.Comments {
		comment, _ := f.Get()
		comment.Author = gatetest.Ana()
		c.Evidence.Comments[ref] = gate.Known(comment)
	}
	c.Evidence.Roles[gatetest.Ana().ID] = gate.Known(gate.Member{Account: gatetest.Ana(), Role: gate.RoleAdmin, Active: true})
}

func edited(c *gate.Case) {
	for ref, f := range c.Evidence.Comments {
		comment, _ := f.Get()
		comment.Edited = true
		c.Evidence.Comments[ref] = gate.Known(comment)
	}
}

func denied(c *gate.Case) {
	c.Approvals[0].Verb, c.Approvals[0].Reason = gate.VerbDeny, "the changelog is missing"
	c.Denials, c.Approvals = c.Approvals, nil
}

// onPage moves the approval from a comment to the release page.
func onPage(c *gate.Case) {
	a := &c.Approvals[0]
	a.Page, a.Source = true, gate.CommentRef{Repository: c.Request.Repository}
}

// twoNeeded asks for two approvals, and takes the reviews away.
func twoNeeded(c *gate.Case) {
	NoReview(c)
	streams := slices.Clone(c.Policy.Streams)
	for i := range streams {
		streams[i].Approvals = []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 2}}
	}
	c.Policy.Streams = streams
}

// Scenes are requests in every state, and waiting for everything that they wait for.
func Scenes() map[string]voice.View {
	several := Scene(gate.StateWaiting, NoApproval, NoReview, Candidates)
	several.Several = true
	gitlab := Scene(gate.StateWaiting, NoApproval, NoReview, Candidates)
	gitlab.Kind, gitlab.RepositoryURL = gate.GitLab, "https://gitlab.example.org/acme/app"
	compared := Scene(gate.StateWaiting, NoApproval, Candidates, func(c *gate.Case) {
		c.Released = []string{strings.Repeat("3", 40)}
	})
	compared.CompareURL = "https://github.com/acme/app/compare/v1.3.2...v1.4.0"
	sealing := Scene(gate.StateSigning)
	sealing.Sealing = true
	return map[string]voice.View{
		"waiting-uncovered":     Scene(gate.StateWaiting, NoApproval, NoReview, Candidates),
		"waiting-reviewed":      compared,
		"waiting-self-approval": Scene(gate.StateWaiting, NoReview, selfApproval, Candidates),
		"waiting-edited":        Scene(gate.StateWaiting, NoReview, edited, Candidates),
		"waiting-several":       several,
		"waiting-gitlab":        gitlab,
		"waiting-nobody": Scene(gate.StateWaiting, NoApproval, NoReview, func(c *gate.Case) {
			c.Evidence.Candidates = gate.Known([]gate.Member{{Account: gatetest.Ana(), Role: gate.RoleAdmin, Active: true}})
		}),
		"waiting-unprotected": Scene(gate.StateWaiting, func(c *gate.Case) {
			c.Evidence.Branch = gate.Known(gate.BranchFacts{Name: "main", Protection: gate.Absent[gate.Protection]("none")})
		}),
		"waiting-unread": Scene(gate.StateWaiting, func(c *gate.Case) {
			c.Evidence.Changes = gate.Unknown[[]gate.Change]("GitHub answered 502")
		}),
		"waiting-hold": Scene(gate.StateWaiting, func(c *gate.Case) {
			c.Holds = []gate.Approval{{ID: "hold", Verb: gate.VerbHold, Request: c.Request.ID, By: gatetest.Bo(), Created: Noon()}}
		}),
		"waiting-audit":        Scene(gate.StateWaiting, func(c *gate.Case) { c.Policy.Mode = gate.Audit }),
		"waiting-audit-open":   Scene(gate.StateWaiting, NoApproval, NoReview, Candidates, func(c *gate.Case) { c.Policy.Mode = gate.Audit }),
		"waiting-audit-server": Scene(gate.StateWaiting, func(c *gate.Case) { c.Policy.Mode = gate.ServerAudit }),
		"waiting-two":          Scene(gate.StateWaiting, NoApproval, twoNeeded, Candidates),
		"waiting-page":         Scene(gate.StateWaiting, onPage, twoNeeded, Candidates),
		"signed-page":          Scene(gate.StateSigned, onPage, NoReview),
		"granted":              Scene(gate.StateGranted),
		"signing":              Scene(gate.StateSigning),
		"sealing":              sealing,
		"signed":               Scene(gate.StateSigned),
		"published":            Scene(gate.StatePublished),
		"denied":               Scene(gate.StateDenied, denied),
		"denied-workflow": Scene(gate.StateDenied, func(c *gate.Case) {
			c.Request.Workload.Workflow = "acme/app/.github/workflows/other.yml"
		}),
		"void": Scene(gate.StateVoid, func(c *gate.Case) {
			ref, _ := c.Evidence.Ref.Get()
			ref.Commit = strings.Repeat("9", 40)
			c.Evidence.Ref = gate.Known(ref)
		}),
		"void-orphaned": Scene(gate.StateVoid),
		"expired":       Scene(gate.StateExpired, func(c *gate.Case) { c.Request.Expires = Noon().Add(-time.Minute) }),
		"failed":        Scene(gate.StateFailed),
		"withdrawn":     Scene(gate.StateWithdrawn),
		"first-sight":   {Request: Scene(gate.StateWaiting).Request, State: gate.StateWaiting, Kind: gate.GitHub, ReleaseURL: "https://sign.example.org/releases/x", Server: "https://sign.example.org"},
	}
}
