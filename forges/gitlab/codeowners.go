package gitlab

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/countersign/countersign/gate"
)

// blob is a file as of one commit (API docs: repository files).
type blob struct {
	Content  string `json:"content"`
	Encoding string `json:"encoding"`
	BlobID   string `json:"blob_id"`
	CommitID string `json:"commit_id"`
}

// readBlob reads a file as of a commit; ok is false where the commit has none.
func (s *session) readBlob(ctx context.Context, sha, path string) (content []byte, ok bool, err error) {
	if !isSHA(sha) {
		return nil, false, fmt.Errorf("commit %q, expected 40 or 64 hex digits: %w", sha, errUnexpected)
	}
	b, err := fetch[blob](ctx, s, s.path("/repository/files/%s", path), url.Values{"ref": {sha}})
	if isNotFound(err) { // the file, or the commit
		if _, err := s.readCommit(ctx, sha); err != nil {
			return nil, false, err
		}
		return nil, false, nil
	}
	if err == nil && (b.Encoding != "base64" || b.CommitID != sha) {
		err = errUnexpected
	}
	if err == nil {
		content, err = base64.StdEncoding.DecodeString(b.Content)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s at %s: %w", path, sha, err)
	}
	return content, true, nil
}

// readOwners is the code owners' file as of a commit: the first of the places where
// GitLab looks (docs: Code Owners, CODEOWNERS file: root, docs/, .gitlab/).
func (s *session) readOwners(ctx context.Context, since []string) gate.Fact[gate.OwnersFile] {
	if len(since) == 0 {
		return gate.Unknown[gate.OwnersFile](errNoBaseline.Error())
	}
	sha := since[0]
	if f, ok := s.memory.codeowners.get(revision{s.repo.ID, sha}); ok {
		return f
	}
	fact := gate.Absent[gate.OwnersFile]("there is no CODEOWNERS file at " + gate.ShortCommit(sha))
	for _, path := range []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"} {
		content, ok, err := s.readBlob(ctx, sha, path)
		if err != nil {
			return unknown[gate.OwnersFile](err)
		}
		if ok {
			fact = gate.Known(gate.OwnersFile{Path: path, Commit: sha, Content: content})
			break
		}
	}
	s.memory.codeowners.put(revision{s.repo.ID, sha}, fact, maxHistories)
	return fact
}
