// Package stage sets the whole of Countersign up on loopback, for the stories and
// the demo: doubles of both forges, a SoftHSM token, a database, and the real
// daemon and client as separate processes.
package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// Options say where the stage stands.
type Options struct {
	Dir string // scratch folder: token, database, secrets, configuration
	Bin string // folder that holds countersignd and countersign
	// Postgres is a data source name; SQLite in Dir where empty.
	Postgres string
	// Log receives what the daemon writes.
	Log io.Writer
	// GitHubWeb is the address that pages of GitHub's repositories are said to have; the
	// double's own where empty.
	GitHubWeb string
}

// Stage is everything but the story. Close ends what it started.
type Stage struct {
	Options

	URL    string // the daemon's public URL
	Health string
	GitHub *githubtest.Server
	GitLab *gitlabtest.Server
	Token  hsmtest.Token
	Worlds map[string]forgetest.World
	// Administrators are the server's ("forge:number").
	Administrators []string
	// Module is the daemon's PKCS#11 module, and Env goes into its environment: a test
	// may put a misbehaving module in front of SoftHSM's.
	Module string
	Env    []string
	// Ledger is more of the configuration's section of that name, indented by two; Extra is more
	// whole sections.
	Ledger, Extra string

	config string
	// authority are the gate's own keys, made with the first release key.
	authority []Key
	daemon    *exec.Cmd
	exited    chan error
}

const (
	lineage = "acme-release"
	secret  = "a-webhook-secret-of-the-stage"
)

// New builds the stage without starting the daemon: no repository exists yet, and
// the key will be bound to whatever owner [Stage.Configure] is told.
func New(ctx context.Context, o Options) (*Stage, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	token, err := hsmtest.Create(filepath.Join(o.Dir, "token"))
	if err != nil {
		return nil, fmt.Errorf("make a SoftHSM token: %w", err)
	}
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	s := &Stage{
		Options: o, Token: token, Module: token.Module,
		URL: "http://" + ports[0], Health: "http://" + ports[1],
		GitHub: githubtest.New(githubtest.Options{Web: o.GitHubWeb}), GitLab: gitlabtest.New(gitlabtest.Options{}),
		config: filepath.Join(o.Dir, "countersign.yaml"),
	}
	s.Worlds = map[string]forgetest.World{"github": s.GitHub, "gitlab": s.GitLab}
	for name, w := range s.Worlds {
		w.DeliverTo(s.URL+"/webhooks/"+name+"/"+name, secret)
	}
	s.GitHub.SetCallbacks(s.URL + "/auth/github/callback")
	s.GitLab.RegisterRedirect(s.URL + "/auth/gitlab/callback")
	return s, nil
}

// freePorts finds loopback ports that nobody listens on. They lie below the range
// from which the kernel takes the ports of outgoing connections, so that none is
// taken between now and the daemon's start.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var out []string
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000)) //nolint:gosec // any free port will do
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		if out = append(out, address); len(out) == n {
			return out, nil
		}
	}
	return nil, fmt.Errorf("found %d free ports of %d on loopback between 20000 and 30000", len(out), n)
}

// Key is what `countersignd keys create --json` answers.
type Key struct {
	Purpose     string `json:"purpose"`
	Label       string `json:"label"`
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
}

// CreateKey makes the release key in the token, and the gate's own keys beside it, as an
// operator does.
func (s *Stage) CreateKey(ctx context.Context) (Key, error) {
	if s.authority == nil {
		if err := s.createKeys(ctx, &s.authority, "--authority"); err != nil {
			return Key{}, err
		}
	}
	var k Key
	err := s.createKeys(ctx, &k, "--label", ReleaseKey)
	return k, err
}

func (s *Stage) createKeys(ctx context.Context, into any, args ...string) error {
	out, err := s.Daemon(ctx, append([]string{
		"keys", "create", "--json", "--module", s.Token.Module, "--token", s.Token.TokenLabel, "--pin-file", s.Token.PINFile,
	}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read what keys create answered: %w", err)
	}
	return nil
}

var configFile = template.Must(template.New("config").Parse(`server:
  url: {{.URL}}
  listen: {{.Listen}}
  health_listen: {{.HealthListen}}
{{- with .Administrators}}
administrators:
{{- range .}}
  - "{{.}}"
{{- end}}
{{- end}}
ledger:
  guard_file: {{.Dir}}/published
{{- with .Ledger}}
  {{.}}
{{- end}}
database:
{{- if .Postgres}}
  engine: postgres
  dsn_file: {{.Dir}}/dsn
{{- else}}
  engine: sqlite
  path: {{.Dir}}/countersign.db
{{- end}}
forges:
  - name: github
    kind: github
    url: {{.GitHub.URL}}
    api_url: {{.GitHub.APIURL}}
    issuer: {{.GitHub.Issuer}}
    app_id: {{.GitHub.AppID}}
    private_key_file: {{.Dir}}/github-app.pem
    webhook_secret_file: {{.Dir}}/webhook-secret
    client_id: {{.GitHub.ClientID}}
    client_secret_file: {{.Dir}}/github-client-secret
  - name: gitlab
    kind: gitlab
    url: {{.GitLab.URL}}
    token_file: {{.Dir}}/gitlab-token
    webhook_secret_file: {{.Dir}}/webhook-secret
    client_id: {{.GitLab.ClientID}}
    client_secret_file: {{.Dir}}/gitlab-client-secret
hsm:
  - module: {{.Module}}
    token: {{.Token.TokenLabel}}
    pin_file: {{.Token.PINFile}}
    workers: 1
keys:
  - lineage: {{.Lineage}}
    version: 1
    token: {{.Token.TokenLabel}}
    label: {{.Key.Label}}
    id: "{{.Key.ID}}"
    spki: "{{.Key.Fingerprint}}"
    owners:
{{- range .Owners}}
      - "{{.}}"
{{- end}}
{{- range .Authority}}
  - purpose: {{.Purpose}}
    lineage: {{.Purpose}}
    version: 1
    token: {{$.Token.TokenLabel}}
    label: {{.Label}}
    id: "{{.ID}}"
    spki: "{{.Fingerprint}}"
{{- end}}
{{- with .Extra}}
{{.}}
{{- end}}
`))

// Configure writes the daemon's configuration and secrets; the key serves every
// repository of the owners ("forge:number").
func (s *Stage) Configure(key Key, owners ...string) error {
	var b bytes.Buffer
	err := configFile.Execute(&b, struct {
		*Stage
		Listen, HealthListen, Lineage string
		Key                           Key
		Authority                     []Key
		Owners                        []string
	}{s, strings.TrimPrefix(s.URL, "http://"), strings.TrimPrefix(s.Health, "http://"), lineage, key, s.authority, owners})
	if err != nil {
		return err
	}
	files := s.secrets()
	files["countersign.yaml"] = b.Bytes()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Daemon runs countersignd to its end and returns what it wrote to standard output.
func (s *Stage) Daemon(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "countersignd"), args...)
	cmd.Env = s.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("countersignd %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

func (s *Stage) env() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir}
	return append(append(env, s.Token.Env...), s.Env...)
}

// Start starts the daemon and waits until it is ready.
func (s *Stage) Start(ctx context.Context) error {
	s.daemon = exec.Command(filepath.Join(s.Bin, "countersignd"), "serve", "--config", s.config) //nolint:noctx // it outlives the call; Stop ends it
	s.daemon.Env = s.env()
	s.daemon.Stdout, s.daemon.Stderr = s.Log, s.Log
	if err := s.daemon.Start(); err != nil {
		return err
	}
	s.exited = make(chan error, 1)
	go func(c *exec.Cmd, done chan<- error) { done <- c.Wait() }(s.daemon, s.exited)
	for range 300 {
		select {
		case err := <-s.exited:
			s.daemon = nil
			return fmt.Errorf("countersignd ended at its start: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if s.ready(ctx) {
			return nil
		}
	}
	return errors.New("countersignd was not ready within 30 s")
}

func (s *Stage) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Health+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop asks the daemon to end and waits for it.
func (s *Stage) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends it on the spot, as a power cut does.
func (s *Stage) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Stage) end(sig syscall.Signal) error {
	if s.daemon == nil {
		return nil
	}
	if err := s.daemon.Process.Signal(sig); err != nil {
		return err
	}
	err := <-s.exited
	s.daemon = nil
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

// Close ends everything.
func (s *Stage) Close() {
	_ = s.Kill() // a daemon that is gone already is what is wanted
	for _, w := range s.Worlds {
		w.Close()
	}
}

// Client runs the countersign client in a job's environment, in dir.
func (s *Stage) Client(ctx context.Context, w forgetest.World, job forgetest.Job, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "countersign"), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "COUNTERSIGN_SERVER=" + s.URL},
		w.JobEnv(job, s.URL)...)
	return cmd
}
