package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
)

const (
	// longestPoll is the most that the server waits in one answer.
	longestPoll = time.Minute
	// pace is the least time between two polls, so that a server that answers at once
	// is not asked in a tight loop.
	pace = 2 * time.Second
	// judgeTime is how long a request that does not wait for people waits for the gate's
	// first look, and judgePace the time between two questions after it.
	judgeTime = 10 * time.Second
	judgePace = 200 * time.Millisecond
)

// session is one job talking to one gate.
type session struct {
	server *server
	job    job
	now    func() time.Time
	known  gate.RepositoryID // once asked for
}

// ask opens the request for the artifacts, or joins it.
func (s *session) ask(ctx context.Context, m gate.Manifest, stream string) (api.Release, error) {
	repository, err := s.repository(ctx)
	if err != nil {
		return api.Release{}, err
	}
	hash, err := canonical.AskHash(gate.Ask{
		Server: s.server.base.Host, Repository: repository, Ref: s.job.ref, Commit: s.job.commit, Stream: stream, Manifest: m,
	})
	if err != nil {
		return api.Release{}, err
	}
	audience := canonical.AskAudience(s.server.base.Host, hash)
	var r api.Release
	err = s.server.do(ctx, call{
		method: http.MethodPost, path: []string{"v1", "releases"}, into: &r,
		body: api.Ask{
			Repository: repository.String(), Ref: s.job.ref, Commit: s.job.commit, Stream: stream, Subjects: m.Subjects,
		},
		token: func(ctx context.Context) (string, error) { return s.job.token(ctx, audience) },
	})
	if err != nil {
		return api.Release{}, err
	}
	if r.ManifestDigest != m.Digest() || r.Ref != s.job.ref || r.Commit != s.job.commit || !goodID(r.ID) {
		return api.Release{}, s.server.unexpected("the request that was asked for",
			fmt.Sprintf("%.64q for %.80q at %.64q with manifest %s", r.ID, r.Ref, r.Commit, r.ManifestDigest))
	}
	return r, nil
}

// repository is the job's repository, under the name by which the gate knows the
// forge that the job runs on.
func (s *session) repository(ctx context.Context) (gate.RepositoryID, error) {
	if s.known != (gate.RepositoryID{}) {
		return s.known, nil
	}
	var forges []api.Forge
	if err := s.server.do(ctx, call{method: http.MethodGet, path: []string{"v1", "forges"}, into: &forges}); err != nil {
		return gate.RepositoryID{}, err
	}
	var others []string
	for _, f := range forges {
		if f.Kind == s.job.kind && sameForge(f.URL, s.job.forgeURL) {
			s.known = gate.RepositoryID{Forge: gate.ForgeID(f.Name), ID: s.job.repository}
			return s.known, nil
		}
		others = append(others, fmt.Sprintf("%.40q at %.120q", f.Name, f.URL))
	}
	return gate.RepositoryID{}, failed(ExitUsage, "the gate does not know this job's forge", orElse(strings.Join(others, ", "), "a forge"),
		fmt.Sprintf("%s at %q", s.job.kind, s.job.forgeURL), "ask whoever runs the gate to add it, or check --server")
}

// show reads the request, at once or when it changes within wait.
func (s *session) show(ctx context.Context, id string, wait, retryFor time.Duration) (api.Release, error) {
	c := s.about(http.MethodGet, id)
	if wait > 0 {
		c.query = url.Values{"wait": {wait.Truncate(time.Millisecond).String()}}
		c.waits = wait
	}
	c.retryFor = retryFor
	var r api.Release
	c.into = &r
	if err := s.server.do(ctx, c); err != nil {
		return api.Release{}, err
	}
	if r.ID != id {
		return api.Release{}, s.server.unexpected("request "+id, fmt.Sprintf("%.64q", r.ID))
	}
	return r, nil
}

// judged gives the gate a moment to look at a request that was opened just now, so that
// whoever asked reads what it waits for. Where that takes longer, r is all there is to say.
func (s *session) judged(ctx context.Context, r api.Release) api.Release {
	for end := s.now().Add(judgeTime); len(r.Checks) == 0 && !settled(r.State); {
		left := end.Sub(s.now())
		if left <= 0 {
			return r
		}
		next, err := s.show(ctx, r.ID, left, left)
		if err != nil {
			return r
		}
		r = next
		if len(r.Checks) == 0 && sleep(ctx, judgePace) != nil {
			return r
		}
	}
	return r
}

// collect fetches the files of a signed request.
func (s *session) collect(ctx context.Context, id string) (api.Collected, error) {
	c := s.about(http.MethodPost, id, "collect")
	var out api.Collected
	c.into = &out
	if err := s.server.do(ctx, c); err != nil {
		return api.Collected{}, err
	}
	if out.Release.ID != id {
		return api.Collected{}, s.server.unexpected("request "+id, fmt.Sprintf("%.64q", out.Release.ID))
	}
	return out, nil
}

// about is a call about one request, with an ID token made for it alone.
func (s *session) about(method, id string, more ...string) call {
	audience := canonical.RequestAudience(s.server.base.Host, id)
	return call{
		method: method, path: append([]string{"v1", "releases", id}, more...),
		token: func(ctx context.Context) (string, error) { return s.job.token(ctx, audience) },
	}
}

// wait polls until the request is signed or ended, or limit is over; each change is
// told to changed, and each poll to polling.
func (s *session) wait(ctx context.Context, r api.Release, limit, poll time.Duration, told watcher) (api.Release, error) {
	end := s.now().Add(limit)
	for current := r; ; {
		if settled(current.State) || audited(current) {
			return current, nil
		}
		began := s.now()
		left := end.Sub(began)
		if left <= 0 {
			return current, timedOut(current, limit)
		}
		told.polling(began, end)
		next, err := s.show(ctx, r.ID, min(left, poll, longestPoll), left)
		if err != nil {
			return current, err
		}
		if told.changed(next); settled(next.State) || audited(next) {
			return next, nil
		}
		current = next
		if err := sleep(ctx, min(pace, poll)-s.now().Sub(began)); err != nil {
			return next, err
		}
	}
}

// watcher is told how the waiting goes.
type watcher interface {
	changed(r api.Release)
	polling(now, end time.Time)
}

// settled reports whether waiting longer changes nothing.
func settled(s gate.State) bool { return s == gate.StateSigned || s.Ended() }

// audited reports whether nothing will be signed, whoever approves: the server, or the
// policy, only judges and reports.
func audited(r api.Release) bool { return r.Audit && !settled(r.State) }

func timedOut(r api.Release, limit time.Duration) *failure {
	f := failed(ExitTimeout, fmt.Sprintf("release %s is still %s after %s", gate.ShortRef(r.Ref), r.State, limit), "", "",
		fmt.Sprintf("it stays open until %s: once it is approved, start the job again, or run countersign collect --request-id %s",
			r.Expires.UTC().Format(time.RFC3339), r.ID))
	f.release = &r
	return f
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// goodID reports whether an id can be a request's (UUIDv7), and so is safe in a path.
func goodID(id string) bool {
	odd := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != '-' }
	return len(id) == 36 && strings.IndexFunc(id, odd) < 0
}
