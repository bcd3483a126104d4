package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// sortApprovals splits the approvals into those that count and those that do not.
// One person counts once.
func (j *judge) sortApprovals() {
	seen := map[AccountID]bool{}
	for _, a := range slices.Concat(j.c.Approvals, j.reviewsOfRelease()) {
		why, unread := j.objection(a)
		if why == "" {
			why, unread = j.wroteIt(a.By)
		}
		if why != "" {
			j.ignored = append(j.ignored, Ignored{Approval: a, Why: why, Unread: unread})
			continue
		}
		if !seen[a.By.ID] {
			seen[a.By.ID] = true
			j.counted = append(j.counted, a)
		}
	}
}

// wroteIt says that somebody is an author of everything there is to cover (under the
// strict separation: of anything): such an approval covers nothing, so it fills no
// group either. A change that may not be part of the stream is nothing to cover yet.
func (j *judge) wroteIt(who Account) (why string, unread bool) {
	var own []string
	for _, c := range j.set {
		_, wrote := c.authors.Include(who.ID)
		switch {
		case wrote:
			own = append(own, j.called(c.Change))
		case c.certain && !j.strict():
			return "", false
		}
	}
	switch {
	case len(own) > 0:
		return fmt.Sprintf("@%s is an author of %s", who.Login, strings.Join(own, ", ")), false
	case j.everyone.unread != "":
		return fmt.Sprintf("@%s may be an author: %s", who.Login, j.everyone.unread), true
	}
	return "", false
}

// reviewsOfRelease are the reviews of the release's own PR/MR at its final head that the
// policy takes for approvals (attack 54). They name no comment.
func (j *judge) reviewsOfRelease() []Approval {
	if j.stream.Bind != BindCommit {
		return nil
	}
	r := j.c.Request
	var out []Approval
	for _, c := range j.set {
		if c.Direct() || c.MergeCommit != r.Commit && c.Head != r.Commit {
			continue
		}
		for _, v := range j.reviews(c.Change) {
			a := Approval{
				ID: "review/" + v.By.ID.String(), Request: r.ID, Verb: VerbApprove, By: v.By, Created: v.At,
				Commit: r.Commit, ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest,
				Reason: "review of " + ShortCommit(v.Commit),
			}
			if ref, ok := j.c.Evidence.Ref.Get(); ok {
				a.TagObject = ref.TagObject
			}
			out = append(out, a)
		}
	}
	return out
}

// isReview reports whether an approval is a review of the release's own PR/MR: only
// reviewsOfRelease makes such ones, a statement always has a comment.
func (a Approval) isReview() bool {
	return a.Source == CommentRef{} && !a.Page && strings.HasPrefix(a.ID, "review/")
}

// objection says why an approval does not count, and whether that is only because
// something could not be read.
func (j *judge) objection(a Approval) (string, bool) {
	r := j.c.Request
	switch {
	case a.isReview():
		return j.memberObjection(a.By)
	case a.Verb != VerbApprove:
		return fmt.Sprintf("it says %q, not approve", a.Verb), false
	case a.Request != r.ID:
		return "it was given for another request", false
	case a.Commit != r.Commit || a.ManifestDigest != r.Manifest.Digest() || a.PolicyDigest != r.PolicyDigest:
		return "it was given for another commit, manifest or policy", false
	}
	if ref, ok := j.c.Evidence.Ref.Get(); ok && ref.TagObject != a.TagObject {
		return "the tag was made anew since", false
	}
	if why, unread := j.wordObjection(a); why != "" {
		return why, unread
	}
	return j.memberObjection(a.By)
}

// denialObjection says why a denial does not count: somebody who may not approve may not
// deny either. Unlike an approval it is bound to nothing but the request: whatever moved
// since, a "no" stays a "no".
func (j *judge) denialObjection(d Approval) (string, bool) {
	if d.Verb != VerbDeny || d.Request != j.c.Request.ID {
		return "it denies another request", false
	}
	return j.memberObjection(d.By)
}

// wordObjection says why somebody's words do not count as they were said: on the release's
// page by a signed-in person, or in a comment that still says so.
func (j *judge) wordObjection(a Approval) (string, bool) {
	switch {
	case !a.Page:
		return j.commentObjection(a)
	case a.Verb == VerbApprove && !j.stream.PageCounts:
		return "the policy counts comments alone, not what is said on the page", false
	case a.Source.ID != 0 || a.Created.Before(j.c.Request.Created):
		return "it was not said on this release's page", false
	}
	return "", false
}

// commentObjection compares the comment as it is now with what was approved
// (attacks 45 and 46).
func (j *judge) commentObjection(a Approval) (string, bool) {
	f := j.c.Evidence.Comments[a.Source]
	c, ok := f.Get()
	switch {
	case f.IsAbsent():
		return "the comment was deleted", false
	case !ok:
		return "the comment could not be read again: " + f.Why(), true
	case c.Ref != a.Source:
		return "the comment is another one", false
	case c.Created.Before(j.c.Request.Created.Truncate(time.Second)):
		// Forges tell a comment's time in whole seconds.
		return "it was written before the request", false
	case c.Author.ID != a.By.ID:
		return "the comment now belongs to another account", false
	case c.Edited || SHA256([]byte(c.Body)) != a.BodyHash:
		return "the comment was edited", false
	case c.Hidden:
		return "the comment is hidden", false
	case c.ByMachine:
		return "an app or an e-mail wrote it", false
	}
	return "", false
}

func (j *judge) memberObjection(by Account) (string, bool) {
	f := j.c.Evidence.Roles[by.ID]
	m, ok := f.Get()
	switch {
	case !by.ID.numbered():
		return fmt.Sprintf("the account of @%s has no number", by.Login), false
	case f.IsAbsent():
		return fmt.Sprintf("@%s has no right in this repository", by.Login), false
	case !ok:
		return fmt.Sprintf("the right of @%s could not be read: %s", by.Login, f.Why()), true
	case m.Account.ID != by.ID:
		return fmt.Sprintf("@%s is now another account", by.Login), false
	}
	return j.ineligible(m)
}

// memberOf is a person's right and teams as of now; nobody's where they were not read.
func (j *judge) memberOf(id AccountID) Member {
	m, ok := j.c.Evidence.Roles[id].Get()
	if !ok || m.Account.ID != id {
		return Member{}
	}
	return m
}

// ineligible says why a member may approve nothing under this stream, and whether that is
// only because their teams could not be read.
func (j *judge) ineligible(m Member) (why string, unread bool) {
	switch {
	case !m.Account.Human:
		return fmt.Sprintf("@%s is no person's account", m.Account.Login), false
	case !m.Active:
		return fmt.Sprintf("@%s is not active", m.Account.Login), false
	case slices.ContainsFunc(j.stream.Approvals, func(g ApprovalGroup) bool { return g.admits(m) }):
		return "", false
	case j.namesTeams() && m.Teams.IsUnknown():
		return fmt.Sprintf("the teams of @%s could not be read: %s", m.Account.Login, m.Teams.Why()), true
	}
	return fmt.Sprintf("@%s has %s, approving needs %s", m.Account.Login, m.Role, j.groups()), false
}

func (j *judge) namesTeams() bool {
	return slices.ContainsFunc(j.stream.Approvals, func(g ApprovalGroup) bool { return len(g.Teams) > 0 })
}

// admits reports whether a member has at least one of the group's rights, or is in one
// of its teams and may at least read what it approves. No right admits nobody.
func (g ApprovalGroup) admits(m Member) bool {
	if slices.ContainsFunc(g.From, func(from Role) bool { return from != RoleNone && m.Role >= from }) {
		return true
	}
	teams, _ := m.Teams.Get()
	return m.Role >= RoleRead && slices.ContainsFunc(g.Teams, func(t string) bool { return slices.Contains(teams, t) })
}

func (j *judge) groups() string {
	var out []string
	for _, g := range j.stream.Approvals {
		for _, r := range g.From {
			out = append(out, r.String())
		}
		for _, t := range g.Teams {
			out = append(out, "a place in team "+t)
		}
	}
	return orNone(strings.Join(slices.Compact(out), " or "))
}

func (j *judge) approvals() Check {
	if len(j.stream.Approvals) == 0 {
		return Check{
			Name: CheckApprovals, Outcome: Waiting, Reason: "the policy names no approvers",
			Fix: "give the stream an approvals entry",
		}
	}
	if !j.fillGroups() {
		return j.moreApprovals()
	}
	var names []string
	for _, a := range j.counted {
		names = append(names, "@"+a.By.Login)
	}
	return granted(CheckApprovals, "approved by %s", strings.Join(names, ", "))
}

// fillGroups reports whether the approvals fill every group, one person one place. It
// looks for a matching of places and people (Kuhn's augmenting paths), so that nobody
// who could fill two groups stands in the way of another.
func (j *judge) fillGroups() bool {
	var places []ApprovalGroup
	for _, g := range j.stream.Approvals {
		if g.Count > len(j.counted) {
			return false
		}
		for range g.Count {
			places = append(places, g)
		}
	}
	held := map[int]int{} // by which place each counted approval is taken
	var fill func(place int, tried map[int]bool) bool
	fill = func(place int, tried map[int]bool) bool {
		for i, a := range j.counted {
			if tried[i] || !places[place].admits(j.memberOf(a.By.ID)) {
				continue
			}
			tried[i] = true
			if other, taken := held[i]; !taken || fill(other, tried) {
				held[i] = place
				return true
			}
		}
		return false
	}
	for place := range places {
		if !fill(place, map[int]bool{}) {
			return false
		}
	}
	return len(places) > 0
}

func (j *judge) moreApprovals() Check {
	c := Check{
		Name: CheckApprovals, Outcome: Waiting,
		Reason: fmt.Sprintf("%d of %d approvals", len(j.counted), j.asked()),
		Fix:    "somebody with " + j.groups() + " approves: " + j.wayToApprove(),
	}
	for _, i := range j.ignored {
		if i.Approval.Verb != VerbApprove {
			continue
		}
		c.Reason += fmt.Sprintf("; that of @%s does not count: %s", i.Approval.By.Login, i.Why)
		c.Unread = c.Unread || i.Unread
	}
	return c
}

// wayToApprove says where an approval counts.
func (j *judge) wayToApprove() string {
	if !j.stream.PageCounts {
		return "with the comment /countersign approve"
	}
	return "on the release page, or with the comment /countersign approve"
}

// independent asks for one release approval from somebody who neither asked for the
// release, nor made the tag, nor the commit (policy: a release never rests on
// its own makers alone).
func (j *judge) independent() Check {
	makers, missing := j.makers()
	if missing != "" {
		return unread(CheckIndependent, "who made the release", missing)
	}
	var why []string
	for _, a := range j.counted {
		reason, own := makers.Include(a.By.ID)
		if !own {
			return granted(CheckIndependent, "@%s neither asked for it, nor made the tag or the commit", a.By.Login)
		}
		why = append(why, fmt.Sprintf("@%s: %s", a.By.Login, reason))
	}
	c := Check{
		Name: CheckIndependent, Outcome: Waiting,
		Reason: "nobody approved yet who neither asked for the release, nor made its tag or commit",
		Fix:    "one approval has to come from somebody else",
	}
	if len(why) > 0 {
		c.Reason += " (" + strings.Join(why, "; ") + ")"
	}
	return c
}

// makers are the requester, the run's actors, the tagger, and everyone on the
// release commit. The second result says what of it could not be read.
func (j *judge) makers() (Authors, string) {
	var a Authors
	r := j.c.Request
	for _, who := range slices.Concat(r.Actors, r.Run.Actors, []Account{r.Workload.Actor}) {
		a.add(who, "asked for the release")
	}
	commit, ok := j.c.Evidence.Commit.Get()
	if !ok || commit.SHA != r.Commit {
		return a, "its commit: " + j.c.Evidence.Commit.Why()
	}
	a.addCommit(commit)
	if a.unread != "" {
		return a, a.unread
	}
	ref, ok := j.c.Evidence.Ref.Get()
	if !ok {
		return a, "its ref: " + j.c.Evidence.Ref.Why()
	}
	tagger, ok := ref.Tagger.Get()
	switch {
	case ok:
		a.add(tagger, "made the tag")
		return a, a.unread
	case ref.Tagger.IsUnknown():
		return a, "its tagger: " + ref.Tagger.Why()
	case r.IsTag() && r.Workload.Event != "push":
		// The forge does not tell who made the tag. A run that the tag's push started
		// names its pusher as the actor; any other run leaves the tagger open.
		return a, "its tagger: " + ref.Tagger.Why()
	}
	return a, ""
}

// candidates says who could help now, and who could not and why.
func (j *judge) candidates() ([]Account, []Ineligible) {
	members, _ := j.c.Evidence.Candidates.Get()
	var can []Account
	var cannot []Ineligible
	for _, m := range members {
		if why := j.cannotHelp(m); why != "" {
			cannot = append(cannot, Ineligible{Account: m.Account, Why: why})
			continue
		}
		can = append(can, m.Account)
	}
	return can, cannot
}

func (j *judge) cannotHelp(m Member) string {
	if why, _ := j.ineligible(m); why != "" {
		return why
	}
	if slices.ContainsFunc(j.counted, func(a Approval) bool { return a.By.ID == m.Account.ID }) {
		return "has approved"
	}
	var own []string
	for _, c := range j.coverage {
		if c.Covered {
			continue
		}
		mine := slices.ContainsFunc(c.Authors, func(a Authorship) bool { return a.Account.ID == m.Account.ID })
		if !mine {
			return ""
		}
		own = append(own, c.Called)
	}
	if len(own) > 0 {
		return "author of " + strings.Join(own, ", ")
	}
	if j.independent().Outcome != Granted {
		if makers, _ := j.makers(); len(makers.hands) > 0 {
			if why, is := makers.Include(m.Account.ID); is {
				return why
			}
		}
	}
	return ""
}
