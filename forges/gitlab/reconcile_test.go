package gitlab_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

const (
	hookURL       = "https://gate.example/webhooks/gitlab/gl"
	signingSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// library is go-gitlab as the gate's account.
func (s *stage) library() *lib.Client { //nolint:staticcheck // the library that the gate uses
	s.t.Helper()
	c, err := lib.NewClient(s.BotToken(), lib.WithBaseURL(s.APIURL()), lib.WithCustomRetryMax(0), //nolint:staticcheck // as above
		lib.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stage) hooks() []*lib.ProjectHook {
	s.t.Helper()
	rows, _, err := s.library().Projects.ListProjectHooks(int(s.repo.ID), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func (s *stage) reconcile(projects, groups []int64, secret string) []api.Finding {
	s.t.Helper()
	found, err := s.forge.Reconcile(s.t.Context(), projects, groups, hookURL, []byte(secret))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range found {
		if (f.Level == api.FindingPass) != (f.Fix == "") || f.ID == "" || f.Area == "" || strings.Contains(f.Text+f.Fix, secret) {
			s.t.Errorf("finding %+v", f)
		}
	}
	return found
}

func texts(found []api.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, string(f.Level)+": "+f.Text)
	}
	return strings.Join(out, "\n")
}

func TestReconcileAProject(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	only := []int64{s.repo.ID}
	if got := texts(s.reconcile(only, nil, secret)); got != "pass: a hook of acme/widget was made" {
		t.Errorf("first: %s", got)
	}
	first := s.hooks()
	if len(first) != 1 || first[0].URL != hookURL || !first[0].EnableSSLVerification || !first[0].PushEvents || !first[0].TagPushEvents ||
		!first[0].MergeRequestsEvents || !first[0].NoteEvents || !first[0].JobEvents || !first[0].PipelineEvents ||
		first[0].IssuesEvents || first[0].ConfidentialNoteEvents {
		t.Fatalf("made: %+v", first[0])
	}
	if got := texts(s.reconcile(only, nil, secret)); got != "pass: the hook of acme/widget holds; its secret was set anew" {
		t.Errorf("again: %s", got)
	}
	if again := s.hooks(); len(again) != 1 || again[0].ID != first[0].ID {
		t.Errorf("again: %d hooks", len(again))
	}
}

// what somebody changed is mended, what is doubled removed, what is another's left alone
func TestReconcileMends(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.library()
	for _, address := range []string{"https://elsewhere.example/webhooks/gitlab/gl", hookURL, hookURL, hookURL + "/more"} {
		_, _, err := c.Projects.AddProjectHook(int(s.repo.ID), &lib.AddProjectHookOptions{
			URL: lib.Ptr(address), EnableSSLVerification: lib.Ptr(false), PushEventsBranchFilter: lib.Ptr("main"), NoteEvents: lib.Ptr(false),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	oldest := s.hooks()[1].ID
	got := texts(s.reconcile([]int64{s.repo.ID}, nil, secret))
	for _, part := range []string{
		"what else of acme/widget led to the same address was removed: hook 6", "brought up to date: it does not send tag_push_events",
		"it does not verify the server's certificate", `it sends pushes to "main" alone`, "it has no secret",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("expected %q in:\n%s", part, got)
		}
	}
	var left []string
	for _, h := range s.hooks() {
		left = append(left, h.URL)
		if h.URL == hookURL && (h.ID != oldest || !h.EnableSSLVerification || !h.NoteEvents || h.PushEventsBranchFilter != "") {
			t.Errorf("mended: %+v", h)
		}
	}
	slices.Sort(left)
	if strings.Join(left, " ") != "https://elsewhere.example/webhooks/gitlab/gl "+hookURL+" "+hookURL+"/more" {
		t.Errorf("left: %v", left)
	}
}

func TestReconcileGroups(t *testing.T) {
	for name, row := range map[string]struct {
		o     gitlabtest.Options
		level int
		want  string
		hooks int // of the project
	}{
		"premium, by an owner": {gitlabtest.Options{Premium: true}, 50,
			"pass: a hook of group acme was made\npass: acme/widget needs no hook of its own: its group's rings for it", 0},
		"premium, by a maintainer": {gitlabtest.Options{Premium: true}, 40,
			"warning: group acme can have no hooks by the gate's account: group webhooks need a paid tier and an Owner\npass: a hook of acme/widget was made", 1},
		"free": {gitlabtest.Options{}, 50,
			"warning: group acme can have no hooks by the gate's account: group webhooks need a paid tier and an Owner\npass: a hook of acme/widget was made", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, row.o)
			s.SetGroupLevel("acme", s.BotUser(), row.level)
			if got := texts(s.reconcile([]int64{s.repo.ID}, []int64{s.repo.OwnerID}, secret)); got != row.want {
				t.Errorf("got:\n%s", got)
			}
			if n := len(s.hooks()); n != row.hooks {
				t.Errorf("%d hooks", n)
			}
		})
	}
}

// a group's hook takes the place of those of its projects
func TestReconcileMovesToTheGroup(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	s.reconcile([]int64{s.repo.ID}, nil, secret)
	s.SetGroupLevel("acme", s.BotUser(), 50)
	s.reconcile([]int64{s.repo.ID}, []int64{s.repo.OwnerID}, secret)
	if n := len(s.hooks()); n != 0 {
		t.Errorf("%d hooks are left", n)
	}
}

func TestReconcileRefused(t *testing.T) {
	for name, row := range map[string]struct {
		o      gitlabtest.Options
		set    func(*stage)
		secret string
		want   string
	}{
		"a developer's account":   {set: func(s *stage) { s.SetRole(s.repo, s.BotUser(), forgetest.RoleWrite) }, want: "closed to the gate's account"},
		"no member":               {set: func(s *stage) { s.SetRole(s.repo, s.BotUser(), forgetest.RoleNone) }, want: "cannot be read"},
		"GitLab down":             {set: func(s *stage) { s.Fail(forgetest.Fault{Path: "/hooks", Status: 502}) }, want: "cannot be read: GitLab answered 502"},
		"a write that is refused": {set: func(s *stage) { s.Fail(forgetest.Fault{Path: "/hooks", Method: "POST", Status: 403}) }, want: "may not"},
		"an address it blocks":    {set: func(s *stage) { s.Fail(forgetest.Fault{Path: "/hooks", Method: "POST", Status: 422}) }, want: "GitLab takes no hook"},
		"an answer of another": {set: func(s *stage) {
			s.Fail(forgetest.Fault{Path: "/hooks", Method: "POST", Status: 201, Body: `{"id":1,"url":"https://evil.example"}`})
		}, want: "not what its API describes"},
		"signing tokens unknown": {o: gitlabtest.Options{WithoutSigningTokens: true}, set: func(*stage) {}, secret: signingSecret, want: "would prove nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, row.o)
			row.set(s)
			if row.secret == "" {
				row.secret = secret
			}
			found := s.reconcile([]int64{s.repo.ID}, nil, row.secret)
			if len(found) != 1 || found[0].Level != api.FindingFailure || !strings.Contains(found[0].Text, row.want) {
				t.Errorf("got %s", texts(found))
			}
		})
	}
	s := newStage(t, gitlabtest.Options{})
	for name, row := range map[string]struct{ address, secret string }{
		"no address":        {"", secret},
		"no host":           {"https:///webhooks", secret},
		"another scheme":    {"ftp://gate.example/", secret},
		"a user in it":      {"https://u:p@gate.example/", secret},
		"no secret":         {hookURL, ""},
		"no signing secret": {hookURL, "whsec_"},
	} {
		if _, err := s.forge.Reconcile(t.Context(), []int64{s.repo.ID}, nil, row.address, []byte(row.secret)); gate.CodeOf(err) != gate.CodeConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.hooks()); n != 0 {
		t.Errorf("%d hooks were made", n)
	}
}

// GitLab calls nobody in its own network unless its administrator allows it
func TestReconcileLocalAddress(t *testing.T) {
	s := newStage(t, gitlabtest.Options{LocalHooksForbidden: true})
	got, err := s.forge.Reconcile(t.Context(), []int64{s.repo.ID}, nil, "http://127.0.0.1:8080/webhooks/gitlab/gl", []byte(secret))
	if err != nil || len(got) != 1 || got[0].Level != api.FindingFailure || !strings.Contains(got[0].Fix, "requests to the local network") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReconcileSigned(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	if got := texts(s.reconcile([]int64{s.repo.ID}, nil, signingSecret)); got != "pass: a hook of acme/widget was made" {
		t.Error(got)
	}
}

// a hook that GitLab disabled is woken by a test delivery
func TestReconcileWakes(t *testing.T) {
	s := newStage(t, gitlabtest.Options{DisableFailingHooks: true})
	s.reconcile([]int64{s.repo.ID}, nil, secret)
	row := s.hooks()[0]
	_, _, err := s.library().Projects.EditProjectHook(int(s.repo.ID), row.ID, &lib.EditProjectHookOptions{URL: lib.Ptr("http://127.0.0.1:1/")})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.Push(s.repo, s.ana, "refs/heads/side", s.commit(s.ana, "x"))
		s.DeleteRef(s.repo, s.ana, "refs/heads/side")
	}
	s.Settle()
	if _, _, err = s.library().Projects.EditProjectHook(int(s.repo.ID), row.ID, &lib.EditProjectHookOptions{URL: lib.Ptr(hookURL)}); err != nil {
		t.Fatal(err)
	}
	if got := texts(s.reconcile([]int64{s.repo.ID}, nil, secret)); !strings.Contains(got, "it had been disabled, and a test delivery was sent") {
		t.Error(got)
	}
}

func TestProjectsAndGroups(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	other := s.AddRepository("acme/another")
	s.SetRole(other, s.BotUser(), forgetest.RoleWrite)
	open := s.AddRepository("beta/open")
	s.Publish(open)
	s.SetRole(open, s.BotUser(), forgetest.RoleNone)
	s.AddRepository("alpha/first")
	got, err := s.forge.Projects(t.Context())
	if err != nil || len(got) != 2 || got[0] != (gitlab.Project{ID: s.repo.ID, Path: "acme/widget"}) || got[1].Path != "alpha/first" {
		t.Errorf("got %+v, %v", got, err)
	}
	facts, err := s.forge.Repositories(t.Context())
	if err != nil || len(facts) != 2 || facts[0].ID.ID != s.repo.ID || facts[0].FullName != "acme/widget" || facts[0].DefaultBranch != "main" || !facts[0].Private {
		t.Errorf("got %+v, %v", facts, err)
	}
	s.SetGroupLevel("acme", s.BotUser(), 50)
	s.SetGroupLevel("beta", s.BotUser(), 40)
	groups, err := s.forge.Groups(t.Context())
	if err != nil || len(groups) != 1 || groups[0].Path != "acme" || groups[0].ID != s.repo.OwnerID {
		t.Errorf("got %+v, %v", groups, err)
	}
	s.RevokeToken(s.BotToken())
	if _, err := s.forge.Projects(t.Context()); gate.KindOf(err) != gate.Refused {
		t.Errorf("without a token: %v", err)
	}
}
