package gitlabtest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// topOf is a commit's top directory. An entry's sha is its own, made from what it holds
// (source: app/graphql/types/tree/entry_type.rb, sha is the entry's id). The double has
// no submodules.
func topOf(commit *forgetest.Commit) map[string]func(map[string]any) any {
	blobs, trees := []*record{}, []*record{}
	if commit == nil {
		return map[string]func(map[string]any) any{}
	}
	inside := map[string]*strings.Builder{}
	for _, path := range slices.Sorted(maps.Keys(commit.Tree)) {
		name, rest, deep := strings.Cut(path, "/")
		if !deep {
			blobs = append(blobs, entryRecord("Blob", name, commit.Tree[path]))
			continue
		}
		if inside[name] == nil {
			inside[name] = &strings.Builder{}
		}
		fmt.Fprintf(inside[name], "%q %q\n", rest, commit.Tree[path])
	}
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		trees = append(trees, entryRecord("TreeEntry", name, []byte(inside[name].String())))
	}
	page := func(typ string, rows []*record) func(map[string]any) any {
		return func(args map[string]any) any { return connection(typ, rows, args, nil) }
	}
	return map[string]func(map[string]any) any{
		"blobs": page("BlobConnection", blobs), "trees": page("TreeEntryConnection", trees),
		"submodules": page("SubmoduleConnection", []*record{}),
	}
}

func entryRecord(typ, name string, content []byte) *record {
	sum := sha1.Sum([]byte(fmt.Sprintf("%s %d\x00%s", typ, len(content), content))) //nolint:gosec // git names objects so
	sha := hex.EncodeToString(sum[:])
	return &record{typ: typ, fields: map[string]func(map[string]any) any{
		"id": is("gid://gitlab/" + typ + "/" + sha), "name": is(name), "path": is(name), "sha": is(sha), "mode": is("100644"),
	}}
}
