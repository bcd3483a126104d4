package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/sums"
)

// sign carries a grant out: intents first, then the HSM with no transaction open,
// then the signatures. Whatever goes wrong in between leaves the intents, and the
// next look at the request ends them as orphaned.
func (g *Gate) sign(ctx context.Context, rec gate.Record, d gate.Decision, grant gate.Grant, c gate.Case) error {
	intents, err := g.intents(rec, d, grant, c)
	if err != nil {
		return fmt.Errorf("prepare signing of %s: %w", rec.Request.ID, err)
	}
	id := rec.Request.ID
	orders, err := ordersOf(grant, intents)
	if err != nil {
		return fmt.Errorf("order signatures of %s: %w", id, err)
	}
	if g.Ledger == nil || g.Authority == nil {
		return errors.New("sign a release: expected a ledger and an authority, got none")
	}
	// The decision may have waited: what is signed must go on the ledger that was published.
	if err := g.Ledger.Fit(ctx); err != nil {
		return fmt.Errorf("sign %s: %w", id, err)
	}
	certificate, err := g.certificate(ctx, grant, c)
	if err != nil {
		return fmt.Errorf("certify the key for %s: %w", id, err)
	}
	rec, err = g.Store.BeginSigning(ctx, rec, intents, g.Owner, attemptLease(rec.Signing))
	if err != nil {
		return fmt.Errorf("begin signing of %s: %w", id, err)
	}
	sigs, err := g.Signer.Sign(ctx, orders)
	// Whoever stops the process now must not lose what the HSM has signed.
	kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	switch {
	case err != nil && gate.KindOf(err) == gate.Unavailable:
		g.Log.WarnContext(ctx, "signer unavailable, tried again when the attempt's lease ends",
			"request", rec.Request.ID, "error", err)
		return g.Store.Hear(kept, gate.Heard{Posts: g.tell(kept, rec, d, d, gate.StateSigning, rec.Thread, c)})
	case err != nil:
		g.Log.ErrorContext(ctx, "signing refused for good", "request", rec.Request.ID, "error", err)
		_, err = g.Store.FailSigning(kept, rec, failure(err), g.tell(kept, rec, d, d, gate.StateFailed, rec.Thread, c))
		return err
	}
	rec, err = g.Store.KeepSignatures(kept, rec, sigs, certificate, sealLease)
	if err != nil {
		return fmt.Errorf("keep the signatures of %s: %w", id, err)
	}
	g.Log.InfoContext(ctx, "release signed", "request", id, "signatures", len(sigs),
		"key", grant.Key().Lineage, "version", grant.Key().Version)
	return g.seal(ctx, rec)
}

func ordersOf(grant gate.Grant, intents []gate.Intent) ([]gate.Order, error) {
	orders := make([]gate.Order, len(intents))
	var err error
	for i, intent := range intents {
		if orders[i], err = grant.Order(intent); err != nil {
			return nil, fmt.Errorf("intent %s: %w", intent.ID, err)
		}
	}
	return orders, nil
}

// attemptLease is how long an attempt may take, and with it when the next begins: each
// leaves leaves for every signature that may have been made, so that those after a
// failed one come ever more rarely, up to twelve minutes apart.
func attemptLease(before int) time.Duration { return signLease << min(before, 4) }

// failure is what may be said of a final error: its code and public text.
func failure(err error) string {
	return fmt.Sprintf("%s: the signer refused", gate.CodeOf(err))
}

// intents are one per subject, one per statement, and one per part of each format in which
// SHA256SUMS is signed.
func (g *Gate) intents(rec gate.Record, d gate.Decision, grant gate.Grant, c gate.Case) ([]gate.Intent, error) {
	r := grant.Request()
	statements, err := attest.Statements(g.verdictOf(d, c))
	if err != nil {
		return nil, err
	}
	stream, _ := c.Policy.StreamByName(r.Stream)
	parts, err := sums.Parts(stream.Formats, r.Manifest, grant.Key(), g.signerName(r.Key), d.At)
	if err != nil {
		return nil, err
	}
	intent := func(kind gate.IntentKind, name string, digest gate.Digest, payload []byte) gate.Intent {
		return gate.Intent{
			ID: g.NewID(), Request: r.ID, Attempt: rec.Signing + 1, Kind: kind,
			Name: name, Digest: digest, Payload: payload, Key: grant.Key(),
		}
	}
	var out []gate.Intent
	for _, s := range r.Manifest.Subjects {
		out = append(out, intent(gate.IntentSubject, s.Name, s.SHA256, nil))
	}
	for _, s := range statements {
		out = append(out, intent(gate.IntentStatement, s.Name, gate.StatementDigest(s.Payload), s.Payload))
	}
	for _, p := range parts {
		out = append(out, intent(gate.IntentSums, string(p.Format), p.Digest, p.Payload))
	}
	return out, nil
}

// signerName is how formats that want a person's name call a key: the lineage, at this
// server.
func (g *Gate) signerName(lineage string) string { return lineage + "@" + g.Server.Hostname() }

// verdictOf is what the release's statements say, with the policy's digest and the
// protection as it was read (I8).
func (g *Gate) verdictOf(d gate.Decision, c gate.Case) attest.Verdict {
	repo, _ := c.Evidence.Repository.Get()
	return attest.Verdict{
		Server: g.Server.String(), Repository: repo.URL, Sources: c.Policy.Sources, Evidence: c.Evidence, Decision: d,
	}
}

// Collect gives a signed request's files to a job of the same workflow.
func (g *Gate) Collect(ctx context.Context, w gate.Workload, id string) (gate.Record, []attest.File, error) {
	rec, err := g.Show(ctx, w, id)
	if err != nil {
		return gate.Record{}, nil, err
	}
	switch {
	case rec.State == gate.StateSigned || rec.State == gate.StatePublished:
	case rec.State.Ended():
		return rec, nil, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeEnded, Text: "the request ended without signatures",
			Expected: "signed or published", Got: string(rec.State), Fix: "see its checks, then ask again",
		}
	default:
		return rec, nil, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeNotSigned, Text: "the request is not signed yet",
			Expected: "signed or published", Got: string(rec.State), Fix: "wait for it: countersign status",
		}
	}
	files, err := g.files(ctx, rec)
	return rec, files, err
}

// Show gives a request to a job that may see it: one of the same repository and
// workflow. The ID token is bound to the request by this use.
func (g *Gate) Show(ctx context.Context, w gate.Workload, id string) (gate.Record, error) {
	rec, err := g.Store.Request(ctx, id)
	if err != nil {
		return gate.Record{}, err
	}
	if w.Repository != rec.Request.Repository || w.Owner != rec.Request.Owner {
		// Said as of a request that is none: others learn nothing of it.
		return gate.Record{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such request",
			Expected: "the id of a request", Got: fmt.Sprintf("%q", id), Fix: "check the id, or ask anew",
		}
	}
	if !g.speaksFor(ctx, w, rec.Request) {
		return gate.Record{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodeNotPermitted, Text: "this job does not speak for the request",
			Expected: mayCollect(w.Kind).expected,
			Got:      w.RepositoryName + " " + w.Workflow,
			Fix:      mayCollect(w.Kind).fix,
			Claims:   []gate.ClaimCheck{{Claim: workflowClaim(w.Kind), Expected: rec.Request.Workload.Workflow}},
		}
	}
	if err := g.stillRuns(ctx, w); err != nil {
		return gate.Record{}, err
	}
	use := gate.TokenUse{Issuer: w.Issuer, ID: w.TokenID, Expires: w.Expires}
	if err := g.Store.BindToken(ctx, use, id); err != nil {
		return gate.Record{}, err
	}
	return rec, nil
}

// workflowClaim is the ID token's claim that names the workflow.
func workflowClaim(kind gate.ForgeKind) string {
	if kind == gate.GitLab {
		return "ci_config_ref_uri"
	}
	return "workflow_ref"
}

// speaksFor reports whether a job of the same repository runs the workflow that asked, or
// the one that the policy in force lets finish, from a branch or tag that may release.
// Workflows are compared within the repository, whose name may have changed since. On GitLab
// all jobs of one CI file are one workflow, the one that finishes among them.
func (g *Gate) speaksFor(ctx context.Context, w gate.Workload, r gate.Request) bool {
	here := within(w)
	if here == within(r.Workload) {
		return true
	}
	if w.Kind == gate.GitLab {
		return false
	}
	adopted, err := g.Store.InForce(ctx, r.Repository)
	if err != nil {
		return false
	}
	p, err := g.compile(adopted)
	if err != nil {
		return false
	}
	stream, _ := p.StreamByName(r.Stream)
	return stream.Finish != "" && here == stream.Finish && finishes(w, stream, adopted.DefaultBranch)
}

// mayCollect says in a forge's words who may collect.
func mayCollect(kind gate.ForgeKind) (words struct{ expected, fix string }) {
	words.expected = "a job of the workflow that asked, or of the one that the policy names as finish"
	words.fix = "collect from the workflow that asked, or name this one in the policy: finish"
	if kind == gate.GitLab {
		words.expected = "a job of the CI file that asked"
		words.fix = "collect from a job of the same CI file"
	}
	return words
}

// within is the workflow's file within the repository. GitLab names it
// host/group/project//file, and the ID token's issuer said that it is this project's.
func within(w gate.Workload) string {
	if _, file, ok := strings.Cut(w.Workflow, "//"); ok && w.Kind == gate.GitLab {
		return file
	}
	return strings.TrimPrefix(w.Workflow, w.RepositoryName+"/")
}

// finishes: a workflow file of the name is in every branch that somebody pushes; only as
// the default branch or one of the stream's has it does it finish.
func finishes(w gate.Workload, s gate.Stream, defaultBranch string) bool {
	branch, ok := strings.CutPrefix(w.WorkflowRef, "refs/heads/")
	return ok && (branch == defaultBranch || slices.ContainsFunc(s.Branches, func(m gate.Matcher) bool { return m.Match(branch) }))
}

// stillRuns asks the forge after the job of an ID token that is too old to speak for
// itself: GitLab gives a job one token, for as long as the job may take (attack 9).
func (g *Gate) stillRuns(ctx context.Context, w gate.Workload) error {
	if w.Kind != gate.GitLab || g.Now().Sub(w.IssuedAt) < tokenAge {
		return nil
	}
	port, err := g.port(w.Forge)
	if err != nil {
		return err
	}
	_, err = g.runOf(ctx, port, w)
	return err
}
