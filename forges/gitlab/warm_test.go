package gitlab_test

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// attack 39: among several merges that are compared in one look, the one made by hand
// stands out, whether GitLab shows modes or not.
func TestMergeByHandAmongOthers(t *testing.T) {
	for name, o := range map[string]gitlabtest.Options{"modes": {}, "no modes": {WithoutBlobMode: true}} {
		for file, content := range map[string]string{"evil": "1", "second": "2", "deep/evil": "3", "README.md": "4"} {
			t.Run(name+" "+file, func(t *testing.T) {
				s := newStage(t, o)
				s.Merge(s.change(s.ana, "first", s.commit(s.ana, "first")), s.bo, forgetest.MergeCommit)
				at := s.Head(s.repo, mainRef)
				head := s.commit(s.ana, "second", at)
				s.change(s.ana, "second", head)
				evil := s.Commit(s.repo, forgetest.CommitSpec{
					Parents: []string{at, head}, Author: s.bo, Message: "Merge branch 'second'",
					Files: map[string][]byte{"second": []byte("secondana"), file: []byte(content)},
				})
				s.Push(s.repo, s.bo, mainRef, evil)
				all := s.changes(evil, 2)
				s.wrote(all[0], "ana")
				s.wrote(all[1], "ana", "bo")
			})
		}
	}
}

// A top directory that GitLab shows only in part proves nothing: the commits are compared.
func TestMergeByHandInAWideTree(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	wide := map[string][]byte{}
	for n := range 120 {
		wide[string(rune('a'+n%26))+string(rune('a'+n/26))] = []byte("x")
	}
	s.Push(s.repo, s.ana, mainRef, s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: "Widen", Files: wide}))
	s.base = s.Head(s.repo, mainRef)
	s.Merge(s.change(s.ana, "first", s.commit(s.ana, "first", s.base)), s.bo, forgetest.MergeCommit)
	at := s.Head(s.repo, mainRef)
	head := s.commit(s.ana, "second", at)
	s.change(s.ana, "second", head)
	evil := s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{at, head}, Author: s.bo, Message: "Merge branch 'second'",
		Files: map[string][]byte{"second": []byte("secondana"), "zz": []byte("evil")},
	})
	s.Push(s.repo, s.bo, mainRef, evil)
	all := s.changes(evil, 2)
	s.wrote(all[0], "ana")
	s.wrote(all[1], "ana", "bo")
}

// What was read before never stands for what may have changed since: approvals, rights,
// rules and where a ref points.
func TestNothingThatChangesIsRemembered(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	s.Review(c, s.bo, forgetest.ReviewApprove)
	sha := s.Merge(c, s.bo, forgetest.MergeCommit)
	read := func() gate.Evidence { return s.forge.Evidence(t.Context(), s.request(mainRef, sha), s.needs()) }
	reviews := func(ev gate.Evidence) []gate.Review {
		t.Helper()
		return must(t, "reviews", must(t, "changes", ev.Changes)[0].Reviews)
	}
	for range 2 {
		got := reviews(read())
		if role, ok := got[0].Role.Get(); len(got) != 1 || got[0].Commit == "" || got[0].At.IsZero() || !ok || role != gate.RoleMaintain {
			t.Fatalf("an approval before the merge: %+v", got)
		}
	}
	s.SetRole(s.repo, s.bo, forgetest.RoleRead)
	if role, _ := reviews(read())[0].Role.Get(); role != gate.RoleRead {
		t.Errorf("a right taken away: got %v", role)
	}
	s.Review(c, s.bo, forgetest.ReviewDismiss)
	if got := reviews(read()); len(got) != 0 {
		t.Errorf("an approval taken back: %+v", got)
	}
	s.Review(c, s.bo, forgetest.ReviewApprove)
	merged := must(t, "changes", read().Changes)[0].MergedAt
	if got := reviews(read()); len(got) != 1 || !got[0].At.After(merged) {
		t.Errorf("an approval given anew after the merge: %+v", got)
	}
	s.Unprotect(s.repo, mainRef)
	if b := must(t, "branch", read().Branch); !b.Protection.IsAbsent() {
		t.Errorf("a protection taken off: %+v", b.Protection)
	}
	s.Push(s.repo, s.ana, mainRef, s.commit(s.ana, "later", sha))
	if ref := must(t, "ref", read().Ref); ref.Commit == sha {
		t.Error("a ref that moved on still points where it was")
	}
}

// Whose an address is may change: it is asked again, also for commits known before.
func TestAddressesAreAskedAgain(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	stranger := forgetest.Person{Login: "dora", Email: "dora@example.com"}
	sha := s.commit(stranger, "one")
	s.Push(s.repo, s.ana, mainRef, sha)
	people := func() []string {
		ev := s.forge.Evidence(t.Context(), s.request(mainRef, sha), s.needs())
		return unlinked(must(t, "changes", ev.Changes)[0])
	}
	if got := people(); !slices.Contains(got, "dora") {
		t.Fatalf("expected an author without an account, got %v", got)
	}
	s.AddPerson("dora")
	if got := people(); slices.Contains(got, "dora") {
		t.Errorf("expected the author's new account, got %v", got)
	}
}
