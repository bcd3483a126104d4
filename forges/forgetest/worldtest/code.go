package worldtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
)

func addresses(t *testing.T, s *stage) {
	if s.Name() != "github" && s.Name() != "gitlab" {
		t.Errorf("name: got %q, want github or gitlab", s.Name())
	}
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") || strings.HasSuffix(s.URL(), "/") {
		t.Errorf("URL: got %q, want a loopback URL without a trailing slash", s.URL())
	}
	for name, u := range map[string]string{"API": s.APIURL(), "issuer": s.Issuer()} {
		if !strings.HasPrefix(u, s.URL()) {
			t.Errorf("%s: got %q, want it below %q", name, u, s.URL())
		}
	}
}

func accounts(t *testing.T, s *stage) {
	robot := s.AddBot("robot")
	if s.ana.ID == s.bo.ID || s.ana.ID == robot.ID || s.ana.ID == 0 || robot.ID == 0 {
		t.Errorf("IDs: got %d, %d and %d, want three that differ", s.ana.ID, s.bo.ID, robot.ID)
	}
	if s.ana.Login != "ana" || s.ana.Bot || !robot.Bot {
		t.Errorf("accounts: got %+v and bot %+v", s.ana, robot)
	}
	if !strings.Contains(s.ana.Email, "@") || strings.EqualFold(s.ana.Email, s.bo.Email) {
		t.Errorf("e-mails: got %q and %q, want one each", s.ana.Email, s.bo.Email)
	}
	other := s.AddRepository("acme/gadget")
	if other.ID == s.repo.ID || other.OwnerID != s.repo.OwnerID || other.FullName != "acme/gadget" {
		t.Errorf("second repository of an owner: got %+v after %+v", other, s.repo)
	}
	if foreign := s.AddRepository("umbrella/widget"); foreign.OwnerID == s.repo.OwnerID {
		t.Errorf("another owner: got %+v, want an owner of its own", foreign)
	}
}

func beginning(t *testing.T, s *stage) {
	if head := s.Head(s.repo, "refs/heads/main"); len(head) != 40 {
		t.Errorf("head of main: got %q, want a commit", head)
	}
	s.head("refs/heads/nothing", "")
	s.head("refs/tags/main", "")
}

func commits(t *testing.T, s *stage) {
	before := s.Head(s.repo, "refs/heads/main")
	sha := s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: "Alone"})
	if len(sha) != 40 || sha == before {
		t.Errorf("commit: got %q", sha)
	}
	s.head("refs/heads/main", before)
	forced := strings.Repeat("ab", 20)
	if got := s.Commit(s.repo, forgetest.CommitSpec{SHA: forced, Author: s.ana, Message: "Forced"}); got != forced {
		t.Errorf("commit with a given SHA: got %q, want %q", got, forced)
	}
}

func pushes(_ *testing.T, s *stage) {
	root := s.Head(s.repo, "refs/heads/main")
	one := s.push(s.ana, "main", "one")
	s.head("refs/heads/main", one)
	two := s.push(s.bo, "main", "two") // without parents: on top of the default branch
	s.head("refs/heads/main", two)
	s.Push(s.repo, s.ana, "refs/tags/v1", two)
	s.head("refs/tags/v1", two)
	other := s.push(s.bo, "main", "other", root) // force push
	s.head("refs/heads/main", other)
	s.head("refs/tags/v1", two)
	s.Push(s.repo, s.ana, "refs/tags/v1", other) // a tag that is moved
	s.head("refs/tags/v1", other)
}

func deletion(_ *testing.T, s *stage) {
	sha := s.push(s.ana, "topic", "a")
	s.Push(s.repo, s.ana, "refs/tags/v1", sha)
	s.DeleteRef(s.repo, s.ana, "refs/heads/topic")
	s.DeleteRef(s.repo, s.bo, "refs/tags/v1")
	s.head("refs/heads/topic", "")
	s.head("refs/tags/v1", "")
	s.Push(s.repo, s.bo, "refs/heads/topic", sha) // objects outlive their refs
	s.head("refs/heads/topic", sha)
}

func misuse(t *testing.T, s *stage) {
	change := s.open(s.ana, "topic")
	s.Merge(change, s.bo, forgetest.MergeCommit)
	for name, f := range map[string]func(){
		"push of an unknown commit":     func() { s.Push(s.repo, s.ana, "refs/heads/main", strings.Repeat("0", 40)) },
		"deletion of an unknown ref":    func() { s.DeleteRef(s.repo, s.ana, "refs/heads/nothing") },
		"change from an unknown branch": func() { s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "x", Source: "nothing"}) },
		"second merge":                  func() { s.Merge(change, s.bo, forgetest.MergeCommit) },
		"comment on an unknown change": func() {
			s.AddComment(forgetest.Change{Repository: s.repo, Number: 4711}, s.ana, "x")
		},
		"edit of an unknown comment": func() { s.EditComment(forgetest.Comment{Change: change, ID: 1}, s.ana, "x") },
	} {
		if !panics(f) {
			t.Errorf("%s: expected a panic", name)
		}
	}
	s.push(s.ana, "still", "b") // a panic leaves no lock behind
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func merges(t *testing.T, s *stage) {
	for i, method := range []forgetest.MergeMethod{forgetest.MergeCommit, forgetest.Squash, forgetest.Rebase} {
		branch := []string{"merged", "squashed", "rebased"}[i]
		before := s.Head(s.repo, "refs/heads/main")
		change := s.open(s.ana, branch)
		if change.Number == 0 || change.Issue || change.Repository.ID != s.repo.ID {
			t.Errorf("%s: got change %+v", branch, change)
		}
		sha := s.Merge(change, s.bo, method)
		s.head("refs/heads/main", sha)
		if sha == before {
			t.Errorf("%s: the target did not move", branch)
		}
		if source := s.Head(s.repo, "refs/heads/"+branch); method != forgetest.Rebase && sha == source {
			t.Errorf("%s: got the source's head, want a commit of the forge", branch)
		}
	}
	later := s.open(s.bo, "onto")
	s.push(s.ana, "main", "meanwhile")
	s.head("refs/heads/main", s.Merge(later, s.ana, forgetest.MergeCommit)) // onto a target that moved
}

func exports(t *testing.T, s *stage) {
	merged := s.Merge(s.open(s.ana, "topic"), s.bo, forgetest.MergeCommit)
	s.Push(s.repo, s.ana, "refs/tags/v1", merged)
	s.Publish(s.repo)
	dir := filepath.Join(t.TempDir(), "widget.git")
	if err := s.Export(s.repo, dir); err != nil {
		t.Fatal(err)
	}
	for _, row := range [][2]string{
		{"fsck --strict", ""}, {"rev-parse refs/heads/main", merged}, {"rev-parse refs/tags/v1", merged},
		{"show refs/heads/main:topic.txt", "topic.txtana"},
	} {
		args := append([]string{"--git-dir", dir}, strings.Fields(row[0])...)
		out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		if err != nil || (row[1] != "" && strings.TrimSpace(string(out)) != row[1]) {
			t.Errorf("git %s: got %s (%v), want %s", row[0], out, err, row[1])
		}
	}
}

func forks(t *testing.T, s *stage) {
	cy := s.AddPerson("cy")
	fork := s.Fork(s.repo, cy, "cy/widget")
	if fork.ID == s.repo.ID || s.Head(fork, "refs/heads/main") != s.Head(s.repo, "refs/heads/main") {
		t.Errorf("fork: got %+v with head %q", fork, s.Head(fork, "refs/heads/main"))
	}
	sha := s.Commit(fork, forgetest.CommitSpec{Author: cy, Message: "From outside", Files: map[string][]byte{"c": []byte("c")}})
	s.Push(fork, cy, "refs/heads/offer", sha)
	s.head("refs/heads/offer", "")
	change := s.OpenChange(s.repo, cy, forgetest.ChangeSpec{Title: "Offer", Source: "offer", From: fork})
	s.head("refs/heads/main", s.Merge(change, s.ana, forgetest.MergeCommit))
}

func rules(_ *testing.T, s *stage) {
	change := s.open(s.ana, "topic")
	for _, verdict := range []forgetest.Verdict{
		forgetest.ReviewDismiss, forgetest.ReviewApprove, forgetest.ReviewDismiss, forgetest.ReviewReject, forgetest.ReviewApprove,
	} {
		s.Review(change, s.bo, verdict)
	}
	for _, p := range []forgetest.Protection{
		{Ref: "refs/heads/main", Reviews: 1}, {Ref: "refs/heads/main", Reviews: 2, AllowForcePush: true},
		{Ref: "refs/tags/v*"}, {Ref: "refs/tags/v*", AllowDeletion: true},
	} {
		s.Protect(s.repo, p)
	}
	s.Unprotect(s.repo, "refs/heads/main")
	s.Unprotect(s.repo, "refs/tags/v*")
	s.Unprotect(s.repo, "refs/heads/nothing")
	s.SetRole(s.repo, s.bo, forgetest.RoleRead)
	s.SetRole(s.repo, s.bo, forgetest.RoleNone)
	s.SetRole(s.repo, s.bo, forgetest.RoleNone)
}

func concurrency(_ *testing.T, s *stage) {
	change := s.open(s.ana, "topic")
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			branch := strings.Repeat("x", i+1)
			sha := s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: branch})
			s.Push(s.repo, s.ana, "refs/heads/"+branch, sha)
			s.EditComment(s.AddComment(change, s.bo, branch), s.bo, branch+branch)
			s.Comments(change)
			s.Requests()
		}()
	}
	for range 4 {
		<-done
	}
	s.Settle()
	if got := len(s.Comments(change)); got != 4 {
		s.t.Errorf("comments: got %d, want 4", got)
	}
}
