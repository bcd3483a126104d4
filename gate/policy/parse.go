package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// Origin is where a policy file comes from, and what its defaults need to know.
type Origin struct {
	Repository gate.RepositoryID
	Commit     string
	Path       string
	// DefaultBranch is the repository's, by its short name.
	DefaultBranch string
	Kind          gate.ForgeKind
	// Keys are the lineages bound to the repository.
	Keys []string
	// OwnerIsUser is true where a person's account owns the repository: it has no teams.
	OwnerIsUser bool
	// Witnesses is how many cosign the server's ledger; MaxWitnesses where that is not known.
	Witnesses int
	// Floors are what the operator asks of this repository, whatever its file says.
	Floors []Floor
}

// maxStreams is how many releases: entries a file may have.
const maxStreams = 50

// Parse reads a policy file and holds it to the origin's floors. The policy it returns has
// no baseline: that is the adoption's. Its sources are the floors, by name, and then the
// file. Errors are *gate.Error, Invalid with CodePolicyInvalid; their text shows the
// line with a caret under the fault.
func Parse(file []byte, where Origin) (gate.Policy, error) {
	p, _, err := read(file, where)
	return p, err
}

// made is how a policy came about: the file's own entries, and what floors raised in each.
type made struct {
	entries []ast.Node
	raised  []raised
}

func read(file []byte, where Origin) (gate.Policy, made, error) {
	path := where.Path
	if path == "" {
		path = Path
	}
	s, body, err := open(path, file, Minimal(where.Kind))
	if err != nil {
		return gate.Policy{}, made{}, err
	}
	r := &reader{source: s}
	p, m := r.policy(body, where)
	if r.err != nil {
		return gate.Policy{}, made{}, r.err
	}
	for _, f := range where.Floors {
		p.Sources = append(p.Sources, gate.PolicySource{Source: floorSource + f.Name, SHA256: f.digest})
	}
	slices.SortFunc(p.Sources, func(a, b gate.PolicySource) int { return strings.Compare(a.Source, b.Source) })
	p.Sources = append(p.Sources, gate.PolicySource{
		Source: where.Repository.String() + "/" + path, Commit: where.Commit, SHA256: gate.SHA256(file),
	})
	if p.Digest, err = canonical.PolicyDigest(p.Sources); err != nil {
		return gate.Policy{}, made{}, fmt.Errorf("digest of policy %s/%s: %w", where.Repository, path, err)
	}
	return p, m, nil
}

func (r *reader) policy(body ast.Node, where Origin) (gate.Policy, made) {
	top := r.fields("the file", body, laterInFile(), "version", "mode", "releases", "chatops")
	p := gate.Policy{Mode: gate.Enforce}
	r.version(top, body)
	if mode, ok := top["mode"]; ok {
		p.Mode = gate.Mode(r.word("mode", mode.value, string(gate.Enforce), string(gate.Audit)))
	}
	if chat, ok := top["chatops"]; ok {
		p.Aliases = r.chatops(chat)
	}
	releases, ok := top["releases"]
	if !ok {
		r.bad(body, "the file has no releases", "a list of releases", "nothing", "add them:\n"+strings.TrimSpace(Minimal(where.Kind)))
		return p, made{}
	}
	m := made{}
	entries := r.list(releases)
	if len(entries) > maxStreams {
		r.bad(entries[maxStreams], "too many releases", fmt.Sprintf("at most %d", maxStreams), fmt.Sprint(len(entries)), "merge some: one entry may have many patterns")
	}
	for _, n := range entries {
		stream := r.stream(n, where)
		by := r.hold(&stream, n, where)
		if r.err != nil {
			return p, m
		}
		if _, twice := p.StreamByName(stream.Name); twice {
			r.bad(n, "a second release is named "+quoted(stream.Name), "names that differ", quoted(stream.Name),
				"give each its own name; without one it is called "+defaultName)
			return p, m
		}
		p.Streams, m.entries, m.raised = append(p.Streams, stream), append(m.entries, n), append(m.raised, by)
	}
	return p, m
}
