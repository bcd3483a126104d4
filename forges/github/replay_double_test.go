package github_test

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// What the double delivers is as GitHub's webhook schemas describe it (npm
// @octokit/openapi-webhooks): a double that sends less would prove less.
func TestDoubleDeliversAsDescribed(t *testing.T) {
	const name = "https://schemas.example/webhooks.json"
	raw, err := os.Open(fetchedPath(t, "webhooks-12.1.0/api.github.com.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	doc, err := jsonschema.UnmarshalJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020) // OpenAPI 3.1, "Schema Object"
	if err := compiler.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, d := range deeds(t) {
		kind := "webhook-" + strings.ReplaceAll(d.Event, "_", "-")
		if action := tell(t, d.Body).text("action"); action != "" {
			kind += "-" + strings.ReplaceAll(action, "_", "-")
		}
		seen[kind] = true
		schema, err := compiler.Compile(name + "#/components/schemas/" + kind)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		body, err := jsonschema.UnmarshalJSON(strings.NewReader(string(d.Body)))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if err := schema.Validate(body); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if len(seen) < 30 {
		t.Errorf("kinds of deliveries: got %d, want those of every deed", len(seen))
	}
	t.Logf("%d kinds of deliveries fit their schemas", len(seen))
}

// deeds are the deliveries of everything that people do in a double.
func deeds(t *testing.T) []gate.Delivery {
	t.Helper()
	w := newTeam(t, githubtest.Options{})
	in := &inbox{forge: w.forge}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	w.DeliverTo(server.URL, secret)
	change, head := w.open(w.ana, "topic")
	w.push(w.bo, "topic", "More", head)
	w.Review(change, w.bo, forgetest.ReviewApprove)
	w.Review(change, w.bo, forgetest.ReviewDismiss)
	said := w.AddComment(change, w.bo, "hello")
	w.EditComment(said, w.bo, "hello again")
	w.DeleteComment(said, w.bo)
	w.Merge(change, w.bo, forgetest.Squash)
	w.AddComment(w.OpenIssue(w.repo, w.cy, "Bug", "It fails"), w.cy, "too")
	w.PushAnnotatedTag(w.repo, w.ana, "v1", head, "One")
	w.DeleteRef(w.repo, w.ana, "refs/heads/topic")
	for _, ref := range []string{mainRef, "refs/tags/v*"} {
		w.Protect(w.repo, forgetest.Protection{Ref: ref, Reviews: 1})
		w.Protect(w.repo, forgetest.Protection{Ref: ref, Reviews: 2})
		w.Unprotect(w.repo, ref)
	}
	for _, role := range []forgetest.Role{forgetest.RoleWrite, forgetest.RoleAdmin, forgetest.RoleNone} {
		w.SetRole(w.repo, w.dan, role)
	}
	w.GuardEnvironment(w.repo, "release")
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	waits := w.AddDeployJob(job, "release")
	w.FinishJob(job)
	w.CancelJob(waits)
	if _, err := w.forge.Post(t.Context(), gate.Post{
		Target: gate.PostCheck, Repository: w.id(), Key: "k", Commit: w.root, Context: "countersign/release", State: gate.PostSuccess, Title: "signed",
	}); err != nil {
		t.Fatal(err)
	}
	w.AddRepository("acme/gadget")
	w.AddRepository("other/gadget")
	w.Suspend(w.repo, true)
	w.Suspend(w.repo, false)
	w.RenameRepository(w.repo, "gizmo")
	w.TransferRepository(w.repo, "umbrella")
	w.Settle()
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.seen
}
