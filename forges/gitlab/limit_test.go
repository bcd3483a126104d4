package gitlab_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

// scarce tells of a rate limit that is nearly used up (docs: user and IP rate limits,
// response headers).
type scarce struct{ remaining int }

func (s scarce) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for name, n := range map[string]int64{"Limit": 2000, "Remaining": int64(s.remaining), "Reset": time.Now().Add(time.Minute).Unix()} {
		res.Header.Set("RateLimit-"+name, strconv.FormatInt(n, 10))
	}
	return res, nil
}

// attack 71: what is left of a rate limit is kept for readings that a signature may follow
// from
func TestReservedBudget(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	said := s.AddComment(c, s.bo, "/countersign approve")
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: said.ID}
	for remaining, row := range map[int]struct {
		plain, final bool
		why          string
	}{
		1500: {true, true, ""},
		60:   {false, true, "what is left of the forge's rate limit is kept for final checks until"},
		0:    {false, false, "the forge's rate limit is used up until"},
	} {
		client, err := forges.NewClient(forges.Options{Bases: []string{s.URL()}, Tries: 1, Transport: scarce{remaining}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		f, err := gitlab.New(gitlab.Config{
			Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret), Client: client, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Comment(t.Context(), ref) // it learns of the limit
		f.Evidence(t.Context(), s.request(mainRef, s.base), s.needs())
		needs := s.needs()
		plain := f.Evidence(t.Context(), s.request(mainRef, s.base), needs)
		needs.Comments = []gate.CommentRef{ref}
		final := f.Evidence(t.Context(), s.request(mainRef, s.base), needs)
		if plain.Repository.IsKnown() != row.plain || final.Repository.IsKnown() != row.final {
			t.Errorf("%d left: plain %+v, final %+v", remaining, plain.Repository, final.Repository)
		}
		if !strings.Contains(plain.Repository.Why(), row.why) {
			t.Errorf("%d left: %s", remaining, plain.Repository.Why())
		}
		if row.final != final.Comments[ref].IsKnown() {
			t.Errorf("%d left: comment %+v", remaining, final.Comments[ref])
		}
	}
}
