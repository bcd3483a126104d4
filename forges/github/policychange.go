package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/countersign/countersign/gate"
)

const changeQuery = `query Change($owner: String!, $name: String!, $number: Int!, $path: String!) {
  repository(owner: $owner, name: $name) {
    databaseId
    pull: pullRequest(number: $number) {
      number state isCrossRepository headRefOid baseRefOid
      baseRef { target { oid ... on Commit { file(path: $path) { ...F } } } }
      commits(last: 1) { nodes { commit { oid file(path: $path) { ...F } } } }
    }
  }
}
` + fileFields

// changeNode is GraphQL's type PullRequest as far as the policy file goes.
type changeNode struct {
	Number     int64  `json:"number"`
	State      string `json:"state"`
	Cross      *bool  `json:"isCrossRepository"`
	HeadRefOID string `json:"headRefOid"`
	BaseRefOID string `json:"baseRefOid"`
	// BaseRef is nil where the branch is gone.
	BaseRef *struct {
		Target *fileNode `json:"target"`
	} `json:"baseRef"`
	Commits *struct {
		Nodes []struct {
			Commit fileNode `json:"commit"`
		} `json:"nodes"`
	} `json:"commits"`
}

// fileNode is a commit with one file of it, nil where it has none.
type fileNode struct {
	OID  string     `json:"oid"`
	File *entryNode `json:"file"`
}

// blob names the file's content and mode, "" where there is no file.
func (n fileNode) blob() string {
	if n.File == nil {
		return ""
	}
	return fmt.Sprintf("%o %s", n.File.Mode, n.File.OID)
}

// PolicyChange reads a pull request and the policy file at its head. The request touches
// the file where its head has another than the commit at which it left its base: what
// the base did to the file meanwhile is none of its doing. Errors: NotFound where there is
// no such pull request, Unavailable where it cannot be read now.
func (f *Forge) PolicyChange(ctx context.Context, id gate.RepositoryID, number int64) (gate.PolicyChange, error) {
	op := fmt.Sprintf("read #%d of %s", number, id)
	var out gate.PolicyChange
	err := f.with(ctx, id, "", func(r *repository) (err error) {
		out, err = r.policyChange(ctx, number)
		return err
	})
	if err != nil {
		return gate.PolicyChange{}, workError(op, id, err)
	}
	return out, nil
}

func (r *repository) policyChange(ctx context.Context, number int64) (gate.PolicyChange, error) {
	n, err := r.changeNode(ctx, number)
	if err != nil {
		return gate.PolicyChange{}, err
	}
	head := n.Commits.Nodes[0].Commit
	if head.OID != n.HeadRefOID { // GitHub lists commits by their dates
		if head, err = r.fileAt(ctx, policyPath, n.HeadRefOID); err != nil {
			return gate.PolicyChange{}, err
		}
	}
	out := gate.PolicyChange{Number: number, Head: head.OID, Fork: *n.Cross, Open: n.State == "OPEN"}
	if out.Touches, err = r.touchesPolicy(ctx, n, head); err != nil || !out.Touches {
		return out, err
	}
	switch {
	case head.File == nil:
		out.Deleted = true
	case head.File.content() != nil:
		out.Content = head.File.content()
	case head.File.Mode == regularMode || head.File.Mode == executableMode:
		out.Content, err = r.file(ctx, policyPath, head.OID)
	default:
		out.Content = []byte{} // a link or a folder: nothing that is a policy
	}
	return out, err
}

// changeNode asks GraphQL, and REST where GraphQL has errors: only REST's 404 says that
// there is no such pull request.
func (r *repository) changeNode(ctx context.Context, number int64) (*changeNode, error) {
	answer, err := r.ask(ctx, changeQuery, map[string]any{"number": number, "path": policyPath})
	if answered(err) {
		var raw pullJSON
		if restErr := r.get(ctx, &raw, nil, r.at("pulls", strconv.FormatInt(number, 10))...); restErr != nil {
			return nil, restErr
		}
	}
	if err != nil {
		return nil, err
	}
	var n *changeNode
	if err := json.Unmarshal(answer["pull"], &n); err != nil {
		return nil, fmt.Errorf("GraphQL answered otherwise than its schema says: %w", err)
	}
	if n == nil || n.Number != number || n.Cross == nil || n.Commits == nil || len(n.Commits.Nodes) != 1 || !isSHA(n.HeadRefOID) || !isSHA(n.BaseRefOID) {
		return nil, errors.New("GraphQL answered for another pull request, or in part")
	}
	return n, nil
}

// touchesPolicy asks for the merge base only where head and base differ in the file.
func (r *repository) touchesPolicy(ctx context.Context, n *changeNode, head fileNode) (bool, error) {
	base := n.BaseRefOID
	if n.BaseRef != nil && n.BaseRef.Target != nil {
		if n.BaseRef.Target.blob() == head.blob() {
			return false, nil
		}
		base = n.BaseRef.Target.OID
	}
	if !isSHA(base) {
		return false, fmt.Errorf("the base of #%d: GraphQL answered %q", n.Number, base)
	}
	var compared struct {
		MergeBase struct {
			SHA string `json:"sha"`
		} `json:"merge_base_commit"`
	}
	if err := r.get(ctx, &compared, url.Values{"per_page": {"1"}}, r.at("compare", base+"..."+head.OID)...); err != nil {
		if isNotFound(err) {
			return true, nil // no common ancestor: whatever it has is of its own making
		}
		return false, err
	}
	if !isSHA(compared.MergeBase.SHA) {
		return false, errors.New("GitHub names no merge base")
	}
	from, err := r.fileAt(ctx, policyPath, compared.MergeBase.SHA)
	return from.blob() != head.blob(), err
}

// fileFields asks for an entryNode.
const fileFields = `fragment F on TreeEntry { mode path oid object { ... on Blob { oid byteSize isTruncated text } } }`

const fileQuery = `query File($owner: String!, $name: String!, $oid: GitObjectID!, $path: String!) {
  repository(owner: $owner, name: $name) {
    databaseId
    head: object(oid: $oid) { ... on Commit { oid file(path: $path) { ...F } } }
  }
}
` + fileFields

// fileAt reads one file of one commit.
func (r *repository) fileAt(ctx context.Context, path, commit string) (fileNode, error) {
	answer, err := r.ask(ctx, fileQuery, map[string]any{"oid": commit, "path": path})
	if err != nil {
		return fileNode{}, err
	}
	n, err := decodeNode[fileNode](answer["head"])
	if err != nil || n.OID != commit {
		return fileNode{}, fmt.Errorf("read %s at %s: GraphQL answered for another commit, or in part", path, gate.ShortCommit(commit))
	}
	return *n, nil
}
