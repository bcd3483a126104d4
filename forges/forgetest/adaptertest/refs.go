package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

const tag = "refs/tags/v1.0.0"

func refRows() []row { return append(tagRows(), holdingRows()...) }

func tagRows() []row {
	return []row{
		{"a tag points to its commit", func(s *stage) {
			sha := s.tagged()
			e := s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs())
			ref := value(s, "ref", e.Ref)
			s.equal("ref", ref.Ref, tag)
			s.equal("commit", ref.Commit, sha)
			s.equal("branch", value(s, "branch", e.Branch).Name, "main")
		}},
		{"a moved tag points elsewhere (attack 24)", func(s *stage) {
			s.tagged()
			r := s.request(tag)
			moved := s.commit(s.bo, "Something else")
			s.Push(s.repo, s.bo, main, moved)
			s.Push(s.repo, s.bo, tag, moved)
			ref := value(s, "ref", s.adapter.Evidence(s.t.Context(), r, s.needs()).Ref)
			s.equal("commit", ref.Commit, moved)
		}},
		{"a deleted tag is absent", func(s *stage) {
			s.tagged()
			r := s.request(tag)
			s.DeleteRef(s.repo, s.ana, tag)
			absent(s, "ref", s.adapter.Evidence(s.t.Context(), r, s.needs()).Ref)
		}},
		{"a branch of the tag's name is not the tag (attack 22)", func(s *stage) {
			s.tagged()
			r := s.request(tag)
			s.DeleteRef(s.repo, s.ana, tag)
			s.Push(s.repo, s.bo, "refs/heads/v1.0.0", s.commit(s.bo, "Confuse"))
			absent(s, "ref", s.adapter.Evidence(s.t.Context(), r, s.needs()).Ref)
		}},
		{"names that are no ref read nothing (attack 21)", func(s *stage) {
			for _, odd := range []string{"refs/tags/../heads/main", "refs/heads/main#x", "refs/heads/main%2f", "refs/heads/\x01", "refs/tags//v", "main"} {
				r := s.request(main)
				r.Ref = odd
				if f, ok := s.adapter.Evidence(s.t.Context(), r, s.needs()).Ref.Get(); ok {
					s.t.Errorf("ref %q: expected nothing, got %+v", odd, f)
				}
			}
		}},
	}
}

// holdingRows are about which branch holds the commit.
func holdingRows() []row {
	return []row{
		{"a tag off the branches is on none of them (attack 23)", func(s *stage) {
			off := s.commit(s.bo, "Never merged")
			s.Push(s.repo, s.bo, tag, off)
			absent(s, "branch", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).Branch)
		}},
		{"a commit behind the branch's head is on it", func(s *stage) {
			sha := s.tagged()
			s.Push(s.repo, s.bo, main, s.commit(s.bo, "Later"))
			e := s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs())
			s.equal("branch", value(s, "branch", e.Branch).Name, "main")
			s.equal("commit", value(s, "commit", e.Commit).SHA, sha)
		}},
		{"a hotfix branch holds what main does not", func(s *stage) {
			fix := s.commit(s.bo, "Hotfix")
			s.Push(s.repo, s.bo, "refs/heads/release/1.x", fix)
			s.Push(s.repo, s.bo, tag, fix)
			s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/release/1.x", Reviews: 1})
			b := value(s, "branch", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).Branch)
			s.equal("branch", b.Name, "release/1.x")
			value(s, "protection", b.Protection)
		}},
		{"of several branches that hold it, a protected one", func(s *stage) {
			s.tagged()
			s.Unprotect(s.repo, main)
			s.Push(s.repo, s.ana, "refs/heads/release/1.x", s.Head(s.repo, main))
			s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/release/1.x", Reviews: 1})
			b := value(s, "branch", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).Branch)
			s.equal("branch", b.Name, "release/1.x")
		}},
		{"a commit that the forge does not have is known nowhere", func(s *stage) {
			s.tagged()
			r := s.request(tag)
			r.Commit = "0123456789012345678901234567890123456789"
			e := s.adapter.Evidence(s.t.Context(), r, s.needs())
			for what, known := range map[string]bool{
				"commit": e.Commit.IsKnown(), "branch": e.Branch.IsKnown(), "changes": e.Changes.IsKnown(),
			} {
				s.equal(what+" known", known, false)
			}
		}},
	}
}

// tagged merges a change by ana into main and tags the result.
func (s *stage) tagged() string {
	s.t.Helper()
	change, _ := s.open(s.ana, "topic", "Add topic")
	s.Review(change, s.bo, forgetest.ReviewApprove)
	sha := s.Merge(change, s.bo, forgetest.MergeCommit)
	s.Push(s.repo, s.ana, tag, sha)
	return sha
}

func protectionRows() []row {
	return []row{
		{"a protected branch", func(s *stage) {
			p := s.protection()
			s.equal("ref", p.Ref, main)
			s.equal("force pushes", value(s, "force pushes", p.ForcePush), false)
			s.equal("deletion", value(s, "deletion", p.Deletion), false)
			if enforced, ok := p.AdminsEnforced.Get(); p.AdminsEnforced.IsUnknown() || ok && !enforced {
				s.t.Errorf("administrators: expected them bound, got %t: %s", enforced, p.AdminsEnforced.Why())
			}
			if len(p.Sources) == 0 {
				s.t.Error("sources: expected at least one")
			}
		}},
		{"reviews that the forge asks for", func(s *stage) {
			if n, ok := s.protection().Reviews.Get(); s.Name() == "github" || ok && n != 0 {
				s.equal("reviews", n, 1) // GitLab asks for approvals in its paid tiers only
			}
		}},
		{"an unprotected branch", func(s *stage) {
			s.Unprotect(s.repo, main)
			absent(s, "protection", value(s, "branch", s.evidence().Branch).Protection)
		}},
		{"force pushes allowed (attack 29)", func(s *stage) {
			s.Protect(s.repo, forgetest.Protection{Ref: main, Reviews: 1, AllowForcePush: true})
			s.equal("force pushes", value(s, "force pushes", s.protection().ForcePush), true)
		}},
		{"protection comes back after it was switched off", func(s *stage) {
			s.Unprotect(s.repo, main)
			absent(s, "protection", value(s, "branch", s.evidence().Branch).Protection)
			s.Protect(s.repo, forgetest.Protection{Ref: main, Reviews: 1})
			s.equal("force pushes", value(s, "force pushes", s.protection().ForcePush), false)
		}},
		{"no tag rule applies", func(s *stage) {
			s.tagged()
			absent(s, "tag protection", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).TagProtection)
		}},
		{"a tag rule applies", func(s *stage) {
			s.tagged()
			s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
			p := value(s, "tag protection", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).TagProtection)
			if len(p.Sources) == 0 {
				s.t.Error("sources: expected at least one")
			}
		}},
		{"a tag rule for other tags", func(s *stage) {
			s.tagged()
			s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/nightly-*"})
			absent(s, "tag protection", s.adapter.Evidence(s.t.Context(), s.request(tag), s.needs()).TagProtection)
		}},
		{"a branch has no tag protection", func(s *stage) {
			absent(s, "tag protection", s.evidence().TagProtection)
		}},
	}
}

func (s *stage) protection() gate.Protection {
	s.t.Helper()
	return value(s, "protection", value(s, "branch", s.evidence().Branch).Protection)
}
