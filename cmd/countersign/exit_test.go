package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

// What the gate refuses, and how the job ends.
func TestRefusalsByCode(t *testing.T) {
	for _, row := range []struct {
		status int
		code   gate.Code
		want   main.Exit
	}{
		{http.StatusUnauthorized, gate.CodeTokenMissing, main.ExitIdentity},
		{http.StatusUnauthorized, gate.CodeIssuerUnknown, main.ExitIdentity},
		{http.StatusUnauthorized, gate.CodeAudience, main.ExitIdentity},
		{http.StatusConflict, gate.CodeTokenRebound, main.ExitIdentity},
		{http.StatusForbidden, gate.CodeNotPermitted, main.ExitIdentity},
		{http.StatusBadRequest, gate.CodeSubjects, main.ExitUsage},
		{http.StatusBadRequest, gate.CodeBodyMalformed, main.ExitUsage},
		{http.StatusRequestEntityTooLarge, gate.CodeBodyTooLarge, main.ExitUsage},
		{http.StatusForbidden, gate.CodeAskMismatch, main.ExitUsage},
		{http.StatusForbidden, gate.CodeRepositoryUnknown, main.ExitPolicy},
		{http.StatusForbidden, gate.CodePolicyMissing, main.ExitPolicy},
		{http.StatusForbidden, gate.CodePolicyNotAdopted, main.ExitPolicy},
		{http.StatusForbidden, gate.CodeStreamUnknown, main.ExitPolicy},
		{http.StatusConflict, gate.CodeEnded, main.ExitPolicy},
		{http.StatusForbidden, gate.CodeKeyUnbound, main.ExitPolicy},
		{http.StatusNotFound, gate.CodeRequestUnknown, main.ExitUsage},
		{http.StatusConflict, gate.CodeTransition, main.ExitRetry},
		{http.StatusInternalServerError, gate.CodeInternal, main.ExitRetry},
	} {
		w := newWorld(t)
		w.answers["POST /v1/releases"] = []answer{problem(row.status, row.code, "the reason")}
		w.expect(w.sign(), row.want, "the reason ["+row.code.String()+"]", "expected: what the gate expects", "got:      what came", "fix:      what to do")
		if n := len(w.used); n != 0 {
			t.Errorf("%s: asked again", row.code)
		}
	}
}

// Answers of something that is no gate.
func TestRefusalsByStatus(t *testing.T) {
	for _, row := range []struct {
		status int
		want   main.Exit
		say    string
	}{
		{http.StatusUnauthorized, main.ExitIdentity, "401"},
		{http.StatusForbidden, main.ExitPolicy, "403"},
		{http.StatusNotFound, main.ExitUsage, "404"},
		{http.StatusTeapot, main.ExitFailed, "418"},
		{http.StatusInternalServerError, main.ExitRetry, "500"},
		{http.StatusFound, main.ExitFailed, "Location: https://evil.example/"},
		{http.StatusOK, main.ExitFailed, "answer does not read"},
	} {
		w := newWorld(t)
		w.answers["POST /v1/releases"] = []answer{{row.status, map[string]string{"Location": "https://evil.example/"}, "<html>"}}
		w.expect(w.sign(), row.want, row.say)
	}
}

func TestEndsByState(t *testing.T) {
	for _, row := range []struct {
		state gate.State
		by    gate.CheckName
		want  main.Exit
	}{
		{gate.StateDenied, gate.CheckHold, main.ExitPerson},
		{gate.StateDenied, gate.CheckIdentity, main.ExitPolicy},
		{gate.StateDenied, gate.CheckRef, main.ExitPolicy},
		{gate.StateWithdrawn, "", main.ExitPerson},
		{gate.StateVoid, gate.CheckRef, main.ExitPolicy},
		{gate.StateExpired, gate.CheckTime, main.ExitTimeout},
		{gate.StateFailed, "", main.ExitRetry},
	} {
		w := newWorld(t)
		end := w.at(row.state)
		want := "is " + string(row.state)
		if row.by != "" {
			end = w.ended(row.state, row.by, "because of this")
			want += ": because of this"
		}
		w.states = []api.Release{w.at(gate.StateWaiting), end}
		w.expect(w.sign(), row.want, want)
		w.expect(w.run("status", "--request-id", requestID), row.want)
		w.expect(w.run("collect", "--request-id", requestID), row.want)
		if len(w.holds()) != 0 {
			t.Errorf("%s: wrote %v", row.state, w.holds())
		}
	}
}

func TestTimeout(t *testing.T) {
	w := newWorld(t)
	w.states = []api.Release{w.at(gate.StateWaiting)}
	w.expect(w.sign("--wait-timeout", "20ms"), main.ExitTimeout, "still waiting after 20ms", "collect --request-id "+requestID)
}

func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var env []string
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	var out strings.Builder
	code := main.Run(ctx, append([]string{"sign"}, w.artifacts()...), env, &out, &out)
	w.expect(outcome{main.Exit(code), out.String(), ""}, main.ExitRetry, "interrupted")
}

// Only what may pass is tried again, and when the server says.
func TestRetries(t *testing.T) {
	busy := problem(http.StatusServiceUnavailable, gate.CodeIssuerUnavailable, "the issuer does not answer")
	w := newWorld(t)
	w.answers["GET /v1/forges"] = []answer{busy}
	w.answers["POST /v1/releases"] = []answer{busy, {http.StatusBadGateway, map[string]string{"Retry-After": "0"}, ""}}
	w.answers["GET /v1/releases/"] = []answer{busy, busy}
	w.answers["GET /token"] = []answer{{http.StatusInternalServerError, nil, ""}}
	w.expect(w.sign(), main.ExitOK, "the issuer does not answer: what came; trying again in 0s")
	for token, n := range w.used {
		if n != 1 {
			t.Errorf("ID token %q was used %d times", token, n)
		}
	}

	w = newWorld(t)
	long := busy
	long.header = map[string]string{"Content-Type": api.MediaProblem, "Retry-After": "3600"}
	w.answers["POST /v1/releases"] = []answer{long}
	w.expect(w.sign(), main.ExitRetry, "the issuer does not answer [CS-1009]")
}

func TestServerOutOfReach(t *testing.T) {
	w := newWorld(t)
	gone := newWorld(t)
	gone.server.Close()
	w.env["COUNTERSIGN_SERVER"] = gone.server.URL
	w.expect(w.sign("--retry-for", "1ms"), main.ExitRetry, "cannot be reached")
}

func TestFailuresAsJSON(t *testing.T) {
	w := newWorld(t)
	w.answers["POST /v1/releases"] = []answer{problem(http.StatusForbidden, gate.CodePolicyMissing, "no policy")}
	got := w.sign("--json")
	w.expect(got, main.ExitPolicy)
	var out struct {
		Exit  int
		Error api.Problem
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || out.Exit != 3 || out.Error.Code != "CS-1202" {
		t.Errorf("expected exit 3 and CS-1202 in one object (%v), got\n%s", err, got.stdout)
	}
}

// A text of the gate is never a workflow command, nor moves the cursor.
func TestForeignTextIsInert(t *testing.T) {
	w := newWorld(t)
	evil := problem(http.StatusForbidden, gate.CodePolicyMissing, "x")
	evil.body = `{"title":"a\n::add-mask::b","code":"CS-1202","got":"::set-output name=x::y\n::stop-commands::z\u001b[2J","fix":"##[error]k"}`
	w.answers["POST /v1/releases"] = []answer{evil}
	got := w.sign()
	w.expect(got, main.ExitPolicy, "::error title=countersign::")
	for l := range strings.Lines(got.stderr) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "::") && !strings.HasPrefix(l, "::error title=countersign::") || strings.Contains(l, "##[") || strings.Contains(l, "\x1b") {
			t.Errorf("a line of the log acts: %q", l)
		}
	}
	delete(w.env, "GITHUB_ACTIONS")
	w.expect(w.sign(), main.ExitUsage, "countersign: this is no CI job")
}
