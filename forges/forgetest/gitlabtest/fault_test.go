package gitlabtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestFaults(t *testing.T) {
	project := "/projects/acme%2Fapp"
	rows := []struct {
		name  string
		fault forgetest.Fault
		want  string
	}{
		{"server error", forgetest.Fault{Status: 500}, `500 {"message":"500 Internal Server Error"}`},
		{"bad gateway on a path", forgetest.Fault{Path: "acme%2Fapp", Status: 502, Body: "<html>"}, `502 <html>`},
		{"rate limit", forgetest.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}}, "429 Retry later"},
		{"truncated", forgetest.Fault{Status: 200, Body: `{"id":`}, `200 {"id":`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			team := newTeam(t, gitlabtest.Options{})
			restore := team.Fail(row.fault)
			res, body := team.call(t, http.MethodGet, project, "")
			equal(t, "answer", fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body))), row.want)
			equal(t, "header", res.Header.Get("Retry-After"), row.fault.Header["Retry-After"])
			restore()
			res, _ = team.call(t, http.MethodGet, project, "")
			equal(t, "restored", res.StatusCode, http.StatusOK)
		})
	}
}

func TestFaultsDropAndEnd(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.Fail(forgetest.Fault{Times: 2})
	for range 2 {
		if _, _, err := team.api.Version.GetVersion(); err == nil {
			t.Error("dropped connection: expected an error")
		}
	}
	_, _, err := team.api.Version.GetVersion()
	must(t, err)
	equal(t, "requests", team.Requests(), 3)
}

func TestFaultsPickTheirRequests(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.Fail(forgetest.Fault{Path: "/api/graphql", Status: 200, Body: `{"data":null,"errors":[{"message":"Timeout"}]}`})
	team.Fail(forgetest.Fault{Path: "/oauth/discovery/keys", Status: 503})
	team.Fail(forgetest.Fault{Method: http.MethodPost, Path: "/issues", Status: 403})
	_, body := team.call(t, http.MethodPost, "/api/graphql", `{"query":"{ metadata { version } }"}`)
	equal(t, "errors in a 200", strings.Contains(string(body), "Timeout"), true)
	res, err := http.Get(team.URL() + "/oauth/discovery/keys")
	must(t, err)
	must(t, res.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	equal(t, "keys", res.StatusCode, http.StatusServiceUnavailable)
	res, _ = team.call(t, http.MethodPost, "/projects/acme%2Fapp/issues", `{"title":"x"}`)
	equal(t, "POST", res.StatusCode, http.StatusForbidden)
	res, _ = team.call(t, http.MethodGet, "/projects/acme%2Fapp/issues", "")
	equal(t, "GET", res.StatusCode, http.StatusOK)
}
