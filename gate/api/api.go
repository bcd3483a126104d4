// Package api is the JSON of the gate's HTTP surface, shared by the server and
// the client.
package api

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// MediaProblem is the media type of errors (RFC 9457).
const MediaProblem = "application/problem+json"

// Problem is an error as RFC 9457 has it, with the gate's own members.
type Problem struct {
	Type     string `json:"type"` // URL of the code's section in the manual
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Code     string `json:"code"` // CS-nnnn, stable
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
	Fix      string `json:"fix,omitempty"`
	// Claims are all pinned claims of the ID token, where that is what was refused.
	Claims []gate.ClaimCheck `json:"claims,omitempty"`
}

// Ask is the body of POST /v1/releases. Unknown members are refused.
type Ask struct {
	Repository string         `json:"repository"` // "forge:number"
	Ref        string         `json:"ref"`
	Commit     string         `json:"commit"`
	Stream     string         `json:"stream,omitempty"`
	Subjects   []gate.Subject `json:"subjects"`
}

// Forge is one entry of GET /v1/forges: how a client finds the name under which
// the server knows its forge, which is part of every ask.
type Forge struct {
	Name string         `json:"name"`
	Kind gate.ForgeKind `json:"kind"`
	URL  string         `json:"url"`
}

// Release answers an ask and GET /v1/releases/{id}.
type Release struct {
	ID             string            `json:"id"`
	Code           string            `json:"code"`
	State          gate.State        `json:"state"`
	Attempt        int               `json:"attempt"`
	Joined         bool              `json:"joined,omitempty"` // the ask met an open request
	Repository     string            `json:"repository"`       // owner/name
	Ref            string            `json:"ref"`
	Commit         string            `json:"commit"`
	Stream         string            `json:"stream"`
	Key            string            `json:"key"`
	ManifestDigest gate.Digest       `json:"manifest_digest"`
	Subjects       []gate.Subject    `json:"subjects"`
	Created        time.Time         `json:"created"`
	Expires        time.Time         `json:"expires"`
	URL            string            `json:"url"` // release page
	ThreadURL      string            `json:"thread_url,omitempty"`
	Checks         []gate.Check      `json:"checks"`
	Coverage       []gate.Coverage   `json:"coverage"`
	CanApprove     []gate.Account    `json:"can_approve"`
	CannotApprove  []gate.Ineligible `json:"cannot_approve"`
}

// Collected answers POST /v1/releases/{id}/collect.
type Collected struct {
	Release Release `json:"release"`
	Files   []File  `json:"files"`
}

// File is one file to put beside the artifacts.
type File struct {
	Name    string `json:"name"`    // base name or relative path with forward slashes
	Content []byte `json:"content"` // base64 in JSON
}

// Key is one entry of GET /v1/keys.
type Key struct {
	Lineage  string `json:"lineage"`
	Version  int    `json:"version"`
	PEM      string `json:"pem"`
	Hint     string `json:"hint"` // SHA256:… as ssh-keygen -l prints it
	Software bool   `json:"software"`
}
