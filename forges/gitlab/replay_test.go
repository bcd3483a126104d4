package gitlab_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

// payloads are the library's own copies of GitLab's webhooks, by file name.
func payloads(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/xanzy/go-gitlab").Output()
	if err != nil {
		t.Fatalf("find the library's test data: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	all := map[string][]byte{}
	for _, pattern := range []string{"webhooks/*.json", "systemhooks/*.json", "*.json"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s in %s: %d files, %v", pattern, dir, len(files), err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(dir, file)
			all[name] = body
		}
	}
	return all
}

// events are the names under which GitLab sends them; every payload is thrown in under
// each of them, its own among them.
func events() []string {
	return []string{
		"Note Hook", "Confidential Note Hook", "Push Hook", "Tag Push Hook", "Merge Request Hook", "Pipeline Hook", "Job Hook",
		"Member Hook", "Issue Hook", "Deployment Hook", "Release Hook", "Wiki Page Hook", "Feature Flag Hook", "Subgroup Hook",
		"Resource Access Token Hook", "System Hook", "Emoji Hook", "Something New Hook",
	}
}

// ring throws one payload in as GitLab would deliver it: proof, then interpretation.
func ring(t *testing.T, f *gitlab.Forge, event string, body []byte) []gate.Ring {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Gitlab-Event": event, "X-Gitlab-Token": secret, "Idempotency-Key": "one",
	} {
		r.Header.Set(name, value)
	}
	d, err := f.Prove(r, body)
	if err != nil {
		if gate.CodeOf(err) != gate.CodeDeliveryMalformed {
			t.Errorf("%s: %v", event, err)
		}
		return nil
	}
	rings, err := f.Interpret(d)
	if err != nil && gate.CodeOf(err) != gate.CodeDeliveryMalformed {
		t.Errorf("%s: %v", event, err)
	}
	return rings
}

// hint holds what a ring may be: a place to look at again, in words that are whole. Only
// a note that was created names a comment, only a merge request's delivery a change.
func hint(t *testing.T, what, event string, rings []gate.Ring) {
	t.Helper()
	if len(rings) > 1 {
		t.Errorf("%s as %s: %d rings", what, event, len(rings))
	}
	for _, r := range rings {
		switch {
		case r.Repository.Forge != "gl" || r.Repository.ID <= 0 || r.Deployment != nil:
			t.Errorf("%s as %s rings %+v", what, event, r)
		case r.Comment != nil && (event != "Note Hook" || r.Comment.ID <= 0 || r.Comment.Thread.Number <= 0 || r.Comment.Repository != r.Repository):
			t.Errorf("%s as %s rings for comment %+v", what, event, r.Comment)
		case r.Change != 0 && (event != "Merge Request Hook" || r.Change < 0):
			t.Errorf("%s as %s rings for change %d", what, event, r.Change)
		case r.Commit != "" && event != "Pipeline Hook" && event != "Job Hook":
			t.Errorf("%s as %s rings for commit %q", what, event, r.Commit)
		}
	}
}

func TestReplay(t *testing.T) {
	f := prover(t, secret)
	own := map[string]struct {
		event string
		check func(gate.Ring) bool
	}{
		"webhooks/note_merge_request.json": {"Note Hook", func(r gate.Ring) bool { return r.Comment != nil && !r.Comment.Thread.Issue }},
		"webhooks/note_issue.json":         {"Note Hook", func(r gate.Ring) bool { return r.Comment != nil && r.Comment.Thread.Issue }},
		"webhooks/merge_request.json":      {"Merge Request Hook", func(r gate.Ring) bool { return r.Change > 0 }},
		"webhooks/push.json":               {"Push Hook", func(r gate.Ring) bool { return r.Commit == "" }},
		"webhooks/tag_push.json":           {"Tag Push Hook", func(r gate.Ring) bool { return r.Commit == "" }},
		"webhooks/pipeline.json":           {"Pipeline Hook", func(r gate.Ring) bool { return r.Commit != "" }},
		"webhooks/job.json":                {"Job Hook", func(r gate.Ring) bool { return r.Commit != "" }},
	}
	all := payloads(t)
	t.Logf("%d payloads", len(all))
	for name, body := range all {
		for _, event := range events() {
			hint(t, name, event, ring(t, f, event, body))
		}
		if row, ok := own[name]; ok {
			if rings := ring(t, f, row.event, body); len(rings) != 1 || !row.check(rings[0]) {
				t.Errorf("%s as %s: %+v", name, row.event, rings)
			}
		}
	}
	for name := range own {
		if all[name] == nil {
			t.Errorf("%s is not among the library's payloads", name)
		}
	}
	for _, silent := range []string{"Issue Hook", "Deployment Hook", "Wiki Page Hook", "System Hook", "Something New Hook", "Confidential Note Hook"} {
		for name, body := range all {
			if rings := ring(t, f, silent, body); len(rings) != 0 {
				t.Errorf("%s as %s: %+v", name, silent, rings)
			}
		}
	}
}

// odd are values that nearly nothing of GitLab's takes.
func odd() []any {
	return []any{nil, "x", "", -1.0, 1e300, []any{}, []any{nil}, map[string]any{}, map[string]any{"id": "x"}}
}

// spoilt are all variants of a value with one part of it taken away, nulled, or of
// another type.
func spoilt(value any, odd []any) []any {
	var out []any
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			part := v[key]
			without := maps.Clone(v)
			delete(without, key)
			out = append(out, without)
			for _, other := range append(slices.Clone(odd), spoilt(part, odd)...) {
				with := maps.Clone(v)
				with[key] = other
				out = append(out, with)
			}
		}
	case []any:
		for i := range min(len(v), 2) {
			for _, other := range append(slices.Clone(odd), spoilt(v[i], odd)...) {
				with := slices.Clone(v)
				with[i] = other
				out = append(out, with)
			}
		}
	}
	return out
}

// read are the parts of a payload that the gate looks at; what is spoilt elsewhere is
// covered by the wide types of the rest.
func read(payload map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"object_kind", "project_id", "project", "sha", "object_attributes", "merge_request", "issue"} {
		if v, ok := payload[key]; ok {
			out[key] = v
		}
	}
	return out
}

func TestReplaySpoilt(t *testing.T) {
	f := prover(t, secret)
	sent := 0
	for name, body := range payloads(t) {
		var payload map[string]any
		if !strings.HasPrefix(name, "webhooks/") || json.Unmarshal(body, &payload) != nil {
			continue
		}
		for i, variant := range spoilt(read(payload), append(odd(), true)) {
			changed, err := json.Marshal(variant)
			if err != nil {
				t.Fatal(err)
			}
			for _, event := range events()[:8] {
				if (i+len(event))%3 != 0 && event != "Note Hook" && event != "Merge Request Hook" {
					continue
				}
				sent++
				hint(t, fmt.Sprintf("%s, variant %d", name, i), event, ring(t, f, event, changed))
			}
		}
		for cut := 0; cut < len(body); cut += max(1, len(body)/50) {
			for _, event := range events()[:8] {
				if rings := ring(t, f, event, body[:cut]); len(rings) != 0 {
					t.Errorf("%s cut at %d rings as %s: %+v", name, cut, event, rings)
				}
			}
		}
	}
	if sent < 10000 {
		t.Errorf("only %d variants were sent", sent)
	}
	t.Logf("%d variants", sent)
}
