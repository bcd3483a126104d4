package gitlab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
)

// cutter loses rows of a list on its way, and what tells their number.
type cutter struct {
	path string // suffix of the lists to cut
	keep func(rows []json.RawMessage) []json.RawMessage
}

func (c cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, c.path) || res.StatusCode != http.StatusOK {
		return res, err
	}
	defer func() { _ = res.Body.Close() }()
	var rows []json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&rows); err != nil {
		return nil, err
	}
	body, err := json.Marshal(c.keep(rows))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"X-Total", "X-Next-Page", "Link"} {
		res.Header.Del(name)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

func (s *stage) through(c cutter) *gitlab.Forge {
	s.t.Helper()
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret),
		Client: &http.Client{Transport: c}, Now: time.Now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// attacks 38 and 70: a list cut short in silence shortens no change set
func TestListsCutShort(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	first := s.commit(s.ci, "one")
	c := s.change(s.ana, "feature", first, s.commit(s.ana, "two", first))
	sha := s.Merge(c, s.bo, forgetest.MergeCommit)
	direct := s.commit(s.ci, "direct", sha)
	s.Push(s.repo, s.ci, "refs/heads/main", direct)
	s.tag(direct)
	oldest := func(rows []json.RawMessage) []json.RawMessage { return rows[:max(0, len(rows)-1)] }
	newest := func(rows []json.RawMessage) []json.RawMessage { return rows[min(1, len(rows)):] }
	none := func([]json.RawMessage) []json.RawMessage { return []json.RawMessage{} }
	for _, path := range []string{"/repository/commits", "/merge_requests/1/commits", "/merge_requests/1/versions", "/events"} {
		for name, keep := range map[string]func([]json.RawMessage) []json.RawMessage{"oldest": oldest, "newest": newest, "all": none} {
			ev := s.through(cutter{path, keep}).Evidence(context.Background(), s.request("refs/tags/v1.0.0", direct), s.needs())
			changes, ok := ev.Changes.Get()
			if !ok {
				continue
			}
			if len(changes) != 2 {
				t.Errorf("%s of %s lost: %d changes", name, path, len(changes))
				continue
			}
			if !changes[0].Pushers.IsUnknown() && path != "/events" {
				s.wrote(changes[0], "ana", "ci")
			}
			if !changes[1].Pushers.IsUnknown() {
				s.wrote(changes[1], "ci")
			}
		}
	}
	whole := func(rows []json.RawMessage) []json.RawMessage { return rows }
	ev := s.through(cutter{"/repository/commits", whole}).Evidence(context.Background(), s.request("refs/tags/v1.0.0", direct), s.needs())
	s.wrote(must(t, "changes", ev.Changes)[0], "ana", "ci")
}

func TestARangeCutShortIsUnknown(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Merge(s.change(s.ana, "feature"), s.bo, forgetest.MergeCommit)
	s.tag(sha)
	for n := range 2 {
		f := s.through(cutter{"/repository/commits", func(rows []json.RawMessage) []json.RawMessage { return rows[:n] }})
		if ev := f.Evidence(context.Background(), s.request("refs/tags/v1.0.0", sha), s.needs()); !ev.Changes.IsUnknown() {
			t.Errorf("%d of 2 commits: %+v", n, ev.Changes)
		}
	}
}
