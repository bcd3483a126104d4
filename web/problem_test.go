package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

const release = "/v1/releases/" + gatetest.RequestID

func TestProblems(t *testing.T) {
	of := func(kind gate.Kind, code gate.Code) func(*world) {
		return func(w *world) {
			w.refuse = fmt.Errorf("open release: %w", &gate.Error{
				Kind: kind, Code: code, Text: "it is so", Expected: "this", Got: "that", Fix: "do it", Err: errDatabase,
			})
		}
	}
	rows := []struct {
		name, method, path string
		given              func(*world)
		status             int
		code               gate.Code
		retry              string
	}{
		{"invalid", "POST", "/v1/releases", of(gate.Invalid, gate.CodeServerName), 400, gate.CodeServerName, ""},
		{"identity", "GET", release, of(gate.Unidentified, gate.CodeTokenRebound), 401, gate.CodeTokenRebound, ""},
		{"refused", "POST", "/v1/releases", of(gate.Refused, gate.CodePolicyMissing), 403, gate.CodePolicyMissing, ""},
		{"not found", "GET", release, nil, 404, gate.CodeRequestUnknown, ""},
		{"no id", "GET", "/v1/releases/..%2f..%2fetc", nil, 404, gate.CodeRequestUnknown, ""},
		{"id in upper case", "GET", strings.ToUpper(release[:17]) + strings.ToUpper(release[17:]), nil, 404, gate.CodePathUnknown, ""},
		{"no id to collect", "POST", "/v1/releases/%00/collect", nil, 404, gate.CodeRequestUnknown, ""},
		{"conflict", "POST", release + "/collect", of(gate.Conflict, gate.CodeEnded), 409, gate.CodeEnded, ""},
		{"not signed", "POST", release + "/collect", of(gate.Conflict, gate.CodeNotSigned), 409, gate.CodeNotSigned, "5"},
		{"forge away", "POST", "/v1/releases", of(gate.Unavailable, gate.CodeForgeUnavailable), 503, gate.CodeForgeUnavailable, "15"},
		{"issuer away", "POST", "/v1/releases", of(gate.Unavailable, gate.CodeIssuerUnavailable), 503, gate.CodeIssuerUnavailable, "15"},
		{"store away", "GET", release, of(gate.Unavailable, gate.CodeStoreUnavailable), 503, gate.CodeStoreUnavailable, "5"},
		{"ours", "POST", "/v1/releases", of(gate.Internal, gate.CodeSignatureBad), 500, gate.CodeInternal, ""},
		{"unclassified", "POST", "/v1/releases", func(w *world) { w.refuse = errDatabase }, 500, gate.CodeInternal, ""},
		{"panic", "POST", "/v1/releases", func(w *world) { w.panics = errDatabase }, 500, gate.CodeInternal, ""},
		{"no path", "GET", "/v2/releases", nil, 404, gate.CodePathUnknown, ""},
		{"no asset", "GET", "/assets/..%2fpages%2flist.html", nil, 404, gate.CodePathUnknown, ""},
		{"no listing of assets", "GET", "/assets/", nil, 404, gate.CodePathUnknown, ""},
		{"no lineage", "GET", "/v1/keys/other.pem", nil, 404, gate.CodeKeyUnknown, ""},
		{"lineage without its ending", "GET", "/v1/keys/acme.release", nil, 404, gate.CodeKeyUnknown, ""},
		{"no code", "GET", "/errors/CS-9999", nil, 404, gate.CodePathUnknown, ""},
		{"wait without a unit", "GET", release + "?wait=30", nil, 400, gate.CodeParameter, ""},
		{"wait too long", "GET", release + "?wait=61s", nil, 400, gate.CodeParameter, ""},
		{"wait backwards", "GET", release + "?wait=-1s", nil, 400, gate.CodeParameter, ""},
		{"other method", "DELETE", release, nil, 405, gate.CodeMethod, ""},
		{"unknown method", "BREW", "/", nil, 405, gate.CodeMethod, ""},
		{"head of what is only posted", "HEAD", "/v1/releases", nil, 405, gate.CodeMethod, ""},
		{"unknown forge", "POST", "/webhooks/github/other", nil, 404, gate.CodeForgeUnknown, ""},
		{"other kind", "POST", "/webhooks/gitlab/github", nil, 404, gate.CodeForgeUnknown, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if row.given != nil {
				row.given(w)
			}
			got := w.call(t, row.method, row.path, askOf(), auth)
			p := refuses(t, got, row.status, row.code)
			if row.status != 500 && row.status != 503 && row.name != "unclassified" && (p.Expected == "" || p.Got == "") {
				t.Errorf("expected %q, got %q", p.Expected, p.Got)
			}
			if retry := got.Header().Get("Retry-After"); retry != row.retry {
				t.Errorf("Retry-After is %q", retry)
			}
			for _, inner := range []string{"10.1.2.3", "password", "goroutine", ".go:"} {
				if strings.Contains(got.Body.String(), inner) {
					t.Errorf("the answer shows %q: %s", inner, got.Body)
				}
			}
		})
	}
}

func TestMethodsThatAPathTakes(t *testing.T) {
	w := newWorld(t)
	for path, allow := range map[string]string{
		"/": "GET, HEAD", "/v1/releases": "POST", release: "GET, HEAD", release + "/collect": "POST",
		"/webhooks/github/github": "POST", "/assets/style.css": "GET, HEAD",
	} {
		got := w.call(t, http.MethodPut, path, "")
		refuses(t, got, http.StatusMethodNotAllowed, gate.CodeMethod)
		if got.Header().Get("Allow") != allow {
			t.Errorf("%s allows %q, expected %q", path, got.Header().Get("Allow"), allow)
		}
	}
	for _, path := range []string{"/", "/v1/keys", "/v1/forges", "/assets/style.css", "/errors/CS-1001"} {
		if got := w.call(t, http.MethodHead, path, ""); got.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, got.Code)
		}
	}
}

// Each call leaves one line, with the reason and never a credential; a fault of ours
// is an error with its stack.
func TestOneLinePerCall(t *testing.T) {
	w := newWorld(t)
	w.panics = errors.New("index out of range")
	w.call(t, http.MethodPost, "/v1/releases?secret=in-a-query", askOf(), auth)
	lines := strings.Split(strings.TrimSpace(w.logs()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), w.logs())
	}
	for _, part := range []string{
		`"level":"ERROR"`, `"route":"/v1/releases"`, `"status":500`, `"code":"CS-1901"`, "index out of range", "world_test.go",
	} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("no %s in %s", part, lines[0])
		}
	}
	if strings.Contains(lines[0], goodJob) || strings.Contains(lines[0], "in-a-query") {
		t.Errorf("it shows too much: %s", lines[0])
	}
}

// net/http's own way to give a connection up stays one.
func TestAbort(t *testing.T) {
	w := newWorld(t)
	w.panics = http.ErrAbortHandler
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("recovered %v", v)
		}
	}()
	w.call(t, http.MethodPost, "/v1/releases", askOf(), auth)
	t.Error("it went on")
}
