package github_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the signature that has to be refused
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// signed is a delivery as GitHub sends it, for rows to spoil.
func signed(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github/forge", strings.NewReader(body))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-GitHub-Event", "issue_comment")
	r.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	return r
}

func TestProve(t *testing.T) {
	s := githubtest.New(githubtest.Options{})
	t.Cleanup(s.Close)
	f := connect(t, s)
	const body = `{"action":"created","repository":{"id":7},"issue":{"number":3},"comment":{"id":9}}`
	d, err := f.Prove(signed(body), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if d.Forge != adaptertest.ForgeID || d.ID != "72d3162e-cc78-11e3-81ab-4c9367dc0958" || d.Event != "issue_comment" ||
		string(d.Body) != body || d.Thread != "7#3" || d.Received.IsZero() {
		t.Errorf("delivery: got %+v", d)
	}
	for _, row := range []struct {
		name  string
		spoil func(r *http.Request)
		body  string
		want  gate.Code
	}{
		{"unsigned (attack 58)", func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }, body, gate.CodeDeliveryUnsigned},
		{"SHA-1 alone (attack 58)", func(r *http.Request) {
			mac := hmac.New(sha1.New, []byte(secret))
			mac.Write([]byte(body))
			r.Header.Del("X-Hub-Signature-256")
			r.Header.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
		}, body, gate.CodeDeliveryUnsigned},
		{"another body (attack 61)", func(*http.Request) {}, body + " ", gate.CodeDeliverySignature},
		{"another secret", func(r *http.Request) {
			mac := hmac.New(sha256.New, []byte("other"))
			mac.Write([]byte(body))
			r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}, body, gate.CodeDeliverySignature},
		{"an empty secret's", func(r *http.Request) {
			mac := hmac.New(sha256.New, nil)
			mac.Write([]byte(body))
			r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		}, body, gate.CodeDeliverySignature},
		{"an empty signature", func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", "sha256=") }, body, gate.CodeDeliverySignature},
		{"a bare signature", func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", strings.TrimPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256="))
		}, body, gate.CodeDeliverySignature},
		{"two signatures", func(r *http.Request) { r.Header.Add("X-Hub-Signature-256", "sha256=00") }, body, gate.CodeDeliverySignature},
		{"a form (attack 58)", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, body, gate.CodeDeliveryMalformed},
		{"no content type", func(r *http.Request) { r.Header.Del("Content-Type") }, body, gate.CodeDeliveryMalformed},
		{"no event", func(r *http.Request) { r.Header.Del("X-GitHub-Event") }, body, gate.CodeDeliveryMalformed},
		{"two events", func(r *http.Request) { r.Header.Add("X-GitHub-Event", "push") }, body, gate.CodeDeliveryMalformed},
		{"an odd event", func(r *http.Request) { r.Header.Set("X-GitHub-Event", "Push!") }, body, gate.CodeDeliveryMalformed},
		{"no delivery id", func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }, body, gate.CodeDeliveryMalformed},
		{"an odd delivery id", func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", "a b") }, body, gate.CodeDeliveryMalformed},
		{"for another App", func(r *http.Request) {
			r.Header.Set("X-GitHub-Hook-Installation-Target-Type", "integration")
			r.Header.Set("X-GitHub-Hook-Installation-Target-ID", "1")
		}, body, gate.CodeDeliveryMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := signed(body)
			row.spoil(r)
			d, err := f.Prove(r, []byte(row.body))
			if gate.CodeOf(err) != row.want || d.ID != "" || strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("got %+v, %v; want %s", d, err, row.want)
			}
		})
	}
	for _, odd := range []string{"", "{", "payload=%7B%7D", "[]", `"x"`, `{"repository":7}`, `{"issue":{"number":"3"}}`} {
		if _, err := f.Prove(signed(odd), []byte(odd)); gate.CodeOf(err) != gate.CodeDeliveryMalformed {
			t.Errorf("signed body %q: got %v, want %s", odd, err, gate.CodeDeliveryMalformed)
		}
	}
}

// inbox proves and interprets what the double delivers.
type inbox struct {
	forge *github.Forge
	mu    sync.Mutex
	rings []gate.Ring
	seen  []gate.Delivery
	errs  []error
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	d, proved := i.forge.Prove(r, body)
	rings, read := i.forge.Interpret(d)
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, err := range []error{err, proved, read} {
		if err != nil {
			i.errs = append(i.errs, err)
		}
	}
	i.seen, i.rings = append(i.seen, d), append(i.rings, rings...)
	w.WriteHeader(http.StatusAccepted)
}

// take empties it after everything was delivered.
func (i *inbox) take(t *testing.T, w *team) []gate.Ring {
	t.Helper()
	w.Settle()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, err := range i.errs {
		t.Errorf("delivery: %v", err)
	}
	rings := i.rings
	i.rings, i.seen, i.errs = nil, nil, nil
	return rings
}

func TestDeliveries(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	in := &inbox{forge: w.forge}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	w.DeliverTo(server.URL, secret)
	change, _ := w.open(w.ana, "topic")
	in.take(t, w)
	here := fmt.Sprint(gate.Ring{Repository: w.id()})

	said := w.AddComment(change, w.bo, "/countersign approve")
	rings := in.take(t, w)
	if len(rings) != 1 || rings[0].Comment == nil || *rings[0].Comment != w.ref(said) {
		t.Errorf("a new comment: got %+v, want one ring with %+v", rings, w.ref(said))
	}
	issue := w.OpenIssue(w.repo, w.ana, "Question", "?")
	onIssue := w.AddComment(issue, w.bo, "/countersign approve")
	rings = in.take(t, w)
	if len(rings) != 1 || rings[0].Comment == nil || !rings[0].Comment.Thread.Issue || rings[0].Comment.ID != onIssue.ID {
		t.Errorf("a comment on an issue: got %+v", rings)
	}
	for _, row := range []struct {
		name string
		act  func()
	}{
		{"an edited comment", func() { w.EditComment(said, w.bo, "never mind") }},
		{"a deleted comment", func() { w.DeleteComment(onIssue, w.bo) }},
		{"a push", func() { w.push(w.ana, "other", "Other", w.root) }},
		{"a review", func() { w.Review(change, w.bo, forgetest.ReviewApprove) }},
		{"a branch rule", func() { w.Protect(w.repo, forgetest.Protection{Ref: mainRef, Reviews: 1}) }},
		{"a ruleset", func() { w.AddRuleset(w.repo, full()) }},
		{"a changed role", func() { w.SetRole(w.repo, w.bo, forgetest.RoleRead) }},
		{"the App taken away", func() { w.Uninstall(w.repo) }},
	} {
		row.act()
		rings := in.take(t, w)
		if len(rings) == 0 {
			t.Errorf("%s: expected a ring", row.name)
		}
		for _, r := range rings {
			if fmt.Sprint(r) != here {
				t.Errorf("%s: got ring %+v, want the repository alone", row.name, r)
			}
		}
	}
}

func TestOwnPostsRingNothing(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	in := &inbox{forge: w.forge}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	change, _ := w.open(w.ana, "topic")
	w.DeliverTo(server.URL, secret)
	for _, p := range []gate.Post{
		{Target: gate.PostComment, Request: "r1", Body: "waiting", Thread: gate.Thread{Number: change.Number}},
		{Target: gate.PostCheck, Key: "k", Commit: w.root, Context: "countersign/release", State: gate.PostPending, Title: "waiting", Body: "…"},
		{Target: gate.PostStatus, Commit: w.root, Context: "countersign/release", State: gate.PostPending, Title: "waiting"},
		{Target: gate.PostThread, Key: "k", Title: "Release", Body: "…"},
	} {
		p.Repository = w.id()
		if _, err := w.forge.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if rings := in.take(t, w); len(rings) != 0 {
		t.Errorf("own posts: got rings %+v, want none: they would ring for ever", rings)
	}
}

func FuzzInterpret(f *testing.F) {
	s := githubtest.New(githubtest.Options{})
	f.Cleanup(s.Close)
	forge, err := github.New(github.Config{
		Forge: adaptertest.ForgeID, APIURL: s.APIURL(), AppID: 1, PrivateKey: s.AppPrivateKey(), WebhookSecret: []byte(secret), Now: fixedNow,
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, event := range []string{"issue_comment", "push", "check_run", "workflow_run", "installation", "unheard_of"} {
		f.Add(event, []byte(`{"action":"created","repository":{"id":7},"issue":{"number":3,"pull_request":{}},"comment":{"id":9,"user":{"type":"User"}}}`))
		f.Add(event, []byte(`{"action":"rerequested","repository":{"id":-7},"check_run":{"head_sha":"x"},"repositories":[{"id":1},null]}`))
		f.Add(event, []byte(`null`))
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		rings, err := forge.Interpret(gate.Delivery{Event: event, Body: body})
		if err != nil && gate.CodeOf(err) != gate.CodeDeliveryMalformed {
			t.Errorf("error: got %v, want %s", err, gate.CodeDeliveryMalformed)
		}
		for _, r := range rings {
			if r.Repository.ID <= 0 || r.Repository.Forge != adaptertest.ForgeID || r.Comment != nil && r.Comment.ID <= 0 {
				t.Errorf("ring: got %+v", r)
			}
		}
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		req.Header.Set("X-Hub-Signature-256", string(body))
		if _, err := forge.Prove(req, body); err == nil {
			t.Error("prove: expected a refusal")
		}
	})
}
