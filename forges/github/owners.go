package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// ownersPaths are where GitHub looks for the code owners' file, the first found counts
// (docs, "About code owners").
func ownersPaths() []string { return []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} }

// owners reads the code owners' file as of the release before: what the change set itself
// makes of it has no say (attack 77). A commit's files never change, so that each is read
// once.
func (rd *reading) owners(ctx context.Context) gate.Fact[gate.OwnersFile] {
	commit := rd.firstSince()
	switch {
	case !rd.needs.Owners:
		return gate.Unknown[gate.OwnersFile]("the policy asks for no code owners")
	case !isSHA(commit):
		return gate.Unknown[gate.OwnersFile]("neither an earlier release nor a baseline is known")
	}
	key := fileKey{rd.facts.ID.ID, commit}
	if kept, has := rd.forge.memory.ownersOf(key); has {
		return kept
	}
	found, err := rd.readOwners(ctx, commit)
	if err != nil {
		return gate.Unknown[gate.OwnersFile](fmt.Sprintf("the code owners as of %s: %s", gate.ShortCommit(commit), why(err)))
	}
	keep(rd.forge.memory, rd.forge.memory.owners, maxOwners, key, found)
	return found
}

func (rd *reading) readOwners(ctx context.Context, commit string) (gate.Fact[gate.OwnersFile], error) {
	var text strings.Builder
	text.WriteString("query Owners($owner: String!, $name: String!, $oid: GitObjectID!) {\n  repository(owner: $owner, name: $name) {\n    databaseId\n")
	for i, path := range ownersPaths() {
		fmt.Fprintf(&text, "    o%d: object(oid: $oid) { ... on Commit { oid file(path: %q) { ...F } } }\n", i, path)
	}
	text.WriteString("  }\n}\n" + fileFields)
	none := gate.Unknown[gate.OwnersFile]("")
	answer, err := rd.ask(ctx, text.String(), map[string]any{"oid": commit})
	if err != nil {
		return none, err
	}
	for i, path := range ownersPaths() {
		n, err := decodeNode[fileNode](answer[fmt.Sprintf("o%d", i)])
		if err != nil || n.OID != commit {
			return none, fmt.Errorf("GraphQL answered for another commit, or in part")
		}
		if n.File == nil {
			continue
		}
		content := n.File.content()
		if content == nil {
			if content, err = rd.file(ctx, path, commit); err != nil {
				return none, err
			}
		}
		return gate.Known(gate.OwnersFile{Path: path, Commit: commit, Content: content}), nil
	}
	return gate.Absent[gate.OwnersFile]("there is no CODEOWNERS as of " + gate.ShortCommit(commit)), nil
}
