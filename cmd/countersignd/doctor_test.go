package main_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

func TestDoctorGolden(t *testing.T) {
	s := newSite(t)
	golden(t, "doctor-unprobed.golden", s.plain(s.run(0, "doctor")))
	s.database()
	s.run(0, "probe", "--forge", "github", "--repo", scratch)
	golden(t, "doctor-probed.golden", s.plain(s.run(0, "doctor")))
}

// database makes the site's database, as serve does.
func (s *site) database() {
	s.t.Helper()
	shelf, err := store.Open(s.t.Context(), store.Config{Engine: store.SQLite, Path: filepath.Join(s.dir, "data", "countersign.db"), Now: time.Now})
	if err == nil {
		err = shelf.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestDoctorFinds(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(*site)
		code  int
		says  []string
	}{
		"no configuration": {func(s *site) { s.config = "/nonexistent.yaml" }, 1, []string{"failure     CS-1801", "Fix: name it with --config", "1 failure"}},
		"two problems":     {func(s *site) { s.edit("app_id:", "app_ids:") }, 1, []string{"failure     CS-1801", "app_ids"}},
		"http": {func(s *site) { s.edit("https://sign.example.org", "http://127.0.0.1:8080") }, 1,
			[]string{"warning     server.url is http", "TLS", "failure     the App's webhook goes to https://sign.example.org"}},
		"nobody administers": {func(s *site) { s.edit(`administrators: ["github:1"]`, "administrators: []") }, 0, []string{"warning     nobody administers the server", "by number"}},
		"a server that audits": {func(s *site) { s.edit("administrators:", "policies: {mode: audit}\nadministrators:") }, 0,
			[]string{"warning     the server only audits", "policies.mode: enforce"}},
		"a ledger with a hole": {func(s *site) { s.database(); s.tampers("DELETE FROM leaves WHERE idx = 0") }, 1,
			[]string{"failure     CS-1510: the ledger does not hold", "Fix: stop the server"}},
		"a document that was changed": {func(s *site) { s.database(); s.tampers("UPDATE documents SET document = x'7b7d'") }, 1,
			[]string{"failure     the ledger does not hold: leaf 0 does not commit to its document"}},
		"a forge without OIDC": {func(s *site) { s.gitlab.Fail(forgetest.Fault{Path: "/.well-known/openid-configuration", Status: 404}) }, 1,
			[]string{"failure     the issuer of ID tokens cannot be read"}},
		"a short webhook secret":  {func(s *site) { s.write("hook", []byte("short")) }, 0, []string{"warning     the webhook secret has 5 bytes", "openssl rand"}},
		"an empty webhook secret": {func(s *site) { s.write("hook", nil) }, 1, []string{"failure     CS-1801", "an empty secret protects nothing"}},
		"no database": {func(s *site) { s.write("data/countersign.db", []byte(strings.Repeat("no database ", 1000))) }, 1,
			[]string{"failure     CS-1902", "Fix: mend the database"}},
		"what a forge was never told": {func(s *site) { s.givesUp() }, 0,
			[]string{"warning     github:7 was never told of request r1 (reply, given up", "CS-1602", "Fix: mend the permission"}},
		"another key": {func(s *site) {
			text, err := os.ReadFile(s.config)
			if err != nil {
				s.t.Fatal(err)
			}
			s.edit(regexp.MustCompile(`SHA256:[0-9a-f]{64}`).FindString(string(text)), "SHA256:"+strings.Repeat("0", 64))
		}, 1, []string{"failure     CS-1504", "Fix:"}},
		"no such token": {func(s *site) {
			text, err := os.ReadFile(s.config)
			if err != nil {
				s.t.Fatal(err)
			}
			s.write("countersign.yaml", []byte(strings.ReplaceAll(string(text), "token: countersign,", "token: elsewhere,")))
		}, 1, []string{"failure     CS-15", "elsewhere"}},
		"a wrong PIN": {func(s *site) {
			s.write("pin", []byte("0000"))
			text, err := os.ReadFile(s.config)
			if err != nil {
				s.t.Fatal(err)
			}
			s.write("countersign.yaml", regexp.MustCompile(`pin_file: [^}]*}`).ReplaceAll(text, []byte("pin_file: "+s.dir+"/pin}")))
		}, 1, []string{"failure     CS-1505"}},
		"no key of its own": {func(s *site) {
			text, err := os.ReadFile(s.config)
			if err != nil {
				s.t.Fatal(err)
			}
			s.write("countersign.yaml", regexp.MustCompile(`(?m)^  - {purpose: verdict.*\n`).ReplaceAll(text, nil))
		}, 1, []string{"failure     CS-1801: the gate lacks keys of its own", "none for verdict", "Fix: countersignd keys create --authority"}},
		"a guard that cannot be written": {func(s *site) {
			s.edit("administrators:", "ledger: {guard_file: "+s.dir+"/nowhere/guard}\nadministrators:")
		}, 1,
			[]string{"failure     nothing can be published or signed: the guard's file", "let the server's account write to"}},
		"a guard that does not read": {func(s *site) { s.write("data/countersign.db.published", []byte("no guard")) }, 1,
			[]string{"failure     nothing is signed: read what was published last", "put the guard's file back"}},
		"a ledger that has not begun": {func(s *site) { s.database() }, 0, []string{"warning     the ledger has not begun", "Fix: start the server once"}},
		"a time-stamping authority that is down": {func(s *site) {
			chain := s.write("tsa.pem", tsaChain(s.t))
			s.edit("administrators:", "timestamps: {url: 'http://127.0.0.1:9/', chain_file: "+chain+"}\nadministrators:")
		}, 1, []string{"failure     releases wait: no time-stamp by http://127.0.0.1:9/", "timestamps.chain_file"}},
		"one administrator who may begin an epoch": {func(s *site) {
			signers := s.write("signers", signersFile(s.t, "github:1", "github:2"))
			s.edit("administrators:", "ledger: {signers_file: "+signers+"}\nadministrators:")
		}, 0, []string{`warning     "github:2" of ledger.signers_file is no administrator`, "takes 2 administrators with SSH keys on file: 1 has"}},
		"two administrators who may begin an epoch": {func(s *site) {
			signers := s.write("signers", signersFile(s.t, "github:1", "github:2"))
			s.edit(`administrators: ["github:1"]`, "ledger: {signers_file: "+signers+"}\nadministrators: ['github:1', 'github:2']")
		}, 0, []string{"pass        a new epoch of the ledger could be begun by two of 2 administrators"}},
		"a signers file that does not read": {func(s *site) {
			signers := s.write("signers", []byte("github:1 no key\n"))
			s.edit("administrators:", "ledger: {signers_file: "+signers+"}\nadministrators:")
		}, 1, []string{"failure     CS-1801: ledger.signers_file does not read"}},
		"a witness that is away": {func(s *site) {
			s.serves().publishes()
			s.edit("administrators:", "ledger: {witnesses: [{url: 'http://127.0.0.1:9/', key: '"+witnessKey(s.t)+"'}]}\nadministrators:")
		}, 1, []string{"warning     witness witness.example did not cosign what is published", "countersignd ledger status"}},
		"a revoked token":      {func(s *site) { s.gitlab.RevokeToken(s.gitlab.BotToken()) }, 1, []string{"failure     GitLab does not take the gate's access token", "token_file"}},
		"another App's key":    {func(s *site) { s.edit("app_id: 424242", "app_id: 424243") }, 1, []string{"failure     GitHub does not take the App's key", "compare app_id"}},
		"no key at all":        {func(s *site) { s.write("app.pem", []byte("no key")) }, 1, []string{"failure     CS-1801", "forge github cannot be used"}},
		"a forge that is down": {func(s *site) { s.github.Close() }, 1, []string{"failure     GitHub does not answer", "may connect"}},
		"fewer permissions": {func(s *site) { s.github.SetPermissions(map[string]string{"metadata": "read"}) }, 1,
			[]string{"failure     the installation of OWNER lacks actions: read", "an owner of OWNER accepts"}},
		"broken findings": {func(s *site) { s.write("data/probe-github.json", []byte("{")) }, 1, []string{"failure     read the findings", "remove the file"}},
		"findings of another forge": {func(s *site) {
			s.write("data/probe-github.json", []byte(`{"probe":1,"forge":"github","kind":"github","url":"https://github.com"}`))
		}, 0, []string{"nothing is proven about this forge"}},
		"another version": {func(s *site) {
			s.write("data/probe-gitlab.json", []byte(`{"probe":1,"forge":"gitlab","kind":"gitlab","url":"`+s.gitlab.URL()+`","version":"17.0.0"}`))
		}, 0, []string{"warning     the forge was probed as version 17.0.0, and is version 18.5.1 now"}},
		"a silent forge": {func(s *site) { s.gitlab.Fail(forgetest.Fault{Path: "/user", Status: 502, Body: "bad gateway"}) }, 1, []string{"failure     the gate's own account cannot be read: GitLab answered 502"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			row.spoil(s)
			out := s.run(row.code, "doctor")
			for _, want := range row.says {
				if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("expected %q in\n%s", want, out)
				}
			}
			for _, secret := range []string{hook, s.gitlab.BotToken(), "PRIVATE"} {
				if strings.Contains(out, secret) {
					t.Errorf("it tells a secret:\n%s", out)
				}
			}
		})
	}
}

func TestDoctorJSON(t *testing.T) {
	s := newSite(t)
	s.run(0, "probe", "--forge", "gitlab", "--repo", scratch)
	var out struct {
		Checks []struct {
			ID, Area, Level, Text, Fix string
		}
		Failures, Warnings, Passed int
	}
	if err := json.Unmarshal([]byte(s.run(0, "doctor", "--json")), &out); err != nil {
		t.Fatal(err)
	}
	facts := 0
	for _, c := range out.Checks {
		if c.Area == "" || c.Text == "" || (c.Level != "pass") != (c.Fix != "") {
			t.Errorf("expected an area, a text, and a fix where it does not pass: %+v", c)
		}
		if strings.HasPrefix(c.ID, "gitlab.") {
			facts++
		}
	}
	if facts < 20 || out.Failures != 0 || out.Warnings+out.Passed != len(out.Checks) {
		t.Errorf("%d facts, %d failures, %d warnings, %d passed of %d", facts, out.Failures, out.Warnings, out.Passed, len(out.Checks))
	}
}

// givesUp leaves a post in the database that the forge refused for good.
func (s *site) givesUp() {
	s.t.Helper()
	ctx := s.t.Context()
	at := time.Now()
	shelf, err := store.Open(ctx, store.Config{
		Engine: store.SQLite, Path: filepath.Join(s.dir, "data", "countersign.db"), Now: func() time.Time { return at },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	p := gate.Post{ID: "p1", Request: "r1", Repository: gate.RepositoryID{Forge: "github", ID: 7}, Target: gate.PostReply, Key: "k", Thread: gate.Thread{Number: 1}, Made: at}
	err = shelf.Hear(ctx, gate.Heard{Posts: []gate.Post{p}})
	for range 50 {
		at = at.Add(5 * time.Minute)
		claimed, ok, claimErr := shelf.ClaimPost(ctx, "worker", time.Minute)
		if claimErr != nil || !ok {
			s.t.Fatalf("expected the post to be tried again, got %v, %v", ok, claimErr)
		}
		err = errors.Join(err, shelf.RefusePost(ctx, claimed, at, "CS-1602"))
	}
	if err := errors.Join(err, shelf.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// tampers changes the database behind the gate's back, its guards off.
func (s *site) tampers(statement string) {
	s.t.Helper()
	ctx := s.t.Context()
	path := filepath.Join(s.dir, "data", "countersign.db")
	shelf, err := store.Open(ctx, store.Config{Engine: store.SQLite, Path: path, Now: time.Now})
	if err == nil {
		err = errors.Join(shelf.RecordMode(ctx, true), shelf.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var guards []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		guards = append(guards, name)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range guards {
		_, err = db.ExecContext(ctx, "DROP TRIGGER "+name)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(ctx, statement); err != nil {
		s.t.Fatal(err)
	}
}

// The doctor of a running server: the public URL leads to it, and a delivery that GitHub
// sends again arrives.
func TestDoctorOfARunningServer(t *testing.T) {
	s := newSite(t)
	v := s.serves()
	s.edit(`url: "https://sign.example.org"`, `url: "`+v.url+`"`)
	s.edit("administrators:", "ledger: {origin: sign.example.org}\nadministrators:") // as the server began it
	s.github.DeliverTo(v.url+"/webhooks/github/github", hook)
	out := s.run(0, "doctor")
	for _, want := range []string{v.url + " leads to this server", "the ledger is sound: ", "the ledger is fit to sign under: ", "the certificate of ca version 1", "nothing waits for the server"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
}

// A public URL that leads elsewhere is found, and another server of the same kind is told
// from this one.
func TestDoctorOfAnotherServer(t *testing.T) {
	s := newSite(t)
	s.serves()
	before := `url: "https://sign.example.org"`
	for _, row := range []struct {
		answer string
		status int
		code   int
		says   string
	}{
		{"<html>somebody's page</html>", http.StatusOK, 1, "failure     the public URL does not answer from here: something else answers there, with status 200"},
		{"", http.StatusFound, 1, "failure     the public URL does not answer from here: something else answers there, with status 302"},
		{`{"instance":"another"}`, http.StatusOK, 1, "warning     another server answers at the public URL than on"},
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.answer))
		}))
		t.Cleanup(other.Close)
		s.edit(before, `url: "`+other.URL+`"`)
		before = `url: "` + other.URL + `"`
		out := s.run(row.code, "doctor")
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(row.says), " ")) {
			t.Errorf("expected %q in\n%s", row.says, out)
		}
	}
}

// What a repository's next release would meet, before and after its policy is in force.
func TestDoctorOfARepository(t *testing.T) {
	s := newSite(t)
	s.database()
	s.edit(`owners: ["github:1"]}`, fmt.Sprintf(`repositories: ["github:%d", "gitlab:%d"]}`, s.repo["github"].ID, s.repo["gitlab"].ID))
	for forge, w := range map[string]forgetest.World{"github": s.github, "gitlab": s.gitlab} {
		repo := s.repo[forge]
		id := fmt.Sprintf("%s:%d", forge, repo.ID)
		if out := s.run(1, "doctor", "--repo", id); !strings.Contains(out, "CS-1202") && !strings.Contains(out, "holds no policy") {
			t.Errorf("%s: expected a failure that says so, got\n%s", forge, out)
		}
		base := w.Head(repo, "refs/heads/main")
		bo, cy := w.AddPerson("bo"), w.AddPerson("cy")
		w.SetRole(repo, bo, forgetest.RoleMaintain)
		w.SetRole(repo, cy, forgetest.RoleMaintain)
		file := map[string][]byte{
			".countersign.yaml": []byte("version: 1\nreleases:\n  - {workflow: release.yml, key: release}\n"), ".github/workflows/release.yml": []byte("on: push\npermissions: {id-token: write}\n"),
		}
		if forge == "gitlab" {
			file[".countersign.yaml"] = []byte("version: 1\nreleases:\n  - {job: release, key: release}\n")
			file[".gitlab-ci.yml"] = []byte("release:\n  script: [make]\n  id_tokens: {COUNTERSIGN: {aud: x}}\n")
		}
		sha := w.Commit(repo, forgetest.CommitSpec{Author: cy, Message: "Ask for approval", Parents: []string{base}, Files: file})
		w.Push(repo, cy, "refs/heads/main", sha)
		if out := s.run(1, "doctor", "--repo", scratchOf(forge, id)); !strings.Contains(out, "and is not in force") {
			t.Errorf("%s: expected a policy that is not in force, got\n%s", forge, out)
		}
		s.run(0, "policy", "adopt", "--repository", id, "--baseline", base)
		_, out, errs := run(t, "doctor", "--repo", id, "--config", s.config)
		golden(t, "doctor-"+forge+"-repository.golden", regexp.MustCompile(`\b[0-9a-f]{7}\b`).ReplaceAllString(s.plain(out), "3f2c1e9"))
		if errs != "" && !strings.Contains(errs, "failure") {
			t.Error(errs)
		}
	}
	for range 2 { // again changes nothing
		if out := s.run(0, "hooks"); !strings.Contains(out, "pass") || strings.Contains(out, hook) {
			t.Errorf("hooks: %s", out)
		}
	}
	if out := s.run(0, "doctor", "--repo", fmt.Sprintf("gitlab:%d", s.repo["gitlab"].ID)); strings.Contains(out, "no hook leads") {
		t.Errorf("the hook is not there:\n%s", out)
	}
	if out := s.run(1, "doctor", "--repo", "OWNER/nothing"); !strings.Contains(out, "CS-1201") {
		t.Errorf("no such repository: %s", out)
	}
	if out := s.run(1, "doctor", "--repo", "gitea:1"); !strings.Contains(out, "CS-1405") {
		t.Errorf("no such forge: %s", out)
	}
}

// scratchOf calls the scratch repository by its name, where only one forge has it.
func scratchOf(forge, id string) string {
	if forge == "github" {
		return scratch
	}
	return id
}
