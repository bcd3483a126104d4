package web_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// misdirected is what the verifier says of an ID token for another request, in part.
func misdirected() error {
	const want, got = "countersign:sign.example.org:request:" + gatetest.RequestID, "countersign:sign.example.org:request:0197f3a0-0000-7000-8000-000000000002"
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeAudience, Text: "the ID token was made for something else", Expected: want, Got: `"` + got + `"`,
		Fix: "get an ID token for exactly this audience; the countersign client does",
		Claims: []gate.ClaimCheck{
			{
				Claim: "iss", Expected: "https://token.actions.githubusercontent.com, as configured",
				Got: "https://token.actions.githubusercontent.com", OK: true,
			},
			{Claim: "aud", Expected: want, Got: got},
			{Claim: "repository_id", Expected: "a positive number as a text", Got: "1296269", OK: true},
		},
	}
}

// The verifier's table is in the problem, to the letter.
func TestClaimsOfARefusedToken(t *testing.T) {
	for _, call := range []struct{ method, path string }{{"POST", "/v1/releases"}, {"GET", release}, {"POST", release + "/collect"}} {
		w := newWorld(t)
		w.doubt = misdirected()
		p := refuses(t, w.call(t, call.method, call.path, askOf(), auth), http.StatusUnauthorized, gate.CodeAudience)
		if diff := cmp.Diff(gate.ClaimsOf(misdirected()), p.Claims); diff != "" {
			t.Errorf("%s %s: claims (-want +got):\n%s", call.method, call.path, diff)
		}
	}
}

// What the life of a request finds wrong with an ID token is told claim by claim too;
// what is no fault of the token is not.
func TestClaimsOfALaterRefusal(t *testing.T) {
	for _, call := range []struct{ method, path string }{{"POST", "/v1/releases"}, {"GET", release}, {"POST", release + "/collect"}} {
		for _, row := range []struct {
			code   gate.Code
			status int
			kind   gate.Kind
			marked string
		}{
			{gate.CodeTokenRebound, http.StatusForbidden, gate.Refused, "jti"},
			{gate.CodeTokenClaims, http.StatusUnauthorized, gate.Unidentified, "check_run_id"},
			{gate.CodeRequestUnknown, http.StatusNotFound, gate.NotFound, ""},
			{gate.CodePolicyMissing, http.StatusForbidden, gate.Refused, ""},
		} {
			w := newWorld(t)
			w.put(record(t, gate.StateSigned))
			w.job = gate.Workload{
				Forge: "github", Kind: gate.GitHub, Repository: gatetest.Repository(), JobID: 777, TokenID: "a1b2",
				Claims: map[string]any{"jti": "a1b2", "check_run_id": "777", "enterprise": "not pinned"},
			}
			w.refuse = &gate.Error{Kind: row.kind, Code: row.code, Text: "no", Expected: "this", Got: "that", Fix: "do it"}
			p := refuses(t, w.call(t, call.method, call.path, askOf(), auth), row.status, row.code)
			marked := ""
			for _, c := range p.Claims {
				if c.Got == "not pinned" {
					t.Errorf("%s: claim %s is shown", row.code, c.Claim)
				}
				if (c.Claim == "jti" || c.Claim == "check_run_id") && !c.OK {
					marked = c.Claim
				}
			}
			if marked != row.marked || (row.marked == "") != (p.Claims == nil) {
				t.Errorf("%s %s, %s: marked %q of %v, expected %q", call.method, call.path, row.code, marked, p.Claims, row.marked)
			}
		}
	}
}
