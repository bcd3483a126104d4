package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// commit is one commit (source: lib/api/entities/commit.rb).
type commit struct {
	ID             string   `json:"id"`
	ParentIDs      []string `json:"parent_ids"`
	Title          string   `json:"title"`
	Message        string   `json:"message"`
	AuthorName     string   `json:"author_name"`
	AuthorEmail    string   `json:"author_email"`
	CommitterName  string   `json:"committer_name"`
	CommitterEmail string   `json:"committer_email"`
}

// isSHA keeps everything else out of revisions: "main", "HEAD~2", "a..b".
func isSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

func (c commit) title() string {
	line, _, _ := strings.Cut(c.Message, "\n")
	if line == "" {
		return c.Title
	}
	return line
}

// byOneHand reports whether author and committer are the same address.
func (c commit) byOneHand() bool { return strings.EqualFold(c.AuthorEmail, c.CommitterEmail) }

func (s *session) readCommit(ctx context.Context, sha string) (commit, error) {
	if !isSHA(sha) {
		return commit{}, fmt.Errorf("commit %q, expected 40 or 64 hex digits: %w", sha, errUnexpected)
	}
	if c, ok := s.memory.commits.get(revision{s.repo.ID, sha}); ok {
		return c, nil
	}
	c, err := fetch[commit](ctx, s, s.path("/repository/commits/%s", sha), url.Values{"stats": {"false"}})
	if err != nil {
		return commit{}, fmt.Errorf("read commit %s: %w", sha, err)
	}
	if err := c.check(sha); err != nil {
		return commit{}, err
	}
	s.memory.commits.put(revision{s.repo.ID, sha}, c, maxRemembered)
	return c, nil
}

func (c commit) check(sha string) error {
	if c.ID != sha || !isSHA(c.ID) {
		return fmt.Errorf("commit %s: answer is of %q: %w", sha, c.ID, errUnexpected)
	}
	for _, p := range c.ParentIDs {
		if !isSHA(p) {
			return fmt.Errorf("commit %s: parent %q: %w", sha, p, errUnexpected)
		}
	}
	return nil
}

// isAncestor asks GitLab whether a is reachable from b, or is b.
func (s *session) isAncestor(ctx context.Context, a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	key := span{s.repo.ID, a, b}
	if is, ok := s.memory.ancestors.get(key); ok {
		return is, nil
	}
	base, err := fetch[commit](ctx, s, s.path("/repository/merge_base"), url.Values{"refs[]": {a, b}})
	if isNotFound(err) {
		return false, nil // API docs: 404 where there is no common ancestor
	}
	if err != nil {
		return false, fmt.Errorf("find the merge base of %s and %s: %w", a, b, err)
	}
	if isSHA(base.ID) {
		s.memory.ancestors.put(key, base.ID == a, maxRemembered)
	}
	return base.ID == a, nil
}
