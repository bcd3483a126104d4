package gatetest

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// What the case is about.
const (
	RequestID = "0197f3a0-0000-7000-8000-000000000001"
	Tag       = "v1.4.0"
	Ref       = "refs/tags/" + Tag
	Commit    = "1111111111111111111111111111111111111111"
	Head      = "2222222222222222222222222222222222222222" // of the one change, #412
	Baseline  = "3333333333333333333333333333333333333333"
	Workflow  = ".github/workflows/release.yml"
	Lineage   = "acme-release"
)

// GrantedCase is a GitHub-like release of tag v1.4.0 that [gate.Decide] grants at the
// returned time: one change by Ana, reviewed by Bo before the forge merged it,
// asked for by Ana and approved by Bo in a comment.
func GrantedCase(opts ...Option) (gate.Case, time.Time) {
	r := release{
		at: time.Now().UTC(), age: time.Second, manifest: Manifest(1),
		key: gate.KeyVersion{Lineage: Lineage, Version: 1, SPKI: []byte("no real key"), Software: true},
	}
	for _, o := range opts {
		o(&r)
	}
	c := gate.Case{
		Request:  r.request(),
		Policy:   r.policy(),
		Evidence: r.evidence(),
		Key:      gate.KeyFacts{Version: r.key, Bound: true},
	}
	c.Approvals = []gate.Approval{r.approval(c.Request)}
	for _, f := range r.edits {
		f(&c)
	}
	return c, r.at
}

func policyDigest() gate.Digest { return gate.SHA256([]byte("the policy in force")) }

func (r release) request() gate.Request {
	asked := r.at.Add(-time.Hour)
	return gate.Request{
		ID: RequestID, Code: "K7QM", AskHash: gate.SHA256([]byte("ask")), Attempt: 1,
		Repository: Repository(), RepositoryName: "acme/app", Owner: Acme(),
		Ref: Ref, Commit: Commit, Stream: "stable", Manifest: r.manifest,
		Key: r.key.Lineage, PolicyDigest: policyDigest(),
		Workload: r.workload(asked), Actors: []gate.Account{Ana()},
		Run: gate.RunFacts{
			RunID: 7001, Attempt: 1, Job: "sign", InProgress: true, Commit: Commit,
			Actors: []gate.Account{Ana()},
		},
		Created: asked, Expires: asked.Add(7 * 24 * time.Hour),
	}
}

func (r release) workload(asked time.Time) gate.Workload {
	workflow := "acme/app/" + Workflow
	return gate.Workload{
		Forge: Forge, Kind: gate.GitHub, Issuer: "https://token.actions.githubusercontent.com",
		Audience: "https://gate.example", TokenID: "token-1", IssuedAt: asked, Expires: asked.Add(5 * time.Minute),
		Repository: Repository(), RepositoryName: "acme/app", Owner: Acme(),
		Ref: Ref, Commit: Commit,
		Workflow: workflow, WorkflowRef: Ref, WorkflowCommit: Commit,
		JobWorkflow: workflow + "@" + Ref, JobWorkflowCommit: Commit,
		Event: "push", Runner: "github-hosted", RunID: 7001, RunAttempt: 1, JobID: 8001, Actor: Ana(),
	}
}

func (r release) policy() gate.Policy {
	return gate.Policy{
		Mode: gate.Enforce, Digest: policyDigest(), Baseline: Baseline,
		Sources: []gate.PolicySource{{
			Source: Repository().String() + "/.countersign.yaml", Commit: Baseline, SHA256: gate.SHA256([]byte("policy file")),
		}},
		Streams: []gate.Stream{{
			Name: "stable", Tags: []gate.Matcher{Glob("v*")}, Branches: []gate.Matcher{Glob("main")},
			Workflow: Workflow, Events: []string{"push"}, MinReviews: 1, Bypass: gate.Report,
			Separation: gate.EachChange, ReviewsCount: true, PageCounts: true,
			Approvals: []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 1}},
			Key:       r.key.Lineage, Expires: 7 * 24 * time.Hour,
		}},
	}
}

func (r release) approval(q gate.Request) gate.Approval {
	return gate.Approval{
		ID: "0197f3a0-0000-7000-8000-000000000002", Request: q.ID, Verb: gate.VerbApprove, By: Bo(),
		Source: comment(), BodyHash: gate.SHA256([]byte(approvalBody)), Created: r.at.Add(-time.Minute),
		Commit: q.Commit, ManifestDigest: q.Manifest.Digest(), PolicyDigest: q.PolicyDigest,
	}
}
