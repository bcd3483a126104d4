package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

// refusal is one ask that leads to nothing.
type refusal struct {
	name  string
	world func(*world)
	job   func(*gate.Workload)
	ask   func(*gate.Ask)
	kind  gate.Kind
	code  gate.Code
	got   string // part of what its reader is told to have sent
}

func refusals() []refusal {
	return []refusal{
		{
			name: "another server", ask: func(a *gate.Ask) { a.Server = "other.example" },
			kind: gate.Invalid, code: gate.CodeServerName, got: "other.example",
		},
		{
			name: "another repository", ask: func(a *gate.Ask) { a.Repository.ID++ },
			kind: gate.Refused, code: gate.CodeAskMismatch, got: "github:1296270",
		},
		{
			name: "another forge's repository", ask: func(a *gate.Ask) { a.Repository.Forge = "gitlab" },
			kind: gate.Refused, code: gate.CodeAskMismatch, got: "gitlab:1296269",
		},
		{
			name: "another ref", ask: func(a *gate.Ask) { a.Ref = "refs/tags/v9" },
			kind: gate.Refused, code: gate.CodeAskMismatch, got: "refs/tags/v9",
		},
		{
			name: "another commit", ask: func(a *gate.Ask) { a.Commit = gatetest.Head },
			kind: gate.Refused, code: gate.CodeAskMismatch, got: gatetest.Head,
		},
		{
			name: "unknown forge",
			job:  func(j *gate.Workload) { j.Forge, j.Repository.Forge = "elsewhere", "elsewhere" },
			ask:  func(a *gate.Ask) { a.Repository.Forge = "elsewhere" },
			kind: gate.NotFound, code: gate.CodeForgeUnknown, got: "elsewhere",
		},
		{
			name: "attack 11: a finished job", world: func(w *world) { w.forge.run.InProgress = false },
			kind: gate.Unidentified, code: gate.CodeTokenClaims, got: "finished",
		},
		{
			name: "unknown stream", ask: func(a *gate.Ask) { a.Stream = "stables" },
			kind: gate.Refused, code: gate.CodeStreamUnknown, got: "stables",
		},
		{
			name: "no stream for the workflow", job: func(j *gate.Workload) { j.Workflow = "acme/app/.github/workflows/other.yml" },
			kind: gate.Refused, code: gate.CodeStreamUnknown, got: "other.yml",
		},
		{
			name: "attack 80: a key of somebody else's", ask: func(a *gate.Ask) { a.Stream = "nightly" },
			world: func(w *world) {
				w.keys = release.Keyring{
					{Version: w.signer.Keys()[0]}, {Version: w.signer.AddKey("ours"), Owners: []gate.AccountID{gatetest.Acme()}},
				}
			},
			kind: gate.Refused, code: gate.CodeKeyUnbound, got: gatetest.Lineage,
		},
		{
			name: "a key that is not here", ask: func(a *gate.Ask) { a.Stream = "nightly" },
			world: func(w *world) {
				w.keys = release.Keyring{{Version: w.signer.AddKey("ours"), Owners: []gate.AccountID{gatetest.Acme()}}}
			},
			kind: gate.Refused, code: gate.CodeKeyUnknown, got: gatetest.Lineage,
		},
		{
			name: "a subject named SHA256SUMS",
			ask: func(a *gate.Ask) {
				a.Manifest.Subjects = []gate.Subject{{Name: "SHA256SUMS", SHA256: gate.SHA256([]byte("x"))}}
			},
			kind: gate.Invalid, code: gate.CodeSubjects, got: "SHA256SUMS",
		},
		{
			name: "a manifest out of order", ask: func(a *gate.Ask) { slices.Reverse(a.Manifest.Subjects) },
			kind: gate.Invalid, code: gate.CodeSubjects, got: "order",
		},
		{
			name: "attack 21: a ref that reads as something else",
			job:  func(j *gate.Workload) { j.Ref = "refs/tags/v1#x" }, ask: func(a *gate.Ask) { a.Ref, a.Stream = "refs/tags/v1#x", "stable" },
			kind: gate.Invalid, code: gate.CodeBodyMalformed, got: "v1#x",
		},
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, row := range refusals() {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if row.world != nil {
				row.world(w)
				w.gate = w.newGate(w.store)
			}
			job, ask := w.job(), w.ask(2)
			if row.job != nil {
				row.job(&job)
			}
			if row.ask != nil {
				row.ask(&ask)
			}
			_, _, err := w.gate.Open(w.ctx, job, ask)
			e := w.refused(err, row.kind, row.code)
			if e.Text == "" || e.Expected == "" || e.Fix == "" || !strings.Contains(e.Got, row.got) {
				t.Errorf("text %q, expected %q, got %q (should name %q), fix %q", e.Text, e.Expected, e.Got, row.got, e.Fix)
			}
			w.nothingStored()
		})
	}
}

// nothingStored expects that an ask left no row and no leaf.
func (w *world) nothingStored() {
	w.Helper()
	if all, err := w.store.List(w.ctx, gate.ListQuery{Limit: 10}); err != nil || len(all) != 0 {
		w.Errorf("requests %v, %v, expected none", all, err)
	}
	if got := w.leaves(); len(got) != 0 {
		w.Errorf("leaves %v, expected none", got)
	}
}

func TestMissingPolicyShowsTheMinimalFile(t *testing.T) {
	for _, kind := range []gate.ForgeKind{gate.GitHub, gate.GitLab} {
		w := newWorld(t, func(w *world) { w.kind = kind })
		w.forge.fileErr = &gate.Error{Kind: gate.NotFound, Code: gate.CodePolicyMissing, Text: "no such file"}
		w.ring(gate.Ring{Repository: gatetest.Repository()})
		w.settle()
		w.watched()
		_, _, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
		if e := w.refused(err, gate.Refused, gate.CodePolicyMissing); !strings.Contains(e.Fix, policy.Minimal(kind)) {
			t.Errorf("%s: fix %q", kind, e.Fix)
		}
		_, err = w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
		w.refused(err, gate.Refused, gate.CodePolicyMissing)
	}
}

// notAdopted is a world whose repository has no policy in force.
func notAdopted(t *testing.T, file string) *world {
	t.Helper()
	w := newWorld(t)
	w.gate = w.newGate(&broken{Store: w.store, fail: map[string]error{"InForce": &gate.Error{
		Kind: gate.Refused, Code: gate.CodePolicyNotAdopted, Text: "no policy is adopted", Expected: "one", Got: "none", Fix: "adopt it",
	}}})
	w.forge.file = []byte(file)
	return w
}

func TestPolicyNotAdopted(t *testing.T) {
	w := notAdopted(t, policyFile)
	_, _, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
	w.refused(err, gate.Refused, gate.CodePolicyNotAdopted)
	w.nothingStored()

	// What is in the way before that is said first.
	for code, kind := range map[gate.Code]gate.Kind{
		gate.CodeRepositoryUnknown: gate.NotFound, gate.CodePolicyUnreadable: gate.Unavailable, gate.CodePolicyMissing: gate.Refused,
	} {
		w.forge.fileErr = &gate.Error{Kind: kind, Code: code, Text: "x"}
		_, _, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
		w.refused(err, kind, code)
		w.nothingStored()
	}

	// Before it can be adopted it has to read: that is the nearest mistake.
	w = notAdopted(t, "version: 1\nrelease: []\n")
	_, _, err = w.gate.Open(w.ctx, w.job(), w.ask(1))
	if e := w.refused(err, gate.Invalid, gate.CodePolicyInvalid); !strings.Contains(e.Text, "2:1") && !strings.Contains(e.Text, "^") {
		t.Errorf("text %q, expected the place of the fault", e.Text)
	}
	w.nothingStored()
}

func TestInvalidPolicyIsNotAdopted(t *testing.T) {
	w := newWorld(t)
	w.forge.file = []byte("version: 2\n")
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.refused(err, gate.Invalid, gate.CodePolicyInvalid)
	_, err = w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: "main", By: "root"})
	w.refused(err, gate.Invalid, gate.CodeBodyMalformed)
	_, err = w.gate.Adopt(w.ctx, release.Adoption{Repository: gate.RepositoryID{Forge: "elsewhere", ID: 1}, Baseline: gatetest.Baseline, By: "root"})
	w.refused(err, gate.NotFound, gate.CodeForgeUnknown)
	w.nothingStored() // beside the first adoption
	// What is in force stays in force.
	w.forge.file = []byte(policyFile)
	w.opened(1)
}

// attack 75: what lies on the branch judges nothing before it was adopted.
func TestFileOnTheBranchDoesNotJudge(t *testing.T) {
	w := newWorld(t)
	w.forge.file = []byte("version: 1\nreleases:\n  - {name: lax, workflow: other.yml}\n")
	_, _, err := w.gate.Open(w.ctx, w.job(func(j *gate.Workload) {
		j.Workflow = "acme/app/.github/workflows/other.yml"
	}), w.ask(1))
	w.refused(err, gate.Refused, gate.CodeStreamUnknown)
	w.opened(1)
}

// attack 4
func TestTokenServesOneRequest(t *testing.T) {
	w := newWorld(t)
	job := w.job()
	first, _, err := w.gate.Open(w.ctx, job, w.ask(1))
	w.must(err)
	_, _, err = w.gate.Open(w.ctx, job, w.ask(2))
	e := w.refused(err, gate.Refused, gate.CodeTokenRebound)
	if strings.Contains(e.Text+e.Expected+e.Got+e.Fix, first.Request.ID) {
		t.Errorf("who replays a token learns of %s: %+v", first.Request.ID, e)
	}
	if all, err := w.store.List(w.ctx, gate.ListQuery{Limit: 10}); err != nil || len(all) != 1 {
		t.Errorf("requests %v, %v, expected the first alone", all, err)
	}
}

func TestRunThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.forge.runErr = unavailable()
	_, _, err := w.gate.Open(w.ctx, w.job(), w.ask(1))
	w.refused(err, gate.Unavailable, gate.CodeForgeUnavailable)
	w.nothingStored()
}

// A job that names a stream but is not its workflow gets in, and is refused for good
// with a reason that people see.
func TestWrongWorkflowIsDenied(t *testing.T) {
	w := newWorld(t)
	ask := w.ask(1)
	ask.Stream = "stable"
	rec, _, err := w.gate.Open(w.ctx, w.job(func(j *gate.Workload) { j.Workflow = "acme/app/.github/workflows/other.yml" }), ask)
	w.must(err)
	w.settle()
	rec = w.in(rec.Request.ID, gate.StateDenied)
	if c, _ := w.decision(rec).Check(gate.CheckIdentity); c.Outcome != gate.Denied || c.Fix == "" {
		t.Errorf("%+v", c)
	}
}

func TestOpenedRequest(t *testing.T) {
	w := newWorld(t)
	r := w.opened(2).Request
	if want := w.now().Add(7 * 24 * time.Hour); !r.Expires.Equal(want) {
		t.Errorf("expires %s, expected %s", r.Expires, want)
	}
	if r.Repository != gatetest.Repository() || r.Owner != gatetest.Acme() || r.Manifest.Digest() != gatetest.Manifest(2).Digest() ||
		r.Commit != gatetest.Commit || r.Ref != gatetest.Ref || r.PolicyDigest == (gate.Digest{}) || r.Run.RunID != 7001 {
		t.Errorf("request %+v", r)
	}
	v := w.gate.View(w.record(r.ID))
	if v.URL != "https://gate.example/releases/"+r.ID || v.State != gate.StateWaiting || v.Checks != nil || len(v.Subjects) != 2 {
		t.Errorf("view before the first decision %+v", v)
	}
	w.settle()
	v = w.gate.View(w.record(r.ID))
	if len(v.Checks) == 0 || len(v.Coverage) != 1 || len(v.CanApprove) != 1 || v.CanApprove[0].Login != "bo" {
		t.Errorf("view %+v", v)
	}
	if v.ThreadURL != "https://github.example/acme/app/pull/412" {
		t.Errorf("thread %s", v.ThreadURL)
	}
}

// People get from the comment to what they are asked to approve.
func TestLinks(t *testing.T) {
	for kind, want := range map[gate.ForgeKind]struct{ compare, thread, issue string }{
		gate.GitHub: {"https://github.example/acme/app/compare/", "https://github.example/acme/app/pull/412", "/acme/app/issues/900"},
		gate.GitLab: {"https://github.example/acme/app/-/compare/", "https://github.example/acme/app/-/merge_requests/412", "/acme/app/-/issues/900"},
	} {
		w := newWorld(t, func(w *world) { w.kind = kind })
		id := w.opened(1).Request.ID
		w.settle()
		comment, _ := w.forge.latest(gate.PostComment)
		if link := want.compare + gatetest.Baseline + "..." + gatetest.Commit; !strings.Contains(comment.Body, link) {
			t.Errorf("%s: expected %s in\n%s", kind, link, comment.Body)
		}
		rec := w.record(id)
		if got := w.gate.View(rec).ThreadURL; got != want.thread {
			t.Errorf("%s: thread %s, expected %s", kind, got, want.thread)
		}
		rec.Thread = gate.Thread{Number: 900, Issue: true}
		if got := w.gate.View(rec).ThreadURL; !strings.HasSuffix(got, want.issue) {
			t.Errorf("%s: issue %s, expected %s", kind, got, want.issue)
		}
	}
}
