package github

import (
	"context"
	"sync"

	"github.com/countersign/countersign/gate"
)

// ruleSource is what one source of rules (classic protection, or one active ruleset)
// demands of a ref.
type ruleSource struct {
	name         string
	rules        []string // types, unknown ones included
	noForcePush  bool
	noDeletion   bool
	pullRequests bool // changes come by pull request only
	noUpdate     bool // only those who may bypass may push at all
	noCreation   bool
	reviews      int
	// doors are the lists of who comes past each rule that stops a push without a pull request.
	doors        []gate.Fact[[]string]
	restricted   bool // only those on a list may push
	adminsBound  bool
	adminsHidden bool   // the bypass list, which alone would exempt them, is hidden
	adminsUnread string // why the bypass list could not be read
	bypass       gate.Fact[[]string]
}

// branchProtection is the sum of classic protection and rulesets, of each rule the
// strictest. Where one of the two could not be read nothing is known: half a
// protection is not what gets signed.
func (rd *reading) branchProtection(ctx context.Context, branch string) gate.Fact[gate.Protection] {
	var classic gate.Fact[ruleSource]
	var rules gate.Fact[[]ruleSource]
	var both sync.WaitGroup
	both.Go(func() { classic = rd.classic(ctx, branch) })
	both.Go(func() { rules = rd.branchRules(ctx, branch) })
	both.Wait()
	sources, ok := rules.Get()
	if !ok {
		return gate.Unknown[gate.Protection]("its rulesets: " + rules.Why())
	}
	if c, ok := classic.Get(); ok {
		sources = withClassic(sources, c)
	} else if classic.IsUnknown() {
		return gate.Unknown[gate.Protection]("its classic protection: " + classic.Why())
	}
	if len(sources) == 0 {
		return gate.Absent[gate.Protection]("neither classic protection nor an active ruleset applies to " + branch)
	}
	return gate.Known(merge("refs/heads/"+branch, sources))
}

// withClassic puts classic protection first. What it adds nothing to, it cannot weaken
// either: its exemption of administrators then exempts them from nothing.
func withClassic(rulesets []ruleSource, c ruleSource) []ruleSource {
	sum := ruleSource{}
	for _, s := range rulesets {
		sum.noForcePush = sum.noForcePush || s.noForcePush
		sum.noDeletion = sum.noDeletion || s.noDeletion
		sum.pullRequests = sum.pullRequests || s.pullRequests
		sum.reviews = max(sum.reviews, s.reviews)
	}
	implied := (sum.noForcePush || !c.noForcePush) && (sum.noDeletion || !c.noDeletion) &&
		(sum.pullRequests || !c.pullRequests) && sum.reviews >= c.reviews && !c.restricted
	if implied && !c.adminsBound {
		c.adminsBound, c.bypass = true, gate.Known([]string{})
	}
	return append([]ruleSource{c}, rulesets...)
}

// merge is the strictest union.
func merge(ref string, sources []ruleSource) gate.Protection {
	p := gate.Protection{Ref: ref, Rules: []string{}}
	var noForce, noDelete bool
	var reviews int
	for _, s := range sources {
		p.Sources = append(p.Sources, s.name)
		p.Rules = append(p.Rules, s.rules...)
		noForce, noDelete = noForce || s.noForcePush, noDelete || s.noDeletion
		reviews = max(reviews, s.reviews)
	}
	p.Rules = sortedUnique(p.Rules)
	p.ForcePush, p.Deletion = gate.Known(!noForce), gate.Known(!noDelete)
	p.Reviews = gate.Known(reviews)
	p.AdminsEnforced = admins(sources)
	p.Bypass = bypass(sources)
	p.Push = push(sources)
	return p
}

// admins: classic protection may exempt them; rulesets know no exemption but the
// bypass list, which GitHub hides from Apps without the right to write rulesets.
func admins(sources []ruleSource) gate.Fact[bool] {
	hidden, unread := false, ""
	for _, s := range sources {
		switch {
		case s.adminsUnread != "":
			unread = s.adminsUnread
		case s.adminsHidden:
			hidden = true
		case !s.adminsBound:
			return gate.Known(false)
		}
	}
	switch {
	case unread != "":
		return gate.Unknown[bool](unread)
	case hidden:
		return gate.Absent[bool]("rulesets exempt nobody but those on the bypass list, which GitHub hides")
	}
	return gate.Known(true)
}

func bypass(sources []ruleSource) gate.Fact[[]string] {
	actors := []string{}
	for _, s := range sources {
		list, ok := s.bypass.Get()
		if !ok {
			return gate.Unknown[[]string](s.name + ": " + s.bypass.Why())
		}
		actors = append(actors, list...)
	}
	return gate.Known(sortedUnique(actors))
}

// push says who may push without a pull request: who comes through every door. Each list is
// a bound of those, and the shortest is told; lists name people, teams and roles, so that
// who is in two of them cannot be told from the names.
func push(sources []ruleSource) gate.Fact[[]string] {
	var least []string
	hidden := ""
	for _, s := range sources {
		for _, door := range s.doors {
			names, ok := door.Get()
			switch {
			case !ok && hidden == "":
				hidden = s.name + ": " + door.Why()
			case ok && len(names) == 0:
				return gate.Known([]string{"nobody"})
			case ok && (least == nil || len(names) < len(least)):
				least = sortedUnique(names)
			}
		}
	}
	switch {
	case hidden != "":
		return gate.Unknown[[]string]("those on the bypass list of " + hidden)
	case least == nil:
		return gate.Known([]string{"everyone with write"})
	}
	return gate.Known(least)
}
