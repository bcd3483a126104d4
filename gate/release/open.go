package release

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/policy"
)

// Open opens the request that a workload asks for, or joins the open one with the
// same ask. The ask's manifest is canonical, and the ID token's audience was
// checked against its hash. Nothing is stored unless all of it is.
func (g *Gate) Open(ctx context.Context, w gate.Workload, ask gate.Ask) (gate.Record, bool, error) {
	if err := g.matchAsk(w, ask); err != nil {
		return gate.Record{}, false, err
	}
	// A subject named like a file that the release gets could be signed and never collected.
	if err := attest.CheckNames(ask.Manifest, attest.ReleaseName(ask.Ref)); err != nil {
		return gate.Record{}, false, err
	}
	port, err := g.port(w.Forge)
	if err != nil {
		return gate.Record{}, false, err
	}
	p, err := g.inForce(ctx, port, w.Repository)
	if err != nil {
		return gate.Record{}, false, err
	}
	run, err := g.runOf(ctx, port, w)
	if err != nil {
		return gate.Record{}, false, err
	}
	stream, err := policy.Choose(p, w, run, ask.Stream)
	if err != nil {
		return gate.Record{}, false, err
	}
	if err := g.keyOf(stream, w); err != nil {
		return gate.Record{}, false, err
	}
	hash, err := canonical.AskHash(ask)
	if err != nil {
		return gate.Record{}, false, err
	}
	if rec, again, err := g.signedBefore(ctx, w, run, hash); err != nil || again {
		return rec, again, err
	}
	now := g.Now()
	rec, joined, err := g.Store.OpenRequest(ctx, gate.Opening{
		Request: gate.Request{
			ID: g.NewID(), AskHash: hash,
			Repository: w.Repository, RepositoryName: w.RepositoryName, Owner: w.Owner,
			Private: w.Private,
			Ref:     ask.Ref, Commit: ask.Commit, Stream: stream.Name, Manifest: ask.Manifest,
			Key: stream.Key, PolicyDigest: p.Digest, Workload: w, Run: run,
			Actors:  actors(w, run),
			Created: now, Expires: now.Add(stream.Expires),
		},
		Token: gate.TokenUse{Issuer: w.Issuer, ID: w.TokenID, Expires: w.Expires},
	})
	if err == nil {
		g.Log.InfoContext(ctx, "release asked", "request", rec.Request.ID, "repository", w.RepositoryName,
			"ref", ask.Ref, "commit", ask.Commit, "subjects", len(ask.Manifest.Subjects), "joined", joined)
	}
	return rec, joined, err
}

// signedBefore finds what this very run asked for and was given: a job that starts again, or
// that the forge held until the release was signed, gets its signatures and needs nobody's
// approval again. Another run's ask is a new request.
func (g *Gate) signedBefore(ctx context.Context, w gate.Workload, run gate.RunFacts, hash gate.Digest) (gate.Record, bool, error) {
	recent, err := g.Store.RecentOf(ctx, w.Repository)
	if err != nil {
		return gate.Record{}, false, err
	}
	for _, rec := range recent {
		r := rec.Request
		if r.AskHash != hash || r.Run.RunID != run.RunID || run.RunID == 0 {
			continue
		}
		if rec.State != gate.StatePublished || !g.speaksFor(ctx, w, r) {
			return gate.Record{}, false, nil // the newest attempt is what counts
		}
		use := gate.TokenUse{Issuer: w.Issuer, ID: w.TokenID, Expires: w.Expires}
		return rec, true, g.Store.BindToken(ctx, use, r.ID)
	}
	return gate.Record{}, false, nil
}

// matchAsk holds what is asked against what the issuer signed.
func (g *Gate) matchAsk(w gate.Workload, ask gate.Ask) error {
	if ask.Server != g.Server.Host {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeServerName, Text: "the ask is for another server",
			Expected: g.Server.Host, Got: ask.Server, Fix: "ask the server by its public URL",
		}
	}
	for _, c := range []struct{ what, ask, token string }{
		{"repository", ask.Repository.String(), w.Repository.String()},
		{"ref", ask.Ref, w.Ref},
		{"commit", ask.Commit, w.Commit},
	} {
		if c.ask != c.token {
			return &gate.Error{
				Kind: gate.Refused, Code: gate.CodeAskMismatch,
				Text:     fmt.Sprintf("the ask's %s is not the ID token's", c.what),
				Expected: c.token, Got: c.ask, Fix: "ask for what the job itself runs for",
			}
		}
	}
	return nil
}

// inForce is the adopted policy, compiled. A repository that took its policy away releases
// nothing, and one that never adopted any is told its nearest mistake.
func (g *Gate) inForce(ctx context.Context, port Port, r gate.RepositoryID) (gate.Policy, error) {
	adopted, err := g.Store.InForce(ctx, r)
	if gate.CodeOf(err) == gate.CodePolicyNotAdopted {
		return gate.Policy{}, g.neverAdopted(ctx, port, r, err)
	}
	if err != nil {
		return gate.Policy{}, err
	}
	newer, _, err := g.Store.Proposal(ctx, r)
	if err != nil {
		return gate.Policy{}, err
	}
	if newer.Gone {
		return gate.Policy{}, withMinimal(&gate.Error{Kind: gate.NotFound, Code: gate.CodePolicyMissing, Text: newer.Why}, port.Kind)
	}
	return g.compile(adopted)
}

// neverAdopted says what is in the way of a repository without a policy in force.
func (g *Gate) neverAdopted(ctx context.Context, port Port, r gate.RepositoryID, err error) error {
	head, readErr := port.PolicyFile(ctx, r)
	if readErr != nil {
		return withMinimal(readErr, port.Kind)
	}
	if _, parseErr := policy.Parse(head.Content, g.origin(port.Kind, head)); parseErr != nil {
		return parseErr
	}
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodePolicyNotAdopted, Text: "no policy is in force for this repository yet",
		Expected: "a .countersign.yaml that an administrator of this server put in force", Got: "none for " + r.String(),
		Fix: "an administrator puts it in force at " + g.policyURL(r), Err: err,
	}
}

func withMinimal(err error, kind gate.ForgeKind) error {
	if gate.CodeOf(err) != gate.CodePolicyMissing {
		return err
	}
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodePolicyMissing, Text: "the repository holds no policy",
		Expected: ".countersign.yaml on the default branch", Got: "no such file",
		Fix: "commit this as .countersign.yaml, then have it adopted:\n" + policy.Minimal(kind), Err: err,
	}
}

func (g *Gate) origin(kind gate.ForgeKind, f gate.PolicyFile) policy.Origin {
	return policy.Origin{
		Repository: f.Repository.ID, Commit: f.Commit, Path: f.Path, Kind: kind,
		DefaultBranch: f.Repository.DefaultBranch, OwnerIsUser: f.Repository.OwnerIsUser,
		Keys:   g.Keys.Lineages(f.Repository.ID, f.Repository.Owner),
		Floors: g.floors(f.Repository.Owner), Witnesses: g.Witnesses,
	}
}

func (g *Gate) floors(owner gate.AccountID) []policy.Floor {
	if g.Floors == nil {
		return nil
	}
	return g.Floors(owner)
}

// compile reads an adopted file again, as of its adoption, and holds it to the floors of
// now: its digest is the adoption's only while those stay the same.
func (g *Gate) compile(a gate.Adoption) (gate.Policy, error) {
	port, err := g.port(a.Repository.Forge)
	if err != nil {
		return gate.Policy{}, err
	}
	p, err := policy.Parse(a.File, g.adoptedOrigin(port.Kind, a))
	p.Baseline = a.Baseline
	if g.Audit && p.Mode == gate.Enforce {
		p.Mode = gate.ServerAudit
	}
	return p, err
}

func (g *Gate) adoptedOrigin(kind gate.ForgeKind, a gate.Adoption) policy.Origin {
	return policy.Origin{
		Repository: a.Repository, Commit: a.Commit, Path: policy.Path, Kind: kind,
		DefaultBranch: a.DefaultBranch, Keys: g.Keys.Lineages(a.Repository, a.Owner), Floors: g.floors(a.Owner),
		Witnesses: g.Witnesses,
	}
}

func (g *Gate) runOf(ctx context.Context, port Port, w gate.Workload) (gate.RunFacts, error) {
	run, err := port.Run(ctx, w)
	if err != nil {
		return gate.RunFacts{}, err
	}
	if !run.InProgress {
		return gate.RunFacts{}, &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "the ID token's job is not running",
			Expected: "a job in progress", Got: "a finished one", Fix: "ask from the job itself, while it runs",
		}
	}
	return run, nil
}

func (g *Gate) keyOf(s gate.Stream, w gate.Workload) error {
	facts := g.Keys.Key(s.Key, w.Repository, w.Owner)
	if facts.Version.Lineage == "" {
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeKeyUnknown, Text: fmt.Sprintf("stream %s asks for a key that is not here", s.Name),
			Expected: fmt.Sprint(g.Keys.Lineages(w.Repository, w.Owner)), Got: s.Key, Fix: "name a key that is bound to the repository",
		}
	}
	if !facts.Bound {
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeKeyUnbound, Text: fmt.Sprintf("key %s is not bound to this repository", s.Key),
			Expected: fmt.Sprint(g.Keys.Lineages(w.Repository, w.Owner)), Got: s.Key,
			Fix: "the operator binds it to " + w.Repository.String(),
		}
	}
	return nil
}

// actors are everyone who set the run off, each once.
func actors(w gate.Workload, run gate.RunFacts) []gate.Account {
	out := []gate.Account{w.Actor}
	for _, a := range run.Actors {
		if a.ID != w.Actor.ID {
			out = append(out, a)
		}
	}
	return out
}
