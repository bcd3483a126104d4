package github

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// entryNode is GraphQL's type TreeEntry with its Blob, in part.
type entryNode struct {
	Mode   int    `json:"mode"`
	OID    string `json:"oid"` // where it was asked for
	Path   string `json:"path"`
	Object *struct {
		OID       string  `json:"oid"`
		ByteSize  int     `json:"byteSize"`
		Truncated *bool   `json:"isTruncated"`
		Text      *string `json:"text"`
	} `json:"object"`
}

const policyQuery = `query Policy($owner: String!, $name: String!, $path: String!) {
  repository(owner: $owner, name: $name) {
    ` + repositoryFields + `
    defaultBranchRef { name target { oid ... on Commit {
      file(path: $path) { mode path object { ... on Blob { oid byteSize isTruncated text } } }
    } } }
  }
}`

// policy reads the repository, its default branch's head and the policy file there in one
// query. The content is nil where GraphQL does not give the very bytes of a regular
// file: REST then has to say why.
func (r *repository) policy(ctx context.Context) (gate.PolicyFile, error) {
	var answer struct {
		Repository json.RawMessage `json:"repository"`
	}
	vars := map[string]any{"owner": r.owner, "name": r.name, "path": policyPath}
	if err := r.query(ctx, policyQuery, vars, &answer); err != nil {
		return gate.PolicyFile{}, err
	}
	var n repositoryNode
	if err := json.Unmarshal(answer.Repository, &n); err != nil {
		return gate.PolicyFile{}, fmt.Errorf("read repository %s: GraphQL answered otherwise than its schema says: %w", r.facts.ID, err)
	}
	facts, err := r.forge.factsOf(n, r.facts.ID)
	if err != nil {
		return gate.PolicyFile{}, err
	}
	target := n.DefaultBranchRef.Target
	if target == nil || !isSHA(target.OID) {
		return gate.PolicyFile{}, fmt.Errorf("repository %s: GraphQL does not say what %s points to", r.facts.ID, facts.DefaultBranch)
	}
	out := gate.PolicyFile{Repository: facts, Commit: target.OID, Path: policyPath}
	if target.File != nil && target.File.Path == policyPath {
		out.Content = target.File.content()
	}
	return out, nil
}

// The modes of regular files in git's trees.
const (
	regularMode    = 0o100644
	executableMode = 0o100755
)

// content is the blob's text where its bytes hash to the blob's own name: GraphQL gives
// text, and may have changed its encoding.
func (e *entryNode) content() []byte {
	o := e.Object
	if e.Mode != regularMode && e.Mode != executableMode || o == nil || o.Text == nil || o.Truncated == nil || *o.Truncated || o.ByteSize != len(*o.Text) {
		return nil
	}
	sum := sha1.New() //nolint:gosec // as above
	if len(o.OID) == hex.EncodedLen(sha256.Size) {
		sum = sha256.New()
	}
	_, _ = fmt.Fprintf(sum, "blob %d\x00%s", len(*o.Text), *o.Text) // a hash takes everything
	if hex.EncodeToString(sum.Sum(nil)) != o.OID {
		return nil
	}
	return []byte(*o.Text)
}
