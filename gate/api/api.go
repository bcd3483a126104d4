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

// Release answers an ask and GET /v1/releases/{id}. Its words (headline, standing, the
// checks' titles, the ending) are those that the comment, the check run and the page
// print: a client shows them and makes up none of its own.
type Release struct {
	ID      string     `json:"id"`
	Code    string     `json:"code"`
	State   gate.State `json:"state"`
	Attempt int        `json:"attempt"`
	Joined  bool       `json:"joined,omitempty"` // the ask met an open request

	Headline string  `json:"headline"`         // the state in a few words: "waiting for 1 person"
	Standing string  `json:"standing"`         // where it stands, in a sentence or two
	Ending   *Ending `json:"ending,omitempty"` // set where it ended without signatures
	Audit    bool    `json:"audit,omitempty"`  // it is judged and reported, and nothing is signed
	People   int     `json:"people,omitempty"` // how many more people it takes, at least

	RepositoryID gate.RepositoryID `json:"repository_id"` // "forge:number"
	Repository   string            `json:"repository"`    // owner/name when it was asked; display only
	Ref          string            `json:"ref"`
	Commit       string            `json:"commit"`
	Stream       string            `json:"stream"`
	Key          string            `json:"key"`

	ManifestDigest gate.Digest    `json:"manifest_digest"`
	Subjects       []gate.Subject `json:"subjects"`
	Created        time.Time      `json:"created"`
	Expires        time.Time      `json:"expires"`

	URL       string `json:"url"` // release page
	ThreadURL string `json:"thread_url,omitempty"`
	// CompareURL is the forge's page of what changed since the last signed release, or since
	// the baseline.
	CompareURL string `json:"compare_url,omitempty"`

	Checks        []Check           `json:"checks"`
	Coverage      []gate.Coverage   `json:"coverage"`
	Statements    []Statement       `json:"statements"`
	CanApprove    []gate.Account    `json:"can_approve"`
	CannotApprove []gate.Ineligible `json:"cannot_approve"`
}

// Ending is why a request ended without signatures, and what to do next. Both may quote
// names from outside.
type Ending struct {
	Reason string `json:"reason"`
	Fix    string `json:"fix,omitempty"`
}

// Check is one condition, with its title for people.
type Check struct {
	gate.Check

	Title string `json:"title"`
}

// Statement is what somebody said of a release, and whether it counts as of the last
// judgement.
type Statement struct {
	Verb   gate.Verb    `json:"verb"` // approve, deny, hold or unhold
	By     gate.Account `json:"by"`
	At     time.Time    `json:"at"`
	Page   bool         `json:"page,omitempty"`   // said on the release page, not in a comment
	Reason string       `json:"reason,omitempty"` // its maker's
	Counts bool         `json:"counts"`
	Why    string       `json:"why,omitempty"` // why it does not count, or not yet
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
	// Purpose is what one of the gate's own keys is for; "" for a release key.
	Purpose gate.Purpose `json:"purpose,omitempty"`
}
