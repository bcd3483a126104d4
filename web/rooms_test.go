package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/policy"
	life "github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web"
)

// house is what the pages of repositories, keys and operations look at, in memory.
type house struct {
	*town

	adoptions []gate.Adoption // of the one repository, the newest first
	many      int             // repositories; 0 for the one
	newer     *gate.Proposal
	reach     map[gate.ForgeID]web.Reach
	candidate life.Candidate
	unread    error // of the policy file
	adopted   []life.Adoption
	refusal   error // of an adoption
	uses      []gate.KeyUse
	worked    []int64
	told      []string
	examined  int
}

const policyFile = "version: 1\nreleases:\n  - workflow: release.yml\n"

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{
		adoptions: []gate.Adoption{{
			Repository: gatetest.Repository(), Name: "acme/widget", Owner: gatetest.Acme(), File: []byte(policyFile),
			Commit: gatetest.Head, Baseline: gatetest.Baseline, DefaultBranch: "main", By: "@root (github:901)", Public: true, At: noon(),
		}},
		candidate: life.Candidate{File: gate.PolicyFile{
			Repository: gate.RepositoryFacts{ID: gatetest.Repository(), FullName: "acme/widget", DefaultBranch: "main"},
			Commit:     strings.Repeat("c", 40), Path: policy.Path, Content: []byte(policyFile + "    expires: 24h\n"),
		}},
		uses: []gate.KeyUse{
			{Lineage: "acme.release", Version: 1, Signatures: 40, Releases: 20, Orphans: 2, First: noon(), Last: noon()},
			{Lineage: "gone", Version: 1, Signatures: 1, Releases: 1, First: noon(), Last: noon()},
		},
	}
	h.reach = map[gate.ForgeID]web.Reach{}
	h.town = newTown(t, func(c *web.Config) {
		c.Reaches = h.reach
		c.Board, c.Workshop, c.Outbox, c.Policies, c.Proposals, c.Doctor = h, h, h, h, h, h
		c.Bindings = life.Keyring{{
			Version:      gate.KeyVersion{Lineage: "acme.release", Version: 2},
			Repositories: []gate.RepositoryID{gatetest.Repository(), {Forge: "github", ID: 666}}, Owners: []gate.AccountID{{Forge: "gitlab", ID: 77}},
		}}
	})
	return h
}

func (h *house) List(ctx context.Context, q gate.ListQuery) ([]gate.Record, error) {
	return h.world.List(ctx, q)
}

func (h *house) History(ctx context.Context, request string) ([]gate.Happening, error) {
	return h.world.History(ctx, request)
}

func (h *house) Enrolled(ctx context.Context, limit int) ([]gate.Enrolled, error) {
	var out []gate.Enrolled
	for range max(h.many, 1) {
		a := h.adoptions[0]
		e := gate.Enrolled{Adoption: a, Open: 1, Signed: 7, Last: noon()}
		newest, err := h.List(ctx, gate.ListQuery{Repository: a.Repository, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(newest) > 0 {
			e.Latest = &newest[0]
		}
		out = append(out, e)
	}
	return out[:min(limit, len(out))], h.fail
}

func (h *house) Adoptions(_ context.Context, r gate.RepositoryID) ([]gate.Adoption, error) {
	if r != gatetest.Repository() {
		return nil, h.fail
	}
	return h.adoptions, h.fail
}

func (h *house) KeyUses(context.Context) ([]gate.KeyUse, error) { return h.uses, h.fail }

func (h *house) Queues(context.Context) ([]gate.Queued, error) {
	return []gate.Queued{{Name: "deliveries", Open: 3, Oldest: noon()}, {Name: "posts"}}, h.fail
}

func (h *house) Deliveries(_ context.Context, before int64, open bool, limit int) ([]gate.Received, error) {
	var out []gate.Received
	for seq := int64(30); seq > 0 && len(out) < limit; seq-- {
		d := gate.Received{Seq: seq, Forge: "github", ID: "d-" + strings.Repeat("x", int(seq)), Event: "push", Received: noon(), Done: noon()}
		if seq == 2 {
			d.Done, d.Why = time.Time{}, "the forge did not answer"
		}
		if (before == 0 || seq < before) && (!open || d.Done.IsZero()) {
			out = append(out, d)
		}
	}
	return out, h.fail
}

func (h *house) WorkAgain(_ context.Context, seq int64) error {
	if seq > 30 {
		return none()
	}
	h.worked = append(h.worked, seq)
	return nil
}

func (h *house) SigningMicros(context.Context, int) ([]int64, error) {
	return []int64{900, 5000, 7000, 9000, 2_500_000}, h.fail
}

func (h *house) Untold(context.Context, int) ([]web.Untold, error) {
	return []web.Untold{{Post: gate.Post{ID: unsigned, Target: gate.PostComment, Repository: gatetest.Repository()}, Why: "403: no right to comment", Refusals: 50, At: noon()}}, h.fail
}

func (h *house) TellAgain(_ context.Context, post string) error {
	h.told = append(h.told, post)
	return nil
}

func (h *house) Candidate(context.Context, gate.RepositoryID) (life.Candidate, error) {
	return h.candidate, h.unread
}

func (h *house) Adopt(_ context.Context, o life.Adoption) (gate.Adoption, error) {
	if h.refusal != nil {
		return gate.Adoption{}, h.refusal
	}
	h.adopted = append(h.adopted, o)
	return gate.Adoption{Repository: o.Repository, Commit: o.Commit}, nil
}

func (h *house) Explain(gate.Adoption) ([]policy.Explained, error) {
	return []policy.Explained{{Name: "release", Line: 3, Values: []policy.Value{
		{Field: "workflow", Value: "release.yml", Written: true, Line: 3, Source: "file"},
		{Field: "branch.min_reviews", Value: "1", Source: "default"},
		{Field: "approvals", Value: "2 with write", Source: "default, floor acme"},
	}}}, nil
}

func (h *house) Proposal(context.Context, gate.RepositoryID) (gate.Proposal, bool, error) {
	if h.newer == nil {
		return gate.Proposal{}, false, h.fail
	}
	return *h.newer, true, h.fail
}

func (h *house) Examine(context.Context) []api.Finding {
	h.examined++
	return []api.Finding{
		{ID: "db", Area: "Database", Level: api.FindingPass, Text: "it opens"},
		{ID: "hook", Area: "Deliveries", Level: api.FindingPass, Text: "the last one came"},
		{ID: "lost", Area: "Deliveries", Level: api.FindingFailure, Text: "three were lost", Fix: "redeliver them"},
	}
}

func (h *house) ExamineRepository(context.Context, gate.RepositoryID) []api.Finding {
	h.examined++
	return []api.Finding{{ID: "cover", Area: "People", Level: api.FindingWarning, Text: "only @bo could cover it", Fix: "add a maintainer"}}
}

// who is one kind of visitor, as rows name them.
func (h *house) who(t *testing.T, name string) *chrome {
	t.Helper()
	switch name {
	case "nobody":
		return h.chrome(t)
	case "root":
		return h.signedIn(t, root())
	case "writer":
		h.github.set(gatetest.Bo().ID, gate.RoleWrite)
		return h.signedIn(t, gatetest.Bo())
	case "reader":
		h.github.set(gatetest.Ana().ID, gate.RoleRead)
		return h.signedIn(t, gatetest.Ana())
	case "outsider":
		return h.signedIn(t, eve())
	}
	t.Fatalf("nobody is called %s here", name)
	return nil
}

const widget = "/repositories/github/1296269"

// Who sees what of a repository. What somebody may not see looks like what is not there.
func TestWhoSeesRepositories(t *testing.T) {
	for _, row := range []struct {
		who, path string
		public    int
		private   int
	}{
		{"nobody", widget, 200, 404}, {"outsider", widget, 200, 404}, {"reader", widget, 200, 200}, {"root", widget, 200, 200},
		{"nobody", widget + "/policy", 401, 401}, {"outsider", widget + "/policy", 200, 404}, {"reader", widget + "/policy", 200, 200}, {"root", widget + "/policy", 200, 200},
		{"nobody", widget + "/readiness", 401, 401}, {"outsider", widget + "/readiness", 403, 404}, {"reader", widget + "/readiness", 403, 403},
		{"writer", widget + "/readiness", 200, 200}, {"root", widget + "/readiness", 200, 200},
		{"nobody", "/operations", 401, 401}, {"writer", "/operations", 403, 403}, {"root", "/operations", 200, 200},
		{"nobody", "/operations/doctor", 401, 401}, {"writer", "/operations/doctor", 403, 403}, {"root", "/operations/doctor", 200, 200},
		{"nobody", "/keys", 200, 200}, {"nobody", "/keys/acme.release", 200, 200}, {"nobody", "/keys/nothing", 404, 404},
		{"root", "/repositories/github/7/policy", 200, 200}, {"outsider", "/repositories/github/7", 404, 404}, {"nobody", "/repositories/github/7", 404, 404},
		{"root", "/repositories/elsewhere/7", 404, 404}, {"root", "/repositories/github/007", 404, 404}, {"root", "/repositories/github/-1", 404, 404},
		{"root", "/repositories/find?forge=github&id=7", 303, 303}, {"root", "/repositories/find?forge=evil&id=x", 404, 404}, {"outsider", "/repositories/find?forge=github&id=7", 403, 403},
	} {
		t.Run(row.who+" "+row.path, func(t *testing.T) {
			h := newHouse(t)
			c := h.who(t, row.who)
			if got := c.open(row.path).Code; got != row.public {
				t.Errorf("of a public repository: answered %d, expected %d", got, row.public)
			}
			h.adoptions[0].Public = false
			if got := c.open(row.path).Code; got != row.private {
				t.Errorf("of a private one: answered %d, expected %d", got, row.private)
			}
		})
	}
}

// A repository that went private after its adoption is hidden as soon as a release says so.
func TestRepositoryThatWentPrivate(t *testing.T) {
	h := newHouse(t)
	h.put(private(t))
	if got := h.who(t, "outsider").open(widget); got.Code != http.StatusNotFound {
		t.Errorf("an outsider sees it: %d", got.Code)
	}
	for _, path := range []string{"/repositories", "/keys", "/keys/acme.release"} {
		if body := h.who(t, "outsider").open(path).Body.String(); strings.Contains(body, "acme/widget") {
			t.Errorf("%s names it to an outsider:\n%s", path, body)
		}
	}
	hidden, missing := h.who(t, "outsider").open(widget).Body.String(), h.who(t, "outsider").open("/repositories/github/7").Body.String()
	if strings.ReplaceAll(hidden, "1296269", "7") != missing {
		t.Errorf("a hidden repository does not look like none:\n%s\n%s", hidden, missing)
	}
	says(t, h.who(t, "reader").open(widget).Body.String(), "acme/widget")
}

func TestRepositoryPage(t *testing.T) {
	h := newHouse(t)
	h.put(record(t, gate.StateWaiting, unapproved()))
	h.newer = &gate.Proposal{Repository: gatetest.Repository(), Commit: strings.Repeat("c", 40), Seen: noon(), Why: "needs a review by someone other than @ana"}
	body := h.who(t, "nobody").open(widget).Body.String()
	says(t, body, "acme/widget", `class="strip"`, "A newer policy is not in force yet", "needs a review by someone other than @ana",
		`id="L3"`, "- workflow: release.yml", `<a href="#L3">line 3</a>`, "default, floor acme", "@root (github:901)")
	if strings.Contains(body, "/policy") {
		t.Error("signed out, the page links to what takes a sign-in")
	}
	says(t, h.who(t, "root").open(widget).Body.String(), "Compare them, and put it in force", "Have the doctor look")
	says(t, h.who(t, "root").open("/repositories").Body.String(), "acme/widget", "7 releases signed", "1 open", `action="/repositories/find"`)
	if strings.Contains(h.who(t, "reader").open("/repositories").Body.String(), "/repositories/find") {
		t.Error("a reader is offered what is for administrators")
	}
}

func TestAdoption(t *testing.T) {
	h := newHouse(t)
	root := h.who(t, "root")
	page := root.open(widget + "/policy").Body.String()
	says(t, page, "is not the one in force", "expires: 24h", `class="line added"`, `name="commit" value="`+strings.Repeat("c", 40)+`"`, `value="`+gatetest.Baseline+`"`)
	form := url.Values{"commit": {strings.Repeat("c", 40)}, "baseline": {" " + gatetest.Baseline + "\n"}}
	got := root.submit(widget+"/policy", form)
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != widget {
		t.Fatalf("answered %d to %s: %s", got.Code, got.Header().Get("Location"), got.Body)
	}
	want := life.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, Commit: strings.Repeat("c", 40), By: "@root (github:901)"}
	if len(h.adopted) != 1 || h.adopted[0] != want {
		t.Errorf("adopted %+v, expected %+v", h.adopted, want)
	}
	says(t, root.open(widget).Body.String(), "is in force from now on")
}

// What leads to no adoption.
func TestAdoptionRefused(t *testing.T) {
	form := url.Values{"commit": {strings.Repeat("c", 40)}, "baseline": {gatetest.Baseline}}
	stale := &gate.Error{Kind: gate.Conflict, Code: gate.CodePageStale, Text: "the default branch moved", Fix: "load the page again"}
	for _, row := range []struct {
		name   string
		who    string
		form   url.Values
		gate   error
		header []string
		status int
	}{
		{"nobody", "nobody", form, nil, nil, 401},
		{"an outsider", "outsider", form, nil, nil, 403},
		{"a maintainer who administers nothing", "writer", form, nil, nil, 403},
		{"without what was shown", "root", url.Values{"baseline": {gatetest.Baseline}}, nil, nil, 400},
		{"what moved since it was shown", "root", form, stale, nil, 409},
		{"from another site", "root", form, nil, []string{"Sec-Fetch-Site: cross-site"}, 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t)
			h.refusal = row.gate
			c := h.who(t, row.who)
			var got *httptest.ResponseRecorder
			if row.header != nil {
				got = c.send(http.MethodPost, widget+"/policy", row.form.Encode(), append(row.header, browser, "Content-Type: application/x-www-form-urlencoded", "Origin: https://evil.example")...)
			} else {
				got = c.submit(widget+"/policy", row.form)
			}
			if got.Code != row.status || len(h.adopted) > 0 {
				t.Errorf("answered %d, adopted %v, expected %d and nothing: %s", got.Code, h.adopted, row.status, got.Body)
			}
		})
	}
}

func TestFaultyPolicyHasNoForm(t *testing.T) {
	h := newHouse(t)
	h.candidate.Fault = &gate.Error{Kind: gate.Invalid, Code: gate.CodePolicyInvalid, Text: "line 3: unknown field wokflow", Fix: "write workflow"}
	body := h.who(t, "root").open(widget + "/policy").Body.String()
	says(t, body, "cannot be put in force", "unknown field wokflow", "write workflow")
	if strings.Contains(body, `method="post" action="`+widget) {
		t.Error("a file that does not parse can be put in force")
	}
}

func TestKeysPages(t *testing.T) {
	h := newHouse(t)
	h.put(record(t, gate.StatePublished))
	outside := h.who(t, "outsider").open("/keys").Body.String()
	says(t, outside, "acme.release", "Version 2", "signs", "a newer one signs", "SHA256:one", "kept in software", "2 signatures orphaned", "40 signatures in 20 releases",
		"Never used", "not on this server any more", `href="`+widget+`"`, "2 more that you may not see", "/v1/keys/acme.release.pem", "binds it to no repository")
	if strings.Contains(outside, "666") || strings.Contains(outside, "gitlab:77") {
		t.Error("a binding to what may not be seen is shown")
	}
	says(t, h.who(t, "root").open("/keys").Body.String(), "github:666", "gitlab:77")
	says(t, h.who(t, "nobody").open("/keys/acme.release").Body.String(), "What it signed", "/releases/"+gatetest.RequestID)
}

// The gate's own keys stand apart from those of releases, and say what they are for.
func TestOwnKeys(t *testing.T) {
	h := newHouse(t)
	own := []api.Key{
		{Lineage: "refusals", Version: 1, PEM: pemOf(7), Hint: "SHA256:seven", Purpose: gate.PurposeVerdict},
		{Lineage: "log", Version: 1, PEM: pemOf(8), Hint: "SHA256:eight", Purpose: gate.PurposeLog, Software: true},
		{Lineage: "acme.release", Version: 9, PEM: pemOf(9), Hint: "SHA256:nine", Purpose: gate.PurposeCA},
	}
	w := newWorld(t, func(c *web.Config) { c.Board, c.Keys = h, append(c.Keys, own...) })
	body := w.look(t, "/keys").Body.String()
	inOrder(t, body, "Version 2", "own keys", "Signs the ledger", "SHA256:eight", "Certifies release keys", "SHA256:nine", "Signs refusals", "SHA256:seven")
	if contains(body, "Version 9") {
		t.Error("a key of the gate's own stands among those of releases")
	}
	says(t, w.call(t, http.MethodGet, "/v1/keys", "").Body.String(), `"purpose":"verdict"`, `"purpose":"log"`, `"hint":"SHA256:two","software":true}`)
	for lineage, want := range map[string]string{"refusals": pemOf(7), "log": pemOf(8), "acme.release": pemOf(2) + pemOf(1)} {
		if got := w.call(t, http.MethodGet, "/v1/keys/"+lineage+".pem", "").Body.String(); got != want {
			t.Errorf("%s holds %q, expected %q", lineage, got, want)
		}
	}
	if got := w.look(t, "/keys/log"); got.Code != http.StatusNotFound {
		t.Errorf("the page of what the log's key signed answered %d", got.Code)
	}
}

func TestOperationsPage(t *testing.T) {
	h := newHouse(t)
	root := h.who(t, "root")
	body := root.open("/operations").Body.String()
	says(t, body, "7 ms", "2.5 s at the 95th percentile of the last 5", "<strong>3</strong>", "nothing waits", "403: no right to comment", "before=6")
	says(t, root.open("/operations?before=6").Body.String(), "the forge did not answer", "open")
	says(t, root.open("/operations?open=1").Body.String(), "the forge did not answer")
	for path, want := range map[string]int{
		"/operations/deliveries/12/again": 303, "/operations/deliveries/31/again": 404, "/operations/deliveries/x/again": 400,
		"/operations/posts/" + unsigned + "/again": 303, "/operations/posts/..%2f/again": 400,
	} {
		if got := root.submit(path, nil); got.Code != want {
			t.Errorf("%s answered %d, expected %d: %s", path, got.Code, want, got.Body)
		}
	}
	if len(h.worked) != 1 || h.worked[0] != 12 || len(h.told) != 1 || h.told[0] != unsigned {
		t.Errorf("worked %v, told %v", h.worked, h.told)
	}
	for _, path := range []string{"/operations/deliveries/12/again", "/operations/posts/" + unsigned + "/again"} {
		if got := h.who(t, "writer").submit(path, nil); got.Code != http.StatusForbidden {
			t.Errorf("a maintainer's %s answered %d", path, got.Code)
		}
	}
	if len(h.worked)+len(h.told) != 2 {
		t.Error("a maintainer did what is for administrators")
	}
	if got := root.open("/operations?before=x"); got.Code != http.StatusBadRequest {
		t.Errorf("a position that is none answered %d", got.Code)
	}
}

// The doctor is asked once for all who look at the same time, and what it found is kept.
func TestDoctorPage(t *testing.T) {
	h := newHouse(t)
	root := h.who(t, "root")
	body := root.open("/operations/doctor").Body.String()
	says(t, body, "three were lost", "redeliver them", "1 failure", "2 passed", widget+"/readiness")
	if strings.Index(body, "three were lost") > strings.Index(body, "it opens") {
		t.Error("a pass stands before the failure")
	}
	_ = root.open("/operations/doctor")
	if h.examined != 1 {
		t.Errorf("the doctor was asked %d times within half a minute", h.examined)
	}
	says(t, root.open("/operations").Body.String(), "1 failure")
	says(t, h.who(t, "writer").open(widget+"/readiness").Body.String(), "only @bo could cover it", "add a maintainer")
	says(t, h.who(t, "nobody").open(widget).Body.String(), "The doctor looked", "1 warning")
}

// Without its store no room shows anything.
func TestRoomsWithoutStore(t *testing.T) {
	h := newHouse(t)
	h.fail = errDatabase
	for _, path := range []string{"/repositories", widget, "/keys", "/keys/acme.release"} {
		got := h.who(t, "nobody").open(path)
		if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "10.1.2.3") {
			t.Errorf("%s answered %d: %s", path, got.Code, got.Body)
		}
	}
}

// More repositories than a page shows are on the pages that follow.
func TestRepositoriesPaged(t *testing.T) {
	h := newHouse(t)
	h.many = 120
	root := h.who(t, "root")
	pages := map[string]string{"": "from=50", "?from=50": "from=100", "?from=100": ""}
	for query, next := range pages {
		body := root.open("/repositories" + query).Body.String()
		if next == "" == strings.Contains(body, "Asked for longer ago") || !strings.Contains(body, next) {
			t.Errorf("/repositories%s does not lead to %q", query, next)
		}
	}
	for query, status := range map[string]int{"?from=x": 400, "?from=-1": 400, "?from=100000": 400, "?from=300": 200} {
		if got := root.open("/repositories" + query).Code; got != status {
			t.Errorf("/repositories%s answered %d, expected %d", query, got, status)
		}
	}
}
