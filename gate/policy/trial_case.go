package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

const (
	trialRequest  = "00000000-0000-7000-8000-000000000001"
	trialRunID    = 1
	somebodyElse  = "somebody-else" // started the run, where the case does not say who
	trialFullName = "owner/repository"
	trialSaid     = command + " approve"
)

// builder makes the case of one trial.
type builder struct {
	Trial

	cast   Cast
	policy gate.Policy
	stream gate.Stream
	where  Origin
	ids    map[string]int64
	commit string // released
}

// Case is what a trial comes to: everything that a judgement looks at, and when. The check
// is set where no stream fits: such an ask is refused before anything is judged.
func (c Cast) Case(t Trial, p gate.Policy, where Origin) (gate.Case, time.Time, *gate.Check, error) {
	b := builder{Trial: t, cast: c, policy: p, where: where, ids: map[string]int64{}}
	b.defaults()
	w, run := b.workload()
	stream, err := Choose(p, w, run, t.Stream)
	var e *gate.Error
	if errors.As(err, &e) {
		return gate.Case{}, b.At, &gate.Check{
			Name: gate.CheckIdentity, Outcome: gate.Denied, Ends: gate.StateDenied, Reason: e.Text, Expected: e.Expected, Got: e.Got, Fix: e.Fix,
		}, nil
	}
	b.stream = stream
	out := gate.Case{Request: b.request(w, run), Policy: p, Released: []string{commitOf("baseline")}}
	out.Key = gate.KeyFacts{Version: gate.KeyVersion{Lineage: stream.Key, Version: 1, SPKI: []byte(stream.Key)}, Bound: true}
	out.Evidence = b.evidence()
	out.Approvals, out.Denials, out.Holds = gate.SortStatements(b.statements(out.Request, out.Evidence))
	if f, ok := out.Evidence.Owners.Get(); ok {
		if out.Owners, err = CompileOwners(f, where.Kind); err != nil {
			return gate.Case{}, b.At, nil, err
		}
	}
	return out, b.At, nil, nil
}

// defaults fills in what the case leaves out, from the stream that it most likely means.
func (b *builder) defaults() {
	s := b.meant()
	b.Event = cmp.Or(b.Event, s.Events[0])
	if b.Workflow == "" && b.where.Kind == gate.GitHub {
		b.Workflow = cmp.Or(s.Workflow, workflowFolder+"release.yml")
	}
	if b.Uses == nil {
		b.Uses = s.Uses
	}
	b.Job = cmp.Or(b.Job, s.Job, "release")
	b.Runner = cmp.Or(b.Runner, s.Runner, hosted(b.where.Kind))
	b.Environment = cmp.Or(b.Environment, s.Environment)
	b.By = cmp.Or(b.By, somebodyElse)
	b.Tagger = cmp.Or(b.Tagger, b.By)
	if b.Branch == "" && strings.HasPrefix(b.Ref, "refs/heads/") {
		b.Branch = gate.ShortRef(b.Ref)
	}
	b.Branch = cmp.Or(b.Branch, b.where.DefaultBranch)
	if len(b.Subjects) == 0 {
		b.Subjects = []string{"artifact.tar.gz"}
	}
	if b.At.IsZero() {
		b.At = time.Date(2026, time.January, 7, 12, 0, 0, 0, time.UTC) // a Wednesday
		if s.Window != nil && !s.Window.Open(b.At) {
			if next, ok := s.Window.Next(b.At); ok {
				b.At = next.UTC()
			}
		}
	}
	b.commit = commitOf("baseline")
	if n := len(b.Changes); n > 0 {
		b.commit = commitOf(fmt.Sprintf("merge of %d", n-1))
		if b.Changes[n-1].Number == 0 {
			b.commit = commitOf(fmt.Sprintf("head of %d", n-1))
		}
	}
}

// meant is the stream that the case names, else the first that its ref fits.
func (b *builder) meant() gate.Stream {
	if s, ok := b.policy.StreamByName(b.Stream); ok {
		return s
	}
	for _, s := range b.policy.Streams {
		if fitsRef(s, b.Ref) {
			return s
		}
	}
	return b.policy.Streams[0]
}

func (b *builder) forge() gate.ForgeID { return gate.ForgeID(b.where.Kind) }

func (b *builder) workload() (gate.Workload, gate.RunFacts) {
	asked := b.At.Add(-time.Hour)
	w := gate.Workload{
		Forge: b.forge(), Kind: b.where.Kind, TokenID: "trial", IssuedAt: asked, Expires: asked.Add(5 * time.Minute),
		Repository: gate.RepositoryID{Forge: b.forge(), ID: 1}, RepositoryName: trialFullName, Owner: gate.AccountID{Forge: b.forge(), ID: 1},
		Ref: b.Ref, Commit: b.commit, WorkflowRef: b.Ref, WorkflowCommit: b.commit, Event: b.Event,
		Environment: b.Environment, Runner: b.Runner, RunID: trialRunID, RunAttempt: 1, JobID: 1, Actor: b.account(b.By),
	}
	job := b.Job
	if b.where.Kind == gate.GitHub {
		w.Workflow = trialFullName + "/" + b.Workflow
		w.JobWorkflow, w.JobWorkflowCommit = w.Workflow+"@"+b.Ref, b.commit
		if b.Uses != nil {
			w.JobWorkflow, w.JobWorkflowCommit = b.Uses.Path+"@"+b.Uses.Commit, b.Uses.Commit
		}
	}
	return w, gate.RunFacts{
		RunID: trialRunID, Attempt: 1, Job: job, InProgress: true, Commit: b.commit, Actors: []gate.Account{b.account(b.By)},
	}
}

func (b *builder) request(w gate.Workload, run gate.RunFacts) gate.Request {
	var m gate.Manifest
	for _, name := range b.Subjects {
		m.Subjects = append(m.Subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(name))})
	}
	return gate.Request{
		ID: trialRequest, Code: "TRY1", Attempt: 1, Repository: w.Repository, RepositoryName: w.RepositoryName, Owner: w.Owner,
		Ref: b.Ref, Commit: b.commit, Stream: b.stream.Name, Manifest: m, Key: b.stream.Key, PolicyDigest: b.policy.Digest,
		Workload: w, Actors: []gate.Account{w.Actor}, Run: run, Created: w.IssuedAt, Expires: b.At.Add(time.Hour),
	}
}

// commitOf makes up a commit.
func commitOf(what string) string { return gate.SHA256([]byte(what)).String()[:commitDigits] }

// account numbers people in the order in which they come up.
func (b *builder) account(name string) gate.Account {
	id, ok := b.ids[name]
	if !ok {
		id = int64(len(b.ids) + 100)
		b.ids[name] = id
	}
	return gate.Account{ID: gate.AccountID{Forge: b.forge(), ID: id}, Login: name, Human: !b.cast.Machines[name]}
}

func (b *builder) accounts(names []string) []gate.Account {
	var out []gate.Account
	for _, n := range names {
		out = append(out, b.account(n))
	}
	return out
}

func (b *builder) role(name string) gate.Role {
	if r, ok := b.cast.Rights[name]; ok {
		return r
	}
	return gate.RoleWrite
}

func (b *builder) member(name string) gate.Member {
	teams := []string{}
	for team, people := range b.cast.Teams {
		if slices.Contains(people, name) {
			teams = append(teams, team)
		}
	}
	slices.Sort(teams)
	return gate.Member{Account: b.account(name), Role: b.role(name), Active: true, Teams: gate.Known(teams)}
}

// statements are what people said, each in a comment that the evidence then holds.
func (b *builder) statements(r gate.Request, e gate.Evidence) []gate.Approval {
	var out []gate.Approval
	for _, x := range []struct {
		verb  gate.Verb
		names []string
	}{{gate.VerbApprove, b.Approvals}, {gate.VerbDeny, b.Denials}, {gate.VerbHold, b.Holds}} {
		for _, name := range x.names {
			n := len(out) + 1
			a := gate.Approval{
				ID: fmt.Sprintf("statement-%d", n), Request: r.ID, Verb: x.verb, By: b.account(name), Reason: "as the case says",
				Source:   gate.CommentRef{Repository: r.Repository, Thread: gate.Thread{Number: 1}, ID: int64(n)},
				BodyHash: gate.SHA256([]byte(trialSaid)), Created: r.Created.Add(time.Duration(n) * time.Second),
				Commit: r.Commit, ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest,
			}
			out = append(out, a)
			e.Comments[a.Source] = gate.Known(gate.Comment{Ref: a.Source, Author: a.By, Body: trialSaid, Created: a.Created})
			e.Roles[a.By.ID] = gate.Known(b.member(name))
		}
	}
	return out
}
