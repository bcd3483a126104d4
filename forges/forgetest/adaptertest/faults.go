package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func faultRows() []row {
	return []row{
		{"the forge answers 500 (attack 70)", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 500}) }},
		{"the forge answers 403 (attack 70)", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 403}) }},
		{"the forge answers 429 (attack 71)", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 429}) }},
		{"the forge drops connections", func(s *stage) { s.blindUnder(forgetest.Fault{}) }},
		{"the forge answers half (attack 70)", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 200, Body: `{"id": 1`}) }},
		{"the forge answers nothing", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 200, Body: " "}) }},
		{"the forge answers null (attack 74)", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 200, Body: "null"}) }},
		{"the forge answers another shape", func(s *stage) { s.blindUnder(forgetest.Fault{Status: 200, Body: `{"message":"odd"}`}) }},
		{"the forge redirects (attack 73)", func(s *stage) {
			s.blindUnder(forgetest.Fault{Status: 301, Header: map[string]string{"Location": s.URL() + "/elsewhere"}})
		}},
		{"a fault that passes is over", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Merge(change, s.bo, forgetest.MergeCommit)
			restore := s.Fail(forgetest.Fault{Status: 500})
			unknown(s, "repository", s.evidence().Repository)
			restore()
			s.equal("number", s.onlyChange().Number, change.Number)
		}},
		{"a single fault is tried again", func(s *stage) {
			s.evidence() // credentials are there now
			defer s.Fail(forgetest.Fault{Status: 502, Times: 1, Method: "GET"})()
			value(s, "repository", s.evidence().Repository)
		}},
		{"a repository of another forge", func(s *stage) {
			r := s.request(main)
			r.Repository.Forge = "elsewhere"
			unknown(s, "repository", s.adapter.Evidence(s.t.Context(), r, s.needs()).Repository)
		}},
		{"no baseline makes no change set", func(s *stage) {
			needs := s.needs()
			needs.Since = nil
			unknown(s, "changes", s.adapter.Evidence(s.t.Context(), s.request(main), needs).Changes)
		}},
		{"a baseline that the forge does not have makes no change set", func(s *stage) {
			needs := s.needs()
			needs.Since = []string{"0123456789012345678901234567890123456789"}
			unknown(s, "changes", s.adapter.Evidence(s.t.Context(), s.request(main), needs).Changes)
		}},
	}
}

// blindUnder holds that under a fault nothing is known and nothing absent: neither
// before the adapter has a credential, nor once it has.
func (s *stage) blindUnder(f forgetest.Fault) {
	s.t.Helper()
	change, _ := s.open(s.ana, "topic", "Add topic")
	ref := s.say(change, s.bo, "/countersign approve")
	s.Merge(change, s.cy, forgetest.MergeCommit)
	s.Push(s.repo, s.ana, tag, s.Head(s.repo, main))
	needs := s.needs()
	needs.Comments, needs.Accounts, needs.Candidates = []gate.CommentRef{ref}, []gate.AccountID{id(s.bo)}, true
	read := func() gate.Evidence { return s.adapter.Evidence(s.t.Context(), s.request(tag), needs) }
	restore := s.Fail(f)
	s.blind(read(), ref)
	restore()
	value(s, "changes, with the fault gone", read().Changes)
	defer s.Fail(f)()
	s.blind(read(), ref)
	unknown(s, "comment by itself", s.adapter.Comment(s.t.Context(), ref))
}

func (s *stage) blind(e gate.Evidence, ref gate.CommentRef) {
	s.t.Helper()
	unknown(s, "repository", e.Repository)
	unknown(s, "ref", e.Ref)
	unknown(s, "commit", e.Commit)
	unknown(s, "branch", e.Branch)
	unknown(s, "tag protection", e.TagProtection)
	unknown(s, "changes", e.Changes)
	unknown(s, "candidates", e.Candidates)
	unknown(s, "comment", e.Comments[ref])
	unknown(s, "role", e.Roles[id(s.bo)])
	if e.ReadAt.IsZero() {
		s.t.Error("read at: expected a time even where nothing was read")
	}
}
