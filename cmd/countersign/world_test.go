package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/voice"

	main "github.com/countersign/countersign/cmd/countersign"
)

const requestID = gatetest.RequestID

var built = map[string]string{"app.tar.gz": "the archive", "app.zip": "the other archive"}

// world is one CI job before one gate. The gate speaks gate/api, over HTTP; the
// runner's token endpoint hands out an ID token that names its audience and number.
type world struct {
	t       *testing.T
	dir     string // holds the artifacts
	env     map[string]string
	server  *httptest.Server
	release attesttest.Release

	mu sync.Mutex
	// states are what the request is, call by call; the last one stays.
	states []api.Release
	// answers come before everything else, one per call of its path prefix.
	answers map[string][]answer
	files   func([]api.File) []api.File
	forges  []api.Forge
	tokens  int
	// environment is the claim of the ID tokens; without one they are no JWT at all.
	environment string
	used        map[string]int // ID tokens by how often they came
	bodies      [][]byte       // of asks
	waits       []string
}

// answer is what the gate says instead.
type answer struct {
	status int
	header map[string]string
	body   string
}

func problem(status int, code gate.Code, title string) answer {
	b, err := json.Marshal(api.Problem{
		Type: "https://gate.example/errors/" + code.String(), Title: title, Status: status, Code: code.String(),
		Expected: "what the gate expects", Got: "what came", Fix: "what to do",
	})
	if err != nil {
		panic(err)
	}
	return answer{status, map[string]string{"Content-Type": api.MediaProblem, "Retry-After": "0"}, string(b)}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), answers: map[string][]answer{}, used: map[string]int{}}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	w.release = attesttest.NewAt(t, w.server.URL, built)
	for name, content := range built {
		w.put(name, content)
	}
	w.env = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY_ID": strconv.FormatInt(gatetest.Repository().ID, 10),
		"GITHUB_REF": gatetest.Ref, "GITHUB_SHA": gatetest.Commit, "GITHUB_SERVER_URL": "https://github.example",
		"ACTIONS_ID_TOKEN_REQUEST_URL":   w.server.URL + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret",
		"COUNTERSIGN_SERVER":             w.server.URL,
	}
	w.forges = []api.Forge{
		{Name: "gitlab", Kind: gate.GitLab, URL: "https://gitlab.example"},
		{Name: string(gatetest.Forge), Kind: gate.GitHub, URL: "https://GitHub.example/"},
	}
	w.states = []api.Release{w.at(gate.StateWaiting), w.at(gate.StateSigned)}
	return w
}

// onGitLab makes the job one of GitLab.
func (w *world) onGitLab() *world {
	w.env = map[string]string{
		"GITLAB_CI": "true", "CI_PROJECT_ID": w.env["GITHUB_REPOSITORY_ID"], "CI_COMMIT_TAG": gatetest.Tag,
		"CI_COMMIT_SHA": gatetest.Commit, "CI_SERVER_URL": "https://gitlab.example",
		"COUNTERSIGN_ID_TOKEN": "job-token", "COUNTERSIGN_SERVER": w.server.URL,
	}
	w.forges = []api.Forge{{Name: string(gatetest.Forge), Kind: gate.GitLab, URL: "https://gitlab.example"}}
	return w
}

func (w *world) put(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// at is the release in a state, with the checks that go with it.
func (w *world) at(state gate.State) api.Release {
	r := api.Release{
		ID: requestID, Code: "K7QM", State: state, Attempt: 1, Repository: "acme/app", Ref: gatetest.Ref,
		Commit: gatetest.Commit, Stream: "stable", Key: gatetest.Lineage, ManifestDigest: w.release.Manifest.Digest(),
		Subjects: w.release.Manifest.Subjects, Created: time.Now().UTC(), Expires: time.Now().UTC().Add(time.Hour),
		URL: w.server.URL + "/releases/" + requestID, ThreadURL: "https://github.example/acme/app/pull/412",
		Checks: []api.Check{titled(gate.Check{Name: gate.CheckIdentity, Outcome: gate.Granted, Reason: "release.yml"})},
	}
	if state == gate.StateWaiting {
		r.Checks = append(r.Checks, titled(gate.Check{
			Name: gate.CheckCoverage, Outcome: gate.Waiting, Reason: "1 of 2 changes not yet covered", Fix: "somebody else approves",
		}))
		r.Coverage = []gate.Coverage{{
			Number: 412, Called: "#412", Head: gatetest.Head, Missing: "someone other than @ana",
			Authors: []gate.Authorship{{Account: gatetest.Ana(), Why: "author"}},
		}}
		r.CanApprove = []gate.Account{gatetest.Bo()}
		r.CannotApprove = []gate.Ineligible{{Account: gatetest.Ana(), Why: "author of #412"}}
	}
	r.Headline, r.Standing = said(r)
	return r
}

// ended is the release after it ended by a check.
func (w *world) ended(state gate.State, by gate.CheckName, reason string) api.Release {
	r := w.at(state)
	r.Checks = append(r.Checks, titled(gate.Check{Name: by, Outcome: gate.Denied, Reason: reason, Fix: "the next step"}))
	r.Ending = &api.Ending{Reason: reason, Fix: "the next step"}
	return r
}

// said is what the server says of a release.
func said(r api.Release) (headline, standing string) {
	v := voice.View{State: r.State, Kind: gate.GitHub, Decision: gate.Decision{Coverage: r.Coverage, People: 1}}
	for _, c := range r.Checks {
		v.Decision.Checks = append(v.Decision.Checks, c.Check)
	}
	return voice.Headline(v), voice.Standing(v)
}

func titled(c gate.Check) api.Check { return api.Check{Check: c, Title: voice.CheckTitle(c.Name)} }

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for prefix, queue := range w.answers {
		if strings.HasPrefix(r.Method+" "+r.URL.Path, prefix) && len(queue) > 0 {
			w.answers[prefix] = queue[1:]
			for name, value := range queue[0].header {
				rw.Header().Set(name, value)
			}
			rw.WriteHeader(queue[0].status)
			_, _ = rw.Write([]byte(queue[0].body))
			return
		}
	}
	switch path := r.Method + " " + r.URL.Path; path {
	case "GET /token":
		w.token(rw, r)
	case "GET /v1/forges":
		w.json(rw, http.StatusOK, w.forges)
	case "POST /v1/releases":
		w.ask(rw, r)
	case "GET /v1/releases/" + requestID:
		w.identify(r, canonical.RequestAudience(w.host(), requestID))
		w.waits = append(w.waits, r.URL.Query().Get("wait"))
		w.json(rw, http.StatusOK, w.next())
	case "POST /v1/releases/" + requestID + "/collect":
		w.identify(r, canonical.RequestAudience(w.host(), requestID))
		w.json(rw, http.StatusOK, api.Collected{Release: w.states[0], Files: w.sent()})
	default:
		w.t.Errorf("the client called %s", path)
		rw.WriteHeader(http.StatusNotFound)
	}
}

func (w *world) host() string {
	u, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Error(err)
	}
	return u.Host
}

func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer runner-secret" || r.URL.Query().Get("api-version") != "2.0" {
		w.t.Errorf("token endpoint: unexpected call %s", r.URL)
	}
	w.tokens++
	value := fmt.Sprintf("%d|%s", w.tokens, r.URL.Query().Get("audience"))
	if w.environment != "" {
		claims := fmt.Sprintf(`{"environment": %q, "aud": %q}`, w.environment, r.URL.Query().Get("audience"))
		value = fmt.Sprintf("head.%s.%d", base64.RawURLEncoding.EncodeToString([]byte(claims)), w.tokens)
	}
	w.json(rw, http.StatusOK, map[string]any{"count": 1, "value": value})
}

// identify holds the ID token against the audience that it must have been made for.
func (w *world) identify(r *http.Request, audience string) {
	raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.used[raw]++
	if raw == "job-token" {
		return // GitLab's says nothing more
	}
	_, got, _ := strings.Cut(raw, "|")
	if parts := strings.Split(raw, "."); w.environment != "" {
		var claims struct{ Aud string }
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(body, &claims) != nil {
			w.t.Errorf("ID token %q: %v", raw, err)
		}
		got = claims.Aud
	}
	if got != audience {
		w.t.Errorf("audience: expected %s, got %s", audience, got)
	}
}

func (w *world) ask(rw http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	w.bodies = append(w.bodies, body.Bytes())
	var in api.Ask
	dec := json.NewDecoder(&body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		w.t.Errorf("ask: %v", err)
	}
	m, err := canonical.NewManifest(in.Subjects)
	if err != nil {
		w.t.Errorf("ask: %v", err)
	}
	hash, err := canonical.AskHash(gate.Ask{
		Server: w.host(), Repository: gatetest.Repository(), Ref: in.Ref, Commit: in.Commit, Stream: in.Stream, Manifest: m,
	})
	if err != nil || in.Repository != gatetest.Repository().String() {
		w.t.Errorf("ask for %s: %v", in.Repository, err)
	}
	w.identify(r, canonical.AskAudience(w.host(), hash))
	w.json(rw, http.StatusAccepted, w.next())
}

func (w *world) next() api.Release {
	r := w.states[0]
	if len(w.states) > 1 {
		w.states = w.states[1:]
	}
	return r
}

func (w *world) sent() []api.File {
	out := make([]api.File, 0, len(w.release.Files))
	for _, f := range w.release.Files {
		out = append(out, api.File{Name: f.Name, Content: f.Content})
	}
	if w.files != nil {
		out = w.files(out)
	}
	return out
}

func (w *world) json(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	if err := json.NewEncoder(rw).Encode(v); err != nil {
		w.t.Error(err)
	}
}

// outcome is what one run of the program left.
type outcome struct {
	exit           main.Exit
	stdout, stderr string
}

// run runs the program in the job.
func (w *world) run(args ...string) outcome {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	var env []string
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	code := main.Run(w.t.Context(), args, env, &stdout, &stderr)
	for _, secret := range []string{"runner-secret", "job-token", "1|countersign"} {
		if strings.Contains(stdout.String()+stderr.String(), secret) {
			w.t.Errorf("the output holds the secret %q", secret)
		}
	}
	return outcome{main.Exit(code), stdout.String(), stderr.String()}
}

// artifacts are the paths of what was built, sorted.
func (w *world) artifacts() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(built)) {
		out = append(out, filepath.Join(w.dir, name))
	}
	return out
}

// sign runs countersign sign over everything built, without patience.
func (w *world) sign(more ...string) outcome {
	w.t.Helper()
	args := append([]string{"sign", "--poll", "1ms", "--wait-timeout", "20s", "--retry-for", "1s"}, more...)
	return w.run(append(args, w.artifacts()...)...)
}

// holds lists the files of the job's folder, beside what was built.
func (w *world) holds() []string {
	var out []string
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(w.dir, path)
		if _, is := built[rel]; err == nil && !d.IsDir() && !is {
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) expect(o outcome, exit main.Exit, words ...string) {
	w.t.Helper()
	if o.exit != exit {
		w.t.Errorf("exit: expected %d, got %d\nstdout:\n%s\nstderr:\n%s", exit, o.exit, o.stdout, o.stderr)
	}
	for _, word := range words {
		if !strings.Contains(o.stdout+o.stderr, word) {
			w.t.Errorf("expected the output to say %q, got\nstdout:\n%s\nstderr:\n%s", word, o.stdout, o.stderr)
		}
	}
}
