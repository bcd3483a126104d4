package githubtest

import (
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

const noSHA = "0000000000000000000000000000000000000000"

// tagObject is an annotated tag.
type tagObject struct {
	sha, name, message, target string
	tagger                     forgetest.Person
	when                       time.Time
}

// Push creates or moves ref to sha as by. Rules do not stop it: tests stage attacks.
func (s *Server) Push(repo forgetest.Repository, by forgetest.Person, ref, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	if !strings.HasPrefix(ref, "refs/") || r.net.graph.Get(r.peel(sha)) == nil {
		panic(fmt.Sprintf("push %q to %q of %q: expected a full ref and a commit of the repository", sha, ref, repo.FullName))
	}
	s.move(r, s.who(by), ref, sha, "")
}

// PushAnnotatedTag makes a tag object over a commit, pushes it as by and returns its SHA.
func (s *Server) PushAnnotatedTag(repo forgetest.Repository, by forgetest.Person, name, sha, message string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	tag := &tagObject{name: name, message: message, target: sha, tagger: by, when: s.now()}
	sum := sha1.Sum(fmt.Appendln(nil, "tag", name, sha, message, by.Email, tag.when)) //nolint:gosec // as above
	tag.sha = hex.EncodeToString(sum[:])
	r.net.tags[tag.sha] = tag
	s.move(r, s.who(by), "refs/tags/"+name, tag.sha, "")
	return tag.sha
}

// DeleteRef removes ref as by.
func (s *Server) DeleteRef(repo forgetest.Repository, by forgetest.Person, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	before, has := r.refs[ref]
	if !has {
		panic(fmt.Sprintf("delete %q of %q: expected a ref that exists", ref, repo.FullName))
	}
	delete(r.refs, ref)
	who := s.who(by)
	s.record(r, "branch_deletion", ref, before, noSHA, who)
	kind, short := refKind(ref)
	s.emit(r, "delete", "", who, obj{"ref": short, "ref_type": kind, "pusher_type": "user"})
	s.emitPush(r, who, ref, before, noSHA, false)
	s.closePullsOf(r, ref, who)
}

// move sets ref, records the activity, sends push (and create), and carries open
// pull requests along. An activity kind may be given for the forge's own merges.
func (s *Server) move(r *repository, who *account, ref, sha, kind string) {
	before, existed := r.refs[ref]
	if existed && before == sha {
		return
	}
	forced := existed && !r.net.graph.IsAncestor(r.peel(before), r.peel(sha))
	switch {
	case kind != "":
	case !existed:
		kind, before = "branch_creation", noSHA
	case forced:
		kind = "force_push"
	default:
		kind = "push"
	}
	r.refs[ref] = sha
	s.record(r, kind, ref, before, r.peel(sha), who)
	if !existed {
		what, short := refKind(ref)
		s.emit(r, "create", "", who, obj{
			"ref": short, "ref_type": what, "master_branch": r.branch, "description": nil, "pusher_type": "user",
		})
	}
	s.emitPush(r, who, ref, before, sha, forced)
	if kind != "pr_merge" {
		s.synchronizePulls(r, who, ref, before, sha)
		s.mergeIndirectly(r, who, ref)
	}
}

// refKind splits a full ref for payloads: "branch" or "tag", and the short name.
func refKind(ref string) (kind, short string) {
	if name, is := strings.CutPrefix(ref, "refs/tags/"); is {
		return "tag", name
	}
	return "branch", strings.TrimPrefix(ref, "refs/heads/")
}

func (s *Server) emitPush(r *repository, who *account, ref, before, after string, forced bool) {
	commits := []obj{}
	var head any
	if after != noSHA {
		base := before
		if base == noSHA {
			base = r.head("refs/heads/" + r.branch)
		}
		for _, c := range r.net.graph.Between(r.peel(base), r.peel(after)) {
			commits = append(commits, s.pushCommit(r, c))
		}
		head = s.pushCommit(r, r.net.graph.Get(r.peel(after)))
	}
	s.emit(r, "push", "", who, obj{
		"ref": ref, "before": before, "after": after, "created": before == noSHA, "deleted": after == noSHA,
		"forced": forced, "base_ref": nil, "compare": s.repoWeb(r, "/compare/%s...%s", before, after),
		"commits": commits, "head_commit": head, "pusher": obj{"name": who.login, "email": s.person(who).Email},
	})
}

// pushCommit is a commit in a push payload (npm @octokit/webhooks-examples, push).
func (s *Server) pushCommit(r *repository, c *forgetest.Commit) obj {
	user := func(p forgetest.Person) obj {
		out := obj{"name": gitName(p), "email": p.Email}
		if a := s.byEmail(p.Email); a != nil {
			out["username"] = a.login
		}
		return out
	}
	from := ""
	if len(c.Parents) > 0 {
		from = c.Parents[0]
	}
	return obj{
		"id": c.SHA, "tree_id": treeSHA(c.SHA), "distinct": true, "message": c.Message, "timestamp": stamp(c.When),
		"url": s.repoWeb(r, "/commit/%s", c.SHA), "author": user(c.Author), "committer": user(c.Committer),
		"added": []string{}, "removed": []string{}, "modified": r.net.graph.Changed(from, c.SHA),
	}
}

// getRef is GET git/ref/{ref} with ref as heads/NAME, tags/NAME or pull/N/head.
func getRef(c *call) reply {
	ref := "refs/" + strings.TrimPrefix(c.params["ref"], "refs/")
	sha, has := c.repo.refs[ref]
	if !has {
		return notFound()
	}
	kind, at := "commit", "/git/commits/%s"
	if c.repo.net.tags[sha] != nil {
		kind, at = "tag", "/git/tags/%s"
	}
	return ok(obj{
		"ref": ref, "node_id": nodeID("REF", c.repo.id) + ref, "url": c.repoAPI(c.repo, "/git/%s", ref),
		"object": obj{"sha": sha, "type": kind, "url": c.repoAPI(c.repo, at, sha)},
	})
}

// getTag is `components.schemas.git-tag`: annotated tags only.
func getTag(c *call) reply {
	tag := c.repo.net.tags[c.params["tag_sha"]]
	if tag == nil {
		return notFound()
	}
	return ok(obj{
		"node_id": "TA_kwDO" + tag.sha, "tag": tag.name, "sha": tag.sha, "message": tag.message,
		"url":    c.repoAPI(c.repo, "/git/tags/%s", tag.sha),
		"tagger": obj{"name": gitName(tag.tagger), "email": tag.tagger.Email, "date": stamp(tag.when)},
		"object": obj{"sha": tag.target, "type": "commit", "url": c.repoAPI(c.repo, "/git/commits/%s", tag.target)},
		"verification": obj{
			"verified": false, "reason": "unsigned", "payload": nil, "signature": nil, "verified_at": nil,
		},
	})
}
