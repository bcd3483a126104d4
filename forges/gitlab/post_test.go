package gitlab_test

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func (s *stage) post(p gate.Post) string {
	s.t.Helper()
	p.Repository = s.id()
	id, err := s.forge.Post(context.Background(), p)
	if err != nil {
		s.t.Fatalf("post %s: %v", p.Target, err)
	}
	return id
}

func TestStatusStaysWithItsPipeline(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.tag(s.base)
	s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Actor: s.ana})
	p := gate.Post{Target: gate.PostStatus, Commit: s.base, Context: "countersign/release", State: gate.PostPending, Title: "waiting"}
	first := s.post(p)
	s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: s.ana})
	p.Title = "still waiting"
	if again := s.post(p); again != first {
		t.Errorf("pending twice: %s and %s", first, again)
	}
	p.State, p.Title, p.URL = gate.PostFailure, "denied", "https://gate.example/"+strings.Repeat("x", 300)
	if ended := s.post(p); ended != first {
		t.Errorf("the open status has to end: %s and %s", first, ended)
	}
	if again := s.post(p); again != first {
		t.Errorf("failed twice: %s and %s", first, again)
	}
	got := s.Statuses(s.repo, s.base)
	if len(got) != 1 || got[0].State != "failed" || got[0].Description != "denied" || got[0].TargetURL != "" {
		t.Errorf("statuses: %+v", got)
	}
}

func TestEndedStatusIsSetAnewWithAnotherDescription(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	p := gate.Post{Target: gate.PostStatus, Commit: s.base, Context: "countersign/release", State: gate.PostSuccess, Title: "signed"}
	first := s.post(p)
	p.Title = strings.Repeat("x", 200)
	if second := s.post(p); second == first {
		t.Error("another description is another status")
	}
	if got := s.Statuses(s.repo, s.base); len([]rune(got[0].Description)) != 140 {
		t.Errorf("description: %q", got[0].Description)
	}
}

// A commit's title that begins with a slash must not command GitLab in the gate's name.
func TestBodiesCommandNothing(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	body := "/merge\ntext /approve\n  /close\r\n\t/label ~x"
	s.post(gate.Post{Target: gate.PostComment, Key: "k", Thread: gate.Thread{Number: c.Number}, Body: body})
	s.post(gate.Post{Target: gate.PostReply, Key: "k", Thread: gate.Thread{Number: c.Number}, Body: body})
	number := s.post(gate.Post{Target: gate.PostThread, Key: "k", Title: "Release", Body: body})
	if number != "1" {
		t.Errorf("issue %s", number)
	}
	for _, n := range s.Comments(c) {
		for line := range strings.Lines(n.Body) {
			if strings.HasPrefix(strings.TrimSpace(line), "/") {
				t.Errorf("a line that commands: %q", line)
			}
		}
		if !strings.Contains(n.Body, "text /approve") {
			t.Errorf("body: %q", n.Body)
		}
	}
}

func TestMarkersOfOthersAreNotTaken(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	p := gate.Post{Target: gate.PostComment, Key: "odd --> key", Thread: gate.Thread{Number: c.Number}, Body: "one"}
	first := s.post(p)
	mine := s.Comments(c)[0].Body
	if strings.Contains(mine, "odd --> key") {
		t.Errorf("the key ends its comment: %q", mine)
	}
	s.AddComment(c, s.bo, mine)
	p.Body = "two"
	if again := s.post(p); again != first || len(s.Comments(c)) != 2 {
		t.Errorf("expected note %s edited, got %s of %d", first, again, len(s.Comments(c)))
	}
	s.DeleteComment(s.Comments(c)[0], s.BotUser())
	p.Known = first
	if again := s.post(p); again == first || len(s.Comments(c)) != 2 {
		t.Errorf("a deleted note is made again, got %s", again)
	}
}

func TestPostsThatMakeNoSense(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	for name, p := range map[string]gate.Post{
		"no target":        {},
		"no commit":        {Target: gate.PostStatus, Context: "c", State: gate.PostPending},
		"a branch":         {Target: gate.PostStatus, Context: "c", State: gate.PostPending, Commit: "main"},
		"no state":         {Target: gate.PostStatus, Context: "c", Commit: s.base},
		"another emoji":    {Target: gate.PostReaction, Reaction: "poop", Comment: gate.CommentRef{Repository: s.id(), ID: 1}},
		"another project":  {Target: gate.PostReaction, Reaction: "eyes", Comment: gate.CommentRef{ID: 1}},
		"a missing thread": {Target: gate.PostComment, Key: "k", Thread: gate.Thread{Number: 99}, Body: "x"},
	} {
		p.Repository = s.id()
		if _, err := s.forge.Post(context.Background(), p); err == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
	if _, err := s.forge.Post(context.Background(), gate.Post{Target: gate.PostThread, Repository: gate.RepositoryID{Forge: "x", ID: s.repo.ID}}); err == nil {
		t.Error("another forge: expected an error")
	}
}

func TestPostRefused(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.SetRole(s.repo, s.BotUser(), forgetest.RoleRead)
	_, err := s.forge.Post(context.Background(), gate.Post{
		Repository: s.id(), Target: gate.PostStatus, Commit: s.base, Context: "c", State: gate.PostPending,
	})
	if gate.CodeOf(err) != gate.CodeForgeRefused || gate.KindOf(err) != gate.Refused {
		t.Errorf("expected %s, got %v", gate.CodeForgeRefused, err)
	}
	s.RevokeToken(s.BotToken())
	_, err = s.forge.PolicyFile(context.Background(), s.id())
	if gate.CodeOf(err) != gate.CodePolicyUnreadable || strings.Contains(err.Error(), s.BotToken()) {
		t.Errorf("expected %s and no token, got %v", gate.CodePolicyUnreadable, err)
	}
}
