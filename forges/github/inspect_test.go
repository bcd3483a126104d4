package github_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// exam is a door whose webhook has a receiver that answers with a status.
type exam struct {
	*door
	hook   *httptest.Server
	status atomic.Int32
}

func newExam(t *testing.T, o githubtest.Options) *exam {
	t.Helper()
	e := &exam{door: newDoor(t, o)}
	e.status.Store(http.StatusAccepted)
	e.hook = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := int(e.status.Load())
		body, err := io.ReadAll(r.Body)
		if _, unproved := e.forge.Prove(r, body); err != nil || unproved != nil && status == http.StatusAccepted {
			status = http.StatusUnauthorized
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(e.hook.Close)
	e.SetEvents(github.Events()...)
	e.DeliverTo(e.hook.URL, secret)
	return e
}

// happen makes one delivery.
func (e *exam) happen() {
	e.push(e.ana, fmt.Sprintf("branch-%d", time.Now().UnixNano()), "Something", e.root)
	e.Settle()
}

// expect holds findings against "level id: part of the text" rows; no row, no finding that
// is no pass.
func expect(t *testing.T, what string, got []api.Finding, want ...string) {
	t.Helper()
	for _, f := range got {
		if f.Area == "" || f.ID == "" || f.Text == "" || (f.Fix == "") != (f.Level == api.FindingPass) {
			t.Errorf("%s: half a finding: %+v", what, f)
		}
	}
	line := func(f api.Finding) string { return fmt.Sprintf("%s %s: %s", f.Level, f.ID, f.Text) }
	fits := func(row string, f api.Finding) bool {
		head, text, _ := strings.Cut(row, ": ")
		return fmt.Sprintf("%s %s", f.Level, f.ID) == head && strings.Contains(f.Text, text)
	}
	for _, row := range want {
		found := false
		for _, f := range got {
			found = found || fits(row, f)
		}
		if !found {
			t.Errorf("%s: expected %q, got %+v", what, row, got)
		}
	}
	for _, f := range got {
		expected := f.Level == api.FindingPass
		for _, row := range want {
			expected = expected || fits(row, f)
		}
		if !expected {
			t.Errorf("%s: not expected: %s", what, line(f))
		}
	}
}

func TestInspect(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(e *exam)
		want  []string
	}{
		"all well": {func(*exam) {}, []string{
			"pass reach: GitHub answers", "pass clock: less than 60", "pass credential: App 424242, countersign", "pass permissions: all that",
			"pass events: hears of what", "pass webhook: to this server", "pass deliveries: no delivery of the last day was lost; the newest, push",
			"pass installations: 1 of 1", "pass sign-in: people sign in",
		}},
		"permissions missing and too many": {func(e *exam) {
			p := githubtest.DefaultPermissions()
			delete(p, "checks")
			p["issues"], p["administration"], p["secrets"] = "read", "write", "read"
			e.SetAppPermissions(p)
			e.SetPermissions(p)
		}, []string{
			"failure permissions: does not ask for checks: write", "failure permissions: issues: write",
			"warning permissions-broad: administration: write", "warning permissions-broad: secrets: read",
			"failure installations: acme lacks checks: write, issues: write",
		}},
		"an installation that did not accept": {func(e *exam) {
			e.SetPermissions(map[string]string{"metadata": "read"})
		}, []string{"failure installations: acme lacks actions: read"}},
		"a suspended installation": {func(e *exam) { e.Suspend(e.repo, true) }, []string{"warning installations: acme is suspended"}},
		"deaf":                     {func(e *exam) { e.SetEvents("deployment_protection_rule", "push", "issues") }, []string{"warning events: issue_comment"}},
		"deaf to deployments":      {func(e *exam) { e.SetEvents("push") }, []string{"failure events: never answered"}},
		"hears too much":           {func(e *exam) { e.SetEvents(append(github.Events(), "star")...) }, []string{"pass events: of star too"}},
		"a webhook to elsewhere": {func(e *exam) { e.DeliverTo(e.hook.URL+"/other?token=leaked", secret) },
			[]string{"failure webhook: goes to " + "http"}},
		"a webhook without secret": {func(e *exam) { e.DeliverTo(e.hook.URL, "") }, []string{"failure webhook: has no secret"}},
		"a webhook of forms":       {func(e *exam) { e.SetHook("form", false) }, []string{"failure webhook: forms"}},
		"a webhook that trusts":    {func(e *exam) { e.SetHook("json", true) }, []string{"warning webhook: certificate"}},
		"no webhook":               {func(e *exam) { e.DeliverTo("", "") }, []string{"failure webhook: no webhook"}},
		"another secret": {func(e *exam) { e.status.Store(401); e.happen() }, []string{
			"warning deliveries: (401: "}},
		"deliveries without answer": {func(e *exam) {
			e.hook.Close()
			e.DeliverTo(e.hook.URL, secret)
			e.happen()
		}, []string{"warning deliveries: (no answer: "}},
		"hook settings that cannot be read": {func(e *exam) { e.Fail(forgetest.Fault{Path: "/app/hook/config", Status: 500}) },
			[]string{"warning webhook: does not tell"}},
		"deliveries that cannot be read": {func(e *exam) { e.Fail(forgetest.Fault{Path: "/app/hook/deliveries", Status: 500}) },
			[]string{"warning deliveries: cannot be listed"}},
		"installations that cannot be read": {func(e *exam) { e.Fail(forgetest.Fault{Path: "/app/installations", Status: 500}) },
			[]string{"failure installations: cannot be listed"}},
		"another App":           {func(e *exam) { e.Fail(forgetest.Fault{Path: "/api/v3/app", Status: 200, Body: `{"id":1}`, Times: 1}) }, []string{"failure credential: App 1, expected App 424242", "warning clock: "}},
		"a refused key":         {func(e *exam) { e.Fail(forgetest.Fault{Path: "/api/v3/app", Status: 401}) }, []string{"failure credential: does not take"}},
		"a page":                {func(e *exam) { e.Fail(forgetest.Fault{Path: "/api/v3/app", Status: 200, Body: "<p>hello"}) }, []string{"failure credential: does not fit"}},
		"a GitHub that is down": {func(e *exam) { e.Close() }, []string{"failure reach: does not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newExam(t, githubtest.Options{})
			e.happen()
			want := e.hook.URL
			row.spoil(e)
			got := e.forge.Inspect(t.Context(), want)
			for i, f := range got { // a fault answers without the time
				if f.ID == "clock" && f.Level == api.FindingWarning {
					got[i].Level, got[i].Fix = api.FindingPass, ""
				}
				if strings.Contains(f.Text+f.Fix, "leaked") {
					t.Errorf("told: %+v", f)
				}
			}
			wants := row.want
			for i, w := range wants {
				wants[i] = strings.Replace(w, "warning clock: ", "pass clock: ", 1)
			}
			expect(t, name, got, wants...)
		})
	}
}

func TestInspectClocks(t *testing.T) {
	e := newExam(t, githubtest.Options{})
	e.happen()
	for apart, want := range map[time.Duration]string{0: "pass clock: less than", 50 * time.Second: "pass clock: less than", -2 * time.Minute: "failure clock: 1"} {
		f := e.open(func(c *github.Config) { c.Now = func() time.Time { return time.Now().Add(apart) } })
		expect(t, apart.String(), f.Inspect(t.Context(), e.hook.URL), want)
	}
	nobody := e.team.forge
	expect(t, "no client", nobody.Inspect(t.Context(), e.hook.URL), "warning sign-in: nobody can sign in")
	other := e.open(func(c *github.Config) { c.ClientID = "Iv1.other" })
	expect(t, "another client", other.Inspect(t.Context(), e.hook.URL), "failure sign-in: not the App's")
}

func TestInspectWithoutInstallations(t *testing.T) {
	d := newDoor(t, githubtest.Options{NotInstalled: true})
	d.SetEvents(github.Events()...)
	d.DeliverTo("http://127.0.0.1:7/hook", secret)
	expect(t, "fresh", d.forge.Inspect(t.Context(), "http://127.0.0.1:7/hook"), "warning installations: nowhere", "warning deliveries: nothing")
}

func TestRoundTrip(t *testing.T) {
	e := newExam(t, githubtest.Options{})
	trip := func(want string) {
		t.Helper()
		expect(t, want, []api.Finding{e.forge.RoundTrip(t.Context())}, want)
	}
	trip("warning webhook-secret: nothing to deliver again")
	e.happen()
	trip("pass webhook-secret: its proof holds")
	e.DeliverTo(e.hook.URL, "not "+secret)
	trip("failure webhook-secret: another webhook secret")
	e.DeliverTo(e.hook.URL, secret)
	e.status.Store(503)
	trip("failure webhook-secret: did not arrive: 503")
	restore := e.Fail(forgetest.Fault{Method: http.MethodPost, Path: "/attempts", Status: 500})
	trip("warning webhook-secret: could not be tried")
	restore()
	if guid, err := e.forge.Ping(t.Context()); guid == "" || err != nil {
		t.Errorf("ping: got %q, %v", guid, err)
	}
	e.Settle()
}

// What went wrong is seen where several attempts were made, the last one in vain.
func TestDeliveryThatArrivedBefore(t *testing.T) {
	e := newExam(t, githubtest.Options{})
	e.happen()
	e.status.Store(500)
	e.Redeliver(5)
	e.Settle()
	expect(t, "arrived before", e.forge.Inspect(t.Context(), e.hook.URL), "pass deliveries: was lost; the newest")
}

func TestInstallationsListed(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	all, err := w.forge.Installations(t.Context())
	if err != nil || len(all) != 1 || all[0].Owner.ID.ID != w.repo.OwnerID || all[0].Owner.Login != "acme" || all[0].OwnerIsUser || all[0].Suspended || all[0].All {
		t.Errorf("got %+v, %v", all, err)
	}
	w.Suspend(w.repo, true)
	if all, err := w.forge.Installations(t.Context()); err != nil || !all[0].Suspended {
		t.Errorf("suspended: got %+v, %v", all, err)
	}
	w.Fail(forgetest.Fault{Status: 503})
	if all, err := w.forge.Installations(t.Context()); gate.KindOf(err) != gate.Unavailable || all != nil {
		t.Errorf("down: got %+v, %v", all, err)
	}
}

const asks = "jobs:\n  release:\n    permissions:\n      id-token: write\n"

func TestInspectRepository(t *testing.T) {
	well := func(w *team) {
		w.Protect(w.repo, forgetest.Protection{Ref: mainRef, Reviews: 1})
		w.GuardEnvironment(w.repo, "release")
		w.SetImmutableReleases(w.repo, true)
	}
	want := github.Wanted{Workflow: "release.yml", Finish: ".github/workflows/finish.yml", Environment: "release"}
	for name, row := range map[string]struct {
		spoil func(w *team)
		want  github.Wanted
		rows  []string
	}{
		"all well": {well, want, []string{
			"pass installed: acme/app", "pass protection: main is protected by", "pass workflow: asks for an ID token", "pass finish: finish.yml is on main",
			"pass environment: wait for the gate", "pass immutable-releases: immutable", "pass writers: 3 (@ana, @bo, @cy)",
		}},
		"nothing named": {well, github.Wanted{}, nil},
		"evidence that has no place": {well, github.Wanted{Publish: []gate.Publication{gate.PublishAssets, gate.PublishAttestations}},
			[]string{"failure publish-assets: may not write contents", "failure publish-attestations: may not write attestations"}},
		"evidence that has its place": {func(w *team) { well(w); w.SetPermissions(publishing().Permissions) }, github.Wanted{
			Publish: []gate.Publication{gate.PublishAssets, gate.PublishAttestations},
		}, []string{"pass publish-assets: may write contents", "pass publish-attestations: may write attestations"}},
		"another repository's workflow": {well, github.Wanted{Workflow: "acme/ci/.github/workflows/sign.yml@" + strings.Repeat("a", 40)},
			[]string{"pass workflow: is another repository's"}},
		"no such workflows": {well, github.Wanted{Workflow: "other.yml", Finish: "gone.yml"},
			[]string{"failure workflow: main has no .github/workflows/other.yml", "failure finish: gone.yml"}},
		"a path that leads off": {well, github.Wanted{Workflow: "../../secrets"}, []string{"failure workflow: cannot be read"}},
		"no ID token":           {well, github.Wanted{Workflow: "plain.yml"}, []string{"warning workflow: asks for no ID token"}},
		"nothing done": {func(*team) {}, github.Wanted{Environment: "release"}, []string{
			"failure protection: not protected", "failure environment: no environment release", "warning immutable-releases: not immutable",
		}},
		"an environment without the rule": {func(w *team) { well(w); w.AddEnvironment(w.repo, "prod") }, github.Wanted{Environment: "prod"},
			[]string{"failure environment: do not wait"}},
		"weak protection": {func(w *team) {
			well(w)
			w.Protect(w.repo, forgetest.Protection{Ref: mainRef, AllowForcePush: true, AdminsExempt: true})
		}, github.Wanted{}, []string{"warning protection: force pushes", "warning protection: administrators", "warning protection: without a review"}},
		"one writer": {func(w *team) {
			well(w)
			w.SetRole(w.repo, w.bo, forgetest.RoleRead)
			w.SetRole(w.repo, w.cy, forgetest.RoleNone)
		}, github.Wanted{}, []string{"failure writers: only @ana"}},
		"not installed": {func(w *team) { w.Uninstall(w.repo) }, want, []string{"failure installed: not installed"}},
		"suspended":     {func(w *team) { w.Suspend(w.repo, true) }, want, []string{"failure installed: suspended"}},
		"down":          {func(w *team) { w.Fail(forgetest.Fault{Status: 503}) }, want, []string{"failure installed: cannot be read"}},
		"without rights": {func(w *team) {
			well(w)
			p := maps.Clone(githubtest.DefaultPermissions())
			delete(p, "administration")
			delete(p, "actions")
			w.SetPermissions(p)
		}, github.Wanted{Environment: "release"}, []string{
			"failure protection: cannot be read", "failure environment: cannot be read", "warning immutable-releases: cannot be read",
		}},
		"without contents": {func(w *team) {
			well(w)
			p := maps.Clone(githubtest.DefaultPermissions())
			delete(p, "contents")
			w.SetPermissions(p)
		}, github.Wanted{Workflow: "release.yml"}, []string{"failure workflow: cannot be read"}},
		"parts that are down": {func(w *team) {
			well(w)
			w.Fail(forgetest.Fault{Path: "/deployment_protection_rules", Status: 500})
			w.Fail(forgetest.Fault{Path: "/collaborators", Status: 500})
			w.Fail(forgetest.Fault{Path: "/immutable-releases", Status: 200, Body: "{}"})
			w.Fail(forgetest.Fault{Path: "/contents/", Status: 500})
		}, github.Wanted{Workflow: "release.yml", Environment: "release"}, []string{
			"failure environment: cannot be read", "failure writers: cannot be read", "warning immutable-releases: does not tell", "failure workflow: cannot be read",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			sha := w.Commit(w.repo, forgetest.CommitSpec{Author: w.ana, Message: "Workflows", Parents: []string{w.root}, Files: map[string][]byte{
				".github/workflows/release.yml": []byte(asks), ".github/workflows/finish.yml": []byte("permissions: write-all\n"),
				".github/workflows/plain.yml": []byte("jobs: {}\n# id-token: write\n"),
			}})
			w.Push(w.repo, w.ana, mainRef, sha)
			id := w.id()
			row.spoil(w)
			expect(t, name, w.forge.InspectRepository(t.Context(), id, row.want), row.rows...)
		})
	}
}
