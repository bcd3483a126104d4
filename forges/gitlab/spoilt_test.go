package gitlab_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

// tamper replaces the first GraphQL answer of a reading, and keeps what it was.
type tamper struct {
	with []byte // nil leaves it
	was  []byte
	done bool
}

func (c *tamper) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/graphql") || c.done {
		return res, err
	}
	c.done = true
	c.was, err = io.ReadAll(res.Body)
	_ = res.Body.Close()
	body := c.was
	if c.with != nil {
		body = c.with
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, err
}

// attacks 70 and 74: whatever part of the one query's answer is missing, null or of another
// type: nobody stops being an author, no review and no comment comes to be. Only where
// GitLab itself says that an address is nobody's is an author no account.
func TestSpoiltAnswers(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	first := s.change(s.ci, "first")
	s.Review(first, s.bo, forgetest.ReviewApprove)
	s.Merge(first, s.bo, forgetest.MergeCommit)
	second := s.change(s.ana, "second", s.commit(s.ci, "second", s.Head(s.repo, mainRef)))
	s.Review(second, s.bo, forgetest.ReviewApprove)
	said := s.AddComment(second, s.bo, "/countersign approve")
	other := s.AddComment(first, s.ana, "/countersign deny")
	s.Merge(second, s.bo, forgetest.Squash)
	needs := s.needs()
	needs.Candidates, needs.Thread = false, gate.Thread{Number: second.Number}
	for _, c := range []forgetest.Comment{said, other} {
		needs.Comments = append(needs.Comments, gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Change.Number}, ID: c.ID})
	}
	read := func(with []byte) (gate.Evidence, []byte) {
		c := &tamper{with: with}
		f, err := gitlab.New(gitlab.Config{
			Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret), Client: &http.Client{Transport: c}, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return f.Evidence(t.Context(), s.request(mainRef, s.Head(s.repo, mainRef)), needs), c.was
	}
	want, answer := read(nil)
	if len(must(t, "changes", want.Changes)) != 2 || len(must(t, "thread", want.Thread)) == 0 {
		t.Fatalf("the reading itself: %+v", want)
	}
	var whole any
	if err := json.Unmarshal(answer, &whole); err != nil {
		t.Fatal(err)
	}
	all := spoilt(whole, odd())
	step := max(1, len(all)/500)
	for i := 0; i < len(all); i += step {
		with, err := json.Marshal(all[i])
		if err != nil {
			t.Fatal(err)
		}
		if plausible.Match(with) {
			continue
		}
		got, _ := read(with)
		if !weaker(t, s, got, want) {
			t.Errorf("variant %d: %s", i, with)
		}
	}
	t.Logf("%d of %d variants", (len(all)+step-1)/step, len(all))
}

// plausible is an answer that only tells something else: text is whatever it is, a
// thread may be empty, an address nobody's.
var plausible = regexp.MustCompile(`"(body|rootRef|fullPath|webUrl|message|visibility)":"x"|"body":""|"notes":{"nodes":\[\],"pageInfo":{"hasPrevious|"author":null`)

// weaker reports whether got knows nothing that want does not.
func weaker(t *testing.T, s *stage, got, want gate.Evidence) bool {
	t.Helper()
	ok := same(t, "repository", got.Repository, want.Repository) && same(t, "ref", got.Ref, want.Ref)
	for ref, c := range want.Comments {
		ok = same(t, "comment", got.Comments[ref], c) && ok
	}
	if got.Thread.IsKnown() && spoken(t, got.Thread) != spoken(t, want.Thread) {
		t.Errorf("thread: %s", spoken(t, got.Thread))
		ok = false
	}
	changes, known := got.Changes.Get()
	if !known {
		return ok
	}
	before := must(t, "changes", want.Changes)
	if len(changes) != len(before) {
		t.Errorf("%d changes", len(changes))
		return false
	}
	for i, c := range changes {
		ok = weakerChange(t, s, c, before[i]) && ok
	}
	return ok
}

// spoken are the comments of people.
func spoken(t *testing.T, f gate.Fact[[]gate.Comment]) string {
	t.Helper()
	var out []string
	for _, c := range must(t, "thread", f) {
		if !c.Hidden {
			out = append(out, fmt.Sprint(c.Ref.ID, c.Author.ID, c.Body, c.Edited, c.ByMachine))
		}
	}
	return strings.Join(out, "\n")
}

// login is what accounts are shown by; nothing is judged by it.
var login = regexp.MustCompile(`"login":"[^"]*"`)

func same[T any](t *testing.T, what string, got, want gate.Fact[T]) bool {
	t.Helper()
	if got.IsUnknown() {
		return true
	}
	a, err := json.Marshal(got)
	b, again := json.Marshal(want)
	if err != nil || again != nil || !bytes.Equal(login.ReplaceAll(a, nil), login.ReplaceAll(b, nil)) {
		t.Errorf("%s: %s, it is %s", what, a, b)
		return false
	}
	return true
}

func weakerChange(t *testing.T, s *stage, got, want gate.Change) bool {
	t.Helper()
	ok, unread := true, got.Opener.IsUnknown() || got.Pushers.IsUnknown()
	for _, c := range got.Commits {
		for _, p := range c.People {
			unread = unread || p.Account.IsUnknown()
		}
	}
	now, then := gate.AuthorsOf(got), gate.AuthorsOf(want)
	for _, p := range []forgetest.Person{s.ana, s.bo, s.ci} {
		id := gate.AccountID{Forge: "gl", ID: p.ID}
		_, is := now.Include(id)
		if _, was := then.Include(id); was && !is && !unread {
			t.Errorf("%s: @%s is no author any more", got.Title, p.Login)
			ok = false
		}
	}
	reviews, _ := got.Reviews.Get()
	if len(reviews) > 1 || (len(reviews) == 1 && reviews[0].By.ID.ID != s.bo.ID) {
		t.Errorf("%s: reviews %+v", got.Title, reviews)
		ok = false
	}
	return same(t, "merger", got.Merger, want.Merger) && ok
}
