package attacks_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what is refused
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

// deliver sends a delivery as the forge would, proved with the secret; edits change
// what goes out.
func (s *stage) deliver(event string, body []byte, edits ...func(*http.Request)) answer {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost,
		s.server.URL+"/webhooks/"+s.Name()+"/"+s.Name(), bytes.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	if s.gl != nil {
		req.Header.Set("X-Gitlab-Event", event)
		req.Header.Set("X-Gitlab-Token", secret)
		req.Header.Set("Idempotency-Key", newID())
	} else {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write(body)
		req.Header.Set("X-GitHub-Event", event)
		req.Header.Set("X-GitHub-Delivery", newID())
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	for _, edit := range edits {
		edit(req)
	}
	return s.answer(req)
}

// rumour is a delivery that says: in that repository and thread somebody made comment
// id, and it approves.
func (s *stage) rumour(repository, thread, id int64, by string) (string, []byte) {
	s.Helper()
	var event string
	var payload map[string]any
	if s.gl != nil {
		event, payload = "Note Hook", map[string]any{
			"object_kind": "note", "project_id": repository, "project": map[string]any{"id": repository},
			"user": map[string]any{"id": s.who(by).ID, "username": by}, "merge_request": map[string]any{"iid": thread},
			"object_attributes": map[string]any{
				"id": id, "noteable_type": "MergeRequest", "action": "create", "note": "/countersign approve", "author_id": s.who(by).ID,
			},
		}
	} else {
		event, payload = "issue_comment", map[string]any{
			"action": "created", "repository": map[string]any{"id": repository},
			"issue": map[string]any{"number": thread, "pull_request": map[string]any{"url": "x"}},
			"comment": map[string]any{
				"id": id, "body": "/countersign approve", "user": map[string]any{"id": s.who(by).ID, "login": by, "type": "User"},
			},
		}
	}
	body, err := json.Marshal(payload)
	s.must(err)
	return event, body
}

// accepted expects that the delivery was taken, which says nothing of what it leads to.
func (a answer) accepted() {
	a.Helper()
	if a.status != http.StatusAccepted {
		a.Fatalf("expected the delivery to be accepted, got %d %s", a.status, a.raw)
	}
	a.settle()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

func TestWebhooks(t *testing.T) {
	play(t, []row{
		{name: "attack 58: deliveries that nobody proved", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			honest := s.AddComment(c, s.who("ana"), "Nothing to see here")
			s.settle()
			event, body := s.rumour(s.repo.ID, c.Number, honest.ID, "bo")
			if s.gl != nil {
				s.deliver(event, body, header("X-Gitlab-Token", "")).refused(gate.CodeDeliveryUnsigned)
				s.deliver(event, body, header("X-Gitlab-Token", "guessed")).refused(gate.CodeDeliverySignature)
				s.deliver(event, body, header("Content-Type", "application/x-www-form-urlencoded")).refused(gate.CodeDeliveryMalformed)
			} else {
				mac := hmac.New(sha1.New, []byte(secret))
				_, _ = mac.Write(body)
				s.deliver(event, body, header("X-Hub-Signature-256", "")).refused(gate.CodeDeliveryUnsigned)
				s.deliver(event, body, header("X-Hub-Signature-256", ""),
					header("X-Hub-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))).refused(gate.CodeDeliveryUnsigned, "SHA-1")
				s.deliver(event, body, header("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))).refused(gate.CodeDeliverySignature)
				s.deliver(event, body, header("Content-Type", "application/x-www-form-urlencoded")).refused(gate.CodeDeliveryMalformed)
			}
			s.settle()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 58: an empty secret", play: func(s *stage) {
			var err error
			if s.gl != nil {
				_, err = gitlab.New(gitlab.Config{Forge: "gitlab", URL: s.gl.URL(), Token: "x", Now: s.clock.now})
			} else {
				_, err = github.New(github.Config{
					Forge: "github", URL: s.gh.URL(), APIURL: s.gh.APIURL(), AppID: 1, PrivateKey: s.gh.AppPrivateKey(), Now: s.clock.now,
				})
			}
			if err == nil || !strings.Contains(err.Error(), "secret") {
				s.Errorf("expected no forge without a webhook secret, got %v", err)
			}
		}},
		{name: "attack 59: an approval delivered again after it was taken back", play: func(s *stage) {
			s.widget()
			r := s.asked()
			thread := r.thread()
			s.clock.pass(deed)
			c := s.AddComment(thread, s.who("bo"), "/countersign approve")
			s.Settle()
			s.DeleteComment(c, s.who("bo"))
			s.Redeliver(3)
			s.settle()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 59: a denial, and older approvals delivered after it", play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.merge(s.propose("ana", "unrelated"), "eve")
			r.comment("cy", "/countersign deny it crashes")
			r.comment("bo", "/countersign approve")
			s.Redeliver(20)
			s.settle()
			r.ends(gate.StateDenied, gate.CheckHold, "denied by @cy: it crashes")
		}},
		{name: "attack 60: the delivery of a moved tag is dropped", play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.DeliverTo("http://127.0.0.1:1/nobody", secret)
			s.merge(s.propose("ana", "evil"), "eve")
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			s.settle()
			s.later(6 * time.Minute)
			r.ends(gate.StateVoid, gate.CheckRef, "v1.0.0 moved")
		}},
		{name: "attack 60: a dropped comment counts once the forge delivers it again", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			origin := s.server.URL + "/webhooks/" + s.Name() + "/" + s.Name()
			s.DeliverTo("http://127.0.0.1:1/nobody", secret)
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckApprovals, "0 of 1")
			s.DeliverTo(origin, secret)
			s.Redeliver(1)
			s.settle()
			r.signed()
		}},
		{name: "attack 61: a proved delivery that lies about a comment", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			honest := s.say(c, "ana", "Nothing to see here")
			event, body := s.rumour(s.repo.ID, c.Number, honest.ID, "bo")
			s.deliver(event, body).accepted()
			event, body = s.rumour(s.repo.ID, c.Number, 999_999_999, "bo")
			s.deliver(event, body).accepted()
			r.waits(gate.CheckApprovals, "0 of 1")
			if got := s.Reactions(honest); len(got) > 0 {
				s.Errorf("expected no reaction to a comment that says nothing, got %v", got)
			}
		}},
		{name: "attack 62: a delivery of one tenant about another's comment", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			theirs := s.AddRepository("mallory/trap")
			s.SetRole(theirs, s.who("bo"), forgetest.RoleWrite)
			s.Push(theirs, s.who("mal"), "refs/heads/x", s.Commit(theirs, forgetest.CommitSpec{
				Author: s.who("mal"), Message: "Trap", Files: map[string][]byte{"x": []byte("x")},
			}))
			trap := s.OpenChange(theirs, s.who("mal"), forgetest.ChangeSpec{Title: "Trap", Source: "x"})
			bait := s.AddComment(trap, s.who("bo"), "/countersign approve")
			s.settle()
			event, body := s.rumour(s.repo.ID, c.Number, bait.ID, "bo")
			s.deliver(event, body).accepted()
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 63: deliveries that are too large or too deep", play: func(s *stage) {
			s.widget()
			r := s.asked()
			event := "issue_comment"
			if s.gl != nil {
				event = "Note Hook"
			}
			s.deliver(event, append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 25<<20)...)).refused(gate.CodeDeliveryTooLarge)
			deep := s.deliver(event, []byte(strings.Repeat(`{"a":`, 200_000)+"1"+strings.Repeat("}", 200_000)))
			deep.refused(gate.CodeDeliveryMalformed)
			s.ask(r.job, func(a *asking) {
				a.audience = "x"
				a.ask.Stream = strings.Repeat("x", 2<<20)
			}).refused(gate.CodeBodyTooLarge)
			s.nudge() // and others are still heard
			r.waits(gate.CheckApprovals, "0 of 1")
		}},
		{name: "attack 64: URLs in deliveries, headers and ID tokens", play: func(s *stage) {
			var calls atomic.Int64
			trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
			s.Cleanup(trap.Close)
			s.widget()
			r := s.asked()
			body, err := json.Marshal(map[string]any{
				"action": "requested", "deployment_callback_url": trap.URL, "callback": trap.URL, "object_kind": "push",
				"repository": map[string]any{"id": s.repo.ID, "url": trap.URL}, "project": map[string]any{"id": s.repo.ID, "web_url": trap.URL},
				"project_id": s.repo.ID,
			})
			s.must(err)
			event := "deployment_protection_rule"
			if s.gl != nil {
				event = "Push Hook"
			}
			s.deliver(event, body, header("X-Gitlab-Instance", trap.URL), header("X-GitHub-Enterprise-Host", trap.URL)).accepted()
			s.ask(r.job, claim("iss", trap.URL)).refused(gate.CodeIssuerUnknown)
			s.nudge()
			if calls.Load() != 0 {
				s.Errorf("expected no call but to the configured forge, got %d", calls.Load())
			}
		}},
	})
}
