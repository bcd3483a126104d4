package gitlab_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// found is the finding of an id, which has to be there once.
func found(t *testing.T, all []api.Finding, id string) api.Finding {
	t.Helper()
	var out []api.Finding
	for _, f := range all {
		if (f.Level == api.FindingPass) != (f.Fix == "") || f.Area == "" || f.Text == "" {
			t.Errorf("finding %+v", f)
		}
		if f.ID == id {
			out = append(out, f)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d findings %s in\n%s", len(out), id, texts(all))
	}
	return out[0]
}

const ciFile = "collect:\n  when: manual\n  script: [countersign collect]\nrelease:\n  script: [countersign request]\n"

// commitCI puts a CI file on the default branch.
func (s *stage) commitCI(content string) {
	s.t.Helper()
	s.Unprotect(s.repo, "refs/heads/main")
	s.Push(s.repo, s.ana, "refs/heads/main", s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.ana, Message: "CI", Files: map[string][]byte{".gitlab-ci.yml": []byte(content)},
	}))
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/main"})
}

func TestInspect(t *testing.T) {
	day := func(n int) time.Time { return time.Now().AddDate(0, 0, n) }
	for name, row := range map[string]struct {
		set   func(*stage)
		id    string
		level api.FindingLevel
		text  string
	}{
		"version":             {func(*stage) {}, "version", api.FindingPass, "GitLab 18.5.1, Community Edition"},
		"clock":               {func(*stage) {}, "clock", api.FindingPass, "agree within 10s"},
		"a good token":        {func(*stage) {}, "token", api.FindingPass, "is good until"},
		"a token without end": {func(s *stage) { s.SetTokenExpiry(s.BotToken(), time.Time{}) }, "token", api.FindingPass, "does not expire"},
		"a token of 31 days":  {func(s *stage) { s.SetTokenExpiry(s.BotToken(), day(32)) }, "token", api.FindingPass, "is good until"},
		"a token of 29 days":  {func(s *stage) { s.SetTokenExpiry(s.BotToken(), day(29)) }, "token", api.FindingWarning, "ends on"},
		"a token of two days": {func(s *stage) { s.SetTokenExpiry(s.BotToken(), day(2)) }, "token", api.FindingFailure, "nothing is signed after that"},
		"a token that reads":  {func(s *stage) { s.SetTokenScopes(s.BotToken(), "read_api") }, "scopes", api.FindingFailure, "and needs api"},
		"a token that rules":  {func(s *stage) { s.SetTokenScopes(s.BotToken(), "api", "sudo", "admin_mode") }, "scopes", api.FindingWarning, "sudo, admin_mode"},
		"a bot":               {func(*stage) {}, "account", api.FindingPass, "a bot"},
		"a revoked token":     {func(s *stage) { s.RevokeToken(s.BotToken()) }, "credential", api.FindingFailure, "does not take"},
		"GitLab down":         {func(s *stage) { s.Fail(forgetest.Fault{Status: 502}) }, "forge", api.FindingFailure, "502"},
		"an expired token":    {func(s *stage) { s.SetTokenExpiry(s.BotToken(), day(-1)) }, "credential", api.FindingFailure, "does not take"},
		"no projects":         {func(s *stage) { s.SetRole(s.repo, s.BotUser(), forgetest.RoleWrite) }, "projects", api.FindingWarning, "of no project"},
		"a project, no hook":  {func(*stage) {}, "projects", api.FindingWarning, "1 of 1 projects looked at"},
		"a project and hook":  {func(s *stage) { s.reconcile([]int64{s.repo.ID}, nil, secret) }, "projects", api.FindingPass, "of 1 projects; the 1 looked at ring it"},
		"no application":      {func(*stage) {}, "sign-in", api.FindingWarning, "nobody can sign in"},
		"a silent self":       {func(s *stage) { s.Fail(forgetest.Fault{Path: "/personal_access_tokens", Status: 404}) }, "token", api.FindingWarning, "neither"},
		"an odd date": {func(s *stage) {
			s.Fail(forgetest.Fault{Path: "/personal_access_tokens", Status: 200, Body: `{"scopes":["api"],"active":true,"expires_at":"soon"}`})
		}, "token", api.FindingWarning, `"soon"`},
		"odd metadata": {func(s *stage) { s.Fail(forgetest.Fault{Path: "/metadata", Status: 200, Body: `[]`}) }, "forge", api.FindingFailure, "not what its API describes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			row.set(s)
			all := s.forge.Inspect(t.Context(), hookURL)
			if got := found(t, all, row.id); got.Level != row.level || !strings.Contains(got.Text, row.text) || got.Area != "Forge gl" {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(texts(all), s.BotToken()) {
				t.Error("the token is in a finding")
			}
		})
	}
}

// an application that GitLab does not know is told of before somebody tries it
func TestInspectSignIn(t *testing.T) {
	for name, row := range map[string]struct {
		secret string
		set    func(*stage)
		level  api.FindingLevel
		text   string
	}{
		"known":            {"", func(*stage) {}, api.FindingPass, "GitLab knows the OAuth application"},
		"another secret":   {"another secret", func(*stage) {}, api.FindingFailure, "nobody can sign in"},
		"GitLab half down": {"", func(s *stage) { s.Fail(forgetest.Fault{Path: "/oauth/token", Status: 502}) }, api.FindingWarning, "cannot be told"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			if row.secret == "" {
				row.secret = s.ClientSecret()
			}
			row.set(s)
			f, err := gitlab.New(gitlab.Config{
				Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret), Now: time.Now,
				ClientID: s.ClientID(), ClientSecret: row.secret, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
			})
			if err != nil {
				t.Fatal(err)
			}
			all := f.Inspect(t.Context(), hookURL)
			if got := found(t, all, "sign-in"); got.Level != row.level || !strings.Contains(got.Text, row.text) || strings.Contains(texts(all), row.secret) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// clocks that differ are told of before they break ID tokens
func TestInspectClock(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	for skew, level := range map[time.Duration]api.FindingLevel{
		30 * time.Second: api.FindingWarning, -30 * time.Second: api.FindingWarning, 5 * time.Minute: api.FindingFailure, -5 * time.Minute: api.FindingFailure,
	} {
		f, err := gitlab.New(gitlab.Config{
			Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret),
			Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
			Now:    func() time.Time { return time.Now().Add(skew) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := found(t, f.Inspect(t.Context(), hookURL), "clock"); got.Level != level {
			t.Errorf("%s: %+v", skew, got)
		}
	}
}

func TestInspectRepository(t *testing.T) {
	for name, row := range map[string]struct {
		set   func(*stage)
		id    string
		level api.FindingLevel
		text  string
	}{
		"seen":             {func(*stage) {}, "project", api.FindingPass, "acme/widget"},
		"not seen":         {func(s *stage) { s.SetRole(s.repo, s.BotUser(), forgetest.RoleNone) }, "project", api.FindingFailure, "does not show"},
		"administered":     {func(*stage) {}, "access", api.FindingPass, "Maintainer"},
		"not administered": {func(s *stage) { s.SetRole(s.repo, s.BotUser(), forgetest.RoleWrite) }, "access", api.FindingFailure, "needs Maintainer"},
		"a hook":           {func(s *stage) { s.reconcile([]int64{s.repo.ID}, nil, secret) }, "hook", api.FindingPass, "all its events"},
		"no hook":          {func(*stage) {}, "hook", api.FindingFailure, "no hook"},
		"protected":        {func(*stage) {}, "branch", api.FindingPass, "merge requests alone"},
		"not protected":    {func(s *stage) { s.Unprotect(s.repo, "refs/heads/main") }, "branch", api.FindingFailure, "not protected"},
		"pushed to": {func(s *stage) {
			s.ProtectBranch(s.repo, gitlabtest.BranchRule{Name: "main", Push: []gitlabtest.AccessLevel{{Level: 30}}})
		}, "branch", api.FindingWarning, "developers and maintainers may push"},
		"forced":                    {func(s *stage) { s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/main", AllowForcePush: true}) }, "branch", api.FindingWarning, "force-pushed"},
		"no protected tags":         {func(*stage) {}, "tags", api.FindingWarning, "no tags are protected"},
		"protected tags":            {func(s *stage) { s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"}) }, "tags", api.FindingPass, "v* (created by maintainers)"},
		"tags closed to the gate":   {func(s *stage) { s.ProtectTag(s.repo, "v*", []gitlabtest.AccessLevel{{User: s.ana}}) }, "tags", api.FindingWarning, "may not create the tags v*"},
		"the job":                   {func(s *stage) { s.commitCI(ciFile) }, "ci", api.FindingPass, "the job release"},
		"another job":               {func(s *stage) { s.commitCI("build:\n  script: [make]\n") }, "ci", api.FindingWarning, "names no job release"},
		"no CI file":                {func(*stage) {}, "ci", api.FindingFailure, "does not hold"},
		"no lint":                   {func(s *stage) { s.Fail(forgetest.Fault{Path: "/ci/lint", Status: 403}) }, "ci", api.FindingWarning, "does not tell"},
		"the finishing job":         {func(s *stage) { s.commitCI(ciFile) }, "finish", api.FindingPass, "until the gate plays it"},
		"a finishing job that runs": {func(s *stage) { s.commitCI(strings.Replace(ciFile, "manual", "always", 1)) }, "finish", api.FindingFailure, "does not wait"},
		"no finishing job":          {func(s *stage) { s.commitCI("release:\n  script: [x]\n") }, "finish", api.FindingWarning, "no job collect"},
		"no environment":            {func(*stage) {}, "environment", api.FindingWarning, "no environment production"},
		"an environment": {func(s *stage) {
			s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: s.ana, Environment: "production"})
		}, "environment", api.FindingPass, "production"},
		"two people": {func(*stage) {}, "people", api.FindingPass, "2 people"},
		"one person": {func(s *stage) { s.SetRole(s.repo, s.bo, forgetest.RoleRead) }, "people", api.FindingFailure, "only @ana"},
		"nobody": {func(s *stage) {
			s.SetState(s.ana, "blocked")
			s.SetRole(s.repo, s.bo, forgetest.RoleNone)
		}, "people", api.FindingFailure, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			row.set(s)
			all := s.forge.InspectRepository(t.Context(), s.id(), gitlab.Wanted{Job: "release", Finish: "collect", Environment: "production", HookURL: hookURL})
			if got := found(t, all, row.id); got.Level != row.level || !strings.Contains(got.Text, row.text) {
				t.Errorf("got %+v", got)
			}
		})
	}
	s := newStage(t, gitlabtest.Options{})
	all := s.forge.InspectRepository(t.Context(), gate.RepositoryID{Forge: "other", ID: s.repo.ID}, gitlab.Wanted{})
	if got := found(t, all, "project"); got.Level != api.FindingFailure || len(all) != 1 {
		t.Errorf("another forge's: %s", texts(all))
	}
}

// what became of the latest deliveries tells a wrong secret from a server out of reach
func TestInspectDeliveries(t *testing.T) {
	for name, row := range map[string]struct {
		o     gitlabtest.Options
		codes []int
		level api.FindingLevel
		text  string
	}{
		"arrived":        {codes: []int{202, 202}, level: api.FindingPass, text: "the latest 2 deliveries arrived"},
		"one was lost":   {codes: []int{500, 202}, level: api.FindingWarning, text: "1 of the latest 2 did not"},
		"another secret": {codes: []int{202, 401}, level: api.FindingFailure, text: "the hook's secret is not the server's"},
		"out of reach":   {codes: []int{202, 503}, level: api.FindingFailure, text: "did not arrive (503)"},
		"disabled":       {o: gitlabtest.Options{DisableFailingHooks: true}, codes: []int{500, 500, 500, 500, 500}, level: api.FindingFailure, text: "GitLab sends nothing through it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, row.o)
			gateway := newGateway(t, row.codes)
			at := gateway + "/webhooks/gitlab/gl"
			if _, err := s.forge.Reconcile(t.Context(), []int64{s.repo.ID}, nil, at, []byte(secret)); err != nil {
				t.Fatal(err)
			}
			for i := range row.codes {
				s.Push(s.repo, s.ana, "refs/heads/side", s.commit(s.ana, strings.Repeat("x", i+1)))
			}
			s.Settle()
			got := found(t, s.forge.InspectRepository(t.Context(), s.id(), gitlab.Wanted{}), "deliveries")
			if got.Level != row.level || !strings.Contains(got.Text, row.text) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// a GitLab that keeps no list of deliveries leaves them out
func TestInspectWithoutDeliveries(t *testing.T) {
	s := newStage(t, gitlabtest.Options{WithoutHookEvents: true})
	s.reconcile([]int64{s.repo.ID}, nil, secret)
	if got := texts(s.forge.InspectRepository(t.Context(), s.id(), gitlab.Wanted{HookURL: hookURL})); strings.Contains(got, "deliver") {
		t.Error(got)
	}
}

// newGateway is a server that answers deliveries with one status after another.
func newGateway(t *testing.T, codes []int) string {
	t.Helper()
	next := make(chan int, len(codes))
	for _, c := range codes {
		next <- c
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-next) }))
	t.Cleanup(server.Close)
	return server.URL
}
