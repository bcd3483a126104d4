package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/hsm/hsmtest"

	main "github.com/countersign/countersign/cmd/countersignd"
)

// browser is a person's, as far as a setup needs it: cookies, links and forms.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	status int
	page   string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (b *browser) send(r *http.Request, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.status, b.page = answer.Request.URL, answer.StatusCode, string(page)
}

func (b *browser) opens(to string) {
	b.t.Helper()
	b.send(http.NewRequestWithContext(b.t.Context(), http.MethodGet, to, nil))
}

// sends posts a form of the page: the one with that action, filled in as it is but for the
// given fields.
func (b *browser) sends(action string, fields url.Values) {
	b.t.Helper()
	doc, err := html.Parse(strings.NewReader(b.page))
	if err != nil {
		b.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || !strings.Contains(attribute(n, "action"), action) {
			continue
		}
		values := filledIn(n)
		for k, v := range fields {
			values[k] = v
		}
		to, err := b.at.Parse(attribute(n, "action"))
		if err != nil {
			b.t.Fatal(err)
		}
		b.posts(to.String(), values, b.at.Scheme+"://"+b.at.Host)
		return
	}
	b.t.Fatalf("no form with action %q on %s:\n%s", action, b.at, b.page)
}

func (b *browser) posts(to string, values url.Values, origin string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to, strings.NewReader(values.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
	}
	b.send(r, err)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func filledIn(form *html.Node) url.Values {
	out := url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if n.Type != html.ElementNode || name == "" || n.Data != "input" {
			continue
		}
		kind := attribute(n, "type")
		if (kind == "radio" || kind == "checkbox") && !has(n, "checked") {
			continue
		}
		out.Add(name, attribute(n, "value"))
	}
	return out
}

func (b *browser) sees(status int, words ...string) {
	b.t.Helper()
	for _, w := range words {
		if b.status != status || !strings.Contains(b.page, w) {
			b.t.Fatalf("%s: expected %d and %q, got %d:\n%s", b.at, status, w, b.status, b.page)
		}
	}
}

// installing is a setup under way in this process.
type installing struct {
	t             *testing.T
	dir, url      string
	out, log      *notebook
	token         hsmtest.Token
	stop          context.CancelFunc
	ended         chan int
	listen, alive string
}

func newInstalling(t *testing.T) *installing {
	t.Helper()
	i := &installing{t: t, dir: filepath.Join(t.TempDir(), "countersign"), token: softhsm(t)}
	i.listen, i.alive = freeAddress(t), freeAddress(t)
	i.url = "http://" + i.listen
	return i
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

var link = regexp.MustCompile(`http://\S+/setup\?key=\S+`)

// begins runs countersignd setup and returns the link that it prints.
func (i *installing) begins() string {
	i.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	i.out, i.log, i.stop, i.ended = &notebook{}, &notebook{}, stop, make(chan int, 1)
	args := []string{
		"setup", "--dir", i.dir, "--url", i.url, "--listen", i.listen, "--health-listen", i.alive,
		"--module", i.token.Module, "--token", i.token.TokenLabel, "--pin-file", i.token.PINFile,
	}
	i.t.Cleanup(stop)
	go func() { i.ended <- main.Run(ctx, args, i.out, i.log) }()
	for range 200 {
		if found := link.FindString(i.out.String()); found != "" {
			return found
		}
		select {
		case code := <-i.ended:
			i.t.Fatalf("setup ended with %d: %s%s", code, i.out, i.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	i.t.Fatalf("no link: %s%s", i.out, i.log)
	return ""
}

// ends stops what runs, which must end well.
func (i *installing) ends() {
	i.t.Helper()
	i.stop()
	if code := <-i.ended; code != 0 {
		i.t.Fatalf("exit %d: %s%s", code, i.out, i.log)
	}
}

// untold fails where a page, the terminal or the log tells a secret that was written down.
func (i *installing) untold(pages ...string) {
	i.t.Helper()
	files, err := filepath.Glob(filepath.Join(i.dir, "secrets", "*"))
	if err != nil || len(files) < 3 {
		i.t.Fatalf("secrets: %v, %v", files, err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			i.t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		secret, err := os.ReadFile(path)
		if err != nil {
			i.t.Fatal(err)
		}
		for _, text := range append(pages, i.out.String(), i.log.String()) {
			if strings.Contains(text, strings.TrimSpace(string(secret))) {
				i.t.Errorf("%s is told", filepath.Base(path))
			}
		}
	}
}

// From nothing to a gate that serves, by GitHub's manifest: what a person clicks, and what
// somebody else tries meanwhile.
func TestSetupWithGitHub(t *testing.T) {
	gh := githubtest.New(githubtest.Options{NotInstalled: true})
	t.Cleanup(gh.Close)
	repo, ana := gh.AddRepository("OWNER/widget"), gh.AddPerson("ana")
	gh.SetRole(repo, ana, forgetest.RoleAdmin)
	i := newInstalling(t)
	first := i.begins()

	b := newBrowser(t)
	b.opens(i.url + "/setup")
	b.sees(http.StatusForbidden, "whoever holds the link")
	b.opens(first + "x")
	b.sees(http.StatusForbidden, "not the link that")
	b.opens(i.url + "/")
	b.sees(http.StatusServiceUnavailable, "being set up")
	b.opens(first)
	b.sees(http.StatusOK, "Connect a forge", "Go on to GitHub")
	if b.at.RawQuery != "" {
		t.Errorf("the secret stays in the address: %s", b.at)
	}
	other := newBrowser(t)
	other.opens(first)
	other.sees(http.StatusForbidden, "opened before", "run it again")
	other.posts(i.url+"/setup/finish", nil, i.url)
	other.sees(http.StatusForbidden, "whoever holds the link")

	b.posts(i.url+"/setup/github", url.Values{"web": {gh.URL()}, "owner": {"person"}}, "https://evil.example")
	b.sees(http.StatusForbidden, "another site")
	b.opens(i.url + "/setup/github/created?code=abc&state=forged")
	b.sees(http.StatusForbidden, "nothing was begun here")
	b.sends("/setup/github", url.Values{"web": {"http://github.example"}, "owner": {"person"}})
	b.sees(http.StatusBadRequest, "no address of a github")
	b.sends("/setup/github", url.Values{"web": {gh.URL()}, "owner": {"organisation"}, "organisation": {"../x"}})
	b.sees(http.StatusBadRequest, "organisation")

	b.opens(gh.URL() + "/test-login?login=ana")
	b.opens(i.url + "/setup")
	b.sends("/setup/github", url.Values{"web": {gh.URL()}, "owner": {"person"}})
	b.sees(http.StatusOK, "Create the App")
	b.sends("/settings/apps/new", nil)
	b.sees(http.StatusOK, "Create GitHub App")
	var created string
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/setup/github/created" {
			created = r.URL.String()
		}
		return nil
	}
	b.sends("/settings/apps/manifest", url.Values{"app_name": {"Gate of ana"}})
	b.sees(http.StatusOK, "Install the App", "Gate of ana", "lists no installation")
	b.opens(created)
	b.sees(http.StatusForbidden, "or it came before")
	b.opens(i.url + "/setup/installed?installation_id=4711&setup_action=install")
	b.sees(http.StatusForbidden, "no such installation", "4711")
	b.posts(i.url+"/setup/installed", url.Values{"holder": {"github:1"}}, i.url)
	b.sees(http.StatusBadRequest, "choose who may use the key")

	// An interruption: the next run goes on, with another link.
	i.ends()
	b.opensLater(first, i.begins())
	b.sees(http.StatusOK, "Install the App")
	b.opens(regexp.MustCompile(regexp.QuoteMeta(gh.URL()) + `/\S+/installations/new`).FindString(b.page))
	b.sends("", nil)
	b.sees(http.StatusOK, "Who may use the key")
	b.sends("/setup/installed", nil)
	b.sees(http.StatusOK, "Sign in as the first administrator")

	b.opens(i.url + "/auth/github/callback?code=abc&state=forged")
	b.sees(http.StatusForbidden, "nothing was begun here")
	var back string
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/auth/") {
			back = r.URL.String()
		}
		return nil
	}
	b.sends("/setup/sign-in", nil)
	b.sends("/login/oauth/authorize", url.Values{"authorize": {"1"}})
	b.sees(http.StatusOK, "Make the key", i.token.TokenLabel)
	b.opens(back)
	b.sees(http.StatusForbidden, "or it came before")
	b.sends("/setup/key", url.Values{"lineage": {"Not A Name"}})
	b.sees(http.StatusBadRequest, "no name for a key")
	b.sends("/setup/key", url.Values{"lineage": {"acme"}})
	b.sees(http.StatusOK, "Ready to start", "audit mode", "acme", "@ana")
	ready := b.page
	b.sends("/setup/finish", nil)
	if b.at.Path != "/operations/doctor" {
		t.Errorf("ended at %s:\n%s", b.at, b.page)
	}
	b.sees(http.StatusOK, "@ana", "Operations", "only audits until", i.url+" leads to this server", "the server only audits", "its proof holds")

	c, err := config.Load(filepath.Join(i.dir, "countersign.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	who := fmt.Sprintf("[github:%d]", ana.ID)
	if !c.Policies.Audit || fmt.Sprint(c.Administrators) != who || len(c.Keys) != 6 || len(c.Missing()) != 0 || c.Keys[0].Lineage != "acme" || len(c.Keys[0].Owners) != 1 {
		t.Errorf("configuration: %+v", c)
	}
	i.untold(ready, b.page)
	i.ends()
	if code, out, errs := run(t, "setup", "--dir", i.dir); code != 1 || !strings.Contains(errs, "countersignd serve --config") {
		t.Errorf("set up again: exit %d: %s%s", code, out, errs)
	}
	if code, out, errs := run(t, "config", "check", "--config", filepath.Join(i.dir, "countersign.yaml")); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// opensLater opens the link of a later run: that of the run before is worth nothing.
func (b *browser) opensLater(before, link string) {
	b.t.Helper()
	b.opens(before)
	b.sees(http.StatusForbidden, "not the link that")
	b.opens(link)
}

// GitLab: a bot's token and an OAuth application, pasted; projects chosen from what the bot
// administers; hooks made.
func TestSetupWithGitLab(t *testing.T) {
	for _, row := range []struct {
		what, field string
		owns        bool // the bot owns the group
		bound       string
	}{
		{"a project", "holder", false, "repositories"},
		{"a project of a group that the bot owns", "holder", true, "repositories"},
		{"a whole group", "group", true, "owners"},
	} {
		t.Run(row.what, func(t *testing.T) { setUpWithGitLab(t, row.field, row.owns, row.bound) })
	}
}

func setUpWithGitLab(t *testing.T, field string, owns bool, bound string) {
	t.Helper()
	gl := gitlabtest.New(gitlabtest.Options{})
	t.Cleanup(gl.Close)
	repo, ana := gl.AddRepository("owner/widget"), gl.AddPerson("ana")
	gl.SetRole(repo, ana, forgetest.RoleAdmin)
	if owns {
		gl.SetGroupLevel("owner", gl.BotUser(), 50)
	}
	id := map[string]string{"holder": fmt.Sprintf("gitlab:%d", repo.ID), "group": fmt.Sprintf("gitlab:%d", repo.OwnerID)}
	i := newInstalling(t)
	gl.RegisterRedirect(i.url + "/auth/gitlab/callback")
	b := newBrowser(t)
	b.opens(i.begins())
	bot := url.Values{"web": {gl.URL()}, "token": {"glpat-nobody-has-this"}, "client_id": {gl.ClientID()}, "client_secret": {gl.ClientSecret()}}
	b.sends("/setup/gitlab", bot)
	b.sees(http.StatusForbidden, "refuses the credential")
	bot.Set("token", "")
	b.sends("/setup/gitlab", bot)
	b.sees(http.StatusBadRequest, "a secret is missing")
	bot.Set("token", gl.BotToken())
	b.sends("/setup/gitlab", bot)
	b.sees(http.StatusOK, "Choose projects", "owner/widget")
	b.posts(i.url+"/setup/projects", url.Values{"holder": {"gitlab:999999"}}, i.url)
	b.sees(http.StatusBadRequest, "choose the projects")
	if !owns {
		b.posts(i.url+"/setup/projects", url.Values{"group": {id["group"]}}, i.url)
		b.sees(http.StatusBadRequest, "choose the projects")
	}
	b.sends("/setup/projects", url.Values{field: {id[field]}})
	b.sees(http.StatusOK, "Sign in as the first administrator")
	page := b.page
	b.opens(gl.URL() + "/test-login?login=ana")
	b.at, b.page = must(url.Parse(i.url+"/setup")), page
	b.sends("/setup/sign-in", nil)
	b.sends("/oauth/authorize", nil)
	b.sees(http.StatusOK, "Make the key")
	b.sends("/setup/key", nil)
	b.sends("/setup/finish", nil)
	if b.at.Path != "/operations/doctor" {
		t.Errorf("ended at %s:\n%s", b.at, b.page)
	}
	i.untold(b.page)
	i.ends()
	text, err := os.ReadFile(filepath.Join(i.dir, "countersign.yaml"))
	if err != nil || !bytes.Contains(text, fmt.Appendf(nil, `%s: ["%s"]`, bound, id[field])) {
		t.Errorf("%v: %s", err, text)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whatever is wrong with what the terminal is told is said at once.
func TestSetupRefuses(t *testing.T) {
	token := softhsm(t)
	dir := t.TempDir()
	theirs := filepath.Join(dir, "theirs")
	if err := os.MkdirAll(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(theirs, "countersign.yaml"), []byte("server:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pin := filepath.Join(dir, "pin")
	if err := os.WriteFile(pin, []byte("00000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args []string
		says string
	}{
		"no answers":              {nil, "nobody answers"},
		"no https":                {[]string{"--url", "http://gate.example"}, "expected https"},
		"a path":                  {[]string{"--url", "https://gate.example/x"}, "expected no path"},
		"no module":               {[]string{"--url", "https://gate.example", "--module", "/nowhere.so"}, "CS-1503: PKCS#11 module /nowhere.so cannot be read"},
		"no such token":           {[]string{"--url", "https://gate.example", "--module", token.Module, "--token", "other"}, "the module shows no token"},
		"no PIN file":             {[]string{"--url", "https://gate.example", "--module", token.Module, "--token", token.TokenLabel, "--pin-file", "/nowhere"}, "CS-1505"},
		"a wrong PIN":             {[]string{"--url", "https://gate.example", "--module", token.Module, "--token", token.TokenLabel, "--pin-file", pin}, "refused the PIN"},
		"somebody's own":          {[]string{"--dir", theirs}, "that no setup wrote"},
		"a folder that is a file": {[]string{"--dir", pin}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"setup", "--dir", filepath.Join(t.TempDir(), "new")}, row.args...)
			code, out, errs := run(t, args...)
			if code == 0 || !strings.Contains(errs, row.says) {
				t.Errorf("exit %d, expected %q in %s%s", code, row.says, out, errs)
			}
		})
	}
}

// A trial's SoftHSM token is made on request, and its PIN shown nowhere.
func TestSetupMakesAToken(t *testing.T) {
	i := newInstalling(t)
	i.token.TokenLabel, i.token.PINFile = "trial", ""
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, log notebook
	ended := make(chan int, 1)
	// The answers: the URL, the second module's number is not there, the token, new.
	answers := strings.NewReader("nowhere\n" + i.url + "\n" + i.token.Module + "\nnew trial\n")
	go func() {
		ended <- main.RunContext(ctx, answers, []string{"setup", "--dir", i.dir, "--listen", i.listen}, &out, &log)
	}()
	for range 200 {
		if link.MatchString(out.String()) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	if code := <-ended; code != 0 || !strings.Contains(out.String(), "Made the token trial") || !strings.Contains(out.String(), "expected https") {
		t.Fatalf("exit %d: %s%s", code, &out, &log)
	}
	pin, err := os.ReadFile(filepath.Join(i.dir, "secrets", "pin"))
	if err != nil || len(pin) != 17 || strings.Contains(out.String()+log.String(), strings.TrimSpace(string(pin))) {
		t.Errorf("PIN of %d bytes, %v", len(pin), err)
	}
}

// Keys are on the token that was named when they were made: with another one they are made
// anew, the gate's own too.
func TestSetupOnAnotherToken(t *testing.T) {
	i := newInstalling(t)
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	draft := `{"module":"` + i.token.Module + `","token":"before","key":{"lineage":"release","label":"release-1"},"own":[{"purpose":"log","label":"log-1"}]}`
	path := filepath.Join(i.dir, "setup.json")
	if err := os.WriteFile(path, []byte(draft), 0o600); err != nil {
		t.Fatal(err)
	}
	i.begins()
	i.ends()
	now, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(now), "release-1") || strings.Contains(string(now), "log-1") {
		t.Errorf("expected no key of the former token, got %v\n%s", err, now)
	}
}
