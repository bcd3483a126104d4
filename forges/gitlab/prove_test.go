package gitlab_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

var signing = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func prover(t *testing.T, secret string) *gitlab.Forge {
	t.Helper()
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: "https://gitlab.example", Token: "glpat-x", WebhookSecret: []byte(secret), Now: at(noon),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func delivery(body string, headers ...string) (*http.Request, []byte) {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/gitlab/gl", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Gitlab-Event", "Push Hook")
	r.Header.Set("X-Gitlab-Event-UUID", "uuid")
	r.Header.Set("Idempotency-Key", "key")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r, []byte(body)
}

func signature(id string, when time.Time, body string) []string {
	stamp := strconv.FormatInt(when.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(strings.Repeat("k", 32)))
	mac.Write([]byte(id + "." + stamp + "." + body))
	return []string{
		"Webhook-Id", id, "Webhook-Timestamp", stamp,
		"Webhook-Signature", "v1,AAAA v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

// attack 58
func TestProve(t *testing.T) {
	const body = `{"project_id":7}`
	signed := func(id string, when time.Time, more ...string) []string {
		return append(signature(id, when, body), more...)
	}
	rows := map[string]struct {
		secret, body string
		headers      []string
		code         gate.Code // 0: proved
		id           string
	}{
		"token":                     {secret, body, []string{"X-Gitlab-Token", secret}, 0, "key"},
		"without idempotency key":   {secret, body, []string{"X-Gitlab-Token", secret, "Idempotency-Key", ""}, 0, "uuid"},
		"content type with charset": {secret, body, []string{"X-Gitlab-Token", secret, "Content-Type", "application/json; charset=utf-8"}, 0, "key"},
		"no token":                  {secret, body, nil, gate.CodeDeliveryUnsigned, ""},
		"another token":             {secret, body, []string{"X-Gitlab-Token", secret + "x"}, gate.CodeDeliverySignature, ""},
		"prefix of the token":       {secret, body, []string{"X-Gitlab-Token", secret[:3]}, gate.CodeDeliverySignature, ""},
		"a signature in its place":  {secret, body, signed("id", noon), gate.CodeDeliveryUnsigned, ""},
		"no id at all":              {secret, body, []string{"X-Gitlab-Token", secret, "Idempotency-Key", "", "X-Gitlab-Event-UUID", ""}, gate.CodeDeliveryMalformed, ""},
		"endless id":                {secret, body, []string{"X-Gitlab-Token", secret, "Idempotency-Key", strings.Repeat("x", 500)}, gate.CodeDeliveryMalformed, ""},
		"no event":                  {secret, body, []string{"X-Gitlab-Token", secret, "X-Gitlab-Event", ""}, gate.CodeDeliveryMalformed, ""},
		"form":                      {secret, "payload=%7B%7D", []string{"X-Gitlab-Token", secret, "Content-Type", "application/x-www-form-urlencoded"}, gate.CodeDeliveryMalformed, ""},
		"no JSON":                   {secret, body[:5], []string{"X-Gitlab-Token", secret}, gate.CodeDeliveryMalformed, ""},
		"no object":                 {secret, "[]", []string{"X-Gitlab-Token", secret}, gate.CodeDeliveryMalformed, ""},
		"empty":                     {secret, "", []string{"X-Gitlab-Token", secret}, gate.CodeDeliveryMalformed, ""},
		"signed":                    {signing, body, signed("id", noon), 0, "id"},
		"signed, another key named": {signing, body, signed("id", noon, "Idempotency-Key", "replay"), 0, "id"},
		"signed, not too old":       {signing, body, signed("id", noon.Add(-4*time.Minute)), 0, "id"},
		"signed, too old":           {signing, body, signed("id", noon.Add(-6*time.Minute)), gate.CodeDeliverySignature, ""},
		"signed, from the future":   {signing, body, signed("id", noon.Add(6*time.Minute)), gate.CodeDeliverySignature, ""},
		"signed for another body":   {signing, body + " ", signed("id", noon), gate.CodeDeliverySignature, ""},
		"signed for another id":     {signing, body, append(signed("id", noon), "Webhook-Id", "other"), gate.CodeDeliverySignature, ""},
		"the token, where signed":   {signing, body, []string{"X-Gitlab-Token", signing}, gate.CodeDeliveryUnsigned, ""},
		"another version":           {signing, body, signed("id", noon, "Webhook-Signature", "v2,AAAA"), gate.CodeDeliverySignature, ""},
		"no timestamp":              {signing, body, signed("id", noon, "Webhook-Timestamp", ""), gate.CodeDeliverySignature, ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			r, raw := delivery(row.body, row.headers...)
			d, err := prover(t, row.secret).Prove(r, raw)
			if row.code != 0 {
				if gate.CodeOf(err) != row.code {
					t.Fatalf("expected %s, got %v", row.code, err)
				}
				if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), signing) {
					t.Errorf("the error tells the secret: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.ID != row.id || d.Forge != "gl" || d.Event != "Push Hook" || !bytes.Equal(d.Body, raw) ||
				!d.Received.Equal(noon) || d.Thread != "gl:7" {
				t.Errorf("delivery: %+v", d)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	good := gitlab.Config{Forge: "gl", URL: "https://gitlab.example", Token: "x", WebhookSecret: []byte("s"), Now: time.Now}
	if _, err := gitlab.New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*gitlab.Config){
		"an empty secret":    func(c *gitlab.Config) { c.WebhookSecret = nil },
		"half a signing key": func(c *gitlab.Config) { c.WebhookSecret = []byte("whsec_%%%") },
		"no signing key":     func(c *gitlab.Config) { c.WebhookSecret = []byte("whsec_") },
		"no token":           func(c *gitlab.Config) { c.Token = "" },
		"no URL":             func(c *gitlab.Config) { c.URL = "" },
		"another scheme":     func(c *gitlab.Config) { c.URL = "ftp://gitlab.example" },
		"a query":            func(c *gitlab.Config) { c.URL = "https://gitlab.example/?x=y" },
		"a password":         func(c *gitlab.Config) { c.URL = "https://me:hunter2@gitlab.example" },
		"no forge":           func(c *gitlab.Config) { c.Forge = "" },
		"no clock":           func(c *gitlab.Config) { c.Now = nil },
	} {
		c := good
		spoil(&c)
		_, err := gitlab.New(c)
		if gate.CodeOf(err) != gate.CodeConfig || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The double's own deliveries prove and ring, for both kinds of secret.
func TestDeliveriesOfTheForge(t *testing.T) {
	for _, key := range []string{secret, signing} {
		s := newStage(t, gitlabtest.Options{})
		f, err := gitlab.New(gitlab.Config{
			Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(key), Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan gate.Delivery, 100)
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			d, err := f.Prove(r, body)
			if err != nil {
				t.Errorf("prove: %v", err)
			}
			got <- d
			w.WriteHeader(http.StatusAccepted)
		}))
		t.Cleanup(hook.Close)
		s.DeliverTo(hook.URL, key)
		c := s.change(s.ana, "feature")
		note := s.AddComment(c, s.bo, "/countersign approve")
		s.EditComment(note, s.bo, "never mind")
		s.AddInternalNote(c, s.bo, "psst")
		issue := s.OpenIssue(s.repo, s.ana, "Release", "…")
		onIssue := s.AddComment(issue, s.bo, "/countersign approve")
		sha := s.Merge(c, s.bo, forgetest.MergeCommit)
		s.tag(sha)
		s.FinishJob(s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Actor: s.ana}))
		s.SetRole(s.repo, s.bo, forgetest.RoleRead)
		s.Settle()
		s.Redeliver(1)
		s.Settle()
		close(got)
		comments, commits, seen := map[gate.CommentRef]bool{}, 0, map[string]bool{}
		for d := range got {
			rings, err := f.Interpret(d)
			if err != nil {
				t.Errorf("interpret a %s: %v", d.Event, err)
			}
			seen[d.ID] = true
			for _, ring := range rings {
				if ring.Repository != s.id() {
					t.Errorf("%s rings at %s", d.Event, ring.Repository)
				}
				if ring.Comment != nil {
					comments[*ring.Comment] = true
				}
				if ring.Commit == sha {
					commits++
				}
			}
		}
		if len(comments) != 2 || !comments[gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: note.ID}] ||
			!comments[gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: issue.Number, Issue: true}, ID: onIssue.ID}] {
			t.Errorf("comments: %+v", comments)
		}
		if commits == 0 {
			t.Error("no job or pipeline rang for the commit")
		}
	}
}

func TestInterpret(t *testing.T) {
	f := prover(t, secret)
	const note = `{"project":{"id":7},"object_attributes":{"id":5,"noteable_type":"MergeRequest"},"merge_request":{"iid":3}}`
	rows := map[string]struct {
		event, body string
		rings       int
		comment     bool
		fails       bool
	}{
		"note without action (older GitLab)": {"Note Hook", note, 1, true, false},
		"note of a snippet":                  {"Note Hook", strings.Replace(note, "MergeRequest", "Snippet", 1), 0, false, false},
		"note of a commit":                   {"Note Hook", strings.Replace(note, "MergeRequest", "Commit", 1), 0, false, false},
		"system note (attack 95)":            {"Note Hook", strings.Replace(note, `"id":5`, `"id":5,"system":true`, 1), 0, false, false},
		"internal note":                      {"Note Hook", strings.Replace(note, `"id":5`, `"id":5,"internal":true`, 1), 0, false, false},
		"edited note":                        {"Note Hook", strings.Replace(note, `"id":5`, `"id":5,"action":"update"`, 1), 1, false, false},
		"confidential note":                  {"Confidential Note Hook", note, 0, false, false},
		"unknown event":                      {"Emoji Hook", note, 0, false, false},
		"unknown event, odd body":            {"X", `{"project_id":"x"}`, 0, false, false},
		"push":                               {"Push Hook", `{"project_id":7}`, 1, false, false},
		"merge request of a fork": {
			"Merge Request Hook", `{"project":{"id":7},"object_attributes":{"target_project_id":7,"source_project_id":8,"iid":2}}`, 1, false, false,
		},
		"group member":        {"Member Hook", `{"group_id":3}`, 0, false, false},
		"no project":          {"Push Hook", `{}`, 0, false, true},
		"negative project":    {"Push Hook", `{"project_id":-1}`, 0, false, true},
		"project as a string": {"Push Hook", `{"project_id":"7"}`, 0, false, true},
		"huge project":        {"Push Hook", `{"project_id":99999999999999999999}`, 0, false, true},
		"null":                {"Push Hook", `null`, 0, false, true},
	}
	for name, row := range rows {
		rings, err := f.Interpret(gate.Delivery{Forge: "gl", Event: row.event, Body: []byte(row.body)})
		if (err != nil) != row.fails || len(rings) != row.rings {
			t.Errorf("%s: %d rings, %v", name, len(rings), err)
			continue
		}
		if row.fails && gate.CodeOf(err) != gate.CodeDeliveryMalformed {
			t.Errorf("%s: %v", name, err)
		}
		if row.rings > 0 && (rings[0].Comment != nil) != row.comment {
			t.Errorf("%s: %+v", name, rings[0])
		}
	}
}

// Only what changes a merge request's head may change the policy.
func TestInterpretChange(t *testing.T) {
	f := prover(t, secret)
	for attributes, want := range map[string]int64{
		`"iid":2,"action":"open"`:                               2,
		`"iid":2,"action":"reopen"`:                             2,
		`"iid":2,"action":"update","oldrev":"` + zeros + `"`:    2,
		`"iid":2,"action":"update"`:                             0,
		`"iid":2,"action":"update","oldrev":""`:                 0,
		`"iid":2,"action":"merge"`:                              0,
		`"iid":2,"action":"close","oldrev":"` + zeros + `"`:     0,
		`"iid":2,"action":"approved"`:                           0,
		`"iid":2,"action":"something"`:                          0,
		`"iid":2`:                                               0,
		`"iid":-2,"action":"open"`:                              0,
		`"action":"open"`:                                       0,
		`"iid":0,"action":"update","oldrev":"` + zeros + `"`:    0,
		`"iid":null,"action":"update","oldrev":"` + zeros + `"`: 0,
	} {
		body := `{"project":{"id":7},"object_attributes":{"target_project_id":7,` + attributes + `}}`
		rings, err := f.Interpret(gate.Delivery{Forge: "gl", Event: "Merge Request Hook", Body: []byte(body)})
		if err != nil || len(rings) != 1 || rings[0].Change != want || rings[0].Comment != nil {
			t.Errorf("%s: expected change %d, got %+v, %v", attributes, want, rings, err)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000"

func TestThreads(t *testing.T) {
	f := prover(t, secret)
	for event, rows := range map[string]map[string]string{
		"Note Hook": {
			`{"project_id":7,"object_attributes":{"noteable_type":"Issue"},"issue":{"iid":3}}`:                "gl:7#3",
			`{"project_id":7,"object_attributes":{"noteable_type":"MergeRequest"},"merge_request":{"iid":3}}`: "gl:7!3",
			`{"project_id":7}`: "gl:7", `{}`: "",
		},
		"Merge Request Hook": {`{"project":{"id":7},"object_attributes":{"iid":3}}`: "gl:7!3"},
		"Push Hook":          {`{"project_id":7,"object_attributes":{"iid":3}}`: "gl:7"},
	} {
		for body, want := range rows {
			r, raw := delivery(body, "X-Gitlab-Token", secret, "X-Gitlab-Event", event)
			d, err := f.Prove(r, raw)
			if err != nil || d.Thread != want {
				t.Errorf("%s %s: expected thread %q, got %q, %v", event, body, want, d.Thread, err)
			}
		}
	}
}

func FuzzInterpret(f *testing.F) {
	for _, seed := range []string{
		`{"project":{"id":7},"object_attributes":{"id":5,"noteable_type":"MergeRequest","action":"create"},"merge_request":{"iid":3}}`,
		`{"project_id":7,"sha":"x","object_attributes":{"sha":"1111111111111111111111111111111111111111"}}`, `null`, `[]`, `{"project":[]}`, ``,
	} {
		for _, event := range []string{"Note Hook", "Pipeline Hook", "Job Hook", "Member Hook", ""} {
			f.Add(event, []byte(seed))
		}
	}
	forge, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: "https://gitlab.example", Token: "x", WebhookSecret: []byte("s"), Now: at(noon),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		r, _ := delivery("", "X-Gitlab-Token", "s")
		r.Header.Set("X-Gitlab-Event", event)
		_, _ = forge.Prove(r, body)
		rings, err := forge.Interpret(gate.Delivery{Forge: "gl", Event: event, Body: body})
		if err != nil && len(rings) > 0 {
			t.Errorf("rings with an error: %+v", rings)
		}
		for _, ring := range rings {
			if ring.Repository.ID <= 0 || ring.Repository.Forge != "gl" || (ring.Comment != nil && ring.Comment.ID <= 0) {
				t.Errorf("ring: %+v", ring)
			}
		}
	})
}
