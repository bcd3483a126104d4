package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
)

// maxReport is how much GitLab takes as a dotenv report, in bytes (GitLab docs,
// "artifacts:reports:dotenv").
const maxReport = 5 << 10

// output is one value for later steps and jobs.
type output struct{ name, value string }

// outputs are what later steps branch on; empty where nothing can be said.
func outputs(of account) []output {
	var id, page, digest, attested string
	if r := of.release; r != nil {
		id, page, digest = r.ID, webLink(r.URL), r.ManifestDigest.String()
		if signed(r.State) {
			attested = page
		}
	}
	var bundles, statement []string
	for _, f := range of.files {
		switch {
		case strings.HasSuffix(f.name, attest.VSASuffix):
			statement = append(statement, f.path())
		case attest.IsReleaseFile(f.name) || strings.HasSuffix(f.name, attest.CertBundleSuffix): // beside the bundles by key
		case strings.HasSuffix(f.name, attest.BundleSuffix):
			bundles = append(bundles, f.path())
		}
	}
	return []output{
		{"request-id", id}, {"request-url", page}, {"status", of.status()}, {"manifest-digest", digest},
		{"bundle-path", strings.Join(bundles, "\n")}, {"attestation-url", attested}, {"attestation-path", strings.Join(statement, "\n")},
	}
}

// status is the outcome in one word: pending, signed, audit, skipped, failed, or how the
// request ended.
func (a account) status() string {
	switch {
	case a.skipped:
		return "skipped"
	case a.release == nil:
		return "failed"
	case signed(a.release.State):
		return "signed"
	case a.release.State.Ended():
		return string(a.release.State)
	case audited(*a.release):
		return "audit"
	}
	return "pending"
}

// hand gives the outputs to later steps: the runner's file on Actions, and the one that
// --output-env names.
func (a *app) hand(of account) error {
	if path := a.env["GITHUB_OUTPUT"]; path != "" {
		var b strings.Builder
		for _, o := range outputs(of) {
			// A delimiter that nobody can foresee: what a server says ends no value.
			end := "end_" + rand.Text()
			fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.name, end, o.value, end)
		}
		if err := appendTo(path, b.String()); err != nil {
			return broken("the step's outputs cannot be written", err, "unset GITHUB_OUTPUT")
		}
	}
	if a.flags.outputEnv == "" {
		return nil
	}
	if err := os.WriteFile(a.flags.outputEnv, []byte(dotenv(outputs(of))), 0o644); err != nil { // the runner reads it
		return broken("--output-env cannot be written", err, "check its folder")
	}
	return nil
}

// dotenv is the outputs as GitLab's dotenv report takes them: one line each, unquoted.
// Where there are more bundles than one line or the report hold, they are left out.
func dotenv(all []output) string {
	var b strings.Builder
	for _, o := range all {
		line := "COUNTERSIGN_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_")) + "=" + filepath.ToSlash(o.value) + "\n"
		if strings.ContainsAny(o.value, "\r\n") || b.Len()+len(line) > maxReport {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// appendTo adds to a file that the CI runner names and reads.
func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// account is what a job is told at its end: of a request, or why there is none, or both.
type account struct {
	release *api.Release
	failure *failure
	files   []placed // as they were written
	skipped bool     // a fork's job, which releases nothing
}

// tell writes outputs and the job summary.
func (a *app) tell(of account) error {
	if err := a.hand(of); err != nil {
		return err
	}
	if !a.flags.summary {
		return nil
	}
	return a.summarise(of)
}

// waits reports whether a request waits for people, and not for the gate.
func waits(r api.Release) bool { return r.State == gate.StateWaiting }
