package githubtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// mint asks for an installation token with a body, and returns it.
func (w *team) mint(body string) string {
	w.t.Helper()
	out := getAs[struct{ Token string }](w, fmt.Sprintf("POST /app/installations/%d/access_tokens %s", w.InstallationID(w.repo), body), appJWT(w))
	return out.Token
}

func TestInstallationTokenReachesWhatItWasMintedFor(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.open(w.ana, "topic")
	gadget, foreign := w.AddRepository("acme/gadget"), w.AddRepository("other/widget")
	one := w.mint(fmt.Sprintf(`{"repository_ids":[%d]}`, w.repo.ID))
	reader := w.mint(`{"permissions":{"contents":"read"}}`)
	all := w.InstallationToken(gadget)
	for _, row := range []struct {
		name, credential, request string
		want                      int
	}{
		{"allow: its repository", one, "GET /repos/acme/widget", 200},
		{"deny: a sibling", one, "GET /repos/acme/gadget", 404},
		{"allow: a sibling, unless narrowed", all, "GET /repos/acme/gadget", 200},
		{"deny: another owner's installation", all, "GET /repos/other/widget", 404},
		{"deny: another owner's, by number", all, fmt.Sprintf("GET /repositories/%d", foreign.ID), 404},
		{"deny: nothing there", all, "GET /repos/acme/nothing", 404},
		{"allow: a permission it kept", reader, "GET /repos/acme/widget/commits/main", 200},
		{"allow: metadata, always", reader, "GET /repos/acme/widget", 200},
		{"deny: a permission it gave up", reader, "GET /repos/acme/widget/pulls", 403},
		{"deny: writing with what it gave up", reader, "POST /repos/acme/widget/issues/1/comments", 403},
		{"deny: an unknown token", "ghs_nothing", "GET /repos/acme/widget", 401},
		{"deny: the App itself", appJWT(w), "GET /repos/acme/widget", 401},
		{"deny: nobody", "", "GET /repos/acme/widget", 401},
	} {
		method, path, _ := strings.Cut(row.request, " ")
		header := "Bearer " + row.credential
		if row.credential == "" {
			header = ""
		}
		res, body := w.raw(method, path, "", "Authorization", header)
		if res.StatusCode != row.want {
			t.Errorf("%s: got %d %s, want %d", row.name, res.StatusCode, body, row.want)
		}
		if res.StatusCode == http.StatusForbidden && !strings.Contains(body, "Resource not accessible by integration") {
			t.Errorf("%s: got %s", row.name, body)
		}
	}
	for name, body := range map[string]string{
		"more than it has":      `{"permissions":{"contents":"write"}}`,
		"what it does not have": `{"permissions":{"secrets":"read"}}`,
		"another's repository":  fmt.Sprintf(`{"repository_ids":[%d]}`, foreign.ID),
		"an unknown name":       `{"repositories":["nothing"]}`,
	} {
		path := fmt.Sprintf("/app/installations/%d/access_tokens", w.InstallationID(w.repo))
		if res, got := w.raw("POST", path, body, "Authorization", "Bearer "+appJWT(w)); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("mint %s: got %d %s, want 422", name, res.StatusCode, got)
		}
	}
	if got := w.mint(`{"repositories":["widget"]}`); got == "" {
		t.Error("mint by name: expected a token")
	}
}

func TestInstallationTokenEnds(t *testing.T) {
	c := newClock()
	w := newTeam(t, githubtest.Options{Now: c.Now})
	status := func() int {
		res, _ := w.raw("GET", "/repos/acme/widget", "")
		return res.StatusCode
	}
	c.pass(59 * time.Minute)
	if got := status(); got != 200 {
		t.Errorf("after 59 minutes: got %d, want 200", got)
	}
	c.pass(time.Minute)
	if got := status(); got != 401 {
		t.Errorf("after an hour: got %d, want 401", got)
	}
	w.token = w.InstallationToken(w.repo)
	w.Suspend(w.repo, true)
	if got := status(); got != 403 {
		t.Errorf("suspended: got %d, want 403", got)
	}
	w.Suspend(w.repo, false)
	if got := status(); got != 200 {
		t.Errorf("unsuspended: got %d, want 200", got)
	}
	w.Uninstall(w.repo)
	if got := status(); got != 404 {
		t.Errorf("uninstalled: got %d, want 404", got)
	}
	if got := w.InstallationID(w.repo); got != 0 {
		t.Errorf("installation of an uninstalled repository: got %d, want 0", got)
	}
}

func TestGhinstallationMintsTokens(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	rt, err := ghinstallation.New(http.DefaultTransport, w.AppID(), w.InstallationID(w.repo), w.AppPrivateKey())
	if err != nil {
		t.Fatal(err)
	}
	rt.BaseURL = w.APIURL()
	rt.InstallationTokenOptions = &github.InstallationTokenOptions{RepositoryIDs: []int64{w.repo.ID}}
	client, err := github.NewClient(&http.Client{Transport: rt}).WithEnterpriseURLs(w.URL(), w.URL())
	if err != nil {
		t.Fatal(err)
	}
	got := must[*github.Repository](t)(client.Repositories.GetByID(t.Context(), w.repo.ID))
	if got.GetFullName() != "acme/widget" || got.GetOwner().GetID() != w.repo.OwnerID || !got.GetPrivate() {
		t.Errorf("repository: got %v", got)
	}
}

func TestRateLimit(t *testing.T) {
	w := newTeam(t, githubtest.Options{RateLimit: 3})
	res, _ := w.raw("GET", "/repos/acme/widget", "")
	if res.Header.Get("X-RateLimit-Limit") != "3" || res.Header.Get("X-RateLimit-Remaining") != "2" {
		t.Errorf("headers: got %v", res.Header)
	}
	etag := res.Header.Get("ETag")
	for range 3 { // an unchanged resource costs nothing
		if res, body := w.raw("GET", "/repos/acme/widget", "", "If-None-Match", etag); res.StatusCode != http.StatusNotModified || body != "" {
			t.Fatalf("unchanged: got %d %q, want 304", res.StatusCode, body)
		}
	}
	w.raw("GET", "/repos/acme/widget", "")
	w.raw("GET", "/repos/acme/widget", "")
	_, _, err := w.client.Repositories.Get(t.Context(), "acme", "widget")
	if _, limited := err.(*github.RateLimitError); !limited { //nolint:errorlint // go-github returns the bare type
		t.Errorf("exhausted: got %v, want a rate limit error", err)
	}
}

func TestETagFollowsTheResource(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	res, _ := w.raw("GET", "/repos/acme/widget/branches/main", "")
	etag := res.Header.Get("ETag")
	w.push(w.ana, "main", "a")
	if res, _ := w.raw("GET", "/repos/acme/widget/branches/main", "", "If-None-Match", etag); res.StatusCode != 200 {
		t.Errorf("changed: got %d, want 200", res.StatusCode)
	}
}

func TestFrontDoor(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for name, row := range map[string]struct {
		header, value string
		want          int
	}{
		"no user agent":         {"User-Agent", "", 403},
		"another API version":   {"X-GitHub-Api-Version", "2001-01-01", 400},
		"the known API version": {"X-GitHub-Api-Version", "2022-11-28", 200},
	} {
		header := []string{row.header, row.value}
		if row.value == "" {
			header = nil
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.APIURL()+"/repos/acme/widget", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "token "+w.token)
		if header == nil {
			req.Header.Set(row.header, "")
		} else {
			req.Header.Set(row.header, row.value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != row.want {
			t.Errorf("%s: got %d, want %d", name, res.StatusCode, row.want)
		}
	}
	if res, _ := w.raw("GET", "/nothing/here", ""); res.StatusCode != 404 {
		t.Errorf("unknown endpoint: got %d, want 404", res.StatusCode)
	}
	if res, _ := w.raw("POST", "/repos/acme/widget/issues", "{"); res.StatusCode != 400 {
		t.Errorf("broken JSON: got %d, want 400", res.StatusCode)
	}
	if res, _ := w.raw("POST", "/repos/acme/widget/issues", strings.Repeat("x", 2<<20)); res.StatusCode != 413 {
		t.Errorf("too large: got %d, want 413", res.StatusCode)
	}
	if res, body := w.raw("GET", w.URL()+"/acme/widget/pull/1", ""); res.StatusCode != 200 || !strings.Contains(body, "pull") {
		t.Errorf("a page: got %d %s", res.StatusCode, body)
	}
}

func TestRenamedAndTransferredRepositories(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.RenameRepository(w.repo, "gizmo")
	res, body := w.raw("GET", "/repos/acme/widget/branches/main?x=1", "")
	want := fmt.Sprintf("%s/repositories/%d/branches/main?x=1", w.APIURL(), w.repo.ID)
	if res.StatusCode != http.StatusMovedPermanently || res.Header.Get("Location") != want || !strings.Contains(body, "Moved Permanently") {
		t.Errorf("former name: got %d to %q, want 301 to %q", res.StatusCode, res.Header.Get("Location"), want)
	}
	if res, _ := w.raw("POST", "/repos/acme/widget/issues", `{"title":"x"}`); res.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("write to the former name: got %d, want 307", res.StatusCode)
	}
	if got := get[map[string]any](w, fmt.Sprintf("/repositories/%d", w.repo.ID)); got["full_name"] != "acme/gizmo" {
		t.Errorf("by number: got %v", got["full_name"])
	}
	if again := w.AddRepository("acme/widget"); again.ID == w.repo.ID { // the name is free, and the redirect ends
		t.Error("recycled name: got the same ID")
	}
	if got := get[map[string]any](w, "/repos/acme/widget"); got["id"] == float64(w.repo.ID) {
		t.Error("recycled name: got the former repository")
	}
	moved := w.TransferRepository(w.repo, "umbrella")
	if moved.OwnerID == w.repo.OwnerID || moved.ID != w.repo.ID {
		t.Errorf("transferred: got %+v", moved)
	}
	if res, _ := w.raw("GET", fmt.Sprintf("/repositories/%d", w.repo.ID), ""); res.StatusCode != 404 {
		t.Errorf("transferred to where the App is not: got %d, want 404", res.StatusCode)
	}
}

// Unverified: GET /repositories/{id}/installation.
func TestInstallationByRepositoryNumber(t *testing.T) {
	for _, without := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{NoInstallationByRepositoryID: without}})
		client := w.as(appJWT(w))
		got, res, err := client.Apps.FindRepositoryInstallationByID(t.Context(), w.repo.ID)
		if without != (res.StatusCode == 404) || (!without && (err != nil || got.GetID() != w.InstallationID(w.repo))) {
			t.Errorf("switch %v: got %v, %v", without, got, err)
		}
	}
}

// Unverified: reading public repositories outside the installation.
func TestTokensReadPublic(t *testing.T) {
	for _, may := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{TokensReadPublic: may}})
		other := w.AddRepository("other/open")
		w.SetVisibility(other, "public")
		res, _ := w.raw("GET", "/repos/other/open/activity", "")
		if (res.StatusCode == 200) != may {
			t.Errorf("switch %v: read got %d", may, res.StatusCode)
		}
		if res, _ := w.raw("POST", "/repos/other/open/issues", `{"title":"x"}`); res.StatusCode != 404 {
			t.Errorf("switch %v: write got %d, want 404", may, res.StatusCode)
		}
	}
}

func TestPeople(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	permission := func(login string) (out [2]string) {
		got := get[struct {
			Permission string
			RoleName   string `json:"role_name"`
		}](w, "/repos/acme/widget/collaborators/"+login+"/permission")
		return [2]string{got.Permission, got.RoleName}
	}
	w.SetCustomRole(w.repo, w.cy, "triage", forgetest.RoleRead)
	for login, want := range map[string][2]string{
		"ana": {"write", "maintain"}, "BO": {"write", "write"}, "cy": {"read", "triage"}, "dan": {"none", "none"},
	} {
		if got := permission(login); got != want {
			t.Errorf("%s: got %v, want %v", login, got, want)
		}
	}
	w.SetCustomRole(w.repo, w.dan, "release manager", forgetest.RoleWrite)
	if got := permission("dan"); got != [2]string{"write", "release manager"} {
		t.Errorf("custom role: got %v", got)
	}
	var names []string
	for _, c := range get[[]struct{ Login string }](w, "/repos/acme/widget/collaborators?permission=maintain") {
		names = append(names, c.Login)
	}
	if len(names) != 1 || names[0] != "ana" {
		t.Errorf("collaborators who maintain: got %v, want ana", names)
	}
	if res, _ := w.raw("GET", "/repos/acme/widget/collaborators/nobody/permission", ""); res.StatusCode != 404 {
		t.Errorf("unknown login: got %d, want 404", res.StatusCode)
	}

	renamed := w.RenamePerson(w.bo, "bob")
	if got := get[map[string]any](w, fmt.Sprintf("/user/%d", w.bo.ID)); got["login"] != "bob" || renamed.ID != w.bo.ID {
		t.Errorf("renamed: got %v", got["login"])
	}
	if again := w.AddPerson("bo"); again.ID == w.bo.ID { // the login is free for somebody else
		t.Error("recycled login: got the same ID")
	}
	w.SuspendPerson(w.cy)
	if got := get[map[string]any](w, "/users/cy"); got["suspended_at"] == nil {
		t.Errorf("suspended: got %v", got)
	}
	bot := w.AddBot("robot")
	if got := get[map[string]any](w, "/users/robot[bot]"); got["type"] != "Bot" || got["id"] != float64(bot.ID) {
		t.Errorf("bot: got %v", got)
	}
}

// Unverified: how a comment of a deleted account reads.
func TestDeletedAccounts(t *testing.T) {
	for _, null := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{DeletedUserIsNull: null}})
		change, head := w.open(w.bo, "topic")
		c := w.AddComment(change, w.bo, "/countersign approve")
		w.DeletePerson(w.bo)
		raw := get[map[string]json.RawMessage](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d", c.ID))
		if got := string(raw["user"]); (got == "null") != null || (!null && !strings.Contains(got, `"login":"ghost"`)) {
			t.Errorf("switch %v: got user %s", null, got)
		}
		for _, path := range []string{"/users/bo", fmt.Sprintf("/user/%d", w.bo.ID), "/repos/acme/widget/collaborators/bo/permission"} {
			if res, _ := w.raw("GET", path, ""); res.StatusCode != 404 {
				t.Errorf("%s: got %d, want 404", path, res.StatusCode)
			}
		}
		if got := get[map[string]any](w, "/repos/acme/widget/commits/"+head); got["author"] != nil {
			t.Errorf("author of a commit whose e-mail is nobody's: got %v", got["author"])
		}
	}
}
