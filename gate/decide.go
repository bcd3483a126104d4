package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Decide judges c at the given time. It is total and pure: no I/O, no clock, no
// error. Evidence that is missing never grants (I2).
func Decide(c Case, at time.Time) Decision {
	stream, _ := c.Policy.StreamByName(c.Request.Stream)
	j := judge{c: c, stream: stream, at: at}
	j.weigh()
	j.sortApprovals()
	j.heed()
	j.coverage = j.cover()
	d := Decision{
		At: at, Request: c.Request.ID, PolicyDigest: c.Policy.Digest,
		Coverage: j.coverage, Counted: j.counted, Heeded: j.heeded, Ignored: j.ignored,
		Checks: slices.Concat(
			[]Check{j.identity(), j.run(), j.repository(), j.policy(), j.ref()}, j.ci(), j.rules(),
			[]Check{j.branch(), j.protection(), j.covered()}, j.owners(),
			[]Check{j.approvals(), j.independent(), j.hold()}, j.window(),
			[]Check{j.key(), j.time(), j.fresh()},
		),
		CommentsOnly: !stream.PageCounts,
		Protection:   j.protections(), Audit: c.Policy.Mode == Audit || c.Policy.Mode == ServerAudit,
	}
	if ref, ok := c.Evidence.Ref.Get(); ok {
		d.TagObject = ref.TagObject
	}
	if len(c.Released) > 0 {
		d.Since = c.Released[0]
	}
	d.CanApprove, d.CannotApprove = j.candidates()
	d.People = j.people(d)
	d.Outcome = worst(d.Checks)
	if d.Outcome == Granted {
		d.grant = &Grant{
			request: c.Request, key: c.Key.Version, decided: at,
			deadline: c.Evidence.ReadAt.Add(GrantLifetime),
		}
	}
	return d
}

// worst of no checks is Denied: a decision that checked nothing grants nothing.
func worst(checks []Check) Outcome {
	if len(checks) == 0 {
		return Denied
	}
	out := Granted
	for _, c := range checks {
		out = min(out, c.Outcome)
	}
	return out
}

// judge is one judgement under way.
type judge struct {
	c        Case
	stream   Stream
	at       time.Time
	set      []weighed
	everyone Authors // of the whole set; empty unless the separation is strict
	counted  []Approval
	ignored  []Ignored
	coverage []Coverage

	denied, maybeDenied, held, heeded []Approval
}

func granted(name CheckName, format string, args ...any) Check {
	return Check{Name: name, Outcome: Granted, Reason: fmt.Sprintf(format, args...)}
}

// unread is a check that waits for the forge to let itself be read.
func unread(name CheckName, what, why string) Check {
	return Check{
		Name: name, Outcome: Waiting, Unread: true,
		Reason: fmt.Sprintf("%s could not be read: %s", what, why),
		Fix:    "nothing to do: it is read again until the request expires; if this stays, the operator finds the cause in the server's log",
	}
}

// mismatch is a claim that cannot change: it ends the request.
func mismatch(name CheckName, what, expected, got, fix string) Check {
	return Check{
		Name: name, Outcome: Denied, Ends: StateDenied, Expected: expected, Got: got, Fix: fix,
		Reason: fmt.Sprintf("%s is %s, expected %s", what, orNone(got), expected),
	}
}

// moved is a thing that is no longer what was asked about: it voids the request.
func moved(name CheckName, reason, expected, got string) Check {
	return Check{
		Name: name, Outcome: Denied, Ends: StateVoid, Reason: reason, Expected: expected, Got: got,
		Fix: "start the release workflow again to ask for what is there now",
	}
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func (j *judge) identity() Check {
	r, w, s := j.c.Request, j.c.Request.Workload, j.stream
	switch {
	case s.Name == "":
		return mismatch(CheckIdentity, "the stream", "one of the policy in force", r.Stream,
			"name a stream of the policy in force")
	case w.Repository != r.Repository || w.Owner != r.Owner:
		return mismatch(CheckIdentity, "the ID token's repository", r.Repository.String(), w.Repository.String(),
			"ask from a job of the repository itself")
	case w.Ref != r.Ref:
		return mismatch(CheckIdentity, "the ID token's ref", r.Ref, w.Ref, "ask from a run of the ref to release")
	case w.Commit != r.Commit:
		return mismatch(CheckIdentity, "the ID token's commit", r.Commit, w.Commit, "ask from a run of the commit to release")
	case !slices.Contains(s.Events, w.Event):
		return mismatch(CheckIdentity, "the run's event", strings.Join(s.Events, " or "), w.Event,
			"release from an event that the policy allows; those of forks are never allowed")
	case len(s.Refs) > 0 && !matchAny(s.Refs, w.Ref):
		return mismatch(CheckIdentity, "the run's ref", patterns(s.Refs), w.Ref, "release from a ref that the policy names under from")
	case s.Runner != "" && w.Runner != s.Runner:
		return mismatch(CheckIdentity, "the job's runner", s.Runner, w.Runner, "run the job on a runner of the kind that the policy names")
	case s.Environment != "" && w.Environment != s.Environment:
		return mismatch(CheckIdentity, "the job's environment", s.Environment, w.Environment,
			"give the job the environment that the policy names, spelled as there")
	}
	return j.workflow()
}

func (j *judge) run() Check {
	w, run := j.c.Request.Workload, j.c.Request.Run
	const fix = "ask from a job that is running"
	switch {
	case run.RunID != w.RunID || run.Attempt != w.RunAttempt:
		return mismatch(CheckRun, "the run", fmt.Sprintf("%d attempt %d", w.RunID, w.RunAttempt),
			fmt.Sprintf("%d attempt %d", run.RunID, run.Attempt), fix)
	case run.Commit != w.Commit:
		return mismatch(CheckRun, "the run's commit", w.Commit, run.Commit, fix)
	case !run.InProgress:
		return mismatch(CheckRun, "the job that asked", "in progress", "finished", fix)
	}
	return granted(CheckRun, "run %d was in progress when it asked", run.RunID)
}

func (j *judge) repository() Check {
	repo, ok := j.c.Evidence.Repository.Get()
	r := j.c.Request
	switch {
	case j.c.Evidence.Repository.IsAbsent():
		return moved(CheckRepository, "the repository is gone", r.Repository.String(), "none")
	case !ok:
		return unread(CheckRepository, "the repository", j.c.Evidence.Repository.Why())
	case repo.ID != r.Repository:
		return moved(CheckRepository, "the repository is another one", r.Repository.String(), repo.ID.String())
	case repo.Owner != r.Owner:
		return moved(CheckRepository, "the repository changed its owner", r.Owner.String(), repo.Owner.String())
	}
	return granted(CheckRepository, "%s is still owned by the same account", repo.FullName)
}

func (j *judge) policy() Check {
	p, r := j.c.Policy, j.c.Request
	if p.Digest != r.PolicyDigest {
		return moved(CheckPolicy, "another policy is in force since the request: one was adopted, or the server's floors changed", r.PolicyDigest.String(), p.Digest.String())
	}
	if p.Mode == ServerAudit {
		return Check{
			Name: CheckPolicy, Outcome: Waiting,
			Reason: "the server only audits: releases are judged and reported, nothing is signed",
			Fix:    "the operator sets policies.mode: enforce in the server's configuration",
		}
	}
	if p.Mode != Enforce {
		return Check{
			Name: CheckPolicy, Outcome: Waiting,
			Reason: "the policy in force only audits: it is judged and reported, nothing is signed",
			Fix:    "adopt a policy with mode: enforce",
		}
	}
	if n := j.c.Newer; n.Gone {
		return Check{
			Name: CheckPolicy, Outcome: Waiting, Reason: "the policy file is gone from the default branch",
			Fix: "put the policy file back on the default branch, or have another one adopted",
		}
	}
	c := granted(CheckPolicy, "stream %s of the policy in force", j.stream.Name)
	if n := j.c.Newer; n.Commit != "" {
		c.Reason += fmt.Sprintf("; a newer version, of %s, is not in force: %s", ShortCommit(n.Commit), n.Why)
	}
	return c
}

func (j *judge) ref() Check {
	r, s := j.c.Request, j.stream
	ref, ok := j.c.Evidence.Ref.Get()
	switch {
	case j.c.Evidence.Ref.IsAbsent():
		return moved(CheckRef, r.Ref+" no longer exists", r.Ref, "none")
	case !ok:
		return unread(CheckRef, r.Ref, j.c.Evidence.Ref.Why())
	case ref.Ref != r.Ref:
		return unread(CheckRef, r.Ref, "the forge answered for "+orNone(ref.Ref))
	case !r.IsTag():
		return j.branchRef()
	case ref.Commit != r.Commit:
		return moved(CheckRef, fmt.Sprintf("tag %s moved", r.ShortRef()), r.Commit, ref.Commit)
	case !matchAny(s.Tags, r.ShortRef()) || matchAny(s.NotTags, r.ShortRef()):
		return mismatch(CheckRef, "the tag", patterns(s.Tags), r.ShortRef(), "release a tag that the policy names")
	}
	return granted(CheckRef, "tag %s is %s", r.ShortRef(), ShortCommit(r.Commit))
}

// branchRef judges a release from a branch: what matters of the branch is that it
// still holds the commit, which is the branch check's.
func (j *judge) branchRef() Check {
	r, s := j.c.Request, j.stream
	if !strings.HasPrefix(r.Ref, "refs/heads/") {
		return mismatch(CheckRef, "the ref", "a tag or a branch", r.Ref, "release from a tag or a branch")
	}
	if !matchAny(s.Branches, r.ShortRef()) {
		return mismatch(CheckRef, "the branch", patterns(s.Branches), r.ShortRef(), "release from a branch that the policy names")
	}
	if b, ok := j.c.Evidence.Branch.Get(); ok && b.Name != r.ShortRef() {
		return mismatch(CheckRef, "the branch that holds the commit", r.ShortRef(), b.Name, "release a commit of the branch itself")
	}
	return granted(CheckRef, "branch %s", r.ShortRef())
}

func patterns(ms []Matcher) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.String())
	}
	return orNone(strings.Join(out, ", "))
}

func (j *judge) branch() Check {
	r := j.c.Request
	b, ok := j.c.Evidence.Branch.Get()
	switch {
	case j.c.Evidence.Branch.IsAbsent():
		return Check{
			Name: CheckBranch, Outcome: Waiting, Expected: patterns(j.stream.Branches), Got: "none",
			Reason: fmt.Sprintf("%s is on none of the branches %s", ShortCommit(r.Commit), patterns(j.stream.Branches)),
			Fix:    "merge it first, then release what was merged",
		}
	case !ok:
		return unread(CheckBranch, "the branch of "+ShortCommit(r.Commit), j.c.Evidence.Branch.Why())
	case !matchAny(j.stream.Branches, b.Name):
		return unread(CheckBranch, "the branch of "+ShortCommit(r.Commit), b.Name+" is none that the policy names")
	}
	return granted(CheckBranch, "%s is on %s", ShortCommit(r.Commit), b.Name)
}

func (j *judge) key() Check {
	k, r := j.c.Key, j.c.Request
	switch {
	case k.Version.Lineage == "" || len(k.Version.SPKI) == 0:
		return Check{
			Name: CheckKey, Outcome: Waiting, Unread: true, Reason: fmt.Sprintf("key %s is not available", orNone(r.Key)),
			Fix: "the operator configures a version of it, or brings its token back",
		}
	case k.Unfit != "":
		return Check{
			Name: CheckKey, Outcome: Waiting, Unread: true, Reason: "signing is stopped: " + k.Unfit,
			Fix: "the operator mends the server's ledger: countersignd ledger status",
		}
	case k.Version.Lineage != r.Key:
		return moved(CheckKey, "the request was made for another key", r.Key, k.Version.Lineage)
	case !k.Bound:
		return Check{
			Name: CheckKey, Outcome: Waiting, Reason: fmt.Sprintf("key %s is not bound to this repository", r.Key),
			Fix: "the operator binds it to " + r.Repository.String() + " or its owner",
		}
	}
	return granted(CheckKey, "%s version %d", k.Version.Lineage, k.Version.Version)
}

func (j *judge) time() Check {
	if !j.at.Before(j.c.Request.Expires) {
		return Check{
			Name: CheckTime, Outcome: Denied, Ends: StateExpired,
			Reason: "expired " + j.c.Request.Expires.UTC().Format(time.RFC3339),
			Fix:    "ask again: the same files open it anew without a rebuild",
		}
	}
	return granted(CheckTime, "open until %s", j.c.Request.Expires.UTC().Format(time.RFC3339))
}

// fresh holds I1: what was read longer ago, or later than now, carries no grant.
func (j *judge) fresh() Check {
	age := j.at.Sub(j.c.Evidence.ReadAt)
	if j.c.Evidence.ReadAt.IsZero() || age > MaxEvidenceAge || age < 0 {
		return unread(CheckEvidence, "the evidence", fmt.Sprintf("a decision needs it at most %s old", MaxEvidenceAge))
	}
	return granted(CheckEvidence, "read at %s", j.c.Evidence.ReadAt.UTC().Format(time.RFC3339))
}
