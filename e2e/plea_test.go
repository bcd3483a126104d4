package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// plea is an ask as a job would send it, before a row bends it.
type plea struct {
	world   forgetest.World
	server  string // URL
	job     forgetest.Job
	method  string
	path    string
	ask     askBody
	claims  map[string]any        // overrides of the ID token's
	aud     string                // "" for the right one
	mint    func(t string) string // bends the ID token
	bend    func(body string) string
	headers map[string]string // "" takes one away
}

// askBody is what the API takes, in a form that can hold what it does not.
type askBody struct {
	Repository string    `json:"repository"`
	Ref        string    `json:"ref"`
	Commit     string    `json:"commit"`
	Stream     string    `json:"stream,omitempty"`
	Subjects   []subject `json:"subjects"`
}

type subject struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

func built(name string) subject {
	return subject{Name: name, SHA256: gate.SHA256([]byte("what the job built: " + name)).String()}
}

func asking(s *stage.Stage, w forgetest.World, job forgetest.Job, subjects ...subject) *plea {
	repository := gate.RepositoryID{Forge: gate.ForgeID(w.Name()), ID: job.Repository.ID}
	return &plea{
		world: w, server: s.URL, job: job, method: http.MethodPost, path: "/v1/releases",
		ask: askBody{Repository: repository.String(), Ref: job.Spec.Ref, Commit: job.Spec.SHA, Subjects: subjects},
	}
}

// about makes it a call about a request: "" for its state, "/collect" for its files.
func (p *plea) about(method, id, what string) *plea {
	p.method, p.path = method, "/v1/releases/"+id+what
	host := strings.TrimPrefix(p.server, "http://")
	if p.world.Name() == "github" {
		p.aud = canonical.RequestAudience(host, id)
	}
	return p
}

// audience is the one that the ID token should have: on GitHub that of the very ask,
// where it is one.
func (p *plea) audience(t *testing.T) string {
	t.Helper()
	if p.aud != "" {
		return p.aud
	}
	if p.world.Name() == "gitlab" {
		return p.server
	}
	var subjects []gate.Subject
	for _, s := range p.ask.Subjects {
		var d gate.Digest
		if err := d.UnmarshalText([]byte(s.SHA256)); err != nil {
			return p.server // it is refused before anybody looks
		}
		subjects = append(subjects, gate.Subject{Name: s.Name, SHA256: d})
	}
	repository, err := gate.ParseRepositoryID(p.ask.Repository)
	if err != nil {
		return p.server
	}
	m, err := canonical.NewManifest(subjects)
	if err != nil {
		return p.server
	}
	host := strings.TrimPrefix(p.server, "http://")
	hash, err := canonical.AskHash(gate.Ask{
		Server: host, Repository: repository, Ref: p.ask.Ref, Commit: p.ask.Commit, Stream: p.ask.Stream, Manifest: m,
	})
	if err != nil {
		return p.server
	}
	return canonical.AskAudience(host, hash)
}

// request is the bytes that go out.
func (p *plea) request(t *testing.T) *http.Request {
	t.Helper()
	body, err := json.Marshal(p.ask)
	if err != nil {
		t.Fatal(err)
	}
	if p.bend != nil {
		body = []byte(p.bend(string(body)))
	}
	token := p.world.IDToken(p.job, p.audience(t), p.claims)
	if p.mint != nil {
		token = p.mint(token)
	}
	req, err := http.NewRequestWithContext(t.Context(), p.method, p.server+p.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	for name, value := range p.headers {
		if req.Header.Del(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	return req
}
