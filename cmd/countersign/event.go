package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxEvent bounds the event's file: GitHub's largest payload is 25 MB.
const maxEvent = 32 << 20

// event is what the workflow runs for, as far as it matters here. Source: docs.github.com,
// "Webhook events and payloads".
type event struct {
	Repository struct {
		ID   int64 `json:"id"`
		Fork bool  `json:"fork"`
	} `json:"repository"`
	PullRequest *struct {
		Head struct {
			Repo struct {
				ID int64 `json:"id"`
			} `json:"repo"`
		} `json:"head"`
	} `json:"pull_request"`
	CheckRun *struct {
		Name       string `json:"name"`
		ExternalID string `json:"external_id"`
	} `json:"check_run"`
}

// readEvent reads the file that Actions names; no event where there is none that reads,
// for nothing is decided by it.
func readEvent(env map[string]string) event {
	var e event
	f, err := os.Open(env["GITHUB_EVENT_PATH"]) // the runner names it
	if err != nil {
		return event{}
	}
	defer func() { _ = f.Close() }() // only read
	if json.NewDecoder(io.LimitReader(f, maxEvent)).Decode(&e) != nil {
		return event{}
	}
	return e
}

// ofFork reports whether the run is a fork's: of its own repository, or of a pull request
// that comes from one.
func (e event) ofFork() bool {
	return e.Repository.Fork || e.PullRequest != nil && e.PullRequest.Head.Repo.ID != e.Repository.ID
}

// claims are those of the job's own ID token that the client looks at.
type claims struct {
	Environment string `json:"environment"`
}

// claimed reads an ID token's claims without verifying it: the gate does that.
func claimed(idToken string) claims {
	var c claims
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return c
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &c) != nil {
		return claims{}
	}
	return c
}

// forked reports whether a job fails only because it is a fork's, which nobody installed
// the gate on: its workflow goes on, unsigned, with a notice.
func (a *app) forked(f *failure) bool {
	unreached := f.problem.Code == gate.CodeRepositoryUnknown.String()
	return (unreached || f.exit == ExitIdentity && f.problem.Code == "") && a.env["GITHUB_ACTIONS"] == "true" && readEvent(a.env).ofFork()
}
