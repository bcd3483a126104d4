package attacks_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// What people do. Each deed takes a few seconds, as forges tell times in whole ones.

const deed = 2 * time.Second

// who is a person by name.
func (s *stage) who(name string) forgetest.Person {
	s.Helper()
	p, ok := s.people[name]
	if !ok {
		s.Fatalf("person %q: expected one of the team", name)
	}
	return p
}

// commit makes a commit by a person on the head of a ref, without pushing it.
func (s *stage) commit(by forgetest.Person, onto, message string) string {
	s.Helper()
	s.serial++
	return s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.Head(s.repo, onto)}, Author: by, Message: message,
		Files: map[string][]byte{fmt.Sprintf("src/file%d.go", s.serial): []byte(message)},
	})
}

// push commits onto a ref and pushes that, both as the same person.
func (s *stage) push(by, ref, message string) string {
	s.Helper()
	sha := s.commit(s.who(by), ref, message)
	s.pushed(by, ref, sha)
	return sha
}

// pushed moves or creates a ref.
func (s *stage) pushed(by, ref, sha string) {
	s.Helper()
	s.Push(s.repo, s.who(by), ref, sha)
	s.clock.pass(deed)
}

// propose opens a change from a branch of its own with one commit.
func (s *stage) propose(by, branch string) forgetest.Change {
	s.Helper()
	return s.proposed(by, branch, s.commit(s.who(by), mainRef, "Bring "+branch))
}

// proposed opens a change with a commit that was made before.
func (s *stage) proposed(by, branch, sha string) forgetest.Change {
	s.Helper()
	s.pushed(by, "refs/heads/"+branch, sha)
	c := s.OpenChange(s.repo, s.who(by), forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch, Target: "main"})
	s.clock.pass(deed)
	return c
}

// merge merges through the forge, with a merge commit.
func (s *stage) merge(c forgetest.Change, by string) {
	s.Helper()
	s.mergeAs(c, by, forgetest.MergeCommit)
}

func (s *stage) mergeAs(c forgetest.Change, by string, how forgetest.MergeMethod) {
	s.Helper()
	s.Merge(c, s.who(by), how)
	s.clock.pass(deed)
}

// review approves a change's current head.
func (s *stage) review(c forgetest.Change, by string) {
	s.Helper()
	s.Review(c, s.who(by), forgetest.ReviewApprove)
	s.clock.pass(deed)
}

// tag puts a tag on the head of main.
func (s *stage) tag(by, name string) {
	s.Helper()
	s.pushed(by, "refs/tags/"+name, s.Head(s.repo, mainRef))
}

// job starts the release job for a ref; edits change what it runs as.
func (s *stage) job(by, ref string, edits ...func(*forgetest.JobSpec)) forgetest.Job {
	s.Helper()
	spec := forgetest.JobSpec{Ref: ref, Workflow: "release", Event: "push", Actor: s.who(by)}
	if s.gh != nil {
		spec.Workflow = "release.yml"
	}
	for _, edit := range edits {
		edit(&spec)
	}
	return s.StartJob(s.repo, spec)
}

// widget is ana's change, merged by eve and tagged by ana: nothing yet asks for it.
func (s *stage) widget() forgetest.Change {
	s.Helper()
	c := s.propose("ana", "widget")
	s.merge(c, "eve")
	s.tag("ana", "v1.0.0")
	return c
}

// open has the release job of v1.0.0, started by ana, ask for what it built.
func (s *stage) asked() *request {
	s.Helper()
	return s.ask(s.job("ana", "refs/tags/v1.0.0")).opened()
}

// say comments in a thread and lets the gate hear it.
func (s *stage) say(where forgetest.Change, by, text string) forgetest.Comment {
	s.Helper()
	s.clock.pass(deed)
	c := s.AddComment(where, s.who(by), text)
	s.clock.pass(deed)
	s.settle()
	return c
}

// nudge has the forge ring for the repository, so that the gate looks again.
func (s *stage) nudge() {
	s.Helper()
	s.push("bo", mainScratch(s), "Scratch")
	s.settle()
}

// mainScratch is a branch that no release comes from.
func mainScratch(s *stage) string {
	const ref = "refs/heads/scratch"
	if s.Head(s.repo, ref) == "" {
		s.Push(s.repo, s.who("bo"), ref, s.Head(s.repo, mainRef))
	}
	return ref
}

// answered expects the gate's reply in a thread that says text.
func (s *stage) answered(where forgetest.Change, text string) {
	s.Helper()
	var all []string
	for _, c := range s.Comments(where) {
		if _, person := s.people[c.Author.Login]; !person && strings.Contains(c.Body, text) {
			return
		}
		all = append(all, c.Author.Login+": "+c.Body)
	}
	s.Errorf("expected the gate to say %q, got:\n%s", text, strings.Join(all, "\n---\n"))
}
