package gitlabtest

import (
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

const zeroSHA = "0000000000000000000000000000000000000000"

// tagObject is an annotated tag.
type tagObject struct {
	sha     string // of the tag object itself
	message string
	tagger  *account
	when    time.Time
}

// refUpdate is one line of a push; an empty sha removes the ref.
type refUpdate struct{ ref, sha string }

// Commit makes a commit. The project shows it once a ref or merge request reaches it.
func (s *Server) Commit(r forgetest.Repository, spec forgetest.CommitSpec) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	if len(spec.Parents) == 0 {
		spec.Parents = []string{p.refs["refs/heads/"+p.defaultBranch]}
	}
	if spec.When.IsZero() {
		spec.When = s.tick()
	}
	return s.graph.Add(spec, false).SHA
}

// Push creates or moves ref. Protection is the forge's to report, not enforced
// here: a test that pushes past it plays somebody who was allowed to.
func (s *Server) Push(r forgetest.Repository, by forgetest.Person, ref, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.push(s.project(r), s.account(by), []refUpdate{{ref: ref, sha: sha}}, nil)
}

// PushRefs creates or moves several refs in one push. More than three branches,
// or tags, send no hooks.
func (s *Server) PushRefs(r forgetest.Repository, by forgetest.Person, refs map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var updates []refUpdate
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		updates = append(updates, refUpdate{ref: ref, sha: refs[ref]})
	}
	s.push(s.project(r), s.account(by), updates, nil)
}

// PushTag creates an annotated tag as by and returns the SHA of the tag object.
func (s *Server) PushTag(r forgetest.Repository, by forgetest.Person, name, sha, message string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tagger := s.account(by)
	tag := &tagObject{message: message, tagger: tagger, when: s.tick()}
	sum := sha1.Sum(fmt.Appendf(nil, "tag %s %s %s %d %s", sha, name, tagger.email, tag.when.UnixNano(), message)) //nolint:gosec // as above
	tag.sha = hex.EncodeToString(sum[:])
	ref := "refs/tags/" + name
	s.push(s.project(r), tagger, []refUpdate{{ref: ref, sha: sha}}, map[string]*tagObject{ref: tag})
	return tag.sha
}

// DeleteRef removes ref.
func (s *Server) DeleteRef(r forgetest.Repository, by forgetest.Person, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	if p.refs[ref] == "" {
		panic(fmt.Sprintf("delete %q: expected a ref of %s", ref, r.FullName))
	}
	s.push(p, s.account(by), []refUpdate{{ref: ref}}, nil)
}

// Head is the commit at ref, or "".
func (s *Server) Head(r forgetest.Repository, ref string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.project(r).refs[ref]
}

// adopt makes a commit and its history visible in p.
func (s *Server) adopt(p *project, sha string) { maps.Copy(p.objects, s.graph.Reachable(sha)) }

func (s *Server) push(p *project, by *account, updates []refUpdate, annotated map[string]*tagObject) {
	perKind := map[string]int{}
	for _, u := range updates {
		perKind[refType(u.ref)]++
	}
	s.recordBulk(p, by, perKind)
	for _, u := range updates {
		old := p.refs[u.ref]
		s.setRef(p, u, annotated[u.ref])
		quiet := perKind[refType(u.ref)] > s.opts.MaxWebhookRefs
		if !quiet {
			s.recordPush(p, by, u, old)
			s.sendPush(p, by, u, old)
		}
		if name, ok := strings.CutPrefix(u.ref, "refs/heads/"); ok {
			s.refreshMergeRequests(p, by, name, old, u.sha)
		}
	}
}

func (s *Server) setRef(p *project, u refUpdate, tag *tagObject) {
	if refType(u.ref) == "" {
		panic(fmt.Sprintf("push %q: expected refs/heads/… or refs/tags/…", u.ref))
	}
	delete(p.tags, u.ref)
	if u.sha == "" {
		delete(p.refs, u.ref)
		return
	}
	if s.graph.Get(u.sha) == nil {
		panic(fmt.Sprintf("push %s to %s: expected a commit made by Commit", u.sha, u.ref))
	}
	p.refs[u.ref] = u.sha
	s.adopt(p, u.sha)
	if tag != nil {
		p.tags[u.ref] = tag
	}
}

func refType(ref string) string {
	switch {
	case strings.HasPrefix(ref, "refs/heads/"):
		return "branch"
	case strings.HasPrefix(ref, "refs/tags/"):
		return "tag"
	}
	return ""
}

func shortRef(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
}

// resolve finds a commit as Repository#commit does: by SHA (at least 7 digits),
// full ref, tag or branch, in that order (source: gitaly FindCommit, git rev-parse).
func (s *Server) resolve(p *project, revision string) *forgetest.Commit {
	if p.objects[revision] {
		return s.graph.Get(revision)
	}
	for _, ref := range []string{revision, "refs/tags/" + revision, "refs/heads/" + revision} {
		if sha, ok := p.refs[ref]; ok {
			return s.graph.Get(sha)
		}
	}
	for _, tag := range p.tags {
		if tag.sha == revision {
			for ref, other := range p.tags {
				if other == tag {
					return s.graph.Get(p.refs[ref])
				}
			}
		}
	}
	if len(revision) < 7 || strings.Trim(revision, "0123456789abcdef") != "" {
		return nil
	}
	for sha := range p.objects {
		if strings.HasPrefix(sha, revision) {
			return s.graph.Get(sha)
		}
	}
	return nil
}

// refsOfType lists full refs of a kind, sorted.
func (p *project) refsOfType(kind string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(p.refs)), func(ref string) bool { return refType(ref) != kind })
}
