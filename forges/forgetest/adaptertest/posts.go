package adaptertest

import (
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func postRows() []row {
	return []row{
		{"a status, posted twice, then ended", statusPost},
		{"a check run, on GitHub", checkPost},
		{"the sticky comment is edited in place", stickyPost},
		{"a reply comes once", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			p := s.post(gate.PostReply, "reply-1")
			p.Thread, p.Body = gate.Thread{Number: change.Number}, "approval ignored: ana authored it"
			first := s.posts(p)
			s.equal("second id", s.posts(p), first)
			s.equal("comments", len(s.Comments(change)), 1)
			p.Key, p.Body = "reply-2", "another"
			s.posts(p)
			s.equal("comments", len(s.Comments(change)), 2)
		}},
		{"a reaction comes once", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "/countersign approve")
			for _, r := range []string{"eyes", "eyes", "rocket", "confused"} {
				p := s.post(gate.PostReaction, "reaction")
				p.Comment, p.Reaction = s.ref(said), r
				s.posts(p)
			}
			got := s.Reactions(said)
			s.equal("reactions", len(got), 3)
			s.equal("has eyes", strings.Contains(strings.Join(got, " "), "eyes"), true)
		}},
		{"a reaction to a deleted comment is done", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "/countersign approve")
			s.DeleteComment(said, s.bo)
			p := s.post(gate.PostReaction, "reaction")
			p.Comment, p.Reaction = s.ref(said), "eyes"
			s.posts(p)
		}},
		{"the release issue is opened once per key", threadPost},
		{"a post while the forge is down is tried again", func(s *stage) {
			p := s.post(gate.PostStatus, "status")
			p.Context, p.State = "countersign/release", gate.PostPending
			defer s.Fail(forgetest.Fault{Status: 500})()
			_, err := s.adapter.Post(s.t.Context(), p)
			s.equal("kind", gate.KindOf(err), gate.Unavailable)
		}},
	}
}

func (s *stage) post(target gate.PostTarget, key string) gate.Post {
	return gate.Post{
		ID: "0192f0c1-7c00-7000-8000-000000000002", Request: "0192f0c1-7c00-7000-8000-000000000001", Repository: s.repository(),
		Target: target, Key: key, Commit: s.Head(s.repo, main), URL: "https://gate.example/releases/1",
	}
}

func (s *stage) posts(p gate.Post) string {
	s.t.Helper()
	made, err := s.adapter.Post(s.t.Context(), p)
	if err != nil {
		s.t.Fatalf("post %s: %v", p.Target, err)
	}
	return made
}

// statuses are those of one kind on main's head.
func (s *stage) statuses(kind string) []forgetest.Status {
	var out []forgetest.Status
	for _, st := range s.Statuses(s.repo, s.Head(s.repo, main)) {
		if st.Kind == kind {
			out = append(out, st)
		}
	}
	return out
}

func statusPost(s *stage) {
	p := s.post(gate.PostStatus, "status")
	p.Context, p.State, p.Title = "countersign/release", gate.PostPending, "waiting for "+strings.Repeat("somebody ", 30)
	s.posts(p)
	s.posts(p)
	got := s.statuses("status")
	if len(got) != 1 {
		s.t.Fatalf("statuses: got %v, want one", got)
	}
	s.equal("context", got[0].Context, "countersign/release")
	s.equal("state", got[0].State, "pending")
	s.equal("target", got[0].TargetURL, p.URL)
	if n := len([]rune(got[0].Description)); n == 0 || n > 140 {
		s.t.Errorf("description: got %d characters, want 1 to 140", n)
	}
	p.State, p.Title = gate.PostSuccess, "signed"
	s.posts(p)
	got = s.statuses("status")
	s.equal("statuses", len(got), 1)
	s.equal("state", got[0].State, "success")
	s.equal("description", got[0].Description, "signed")
	p.Context, p.State, p.Title = "countersign/other", gate.PostFailure, "denied"
	s.posts(p)
	s.equal("statuses", len(s.statuses("status")), 2)
}

func checkPost(s *stage) {
	p := s.post(gate.PostCheck, "check-1")
	p.Context, p.State, p.Title, p.Body = "countersign/release", gate.PostPending, "waiting", "Not yet covered: …"
	known := s.posts(p)
	if s.Name() != "github" {
		s.equal("check runs of a forge without them", len(s.statuses("check")), 0)
		return
	}
	s.equal("the same check run", s.posts(p), known)
	got := s.statuses("check")
	if len(got) != 1 {
		s.t.Fatalf("check runs: got %v, want one", got)
	}
	s.equal("state", got[0].State, "in_progress")
	p.State, p.Title, p.Known = gate.PostSuccess, "signed", known
	s.equal("the same check run", s.posts(p), known)
	got = s.statuses("check")
	s.equal("check runs", len(got), 1)
	s.equal("state", got[0].State, "success")
}

func stickyPost(s *stage) {
	change, _ := s.open(s.ana, "topic", "Add topic")
	s.AddComment(change, s.bo, "<!-- countersign:request:0192f0c1-7c00-7000-8000-000000000001 --> mine")
	p := s.post(gate.PostComment, "sticky")
	p.Thread, p.Body = gate.Thread{Number: change.Number}, "waiting for 1 person"
	known := s.posts(p)
	p.Body = "waiting for nobody"
	s.equal("found again without its id", s.posts(p), known)
	p.Known, p.Body = known, "signed"
	s.equal("found again by its id", s.posts(p), known)
	all := s.Comments(change)
	if len(all) != 2 {
		s.t.Fatalf("comments: got %d, want bo's and the sticky one", len(all))
	}
	if !strings.Contains(all[1].Body, "signed") || strings.Contains(all[1].Body, "waiting") {
		s.t.Errorf("sticky comment: got %q", all[1].Body)
	}
	if !strings.Contains(all[0].Body, "mine") {
		s.t.Errorf("bo's comment: expected it untouched, got %q", all[0].Body)
	}
}

func threadPost(s *stage) {
	p := s.post(gate.PostThread, "acme-app-"+s.root)
	p.Title, p.Body = "Release of "+gate.ShortCommit(s.root), "A row per stream."
	number := s.posts(p)
	if number == "" || number == "0" {
		s.t.Fatalf("thread: got %q, want an issue's number", number)
	}
	s.equal("found again", s.posts(p), number)
	p.Key = "another"
	if other := s.posts(p); other == number {
		s.t.Errorf("another key: got issue %s again", other)
	}
}
