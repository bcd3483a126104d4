package policy

import (
	"fmt"
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
	// Floors are what the operator asks of this repository, whatever its file says.
	Floors []Floor
}

// maxStreams is how many releases: entries a file may have.
const maxStreams = 50

// Parse reads a policy file. The policy it returns has no baseline: that is the
// adoption's. Errors are *gate.Error, Invalid with CodePolicyInvalid; their text
// shows the line with a caret under the fault.
func Parse(file []byte, where Origin) (gate.Policy, error) {
	path := where.Path
	if path == "" {
		path = Path
	}
	s, body, err := open(path, file)
	if err != nil {
		return gate.Policy{}, err
	}
	r := &reader{source: s}
	p := r.policy(body, where)
	if r.err != nil {
		return gate.Policy{}, r.err
	}
	p.Sources = []gate.PolicySource{{
		Source: where.Repository.String() + "/" + path, Commit: where.Commit, SHA256: gate.SHA256(file),
	}}
	if p.Digest, err = canonical.PolicyDigest(p.Sources); err != nil {
		return gate.Policy{}, fmt.Errorf("digest of policy %s: %w", p.Sources[0].Source, err)
	}
	return p, nil
}

func (r *reader) policy(body ast.Node, where Origin) gate.Policy {
	top := r.fields("the file", body, laterInFile(), "version", "mode", "releases", "chatops")
	p := gate.Policy{Mode: gate.Enforce}
	if v, ok := top["version"]; ok {
		r.number("version", v.value, Version, Version)
	} else if r.err == nil {
		r.bad(body, "the file has no version", "version: 1", "nothing", "put version: 1 on the first line")
	}
	if mode, ok := top["mode"]; ok {
		p.Mode = gate.Mode(r.word("mode", mode.value, string(gate.Enforce), string(gate.Audit)))
	}
	if chat, ok := top["chatops"]; ok {
		p.Aliases = r.chatops(chat)
	}
	releases, ok := top["releases"]
	if !ok {
		r.bad(body, "the file has no releases", "a list of releases", "nothing", "add them:\n"+strings.TrimSpace(Minimal(where.Kind)))
		return p
	}
	entries := r.list(releases)
	if len(entries) > maxStreams {
		r.bad(entries[maxStreams], "too many releases", fmt.Sprintf("at most %d", maxStreams), fmt.Sprint(len(entries)), "merge some: one entry may have many patterns")
	}
	for _, n := range entries {
		stream := r.stream(n, where)
		if r.err != nil {
			return p
		}
		if _, twice := p.StreamByName(stream.Name); twice {
			r.bad(n, "a second release is named "+quoted(stream.Name), "names that differ", quoted(stream.Name),
				"give each its own name; without one it is called "+defaultName)
			return p
		}
		p.Streams = append(p.Streams, stream)
	}
	return p
}
