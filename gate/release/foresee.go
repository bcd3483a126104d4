package release

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// Foreseen is what the next release of a stream would meet, were it asked for now from the
// head of the default branch.
type Foreseen struct {
	Stream gate.Stream
	// Decision judges the head as if it were asked for: what it says of the asking job, of
	// the ref and of approvals says nothing.
	Decision gate.Decision
	// Read says why what changed since the last release cannot be told; "" where it can.
	Read string
}

// Foresee judges the head of a repository's default branch under each stream of the policy
// in force, on evidence read now. It stores nothing and signs nothing. Errors: those of
// Forge.PolicyFile; CodePolicyNotAdopted; CodePolicyInvalid; CodeForgeUnknown.
func (g *Gate) Foresee(ctx context.Context, r gate.RepositoryID) ([]Foreseen, error) {
	port, err := g.port(r.Forge)
	if err != nil {
		return nil, err
	}
	in, err := g.Store.InForce(ctx, r)
	if err != nil {
		return nil, err
	}
	p, err := g.compile(in)
	if err != nil {
		return nil, err
	}
	file, err := port.PolicyFile(ctx, r)
	if err != nil {
		return nil, err
	}
	var out []Foreseen
	for _, s := range p.Streams {
		since, err := g.Store.Released(ctx, r, s.Name, releasesKept)
		if err != nil {
			return nil, err
		}
		head := headOf(port, file, in.Owner)
		head.Stream, head.Key, head.PolicyDigest = s.Name, s.Key, p.Digest
		head.Created, head.Expires = g.Now(), g.Now().Add(time.Hour)
		c := gate.Case{Request: head, Policy: p, Released: append(since, p.Baseline), Key: g.Keys.Key(s.Key, r, in.Owner)}
		c.Evidence, c.Owners = g.evidence(ctx, port, head, s, policy.Needs(s, head, c.Released, nil))
		one := Foreseen{Stream: s, Decision: gate.Decide(c, g.Now())}
		if !c.Evidence.Changes.IsKnown() {
			one.Read = c.Evidence.Changes.Why()
		}
		out = append(out, one)
	}
	return out, nil
}

// Standing is which policy is in force for a repository, and the newer one that is not.
type Standing struct {
	InForce gate.Adoption
	Newer   gate.Proposal // the zero Proposal where there is none
}

// Standing tells it. Errors: CodePolicyNotAdopted.
func (g *Gate) Standing(ctx context.Context, r gate.RepositoryID) (Standing, error) {
	in, err := g.Store.InForce(ctx, r)
	if err != nil {
		return Standing{}, err
	}
	newer, _, err := g.Store.Proposal(ctx, r)
	return Standing{InForce: in, Newer: newer}, err
}
