package gate

import (
	"fmt"
	"slices"
	"strings"
)

// protection judges the rules of the branch that the release comes from. Whoever
// may rewrite it could change what was reviewed.
func (j *judge) protection() Check {
	b, ok := j.c.Evidence.Branch.Get()
	if !ok {
		return unread(CheckProtection, "the branch's protection", "the branch is not known")
	}
	if c, bad := j.weakness(b); bad {
		return c
	}
	if c, bad := j.unsettled(b); bad {
		return c
	}
	p, _ := b.Protection.Get()
	return granted(CheckProtection, "%s is protected (%s)%s", b.Name, strings.Join(p.Sources, ", "), j.notes(p))
}

// weakness finds what a branch's protection lacks.
func (j *judge) weakness(b BranchFacts) (Check, bool) {
	p, ok := b.Protection.Get()
	switch {
	case b.Protection.IsAbsent():
		return unprotected(b.Name, "it is not protected", "protect it: reviews before merging, no force pushes, no deletion"), true
	case !ok:
		return unread(CheckProtection, "the protection of "+b.Name, b.Protection.Why()), true
	}
	for _, f := range []func(string, Protection) (Check, bool){j.forbidden, j.admins, j.reviewsAsked, j.bypass, j.pushes} {
		if c, bad := f(b.Name, p); bad {
			return c, true
		}
	}
	return Check{}, false
}

func unprotected(branch, reason, fix string) Check {
	return Check{
		Name: CheckProtection, Outcome: Waiting,
		Reason: fmt.Sprintf("branch %s: %s", branch, reason), Fix: fix,
	}
}

func (j *judge) forbidden(branch string, p Protection) (Check, bool) {
	for _, f := range []struct {
		what string
		fact Fact[bool]
	}{{"force pushes", p.ForcePush}, {"deletion", p.Deletion}} {
		allowed, ok := f.fact.Get()
		if !ok {
			return unread(CheckProtection, "whether "+branch+" allows "+f.what, f.fact.Why()), true
		}
		if allowed {
			return unprotected(branch, f.what+" allowed", "forbid "+f.what+" in its protection"), true
		}
	}
	return Check{}, false
}

// admins: absent means that the forge knows no such exemption.
func (j *judge) admins(branch string, p Protection) (Check, bool) {
	if p.AdminsEnforced.IsAbsent() {
		return Check{}, false
	}
	enforced, ok := p.AdminsEnforced.Get()
	if !ok {
		return unread(CheckProtection, "whether "+branch+"'s rules bind administrators", p.AdminsEnforced.Why()), true
	}
	if !enforced {
		return unprotected(branch, "administrators are exempt", "do not allow administrators to bypass its protection"), true
	}
	return Check{}, false
}

func (j *judge) reviewsAsked(branch string, p Protection) (Check, bool) {
	if j.stream.MinReviews == 0 {
		return Check{}, false
	}
	n, ok := p.Reviews.Get()
	if !ok {
		return unread(CheckProtection, "how many reviews "+branch+" asks for", p.Reviews.Why()), true
	}
	if n < j.stream.MinReviews {
		return unprotected(branch, fmt.Sprintf("asks for %d reviews, the policy for %d", n, j.stream.MinReviews),
			fmt.Sprintf("require %d approving reviews in its protection", j.stream.MinReviews)), true
	}
	return Check{}, false
}

func (j *judge) bypass(branch string, p Protection) (Check, bool) {
	if j.stream.Bypass != Deny {
		return Check{}, false
	}
	actors, ok := p.Bypass.Get()
	switch {
	case p.Bypass.IsAbsent():
		return Check{}, false
	case !ok:
		return unread(CheckProtection, "who may bypass the rules of "+branch, p.Bypass.Why()), true
	case len(actors) > 0:
		return unprotected(branch, "may be bypassed by "+strings.Join(actors, ", "),
			"remove them from its bypass list, or let the policy say bypass: report"), true
	}
	return Check{}, false
}

// pushes judges who may push without a review; what they push needs cover like any change
// (attacks 27 and 29).
func (j *judge) pushes(branch string, p Protection) (Check, bool) {
	if j.stream.Push != Deny {
		return Check{}, false
	}
	who, ok := p.Push.Get()
	switch {
	case p.Push.IsAbsent():
		return Check{}, false
	case !ok:
		return unread(CheckProtection, "who may push to "+branch+" without a review", p.Push.Why()), true
	case mayPush(who):
		return unprotected(branch, strings.Join(who, ", ")+" may push without a review",
			"take the right to push away in its protection, or let the policy say push: report"), true
	}
	return Check{}, false
}

func mayPush(who []string) bool {
	return slices.ContainsFunc(who, func(w string) bool { return w != "nobody" })
}

// notes report what the policy lets pass and people should still see.
func (j *judge) notes(p Protection) string {
	var out []string
	if actors, ok := p.Bypass.Get(); ok && len(actors) > 0 {
		out = append(out, "may be bypassed by "+strings.Join(actors, ", "))
	} else if p.Bypass.IsUnknown() {
		out = append(out, "who may bypass it is unknown: "+p.Bypass.Why())
	}
	if who, _ := p.Push.Get(); mayPush(who) {
		out = append(out, strings.Join(who, ", ")+" may push without a review")
	} else if p.Push.IsUnknown() {
		out = append(out, "who may push without a review is unknown: "+p.Push.Why())
	}
	switch f := j.c.Evidence.TagProtection; {
	case !j.c.Request.IsTag():
	case f.IsAbsent():
		out = append(out, "tag "+j.c.Request.ShortRef()+" is not protected")
	case f.IsUnknown():
		out = append(out, "whether tag "+j.c.Request.ShortRef()+" is protected is unknown: "+f.Why())
	}
	if len(out) == 0 {
		return ""
	}
	return "; " + strings.Join(out, "; ")
}

// protections are what was read, for the statement that gets signed.
func (j *judge) protections() []Protection {
	var out []Protection
	if b, ok := j.c.Evidence.Branch.Get(); ok {
		if p, ok := b.Protection.Get(); ok {
			out = append(out, p)
		}
	}
	if p, ok := j.c.Evidence.TagProtection.Get(); ok {
		out = append(out, p)
	}
	return out
}
