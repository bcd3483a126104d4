package probe_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/forges/probe/transcript"
	"github.com/countersign/countersign/gate"
)

const (
	server = "https://sign.example.org"
	secret = "a-webhook-secret-of-this-test"
	public = "elsewhere/public"
)

// bench is a double with a scratch repository on which every fact can be told.
type bench struct {
	t       *testing.T
	world   forgetest.World
	repo    forgetest.Repository
	ana, bo forgetest.Person
	bot     forgetest.Person
	job     forgetest.Job
	team    string
	key     []byte // GitHub
	app     int64
	token   string // GitLab
}

// sharedKey is made once: making one takes longer than most tests.
var sharedKey = sync.OnceValue(func() *rsa.PrivateKey { //nolint:gochecknoglobals // as it says
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (b *bench) kind() gate.ForgeKind { return gate.ForgeKind(b.world.Name()) }

func onGitHub(t *testing.T, o githubtest.Options) *bench {
	t.Helper()
	o.Permissions, o.Key = github.Permissions(), sharedKey()
	s := githubtest.New(o)
	t.Cleanup(s.Close)
	b := &bench{t: t, world: s, key: s.AppPrivateKey(), app: s.AppID()}
	b.fill()
	b.team = s.AddTeam(b.repo, "hidden-heads")
	s.JoinTeam(b.repo, b.team, b.bo)
	s.Publish(s.AddRepository(public))
	return b
}

func onGitLab(t *testing.T, o gitlabtest.Options) *bench {
	t.Helper()
	o.Key = sharedKey()
	s := gitlabtest.New(o)
	t.Cleanup(s.Close)
	b := &bench{t: t, world: s, token: s.BotToken()}
	b.fill()
	b.team = s.AddTeam(b.repo, "hidden-heads")
	s.JoinTeam(b.repo, b.team, b.bo)
	return b
}

// fill makes the repository with what the facts ask about: rules of all kinds, a branch
// with a slash, one that was deleted, a bot's commit, changes, a tag, a job.
func (b *bench) fill() {
	w := b.world
	bell := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	b.t.Cleanup(bell.Close)
	w.DeliverTo(bell.URL, secret)
	defer w.Settle()
	b.repo = w.AddRepository("acme/scratch-of-acme")
	b.ana, b.bo, b.bot = w.AddPerson("ana-the-first"), w.AddPerson("bo-the-second"), w.AddBot("renovator")
	for _, p := range []forgetest.Person{b.ana, b.bo, b.bot} {
		w.SetRole(b.repo, p, forgetest.RoleMaintain)
	}
	b.commit(b.ana, "refs/heads/main", "Begin a private matter", map[string][]byte{
		".countersign.yaml": []byte("version: 1\nreleases:\n  - workflow: release.yml\n"), "secret-plan.txt": []byte("plan"),
		".github/workflows/release.yml": []byte("on: push\n"), ".gitlab-ci.yml": []byte("release: {script: [true]}\n"),
	})
	b.commit(b.bot, "refs/heads/main", "Bump a dependency", map[string][]byte{"dep": []byte("2")})
	b.change("feature/slashed-name", forgetest.MergeCommit)
	b.change("to-be-deleted", forgetest.Squash)
	w.DeleteRef(b.repo, b.ana, "refs/heads/to-be-deleted")
	b.change("moved-forward", forgetest.Rebase)
	b.commit(b.ana, "refs/heads/free", "Go astray", map[string][]byte{"free": []byte("1")})
	w.Protect(b.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	if b.kind() == gate.GitHub {
		w.Protect(b.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1, Ruleset: true})
	}
	w.Protect(b.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	w.Push(b.repo, b.ana, "refs/tags/v1.0.0", w.Head(b.repo, "refs/heads/main"))
	workflow := "release.yml"
	if b.kind() == gate.GitLab {
		workflow = "release"
	}
	b.job = w.StartJob(b.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Workflow: workflow, Event: "push", Actor: b.ana})
}

func (b *bench) commit(by forgetest.Person, ref, message string, files map[string][]byte) {
	sha := b.world.Commit(b.repo, forgetest.CommitSpec{
		Author: by, Message: message, Files: files, Parents: []string{b.world.Head(b.repo, "refs/heads/main")},
	})
	b.world.Push(b.repo, by, ref, sha)
}

func (b *bench) change(branch string, how forgetest.MergeMethod) {
	b.commit(b.ana, "refs/heads/"+branch, "Change "+branch+" in private", map[string][]byte{branch: []byte("x")})
	c := b.world.OpenChange(b.repo, b.ana, forgetest.ChangeSpec{Title: "A confidential title", Source: branch})
	b.world.Review(c, b.bo, forgetest.ReviewApprove)
	b.world.Merge(c, b.bo, how)
}

// tokens are two ID tokens of the job, and their claims as the probe's CI job prints them.
func (b *bench) claims() []probe.Claims {
	b.t.Helper()
	var parts []string
	for range 2 {
		token := b.world.IDToken(b.job, probe.Audience(b.kind(), server), nil)
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			b.t.Fatal(err)
		}
		parts = append(parts, string(raw))
	}
	out, err := probe.ParseClaims([]byte("2026-11-22T00:00:00Z [" + strings.Join(parts, ",") + "]\n"))
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// config is everything that a probe can be told, over a transport.
func (b *bench) config(rt http.RoundTripper) probe.Config {
	return b.configAt(rt, b.world.URL(), b.world.APIURL(), "acme/scratch-of-acme", "refs/tags/v1.0.0", public, b.team)
}

func (b *bench) configAt(rt http.RoundTripper, url, api, repository, ref, elsewhere, team string) probe.Config {
	b.t.Helper()
	graphQL := strings.TrimSuffix(url, "/") + "/api/graphql"
	client, err := forges.NewClient(forges.Options{
		Bases: []string{api, graphQL}, Transport: rt, Memory: -1, Pause: time.Millisecond, MaxPause: 5 * time.Millisecond,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	c := probe.Config{
		Forge: gate.ForgeID(b.world.Name()), Kind: b.kind(), URL: url, APIURL: api, GraphQLURL: graphQL, Server: server,
		Repository: repository, Ref: ref, Public: elsewhere, Team: team, Write: true, Claims: b.claims(), Client: client, Now: clock,
	}
	if b.kind() == gate.GitLab {
		c.Token = b.token
		c.Adapter, err = gitlab.New(gitlab.Config{Forge: c.Forge, URL: url, Token: b.token, WebhookSecret: []byte(secret), Client: client, Now: time.Now})
	} else {
		c.Permissions = github.Permissions()
		if c.App, err = ghinstallation.NewAppsTransport(client.Transport, b.app, b.key); err == nil {
			c.Adapter, err = github.New(github.Config{
				Forge: c.Forge, URL: url, APIURL: api, AppID: b.app, PrivateKey: b.key, WebhookSecret: []byte(secret), Client: client, Now: time.Now,
			})
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func clock() time.Time { return time.Now().UTC().Truncate(time.Second) }

func (b *bench) terms() transcript.Terms {
	return transcript.Terms{Secrets: []string{secret, string(b.key), b.token}, Own: probe.OwnTexts(), URL: b.world.URL(), API: b.world.APIURL()}
}

// probe runs everything and records it.
func (b *bench) probe() (probe.Report, *transcript.Recorder) {
	b.t.Helper()
	rec := transcript.NewRecorder(http.DefaultTransport)
	r, err := probe.Run(b.t.Context(), b.config(rec))
	if err != nil {
		b.t.Fatal(err)
	}
	return r, rec
}

func (b *bench) written(rec *transcript.Recorder) string {
	b.t.Helper()
	var out bytes.Buffer
	about := map[string]string{"kind": b.world.Name(), "repository": "acme/scratch-of-acme", "ref": "refs/tags/v1.0.0", "public": public, "team": b.team}
	if err := rec.Write(&out, b.terms(), about); err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}
