package release

import (
	"context"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// Candidate is the policy file at the head of a repository's default branch, as it would be
// put in force.
type Candidate struct {
	File    gate.PolicyFile
	Streams []policy.Explained // what each stream would come to; nil where Fault is set
	// Fault is why the file cannot be put in force; nil where it can.
	Fault error
}

// Candidate reads the policy file that [Gate.Adopt] would put in force now. Errors: those of
// Forge.PolicyFile; CodeForgeUnknown.
func (g *Gate) Candidate(ctx context.Context, r gate.RepositoryID) (Candidate, error) {
	port, err := g.port(r.Forge)
	if err != nil {
		return Candidate{}, err
	}
	file, err := port.PolicyFile(ctx, r)
	if err != nil {
		return Candidate{}, withMinimal(err, port.Kind)
	}
	c := Candidate{File: file}
	_, c.Streams, c.Fault = policy.Explain(file.Content, g.origin(port.Kind, file))
	return c, nil
}

// Explain says what each stream of an adopted policy comes to, under the floors of now, and
// which line of the file or which floor says so. Errors: those of [policy.Parse], where a
// floor of now does not let the file be.
func (g *Gate) Explain(a gate.Adoption) ([]policy.Explained, error) {
	port, err := g.port(a.Repository.Forge)
	if err != nil {
		return nil, err
	}
	_, streams, err := policy.Explain(a.File, g.adoptedOrigin(port.Kind, a))
	return streams, err
}
