package githubschema_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/githubtest/githubschema"
)

func exchange(method, template, target, sent string, status int, answer string) githubtest.Exchange {
	r := httptest.NewRequest(method, "http://127.0.0.1/api/v3"+target, http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	return githubtest.Exchange{
		Template: template, Request: r, Sent: []byte(sent), Status: status, Answer: []byte(answer),
		Params: map[string]string{"owner": "acme", "repo": "widget", "comment_id": "1", "issue_number": "1", "sha": "main"},
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
	}
}

func TestCheckFindsWhatIsNotAsDescribed(t *testing.T) {
	doc, err := githubschema.Load()
	if err != nil {
		t.Fatal(err)
	}
	const (
		comments  = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
		comment   = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
		reactions = "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"
		statuses  = "/repos/{owner}/{repo}/statuses/{sha}"
	)
	for name, row := range map[string]struct {
		exchange githubtest.Exchange
		want     string // "" allows
	}{
		"allow: an empty list":            {exchange("GET", comments, "/x?per_page=1", "", 200, `[]`), ""},
		"allow: an error body":            {exchange("GET", comment, "/x", "", 404, `{"message":"Not Found"}`), ""},
		"allow: an error not described":   {exchange("GET", comment, "/x", "", 401, `{"message":"Bad credentials"}`), ""},
		"allow: no content":               {exchange("DELETE", comment, "/x", "", 204, ``), ""},
		"allow: unchanged":                {exchange("GET", comment, "/x", "", 304, ``), ""},
		"allow: a refusal at the door":    {exchange("GET", "", "/x", "", 404, `{"message":"Not Found"}`), ""},
		"deny: a misspelt parameter":      {exchange("GET", comments, "/x?perpage=1", "", 200, `[]`), `query parameter "perpage"`},
		"deny: a parameter's type":        {exchange("GET", comments, "/x?page=one", "", 200, `[]`), "page"},
		"deny: a misspelt field":          {exchange("POST", statuses, "/x", `{"state":"success","contxt":"x"}`, 201, `{}`), `body field "contxt"`},
		"deny: a value outside the list":  {exchange("POST", reactions, "/x", `{"content":"tada"}`, 201, `{}`), "content"},
		"deny: a required field missing":  {exchange("POST", statuses, "/x", `{"context":"x"}`, 201, `{}`), "state"},
		"deny: an answer without its ID":  {exchange("GET", comment, "/x", "", 200, `{"body":"x"}`), "answer 200"},
		"deny: an object for a list":      {exchange("GET", comments, "/x", "", 200, `{}`), "answer 200"},
		"deny: a status not described":    {exchange("GET", comment, "/x", "", 206, `{}`), "not described"},
		"deny: an error without a text":   {exchange("GET", comment, "/x", "", 418, `{}`), "error body"},
		"deny: an endpoint not described": {exchange("PUT", comment, "/x", "", 200, `{}`), "not in GitHub's API description"},
		"deny: success from nowhere":      {exchange("GET", "", "/x", "", 200, `{}`), "without an endpoint"},
	} {
		err := githubschema.Check(doc, row.exchange)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: got %v", name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}
