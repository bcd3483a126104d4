package githubtest

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// review is one submitted review of a pull request at one head.
type review struct {
	id, author int64
	state      string // APPROVED, CHANGES_REQUESTED, DISMISSED
	commit     string
	when       time.Time
}

// Review approves or rejects the current head, or dismisses by's own latest approval.
func (s *Server) Review(c forgetest.Change, by forgetest.Person, verdict forgetest.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, t := s.thread(c)
	if t.pull == nil {
		panic(fmt.Sprintf("review #%d of %q: expected a pull request", c.Number, c.Repository.FullName))
	}
	who := s.who(by)
	switch verdict {
	case forgetest.ReviewApprove:
		s.addReview(r, t, who, "APPROVED")
	case forgetest.ReviewReject:
		s.addReview(r, t, who, "CHANGES_REQUESTED")
	case forgetest.ReviewDismiss:
		for i := len(t.pull.reviews) - 1; i >= 0; i-- {
			if v := t.pull.reviews[i]; v.author == who.id && v.state == "APPROVED" {
				s.dismiss(r, t, v, who)
				return
			}
		}
	}
}

func (s *Server) addReview(r *repository, t *thread, who *account, state string) {
	v := &review{id: s.next("review"), author: who.id, state: state, commit: t.pull.headSHA, when: s.now()}
	t.pull.reviews = append(t.pull.reviews, v)
	s.emit(r, "pull_request_review", "submitted", who, obj{"review": s.reviewEvent(r, t, v), "pull_request": s.pullJSON(r, t)})
}

func (s *Server) dismiss(r *repository, t *thread, v *review, who *account) {
	v.state = "DISMISSED"
	s.emit(r, "pull_request_review", "dismissed", who, obj{"review": s.reviewEvent(r, t, v), "pull_request": s.pullJSON(r, t)})
}

// dismissStale dismisses approvals after a push where the target's classic rule or an
// active ruleset has reviews dismissed (the double's classic rules always do).
func (s *Server) dismissStale(r *repository, t *thread, who *account) {
	ref := "refs/heads/" + t.pull.target
	stale := false
	if rule := r.classic(t.pull.target); rule != nil && rule.Reviews > 0 {
		stale = true
	}
	for _, x := range r.rulesets {
		for _, rule := range x.Rules {
			parameters, _ := rule["parameters"].(map[string]any)
			if x.Enforcement == "active" && x.covers(r, ref) && parameters["dismiss_stale_reviews_on_push"] == true {
				stale = true
			}
		}
	}
	if !stale {
		return
	}
	for _, v := range t.pull.reviews {
		if v.state == "APPROVED" {
			s.dismiss(r, t, v, who)
		}
	}
}

// reviewJSON is `components.schemas.pull-request-review`.
func (s *Server) reviewJSON(r *repository, t *thread, v *review) obj {
	page := s.repoWeb(r, "/pull/%d#pullrequestreview-%d", t.number, v.id)
	self := s.repoAPI(r, "/pulls/%d", t.number)
	return obj{
		"id": v.id, "node_id": nodeID("PRR", v.id), "user": s.userOrNull(s.accounts[v.author]), "body": "", "state": v.state,
		"html_url": page, "pull_request_url": self, "_links": obj{"html": href(page), "pull_request": href(self)},
		"submitted_at": stamp(v.when), "commit_id": v.commit, "author_association": s.association(r, v.author),
	}
}

// reviewEvent is a review in a payload, where the state is in lower case
// (npm @octokit/webhooks-examples, pull_request_review).
func (s *Server) reviewEvent(r *repository, t *thread, v *review) obj {
	out := s.reviewJSON(r, t, v)
	out["state"] = map[string]string{
		"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested", "DISMISSED": "dismissed",
	}[v.state]
	return out
}

func pullReviews(c *call) reply {
	t := c.pull()
	if t == nil {
		return notFound()
	}
	return paged(c, t.pull.reviews, func(v *review) obj { return c.reviewJSON(c.repo, t, v) })
}
