package github

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// classicJSON is REST API's schema branch-protection, in part.
type classicJSON struct {
	EnforceAdmins    *enabled       `json:"enforce_admins"`
	AllowForcePushes *enabled       `json:"allow_force_pushes"`
	AllowDeletions   *enabled       `json:"allow_deletions"`
	LinearHistory    *enabled       `json:"required_linear_history"`
	Conversations    *enabled       `json:"required_conversation_resolution"`
	Signatures       *enabled       `json:"required_signatures"`
	Lock             *enabled       `json:"lock_branch"`
	StatusChecks     *struct{}      `json:"required_status_checks"`
	Restrictions     *actorLists    `json:"restrictions"`
	Reviews          *classicReview `json:"required_pull_request_reviews"`
}

type classicReview struct {
	Count  int         `json:"required_approving_review_count"`
	Bypass *actorLists `json:"bypass_pull_request_allowances"`
}

type enabled struct {
	Enabled bool `json:"enabled"`
}

func (e *enabled) on() bool { return e != nil && e.Enabled }

type actorLists struct {
	Users []loginJSON `json:"users"`
	Teams []slugJSON  `json:"teams"`
	Apps  []slugJSON  `json:"apps"`
}

type loginJSON struct {
	Login string `json:"login"`
}

type slugJSON struct {
	Slug string `json:"slug"`
}

func (l *actorLists) names() []string {
	out := []string{}
	if l == nil {
		return out
	}
	for _, u := range l.Users {
		out = append(out, "@"+u.Login)
	}
	for _, t := range l.Teams {
		out = append(out, "team "+t.Slug)
	}
	for _, a := range l.Apps {
		out = append(out, "app "+a.Slug)
	}
	slices.Sort(out)
	return out
}

// classic reads a branch's classic protection; absent where GitHub says in so many
// words that there is none. Any other 404 could as well be a missing right.
func (rd *reading) classic(ctx context.Context, branch string) gate.Fact[ruleSource] {
	if n := rd.snap.rules[branch]; n != nil {
		if raw, whole := n.rest(); whole {
			return gate.Known(raw.source())
		}
	}
	var raw classicJSON
	err := rd.get(ctx, &raw, nil, rd.at("branches", branch, "protection")...)
	var answer *callError
	switch {
	case isNotFound(err) && errors.As(err, &answer) && answer.message == "Branch not protected":
		return gate.Absent[ruleSource](answer.message)
	case err != nil:
		return gate.Unknown[ruleSource](why(err))
	case raw.EnforceAdmins == nil && raw.AllowForcePushes == nil:
		return gate.Unknown[ruleSource]("GitHub answered with half a protection")
	}
	return gate.Known(raw.source())
}

func (c classicJSON) source() ruleSource {
	s := ruleSource{
		name: "classic", noForcePush: !c.AllowForcePushes.on(), noDeletion: !c.AllowDeletions.on(),
		bypass: gate.Known([]string{}), adminsBound: c.EnforceAdmins.on(),
	}
	for name, on := range map[string]bool{
		"non_fast_forward": s.noForcePush, "deletion": s.noDeletion, "required_linear_history": c.LinearHistory.on(),
		"required_conversation_resolution": c.Conversations.on(), "required_signatures": c.Signatures.on(),
		"lock_branch": c.Lock.on(), "required_status_checks": c.StatusChecks != nil, "restrictions": c.Restrictions != nil,
		"pull_request": c.Reviews != nil,
	} {
		if on {
			s.rules = append(s.rules, name)
		}
	}
	exempt := []string{}
	if !s.adminsBound {
		exempt = []string{"administrators"}
	}
	door := func(names []string) { s.doors = append(s.doors, gate.Known(append(names, exempt...))) }
	actors := []string{}
	if c.Reviews != nil {
		s.pullRequests, s.reviews = true, c.Reviews.Count
		actors = c.Reviews.Bypass.names()
		door(actors)
	}
	if c.Restrictions != nil {
		s.restricted = true
		door(c.Restrictions.names())
	}
	if c.Lock.on() {
		door(nil)
	}
	s.bypass = gate.Known(append(actors, exempt...))
	return s
}

// rulesetName names a ruleset in what is signed.
func rulesetName(id int64) string { return "ruleset:" + strconv.FormatInt(id, 10) }

// sortedUnique is a sorted copy without repetitions.
func sortedUnique(s []string) []string {
	s = slices.Clone(s)
	slices.SortFunc(s, strings.Compare)
	return slices.Compact(s)
}
